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

/* A first run that learns in a minute. */
static const marl__preset_value quick[] = {
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"net.recurrent", "0"}, {"last_action", "0"}, {"optimizer", "adam"},
    {"lr", "0.001"}, {"batch_size", "32"}, {"td_lambda", "0.6"}, {"target_update", "soft"}, {"target_tau", "0.01"},
    {"epsilon_anneal", "50000"}, {"envs", "8"}, {"updates_per_env_step", "0.04"},
    {"updates_per_episode", "0"}, {"scale_obs", "1"}, {"eval.every", "25000"}, {"eval.episodes", "50"},
};

#define PRESET(text, values) {text, values, (uint32_t)(sizeof values / sizeof values[0])}

static const marl__preset common[] = {PRESET("pymarl", pymarl), PRESET("epymarl", epymarl), PRESET("tuned", tuned),
                                      PRESET("quick", quick)};
static const marl__preset iql[] = {PRESET("pymarl", pymarl), PRESET("epymarl", epymarl_iql), PRESET("tuned", tuned),
                                   PRESET("quick", quick)};
/* EPyMARL has no settings for these. */
static const marl__preset qplex[] = {PRESET("pymarl", pymarl_qplex), PRESET("tuned", tuned), PRESET("quick", quick)};
static const marl__preset qtran[] = {PRESET("pymarl", pymarl_qtran), PRESET("tuned", tuned), PRESET("quick", quick)};

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof(list)[0]))
static const struct { const char *algo; const marl__preset *list; uint32_t count; } special[] = {
    {"iql", iql, COUNT(iql)}, {"qplex", qplex, COUNT(qplex)}, {"qtran", qtran, COUNT(qtran)},
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
