/* SPDX-License-Identifier: Apache-2.0 */
/* One learner update of QMIX, QPLEX or HPN-QMIX (targets, backward, clip, optimiser) on episodes of random numbers.
 * Cases named .../mixed have episodes of different lengths, whose padding a learner on padded batches computes all the
 * same. Those named .../absent have three fifths of the entities out of sight, their columns zero, as battles do.
 *
 * peak_share: of the multiply-adds that the cores in use could do in that time, measured in the same run;
 * cpu_peak_share: the same by processor time, which other work on the machine does not touch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_learner.h"
#include "run/team.h"

const bench_team bench_teams[] = {
    {"lbf_8x8_2p", {.agents = 2, .obs = 12, .actions = 6, .state = 24, .rewards = 1, .episode_limit = 50}, 0},
    {"3m", {.agents = 3, .obs = 30, .actions = 9, .state = 48, .rewards = 1, .episode_limit = 60}, 0},
    {"5m_vs_6m", {.agents = 5, .obs = 55, .actions = 12, .state = 98, .rewards = 1, .episode_limit = 70}, 0},
    {"8m_vs_9m", {.agents = 8, .obs = 85, .actions = 15, .state = 179, .rewards = 1, .episode_limit = 120}, 0},
    {"27m_vs_30m", {.agents = 27, .obs = 285, .actions = 36, .state = 1170, .rewards = 1, .episode_limit = 180}, 1},
};
const int bench_team_count = sizeof bench_teams / sizeof bench_teams[0];

enum { BATCH_MAX = 128 };

typedef struct setting {
    const char *key, *value;
} setting;

static const setting common[] = {
    {"net", "gru"}, {"net.hidden_dim", "64"}, {"share", "shared"}, {"agent_id", "onehot"}, {"last_action", "1"},
    {"mixer.hypernet_embed", "64"}, {"optimizer", "adam"}, {"lr", "0.001"}, {"td_lambda", "0.6"},
    {"loss_factor", "0.5"}, {"grad_norm_clip", "10"},
};
static const setting of_qmix[] = {{"mixer.embed_dim", "32"}, {"mixer.hypernet_layers", "2"}};
static const setting of_hpn_qmix[] = {
    {"mixer.embed_dim", "32"}, {"mixer.hypernet_layers", "2"}, {"net", "hpn_gru"}, {"net.hpn_layout", "shared"},
    {"net.hyper_dim", "64"}, {"net.heads", "1"}, {"last_action", "0"},
};
static const setting of_qplex[] = {{"mixer.kernels", "4"}, {"mixer.adv_layers", "2"}, {"mixer.adv_embed", "64"}};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static marl_status apply(marl_config *config, const setting *settings, size_t count) {
    marl_status status = MARL_OK;
    for (size_t i = 0; status == MARL_OK && i < count; i++)
        status = marl_config_set(config, settings[i].key, settings[i].value);
    return status;
}

marl_status bench_team_shape(const char *algo, const bench_team *team, marl__team_shape *out) {
    char name[64];
    marl_env *env = NULL;
    marl_status status;

    *out = team->shape;
    if (strncmp(algo, "hpn_", 4) != 0) return MARL_OK;
    snprintf(name, sizeof name, "combat:%s", team->name);
    if ((status = marl_env_create(NULL, name, NULL, &env)) == MARL_OK)
        status = marl__team_shape_of(marl_env_get_spec(env), out);
    marl_env_destroy(env);
    return status;
}

marl_status bench_learner_create(const bench *bench, const char *algo, const marl__team_shape *shape, int32_t batch,
                                 marl__learner **out) {
    const marl__algo_type *type = NULL;
    marl_config *config = NULL;
    char component[64];
    marl_status status;

    *out = NULL;
    snprintf(component, sizeof component, "run/%s", algo);
    status = marl_config_create(NULL, component, &config);
    if (status == MARL_OK) status = apply(config, common, COUNT(common));
    if (status == MARL_OK && !strcmp(algo, "qmix")) status = apply(config, of_qmix, COUNT(of_qmix));
    if (status == MARL_OK && !strcmp(algo, "hpn_qmix")) status = apply(config, of_hpn_qmix, COUNT(of_hpn_qmix));
    if (status == MARL_OK && !strcmp(algo, "qplex")) status = apply(config, of_qplex, COUNT(of_qplex));
    if (status == MARL_OK) status = marl__algo_type_find(algo, &type);
    if (status == MARL_OK) status = type->create(bench->device, type, config, shape, batch, 1, 0, out);
    marl_config_destroy(config);
    return status;
}

void bench_hide_entities(const marl__team_shape *shape, size_t rows, float *obs, uint64_t *random) {
    for (size_t row = 0; row < rows; row++, obs += shape->obs)
        for (int32_t g = 0; g < shape->entities.group_count; g++) {
            const marl__entity_group *group = &shape->entities.groups[g];
            float *at = obs + group->offset;
            for (int32_t e = 0; group->role != MARL_ROLE_NEUTRAL && e < group->count; e++, at += group->features)
                if (bench_random(random) % 5 < 3) memset(at, 0, (size_t)group->features * sizeof *at);
        }
}

/* Episodes of full length in one block of memory; shorter ones use the beginning of their share. */
typedef struct batch {
    int32_t count;
    marl__episode *episodes;
    float *obs, *state, *rewards;
    uint8_t *avail;
    int32_t *actions;
} batch;

