/* SPDX-License-Identifier: Apache-2.0 */
/* Named settings: what the published code bases use, and what we found to work. Values not named here are the keys'
 * defaults; keys that a run does not have are skipped. */
#include <string.h>

#include "algos/learner.h"

/* PyMARL (Samvelyan et al. 2019): GRU 64, RMSprop, one update an episode, targets every 200 episodes. */
#define PYMARL                                                                                                     \
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"net.recurrent", "1"}, {"share", "shared"}, {"agent_id", "onehot"}, \
    {"last_action", "1"}, {"optimizer", "rmsprop"}, {"lr", "0.0005"}, {"lr_decay", "none"},                        \
    {"rmsprop_alpha", "0.99"}, {"rmsprop_eps", "1e-5"}, {"grad_norm_clip", "10"}, {"gamma", "0.99"},               \
    {"td_lambda", "0"}, {"q_lambda", "0"}, {"n_step", "0"}, {"double_q", "1"}, {"loss_factor", "1"},               \
    {"batch_size", "32"}, {"replay.episodes", "5000"}, {"target_update", "hard"}, {"target_unit", "episodes"},     \
    {"target_interval", "200"}, {"epsilon_start", "1"}, {"epsilon_end", "0.05"}, {"epsilon_anneal", "50000"},      \
    {"standardise_rewards", "0"}, {"envs", "1"}, {"updates_per_env_step", "0"}, {"updates_per_episode", "1"}

static const marl__preset_value pymarl[] = {
    PYMARL, {"mixer.embed_dim", "32"}, {"mixer.hypernet_embed", "64"}, {"mixer.hypernet_layers", "2"},
};

/* QPLEX's own code for SMAC, built on PyMARL: it also waits for 100 episodes. */
static const marl__preset_value pymarl_qplex[] = {
    PYMARL, {"train_start", "100"}, {"mixer.hypernet_embed", "64"}, {"mixer.kernels", "4"}, {"mixer.adv_layers", "1"},
    {"mixer.adv_embed", "64"}, {"mixer.weighted_head", "1"}, {"mixer.minus_one", "1"},
};

static const marl__preset_value pymarl_qtran[] = {
    PYMARL, {"mixer.qtran_arch", "qtran_paper"}, {"mixer.qtran_size", "small"}, {"mixer.qtran_embed", "64"},
    {"lambda_opt", "1"}, {"lambda_nopt", "0.1"},
};

/* EPyMARL (Papoudakis et al. 2021), qmix and vdn: feed-forward 64, Adam, rewards standardised, targets every 200
 * updates; a time-out counts as an end. */
static const marl__preset_value epymarl[] = {
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"net.recurrent", "0"}, {"share", "shared"}, {"agent_id", "onehot"},
    {"last_action", "0"}, {"optimizer", "adam"}, {"lr", "0.0005"}, {"lr_decay", "none"}, {"grad_norm_clip", "10"},
    {"gamma", "0.99"}, {"td_lambda", "0"}, {"n_step", "0"}, {"double_q", "1"}, {"loss_factor", "1"},
    {"batch_size", "32"}, {"replay.episodes", "5000"}, {"target_update", "hard"}, {"target_unit", "updates"},
    {"target_interval", "200"}, {"epsilon_start", "1"}, {"epsilon_end", "0.05"}, {"epsilon_anneal", "50000"},
    {"standardise_rewards", "1"}, {"standardise_padding", "1"}, {"envs", "1"}, {"updates_per_env_step", "0"},
    {"updates_per_episode", "1"}, {"mixer.embed_dim", "32"}, {"mixer.hypernet_embed", "64"},
    {"mixer.hypernet_layers", "2"}, {"env.limit_is_terminal", "1"}, {"time_limit_ends", "1"},
};

/* EPyMARL's iql file: a GRU of 128, a longer exploration. */
static const marl__preset_value epymarl_iql[] = {
    {"net", "gru"}, {"net.hidden_dim", "128"}, {"net.recurrent", "1"}, {"share", "shared"}, {"agent_id", "onehot"},
    {"last_action", "0"}, {"optimizer", "adam"}, {"lr", "0.0003"}, {"lr_decay", "none"}, {"grad_norm_clip", "10"},
    {"gamma", "0.99"}, {"td_lambda", "0"}, {"n_step", "0"}, {"double_q", "1"}, {"loss_factor", "1"},
    {"batch_size", "32"}, {"replay.episodes", "5000"}, {"target_update", "hard"}, {"target_unit", "updates"},
    {"target_interval", "200"}, {"epsilon_start", "1"}, {"epsilon_end", "0.05"}, {"epsilon_anneal", "200000"},
    {"standardise_rewards", "1"}, {"standardise_padding", "1"}, {"envs", "1"}, {"updates_per_env_step", "0"},
    {"updates_per_episode", "1"}, {"env.limit_is_terminal", "1"}, {"time_limit_ends", "1"},
};

