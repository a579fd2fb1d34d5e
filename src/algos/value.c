/* SPDX-License-Identifier: Apache-2.0 */
/* The value family: iql (Tampuu et al. 2017), vdn (Sunehag et al. 2018), qmix (Rashid et al. 2018), qplex (Wang et al.
 * 2021), qtran (Son et al. 2019): one learner. A member is its mixer, and for qtran its losses: see value_graph.c.
 *
 * B episodes, L transitions each (slots 0..L), N agents, O, A, S sizes, packed in (t, b) rows a shard. iql keeps an
 * agent axis in loss and mask, so its denominator is N times as large. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "algos/learner_internal.h"
#include "algos/value_batch.h"
#include "algos/value_graph.h"
#include "core/base/status.h"
#include "core/config/config.h"

static const marl__key keys[] = {
    MARL__KEY_INT("batch_size", "32", 1, 4096, "episodes an update"),
    MARL__KEY_CHOICE("net", "gru", "mlp|gru", "agent network; its own keys are net.KEY"),
    MARL__KEY_CHOICE("share", "shared", "shared|separate", "one net for all agents, or one each"),
    MARL__KEY_CHOICE("agent_id", "onehot", "onehot|none", "shared: the agent's number as an input"),
    MARL__KEY_BOOL("last_action", "1", "the agent's previous action as an input"),
    MARL__KEY_REAL("lr", "0.0005", 0, 1, "learning rate"),
    MARL__KEY_CHOICE("lr_decay", "none", "none|linear", "linear: falls to lr_end over the horizon"),
    MARL__KEY_REAL("lr_end", "0", 0, 1, "learning rate at the end of lr_decay"),
    MARL__KEY_CHOICE("optimizer", "adam", "adam|rmsprop", "optimiser"),
    MARL__KEY_REAL("adam_beta1", "0.9", 0, 0.999999, "Adam: decay of the mean"),
    MARL__KEY_REAL("adam_beta2", "0.999", 0, 0.9999999, "Adam: decay of the square"),
    MARL__KEY_REAL("adam_eps", "1e-8", 0, 1, "Adam: added outside the root"),
    MARL__KEY_REAL("rmsprop_alpha", "0.99", 0, 0.9999999, "RMSprop: decay of the square"),
    MARL__KEY_REAL("rmsprop_eps", "1e-5", 0, 1, "RMSprop: added outside the root"),
    MARL__KEY_REAL("grad_norm_clip", "10", 0, 1e9, "greatest gradient norm over all parameters; 0: no limit"),
    MARL__KEY_REAL("gamma", "0.99", 0, 1, "discount"),
    MARL__KEY_REAL("td_lambda", "0", 0, 1, "lambda of the TD(lambda) targets; 0: one step"),
    MARL__KEY_BOOL("q_lambda", "0", "Q(lambda) targets: each reward plus what the greedy actions are worth more"),
    MARL__KEY_INT("n_step", "0", 0, 100000, "n-step targets instead; 0: TD(lambda)"),
    MARL__KEY_BOOL("double_q", "1", "greedy actions of the targets by the online net"),
    MARL__KEY_REAL("loss_factor", "1", 1e-6, 1e6, "factor of the mean squared error; 0.5 in PyMARL2"),
    MARL__KEY_CHOICE("target_update", "hard", "hard|soft", "targets: copied now and then, or moved by target_tau"),
    MARL__KEY_INT("target_interval", "200", 1, 1000000000, "hard: how often"),
    MARL__KEY_CHOICE("target_unit", "updates", "updates|episodes", "hard: what target_interval counts"),
    MARL__KEY_REAL("target_tau", "0.01", 0, 1, "soft: share of the online net, every update"),
    MARL__KEY_REAL("epsilon_start", "1", 0, 1, "chance of a random action at the start"),
    MARL__KEY_REAL("epsilon_end", "0.05", 0, 1, "and at the end of its schedule"),
    MARL__KEY_REAL("epsilon_anneal", "50000", 0, 1e12, "steps from epsilon_start to epsilon_end"),
    MARL__KEY_BOOL("standardise_rewards", "0", "rewards less their running mean, by their running deviation"),
    MARL__KEY_BOOL("standardise_padding", "0", "the running mean counts padding as rewards of 0, as EPyMARL does"),
    MARL__KEY_BOOL("phantom_step", "0", "train a step of reward 0 past early truncations, as PyMARL2 does"),
    MARL__KEY_INT("shards.rows", "256", 1, 1000000000, "rows (slot, episode) a shard of the batch has at least"),
    MARL__KEY_INT("shards.max", "32", 1, 64, "shards at most"),
};

static const marl__key qtran_keys[] = {
    MARL__KEY_REAL("lambda_opt", "1", 0, 1e6, "qtran: weight of the loss at the greedy joint action"),
    MARL__KEY_REAL("lambda_nopt", "0.1", 0, 1e6, "qtran: weight of the loss at the joint action taken"),
};

typedef struct value_learner {
    marl__learner base;
    marl__team_shape shape;
    marl__agent agent;
    marl__mixer mixer;
    marl__plan *plan;
    marl__value_graph at;
    int32_t arena_count;
    marl__exec *execs[64];
    int32_t loading[64];        /* of each arena: the next episode to load; -1: the stage runs */
    int32_t keep_values;
    marl__batch *batch;
    float scale;
    double loss_sums[64][4];    /* of each shard: all losses; |td|, q and target of the first */
    double reward_stats[3];     /* running mean, variance, count */
    double next_stats[3];       /* the same with the batch in hand; taken over when its gradient is finite */
    int32_t copies_target, moves_target; /* of the update in hand */
    _Atomic int32_t load_status; /* of the update in hand: why an episode could not be loaded */
    char load_error[512];
} value_learner;

