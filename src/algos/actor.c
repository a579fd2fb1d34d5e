/* SPDX-License-Identifier: Apache-2.0 */
/* Acting: the agent net over one slot. Rows do not influence each other, so a team gets the same bits alone, beside
 * others, and in the learner's forward pass. */
#include <string.h>

#include "algos/learner.h"
#include "core/base/status.h"

struct marl__actor {
    marl_device *device;
    marl__agent agent;
    marl__graph *graph;
    marl__plan *plan;
    int32_t teams, slot;
    marl__val obs, last, h0, values, h;
};

struct marl__actor_run {
    const marl__actor *actor;
    marl__exec *exec;
    float *zeros; /* hidden states of teams that have none */
    void *own_h;  /* where next hidden states go when nobody wants them */
    int32_t active[1], offset[2];
};

static marl_status build(marl__actor *actor, const marl__params *params) {
    marl__agent *agent = &actor->agent;
    marl_status status = marl__graph_create(&actor->device->heap, agent->agents, 1, &actor->graph);
    if (status != MARL_OK) return status;
    marl__graph *g = actor->graph;
    actor->slot = marl__graph_slot(g, "acting", params, -1, 0);
    actor->obs = marl__input(g, "obs", MARL__AGENT, agent->obs, MARL__F32);
    actor->last = agent->last_action ? marl__input(g, "last_action", MARL__AGENT, 1, MARL__I32) : -1;
    actor->h0 = agent->net.hidden > 0 ? marl__state(g, "hidden", MARL__FIRST, agent->net.hidden) : -1;
    marl__net_values values = {.x = -1, .h0 = actor->h0, .reset = -1};
    marl__agent_build(agent, g, actor->slot, actor->obs, actor->last, &values, 0);
    actor->values = values.out;
    actor->h = values.h;
    marl__keep(g, actor->values, "values");
    if (actor->h >= 0) marl__keep(g, actor->h, "next_hidden");
    marl__capacity capacity = {1, actor->teams, actor->teams};
    return marl__plan_create(actor->device, g, capacity, &actor->plan);
}

marl_status marl__actor_create(marl_device *device, const marl__agent *agent, const marl__params *params,
                               int32_t teams, marl__actor **out) {
    *out = NULL;
    marl__actor *actor = marl__alloc_zero(&device->heap, sizeof *actor);
    if (!actor) return marl__no_memory(sizeof *actor);
    actor->device = device;
    actor->agent = *agent;
    actor->teams = teams;
    marl_status status = build(actor, params);
    if (status != MARL_OK) {
        marl__actor_destroy(actor);
        return status;
    }
    *out = actor;
    return MARL_OK;
}

void marl__actor_destroy(marl__actor *actor) {
    if (!actor) return;
    marl__plan_destroy(actor->plan);
    marl__graph_destroy(actor->graph);
    marl__free(&actor->device->heap, actor);
}

int32_t marl__actor_hidden(const marl__actor *actor) {
    return actor->agent.net.hidden;
}

marl_status marl__actor_run_create(const marl__actor *actor, marl__actor_run **out) {
    marl_status status = MARL_OK;
    void *zeros = NULL;
    *out = NULL;
    marl__actor_run *run = marl__alloc_zero(&actor->device->heap, sizeof *run);
    if (!run) return marl__no_memory(sizeof *run);
    run->actor = actor;
    size_t floats = (size_t)actor->teams * (size_t)actor->agent.agents * (size_t)actor->agent.net.hidden;
    if ((status = marl__exec_create(actor->plan, &run->exec)) != MARL_OK) goto done;
    if ((status = marl__alloc_array(&actor->device->heap, floats, sizeof(float), &zeros)) != MARL_OK) goto done;
    run->zeros = zeros;
    run->own_h = marl__exec_data(run->exec, actor->h);
    *out = run;
    run = NULL;
done:
    marl__actor_run_destroy(run);
    return status;
}

void marl__actor_run_destroy(marl__actor_run *run) {
    if (!run) return;
    marl__exec_destroy(run->exec);
    marl__free(&run->actor->device->heap, run->zeros);
    marl__free(&run->actor->device->heap, run);
}

/* Inputs are only read, so the caller's const memory is bound as it is. */
static void bind_input(marl__exec *exec, marl__val value, const void *data) {
    if (value >= 0) marl__exec_bind(exec, value, (void *)(uintptr_t)data);
}

void marl__actor_values(marl__actor_run *run, const marl__version *version, int32_t teams, const float *obs,
                        const int32_t *last, const float *hidden, float *next_hidden, float *values) {
    const marl__actor *actor = run->actor;
    marl__exec *exec = run->exec;
    run->active[0] = run->offset[1] = teams;
    marl__seq seq = {1, teams, teams, run->active, run->offset};
    marl__exec_set_seq(exec, &seq);
    marl__exec_bind_slot(exec, actor->slot, version, -1);
    bind_input(exec, actor->obs, obs);
    bind_input(exec, actor->last, last);
    bind_input(exec, actor->h0, hidden ? hidden : run->zeros);
    if (actor->h >= 0) marl__exec_bind(exec, actor->h, next_hidden ? next_hidden : run->own_h);
    marl__exec_bind(exec, actor->values, values);
    marl__exec_run(exec, 0);
}
