/* SPDX-License-Identifier: Apache-2.0 */
/* Environments alone, through the public API: a random available action for every agent, step, observe, and a reset
 * where an episode ends. One environment on one core. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

enum { STEPS = 2048 };

typedef struct world {
    marl_env *env;
    uint32_t agents, actions_max;
    float *obs, *state;
    uint8_t *avail;
    int32_t *actions;
    double *rewards;
    uint64_t random, episode;
} world;

/* Rejection instead of counting: most actions are available most of the time. */
static void choose(world *w) {
    for (uint32_t i = 0; i < w->agents; i++) {
        const uint8_t *avail = w->avail + (size_t)i * w->actions_max;
        uint32_t action;
        do action = (uint32_t)(((uint64_t)bench_random(&w->random) * w->actions_max) >> 32);
        while (!avail[action]);
        w->actions[i] = (int32_t)action;
    }
}

static marl_status observe(world *w) {
    marl_view view = {.struct_size = sizeof view, .obs = w->obs, .state = w->state, .avail = w->avail};
    return marl_env_observe(w->env, &view);
}

static marl_status run_world(void *work) {
    world *w = work;
    for (int i = 0; i < STEPS; i++) {
        marl_actions actions = {.struct_size = sizeof actions, .discrete = w->actions};
        marl_step step = {.struct_size = sizeof step, .rewards = w->rewards};
        marl_status status;

        choose(w);
        if ((status = marl_env_step(w->env, &actions, &step)) != MARL_OK) return status;
        if (step.terminated || step.truncated) status = marl_env_reset(w->env, ++w->episode);
        if (status != MARL_OK || (status = observe(w)) != MARL_OK) return status;
    }
    return MARL_OK;
}

static marl_status world_open(world *w, const char *env) {
    marl_status status = marl_env_create(NULL, env, NULL, &w->env);
    if (status != MARL_OK) return status;
    const marl_env_spec *spec = marl_env_get_spec(w->env);
    w->agents = spec->agent_count;
    w->actions_max = marl_env_action_count(w->env);
    w->random = 88172645463325252u;
    w->obs = calloc((size_t)w->agents * marl_env_obs_size(w->env), sizeof *w->obs);
    w->state = calloc((size_t)w->agents * spec->state_size + 1, sizeof *w->state);
    w->avail = calloc((size_t)w->agents * w->actions_max, 1);
    w->actions = calloc(w->agents, sizeof *w->actions);
    w->rewards = calloc(w->agents, sizeof *w->rewards);
    if (!w->obs || !w->state || !w->avail || !w->actions || !w->rewards) return MARL_E_NOMEM;
    if ((status = marl_env_reset(w->env, 1)) != MARL_OK) return status;
    return observe(w);
}

static void measure_world(bench *bench, const char *name, const char *env) {
    const bench_times *times = NULL;
    world w = {0};

    if (world_open(&w, env) == MARL_OK) times = bench_measure(bench, run_world, &w);
    if (times) {
        bench_report_times(bench, name, "steps_per_s", times->wall, times->count, STEPS, 1);
        bench_report_times(bench, name, "steps_per_core_s", times->cpu, times->count, STEPS, 1);
    } else {
        bench_fail(bench, name);
    }
    marl_env_destroy(w.env);
    free(w.obs);
    free(w.state);
    free(w.avail);
    free(w.actions);
    free(w.rewards);
}

void bench_env(bench *bench) {
    static const char *const envs[] = {"lbf:8x8-2p-2f-coop", "lbf:10x10-3p-3f", "lbf:15x15-4p-5f", "matrix:two_step",
                                       "mpe:simple_spread", "mpe:simple_tag", "bridge:map4-2ag", "combat:3m",
                                       "combat:5m_vs_6m", "combat:8m_vs_9m", "combat:MMM2",
                                       "combat:27m_vs_30m", "combat:2c_vs_64zg"};
    for (size_t i = 0; i < sizeof envs / sizeof envs[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "env/%s", envs[i]);
        if (bench_wants(bench, name, 0)) measure_world(bench, name, envs[i]);
    }
}
