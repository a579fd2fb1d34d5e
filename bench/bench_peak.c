/* SPDX-License-Identifier: Apache-2.0 */
/* What this processor can do at most, as the measure of everything else: fused multiply-adds from registers, and our
 * own products at the shapes that nets have. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "core/device.h"

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

/* One product, packed weights: M rows, N columns, chains of K. */
typedef struct shape { int32_t M, N, K; const char *name; } shape;

typedef struct product {
    const marl__products *products;
    shape shape;
    int calls;
    float *x, *w, *packed, *y;
} product;

static marl_status run_product(void *work) {
    const product *p = work;
    for (int i = 0; i < p->calls; i++)
        p->products->product(p->shape.M, p->shape.N, p->shape.K, p->x, p->shape.K, p->packed, p->w, 0, NULL,
                             MARL__IDENTITY, p->y, p->shape.N);
    return MARL_OK;
}

/* c (N,K) += y^T x: a weight's gradient. */
static marl_status run_outer(void *work) {
    const product *p = work;
    for (int i = 0; i < p->calls; i++)
        p->products->outer(p->shape.M, p->shape.N, p->shape.K, p->y, p->shape.N, p->x, p->shape.K, p->w, p->shape.K);
    return MARL_OK;
}

static void measure_product(bench *bench, shape shape, bench_work run, const char *name) {
    size_t M = (size_t)shape.M, N = (size_t)shape.N, K = (size_t)shape.K;
    double flops = 2.0 * (double)shape.M * shape.N * shape.K;
    uint64_t random = 1;
    product p = {.products = bench->device->table.products, .shape = shape, .calls = (int)(2e7 / flops) + 1};

    p.x = malloc(M * K * sizeof(float));
    p.w = malloc(N * K * sizeof(float));
    p.packed = aligned_alloc(64, (p.products->packed_floats(shape.N, shape.K) * sizeof(float) + 63) / 64 * 64);
    p.y = calloc(M * N, sizeof(float));
    if (p.x && p.w && p.packed && p.y) {
        for (size_t i = 0; i < M * K; i++) p.x[i] = bench_random_real(&random);
        for (size_t i = 0; i < N * K; i++) p.w[i] = bench_random_real(&random);
        p.products->pack_forward(shape.N, shape.K, p.w, p.packed);
        const bench_times *times = bench_measure(bench, run, &p);
        if (times)
            bench_report_times(bench, name, "gflop_per_cpu_s", times->cpu, times->count, flops * p.calls / 1e9, 1);
    }
    free(p.x);
    free(p.w);
    free(p.packed);
    free(p.y);
}

void bench_peak(bench *bench) {
    static const shape products[] = {
        {8, 192, 64, "peak/product/8x192x64"}, {160, 192, 64, "peak/product/160x192x64"},
        {2400, 64, 72, "peak/product/2400x64x72"}, {2400, 12, 64, "peak/product/2400x12x64"},
        {2400, 64, 192, "peak/product/2400x64x192"}, {1024, 1024, 1024, "peak/product/1024x1024x1024"},
    };
    static const shape outers[] = {
        {256, 192, 64, "peak/outer/256x192x64"}, {256, 64, 72, "peak/outer/256x64x72"},
        {256, 12, 64, "peak/outer/256x12x64"}, {256, 64, 98, "peak/outer/256x64x98"},
    };
    struct bench short_bench = *bench;
    short_bench.seconds = bench->seconds < 0.3 ? bench->seconds : 0.3;

    if (bench_wants(bench, "peak/fma", 0)) bench_report_one(bench, "peak/fma", "gflop_per_cpu_s", bench_fma_peak());
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
        if (bench_wants(bench, products[i].name, 0))
            measure_product(&short_bench, products[i], run_product, products[i].name);
    for (size_t i = 0; i < sizeof outers / sizeof outers[0]; i++)
        if (bench_wants(bench, outers[i].name, 0)) measure_product(&short_bench, outers[i], run_outer, outers[i].name);
}
