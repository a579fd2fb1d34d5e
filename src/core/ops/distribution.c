/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions of actions.
 *
 * categorical: log-probabilities u - log sum exp u of logits u, and the entropy -sum p log p. Where a mask is 0 the
 * logit is replaced by -1e10 (not added to it), so no gradient reaches it and p is 0 there; its log-probability, about
 * -1e10, still moves with the normaliser, as the Gauss-Newton product of the unweighted divergence wants it.
 *
 * gaussian: independent normals with one standard deviation a dimension for all rows. The log-density stays apart by
 * dimension, because ratios are aggregated in more than one way; the entropy is summed over dimensions.
 *
 * param_row lifts a parameter to a value of one row, so that what is made of it there (see marl__sigma) is ordinary
 * arithmetic with derivatives both ways. */
#include "core/ops/ops.h"

/* The rows and columns of one node with outputs (cols) and (1). */
static marl__val two_outputs(marl__graph *g, marl__node *node, int32_t space, int32_t cols, marl__val *out_second) {
    if (!node) return -1;
    int32_t at = (int32_t)(node - g->nodes);
    marl__val first = marl__add_output(g, node, space, cols, MARL__F32);
    marl__val second = first < 0 ? -1 : marl__add_output(g, &g->nodes[at], space, 1, MARL__F32);
    if (out_second) *out_second = second;
    return first;
}

/* ---- categorical ---- */

marl__val marl__categorical(marl__graph *g, marl__val logits, marl__val mask, marl__val *out_entropy) {
    if (out_entropy) *out_entropy = -1;
    if (!marl__check_cols(g, "categorical", "logits", logits, 0)) return -1;
    int32_t space = g->values[logits].space, cols = g->values[logits].cols;
    if (mask >= 0 && !marl__check_like(g, "categorical", "mask", mask, space, cols)) return -1;
    marl__val in[] = {logits, mask};
    return two_outputs(g, marl__add_node(g, MARL__OP_categorical, in, 2), space, cols, out_entropy);
}

static void categorical_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val logp = node->out[0], in[] = {dout[0], dout[1], logp, node->in[1]};
    int32_t space = g->values[logp].space, cols = g->values[logp].cols;
    if (!g->values[node->in[0]].wants_grad) return;
    marl__node *grad = marl__add_node(g, MARL__OP_categorical_grad, in, 4);
    if (grad) din[0] = marl__add_output(g, grad, space, cols, MARL__F32);
}

static void categorical_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val logp = node->out[0], in[] = {din[0], logp, node->in[1]};
    int32_t space = g->values[logp].space, cols = g->values[logp].cols;
    if (din[0] < 0) return;
    dout[0] = two_outputs(g, marl__add_node(g, MARL__OP_categorical_jvp, in, 3), space, cols, &dout[1]);
}

/* ---- a parameter as a row ---- */

marl__val marl__param_row(marl__graph *g, marl__val param) {
    if (!marl__check_param(g, "param_row", "parameter", param, 0, 1, MARL__ONE)) return -1;
    int32_t cols = marl__param_of(g, param)->rows;
    marl__node *node = marl__add_node(g, MARL__OP_param_row, &param, 1);
    return node ? marl__add_output(g, node, MARL__ONE, cols, MARL__F32) : -1;
}

static void param_row_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val in[] = {dout[0], node->in[0]};
    (void)din;
    if (g->values[node->in[0]].wants_grad) marl__add_node(g, MARL__OP_param_row_grad, in, 2);
}

static void param_row_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    (void)node;
    dout[0] = marl__param_row(g, din[0]);
}

marl__val marl__sigma(marl__graph *g, marl__val param, int32_t kind, float x, float y) {
    marl__val row = marl__param_row(g, param);
    if (kind == MARL__SIGMA_EXP) return marl__unary(g, MARL__EXP, row);
    return marl__affine(g, marl__unary(g, MARL__SIGMOID, marl__affine(g, row, 1.0f / x, 0.0f)), y, 0.0f);
}

/* ---- gaussian ---- */

marl__val marl__gaussian(marl__graph *g, marl__val mean, marl__val sigma, marl__val action, marl__val *out_entropy) {
    if (out_entropy) *out_entropy = -1;
    if (!marl__check_cols(g, "gaussian", "mean", mean, 0)) return -1;
    int32_t space = g->values[mean].space, cols = g->values[mean].cols;
    if (!marl__check_like(g, "gaussian", "sigma", sigma, MARL__ONE, cols)) return -1;
    if (!marl__check_like(g, "gaussian", "action", action, space, cols)) return -1;
    marl__val in[] = {mean, sigma, action};
    return two_outputs(g, marl__add_node(g, MARL__OP_gaussian, in, 3), space, cols, out_entropy);
}

/* sigma is one row for all, so its gradient is the sum over rows. The action is data. */
static void gaussian_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val mean = node->in[0], sigma = node->in[1], in[] = {dout[0], dout[1], mean, sigma, node->in[2]};
    int32_t space = g->values[mean].space, cols = g->values[mean].cols;
    marl__node *grad = marl__add_node(g, MARL__OP_gaussian_grad, in, 5);
    if (!grad) return;
    int32_t at = g->node_count - 1;
    marl__val dmean = marl__add_output(g, grad, space, cols, MARL__F32);
    marl__val dsigma = marl__add_output(g, &g->nodes[at], space, cols, MARL__F32);
    if (g->status != MARL_OK) return;
    if (g->values[mean].wants_grad) din[0] = dmean;
    if (g->values[sigma].wants_grad) din[1] = marl__sum_rows(g, dsigma);
}

static void gaussian_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    marl__val mean = node->in[0], in[] = {din[0], din[1], mean, node->in[1], node->in[2]};
    int32_t space = g->values[mean].space, cols = g->values[mean].cols;
    if (din[0] < 0 && din[1] < 0) return;
    dout[0] = two_outputs(g, marl__add_node(g, MARL__OP_gaussian_jvp, in, 5), space, cols, &dout[1]);
}

const marl__op marl__op_categorical = {
    .name = "categorical", .cut = MARL__ROWS, .vjp = categorical_vjp, .jvp = categorical_jvp, .needed_outputs = 1,
};
const marl__op marl__op_categorical_grad = {.name = "categorical_grad", .cut = MARL__ROWS};
const marl__op marl__op_categorical_jvp = {.name = "categorical_jvp", .cut = MARL__ROWS, .needed_outputs = 1};
const marl__op marl__op_param_row = {
    .name = "param_row", .cut = MARL__WHOLE, .vjp = param_row_vjp, .jvp = param_row_jvp,
};
const marl__op marl__op_param_row_grad = {.name = "param_row_grad", .cut = MARL__WHOLE};
const marl__op marl__op_gaussian = {
    .name = "gaussian", .cut = MARL__ROWS, .vjp = gaussian_vjp, .jvp = gaussian_jvp, .needed_outputs = 1,
};
const marl__op marl__op_gaussian_grad = {.name = "gaussian_grad", .cut = MARL__ROWS, .needed_outputs = 1};
const marl__op marl__op_gaussian_jvp = {.name = "gaussian_jvp", .cut = MARL__ROWS, .needed_outputs = 1};
