/* SPDX-License-Identifier: Apache-2.0 */
/* merge_heads: several heads become one, each column with learned shares (HPN, Hao et al. 2023): z holds a block of C
 * columns a head, p a number for each head, or for each head and column:
 *   y_c = sum_i s_ic z_ic,   s = softmax of p over the heads
 * With D_ic = sum over rows of dy_c z_ic:  dz_ic = s_ic dy_c    dp_ic = s_ic (D_ic - sum_j s_jc D_jc), summed over the
 * columns that share p_i. */
#include "core/ops/ops.h"

static marl__node *add_heads_node(marl__graph *g, int32_t op, const marl__val *in, int32_t in_count, int32_t p,
                                  int32_t heads) {
    marl__node *node = g->status == MARL_OK ? marl__add_node(g, op, in, in_count) : NULL;
    if (!node) return NULL;
    node->ints[0] = heads;
    marl__set_groups_from(g, node, in[p]);
    return node;
}

marl__val marl__merge_heads(marl__graph *g, marl__val z, marl__val p, int32_t heads) {
    if (!marl__check_cols(g, "merge_heads", "z", z, 0)) return -1;
    if (!marl__check_value(g, "merge_heads", "the heads' numbers", p)) return -1;
    int32_t space = g->values[z].space, cols = g->values[z].cols;
    const marl__param *param = marl__param_of(g, p);
    if (heads < 1 || heads > MARL__HEADS || cols % heads != 0)
        return marl__graph_error(g, MARL_E_SHAPE, "merge_heads: %d heads in %d columns, 1 to %d", (int)heads,
                                 (int)cols, (int)MARL__HEADS);
    int32_t numbers = param && param->rows == heads ? heads : cols;
    if (!marl__check_param(g, "merge_heads", "the heads' numbers", p, numbers, 1, space)) return -1;
    const marl__val in[] = {z, p};
    marl__node *node = add_heads_node(g, MARL__OP_merge_heads, in, 2, 1, heads);
    return node ? marl__add_output(g, node, space, cols / heads, MARL__F32) : -1;
}

static void merge_heads_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    marl__val z = node->in[0], p = node->in[1];
    if (g->values[p].wants_grad) {
        const marl__val in[] = {dout[0], z, p};
        add_heads_node(g, MARL__OP_merge_heads_param_grad, in, 3, 2, node->ints[0]);
    }
    if (g->status != MARL_OK || !g->values[z].wants_grad) return;
    const marl__val in[] = {dout[0], p};
    int32_t space = g->values[z].space, cols = g->values[z].cols;
    marl__node *grad = add_heads_node(g, MARL__OP_merge_heads_grad, in, 2, 1, node->ints[0]);
    if (grad) din[0] = marl__add_output(g, grad, space, cols, MARL__F32);
}

static void merge_heads_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    const marl__val in[] = {din[0], node->in[0], node->in[1], din[1]};
    int32_t space = g->values[node->out[0]].space, cols = g->values[node->out[0]].cols;
    marl__node *tangent = add_heads_node(g, MARL__OP_merge_heads_jvp, in, 4, 2, node->ints[0]);
    if (tangent) dout[0] = marl__add_output(g, tangent, space, cols, MARL__F32);
}

const marl__op marl__op_merge_heads = {
    .name = "merge_heads", .cut = MARL__ROWS, .vjp = merge_heads_vjp, .jvp = merge_heads_jvp,
};
const marl__op marl__op_merge_heads_grad = {.name = "merge_heads_grad", .cut = MARL__ROWS};
const marl__op marl__op_merge_heads_param_grad = {
    .name = "merge_heads_param_grad", .cut = MARL__CHAINS, .primary = -1,
};
const marl__op marl__op_merge_heads_jvp = {.name = "merge_heads_jvp", .cut = MARL__ROWS};