static value_learner *of(void *learner) {
    return learner;
}

/* ---- the update ---- */

static int32_t shard_count(void *ctx) {
    return of(ctx)->batch->shard_count;
}

/* Reward statistics over the batch before it is used (EPyMARL's order): mean and unbiased variance of n numbers are
 * merged with the running ones. */
static void update_reward_stats(value_learner *v) {
    double mean = 0.0, variance = 0.0, *stats = v->next_stats;
    memcpy(stats, v->reward_stats, sizeof v->next_stats);
    double n = marl__batch_reward_moments(v->batch, v->shape.rewards,
                                          (int32_t)marl__config_int(v->base.config, "standardise_padding"), &mean,
                                          &variance);
    double delta = mean - stats[0], total = stats[2] + n;
    stats[1] = (stats[1] * stats[2] + variance * n + delta * delta * stats[2] * n / total) / total;
    stats[0] += delta * n / total;
    stats[2] = total;
}

/* Denominators, statistics, and what this update does to the targets. */
static marl_status prepare(void *ctx, int32_t unit) {
    value_learner *v = of(ctx);
    const marl_config *config = v->base.config;
    (void)unit;
    double rows = (double)v->batch->mask_sum * (v->mixer.kind == MARL__MIXER_NONE ? v->shape.agents : 1);
    v->scale = (float)(marl__config_real(config, "loss_factor") / rows);
    v->batch->reward_shift = 0.0f;
    v->batch->reward_scale = 1.0f;
    if (marl__config_int(config, "standardise_rewards")) {
        update_reward_stats(v);
        v->batch->reward_shift = (float)v->next_stats[0];
        v->batch->reward_scale = v->next_stats[1] > 0.0 ? (float)(1.0 / sqrt(v->next_stats[1])) : 1.0f;
    }
    return MARL_OK;
}

/* Kept values are read after the update, so each shard has an arena of its own then. */
static int32_t arena_of(const value_learner *v, int32_t shard, int32_t arena) {
    return v->keep_values ? shard : arena;
}

static void shard_begin(void *ctx, int32_t shard, int32_t arena) {
    value_learner *v = of(ctx);
    arena = arena_of(v, shard, arena);
    marl__exec *exec = v->execs[arena];
    marl__exec_set_seq(exec, &v->batch->shards[shard].seq);
    marl__exec_bind_slot(exec, v->at.online_slot, &v->base.online[v->base.published], -1);
    marl__exec_bind_slot(exec, v->at.target_slot, &v->base.target[v->base.target_published], -1);
    marl__exec_bind_grad(exec, v->at.online_slot, v->base.shard_gradients[shard]);
    memset(v->base.shard_gradients[shard], 0, v->base.params->floats * sizeof(float));
    *(float *)marl__exec_data(exec, v->at.scale) = v->scale;
    v->loading[arena] = 0;
}

