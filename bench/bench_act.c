/* SPDX-License-Identifier: Apache-2.0 */
/* One joint decision: action values of some teams side by side and the choice (act/...), and the same through
 * marl_policy as a game calls it (policy/...), which adds the checks of what comes from outside. .../absent: as in
 * bench_update.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_learner.h"

enum { CALLS = 16 };

typedef struct acting {
    const marl__agent *agent;
    const marl__version *version;
    marl__actor *actor;
    marl__actor_run *run;
    int32_t teams;
    float *obs, *hidden[2], *values;
    uint8_t *avail;
    int32_t *actions, *last;
    marl__rng rng;
    int turn;
} acting;

static marl_status run_acting(void *work) {
    acting *a = work;
    size_t agents = (size_t)a->agent->agents, actions = (size_t)a->agent->actions;
    for (int i = 0; i < CALLS; i++, a->turn = 1 - a->turn) {
        marl__actor_values(a->run, a->version, a->teams, a->obs, a->last, a->hidden[a->turn], a->hidden[1 - a->turn],
                           a->values);
        for (int32_t team = 0; team < a->teams; team++) {
            size_t row = (size_t)team * agents;
            marl__choose(a->agent, a->values + row * actions, a->avail + row * actions, NULL, 0.05, &a->rng,
                         a->actions + row);
        }
        memcpy(a->last, a->actions, (size_t)a->teams * agents * sizeof *a->last);
    }
    return MARL_OK;
}

static int acting_fill(acting *a, const marl__team_shape *shape, int is_absent) {
    size_t rows = (size_t)a->teams * (size_t)shape->agents, actions = (size_t)shape->actions;
    uint64_t random = 7;

    a->obs = malloc(rows * (size_t)shape->obs * sizeof *a->obs);
    a->values = malloc(rows * actions * sizeof *a->values);
    a->avail = malloc(rows * actions);
    a->actions = calloc(rows, sizeof *a->actions);
    a->last = malloc(rows * sizeof *a->last);
    for (int i = 0; i < 2; i++) a->hidden[i] = calloc(rows * (size_t)marl__actor_hidden(a->actor), sizeof(float));
    if (!a->obs || !a->values || !a->avail || !a->actions || !a->last || !a->hidden[0] || !a->hidden[1]) return 0;
    for (size_t i = 0; i < rows * (size_t)shape->obs; i++) a->obs[i] = bench_random_real(&random);
    if (is_absent) bench_hide_entities(shape, rows, a->obs, &random);
    for (size_t i = 0; i < rows * actions; i++) a->avail[i] = i % actions == 0 || bench_random(&random) % 2;
    memset(a->last, 0xff, rows * sizeof *a->last);
    marl__rng_init(&a->rng, 1, marl__stream(MARL__STREAM_EXPLORE, 0));
    return 1;
}

static void acting_free(acting *a) {
    marl__actor_run_destroy(a->run);
    marl__actor_destroy(a->actor);
    free(a->obs);
    free(a->values);
    free(a->avail);
    free(a->actions);
    free(a->last);
    free(a->hidden[0]);
    free(a->hidden[1]);
}

static void measure_acting(bench *bench, const char *name, const char *algo, const bench_team *team, int32_t teams,
                           int is_absent) {
    const bench_times *times = NULL;
    marl__learner *learner = NULL;
    marl__team_shape shape;
    acting a = {.teams = teams};
    marl_status status = bench_team_shape(algo, team, &shape);

    if (status == MARL_OK) status = bench_learner_create(bench, algo, &shape, 1, &learner);
    if (status == MARL_OK) {
        a.agent = marl__learner_agent(learner);
        a.version = marl__learner_version(learner);
        status = marl__actor_create(bench->device, a.agent, marl__learner_params(learner), teams, &a.actor);
    }
    if (status == MARL_OK) status = marl__actor_run_create(a.actor, &a.run);
    if (status == MARL_OK && acting_fill(&a, &shape, is_absent)) times = bench_measure(bench, run_acting, &a);
    if (times) {
        bench_report_times(bench, name, "us", times->wall, times->count, 1e6 / CALLS, 0);
        bench_report_times(bench, name, "cpu_us", times->cpu, times->count, 1e6 / CALLS, 0);
    } else {
        bench_fail(bench, name);
    }
    acting_free(&a);
    marl__learner_destroy(learner);
}

/* ---- through the public policy ---- */

