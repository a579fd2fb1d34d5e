/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y = act(x W^T + b), W (K, out, in), with the activation in the product's epilogue; its two gradients. */
#include "core/ops/ops.h"

static double product_flops(const marl__graph *g, const marl__node *node) {
    const marl__param *weight = marl__param_of(g, node->op == MARL__OP_linear_grad ? node->in[2] : node->in[1]);
    return 2.0 * weight->rows * weight->cols;
}

marl__val marl__linear(marl__graph *g, marl__val x, marl__val weight, marl__val bias, int32_t activation) {
    if (!marl__check_cols(g, "linear", "x", x, 0)) return -1;
    int32_t space = g->values[x].space;
    if (!marl__check_param(g, "linear", "weight", weight, 0, g->values[x].cols, space)) return -1;
    const marl__param *w = marl__param_of(g, weight);
    if (!w->is_weight) return marl__graph_error(g, MARL_E_SHAPE, "linear: \"%s\" is no weight", w->name);
    if (bias >= 0 && !marl__check_param(g, "linear", "bias", bias, w->rows, 1, space)) return -1;
    if (activation < 0 || activation >= MARL__FUSABLE_COUNT)
        return marl__graph_error(g, MARL_E_ARGUMENT, "linear: activation %d cannot be fused", (int)activation);
    int32_t out = w->rows;
    marl__val in[] = {x, weight, bias};
    marl__node *node = marl__add_node(g, MARL__OP_linear, in, 3);
    if (!node) return -1;
    node->ints[0] = activation;
    marl__set_groups_from(g, node, weight);
    return marl__add_output(g, node, space, out, MARL__F32);
}

static void linear_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val x = node->in[0], weight = node->in[1], bias = node->in[2], dy = dout[0];
    if (node->ints[0] != MARL__IDENTITY) {
        marl__val in[] = {dy, node->out[0]};
        marl__node *chain = marl__add_node(g, MARL__OP_unary_grad, in, 2);
        if (!chain) return;
        chain->ints[0] = node->ints[0];
        dy = marl__add_output(g, chain, g->values[dy].space, g->values[dy].cols, MARL__F32);
    }
    if (g->status == MARL_OK && g->values[weight].wants_grad) {
        marl__val in[] = {dy, x, weight, bias};
        marl__node *grad = marl__add_node(g, MARL__OP_linear_grad, in, 4);
        marl__set_groups_from(g, grad, weight);
    }
    if (g->status == MARL_OK && g->values[x].wants_grad) {
        marl__val in[] = {dy, weight};
        marl__node *dx = marl__add_node(g, MARL__OP_linear_dx, in, 2);
        if (!dx) return;
        marl__set_groups_from(g, dx, weight);
        din[0] = marl__add_output(g, dx, g->values[x].space, g->values[x].cols, MARL__F32);
    }
}

const marl__op marl__op_linear = {"linear", MARL__ROWS, 0, linear_vjp, product_flops, 0};
const marl__op marl__op_linear_dx = {"linear_dx", MARL__ROWS, 0, NULL, product_flops, 0};
const marl__op marl__op_linear_grad = {"linear_grad", MARL__CHAINS, -1, NULL, product_flops, 0};
