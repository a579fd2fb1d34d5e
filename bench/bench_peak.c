/* SPDX-License-Identifier: Apache-2.0 */
/* What a core can do at most, as the measure of everything else: fused multiply-adds from registers. */
#include <time.h>

#include "bench.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Ten chains hide four cycles of latency on two units; the compiler must not fold them. */
enum { CHAINS = 10, ROUNDS = 2000000 };

__attribute__((target("avx512f"))) static float fma_512(void) {
    __m512 sum[CHAINS], a = _mm512_set1_ps(0.999999f), b = _mm512_set1_ps(1e-9f);
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < ROUNDS; i++) {
        _Pragma("GCC unroll 10") for (int c = 0; c < CHAINS; c++) sum[c] = _mm512_fmadd_ps(sum[c], a, b);
    }
    for (int c = 1; c < CHAINS; c++) sum[0] = _mm512_add_ps(sum[0], sum[c]);
    return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) static float fma_256(void) {
    __m256 sum[CHAINS], a = _mm256_set1_ps(0.999999f), b = _mm256_set1_ps(1e-9f);
    for (int c = 0; c < CHAINS; c++) sum[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < ROUNDS; i++) {
        _Pragma("GCC unroll 10") for (int c = 0; c < CHAINS; c++) sum[c] = _mm256_fmadd_ps(sum[c], a, b);
    }
    for (int c = 1; c < CHAINS; c++) sum[0] = _mm256_add_ps(sum[0], sum[c]);
    return _mm256_cvtss_f32(sum[0]);
}

static double cpu_seconds(void) {
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static double peak_of(float (*run)(void), int lanes) {
    volatile float sink;
    double best = 0.0;
    for (int i = 0; i < 5; i++) {
        double begun = cpu_seconds();
        sink = run();
        double rate = 2.0 * lanes * CHAINS * (double)ROUNDS / (cpu_seconds() - begun) / 1e9;
        if (rate > best) best = rate;
    }
    (void)sink;
    return best;
}

double bench_fma_peak(void) {
    if (__builtin_cpu_supports("avx512f")) return peak_of(fma_512, 16);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return peak_of(fma_256, 8);
    return 0.0;
}
#else
double bench_fma_peak(void) {
    return 0.0;
}
#endif

void bench_peak(bench *bench) {
    if (bench_wants(bench, "peak/fma", 0)) bench_report_one(bench, "peak/fma", "gflop_per_cpu_s", bench_fma_peak());
}
