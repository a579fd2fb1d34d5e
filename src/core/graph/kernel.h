/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between core and the backends: a device hands core a const table of kernels, one per op, and its products.
 * Kernels trust their arguments: shapes were checked when the graph was built. */
#ifndef MARL__CORE_GRAPH_KERNEL_H
#define MARL__CORE_GRAPH_KERNEL_H

#include "core/graph/types.h"

struct marl__node;
struct marl__call;

/* Products on row-major matrices with leading strides. Weights come packed (see src/backends/cpu/product.h): every
 * output element is one chain over k = 0, 1, ..., K-1, so a row depends on that row, K and N only. */
typedef struct marl__products {
    /* y (M,N) = act(x (M,K) W^T + bias), W packed by pack_forward from (N,K), or pack_backward from (K,N).
     * plain: the unpacked weight in the layout the packing started from (OpenBLAS uses that). bias NULL: none. */
    void (*product)(int32_t M, int32_t N, int32_t K, const float *x, int32_t ldx, const float *packed,
                    const float *plain, int32_t transposed, const float *bias, int32_t activation, float *y,
                    int32_t ldy);
    /* c (P,Q) += a^T b over R rows: a (R,P), b (R,Q). One chain over the R rows per element, then added to c. */
    void (*outer)(int32_t R, int32_t P, int32_t Q, const float *a, int32_t lda, const float *b, int32_t ldb, float *c,
                  int32_t ldc);
    /* Floats of a packed weight with N columns of length K. */
    size_t (*packed_floats)(int32_t N, int32_t K);
    /* From w (N,K): for products with W^T. From w (K,N), i.e. the same weight seen from the other side: for dy W. */
    void (*pack_forward)(int32_t N, int32_t K, const float *w, float *packed);
    void (*pack_backward)(int32_t N, int32_t K, const float *w, float *packed);
} marl__products;

typedef struct marl__tensor {
    void *data;
    int32_t rows, cols;
    int32_t type, space; /* a parameter has space -1, rows = 1 and cols = its element count */
} marl__tensor;

/* One node ready to run: everything a kernel may look at. */
typedef struct marl__call {
    const struct marl__node *node;     /* ints, reals, groups, group_map */
    const marl__seq *seq;
    const marl__products *products;
    int32_t agents, entities;
    int32_t in_count;                  /* optional inputs that are absent have data NULL */
    marl__tensor in[MARL__MAX_IN], out[MARL__MAX_OUT]; /* an output that nobody reads has data NULL */
    const float *packed[MARL__MAX_IN];          /* parameter inputs used as weights: packed for x W^T */
    const float *packed_backward[MARL__MAX_IN]; /* ... and for dy W */
    float *grad[MARL__MAX_IN];         /* parameter inputs of gradient ops: where the gradient is added */
    void *scratch;                     /* marl__kernel.scratch bytes, 64-byte aligned, not kept between units */
} marl__call;

typedef struct marl__kernel {
    /* Does the unit [first, first + count) of the node's cut. NULL: this backend lacks the op. */
    void (*run)(const marl__call *call, int32_t first, int32_t count);
    /* Scratch bytes at capacity (in/out rows hold capacities, data NULL); NULL: none. */
    size_t (*scratch)(const marl__call *call);
} marl__kernel;

/* Passes over flat vectors that are not graph ops: the optimiser, sums over shards, copies. All elementwise or on
 * fixed blocks, so any cut gives the same bits. n is at most a block of MARL__FLAT_BLOCK elements. Decays are doubles,
 * since 1 - 0.999 in float is wrong in the fifth digit. */
enum { MARL__FLAT_BLOCK = 4096 };
typedef struct marl__flat_kernels {
    void (*sum_tree)(int32_t n, float *const *shards, int32_t shard_count, float *out); /* pairwise tree over shards */
    double (*square_sum)(int32_t n, const float *x); /* 16 double accumulators, one tree */
    /* g is multiplied by scale first. v <- a v + (1-a) g^2; out = p - lr g/(sqrt(v)+eps) */
    void (*rmsprop)(int32_t n, const float *p, const float *g, float scale, float *v, float lr, double alpha, float eps,
                    float *out);
    /* step sizes already corrected: out = p - lr_t * m / (sqrt(v) * root_scale + eps), see src/core/params/optim.c */
    void (*adam)(int32_t n, const float *p, const float *g, float scale, float *m, float *v, float lr_t, double beta1,
                 double beta2, float root_scale, float eps, float *out);
    void (*mix)(int32_t n, const float *a, const float *b, float tau, float *out); /* (1-tau) a + tau b */
} marl__flat_kernels;

typedef struct marl__backend_table {
    const char *name;                  /* "portable", "avx2", "avx512" */
    const marl__kernel *kernels;       /* MARL__OP_COUNT */
    const marl__products *products;
    const marl__flat_kernels *flat;
} marl__backend_table;

#endif