/* Ours, for fully observed foraging and its like: scaled observations, invalid actions not offered, TD(lambda), soft
 * targets, a learning rate that falls to zero over the horizon so that greedy play settles. Where agents see only part
 * of the world, net.recurrent=1 and last_action=1 belong with it. */
static const marl__preset_value tuned[] = {
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"net.recurrent", "0"}, {"share", "shared"}, {"agent_id", "onehot"},
    {"last_action", "0"}, {"optimizer", "adam"}, {"lr", "0.001"}, {"lr_decay", "linear"}, {"grad_norm_clip", "10"},
    {"gamma", "0.99"}, {"td_lambda", "0.6"}, {"double_q", "1"}, {"batch_size", "32"}, {"replay.episodes", "5000"},
    {"target_update", "soft"}, {"target_tau", "0.01"}, {"epsilon_start", "1"}, {"epsilon_end", "0.05"},
    {"epsilon_anneal", "200000"}, {"standardise_rewards", "0"}, {"envs", "8"}, {"updates_per_env_step", "0.05"},
    {"updates_per_episode", "0"}, {"scale_obs", "1"}, {"env.mask_invalid", "1"}, {"eval.episodes", "100"},
};

/* Battles: agents that see part of the field remember, and an episode says more than one of foraging. */
static const marl__preset_value tuned_combat[] = {
    {"net.recurrent", "1"}, {"last_action", "1"}, {"scale_obs", "0"}, {"epsilon_anneal", "100000"},
    {"updates_per_env_step", "0.02"},
};

/* A first run that learns in a minute. */
static const marl__preset_value quick[] = {
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"net.recurrent", "0"}, {"last_action", "0"}, {"optimizer", "adam"},
    {"lr", "0.001"}, {"batch_size", "32"}, {"td_lambda", "0.6"}, {"target_update", "soft"}, {"target_tau", "0.01"},
    {"epsilon_anneal", "50000"}, {"envs", "8"}, {"updates_per_env_step", "0.04"},
    {"updates_per_episode", "0"}, {"scale_obs", "1"}, {"eval.every", "25000"}, {"eval.episodes", "50"},
};

/* PyMARL3 (Hao et al. 2023): one shared hypernetwork a kind of entity, 8 environments, an update of 128 episodes for
 * every 8 played; published with the agents' numbers and without their last actions. */
#define PYMARL3                                                                                                       \
    {"net", "hpn_gru"}, {"net.hpn_layout", "shared"}, {"net.hidden_dim", "64"}, {"net.hyper_dim", "64"},              \
    {"net.heads", "1"}, {"share", "shared"}, {"agent_id", "onehot"}, {"last_action", "0"}, {"optimizer", "adam"},     \
    {"lr", "0.001"}, {"lr_decay", "none"}, {"grad_norm_clip", "10"}, {"gamma", "0.99"}, {"td_lambda", "0.6"},         \
    {"q_lambda", "0"}, {"n_step", "0"}, {"double_q", "1"}, {"loss_factor", "0.5"}, {"batch_size", "128"},             \
    {"replay.episodes", "5000"}, {"target_update", "hard"}, {"target_unit", "episodes"}, {"target_interval", "200"},  \
    {"epsilon_start", "1"}, {"epsilon_end", "0.05"}, {"epsilon_anneal", "100000"}, {"standardise_rewards", "0"},      \
    {"envs", "8"}, {"updates_per_env_step", "0"}, {"updates_per_episode", "0.125"}, {"scale_obs", "0"},               \
    {"eval.every", "10000"}, {"eval.episodes", "32"}

static const marl__preset_value pymarl3_vdn[] = {PYMARL3};
/* What the same code gives teams without entities to compare with: PyMARL2's finetuned settings (Hu et al. 2021). */
static const marl__preset_value pymarl3_plain[] = {
    PYMARL3, {"net", "gru"}, {"net.recurrent", "1"}, {"last_action", "1"}, {"mixer.embed_dim", "32"},
    {"mixer.hypernet_embed", "64"}, {"mixer.hypernet_layers", "2"},
};
static const marl__preset_value pymarl3_qmix[] = {
    PYMARL3, {"mixer.embed_dim", "32"}, {"mixer.hypernet_embed", "64"}, {"mixer.hypernet_layers", "2"},
};
static const marl__preset_value pymarl3_qplex[] = {
    PYMARL3, {"mixer.hypernet_embed", "64"}, {"mixer.kernels", "4"}, {"mixer.adv_layers", "2"},
    {"mixer.adv_embed", "64"}, {"mixer.weighted_head", "1"}, {"mixer.minus_one", "1"},
};
static const marl__preset_value pymarl3_6h_vs_8z[] = {
    {"epsilon_anneal", "500000"}, {"td_lambda", "0.3"}, {"net.heads", "2"},
};
static const marl__preset_value pymarl3_3s5z_vs_3s6z[] = {{"envs", "4"}, {"updates_per_episode", "0.25"}};
static const marl__preset_value pymarl3_3s_vs_5z[] = {{"net.heads", "2"}};

