/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of QPLEX's advantages, one team a row, N agents, K kernels:
 *
 *     lambda_i = sum_k (|key_k| + 1e-10) agents_ki action_ki
 *
 * Agents are lanes, kernels the loop. */
#include "backends/cpu/isa/kernels.h"

MARL__LANE_FN v16 weight_of(float key) { return v16_set1(fabsf(key) + 1e-10f); }

/* |x|' = sign(x), 0 at 0. */
static float sign_of(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f; }

void MARL__ISA(marl__run_qplex_weights)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->out[0].cols, K = call->in[0].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *key = row_of(&call->in[0], row), *agents = row_of(&call->in[1], row);
        const float *action = row_of(&call->in[2], row);
        for (int32_t i = 0; i < N; i += 16) {
            const v16m tail = v16m_tail(N - i);
            v16 sum = v16_zero();
            for (int32_t k = 0; k < K; k++) {
                const ptrdiff_t at = (ptrdiff_t)k * N + i;
                const v16 both = v16_mul(v16_load_tail(agents + at, tail), v16_load_tail(action + at, tail));
                sum = v16_fma(weight_of(key[k]), both, sum);
            }
            v16_store_tail(row_of(&call->out[0], row) + i, tail, sum);
        }
    }
}

/* Inputs: dlambda, key, agents, action; outputs: dkey, dagents, daction, which all have memory (needed_outputs). */
void MARL__ISA(marl__run_qplex_weights_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->in[0].cols, K = call->in[1].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *dlambda = row_of(&call->in[0], row), *key = row_of(&call->in[1], row);
        const float *agents = row_of(&call->in[2], row), *action = row_of(&call->in[3], row);
        float *dagents = row_of(&call->out[1], row), *daction = row_of(&call->out[2], row);
        for (int32_t k = 0; k < K; k++, agents += N, action += N, dagents += N, daction += N) {
            v16 sum = v16_zero();
            for (int32_t i = 0; i < N; i += 16) {
                const v16m tail = v16m_tail(N - i);
                const v16 a = v16_load_tail(agents + i, tail), b = v16_load_tail(action + i, tail);
                const v16 d = v16_load_tail(dlambda + i, tail), scaled = v16_mul(d, weight_of(key[k]));
                sum = v16_fma(d, v16_mul(a, b), sum);
                v16_store_tail(dagents + i, tail, v16_mul(scaled, b));
                v16_store_tail(daction + i, tail, v16_mul(scaled, a));
            }
            row_of(&call->out[0], row)[k] = sign_of(key[k]) * v16_reduce_add(sum);
        }
    }
}

/* One row of the tangent; a tangent that is NULL stands still. */
typedef struct weights_tangent {
    const float *dkey, *dagents, *daction, *key, *agents, *action;
} weights_tangent;

/* Tangent of agents [i, i + 16). */
MARL__LANE_FN v16 tangent_lanes(const weights_tangent *w, int32_t N, int32_t K, int32_t i, v16m tail) {
    v16 sum = v16_zero();

    for (int32_t k = 0; k < K; k++) {
        const ptrdiff_t at = (ptrdiff_t)k * N + i;
        const v16 a = v16_load_tail(w->agents + at, tail), b = v16_load_tail(w->action + at, tail);
        const v16 weight = weight_of(w->key[k]);
        if (w->dkey) sum = v16_fma(v16_set1(sign_of(w->key[k]) * w->dkey[k]), v16_mul(a, b), sum);
        if (w->dagents) sum = v16_fma(weight, v16_mul(v16_load_tail(w->dagents + at, tail), b), sum);
        if (w->daction) sum = v16_fma(weight, v16_mul(v16_load_tail(w->daction + at, tail), a), sum);
    }
    return sum;
}

/* Inputs: tangents of key, agents and action, each may be absent; key, agents, action. */
void MARL__ISA(marl__run_qplex_weights_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t N = call->out[0].cols, K = call->in[3].cols;

    for (int32_t row = first; row < first + count; row++) {
        const weights_tangent w = {
            .dkey = row_or_null(&call->in[0], row), .dagents = row_or_null(&call->in[1], row),
            .daction = row_or_null(&call->in[2], row), .key = row_of(&call->in[3], row),
            .agents = row_of(&call->in[4], row), .action = row_of(&call->in[5], row),
        };
        for (int32_t i = 0; i < N; i += 16) {
            const v16m tail = v16m_tail(N - i);
            v16_store_tail(row_of(&call->out[0], row) + i, tail, tangent_lanes(&w, N, K, i, tail));
        }
    }
}
