/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm over the columns of a row (Ba et al. 2016), biased variance. */
#include "core/ops/ops.h"

marl__val marl__layer_norm(marl__graph *g, marl__val x, marl__val scale, marl__val shift, float eps) {
    if (!marl__check_cols(g, "layer_norm", "x", x, 0)) return -1;
    int32_t space = g->values[x].space, cols = g->values[x].cols;
    if (!marl__check_param(g, "layer_norm", "scale", scale, cols, 1, space)) return -1;
    if (!marl__check_param(g, "layer_norm", "shift", shift, cols, 1, space)) return -1;
    marl__val in[] = {x, scale, shift};
    marl__node *node = marl__add_node(g, MARL__OP_layer_norm, in, 3);
    if (!node) return -1;
    node->reals[0] = eps;
    marl__set_groups_from(g, node, scale);
    marl__val y = marl__add_output(g, node, space, cols, MARL__F32);
    marl__add_output(g, node, space, 2, MARL__F32);
    return y;
}

static void layer_norm_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val x = node->in[0], scale = node->in[1], shift = node->in[2], saved = node->out[1];
    if (dout[0] < 0) return;
    if (g->values[scale].wants_grad) {
        marl__val in[] = {dout[0], x, saved, scale, shift};
        marl__set_groups_from(g, marl__add_node(g, MARL__OP_layer_norm_param_grad, in, 5), scale);
    }
    if (g->status == MARL_OK && g->values[x].wants_grad) {
        marl__val in[] = {dout[0], x, saved, scale};
        marl__node *grad = marl__add_node(g, MARL__OP_layer_norm_grad, in, 4);
        if (!grad) return;
        marl__set_groups_from(g, grad, scale);
        din[0] = marl__add_output(g, grad, g->values[x].space, g->values[x].cols, MARL__F32);
    }
}

static void layer_norm_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val x = node->in[0], scale = node->in[1];
    int32_t space = g->values[x].space, cols = g->values[x].cols;
    marl__val in[] = {din[0], x, node->out[1], scale, din[1], din[2]};
    marl__node *tangent = marl__add_node(g, MARL__OP_layer_norm_jvp, in, 6);
    if (!tangent) return;
    marl__set_groups_from(g, tangent, scale);
    dout[0] = marl__add_output(g, tangent, space, cols, MARL__F32);
}

const marl__op marl__op_layer_norm = {
    .name = "layer_norm", .cut = MARL__ROWS, .vjp = layer_norm_vjp, .jvp = layer_norm_jvp, .needed_outputs = 1u << 1,
};
const marl__op marl__op_layer_norm_grad = {.name = "layer_norm_grad", .cut = MARL__ROWS};
const marl__op marl__op_layer_norm_param_grad = {.name = "layer_norm_param_grad", .cut = MARL__CHAINS, .primary = -1};
const marl__op marl__op_layer_norm_jvp = {.name = "layer_norm_jvp", .cut = MARL__ROWS};
