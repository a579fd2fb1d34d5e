/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and loss of temporal differences over packed episodes. An episode of L transitions has slots 0..L; slot L
 * holds the final observation and nothing else.
 *   TD_LAMBDA (Sutton; in the form of PyMARL2): ret[L] = q[L] (1 - sum of terminated),
 *             ret[t] = lambda gamma ret[t+1] + mask[t] (r[t] + (1 - lambda) gamma q[t+1] (1 - terminated[t]))
 *   TD_N_STEP y[t] = sum_{k<m} gamma^k r[t+k] + gamma^m q[t+m] (1 - terminated[t+m-1]),  m = min(n, L - t)
 * Each row starts at its own L, so nothing leaks in from padding. The target of slot L is 0 and carries no weight. */
#include "core/ops/ops.h"

marl__val marl__td_target(marl__graph *g, marl__val q, marl__val reward, marl__val terminated, marl__val mask,
                          int32_t kind, int32_t n, float gamma, float lambda) {
    if (!marl__check_cols(g, "td_target", "q", q, 1)) return -1;
    int32_t space = g->values[q].space;
    if (space != MARL__TEAM && space != MARL__AGENT)
        return marl__graph_error(g, MARL_E_SHAPE, "td_target: values live in team or agent rows");
    if (!marl__check_like(g, "td_target", "reward", reward, space, 1)) return -1;
    if (!marl__check_like(g, "td_target", "terminated", terminated, space, 1)) return -1;
    if (!marl__check_like(g, "td_target", "mask", mask, space, 1)) return -1;
    marl__val in[] = {q, reward, terminated, mask};
    marl__node *node = marl__add_node(g, MARL__OP_td_target, in, 4);
    if (!node) return -1;
    node->ints[0] = kind;
    node->ints[1] = n;
    node->reals[0] = gamma;
    node->reals[1] = lambda;
    marl__val target = marl__add_output(g, node, space, 1, MARL__F32);
    if (target >= 0) g->values[target].wants_grad = 0; /* a target is a constant of the loss */
    return target;
}

marl__val marl__td_loss(marl__graph *g, marl__val q, marl__val target, marl__val mask, marl__val scale) {
    if (!marl__check_cols(g, "td_loss", "q", q, 1)) return -1;
    int32_t space = g->values[q].space;
    if (!marl__check_like(g, "td_loss", "target", target, space, 1)) return -1;
    if (!marl__check_like(g, "td_loss", "mask", mask, space, 1)) return -1;
    if (!marl__check_like(g, "td_loss", "scale", scale, MARL__ONE, 1)) return -1;
    marl__val in[] = {q, target, mask, scale};
    marl__node *node = marl__add_node(g, MARL__OP_td_loss, in, 4);
    return node ? marl__add_output(g, node, MARL__ONE, 4, MARL__F32) : -1;
}

static marl__val loss_slope(marl__graph *g, const marl__node *node) {
    int32_t space = g->values[node->in[0]].space;
    marl__node *grad = marl__add_node(g, MARL__OP_td_loss_grad, node->in, 4);
    return grad ? marl__add_output(g, grad, space, 1, MARL__F32) : -1;
}

/* Only the first column is the loss; it is differentiated with seed 1 whatever the seed's value (a loss is an end). */
static void td_loss_vjp(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din) {
    (void)dout;
    din[0] = loss_slope(g, node);
}

/* Target, mask and scale are constants of the loss; the columns behind it are for reports and count as constants. */
static void td_loss_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    if (din[0] < 0) return;
    marl__val terms = marl__binary(g, MARL__MUL, loss_slope(g, node), din[0]);
    dout[0] = marl__pad(g, marl__sum_rows(g, terms), 0, 4);
}

const marl__op marl__op_td_target = {.name = "td_target", .cut = MARL__WHOLE, .jvp = marl__constant_jvp};
const marl__op marl__op_td_loss = {.name = "td_loss", .cut = MARL__WHOLE, .vjp = td_loss_vjp, .jvp = td_loss_jvp};
const marl__op marl__op_td_loss_grad = {.name = "td_loss_grad", .cut = MARL__WHOLE};
