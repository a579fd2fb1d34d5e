/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of one instruction set by op: every line of ops.def has one, so a missing kernel does not link. */
#include "backends/cpu/isa/kernels.h"

extern const marl__kernel MARL__ISA(marl__cpu_kernels)[MARL__OP_COUNT];

#define SCRATCH_OF(op)                                              \
    IS_LINEAR(op)               ? MARL__ISA(marl__scratch_linear)   \
    : (op) == MARL__OP_gru      ? MARL__ISA(marl__scratch_gru)      \
    : (op) == MARL__OP_gru_grad ? MARL__ISA(marl__scratch_gru_grad) \
    : (op) == MARL__OP_gru_jvp  ? MARL__ISA(marl__scratch_gru_jvp)  \
    : IS_HPN(op)                ? MARL__ISA(marl__scratch_hpn)      \
                                : NULL
#define IS_LINEAR(op) ((op) >= MARL__OP_linear && (op) <= MARL__OP_linear_grad)
#define IS_HPN(op) ((op) >= MARL__OP_hpn_embed && (op) <= MARL__OP_hpn_score_jvp)

#define MARL_OP(name) [MARL__OP_##name] = {MARL__ISA(marl__run_##name), SCRATCH_OF(MARL__OP_##name)},
const marl__kernel MARL__ISA(marl__cpu_kernels)[MARL__OP_COUNT] = {
#include "core/graph/ops.def"
};
#undef MARL_OP
