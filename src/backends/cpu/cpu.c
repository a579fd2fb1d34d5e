/* SPDX-License-Identifier: Apache-2.0 */
/* The device "cpu": our own kernels, the widest instruction set that processor and operating system offer. */
#include "backends/cpu/cpu.h"

#include <string.h>

#include "backends/backends.h"
#include "backends/cpu/product.h"
#include "core/base/status.h"

typedef struct build {
    marl__backend_table table;
    int (*is_usable)(void);
    const char *needs;
} build;

#if defined(__x86_64__)

/* The compiler's own detection also asks whether the operating system saves the wide registers (XGETBV). It must be
 * started by hand here: the first device may be opened from a constructor. */
static int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

#endif

static int has_any(void) {
    return 1;
}

#define TABLE(isa) {#isa, marl__cpu_kernels_##isa, &marl__cpu_products_##isa, &marl__cpu_flat_##isa}

/* Widest first. */
static const build builds[] = {
#if defined(__x86_64__)
    {TABLE(avx512), has_avx512, "AVX-512 F, VL, BW and DQ"},
    {TABLE(avx2), has_avx2, "AVX2 and FMA"},
#endif
    {TABLE(portable), has_any, "nothing"},
};

marl_status marl__cpu_table(const char *isa, marl__backend_table *out) {
    int wants_any = strcmp(isa, "auto") == 0;

    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
        if (!wants_any && strcmp(isa, builds[i].table.name) != 0) continue;
        if (builds[i].is_usable()) {
            *out = builds[i].table;
            return MARL_OK;
        }
        if (wants_any) continue;
        return marl__fail(MARL_E_UNSUPPORTED, "isa=%s needs %s, which this processor or operating system lacks", isa,
                          builds[i].needs);
    }
    return marl__fail(MARL_E_UNSUPPORTED, "isa=%s is not part of this build: auto and portable always are", isa);
}

marl_status marl__open_cpu(marl_device *device, const char *isa) {
    return marl__cpu_table(isa, &device->table);
}
