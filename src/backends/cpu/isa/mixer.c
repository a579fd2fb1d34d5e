/* SPDX-License-Identifier: Apache-2.0 */
/* The mixing step of QMIX (Rashid et al. 2018) after its hypernetworks, one team a row:
 *
 *     pre_e = b1_e + sum_i q_i |w1_ie|        hid = elu(pre)        q_tot = b2 + sum_e hid_e |w2_e|
 *
 * Absolute values, both layers and the activation are one pass, so |w1|, the widest value here (N E), is never written.
 * N agents, E units. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

void MARL__ISA(marl__run_qmix_mix)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->in[0].cols, E = call->in[2].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *q = row_of(&call->in[0], row), *w1 = row_of(&call->in[1], row);
        const float *b1 = row_of(&call->in[2], row), *w2 = row_of(&call->in[3], row);
        v16 total = v16_zero();
        for (int32_t e = 0; e < E; e += 16) {
            v16 pre = v16_load_n(b1 + e, E - e);
            for (int32_t i = 0; i < N; i++)
                pre = v16_fma(v16_set1(q[i]), v16_abs(v16_load_n(w1 + (ptrdiff_t)i * E + e, E - e)), pre);
            const v16 hid = v16_elu(pre, 1.0f); /* elu(0) = 0: lanes beyond E add nothing */
            total = v16_fma(hid, v16_abs(v16_load_n(w2 + e, E - e)), total);
            if (call->out[1].data) v16_store_n(row_of(&call->out[1], row) + e, E - e, hid);
        }
        row_of(&call->out[0], row)[0] = v16_reduce_add(total) + row_of(&call->in[4], row)[0];
    }
}

/* |w|' = sign(w), 0 at 0. */
MARL__LANE_FN v16 times_sign(v16 a, v16 w) {
    const v16 turned = v16_xor(a, v16_and(w, v16_set1(-0.0f)));
    return v16_keep(v16_ne(w, v16_zero()), turned);
}

/* One row of the gradient; the first pass leaves dpre in db1. Every output has memory (needed_outputs). */
typedef struct mix_row {
    const float *q, *w1, *w2, *hid;
    float *dq, *dw1, *db1, *dw2;
    float dtotal;
} mix_row;

static void grad_layer_2(const mix_row *m, int32_t E) {
    const v16 dtotal = v16_set1(m->dtotal);

    for (int32_t e = 0; e < E; e += 16) {
        const v16 w2 = v16_load_n(m->w2 + e, E - e), hid = v16_load_n(m->hid + e, E - e);
        const v16 slope = v16_select(v16_gt(hid, v16_zero()), v16_set1(1.0f), v16_add(hid, v16_set1(1.0f)));
        v16_store_n(m->db1 + e, E - e, v16_mul(v16_mul(dtotal, v16_abs(w2)), slope));
        v16_store_n(m->dw2 + e, E - e, times_sign(v16_mul(dtotal, hid), w2));
    }
}

static void grad_layer_1(const mix_row *m, int32_t N, int32_t E) {
    for (int32_t i = 0; i < N; i++) {
        v16 sum = v16_zero();
        for (int32_t e = 0; e < E; e += 16) {
            const ptrdiff_t at = (ptrdiff_t)i * E + e;
            const v16 w1 = v16_load_n(m->w1 + at, E - e), dpre = v16_load_n(m->db1 + e, E - e);
            sum = v16_fma(dpre, v16_abs(w1), sum);
            v16_store_n(m->dw1 + at, E - e, times_sign(v16_mul(dpre, v16_set1(m->q[i])), w1));
        }
        m->dq[i] = v16_reduce_add(sum);
    }
}

/* Inputs: dq_tot, q, w1, w2, hid; outputs: dq, dw1, db1, dw2. */
void MARL__ISA(marl__run_qmix_mix_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->in[1].cols, E = call->in[3].cols;

    for (int32_t row = first; row < first + count; row++) {
        const mix_row m = {
            .dtotal = row_of(&call->in[0], row)[0], .q = row_of(&call->in[1], row), .w1 = row_of(&call->in[2], row),
            .w2 = row_of(&call->in[3], row), .hid = row_of(&call->in[4], row),
            .dq = row_of(&call->out[0], row), .dw1 = row_of(&call->out[1], row),
            .db1 = row_of(&call->out[2], row), .dw2 = row_of(&call->out[3], row),
        };
        grad_layer_2(&m, E);
        grad_layer_1(&m, N, E);
    }
}

/* One row of the tangent; a tangent that is NULL stands still. */
typedef struct mix_tangent {
    const float *dq, *dw1, *db1, *dw2, *q, *w1, *w2, *hid;
} mix_tangent;

/* Tangent of pre in columns [e, e + 16). */
MARL__LANE_FN v16 tangent_layer_1(const mix_tangent *m, int32_t N, int32_t E, int32_t e) {
    v16 sum = m->db1 ? v16_load_n(m->db1 + e, E - e) : v16_zero();

    for (int32_t i = 0; i < N; i++) {
        const ptrdiff_t at = (ptrdiff_t)i * E + e;
        const v16 w1 = v16_load_n(m->w1 + at, E - e);
        if (m->dq) sum = v16_fma(v16_set1(m->dq[i]), v16_abs(w1), sum);
        if (m->dw1) sum = v16_fma(v16_set1(m->q[i]), times_sign(v16_load_n(m->dw1 + at, E - e), w1), sum);
    }
    return sum;
}

/* Lanes beyond E: w2 = 0 there, and so is its tangent. */
static float tangent_row(const mix_tangent *m, int32_t N, int32_t E) {
    const v16 one = v16_set1(1.0f);
    v16 total = v16_zero();

    for (int32_t e = 0; e < E; e += 16) {
        const v16 w2 = v16_load_n(m->w2 + e, E - e), hid = v16_load_n(m->hid + e, E - e);
        if (m->dq || m->dw1 || m->db1) {
            const v16 slope = v16_select(v16_gt(hid, v16_zero()), one, v16_add(hid, one));
            total = v16_fma(v16_mul(tangent_layer_1(m, N, E, e), slope), v16_abs(w2), total);
        }
        if (m->dw2) total = v16_fma(hid, times_sign(v16_load_n(m->dw2 + e, E - e), w2), total);
    }
    return v16_reduce_add(total);
}

/* Inputs: tangents of q, w1, b1 and w2, each may be absent; q, w1, w2, hid. */
void MARL__ISA(marl__run_qmix_mix_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->in[4].cols, E = call->in[6].cols;

    for (int32_t row = first; row < first + count; row++) {
        const mix_tangent m = {
            .dq = row_or_null(&call->in[0], row), .dw1 = row_or_null(&call->in[1], row),
            .db1 = row_or_null(&call->in[2], row), .dw2 = row_or_null(&call->in[3], row),
            .q = row_of(&call->in[4], row), .w1 = row_of(&call->in[5], row), .w2 = row_of(&call->in[6], row),
            .hid = row_of(&call->in[7], row),
        };
        row_of(&call->out[0], row)[0] = tangent_row(&m, N, E);
    }
}
