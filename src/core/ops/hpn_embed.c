/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_embed: the input half of a hypernetwork (HPN, Hao et al. 2023) without the weights it would generate.
 *
 * An entity with features x (k) makes its own weight W(x) = reshape(W2 z + b2), z = act(W x + b) (d), and the layer's
 * output is the sum over entities of x^T W(x). Both are linear in x (outer) z and x, so these are summed first and one
 * linear layer follows for all entities together, whose weight is (W2, b2) regrouped:
 *   out = [ sum_e x_e z_e^T  (k rows of d) | sum_e x_e ]
 * An entity whose features are all zero adds nothing, which is how absent ones are written: the number of entities is
 * data up to the capacity `count`, without a mask. z is computed anew for the gradients: that is cheaper than to write
 * and read it, 4 d bytes an entity.
 *
 * With G (k,d) and s (k) the two parts of dy, and u = act'(z) o (sum_c x_c G_c) for an entity:
 *   dW = sum u x^T     db = sum u     dx = G z + s + W^T u */
#include "core/ops/ops.h"

int marl__check_entities(marl__graph *g, const char *op, const marl__val *in, int32_t first, int32_t count,
                         int32_t activation) {
    if (!marl__check_like(g, op, "obs", in[0], MARL__AGENT, 0)) return 0;
    if (!marl__check_value(g, op, "the hidden layer's weight", in[1])) return 0;
    const marl__param *w = marl__param_of(g, in[1]);
    int32_t k = w ? w->cols : 1, d = w ? w->rows : 1;
    if (!marl__check_param(g, op, "the hidden layer's weight", in[1], d, k, MARL__AGENT)) return 0;
    if (!marl__check_param(g, op, "the hidden layer's bias", in[2], d, 1, MARL__AGENT)) return 0;
    if (!w->is_weight) marl__graph_error(g, MARL_E_SHAPE, "%s: \"%s\" is no weight", op, w->name);
    else if (activation < 0 || activation >= MARL__FUSABLE_COUNT)
        marl__graph_error(g, MARL_E_ARGUMENT, "%s: activation %d cannot be fused", op, (int)activation);
    else if (first < 0 || count < 1 || (int64_t)first + (int64_t)count * k > g->values[in[0]].cols)
        marl__graph_error(g, MARL_E_SHAPE, "%s: %d entities of %d features from column %d on do not fit %d columns", op,
                          (int)count, (int)k, (int)first, (int)g->values[in[0]].cols);
    return g->status == MARL_OK;
}

marl__node *marl__add_entity_node(marl__graph *g, int32_t op, const marl__val *in, int32_t in_count, int32_t weight,
                                  const int32_t *ints) {
    marl__node *node = g->status == MARL_OK ? marl__add_node(g, op, in, in_count) : NULL;
    if (!node) return NULL;
    for (int32_t i = 0; i < 3; i++) node->ints[i] = ints[i];
    marl__set_groups_from(g, node, in[weight]);
    return node;
}

static double embed_flops(const marl__graph *g, const marl__node *node) {
    int32_t op = node->op, weight = op == MARL__OP_hpn_embed ? 1 : op == MARL__OP_hpn_embed_jvp ? 4 : 2;
    const marl__param *w = marl__param_of(g, node->in[weight]);
    return (op == MARL__OP_hpn_embed ? 4.0 : op == MARL__OP_hpn_embed_grad ? 6.0 : 8.0) * w->rows * w->cols *
           node->ints[1];
}

static marl__val add_embed_output(marl__graph *g, marl__node *node, marl__val weight) {
    const marl__param *w = marl__param_of(g, weight);
    int64_t cols = ((int64_t)w->rows + 1) * w->cols;
    if (!node) return -1;
    if (cols > INT32_MAX) return marl__graph_error(g, MARL_E_SHAPE, "hpn_embed: %lld columns", (long long)cols);
    return marl__add_output(g, node, MARL__AGENT, (int32_t)cols, MARL__F32);
}

marl__val marl__hpn_embed(marl__graph *g, marl__val obs, marl__val w, marl__val b, int32_t first, int32_t count,
                          int32_t activation) {
    const marl__val in[] = {obs, w, b};
    const int32_t ints[] = {first, count, activation};
    if (!marl__check_entities(g, "hpn_embed", in, first, count, activation)) return -1;
    return add_embed_output(g, marl__add_entity_node(g, MARL__OP_hpn_embed, in, 3, 1, ints), w);
}

static void hpn_embed_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val obs = node->in[0], w = node->in[1], b = node->in[2];
    const marl__val in[] = {dout[0], obs, w, b};
    if (g->values[w].wants_grad) marl__add_entity_node(g, MARL__OP_hpn_embed_grad, in, 4, 2, node->ints);
    if (g->status != MARL_OK || !g->values[obs].wants_grad) return;
    marl__node *dx = marl__add_entity_node(g, MARL__OP_hpn_embed_dx, in, 4, 2, node->ints);
    if (dx) din[0] = marl__add_output(g, dx, MARL__AGENT, g->values[obs].cols, MARL__F32);
}

static void hpn_embed_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    const marl__val in[] = {din[0], din[1], din[2], node->in[0], node->in[1], node->in[2]};
    dout[0] = add_embed_output(g, marl__add_entity_node(g, MARL__OP_hpn_embed_jvp, in, 6, 4, node->ints), node->in[1]);
}

const marl__op marl__op_hpn_embed = {
    .name = "hpn_embed", .cut = MARL__ROWS, .vjp = hpn_embed_vjp, .jvp = hpn_embed_jvp, .flops = embed_flops,
};
const marl__op marl__op_hpn_embed_dx = {.name = "hpn_embed_dx", .cut = MARL__ROWS, .flops = embed_flops};
const marl__op marl__op_hpn_embed_grad = {
    .name = "hpn_embed_grad", .cut = MARL__CHAINS, .primary = -1, .flops = embed_flops,
};
const marl__op marl__op_hpn_embed_jvp = {.name = "hpn_embed_jvp", .cut = MARL__ROWS, .flops = embed_flops};
