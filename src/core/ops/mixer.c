/* SPDX-License-Identifier: Apache-2.0 */
/* qmix_mix: the monotone mixing of QMIX (Rashid et al. 2018) once its hypernetworks have run:
 *   hid = elu(q |W1| + b1),  q_tot = hid |w2| + b2;  W1 (n, E), row i belongs to agent i. */
#include "core/ops/ops.h"

static double mix_flops(const marl__graph *g, const marl__node *node) {
    int32_t w1 = node->op == MARL__OP_qmix_mix ? 1 : node->op == MARL__OP_qmix_mix_grad ? 2 : 5;
    return 2.0 * g->values[node->in[w1]].cols;
}

marl__val marl__qmix_mix(marl__graph *g, marl__val q, marl__val w1, marl__val b1, marl__val w2, marl__val b2) {
    if (!marl__check_like(g, "qmix_mix", "q", q, MARL__TEAM, g->agents)) return -1;
    if (!marl__check_like(g, "qmix_mix", "b1", b1, MARL__TEAM, 0)) return -1;
    int32_t embed = g->values[b1].cols;
    if (!marl__check_like(g, "qmix_mix", "w1", w1, MARL__TEAM, g->agents * embed)) return -1;
    if (!marl__check_like(g, "qmix_mix", "w2", w2, MARL__TEAM, embed)) return -1;
    if (!marl__check_like(g, "qmix_mix", "b2", b2, MARL__TEAM, 1)) return -1;
    marl__val in[] = {q, w1, b1, w2, b2};
    marl__node *node = marl__add_node(g, MARL__OP_qmix_mix, in, 5);
    if (!node) return -1;
    marl__val total = marl__add_output(g, node, MARL__TEAM, 1, MARL__F32);
    marl__add_output(g, node, MARL__TEAM, embed, MARL__F32);
    return total;
}

static void qmix_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t embed = g->values[node->in[2]].cols;
    if (dout[0] < 0) return;
    marl__val in[] = {dout[0], node->in[0], node->in[1], node->in[3], node->out[1]};
    if (!marl__add_node(g, MARL__OP_qmix_mix_grad, in, 5)) return;
    int32_t at = g->node_count - 1;
    din[0] = marl__add_output(g, &g->nodes[at], MARL__TEAM, g->agents, MARL__F32);
    din[1] = marl__add_output(g, &g->nodes[at], MARL__TEAM, g->agents * embed, MARL__F32);
    din[2] = marl__add_output(g, &g->nodes[at], MARL__TEAM, embed, MARL__F32);
    din[3] = marl__add_output(g, &g->nodes[at], MARL__TEAM, embed, MARL__F32);
    din[4] = dout[0];
}

/* b2 is added to the mixing, so its tangent is added to that of the rest. */
static void qmix_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val mixed = -1;
    if (din[0] >= 0 || din[1] >= 0 || din[2] >= 0 || din[3] >= 0) {
        marl__val in[] = {din[0], din[1], din[2], din[3], node->in[0], node->in[1], node->in[3], node->out[1]};
        marl__node *tangent = marl__add_node(g, MARL__OP_qmix_mix_jvp, in, 8);
        if (!tangent) return;
        mixed = marl__add_output(g, tangent, MARL__TEAM, 1, MARL__F32);
    }
    dout[0] = marl__add_tangents(g, mixed, din[4]);
}

const marl__op marl__op_qmix_mix = {
    .name = "qmix_mix", .cut = MARL__ROWS, .vjp = qmix_vjp, .jvp = qmix_jvp, .flops = mix_flops,
};
const marl__op marl__op_qmix_mix_grad = {
    .name = "qmix_mix_grad", .cut = MARL__ROWS, .flops = mix_flops, .needed_outputs = 0xf,
};
const marl__op marl__op_qmix_mix_jvp = {.name = "qmix_mix_jvp", .cut = MARL__ROWS, .flops = mix_flops};
