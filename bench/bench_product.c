/* SPDX-License-Identifier: Apache-2.0 */
/* The products of each instruction set at the shapes of the nets, from one row (acting) to thousands (learning), and
 * the activations of a small batch; "peak/fma" is what to hold them against. Names: product/ISA/MxNxK, outer/ISA/RxPxQ,
 * activation/ISA/NAME. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "core/device.h"

static const char *const isas[] = {"avx512", "avx2", "portable"};
enum { ISA_COUNT = 3, NAME_BYTES = 80 };

/* One repetition does `calls` products, so that it is long beside the clock's resolution. */
typedef struct job {
    const marl__products *products;
    int32_t M, N, K, activation;
    int calls;
    float *x, *w, *packed, *bias, *y;
} job;

static marl_status run_product(void *work) {
    const job *j = work;
    for (int i = 0; i < j->calls; i++)
        j->products->product(j->M, j->N, j->K, j->x, j->K, j->packed, j->w, 0, j->bias, j->activation, j->y,
                             j->N);
    return MARL_OK;
}

/* w (N,K) += y^T x over M rows. */
static marl_status run_outer(void *work) {
    const job *j = work;
    for (int i = 0; i < j->calls; i++) j->products->outer(j->M, j->N, j->K, j->y, j->N, j->x, j->K, j->w, j->K);
    return MARL_OK;
}

static float *numbers(size_t count) {
    float *x = aligned_alloc(64, (count * sizeof *x + 127) / 64 * 64);
    uint64_t random = 1;
    for (size_t i = 0; x && i < count; i++) x[i] = bench_random_real(&random);
    return x;
}

static void measure(bench *bench, const char *name, job j, bench_work run) {
    double flops = 2.0 * j.M * j.N * j.K;

    j.calls = flops > 0.0 ? (int)(2e7 / flops) + 1 : 1000;
    j.x = numbers((size_t)j.M * (size_t)j.K);
    j.w = numbers((size_t)j.N * (size_t)j.K);
    j.y = numbers((size_t)j.M * (size_t)j.N);
    j.bias = numbers((size_t)j.N);
    j.packed = numbers(j.products->packed_floats(j.N, j.K));
    if (j.x && j.w && j.y && j.bias && j.packed) {
        j.products->pack_forward(j.N, j.K, j.w, j.packed);
        const bench_times *times = bench_measure(bench, run, &j);
        if (times && flops > 0.0)
            bench_report_times(bench, name, "gflop_per_cpu_s", times->cpu, times->count, flops * j.calls / 1e9, 1);
        else if (times)
            bench_report_times(bench, name, "cpu_us", times->cpu, times->count, 1e6 / j.calls, 0);
    }
    free(j.x);
    free(j.w);
    free(j.y);
    free(j.bias);
    free(j.packed);
}

static void measure_shape(bench *bench, const char *isa, const marl__products *products, int32_t N, int32_t K) {
    static const int32_t rows[] = {1, 5, 8, 40, 640, 5680};
    job j = {.products = products, .N = N, .K = K};
    char name[NAME_BYTES];

    for (size_t m = 0; m < sizeof rows / sizeof rows[0]; m++) {
        j.M = rows[m];
        snprintf(name, sizeof name, "product/%s/%dx%dx%d", isa, j.M, N, K);
        if (bench_wants(bench, name, 0)) measure(bench, name, j, run_product);
    }
    j.M = MARL__CHAIN_ROWS;
    snprintf(name, sizeof name, "outer/%s/%dx%dx%d", isa, j.M, N, K);
    if (bench_wants(bench, name, 0)) measure(bench, name, j, run_outer);
}

/* A product of length 0 is the bias and the activation alone. */
static void measure_activations(bench *bench, const char *isa, const marl__products *products) {
    static const struct { int32_t kind; const char *name; } kinds[] = {
        {MARL__IDENTITY, "none"}, {MARL__RELU, "relu"}, {MARL__ELU, "elu"}, {MARL__TANH, "tanh"},
        {MARL__SIGMOID, "sigmoid"},
    };
    job j = {.products = products, .M = 8, .N = 64, .K = 0};
    char name[NAME_BYTES];

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        j.activation = kinds[k].kind;
        snprintf(name, sizeof name, "activation/%s/%s/8x64", isa, kinds[k].name);
        if (bench_wants(bench, name, 0)) measure(bench, name, j, run_product);
    }
}

static marl_status open_device(const char *isa, marl_device **out) {
    marl_config *config = NULL;
    marl_status status = marl_config_create(NULL, "device", &config);

    *out = NULL;
    if (status == MARL_OK) status = marl_config_set(config, "isa", isa);
    if (status == MARL_OK) status = marl_device_open(NULL, "cpu", config, out);
    marl_config_destroy(config);
    return status;
}

void bench_product(bench *bench) {
    static const int32_t shapes[][2] = {{192, 64}, {64, 72}, {12, 64}, {160, 64}, {64, 98}, {64, 512}};
    struct bench quick = *bench;

    if (quick.seconds > 0.1) quick.seconds = 0.1; /* there are many */
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        marl_device *device = NULL;
        if (open_device(isas[isa], &device) != MARL_OK) continue; /* not on this processor */
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            measure_shape(&quick, isas[isa], device->table.products, shapes[s][0], shapes[s][1]);
        measure_activations(&quick, isas[isa], device->table.products);
        marl_device_close(device);
    }
}
