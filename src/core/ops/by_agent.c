/* SPDX-License-Identifier: Apache-2.0 */
/* by_agent: each agent's row from one of several values, the same one in every slot: what agents of different classes
 * do with the same columns. The derivatives, in both directions, are the op itself with the other values absent. */
#include "core/ops/ops.h"

static marl__node *add_choice(marl__graph *g, const marl__val *values, int32_t count, const int32_t *map) {
    marl__node *node = g->status == MARL_OK ? marl__add_node(g, MARL__OP_by_agent, values, count) : NULL;
    if (!node) return NULL;
    node->groups = count;
    node->group_map = map;
    return node;
}

marl__val marl__by_agent(marl__graph *g, const marl__val *values, int32_t count, const int32_t *choice) {
    if (g->status != MARL_OK) return -1;
    if (count < 1 || count > MARL__MAX_IN)
        return marl__graph_error(g, MARL_E_ARGUMENT, "by_agent of %d values, 1 to %d", (int)count, (int)MARL__MAX_IN);
    int32_t given = 0;
    while (given < count - 1 && values[given] < 0) given++;
    if (!marl__check_value(g, "by_agent", "a value", values[given])) return -1;
    int32_t cols = g->values[values[given]].cols;
    for (int32_t i = 0; i < count; i++)
        if (values[i] >= 0 && !marl__check_like(g, "by_agent", "a value", values[i], MARL__AGENT, cols)) return -1;
    for (int32_t i = 0; i < g->agents; i++)
        if (choice[i] < 0 || choice[i] >= count)
            return marl__graph_error(g, MARL_E_ARGUMENT, "by_agent: agent %d chooses value %d of %d", (int)i,
                                     (int)choice[i], (int)count);
    if (count == 1) return values[0];
    const int32_t *map = marl__graph_keep_map(g, choice);
    marl__node *node = map ? add_choice(g, values, count, map) : NULL;
    return node ? marl__add_output(g, node, MARL__AGENT, cols, MARL__F32) : -1;
}

static void by_agent_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t cols = g->values[node->out[0]].cols;
    for (int32_t i = 0; i < node->in_count && g->status == MARL_OK; i++) {
        marl__val only[MARL__MAX_IN];
        if (node->in[i] < 0 || !g->values[node->in[i]].wants_grad) continue;
        for (int32_t k = 0; k < node->in_count; k++) only[k] = k == i ? dout[0] : -1;
        marl__node *grad = add_choice(g, only, node->in_count, node->group_map);
        if (grad) din[i] = marl__add_output(g, grad, MARL__AGENT, cols, MARL__F32);
    }
}

static void by_agent_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    int32_t cols = g->values[node->out[0]].cols;
    marl__node *tangent = add_choice(g, din, node->in_count, node->group_map);
    if (tangent) dout[0] = marl__add_output(g, tangent, MARL__AGENT, cols, MARL__F32);
}

const marl__op marl__op_by_agent = {
    .name = "by_agent", .cut = MARL__ROWS, .vjp = by_agent_vjp, .jvp = by_agent_jvp,
};
