/* SPDX-License-Identifier: Apache-2.0 */
/* The device "openblas": the kernels of "cpu" with products through OpenBLAS, opened at run time. */
#ifndef MARL__BACKENDS_OPENBLAS_OPENBLAS_H
#define MARL__BACKENDS_OPENBLAS_OPENBLAS_H

#include <stdint.h>

/* Open devices of this kind in the process; for tests. */
int32_t marl__openblas_open_count(void);

/* Threads that OpenBLAS is set to; 0 before the first device was opened. */
int32_t marl__openblas_threads(void);

#endif