static marl__batch_rows rows_of(const value_learner *v, const marl__exec *exec) {
    const marl__value_graph *at = &v->at;
    return (marl__batch_rows){
        .obs = marl__exec_data(exec, at->obs), .last = marl__exec_data(exec, at->last),
        .action = marl__exec_data(exec, at->action), .taken = marl__exec_data(exec, at->taken),
        .avail = marl__exec_data(exec, at->avail),
        .state = marl__exec_data(exec, at->state), .reward = marl__exec_data(exec, at->reward),
        .terminated = marl__exec_data(exec, at->terminated), .mask = marl__exec_data(exec, at->mask)};
}

/* Shards have no status: the first failure is kept for `decide`, with its sentence, which belongs to this thread. */
static void note_load(value_learner *v, marl_status status) {
    int32_t none = MARL_OK;
    if (status != MARL_OK && atomic_compare_exchange_strong(&v->load_status, &none, status))
        snprintf(v->load_error, sizeof v->load_error, "%s", marl_last_error());
}

static int32_t shard_step(void *ctx, int32_t shard, int32_t arena) {
    value_learner *v = of(ctx);
    arena = arena_of(v, shard, arena);
    marl__exec *exec = v->execs[arena];
    int32_t *loading = &v->loading[arena];
    if (*loading >= 0 && *loading < v->batch->shards[shard].seq.batch) {
        marl__batch_rows rows = rows_of(v, exec);
        note_load(v, marl__batch_load(v->batch, shard, (*loading)++, &rows));
        return 1;
    }
    if (*loading >= 0) {
        *loading = -1;
        marl__exec_begin(exec, 0);
    }
    if (marl__exec_step(exec)) return 1;
    memset(v->loss_sums[shard], 0, sizeof v->loss_sums[shard]);
    for (int32_t i = 0; i < v->at.loss_count; i++) {
        const float *loss = marl__exec_data(exec, v->at.losses[i]);
        v->loss_sums[shard][0] += (double)loss[0];
        for (int32_t k = 1; i == 0 && k < 4; k++) v->loss_sums[shard][k] = (double)loss[k];
    }
    return 0;
}

static int32_t block_count(void *ctx) {
    return of(ctx)->base.optim->block_count;
}

static marl_status reduce(void *ctx, int32_t block) {
    value_learner *v = of(ctx);
    marl__optim_sum_shards(v->base.optim, block, v->base.shard_gradients, v->batch->shard_count, v->base.gradient);
    return MARL_OK;
}

static double learning_rate(const value_learner *v) {
    const marl_config *config = v->base.config;
    double lr = marl__config_real(config, "lr");
    if (!marl__config_is(config, "lr_decay", "linear") || !marl__config_has(config, "horizon")) return lr;
    double horizon = marl__config_real(config, "horizon"), end = marl__config_real(config, "lr_end");
    double share = horizon > 0.0 ? (double)v->base.env_steps / horizon : 0.0;
    return share >= 1.0 ? end : lr + (end - lr) * share;
}

/* A hard copy is due when target_interval updates or episodes have passed since the last; this update counts. */
static int32_t copy_is_due(const value_learner *v) {
    const marl_config *config = v->base.config;
    const int64_t *counters = v->base.counters;
    int64_t interval = marl__config_int(config, "target_interval");
    if (marl__config_is(config, "target_unit", "episodes"))
        return (int64_t)v->base.episode_total - counters[2] >= interval;
    return counters[0] - counters[1] >= interval;
}