typedef struct memory {
    char *bytes;
    size_t used;
} memory;

static marl_status memory_write(const void *data, size_t bytes, void *user) {
    memory *to = user;
    char *grown = realloc(to->bytes, to->used + bytes);
    if (!grown) return MARL_E_NOMEM;
    memcpy(grown + to->used, data, bytes);
    to->bytes = grown;
    to->used += bytes;
    return MARL_OK;
}

/* The policy that a fresh run saves. */
static marl_status fresh_policy(const bench *bench, const char *component, marl_policy **out) {
    marl_config *config = NULL;
    marl_trainer *trainer = NULL;
    memory saved = {0};
    marl_sink sink;
    marl_source source;
    marl_status status = marl_config_create(NULL, component, &config);

    marl_sink_init(&sink, sizeof sink);
    sink.write = memory_write;
    sink.user = &saved;
    if (status == MARL_OK) status = marl_trainer_create(bench->device, config, NULL, &trainer);
    if (status == MARL_OK) status = marl_trainer_save_policy(trainer, &sink);
    marl_source_init(&source, sizeof source);
    source.bytes = saved.bytes;
    source.byte_count = saved.used;
    if (status == MARL_OK) status = marl_policy_load(bench->device, &source, NULL, out);
    marl_trainer_destroy(trainer);
    marl_config_destroy(config);
    free(saved.bytes);
    return status;
}

typedef struct playing {
    marl_policy *policy;
    marl_policy_state *state;
    float *obs;
    int32_t *actions;
} playing;

static marl_status run_playing(void *work) {
    const playing *p = work;
    marl_status status = MARL_OK;
    for (int i = 0; i < CALLS && status == MARL_OK; i++)
        status = marl_policy_act(p->policy, p->state, p->obs, NULL, NULL, p->actions);
    return status;
}

static void measure_playing(bench *bench, const char *name, uint32_t teams) {
    const bench_times *times = NULL;
    playing p = {0};
    marl_status status = fresh_policy(bench, "run/qmix/lbf:8x8-2p-2f-coop", &p.policy);

    if (status == MARL_OK) status = marl_policy_state_create(p.policy, teams, 1, &p.state);
    if (status == MARL_OK) {
        size_t agents = (size_t)teams * marl_policy_agent_count(p.policy);
        p.obs = calloc(agents * marl_policy_obs_size(p.policy), sizeof *p.obs);
        p.actions = calloc(agents, sizeof *p.actions);
        if (p.obs && p.actions) times = bench_measure(bench, run_playing, &p);
    }
    if (times) bench_report_times(bench, name, "us", times->wall, times->count, 1e6 / CALLS, 0);
    else bench_fail(bench, name);
    marl_policy_state_destroy(p.state);
    marl_policy_destroy(p.policy);
    free(p.obs);
    free(p.actions);
}

static void run_case(bench *bench, const char *algo, const bench_team *team, int32_t teams, int is_absent) {
    char name[64];

    snprintf(name, sizeof name, "act/%s/%s/E%d%s", algo, team->name, (int)teams, is_absent ? "/absent" : "");
    if (bench_wants(bench, name, 0)) measure_acting(bench, name, algo, team, teams, is_absent);
}

void bench_act(bench *bench) {
    static const int32_t teams[] = {1, 8};
    char name[64];

    for (int t = 0; t < bench_team_count; t++)
        for (int i = 0; i < 2; i++) {
            run_case(bench, "qmix", &bench_teams[t], teams[i], 0);
            if (t == 0) continue; /* foraging; the others are maps of the combat environment */
            run_case(bench, "hpn_qmix", &bench_teams[t], teams[i], 0);
            run_case(bench, "hpn_qmix", &bench_teams[t], teams[i], 1);
        }
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "policy/qmix/lbf:8x8-2p-2f-coop/E%d", (int)teams[i]);
        if (bench_wants(bench, name, 0)) measure_playing(bench, name, (uint32_t)teams[i]);
    }
}
