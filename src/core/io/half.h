/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 half precision, by integer arithmetic alone: the same bits on every CPU, with or without F16C. */
#ifndef MARL__CORE_IO_HALF_H
#define MARL__CORE_IO_HALF_H

#include <stdint.h>

/* Exact. A NaN keeps its sign and payload and becomes quiet. */
float marl__f16_to_f32(uint16_t half);

/* Rounds to nearest, ties to even; from 65520 on infinity; a NaN keeps its sign and the top bits of its payload and
 * becomes quiet. */
uint16_t marl__f32_to_f16(float value);

#endif