static void batch_free(batch *batch) {
    free(batch->episodes);
    free(batch->obs);
    free(batch->state);
    free(batch->rewards);
    free(batch->avail);
    free(batch->actions);
}

static float *random_reals(size_t count, uint64_t *random) {
    float *reals = malloc(count * sizeof *reals);
    for (size_t i = 0; reals && i < count; i++) reals[i] = bench_random_real(random);
    return reals;
}

/* Half of the actions are available, the first always; one of them was chosen. */
static void fill_actions(batch *batch, size_t agent_slots, int32_t actions, uint64_t *random) {
    for (size_t row = 0; row < agent_slots; row++) {
        uint8_t *avail = batch->avail + row * (size_t)actions;
        int32_t chosen = 0;
        for (int32_t a = 0; a < actions; a++) {
            avail[a] = a == 0 || bench_random(random) % 2;
            if (avail[a] && bench_random(random) % (uint32_t)(a + 1) == 0) chosen = a;
        }
        batch->actions[row] = chosen;
    }
}

static int batch_fill(batch *batch, const marl__team_shape *shape, int32_t count, const int32_t *lengths,
                      int is_absent) {
    size_t slots = (size_t)shape->episode_limit + 1, agents = (size_t)shape->agents;
    size_t episode_slots = (size_t)count * slots;
    uint64_t random = 88172645463325252u;

    batch->count = count;
    batch->episodes = calloc((size_t)count, sizeof *batch->episodes);
    batch->obs = random_reals(episode_slots * agents * (size_t)shape->obs, &random);
    batch->state = random_reals(episode_slots * (size_t)shape->state, &random);
    batch->rewards = random_reals(episode_slots, &random);
    batch->avail = malloc(episode_slots * agents * (size_t)shape->actions);
    batch->actions = malloc(episode_slots * agents * sizeof *batch->actions);
    if (!batch->episodes || !batch->obs || !batch->state || !batch->rewards || !batch->avail || !batch->actions)
        return 0;
    fill_actions(batch, episode_slots * agents, shape->actions, &random);
    if (is_absent) bench_hide_entities(shape, episode_slots * agents, batch->obs, &random);
    for (int32_t e = 0; e < count; e++) {
        size_t first = (size_t)e * slots;
        batch->episodes[e] = (marl__episode){
            .length = lengths[e], .terminated = 1,
            .obs = batch->obs + first * agents * (size_t)shape->obs,
            .state = batch->state + first * (size_t)shape->state,
            .avail = batch->avail + first * agents * (size_t)shape->actions,
            .actions = batch->actions + first * agents,
            .rewards = batch->rewards + first};
    }
    return 1;
}

typedef struct update {
    marl__learner *learner;
    batch batch;
    uint64_t episodes;
} update;

static marl_status run_update(void *work) {
    update *u = work;
    u->episodes++;
    return marl__learner_update(u->learner, u->batch.episodes, u->batch.count, u->episodes, u->episodes, NULL);
}

