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

static void unary_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val x = node->in[0];
    if (!g->values[x].wants_grad) return;
    marl__val in[] = {dout[0], needs_input(node->ints[0]) ? x : node->out[0]};
    marl__node *grad = marl__add_node(g, MARL__OP_unary_grad, in, 2);
    if (!grad) return;
    grad->ints[0] = node->ints[0];
    grad->reals[0] = node->reals[0];
    din[0] = marl__add_output(g, grad, g->values[x].space, g->values[x].cols, MARL__F32);
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
static void extreme_vjp(marl__graph *g, const marl__node *node, marl__val dy, marl__val *din) {
    marl__val a = node->in[0], b = node->in[1];
    marl__val loser = node->ints[0] == MARL__MAX ? marl__binary(g, MARL__SUB, b, a) : marl__binary(g, MARL__SUB, a, b);
    marl__val in[] = {dy, loser};
    marl__node *grad = marl__add_node(g, MARL__OP_unary_grad, in, 2);
    if (!grad) return;
    grad->ints[0] = MARL__RELU;
    din[1] = marl__add_output(g, grad, g->values[a].space, g->values[a].cols, MARL__F32);
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

const marl__op marl__op_unary = {"unary", MARL__ROWS, 0, unary_vjp, NULL, 0};
const marl__op marl__op_unary_grad = {"unary_grad", MARL__ROWS, 0, NULL, NULL, 0};
const marl__op marl__op_binary = {"binary", MARL__ROWS, 0, binary_vjp, NULL, 0};