static void sum_results(value_learner *v) {
    double sums[4] = {0};
    for (int32_t s = 0; s < v->batch->shard_count; s++)
        for (int32_t i = 0; i < 4; i++) sums[i] += v->loss_sums[s][i];
    double rows = (double)v->batch->mask_sum * (v->mixer.kind == MARL__MIXER_NONE ? v->shape.agents : 1);
    v->base.result = (marl__update_result){.loss = sums[0], .grad_norm = v->base.optim->groups[0].norm,
                                           .td_abs = sums[1] / rows, .q_mean = sums[2] / rows,
                                           .target_mean = sums[3] / rows};
}

static marl_status decide(void *ctx, int32_t unit) {
    value_learner *v = of(ctx);
    (void)unit;
    if (v->load_status != MARL_OK) return marl__fail(v->load_status, "%s", v->load_error);
    v->base.optim->groups[0].lr = learning_rate(v);
    marl_status status = marl__optim_norms(v->base.optim);
    if (status != MARL_OK) return status;
    if (marl__config_int(v->base.config, "standardise_rewards"))
        memcpy(v->reward_stats, v->next_stats, sizeof v->reward_stats);
    sum_results(v);
    v->base.counters[0]++;
    v->moves_target = marl__config_is(v->base.config, "target_update", "soft");
    v->copies_target = !v->moves_target && copy_is_due(v);
    if (v->copies_target) {
        v->base.counters[1] = v->base.counters[0];
        v->base.counters[2] = (int64_t)v->base.episode_total;
    }
    return MARL_OK;
}

static marl_status apply(void *ctx, int32_t block) {
    value_learner *v = of(ctx);
    marl__learner *base = &v->base;
    const marl__block *at = &base->optim->blocks[block];
    float *next = base->online[1 - base->published].flat, *target = base->target[1 - base->target_published].flat;
    marl__optim_apply(base->optim, block, base->online[base->published].flat, base->gradient, next);
    if (v->copies_target) memcpy(target + at->offset, next + at->offset, (size_t)at->count * sizeof(float));
    if (v->moves_target)
        base->device->table.flat->mix(at->count, base->target[base->target_published].flat + at->offset,
                                      next + at->offset, (float)marl__config_real(base->config, "target_tau"),
                                      target + at->offset);
    return MARL_OK;
}

static int32_t param_count(void *ctx) {
    return of(ctx)->base.params->count;
}

static marl_status pack(void *ctx, int32_t index) {
    value_learner *v = of(ctx);
    marl__learner *base = &v->base;
    marl__version_pack(base->params, &base->online[1 - base->published], index);
    if (v->copies_target || v->moves_target)
        marl__version_pack(base->params, &base->target[1 - base->target_published], index);
    return MARL_OK;
}

static marl_status publish(void *ctx, int32_t unit) {
    value_learner *v = of(ctx);
    (void)unit;
    v->base.published = 1 - v->base.published;
    if (v->copies_target || v->moves_target) v->base.target_published = 1 - v->base.target_published;
    return MARL_OK;
}

static const marl__phase phases[] = {
    {.kind = MARL__PHASE_HOST, .run = prepare},
    {.kind = MARL__PHASE_SHARDS, .units = shard_count, .shard_begin = shard_begin, .shard_step = shard_step},
    {.kind = MARL__PHASE_UNITS, .units = block_count, .run = reduce},
    {.kind = MARL__PHASE_HOST, .run = decide},
    {.kind = MARL__PHASE_UNITS, .units = block_count, .run = apply},
    {.kind = MARL__PHASE_UNITS, .units = param_count, .run = pack},
    {.kind = MARL__PHASE_HOST, .run = publish},
};

static marl_status begin(marl__learner *learner, const marl__episode *episodes, int32_t count) {
    of(learner)->load_status = MARL_OK;
    return marl__batch_set(of(learner)->batch, episodes, count);
}

/* ---- create, inspect, destroy ---- */

static void destroy(marl__learner *learner) {
    value_learner *v = of(learner);
    marl__heap *heap = &learner->device->heap;
    for (int32_t a = 0; a < v->arena_count; a++) marl__exec_destroy(v->execs[a]);
    marl__plan_destroy(v->plan);
    marl__graph_destroy(v->at.graph);
    marl__batch_destroy(v->batch);
    marl__learner_release(learner);
    marl__free(heap, v);
}