static void report_update(bench *bench, const char *name, const update *u, const bench_times *times, double peak) {
    double gflop = marl__learner_flops(u->learner) / 1e9;
    bench_report_times(bench, name, "ms", times->wall, times->count, 1e3, 0);
    bench_report_times(bench, name, "cpu_ms", times->cpu, times->count, 1e3, 0);
    bench_report_one(bench, name, "gflop", gflop);
    bench_report_times(bench, name, "gflop_per_s", times->wall, times->count, gflop, 1);
    if (peak <= 0.0) return;
    bench_report_one(bench, name, "fma_peak", peak);
    bench_report_times(bench, name, "peak_share", times->wall, times->count, gflop / peak / bench->threads, 1);
    bench_report_times(bench, name, "cpu_peak_share", times->cpu, times->count, gflop / peak, 1);
}

typedef enum variant { FULL, MIXED, ABSENT, VARIANTS } variant;

/* What the longest of `count` different ones of the sorted lengths is on average: number i of n is it with the chance
 * C(i - 1, count - 1) / C(n, count). */
static int32_t mean_longest(const int32_t *lengths, int32_t n, int32_t count) {
    double chance = (double)count / n, mean = 0;

    for (int32_t i = n; i >= count; i--) {
        mean += chance * lengths[i - 1];
        chance *= i > 1 ? (double)(i - count) / (i - 1) : 0;
    }
    return (int32_t)(mean + 0.5);
}

/* Full length; or for mixed ones an even spread from a fifth to the whole, which makes padding two fifths of a padded
 * batch; or what a batch of the given lengths is on average: the middle of each of `count` equal parts of the sorted
 * list, with the longest, which decides about padding, as long as that of a random batch. */
static void set_lengths(const bench *bench, int32_t limit, int32_t count, variant variant, int32_t *lengths) {
    int64_t n = bench->length_count;
    int32_t longest = n > count ? mean_longest(bench->lengths, bench->length_count, count) : limit;

    for (int32_t e = 0; e < count; e++) {
        int32_t length = limit / 5 + (limit - limit / 5) * e / (count > 1 ? count - 1 : 1);
        if (n > 0) length = bench->lengths[n * (2 * e + 1) / (2 * count)];
        if (n > count && (e == count - 1 || length > longest)) length = longest;
        lengths[e] = variant == MIXED && length < limit ? length : limit;
    }
}

static void measure_update(bench *bench, const char *name, const char *algo, const bench_team *team, int32_t count,
                           variant variant) {
    int32_t lengths[BATCH_MAX];
    update u = {0};
    marl__team_shape shape;
    const bench_times *times = NULL;
    marl_status status = bench_team_shape(algo, team, &shape);

    if (status == MARL_OK) status = bench_learner_create(bench, algo, &shape, count, &u.learner);
    if (status == MARL_OK) set_lengths(bench, shape.episode_limit, count, variant, lengths);
    if (status == MARL_OK && batch_fill(&u.batch, &shape, count, lengths, variant == ABSENT)) {
        double peak = bench_fma_peak();
        times = bench_measure(bench, run_update, &u);
        double again = bench_fma_peak();
        if (times) report_update(bench, name, &u, times, peak > again ? peak : again);
    }
    if (!times) bench_fail(bench, name);
    marl__learner_destroy(u.learner);
    batch_free(&u.batch);
}

static void run_case(bench *bench, const char *algo, const bench_team *team, int32_t batch, variant variant) {
    static const char *const endings[VARIANTS] = {"", "/mixed", "/absent"};
    char name[64];

    snprintf(name, sizeof name, "update/%s/%s/B%d%s", algo, team->name, (int)batch, endings[variant]);
    if (bench_wants(bench, name, team->is_large)) measure_update(bench, name, algo, team, batch, variant);
}

void bench_update(bench *bench) {
    static const struct { const char *name; int sees_entities; } algos[] = {{"qmix", 0}, {"qplex", 0}, {"hpn_qmix", 1}};

    for (size_t a = 0; a < COUNT(algos); a++)
        for (int t = algos[a].sees_entities; t < bench_team_count; t++) /* the first is of foraging */
            for (variant variant = FULL; variant < (algos[a].sees_entities ? VARIANTS : ABSENT); variant++) {
                const bench_team *team = &bench_teams[t];
                if (algos[a].sees_entities && team->is_large) run_case(bench, algos[a].name, team, 4, variant);
                run_case(bench, algos[a].name, team, BATCH_MAX / 4, variant);
                run_case(bench, algos[a].name, team, BATCH_MAX, variant);
            }
}
