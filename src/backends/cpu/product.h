/* SPDX-License-Identifier: Apache-2.0 */
/* What the three builds of the CPU kernels export, and the packed layout of weights.
 *
 * A weight with N columns of length K (y = x W^T has N columns) is packed into panels of 16 columns: panel p, then k,
 * then the 16 columns, so a product reads it from front to back. The last panel is padded with zeros. */
#ifndef MARL__BACKENDS_CPU_PRODUCT_H
#define MARL__BACKENDS_CPU_PRODUCT_H

#include "core/graph/kernel.h"

enum { MARL__PANEL = 16 };

typedef void marl__cpu_map_fn(int32_t kind, int32_t n, const float *x, float *y);

/* map: y = f(x) for a fusable marl__unary kind, MARL__EXP or MARL__LOG; anything else copies. y may be x. */
#define MARL__CPU_DECLARE(isa) \
    extern const marl__kernel marl__cpu_kernels_##isa[MARL__OP_COUNT]; \
    extern const marl__products marl__cpu_products_##isa; \
    extern const marl__flat_kernels marl__cpu_flat_##isa; \
    marl__cpu_map_fn marl__cpu_map_##isa;

MARL__CPU_DECLARE(portable)
MARL__CPU_DECLARE(avx2)
MARL__CPU_DECLARE(avx512)

#endif
