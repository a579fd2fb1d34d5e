/* SPDX-License-Identifier: Apache-2.0 */
/* The losses of policy gradients, summed over rows with weights.
 *
 * policy_loss. Per row, with A the advantage, f the factor (1 where absent), w the weight, H the entropy:
 *   r = prod_d exp(logp_d - recorded_d)  or, RATIO_MEAN, the mean over dimensions of exp(logp_d - recorded_d)
 *   s = min(r A, clip(r, 1 - c, 1 + c) A)   SURROGATE_CLIPPED (Schulman et al. 2017)
 *       r A                                 SURROGATE_RATIO
 *       A sum_d logp_d                      SURROGATE_LOG, which has no recorded side
 *   loss = scale sum w (-f s - entropy_coefficient H)
 * Columns of the result: loss; -scale sum w f s; scale sum w H; scale sum w [r outside 1 -+ c]; scale sum w r. With
 * scale = 1 / sum w they are means. f stands outside the clip: it is the product of other agents' ratios (HAPPO, Kuba
 * et al. 2022), which nobody bounds here.
 *
 * value_loss. e = target - value, e' = target - (recorded + clip(value - recorded, -c, c)), l(e) = e^2 / 2, or with a
 * delta > 0 the Huber loss, delta (|e| - delta / 2) beyond it:
 *   loss = scale sum w max(l(e), l(e'))     without recorded values: l(e)
 * Columns: loss; scale sum w |e|; scale sum w value; scale sum w target; scale sum w [|value - recorded| > c].
 *
 * Only the first column is a loss; it is differentiated with seed 1 (a loss is an end). What is not a network's output
 * is a constant of it. */
#include "core/ops/ops.h"

static int check_policy_terms(marl__graph *g, int32_t kind, const marl__policy_terms *t) {
    const char *op = "policy_loss";
    if (!marl__check_cols(g, op, "logp", t->logp, 0)) return 0;
    int32_t space = g->values[t->logp].space, dims = g->values[t->logp].cols;
    if (kind != MARL__SURROGATE_LOG && !marl__check_like(g, op, "recorded", t->recorded, space, dims)) return 0;
    if (!marl__check_like(g, op, "advantage", t->advantage, space, 1)) return 0;
    if (t->factor >= 0 && !marl__check_like(g, op, "factor", t->factor, space, 1)) return 0;
    if (!marl__check_like(g, op, "weight", t->weight, space, 1)) return 0;
    if (t->entropy >= 0 && !marl__check_like(g, op, "entropy", t->entropy, space, 1)) return 0;
    return marl__check_like(g, op, "scalars", t->scalars, MARL__ONE, 3);
}

marl__val marl__policy_loss(marl__graph *g, int32_t kind, int32_t aggregation, const marl__policy_terms *terms) {
    if (!check_policy_terms(g, kind, terms)) return -1;
    marl__val recorded = kind == MARL__SURROGATE_LOG ? -1 : terms->recorded;
    marl__val in[] = {terms->logp,   recorded,       terms->advantage, terms->factor,
                      terms->weight, terms->entropy, terms->scalars};
    marl__node *node = marl__add_node(g, MARL__OP_policy_loss, in, 7);
    if (!node) return -1;
    node->ints[0] = kind;
    node->ints[1] = aggregation;
    return marl__add_output(g, node, MARL__ONE, 5, MARL__F32);
}

static void policy_loss_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val logp = node->in[0], entropy = node->in[5];
    int32_t space = g->values[logp].space, dims = g->values[logp].cols;
    (void)dout;
    marl__node *grad = marl__add_node(g, MARL__OP_policy_loss_grad, node->in, 7);
    if (!grad) return;
    int32_t at = g->node_count - 1;
    grad->ints[0] = node->ints[0];
    grad->ints[1] = node->ints[1];
    din[0] = marl__add_output(g, grad, space, dims, MARL__F32);
    marl__val dentropy = marl__add_output(g, &g->nodes[at], space, 1, MARL__F32);
    if (entropy >= 0) din[5] = dentropy;
}

marl__val marl__value_loss(marl__graph *g, marl__val value, marl__val recorded, marl__val target, marl__val weight,
                           marl__val scalars, float huber_delta) {
    const char *op = "value_loss";
    if (!marl__check_cols(g, op, "value", value, 1)) return -1;
    int32_t space = g->values[value].space;
    if (recorded >= 0 && !marl__check_like(g, op, "recorded", recorded, space, 1)) return -1;
    if (!marl__check_like(g, op, "target", target, space, 1)) return -1;
    if (!marl__check_like(g, op, "weight", weight, space, 1)) return -1;
    if (!marl__check_like(g, op, "scalars", scalars, MARL__ONE, 2)) return -1;
    marl__val in[] = {value, recorded, target, weight, scalars};
    marl__node *node = marl__add_node(g, MARL__OP_value_loss, in, 5);
    if (!node) return -1;
    node->reals[0] = huber_delta;
    return marl__add_output(g, node, MARL__ONE, 5, MARL__F32);
}

static void value_loss_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    int32_t space = g->values[node->in[0]].space;
    (void)dout;
    marl__node *grad = marl__add_node(g, MARL__OP_value_loss_grad, node->in, 5);
    if (!grad) return;
    grad->reals[0] = node->reals[0];
    din[0] = marl__add_output(g, grad, space, 1, MARL__F32);
}

const marl__op marl__op_policy_loss = {.name = "policy_loss", .cut = MARL__WHOLE, .vjp = policy_loss_vjp};
const marl__op marl__op_policy_loss_grad = {.name = "policy_loss_grad", .cut = MARL__ROWS, .needed_outputs = 1};
const marl__op marl__op_value_loss = {.name = "value_loss", .cut = MARL__WHOLE, .vjp = value_loss_vjp};
const marl__op marl__op_value_loss_grad = {.name = "value_loss_grad", .cut = MARL__ROWS};