/* Ours on entities: as PyMARL3, but four updates of 32 episodes for one of 128, which costs the same, soft targets and
 * a learning rate that falls to zero. */
static const marl__preset_value hpn_tuned[] = {
    {"net", "hpn_gru"}, {"net.hpn_layout", "shared"}, {"net.hidden_dim", "64"}, {"net.hyper_dim", "64"},
    {"share", "shared"}, {"agent_id", "onehot"}, {"last_action", "0"}, {"optimizer", "adam"}, {"lr", "0.001"},
    {"lr_decay", "linear"}, {"grad_norm_clip", "10"}, {"gamma", "0.99"}, {"td_lambda", "0.6"}, {"double_q", "1"},
    {"batch_size", "32"}, {"replay.episodes", "5000"}, {"target_update", "soft"}, {"target_tau", "0.01"},
    {"epsilon_start", "1"}, {"epsilon_end", "0.05"}, {"epsilon_anneal", "100000"}, {"standardise_rewards", "0"},
    {"envs", "8"}, {"updates_per_env_step", "0.02"}, {"updates_per_episode", "0"}, {"scale_obs", "0"},
    {"eval.episodes", "100"},
};

static const marl__preset_value hpn_quick[] = {
    {"net", "hpn_gru"}, {"net.hidden_dim", "64"}, {"net.hyper_dim", "32"}, {"last_action", "0"}, {"optimizer", "adam"},
    {"lr", "0.001"}, {"batch_size", "32"}, {"td_lambda", "0.6"}, {"target_update", "soft"}, {"target_tau", "0.01"},
    {"epsilon_anneal", "50000"}, {"envs", "8"}, {"updates_per_env_step", "0.02"}, {"updates_per_episode", "0"},
    {"scale_obs", "1"}, {"eval.every", "25000"}, {"eval.episodes", "50"},
};

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof(list)[0]))
#define PRESET(text, list) {.name = text, .values = list, .count = COUNT(list)}

static const marl__preset_place pymarl3_maps[] = {
    {"combat:6h_vs_8z", pymarl3_6h_vs_8z, COUNT(pymarl3_6h_vs_8z)},
    {"combat:3s5z_vs_3s6z", pymarl3_3s5z_vs_3s6z, COUNT(pymarl3_3s5z_vs_3s6z)},
    {"combat:3s_vs_5z", pymarl3_3s_vs_5z, COUNT(pymarl3_3s_vs_5z)},
};

static const marl__preset_place tuned_places[] = {{"combat:*", tuned_combat, COUNT(tuned_combat)}};
#define TUNED {"tuned", tuned, COUNT(tuned), tuned_places, COUNT(tuned_places)}

static const marl__preset common[] = {PRESET("pymarl", pymarl), PRESET("pymarl3", pymarl3_plain),
                                      PRESET("epymarl", epymarl), TUNED, PRESET("quick", quick)};
static const marl__preset iql[] = {PRESET("pymarl", pymarl), PRESET("pymarl3", pymarl3_plain),
                                   PRESET("epymarl", epymarl_iql), TUNED, PRESET("quick", quick)};
/* EPyMARL has no settings for these. */
static const marl__preset qplex[] = {PRESET("pymarl", pymarl_qplex), TUNED, PRESET("quick", quick)};
static const marl__preset qtran[] = {PRESET("pymarl", pymarl_qtran), TUNED, PRESET("quick", quick)};

#define HPN_PRESETS(list)                                                                   \
    {                                                                                       \
        {"pymarl3", list, COUNT(list), pymarl3_maps, COUNT(pymarl3_maps)},                  \
        PRESET("tuned", hpn_tuned), PRESET("quick", hpn_quick),                             \
    }
static const marl__preset hpn_vdn[] = HPN_PRESETS(pymarl3_vdn);
static const marl__preset hpn_qmix[] = HPN_PRESETS(pymarl3_qmix);
static const marl__preset hpn_qplex[] = HPN_PRESETS(pymarl3_qplex);

static const struct { const char *algo; const marl__preset *list; uint32_t count; } special[] = {
    {"iql", iql, COUNT(iql)}, {"qplex", qplex, COUNT(qplex)}, {"qtran", qtran, COUNT(qtran)},
    {"hpn_vdn", hpn_vdn, COUNT(hpn_vdn)}, {"hpn_qmix", hpn_qmix, COUNT(hpn_qmix)},
    {"hpn_qplex", hpn_qplex, COUNT(hpn_qplex)},
};

const marl__preset *marl__algo_presets(const marl__algo_type *type, uint32_t *out_count) {
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        if (strcmp(type->name, special[i].algo)) continue;
        *out_count = special[i].count;
        return special[i].list;
    }
    *out_count = COUNT(common);
    return common;
}
