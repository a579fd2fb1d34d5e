/* SPDX-License-Identifier: Apache-2.0 */
/* Products through OpenBLAS, for comparison and for processors where it is ahead.
 *
 * OpenBLAS has one thread setting for the whole process, which may be the host's too. Our shards are the threads, so
 * it must be 1 while a device of this kind is open: the first to open keeps the old setting, the last to close restores
 * it. That is the library's only mutable global, under one mutex. The library is never closed: its threads may still
 * be inside. Weights need no packing; bias and activation are ours, on the device's instruction set. */
#include "backends/openblas/openblas.h"

#include <pthread.h>
#include <string.h>

#include "backends/backends.h"
#include "backends/cpu/cpu.h"
#include "backends/cpu/product.h"
#include "core/base/dl.h"
#include "core/base/status.h"

/* From the CBLAS interface with 32-bit integers. */
enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };
typedef void sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef void set_threads_fn(int count);
typedef int get_threads_fn(void);

/* The functions are set once, before the first device exists, and never change, so products read them without the
 * mutex. */
static struct {
    pthread_mutex_t mutex;
    sgemm_fn *sgemm;
    set_threads_fn *set_threads;
    get_threads_fn *get_threads;
    int open_count, host_threads;
} blas = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void bias_and_activation(marl__cpu_map_fn *map, int32_t M, int32_t N, const float *bias, int32_t activation,
                                float *y, int32_t ldy) {
    for (int32_t row = 0; row < M; row++, y += ldy) {
        if (bias)
            for (int32_t i = 0; i < N; i++) y[i] += bias[i];
        if (activation != MARL__IDENTITY) map(activation, N, y, y);
    }
}

static void multiply(int32_t M, int32_t N, int32_t K, const float *x, int32_t ldx, const float *plain,
                     int32_t transposed, float *y, int32_t ldy) {
    if (M <= 0 || N <= 0) return;
    if (K > 0) {
        blas.sgemm(ROW_MAJOR, AS_IS, transposed ? AS_IS : TRANSPOSED, M, N, K, 1.0f, x, ldx, plain,
                   transposed ? N : K, 0.0f, y, ldy);
        return;
    }
    for (int32_t row = 0; row < M; row++, y += ldy) memset(y, 0, (size_t)N * sizeof *y);
}

static void outer(int32_t R, int32_t P, int32_t Q, const float *a, int32_t lda, const float *b, int32_t ldb, float *c,
                  int32_t ldc) {
    if (R <= 0 || P <= 0 || Q <= 0) return;
    blas.sgemm(ROW_MAJOR, TRANSPOSED, AS_IS, P, Q, R, 1.0f, a, lda, b, ldb, 1.0f, c, ldc);
}

static size_t packed_floats(int32_t N, int32_t K) {
    (void)N;
    (void)K;
    return 0;
}

static void pack_nothing(int32_t N, int32_t K, const float *w, float *packed) {
    (void)N;
    (void)K;
    (void)w;
    (void)packed;
}

/* A product knows no device, so each instruction set has its own. */
#define PRODUCTS(isa) \
    static void product_##isa(int32_t M, int32_t N, int32_t K, const float *x, int32_t ldx, const float *packed, \
                              const float *plain, int32_t transposed, const float *bias, int32_t activation, \
                              float *y, int32_t ldy) { \
        (void)packed; \
        multiply(M, N, K, x, ldx, plain, transposed, y, ldy); \
        bias_and_activation(marl__cpu_map_##isa, M, N, bias, activation, y, ldy); \
    } \
    static const marl__products products_##isa = { \
        product_##isa, outer, packed_floats, pack_nothing, pack_nothing, \
    };

PRODUCTS(portable)
#if defined(__x86_64__)
PRODUCTS(avx2)
PRODUCTS(avx512)
#endif

static const marl__products *products_for(const char *isa) {
#if defined(__x86_64__)
    if (strcmp(isa, "avx512") == 0) return &products_avx512;
    if (strcmp(isa, "avx2") == 0) return &products_avx2;
#endif
    (void)isa;
    return &products_portable;
}

/* Under the mutex. Functions and data are one kind of pointer in POSIX, two in C: hence the copies. */
static marl_status load_library(void) {
    static const char *const names[] = {"libopenblas.so.0", NULL};
    void *library = NULL, *sgemm = NULL, *set_threads = NULL, *get_threads = NULL;
    marl_status status = MARL_OK;

    if (blas.sgemm) return MARL_OK;
    if ((status = marl__dl_open(names, "OpenBLAS", "libopenblas0-pthread", &library)) != MARL_OK) return status;
    if ((status = marl__dl_symbol(library, "cblas_sgemm", "OpenBLAS", &sgemm)) != MARL_OK) return status;
    status = marl__dl_symbol(library, "openblas_set_num_threads", "OpenBLAS", &set_threads);
    if (status != MARL_OK) return status;
    status = marl__dl_symbol(library, "openblas_get_num_threads", "OpenBLAS", &get_threads);
    if (status != MARL_OK) return status;
    memcpy(&blas.set_threads, &set_threads, sizeof set_threads);
    memcpy(&blas.get_threads, &get_threads, sizeof get_threads);
    memcpy(&blas.sgemm, &sgemm, sizeof sgemm);
    return MARL_OK;
}

static void close_library(void *backend) {
    (void)backend;
    pthread_mutex_lock(&blas.mutex);
    if (--blas.open_count == 0) blas.set_threads(blas.host_threads);
    pthread_mutex_unlock(&blas.mutex);
}

marl_status marl__open_openblas(marl_device *device, const char *isa) {
    marl_status status = marl__cpu_table(isa, &device->table);
    if (status != MARL_OK) return status;

    pthread_mutex_lock(&blas.mutex);
    if ((status = load_library()) == MARL_OK && blas.open_count++ == 0) {
        blas.host_threads = blas.get_threads();
        blas.set_threads(1);
    }
    pthread_mutex_unlock(&blas.mutex);
    if (status != MARL_OK) return status;
    device->table.products = products_for(device->table.name);
    device->close = close_library;
    return MARL_OK;
}

int32_t marl__openblas_open_count(void) {
    pthread_mutex_lock(&blas.mutex);
    int32_t count = blas.open_count;
    pthread_mutex_unlock(&blas.mutex);
    return count;
}

int32_t marl__openblas_threads(void) {
    pthread_mutex_lock(&blas.mutex);
    int32_t count = blas.get_threads ? blas.get_threads() : 0;
    pthread_mutex_unlock(&blas.mutex);
    return count;
}
