/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that move numbers: between row spaces, between columns, by index. */
#include "core/ops/ops.h"

static marl__val one_in(marl__graph *g, int32_t op, marl__val x, int32_t space, int32_t cols, int32_t type) {
    marl__node *node = marl__add_node(g, op, &x, 1);
    return node ? marl__add_output(g, node, space, cols, type) : -1;
}

marl__val marl__spread(marl__graph *g, marl__val x) {
    if (!marl__check_like(g, "spread", "x", x, MARL__TEAM, 0)) return -1;
    return one_in(g, MARL__OP_spread, x, MARL__AGENT, g->values[x].cols, MARL__F32);
}

marl__val marl__sum_agents(marl__graph *g, marl__val x) {
    if (!marl__check_like(g, "sum_agents", "x", x, MARL__AGENT, 0)) return -1;
    return one_in(g, MARL__OP_sum_agents, x, MARL__TEAM, g->values[x].cols, MARL__F32);
}

static void spread_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    (void)node;
    din[0] = marl__sum_agents(g, dout[0]);
}

static void sum_agents_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    (void)node;
    din[0] = marl__spread(g, dout[0]);
}

marl__val marl__concat(marl__graph *g, const marl__val *values, int32_t count) {
    if (g->status != MARL_OK) return -1;
    if (count < 1 || count > MARL__MAX_IN)
        return marl__graph_error(g, MARL_E_ARGUMENT, "concat of %d values, 1 to %d", (int)count, (int)MARL__MAX_IN);
    if (!marl__check_value(g, "concat", "the first value", values[0])) return -1;
    int32_t space = g->values[values[0]].space, cols = 0;
    for (int32_t i = 0; i < count; i++) {
        if (!marl__check_like(g, "concat", "a value", values[i], space, 0)) return -1;
        cols += g->values[values[i]].cols;
    }
    if (count == 1) return values[0];
    marl__node *node = marl__add_node(g, MARL__OP_concat, values, count);
    return node ? marl__add_output(g, node, space, cols, MARL__F32) : -1;
}

static void concat_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t first = 0;
    for (int32_t i = 0; i < node->in_count && g->status == MARL_OK; i++) {
        int32_t cols = g->values[node->in[i]].cols;
        if (g->values[node->in[i]].wants_grad) din[i] = marl__slice(g, dout[0], first, cols);
        first += cols;
    }
}

static marl__val cut(marl__graph *g, int32_t op, marl__val x, int32_t first, int32_t cols, int32_t out_cols) {
    int32_t space = g->values[x].space;
    marl__node *node = marl__add_node(g, op, &x, 1);
    if (!node) return -1;
    node->ints[0] = first;
    node->ints[1] = cols;
    return marl__add_output(g, node, space, out_cols, MARL__F32);
}

marl__val marl__slice(marl__graph *g, marl__val x, int32_t first, int32_t cols) {
    if (!marl__check_cols(g, "slice", "x", x, 0)) return -1;
    if (first < 0 || cols < 1 || first > g->values[x].cols - cols)
        return marl__graph_error(g, MARL_E_SHAPE, "slice: columns %d to %d of %d", (int)first, (int)(first + cols),
                                 (int)g->values[x].cols);
    return cut(g, MARL__OP_slice, x, first, cols, cols);
}

marl__val marl__pad(marl__graph *g, marl__val x, int32_t first, int32_t cols) {
    if (!marl__check_cols(g, "pad", "x", x, 0)) return -1;
    if (first < 0 || first > cols - g->values[x].cols)
        return marl__graph_error(g, MARL_E_SHAPE, "pad: %d columns at %d of %d", (int)g->values[x].cols, (int)first,
                                 (int)cols);
    return cut(g, MARL__OP_pad, x, first, cols, cols);
}

static void slice_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    din[0] = marl__pad(g, dout[0], node->ints[0], g->values[node->in[0]].cols);
}

static void pad_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    din[0] = marl__slice(g, dout[0], node->ints[0], g->values[node->in[0]].cols);
}

