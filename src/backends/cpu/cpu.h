/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the three builds of the kernels this processor can run. */
#ifndef MARL__BACKENDS_CPU_CPU_H
#define MARL__BACKENDS_CPU_CPU_H

#include "core/graph/kernel.h"

/* isa: "auto" (the widest that runs here), "portable", "avx2" or "avx512". MARL_E_UNSUPPORTED names what is missing,
 * and *out stays as it was. */
marl_status marl__cpu_table(const char *isa, marl__backend_table *out);

#endif