static int32_t state(marl__learner *learner, int32_t index, marl__state_item *out) {
    if (index != 0) return 0;
    *out = (marl__state_item){.name = "reward_stats", .f64 = of(learner)->reward_stats, .count = 3};
    return 1;
}

static const void *probe(const marl__learner *learner, const char *name, int32_t episode, int32_t slot) {
    const value_learner *v = (const value_learner *)(const void *)learner;
    marl__val value = marl__find_value(v->at.graph, name);
    if (!v->keep_values || value < 0 || episode < 0 || episode >= v->batch->count) return NULL;
    int32_t shard = v->batch->shard_of[episode];
    const marl__seq *seq = &v->batch->shards[shard].seq;
    if (slot < 0 || slot >= seq->slots || v->batch->place_of[episode] >= seq->active[slot]) return NULL;
    int64_t row = seq->offset[slot] + v->batch->place_of[episode];
    if (v->at.graph->values[value].space == MARL__AGENT) row *= v->shape.agents;
    const char *data = marl__exec_data(v->execs[shard], value);
    return data ? data + row * v->at.graph->values[value].cols * 4 : NULL;
}

static double flops(const marl__learner *learner) {
    const value_learner *v = (const value_learner *)(const void *)learner;
    double sum = 0.0;
    for (int32_t s = 0; s < v->batch->shard_count; s++) sum += marl__plan_flops(v->plan, -1, &v->batch->shards[s].seq);
    return sum;
}

static const marl__agent *agent(const marl__learner *learner) {
    return &((const value_learner *)(const void *)learner)->agent;
}

static const marl__learner_class class = {destroy, begin, state, probe, flops, agent};

static marl__optim_group optim_settings(const marl_config *config) {
    int is_adam = marl__config_is(config, "optimizer", "adam");
    return (marl__optim_group){
        .kind = is_adam ? MARL__ADAM : MARL__RMSPROP,
        .lr = marl__config_real(config, "lr"),
        .clip = marl__config_real(config, "grad_norm_clip"),
        .alpha = marl__config_real(config, "rmsprop_alpha"),
        .beta1 = marl__config_real(config, "adam_beta1"),
        .beta2 = marl__config_real(config, "adam_beta2"),
        .eps = marl__config_real(config, is_adam ? "adam_eps" : "rmsprop_eps"),
    };
}

static marl_status check_shape(const marl__algo_type *type, const marl__team_shape *shape, int32_t batch) {
    if (shape->agents < 1 || shape->obs < 1 || shape->actions < 1 || shape->state < 0 || shape->episode_limit < 1)
        return marl__fail(MARL_E_SHAPE, "a team of %d agents, %d observation entries, %d actions, episodes of %d steps",
                          (int)shape->agents, (int)shape->obs, (int)shape->actions, (int)shape->episode_limit);
    if (shape->rewards != 1 && (shape->rewards != shape->agents || type->mixer != MARL__MIXER_NONE))
        return marl__fail(MARL_E_MISMATCH, "%s learns from one reward for the team, not %d", type->name,
                          (int)shape->rewards);
    if (batch < 1) return marl__fail(MARL_E_ARGUMENT, "batch_size %d; at least 1", (int)batch);
    return MARL_OK;
}

static marl_status create_plan(value_learner *v) {
    const marl__value_spec spec = {v->base.config, v->base.params, v->shape, &v->agent, &v->mixer, v->keep_values};
    marl_status status = marl__value_graph_build(&v->base.device->heap, &spec, &v->at);
    if (status != MARL_OK) return status;
    marl__capacity capacity = marl__batch_capacity(v->batch);
    if ((status = marl__plan_create(v->base.device, v->at.graph, capacity, &v->plan)) != MARL_OK) return status;
    int32_t threads = (int32_t)marl__pool_threads(v->base.device->pool), shards = v->batch->shard_capacity;
    int32_t arenas = v->keep_values || shards < threads ? shards : threads;
    for (; v->arena_count < arenas; v->arena_count++)
        if ((status = marl__exec_create(v->plan, &v->execs[v->arena_count])) != MARL_OK) return status;
    return marl__stepper_create(v->base.device, phases, (int32_t)(sizeof phases / sizeof phases[0]), arenas,
                                &v->base.stepper);
}