marl__val marl__one_hot(marl__graph *g, marl__val index, int32_t cols) {
    if (!marl__check_index(g, "one_hot", "index", index, -1)) return -1;
    int32_t space = g->values[index].space;
    marl__node *node = marl__add_node(g, MARL__OP_one_hot, &index, 1);
    if (!node) return -1;
    node->ints[0] = cols;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

marl__val marl__agent_id(marl__graph *g) {
    marl__node *node = marl__add_node(g, MARL__OP_agent_id, NULL, 0);
    return node ? marl__add_output(g, node, MARL__AGENT, g->agents, MARL__F32) : -1;
}

marl__val marl__select(marl__graph *g, marl__val x, marl__val index) {
    if (!marl__check_cols(g, "select", "x", x, 0)) return -1;
    int32_t space = g->values[x].space;
    if (!marl__check_index(g, "select", "index", index, space)) return -1;
    marl__val in[] = {x, index};
    marl__node *node = marl__add_node(g, MARL__OP_select, in, 2);
    return node ? marl__add_output(g, node, space, 1, MARL__F32) : -1;
}

static void select_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t space = g->values[node->in[0]].space, cols = g->values[node->in[0]].cols;
    marl__val in[] = {dout[0], node->in[1]};
    marl__node *grad = marl__add_node(g, MARL__OP_select_grad, in, 2);
    if (!grad) return;
    grad->ints[0] = cols;
    din[0] = marl__add_output(g, grad, space, cols, MARL__F32);
}

marl__val marl__argmax(marl__graph *g, marl__val x, marl__val mask) {
    if (!marl__check_cols(g, "argmax", "x", x, 0)) return -1;
    int32_t space = g->values[x].space;
    if (mask >= 0 && !marl__check_like(g, "argmax", "mask", mask, space, g->values[x].cols)) return -1;
    marl__val in[] = {x, mask};
    marl__node *node = marl__add_node(g, MARL__OP_argmax, in, 2);
    return node ? marl__add_output(g, node, space, 1, MARL__I32) : -1;
}

marl__val marl__sum_rows(marl__graph *g, marl__val x) {
    if (!marl__check_cols(g, "sum_rows", "x", x, 0)) return -1;
    return one_in(g, MARL__OP_sum_rows, x, MARL__ONE, g->values[x].cols, MARL__F32);
}

marl__val marl__spread_rows(marl__graph *g, marl__val x, int32_t space) {
    if (!marl__check_like(g, "spread_rows", "x", x, MARL__ONE, 0)) return -1;
    int32_t cols = g->values[x].cols;
    marl__node *node = marl__add_node(g, MARL__OP_spread_rows, &x, 1);
    if (!node) return -1;
    node->ints[0] = space;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

static void sum_rows_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    din[0] = marl__spread_rows(g, dout[0], g->values[node->in[0]].space);
}

static void spread_rows_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    (void)node;
    din[0] = marl__sum_rows(g, dout[0]);
}

const marl__op marl__op_spread = {"spread", MARL__ROWS, 0, spread_vjp, NULL, 0};
const marl__op marl__op_sum_agents = {"sum_agents", MARL__ROWS, 0, sum_agents_vjp, NULL, 0};
const marl__op marl__op_concat = {"concat", MARL__ROWS, 0, concat_vjp, NULL, 0};
const marl__op marl__op_slice = {"slice", MARL__ROWS, 0, slice_vjp, NULL, 0};
const marl__op marl__op_pad = {"pad", MARL__ROWS, 0, pad_vjp, NULL, 0};
const marl__op marl__op_one_hot = {"one_hot", MARL__ROWS, 0, NULL, NULL, 0};
const marl__op marl__op_agent_id = {"agent_id", MARL__ROWS, 0, NULL, NULL, 0};
const marl__op marl__op_select = {"select", MARL__ROWS, 0, select_vjp, NULL, 0};
const marl__op marl__op_select_grad = {"select_grad", MARL__ROWS, 0, NULL, NULL, 0};
const marl__op marl__op_argmax = {"argmax", MARL__ROWS, 0, NULL, NULL, 0};
const marl__op marl__op_sum_rows = {"sum_rows", MARL__WHOLE, 0, sum_rows_vjp, NULL, 0};
const marl__op marl__op_spread_rows = {"spread_rows", MARL__ROWS, 0, spread_rows_vjp, NULL, 0};
