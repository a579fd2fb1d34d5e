/* SPDX-License-Identifier: Apache-2.0 */
/* qplex_weights: what QPLEX (Wang et al. 2021) multiplies each agent's advantage by, once the networks of its K kernels
 * have run: lambda_i = sum_k (|key_k| + 1e-10) agents_ki action_ki. One op, because its parts are a few columns a team
 * and would be three nodes for each kernel. */
#include "core/ops/ops.h"

marl__val marl__qplex_weights(marl__graph *g, marl__val key, marl__val agents, marl__val action) {
    if (!marl__check_like(g, "qplex_weights", "key", key, MARL__TEAM, 0)) return -1;
    int32_t cols = g->values[key].cols * g->agents;
    if (!marl__check_like(g, "qplex_weights", "agents", agents, MARL__TEAM, cols)) return -1;
    if (!marl__check_like(g, "qplex_weights", "action", action, MARL__TEAM, cols)) return -1;
    marl__val in[] = {key, agents, action};
    marl__node *node = marl__add_node(g, MARL__OP_qplex_weights, in, 3);
    return node ? marl__add_output(g, node, MARL__TEAM, g->agents, MARL__F32) : -1;
}

static void weights_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t kernels = g->values[node->in[0]].cols;
    marl__val in[] = {dout[0], node->in[0], node->in[1], node->in[2]};
    if (!marl__add_node(g, MARL__OP_qplex_weights_grad, in, 4)) return;
    int32_t at = g->node_count - 1;
    din[0] = marl__add_output(g, &g->nodes[at], MARL__TEAM, kernels, MARL__F32);
    din[1] = marl__add_output(g, &g->nodes[at], MARL__TEAM, kernels * g->agents, MARL__F32);
    din[2] = marl__add_output(g, &g->nodes[at], MARL__TEAM, kernels * g->agents, MARL__F32);
}

static void weights_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val in[] = {din[0], din[1], din[2], node->in[0], node->in[1], node->in[2]};
    marl__node *tangent = marl__add_node(g, MARL__OP_qplex_weights_jvp, in, 6);
    if (tangent) dout[0] = marl__add_output(g, tangent, MARL__TEAM, g->agents, MARL__F32);
}

const marl__op marl__op_qplex_weights = {
    .name = "qplex_weights", .cut = MARL__ROWS, .vjp = weights_vjp, .jvp = weights_jvp,
};
const marl__op marl__op_qplex_weights_grad = {.name = "qplex_weights_grad", .cut = MARL__ROWS, .needed_outputs = 0x7};
const marl__op marl__op_qplex_weights_jvp = {.name = "qplex_weights_jvp", .cut = MARL__ROWS};