static marl_status create(marl_device *device, const marl__algo_type *type, const marl_config *config,
                          const marl__team_shape *shape, int32_t batch, uint64_t seed, int32_t keep_values,
                          marl__learner **out) {
    marl_status status = MARL_OK;
    marl__params *params = NULL;
    value_learner *v = NULL;

    *out = NULL;
    if ((status = check_shape(type, shape, batch)) != MARL_OK) return status;
    v = marl__alloc_zero(&device->heap, sizeof *v);
    if (!v) return marl__no_memory(sizeof *v);
    v->base.device = device;
    v->base.class = &class;
    v->shape = *shape;
    v->keep_values = keep_values;
    v->reward_stats[1] = 1.0;
    v->reward_stats[2] = 1e-4;
    if ((status = marl__params_create(device, &params)) != MARL_OK) goto done;
    v->base.params = params;
    if ((status = marl__agent_declare(config, shape, params, &v->agent)) != MARL_OK) goto done;
    if (type->mixer != MARL__MIXER_NONE) marl__params_range(params, "mixer", 0);
    marl__mixer_shape seen = {shape->agents, shape->actions, shape->state, v->agent.net.features};
    status = marl__mixer_declare(type->mixer, config, "mixer.", seen, params, &v->mixer);
    if (status != MARL_OK) goto done;
    marl__batch_shape sizes = {.agents = shape->agents, .obs = shape->obs, .actions = shape->actions,
                               .state = shape->state, .rewards = shape->rewards, .slots = shape->episode_limit + 1,
                               .batch = batch, .shard_rows = (int32_t)marl__config_int(config, "shards.rows"),
                               .shard_max = (int32_t)marl__config_int(config, "shards.max"),
                               .phantom_step = (int32_t)marl__config_int(config, "phantom_step")};
    if ((status = marl__batch_create(&device->heap, &sizes, &v->batch)) != MARL_OK) goto done;
    marl__optim_group group = optim_settings(config);
    status = marl__learner_init(&v->base, device, &class, config, params, &group, 1, v->batch->shard_capacity, 1, seed);
    if (status != MARL_OK) goto done;
    if ((status = create_plan(v)) != MARL_OK) goto done;
    *out = &v->base;
    v = NULL;
done:
    if (v) destroy(&v->base);
    return status;
}

#define VALUE_ALGO(algo, agent_net, mixer_kind, own, text)                                                  \
    const marl__algo_type marl__algo_type_##algo = {                                                        \
        .name = #algo, .help = text, .keys = MARL__KEY_TABLE(keys), .own_keys = own, .net = agent_net,      \
        .mixer = mixer_kind, .create = create}

#define NO_KEYS {NULL, 0}
VALUE_ALGO(iql, "gru", MARL__MIXER_NONE, NO_KEYS, "independent Q-learning: every agent on its own");
VALUE_ALGO(vdn, "gru", MARL__MIXER_VDN, NO_KEYS, "value decomposition: the team's value is the sum of the agents'");
VALUE_ALGO(qmix, "gru", MARL__MIXER_QMIX, NO_KEYS, "QMIX: a monotone mixing network made from the state");
VALUE_ALGO(qplex, "gru", MARL__MIXER_QPLEX, NO_KEYS,
           "QPLEX: values and advantages mixed apart; any joint action can be best");
VALUE_ALGO(qtran, "gru", MARL__MIXER_QTRAN, MARL__KEY_TABLE(qtran_keys),
           "QTRAN: a free joint value, which the agents' values are made to agree with");

/* The same with permutation-aware agents; names of their own, so that presets can differ. */
VALUE_ALGO(hpn_vdn, "hpn_gru", MARL__MIXER_VDN, NO_KEYS, "vdn with net=hpn_gru");
VALUE_ALGO(hpn_qmix, "hpn_gru", MARL__MIXER_QMIX, NO_KEYS, "qmix with net=hpn_gru");
VALUE_ALGO(hpn_qplex, "hpn_gru", MARL__MIXER_QPLEX, NO_KEYS, "qplex with net=hpn_gru");
