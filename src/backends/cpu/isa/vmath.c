/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of vmath.h over arrays: the activation pass behind products, and what the tests measure. One loop a
 * function, so that the switch is outside. */
#include "backends/cpu/isa/vmath.h"

#include "backends/cpu/product.h"

#define MAP(expression) \
    for (int32_t i = 0; i < n; i += MARL__LANES) { \
        v16 a = v16_load_n(x + i, n - i); \
        v16_store_n(y + i, n - i, expression); \
    } \
    break

void MARL__ISA(marl__cpu_map)(int32_t kind, int32_t n, const float *x, float *y) {
    switch (kind) {
    case MARL__RELU: MAP(v16_relu(a));
    case MARL__LEAKY_RELU: MAP(v16_leaky_relu(a));
    case MARL__ELU: MAP(v16_elu(a, 1.0f));
    case MARL__SELU: MAP(v16_selu(a));
    case MARL__TANH: MAP(v16_tanh(a));
    case MARL__SIGMOID: MAP(v16_sigmoid(a));
    case MARL__EXP: MAP(v16_exp(a));
    case MARL__LOG: MAP(v16_log(a));
    default: MAP(a);
    }
}
