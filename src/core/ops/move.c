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

static void spread_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    (void)node;
    dout[0] = marl__spread(g, din[0]);
}

static void sum_agents_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    (void)node;
    dout[0] = marl__sum_agents(g, din[0]);
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

static int32_t columns_of(const marl__graph *g, const marl__node *node, int32_t first, int32_t end) {
    int32_t cols = 0;
    for (int32_t i = first; i < end; i++) cols += g->values[node->in[i]].cols;
    return cols;
}

/* Each run of neighbours that move is put together, then padded to the whole width. */
static void concat_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    int32_t count = node->in_count, cols = columns_of(g, node, 0, count);
    for (int32_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && din[end] >= 0;) end++;
        if (end == first) {
            end++;
            continue;
        }
        marl__val run = marl__concat(g, din + first, end - first);
        if (end - first < count) run = marl__pad(g, run, columns_of(g, node, 0, first), cols);
        dout[0] = marl__add_tangents(g, dout[0], run);
    }
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

static void slice_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = marl__slice(g, din[0], node->ints[0], node->ints[1]);
}

static void pad_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = marl__pad(g, din[0], node->ints[0], node->ints[1]);
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

static marl__val select_grad(marl__graph *g, marl__val dy, marl__val index, int32_t cols) {
    int32_t space = g->values[dy].space;
    marl__val in[] = {dy, index};
    marl__node *grad = marl__add_node(g, MARL__OP_select_grad, in, 2);
    if (!grad) return -1;
    grad->ints[0] = cols;
    return marl__add_output(g, grad, space, cols, MARL__F32);
}

static void select_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    din[0] = select_grad(g, dout[0], node->in[1], g->values[node->in[0]].cols);
}

static void select_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = marl__select(g, din[0], node->in[1]);
}

static void select_grad_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = select_grad(g, din[0], node->in[1], node->ints[0]);
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

static void sum_rows_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    (void)node;
    dout[0] = marl__sum_rows(g, din[0]);
}

static void spread_rows_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = marl__spread_rows(g, din[0], node->ints[0]);
}

#define MOVE(op) const marl__op marl__op_##op = {.name = #op, .cut = MARL__ROWS, .vjp = op##_vjp, .jvp = op##_jvp}
MOVE(spread);
MOVE(sum_agents);
MOVE(concat);
MOVE(slice);
MOVE(pad);
MOVE(select);
MOVE(spread_rows);
const marl__op marl__op_sum_rows = {
    .name = "sum_rows", .cut = MARL__WHOLE, .vjp = sum_rows_vjp, .jvp = sum_rows_jvp,
};
const marl__op marl__op_select_grad = {.name = "select_grad", .cut = MARL__ROWS, .jvp = select_grad_jvp};
const marl__op marl__op_one_hot = {.name = "one_hot", .cut = MARL__ROWS, .jvp = marl__constant_jvp};
const marl__op marl__op_agent_id = {.name = "agent_id", .cut = MARL__ROWS, .jvp = marl__constant_jvp};
const marl__op marl__op_argmax = {.name = "argmax", .cut = MARL__ROWS, .jvp = marl__constant_jvp};
