/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_score: the output half of a hypernetwork (HPN, Hao et al. 2023): a score for each entity, for actions that target
 * one. Its generated weight W3 z + b3 meets the agent's memory h, which is z . (W3^T h) + b3 . h:
 *   s_e = z_e . v + c,   z_e = act(W x_e + b),   v (d) and c from linear layers on h.
 * An absent entity, a row of zeros, has the score of z = act(b); its action is not available.
 *
 * For an entity, with u = act'(z) o v:  dv += ds z    dc += ds    dW += ds u x^T    db += ds u    dx = ds W^T u
 * Entities with ds = 0 are passed over: all but the one an agent chose, where a value is learned. */
#include "core/ops/ops.h"

static double score_flops(const marl__graph *g, const marl__node *node) {
    int32_t op = node->op, weight = op == MARL__OP_hpn_score ? 1 : op == MARL__OP_hpn_score_jvp ? 4 : 2;
    const marl__param *w = marl__param_of(g, node->in[weight]);
    double products = op == MARL__OP_hpn_score ? 1.0 : 2.0;
    return products * 2.0 * w->rows * (w->cols + 1.0) * node->ints[1];
}

marl__val marl__hpn_score(marl__graph *g, marl__val obs, marl__val w, marl__val b, marl__val v, marl__val c,
                          int32_t first, int32_t count, int32_t activation) {
    const marl__val in[] = {obs, w, b, v, c};
    const int32_t ints[] = {first, count, activation};
    if (!marl__check_entities(g, "hpn_score", in, first, count, activation)) return -1;
    if (!marl__check_like(g, "hpn_score", "v", v, MARL__AGENT, marl__param_of(g, w)->rows)) return -1;
    if (c >= 0 && !marl__check_like(g, "hpn_score", "c", c, MARL__AGENT, 1)) return -1;
    marl__node *node = marl__add_entity_node(g, MARL__OP_hpn_score, in, 5, 1, ints);
    return node ? marl__add_output(g, node, MARL__AGENT, count, MARL__F32) : -1;
}

static void hpn_score_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val obs = node->in[0], w = node->in[1], v = node->in[3];
    const marl__val in[] = {dout[0], obs, w, node->in[2], v};
    if (g->values[w].wants_grad) marl__add_entity_node(g, MARL__OP_hpn_score_grad, in, 5, 2, node->ints);
    marl__node *dx = marl__add_entity_node(g, MARL__OP_hpn_score_dx, in, 5, 2, node->ints);
    if (!dx) return;
    int32_t at = g->node_count - 1;
    din[3] = marl__add_output(g, &g->nodes[at], MARL__AGENT, g->values[v].cols, MARL__F32);
    din[4] = marl__add_output(g, &g->nodes[at], MARL__AGENT, 1, MARL__F32);
    din[0] = marl__add_output(g, &g->nodes[at], MARL__AGENT, g->values[obs].cols, MARL__F32);
}

/* Tangent by v and c, in which the score is linear: a score again. */
static marl__val score_of_tangents(marl__graph *g, const marl__node *node, marl__val dv, marl__val dc) {
    if (dv < 0 && dc < 0) return -1;
    if (dv < 0) dv = marl__affine(g, node->in[3], 0.0f, 0.0f);
    return marl__hpn_score(g, node->in[0], node->in[1], node->in[2], dv, dc, node->ints[0], node->ints[1],
                           node->ints[2]);
}

static void hpn_score_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val by_layer = -1, by_values = score_of_tangents(g, node, din[3], din[4]);
    if (din[0] >= 0 || din[1] >= 0 || din[2] >= 0) {
        const marl__val in[] = {din[0], din[1], din[2], node->in[0], node->in[1], node->in[2], node->in[3]};
        marl__node *tangent = marl__add_entity_node(g, MARL__OP_hpn_score_jvp, in, 7, 4, node->ints);
        if (!tangent) return;
        by_layer = marl__add_output(g, tangent, MARL__AGENT, node->ints[1], MARL__F32);
    }
    dout[0] = marl__add_tangents(g, by_layer, by_values);
}

const marl__op marl__op_hpn_score = {
    .name = "hpn_score", .cut = MARL__ROWS, .vjp = hpn_score_vjp, .jvp = hpn_score_jvp, .flops = score_flops,
};
const marl__op marl__op_hpn_score_dx = {.name = "hpn_score_dx", .cut = MARL__ROWS, .flops = score_flops};
const marl__op marl__op_hpn_score_grad = {
    .name = "hpn_score_grad", .cut = MARL__CHAINS, .primary = -1, .flops = score_flops,
};
const marl__op marl__op_hpn_score_jvp = {.name = "hpn_score_jvp", .cut = MARL__ROWS, .flops = score_flops};
