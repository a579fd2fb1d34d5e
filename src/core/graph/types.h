/* SPDX-License-Identifier: Apache-2.0 */
/* The words graph, plan and kernels share.
 *
 * Row spaces. A graph describes a batch of packed sequences: slot t holds active[t] teams, sorted so that team b is
 * active in slots 0..len(b)-1 for falling len; the row of (t, b) is offset[t] + b. All other spaces hang on it:
 *   TEAM   (t, b)          rows = offset[slots]
 *   AGENT  (t, b, agent)   rows = TEAM x agents, agents innermost
 *   ENTITY (t, b, agent, entity), capacity entities an agent, with a mask
 *   FIRST  (b, agent)      rows = active[0] x agents: what holds before slot 0 (h0)
 *   BATCH  (b)             rows = active[0]
 *   ONE                    one row: scalars
 * Counts are data; only capacities are fixed. So (TEAM, agents*c) and (AGENT, c) are the same memory. */
#ifndef MARL__CORE_GRAPH_TYPES_H
#define MARL__CORE_GRAPH_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "marl/base.h"

enum marl__space { MARL__TEAM, MARL__AGENT, MARL__ENTITY, MARL__FIRST, MARL__BATCH, MARL__ONE, MARL__SPACE_COUNT };
enum marl__type { MARL__F32, MARL__I32 };

enum { MARL__MAX_IN = 8, MARL__MAX_OUT = 6, MARL__ATTR_INTS = 4, MARL__ATTR_REALS = 4 };

/* Functions of one variable. The first group can be fused into a product's epilogue: their derivative follows from
 * their value alone. */
enum marl__unary {
    MARL__IDENTITY, MARL__RELU, MARL__LEAKY_RELU /* slope 0.01 */, MARL__ELU, MARL__SELU, MARL__TANH, MARL__SIGMOID,
    MARL__FUSABLE_COUNT,
    MARL__ABS = MARL__FUSABLE_COUNT, MARL__NEG, MARL__SQUARE, MARL__EXP, MARL__LOG, MARL__SQRT,
    MARL__AFFINE /* reals[0] * x + reals[1] */, MARL__UNARY_COUNT
};

enum marl__binary { MARL__ADD, MARL__SUB, MARL__MUL, MARL__DIV, MARL__MAX, MARL__MIN, MARL__BINARY_COUNT };

/* How a node's work is cut into units; each unit is one call of the kernel with a range.
 *   ROWS      rows of the primary value, in tiles
 *   STEPS     one slot, t = 0, 1, ...          (range: first = t, count = 1)
 *   STEPS_BACK one slot, from the last to 0
 *   CHAINS    at most 256 rows (256 x agents for grouped parameters) of in[0], in order: one accumulator chain each
 *   WHOLE     once */
enum marl__cut { MARL__ROWS, MARL__STEPS, MARL__STEPS_BACK, MARL__CHAINS, MARL__WHOLE };
enum { MARL__CHAIN_ROWS = 256 };

/* Counts of a batch at run time. active falls with t; offset has slots + 1 entries. */
typedef struct marl__seq {
    int32_t slots, batch, rows; /* batch = active[0], rows = offset[slots] */
    const int32_t *active, *offset;
} marl__seq;

enum marl__op_id {
#define MARL_OP(name) MARL__OP_##name,
#include "core/graph/ops.def"
#undef MARL_OP
    MARL__OP_COUNT
};

#endif
