/* SPDX-License-Identifier: Apache-2.0 */
/* Divergences between an old policy and the present one, a row each, and the products with their second derivative
 * where both are the same policy, which trust-region steps take (Kakade 2002; Schulman et al. 2015).
 *
 * With k(d) = exp(d) - 1 - d and d = new - old log-probability of an action:
 *   KL_EXACT       sum_a p_a k(d_a), p of the old policy; it equals sum_a p_a (-d_a), since both policies sum to
 *                  one, and loses no digits where they are close
 *   KL_UNWEIGHTED  sum_a k(d_a), the form HARL's settings are tuned to
 * and for normals, with d = 2 log(old sigma / sigma):
 *   gaussian_kl    sum over dimensions of k(d) / 2 + (old mean - mean)^2 / (2 sigma^2)
 *
 * fisher_rows multiplies a tangent v of what a distribution is made from with F, row by row:
 *   FISHER_EXACT       logits: (diag(p) - p p^T) v
 *   FISHER_UNWEIGHTED  logits: G^T G v with G = I - 1 p^T, where the columns of masked logits are dropped and their
 *                      rows are kept: their log-probabilities move with the normaliser
 *   FISHER_MEAN        v / sigma^2
 *   FISHER_SIGMA       2 v / sigma^2; tangent and result are ONE row, so scale carries the number of rows
 * The old policy is a constant of a divergence. */
#include "core/ops/ops.h"

marl__val marl__categorical_kl(marl__graph *g, int32_t kind, marl__val old, marl__val now) {
    if (!marl__check_cols(g, "categorical_kl", "old", old, 0)) return -1;
    int32_t space = g->values[old].space;
    if (!marl__check_like(g, "categorical_kl", "now", now, space, g->values[old].cols)) return -1;
    marl__val in[] = {old, now};
    marl__node *node = marl__add_node(g, MARL__OP_categorical_kl, in, 2);
    if (!node) return -1;
    node->ints[0] = kind;
    return marl__add_output(g, node, space, 1, MARL__F32);
}

static void categorical_kl_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val now = node->in[1], in[] = {dout[0], node->in[0], now};
    int32_t space = g->values[now].space, cols = g->values[now].cols;
    if (!g->values[now].wants_grad) return;
    marl__node *grad = marl__add_node(g, MARL__OP_categorical_kl_grad, in, 3);
    if (!grad) return;
    grad->ints[0] = node->ints[0];
    din[1] = marl__add_output(g, grad, space, cols, MARL__F32);
}

marl__val marl__gaussian_kl(marl__graph *g, marl__val old_mean, marl__val old_sigma, marl__val mean, marl__val sigma) {
    if (!marl__check_cols(g, "gaussian_kl", "mean", mean, 0)) return -1;
    int32_t space = g->values[mean].space, cols = g->values[mean].cols;
    if (!marl__check_like(g, "gaussian_kl", "old mean", old_mean, space, cols)) return -1;
    if (!marl__check_like(g, "gaussian_kl", "old sigma", old_sigma, MARL__ONE, cols)) return -1;
    if (!marl__check_like(g, "gaussian_kl", "sigma", sigma, MARL__ONE, cols)) return -1;
    marl__val in[] = {old_mean, old_sigma, mean, sigma};
    marl__node *node = marl__add_node(g, MARL__OP_gaussian_kl, in, 4);
    return node ? marl__add_output(g, node, space, 1, MARL__F32) : -1;
}

static void gaussian_kl_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val mean = node->in[2], sigma = node->in[3], in[] = {dout[0], node->in[0], node->in[1], mean, sigma};
    int32_t space = g->values[mean].space, cols = g->values[mean].cols;
    marl__node *grad = marl__add_node(g, MARL__OP_gaussian_kl_grad, in, 5);
    if (!grad) return;
    int32_t at = g->node_count - 1;
    marl__val dmean = marl__add_output(g, grad, space, cols, MARL__F32);
    marl__val dsigma = marl__add_output(g, &g->nodes[at], space, cols, MARL__F32);
    if (g->status != MARL_OK) return;
    if (g->values[mean].wants_grad) din[2] = dmean;
    if (g->values[sigma].wants_grad) din[3] = marl__sum_rows(g, dsigma);
}

marl__val marl__fisher_rows(marl__graph *g, int32_t kind, marl__val tangent, marl__val dist, marl__val mask,
                            marl__val scale) {
    int32_t is_categorical = kind == MARL__FISHER_EXACT || kind == MARL__FISHER_UNWEIGHTED;
    if (!marl__check_cols(g, "fisher_rows", "tangent", tangent, 0)) return -1;
    int32_t space = g->values[tangent].space, cols = g->values[tangent].cols;
    if (!marl__check_like(g, "fisher_rows", is_categorical ? "the log-probabilities" : "sigma", dist,
                          is_categorical ? space : MARL__ONE, cols))
        return -1;
    if (kind == MARL__FISHER_SIGMA && space != MARL__ONE)
        return marl__graph_error(g, MARL_E_SHAPE, "fisher_rows: a tangent of sigma is one row");
    if (mask >= 0 && !marl__check_like(g, "fisher_rows", "mask", mask, space, cols)) return -1;
    if (!marl__check_like(g, "fisher_rows", "scale", scale, MARL__ONE, 1)) return -1;
    marl__val in[] = {tangent, dist, mask, scale};
    marl__node *node = marl__add_node(g, MARL__OP_fisher_rows, in, 4);
    if (!node) return -1;
    node->ints[0] = kind;
    return marl__add_output(g, node, space, cols, MARL__F32);
}

const marl__op marl__op_categorical_kl = {.name = "categorical_kl", .cut = MARL__ROWS, .vjp = categorical_kl_vjp};
const marl__op marl__op_categorical_kl_grad = {.name = "categorical_kl_grad", .cut = MARL__ROWS};
const marl__op marl__op_gaussian_kl = {.name = "gaussian_kl", .cut = MARL__ROWS, .vjp = gaussian_kl_vjp};
const marl__op marl__op_gaussian_kl_grad = {.name = "gaussian_kl_grad", .cut = MARL__ROWS, .needed_outputs = 1};
const marl__op marl__op_fisher_rows = {.name = "fisher_rows", .cut = MARL__ROWS};
