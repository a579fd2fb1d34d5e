/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 half precision, by integer arithmetic alone: the same bits on every CPU, with or without F16C. */
#ifndef MARL__CORE_IO_HALF_H
#define MARL__CORE_IO_HALF_H

#include <stddef.h>
#include <stdint.h>

/* Exact. A NaN keeps its sign and payload and becomes quiet. */
float marl__f16_to_f32(uint16_t half);

/* Rounds to nearest, ties to even; from 65520 on infinity; a NaN keeps its sign and the top bits of its payload and
 * becomes quiet. */
uint16_t marl__f32_to_f16(float value);

/* The same for many numbers, which may not overlap. Fast enough to load batches with: loops that compilers turn into
 * vectors of the plain instruction set. The float unit has to round to nearest, as everywhere. */
void marl__f16_to_f32_all(size_t count, const uint16_t *from, float *to);
void marl__f32_to_f16_all(size_t count, const float *from, uint16_t *to);

/* Whether all numbers are finite and stay so as halves: below 65520. */
int marl__fits_f16(size_t count, const float *values);

#endif
