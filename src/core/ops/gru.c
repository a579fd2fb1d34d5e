/* SPDX-License-Identifier: Apache-2.0 */
/* gru: a whole packed sequence (Cho et al. 2014, in the form with a bias inside the reset product):
 *   r = s(xr + hr)  z = s(xz + hz)  n = tanh(xn + r hn)  h' = (1 - z) n + z h,   h. = W_h. h + b_h.
 * The input gates of all slots come as one product before it. Saved for the gradient: r, z, n, hn. */
#include "core/ops/ops.h"

static double gru_flops(const marl__graph *g, const marl__node *node) {
    int32_t at = node->op == MARL__OP_gru ? 1 : node->op == MARL__OP_gru_grad ? 3 : 4;
    const marl__param *w = marl__param_of(g, node->in[at]);
    return 2.0 * w->rows * w->cols + 30.0 * w->cols;
}

/* h0 in FIRST, reset as one column beside x: the optional inputs of all that looks at the slot before. */
static int check_memory(marl__graph *g, const char *op, int32_t space, int32_t cols, marl__val x0, marl__val reset) {
    if (space != MARL__AGENT && !(space == MARL__TEAM && g->agents == 1)) {
        marl__graph_error(g, MARL_E_SHAPE, "%s: sequences run over agent rows, not row space %d", op, (int)space);
        return 0;
    }
    if (x0 >= 0 && !marl__check_like(g, op, "the first value", x0, MARL__FIRST, cols)) return 0;
    return reset < 0 || marl__check_like(g, op, "reset", reset, space, 1);
}

marl__val marl__gru(marl__graph *g, marl__val gates, marl__val weight, marl__val bias, marl__val h0, marl__val reset) {
    if (!marl__check_cols(g, "gru", "gates", gates, 0)) return -1;
    int32_t space = g->values[gates].space, hidden = g->values[gates].cols / 3;
    if (hidden < 1 || !marl__check_cols(g, "gru", "gates", gates, 3 * hidden)) return -1;
    if (!marl__check_param(g, "gru", "weight", weight, 3 * hidden, hidden, space)) return -1;
    if (!marl__check_param(g, "gru", "bias", bias, 3 * hidden, 1, space)) return -1;
    if (!check_memory(g, "gru", space, hidden, h0, reset)) return -1;
    marl__val in[] = {gates, weight, bias, h0, reset};
    marl__node *node = marl__add_node(g, MARL__OP_gru, in, 5);
    if (!node) return -1;
    marl__set_groups_from(g, node, weight);
    marl__val h = marl__add_output(g, node, space, hidden, MARL__F32);
    marl__add_output(g, node, space, 4 * hidden, MARL__F32);
    return h;
}

static void gru_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val weight = node->in[1], bias = node->in[2], h0 = node->in[3], reset = node->in[4], h = node->out[0];
    if (dout[0] < 0) return;
    int32_t space = g->values[h].space, hidden = g->values[h].cols;
    marl__val in[] = {dout[0], h, node->out[1], weight, h0, reset};
    marl__node *grad = marl__add_node(g, MARL__OP_gru_grad, in, 6);
    if (!grad) return;
    int32_t at = g->node_count - 1;
    marl__set_groups_from(g, grad, weight);
    marl__val dxg = marl__add_output(g, &g->nodes[at], space, 3 * hidden, MARL__F32);
    marl__val dhg = marl__add_output(g, &g->nodes[at], space, 3 * hidden, MARL__F32);
    marl__val dh0 = marl__add_output(g, &g->nodes[at], MARL__FIRST, hidden, MARL__F32);
    if (g->status == MARL_OK && g->values[weight].wants_grad) {
        marl__val before = marl__shift_time(g, h, h0, reset);
        marl__val to[] = {dhg, before, weight, bias};
        marl__node *sum = marl__add_node(g, MARL__OP_linear_grad, to, 4);
        marl__set_groups_from(g, sum, weight);
    }
    din[0] = dxg;
    din[3] = dh0;
}

/* What W_h and b_h do to the hidden side of the gates is one product for all slots, like the input gates; the rest is
 * sequential. */
static void gru_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val weight = node->in[1], h0 = node->in[3], reset = node->in[4], h = node->out[0], hidden_gates = -1;
    int32_t space = g->values[h].space, hidden = g->values[h].cols;
    if (din[1] >= 0 || din[2] >= 0)
        hidden_gates = marl__linear_param_tangent(g, marl__shift_time(g, h, h0, reset), weight, din[1], din[2]);
    marl__val in[] = {din[0], hidden_gates, h, node->out[1], weight, h0, reset, din[3]};
    marl__node *tangent = marl__add_node(g, MARL__OP_gru_jvp, in, 8);
    if (!tangent) return;
    marl__set_groups_from(g, tangent, weight);
    dout[0] = marl__add_output(g, tangent, space, hidden, MARL__F32);
}

marl__val marl__shift_time(marl__graph *g, marl__val x, marl__val x0, marl__val reset) {
    if (!marl__check_cols(g, "shift_time", "x", x, 0)) return -1;
    if (!check_memory(g, "shift_time", g->values[x].space, g->values[x].cols, x0, reset)) return -1;
    int32_t space = g->values[x].space, cols = g->values[x].cols;
    marl__val in[] = {x, x0, reset};
    marl__node *node = marl__add_node(g, MARL__OP_shift_time, in, 3);
    return node ? marl__add_output(g, node, space, cols, MARL__F32) : -1;
}

static void shift_time_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val x = din[0] < 0 ? marl__affine(g, node->in[0], 0.0f, 0.0f) : din[0];
    dout[0] = marl__shift_time(g, x, din[1], node->in[2]);
}

/* gru_grad's dh0 doubles as the carry from slot to slot, so it always has memory. */
const marl__op marl__op_gru = {
    .name = "gru", .cut = MARL__STEPS, .vjp = gru_vjp, .jvp = gru_jvp, .flops = gru_flops,
};
const marl__op marl__op_gru_grad = {
    .name = "gru_grad", .cut = MARL__STEPS_BACK, .flops = gru_flops, .needed_outputs = 1u << 2,
};
const marl__op marl__op_gru_jvp = {.name = "gru_jvp", .cut = MARL__STEPS, .flops = gru_flops};
const marl__op marl__op_shift_time = {.name = "shift_time", .cut = MARL__STEPS, .jvp = shift_time_jvp};
