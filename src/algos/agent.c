/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of a learner: which inputs the net sees, and whose parameters it uses. */
#include <string.h>

#include "algos/learner.h"
#include "core/base/status.h"
#include "core/config/config.h"

int32_t marl__agent_inputs(const marl__agent *agent) {
    if (agent->net.type && agent->net.type->sees_entities) return agent->obs;
    return agent->obs + (agent->last_action ? agent->actions : 0) + (agent->agent_id ? agent->agents : 0);
}

marl_status marl__agent_declare(const marl_config *config, const marl__team_shape *shape, marl__params *params,
                                marl__agent *out) {
    *out = (marl__agent){.agents = shape->agents, .obs = shape->obs, .actions = shape->actions, .groups = 1};
    if (marl__config_is(config, "share", "separate")) out->groups = shape->agents;
    out->last_action = (int32_t)marl__config_int(config, "last_action");
    /* An agent with a net of its own has no use for a number. */
    out->agent_id = out->groups == 1 && marl__config_is(config, "agent_id", "onehot");
    const marl__net_team team = {.entities = shape->entities, .ids = out->agent_id ? out->agents : 0,
                                 .last_actions = out->last_action ? out->actions : 0};
    marl_status status = marl__net_type_find(marl__config_text(config, "net"), &out->net.type);
    if (status != MARL_OK) return status;
    marl__params_range(params, "agent", 0);
    marl__net_shape sizes = {marl__agent_inputs(out), shape->actions, out->groups};
    return marl__net_declare_for(out->net.type->name, config, "net.", sizes, &team, params, &out->net);
}

static marl__val join_inputs(const marl__agent *agent, marl__graph *graph, marl__val obs, marl__val last,
                             marl__val id) {
    marl__val parts[3] = {obs, -1, -1};
    int32_t count = 1;
    if (agent->last_action) parts[count++] = last;
    if (agent->agent_id) parts[count++] = id;
    return marl__concat(graph, parts, count);
}

void marl__agent_build(const marl__agent *agent, marl__graph *graph, int32_t slot, marl__val obs, marl__val last,
                       marl__net_values *values, int32_t keep) {
    if (values->x < 0) {
        values->last = agent->last_action ? marl__one_hot(graph, last, agent->actions) : -1;
        values->id = agent->agent_id ? marl__agent_id(graph) : -1;
        values->x = agent->net.type->sees_entities ? obs : join_inputs(agent, graph, obs, values->last, values->id);
    }
    if (keep) marl__keep(graph, values->x, "agent_inputs");
    marl__net_build(&agent->net, graph, slot, values);
}
