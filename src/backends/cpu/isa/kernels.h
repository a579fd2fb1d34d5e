/* SPDX-License-Identifier: Apache-2.0 */
/* What the op kernels of one instruction set share: their names and how they find their rows.
 *
 * The rules that make AVX2 and AVX-512 agree bit for bit, and a row independent of the rows beside it:
 *   - elementwise work is plain C that the compiler vectorises (no contraction, no reassociation), or v16;
 *   - a fused multiply-add is written as one, never left to the compiler;
 *   - a sum within a row keeps 16 accumulators, element i in accumulator i mod 16, and ends in one fixed tree;
 *   - exp, tanh, sigmoid and log come from vmath.h only. */
#ifndef MARL__BACKENDS_CPU_ISA_KERNELS_H
#define MARL__BACKENDS_CPU_ISA_KERNELS_H

#include "backends/cpu/simd.h"
#include "core/graph/graph.h"

/* marl__run_<op>: the kernel of each op, in the file of its family. */
#define MARL_OP(name) void MARL__ISA(marl__run_##name)(const marl__call *call, int32_t first, int32_t count);
#include "core/graph/ops.def"
#undef MARL_OP

size_t MARL__ISA(marl__scratch_linear)(const marl__call *call);
size_t MARL__ISA(marl__scratch_gru)(const marl__call *call);
size_t MARL__ISA(marl__scratch_gru_grad)(const marl__call *call);
size_t MARL__ISA(marl__scratch_gru_jvp)(const marl__call *call);
size_t MARL__ISA(marl__scratch_hpn)(const marl__call *call);

/* Row `row` of a tensor; sizes are within what the plan allocated, so 64-bit offsets cannot overflow. */
static inline float *row_of(const marl__tensor *tensor, int32_t row) {
    return (float *)tensor->data + (ptrdiff_t)row * tensor->cols;
}

/* The same of an optional input. */
static inline const float *row_or_null(const marl__tensor *tensor, int32_t row) {
    return tensor->data ? row_of(tensor, row) : NULL;
}

static inline int32_t *index_row_of(const marl__tensor *tensor, int32_t row) {
    return (int32_t *)tensor->data + (ptrdiff_t)row * tensor->cols;
}

/* Rows of one team in a tensor's space. */
static inline int32_t rows_per_team(const marl__call *call, const marl__tensor *tensor) {
    if (tensor->space == MARL__AGENT || tensor->space == MARL__FIRST) return call->agents;
    return tensor->space == MARL__ENTITY ? call->agents * call->entities : 1;
}

/* How many products serve the rows: one for shared parameters, else one for each agent, whose rows lie `agents`
 * apart. So `rows` rows starting at `first` (both multiples of the part count) are rows / parts rows for each part. */
static inline int32_t parts_of(const marl__call *call) { return call->node->groups > 1 ? call->agents : 1; }

static inline int32_t group_of(const marl__call *call, int32_t part) {
    if (call->node->groups <= 1) return 0;
    return call->node->group_map ? call->node->group_map[part] : part;
}

/* Lanes of a row from column c on that may be chosen: within the row and, where there is a mask, not masked. */
MARL__LANE_FN v16m allowed(const float *mask, int32_t c, int32_t cols) {
    return mask ? v16_ne(v16_load_n(mask + c, cols - c), v16_zero()) : v16m_tail(cols - c);
}

/* Divisors from column c on; 1 in lanes beyond the row, which divide too: a host may trap on division by zero. */
MARL__LANE_FN v16 divisors_at(const float *x, int32_t c, int32_t cols) {
    return v16_select(v16m_tail(cols - c), v16_load_n(x + c, cols - c), v16_set1(1.0f));
}

#endif
