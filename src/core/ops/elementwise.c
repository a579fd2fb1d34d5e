/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one and two values, element by element. */
#include "core/ops/ops.h"

marl__val marl__unary(marl__graph *g, int32_t kind, marl__val x) {
    if (!marl__check_cols(g, "unary", "x", x, 0)) return -1;
    if (kind < 0 || kind >= MARL__UNARY_COUNT)
        return marl__graph_error(g, MARL_E_ARGUMENT, "unary: no function %d", (int)kind);
    int32_t space = g->values[x].space, cols = g->values[x].cols;
    marl__node *node = marl__add_node(g, MARL__OP_unary, &x, 1);
    if (!node) return -1;
    node->ints[0] = kind;
    node->reals[0] = 1.0f;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

marl__val marl__affine(marl__graph *g, marl__val x, float factor, float shift) {
    marl__val y = marl__unary(g, MARL__AFFINE, x);
    if (y < 0) return -1;
    g->nodes[g->values[y].node].reals[0] = factor;
    g->nodes[g->values[y].node].reals[1] = shift;
    return y;
}

/* Kinds whose derivative is computed from x rather than from the value. */
static int needs_input(int32_t kind) {
    return kind == MARL__ABS || kind == MARL__SQUARE || kind == MARL__LOG;
}

marl__val marl__times_slope(marl__graph *g, int32_t kind, float factor, marl__val d, marl__val at) {
    if (d < 0 || at < 0) return -1;
    int32_t space = g->values[at].space, cols = g->values[at].cols;
    marl__val in[] = {d, at};
    marl__node *node = marl__add_node(g, MARL__OP_unary_grad, in, 2);
    if (!node) return -1;
    node->ints[0] = kind;
    node->reals[0] = factor;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

/* The derivative is a diagonal, so both modes do the same. */
static marl__val through_unary(marl__graph *g, const marl__node *node, marl__val d) {
    return marl__times_slope(g, node->ints[0], node->reals[0], d,
                             needs_input(node->ints[0]) ? node->in[0] : node->out[0]);
}

static void unary_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    if (g->values[node->in[0]].wants_grad) din[0] = through_unary(g, node, dout[0]);
}

static void unary_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    dout[0] = through_unary(g, node, din[0]);
}

marl__val marl__binary(marl__graph *g, int32_t kind, marl__val a, marl__val b) {
    if (!marl__check_cols(g, "binary", "a", a, 0)) return -1;
    if (kind < 0 || kind >= MARL__BINARY_COUNT)
        return marl__graph_error(g, MARL_E_ARGUMENT, "binary: no function %d", (int)kind);
    int32_t space = g->values[a].space, cols = g->values[a].cols;
    if (!marl__check_like(g, "binary", "b", b, space, cols)) return -1;
    marl__val in[] = {a, b};
    marl__node *node = marl__add_node(g, MARL__OP_binary, in, 2);
    if (!node) return -1;
    node->ints[0] = kind;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

static void divide_vjp(marl__graph *g, const marl__node *node, marl__val dy, marl__val *din) {
    marl__val b = node->in[1], quotient = node->out[0];
    marl__val da = marl__binary(g, MARL__DIV, dy, b);
    if (g->status == MARL_OK && g->values[b].wants_grad)
        din[1] = marl__unary(g, MARL__NEG, marl__binary(g, MARL__MUL, da, quotient));
    din[0] = da;
}

/* MAX and MIN pass the gradient to the greater (smaller) one, to a when equal: a and b are compared through the sign
 * of their difference, which relu's gradient of a fused value gives. */
static marl__val where_b_wins(marl__graph *g, const marl__node *node, marl__val d) {
    marl__val a = node->in[0], b = node->in[1];
    int is_max = node->ints[0] == MARL__MAX;
    return marl__times_slope(g, MARL__RELU, 1.0f, d, marl__binary(g, MARL__SUB, is_max ? b : a, is_max ? a : b));
}

static void extreme_vjp(marl__graph *g, const marl__node *node, marl__val dy, marl__val *din) {
    din[1] = where_b_wins(g, node, dy);
    din[0] = marl__binary(g, MARL__SUB, dy, din[1]);
}

static void binary_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val a = node->in[0], b = node->in[1], dy = dout[0];
    switch (node->ints[0]) {
    case MARL__ADD:
        din[0] = din[1] = dy;
        break;
    case MARL__SUB:
        din[0] = dy;
        if (g->values[b].wants_grad) din[1] = marl__unary(g, MARL__NEG, dy);
        break;
    case MARL__MUL:
        if (g->values[a].wants_grad) din[0] = marl__binary(g, MARL__MUL, dy, b);
        if (g->values[b].wants_grad) din[1] = marl__binary(g, MARL__MUL, dy, a);
        break;
    case MARL__DIV:
        divide_vjp(g, node, dy, din);
        break;
    default:
        extreme_vjp(g, node, dy, din);
    }
}

/* Sums and differences of tangents of which one may stand still. */
marl__val marl__add_tangents(marl__graph *g, marl__val a, marl__val b) {
    if (a < 0 || b < 0) return a < 0 ? b : a;
    return marl__binary(g, MARL__ADD, a, b);
}

static marl__val subtract_tangents(marl__graph *g, marl__val a, marl__val b) {
    if (b < 0) return a;
    return a < 0 ? marl__unary(g, MARL__NEG, b) : marl__binary(g, MARL__SUB, a, b);
}

static marl__val times(marl__graph *g, marl__val tangent, marl__val factor) {
    return tangent < 0 ? -1 : marl__binary(g, MARL__MUL, tangent, factor);
}

static void binary_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val a = node->in[0], b = node->in[1], da = din[0], db = din[1];
    switch (node->ints[0]) {
    case MARL__ADD:
        dout[0] = marl__add_tangents(g, da, db);
        break;
    case MARL__SUB:
        dout[0] = subtract_tangents(g, da, db);
        break;
    case MARL__MUL:
        da = times(g, da, b);
        dout[0] = marl__add_tangents(g, da, times(g, db, a));
        break;
    case MARL__DIV:
        dout[0] = marl__binary(g, MARL__DIV, subtract_tangents(g, da, times(g, db, node->out[0])), b);
        break;
    default:
        dout[0] = marl__add_tangents(g, da, where_b_wins(g, node, subtract_tangents(g, db, da)));
    }
}

const marl__op marl__op_unary = {.name = "unary", .cut = MARL__ROWS, .vjp = unary_vjp, .jvp = unary_jvp};
const marl__op marl__op_unary_grad = {.name = "unary_grad", .cut = MARL__ROWS};
const marl__op marl__op_binary = {.name = "binary", .cut = MARL__ROWS, .vjp = binary_vjp, .jvp = binary_jvp};
