/* SPDX-License-Identifier: Apache-2.0 */
/* Temporal-difference targets and the loss on them.
 *
 * Packed sequences make the recursion over time a loop over slots from the last to the first: row r of a slot is row r
 * of the slot after it as long as that sequence goes on, so each step works on contiguous rows of all sequences. A
 * sequence's last slot L holds the state after its last transition; it has no target of its own and gets 0. */
#include "backends/cpu/isa/kernels.h"

#include <string.h>

/* The columns of a call of td_target. rows(t): rows alive in slot t; start(t): the first of them. */
typedef struct td_view {
    const float *q, *reward, *terminated, *mask;
    float *out;
    const marl__seq *seq;
    int32_t per_team;
} td_view;

static ptrdiff_t start(const td_view *v, int32_t t) { return (ptrdiff_t)v->seq->offset[t] * v->per_team; }

static int32_t rows(const td_view *v, int32_t t) { return t < v->seq->slots ? v->seq->active[t] * v->per_team : 0; }

/* What follows after the last transition of row r: the value of slot L unless the sequence terminated. */
static float last_return(const td_view *v, int32_t last, int32_t r) {
    float terminated = 0.0f;

    for (int32_t t = 0; t < last; t++) terminated += v->terminated[start(v, t) + r];
    if (terminated > 1.0f) terminated = 1.0f;
    return v->q[start(v, last) + r] * (1.0f - terminated);
}

/* ret(t) = lambda gamma ret(t+1) + mask(t) (reward(t) + (1 - lambda) gamma q(t+1) (1 - terminated(t))). */
static void lambda_slot(const td_view *v, int32_t t, float gamma, float lambda) {
    const float trace = lambda * gamma, step = (1.0f - lambda) * gamma;
    const ptrdiff_t now = start(v, t), next = start(v, t + 1);
    const int32_t going = rows(v, t + 1), beyond = rows(v, t + 2);

    for (int32_t r = 0; r < going; r++) {
        const float after = r < beyond ? v->out[next + r] : last_return(v, t + 1, r);
        const float boot = step * v->q[next + r] * (1.0f - v->terminated[now + r]);
        v->out[now + r] = trace * after + v->mask[now + r] * (v->reward[now + r] + boot);
    }
}

/* The discounted rewards of up to n steps, then the value of the slot they lead to. */
static void n_step_slot(const td_view *v, int32_t t, float gamma, int32_t n) {
    const int32_t going = rows(v, t + 1);

    for (int32_t r = 0; r < going; r++) {
        float sum = 0.0f, discount = 1.0f;
        int32_t at = t;
        while (at < t + n && r < rows(v, at + 1)) {
            sum += discount * v->reward[start(v, at) + r];
            discount *= gamma;
            at++;
        }
        sum += discount * v->q[start(v, at) + r] * (1.0f - v->terminated[start(v, at - 1) + r]);
        v->out[start(v, t) + r] = v->mask[start(v, t) + r] * sum;
    }
}

void MARL__ISA(marl__run_td_target)(const marl__call *call, int32_t first, int32_t count) {
    const td_view v = {
        .q = call->in[0].data, .reward = call->in[1].data, .terminated = call->in[2].data, .mask = call->in[3].data,
        .out = call->out[0].data, .seq = call->seq, .per_team = rows_per_team(call, &call->out[0]),
    };
    const float gamma = call->node->reals[0], lambda = call->node->reals[1];

    (void)first;
    (void)count;
    for (int32_t t = call->seq->slots - 1; t >= 0; t--) {
        const int32_t going = rows(&v, t + 1), ended = rows(&v, t) - going;
        memset(v.out + start(&v, t) + going, 0, (size_t)ended * sizeof *v.out);
        if (call->node->ints[0] == MARL__TD_LAMBDA)
            lambda_slot(&v, t, gamma, lambda);
        else
            n_step_slot(&v, t, gamma, call->node->ints[1]);
    }
}

/* Sums over rows, row i in accumulator i mod 16: mask (q-y)^2 scale, mask |q-y|, mask q, mask y. */
void MARL__ISA(marl__run_td_loss)(const marl__call *call, int32_t first, int32_t count) {
    const float *q = call->in[0].data, *target = call->in[1].data, *mask = call->in[2].data;
    const float *scale = call->in[3].data;
    float *out = call->out[0].data;
    v16 square = v16_zero(), size = v16_zero(), q_sum = v16_zero(), target_sum = v16_zero();
    const int32_t n = call->in[0].rows;

    (void)first;
    (void)count;
    for (int32_t i = 0; i < n; i += 16) { /* beyond the last row the mask reads 0 */
        const v16 x = v16_load_n(q + i, n - i), y = v16_load_n(target + i, n - i), m = v16_load_n(mask + i, n - i);
        const v16 td = v16_sub(x, y);
        square = v16_add(square, v16_mul(m, v16_mul(td, td)));
        size = v16_add(size, v16_mul(m, v16_abs(td)));
        q_sum = v16_add(q_sum, v16_mul(m, x));
        target_sum = v16_add(target_sum, v16_mul(m, y));
    }
    out[0] = v16_reduce_add(square) * scale[0];
    out[1] = v16_reduce_add(size);
    out[2] = v16_reduce_add(q_sum);
    out[3] = v16_reduce_add(target_sum);
}

void MARL__ISA(marl__run_td_loss_grad)(const marl__call *call, int32_t first, int32_t count) {
    const float *q = call->in[0].data, *target = call->in[1].data, *mask = call->in[2].data;
    const float *scale = call->in[3].data;
    const float factor = 2.0f * scale[0];
    float *dq = call->out[0].data;

    (void)first;
    (void)count;
    for (int32_t i = 0; i < call->out[0].rows; i++) dq[i] = factor * mask[i] * (q[i] - target[i]);
}
