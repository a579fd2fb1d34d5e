/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y = act(x W^T + b), W (K, out, in), with the activation in the product's epilogue; its two gradients.
 *
 * The K groups of a weight serve either the agents, each its own, or blocks of columns: where x is K times as wide as a
 * group is long, block k of a row goes through group k and gives block k of y. So K networks over the same rows are one
 * node a layer. Which it is follows from the widths; ints[1] of the node is the number of blocks, 0 for none.
 *
 * marl__linear_some, ints[2]: many rows of x are zero from end to end, as an agent's are who sees nobody. A second
 * output says which are not, so that the products, forward and backward, are made for these alone. */
#include "core/ops/ops.h"

static double product_flops(const marl__graph *g, const marl__node *node) {
    const marl__param *weight = marl__param_of(g, node->op == MARL__OP_linear_grad ? node->in[2] : node->in[1]);
    return 2.0 * weight->rows * weight->cols * (node->ints[1] ? node->ints[1] : 1);
}

/* Blocks that a value's columns are for a weight whose groups take `length` of them. */
static int32_t blocks_of(const marl__graph *g, marl__val value, marl__val weight, int32_t length) {
    const marl__param *w = marl__param_of(g, weight);
    return w && w->groups > 1 && g->values[value].cols == w->groups * length ? w->groups : 1;
}

static void set_groups(marl__graph *g, marl__node *node, marl__val weight, int32_t blocks) {
    if (!node) return;
    if (blocks > 1) node->ints[1] = blocks;
    else marl__set_groups_from(g, node, weight);
}

/* As marl__check_param, with the space that a weight or bias used in blocks is checked for: any will do. */
static int check_param(marl__graph *g, const char *what, marl__val param, int32_t rows, int32_t cols, int32_t blocks,
                       int32_t space) {
    return marl__check_param(g, "linear", what, param, rows, cols, blocks > 1 ? MARL__AGENT : space);
}

marl__val marl__linear(marl__graph *g, marl__val x, marl__val weight, marl__val bias, int32_t activation) {
    if (!marl__check_cols(g, "linear", "x", x, 0)) return -1;
    if (!marl__check_value(g, "linear", "weight", weight)) return -1;
    const marl__param *w = marl__param_of(g, weight);
    int32_t space = g->values[x].space, blocks = w ? blocks_of(g, x, weight, w->cols) : 1;
    if (!check_param(g, "weight", weight, 0, g->values[x].cols / blocks, blocks, space)) return -1;
    if (!w->is_weight) return marl__graph_error(g, MARL_E_SHAPE, "linear: \"%s\" is no weight", w->name);
    if (bias >= 0 && !check_param(g, "bias", bias, w->rows, 1, blocks, space)) return -1;
    if (bias >= 0 && marl__param_of(g, bias)->groups != w->groups)
        return marl__graph_error(g, MARL_E_SHAPE, "linear: bias \"%s\" has %d groups, weight \"%s\" %d",
                                 marl__param_of(g, bias)->name, (int)marl__param_of(g, bias)->groups, w->name,
                                 (int)w->groups);
    if (activation < 0 || activation >= MARL__FUSABLE_COUNT)
        return marl__graph_error(g, MARL_E_ARGUMENT, "linear: activation %d cannot be fused", (int)activation);
    int32_t out = w->rows * blocks;
    marl__val in[] = {x, weight, bias};
    marl__node *node = marl__add_node(g, MARL__OP_linear, in, 3);
    if (!node) return -1;
    node->ints[0] = activation;
    set_groups(g, node, weight, blocks);
    return marl__add_output(g, node, space, out, MARL__F32);
}

marl__val marl__linear_some(marl__graph *g, marl__val x, marl__val weight) {
    marl__val y = marl__linear(g, x, weight, -1, MARL__IDENTITY);
    if (g->status != MARL_OK) return -1;
    marl__node *node = &g->nodes[g->node_count - 1];
    if (node->ints[1]) return y;
    node->ints[2] = 1;
    return marl__add_output(g, node, g->values[x].space, 1, MARL__I32) < 0 ? -1 : y;
}

/* some: -1, or which rows of the product's x are not zero; the others get no gradient. */
static marl__val linear_dx(marl__graph *g, marl__val dy, marl__val weight, marl__val some) {
    if (g->status != MARL_OK) return -1;
    const marl__param *w = marl__param_of(g, weight);
    int32_t space = g->values[dy].space, blocks = blocks_of(g, dy, weight, w->rows), cols = w->cols * blocks;
    marl__val in[] = {dy, weight, some};
    marl__node *node = marl__add_node(g, MARL__OP_linear_dx, in, 3);
    if (!node) return -1;
    node->ints[2] = some >= 0;
    set_groups(g, node, weight, blocks);
    return marl__add_output(g, node, space, cols, MARL__F32);
}

static void linear_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val x = node->in[0], weight = node->in[1], bias = node->in[2], dy = dout[0];
    marl__val some = node->ints[2] ? node->out[1] : -1;
    if (node->ints[0] != MARL__IDENTITY) dy = marl__times_slope(g, node->ints[0], 1.0f, dy, node->out[0]);
    if (g->status == MARL_OK && g->values[weight].wants_grad) {
        marl__val in[] = {dy, x, weight, bias, some};
        marl__node *grad = marl__add_node(g, MARL__OP_linear_grad, in, 5);
        if (grad) grad->ints[2] = some >= 0;
        set_groups(g, grad, weight, node->ints[1] ? node->ints[1] : 1);
    }
    if (g->status == MARL_OK && g->values[x].wants_grad) din[0] = linear_dx(g, dy, weight, some);
}

marl__val marl__linear_param_tangent(marl__graph *g, marl__val x, marl__val weight, marl__val dweight,
                                     marl__val dbias) {
    if (dweight >= 0) return marl__linear(g, x, dweight, dbias, MARL__IDENTITY);
    if (dbias < 0) return -1;
    return marl__linear(g, marl__affine(g, x, 0.0f, 0.0f), weight, dbias, MARL__IDENTITY); /* every row is the bias */
}

/* y' = act'(y) (x' W^T + x W'^T + b'). */
static void linear_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val x = node->in[0], weight = node->in[1], bias = din[1] < 0 ? din[2] : -1, sum = -1;
    if (din[0] >= 0) sum = marl__linear(g, din[0], weight, bias, MARL__IDENTITY);
    if (din[0] < 0 || din[1] >= 0)
        sum = marl__add_tangents(g, sum, marl__linear_param_tangent(g, x, weight, din[1], din[2]));
    dout[0] = node->ints[0] == MARL__IDENTITY ? sum : marl__times_slope(g, node->ints[0], 1.0f, sum, node->out[0]);
}

static void linear_dx_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val by_dy = din[0] < 0 ? -1 : linear_dx(g, din[0], node->in[1], node->in[2]);
    dout[0] = marl__add_tangents(g, by_dy, din[1] < 0 ? -1 : linear_dx(g, node->in[0], din[1], node->in[2]));
}

const marl__op marl__op_linear = {
    .name = "linear", .cut = MARL__ROWS, .vjp = linear_vjp, .jvp = linear_jvp, .flops = product_flops,
};
const marl__op marl__op_linear_dx = {
    .name = "linear_dx", .cut = MARL__ROWS, .jvp = linear_dx_jvp, .flops = product_flops,
};
const marl__op marl__op_linear_grad = {
    .name = "linear_grad", .cut = MARL__CHAINS, .primary = -1, .flops = product_flops,
};
