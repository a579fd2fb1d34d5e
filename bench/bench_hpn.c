/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of hpn_embed and hpn_score, and the linear layer behind the first, at the shapes of the maps; "peak/fma"
 * is what to hold them against. Names: hpn/MAP-ENTITIES/FILL/KERNEL. "dense": every entity is present and every score
 * has a gradient; "sparse": about a third is present, and each row has one score with a gradient. Multiply-adds are
 * counted for entities that are present, or that have a gradient; their activations and the search for them are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/device.h"
#include "core/graph/graph.h"

enum { ROWS = 2048, FEATURES = 5, HIDDEN = 64, OUT = 64, FIRST = 4, UNIT = 256, NAME_BYTES = 80 };

typedef struct shape { const char *name; int32_t count; } shape;

/* A kernel with everything it reads and writes. */
typedef struct job {
    const marl__kernel *kernel;
    marl__node node;
    marl__call call;
    double flops;
    uint64_t random;
    void *memory[16];
    int memory_count;
} job;

static float *floats(job *j, size_t count) {
    float *x = aligned_alloc(64, (count * sizeof *x + 127) / 64 * 64);
    if (!x) return NULL;
    j->memory[j->memory_count++] = x;
    for (size_t i = 0; i < count; i++) x[i] = bench_random_real(&j->random);
    return x;
}

static float *rows(job *j, int at, int is_out, int32_t cols) {
    marl__tensor *tensor = is_out ? &j->call.out[at] : &j->call.in[at];
    *tensor = (marl__tensor){floats(j, (size_t)ROWS * (size_t)cols), ROWS, cols, MARL__F32, MARL__AGENT};
    if (!is_out && at >= j->call.in_count) j->call.in_count = at + 1;
    return tensor->data;
}

/* A weight (d,k) and a bias (d), with gradients. */
static void layer(job *j, int at, int32_t d, int32_t k) {
    const marl__products *products = j->call.products;
    float *packed = floats(j, products->packed_floats(d, k) + 1), *back = floats(j, products->packed_floats(k, d) + 1);
    j->call.in[at] = (marl__tensor){floats(j, (size_t)d * (size_t)k), 1, d * k, MARL__F32, -1};
    j->call.in[at + 1] = (marl__tensor){floats(j, (size_t)d), 1, d, MARL__F32, -1};
    j->call.grad[at] = floats(j, (size_t)d * (size_t)k);
    j->call.grad[at + 1] = floats(j, (size_t)d);
    if (at + 2 > j->call.in_count) j->call.in_count = at + 2;
    if (!packed || !back || !j->call.in[at].data) return;
    products->pack_forward(d, k, j->call.in[at].data, packed);
    products->pack_backward(k, d, j->call.in[at].data, back);
    j->call.packed[at] = packed;
    j->call.packed_backward[at] = back;
}

/* Entities that a sparse row lacks are zero. Returns how many there are. */
static double thin_out(job *j, int at, int32_t count, int is_sparse) {
    const int32_t cols = j->call.in[at].cols;
    float *obs = j->call.in[at].data;
    double present = 0.0;
    for (int32_t row = 0; obs && row < ROWS; row++)
        for (int32_t e = 0; e < count; e++) {
            int is_absent = is_sparse && bench_random(&j->random) % 3 != 0;
            present += !is_absent;
            if (is_absent)
                memset(obs + (size_t)row * (size_t)cols + FIRST + e * FEATURES, 0, FEATURES * sizeof *obs);
        }
    return present;
}

/* Scores with a gradient: all, or one a row. Returns how many there are. */
static double choose(job *j, int at, int32_t count, int is_sparse) {
    float *ds = j->call.in[at].data;
    if (!is_sparse || !ds) return (double)ROWS * count;
    for (int32_t row = 0; row < ROWS; row++) {
        int32_t chosen = (int32_t)(bench_random(&j->random) % (uint32_t)count);
        for (int32_t e = 0; e < count; e++)
            if (e != chosen) ds[(size_t)row * (size_t)count + (size_t)e] = 0.0f;
    }
    return ROWS;
}

/* As a run cuts it: tiles of rows, or chains. */
static marl_status run(void *work) {
    const job *j = work;
    for (int32_t row = 0; row < ROWS; row += UNIT) j->kernel->run(&j->call, row, UNIT);
    return MARL_OK;
}

static void measure(bench *bench, const char *name, job *j) {
    int is_complete = 1;
    for (int i = 0; i < j->call.in_count; i++) is_complete &= j->call.in[i].data != NULL;
    j->call.node = &j->node;
    if (j->kernel->scratch) j->call.scratch = floats(j, j->kernel->scratch(&j->call) / 4 + 16);
    const bench_times *times = is_complete ? bench_measure(bench, run, j) : NULL;
    if (times) bench_report_times(bench, name, "gflop_per_cpu_s", times->cpu, times->count, j->flops / 1e9, 1);
}

static job job_of(const bench *bench, int32_t op, int32_t count) {
    job j = {.kernel = &bench->device->table.kernels[op], .random = 88172645463325252u};
    j.node = (marl__node){.op = op, .ints = {FIRST, count, MARL__RELU}, .groups = 1};
    j.call = (marl__call){.products = bench->device->table.products, .agents = 1, .entities = 1};
    return j;
}

static void job_free(job *j) {
    for (int i = 0; i < j->memory_count; i++) free(j->memory[i]);
}

enum { K = FEATURES, D = HIDDEN, WIDE = K * D + K };

static void embed(bench *bench, const char *name, int32_t op, int32_t count, int is_sparse) {
    job j = job_of(bench, op, count);
    const int has_dy = op != MARL__OP_hpn_embed;
    if (has_dy) rows(&j, 0, 0, WIDE);
    else rows(&j, 0, 1, WIDE);
    rows(&j, has_dy, 0, FIRST + count * K + 1);
    layer(&j, 1 + has_dy, D, K);
    j.flops = (has_dy ? 6.0 : 4.0) * K * D * thin_out(&j, has_dy, count, is_sparse);
    measure(bench, name, &j);
    job_free(&j);
}

static void score(bench *bench, const char *name, int32_t op, int32_t count, int is_sparse) {
    job j = job_of(bench, op, count);
    const int has_ds = op != MARL__OP_hpn_score;
    double scored = (double)ROWS * count;
    rows(&j, 0, !has_ds, count);
    rows(&j, has_ds, 0, FIRST + count * K + 1);
    layer(&j, 1 + has_ds, D, K);
    rows(&j, 3 + has_ds, 0, D);
    double present = thin_out(&j, has_ds, count, is_sparse);
    if (has_ds) scored = choose(&j, 0, count, is_sparse);
    else scored = present;
    if (op == MARL__OP_hpn_score_dx) {
        rows(&j, 0, 1, D);
        rows(&j, 1, 1, 1);
    }
    j.flops = (op == MARL__OP_hpn_score_grad ? 4.0 * K * D : 2.0 * K * D + 2.0 * D) * scored;
    measure(bench, name, &j);
    job_free(&j);
}

/* Rows of the sums of outer products to OUT columns, and back. */
static void linear(bench *bench, const char *name, int32_t op) {
    job j = job_of(bench, op, 1);
    j.node.ints[0] = MARL__IDENTITY;
    if (op == MARL__OP_linear_grad) {
        rows(&j, 0, 0, OUT);
        rows(&j, 1, 0, WIDE);
        layer(&j, 2, OUT, WIDE);
    } else {
        rows(&j, 0, 0, op == MARL__OP_linear ? WIDE : OUT);
        layer(&j, 1, OUT, WIDE);
        rows(&j, 0, 1, op == MARL__OP_linear ? OUT : WIDE);
    }
    j.flops = 2.0 * ROWS * WIDE * OUT;
    measure(bench, name, &j);
    job_free(&j);
}

typedef void measure_fn(bench *bench, const char *name, int32_t op, int32_t count, int is_sparse);

static void measure_shape(bench *bench, const shape *s) {
    static const struct { const char *name; int32_t op; measure_fn *run; } kernels[] = {
        {"hpn_embed", MARL__OP_hpn_embed, embed},
        {"hpn_embed_grad", MARL__OP_hpn_embed_grad, embed},
        {"hpn_score", MARL__OP_hpn_score, score},
        {"hpn_score_dx", MARL__OP_hpn_score_dx, score},
        {"hpn_score_grad", MARL__OP_hpn_score_grad, score},
    };
    char name[NAME_BYTES];
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        for (int is_sparse = 0; is_sparse < 2; is_sparse++) {
            snprintf(name, sizeof name, "hpn/%s/%s/%s", s->name, is_sparse ? "sparse" : "dense", kernels[i].name);
            if (bench_wants(bench, name, 0)) kernels[i].run(bench, name, kernels[i].op, s->count, is_sparse);
        }
}

void bench_hpn(bench *bench) {
    static const shape shapes[] = {
        {"5m_vs_6m-4", 4}, {"5m_vs_6m-6", 6}, {"8m_vs_9m-7", 7}, {"8m_vs_9m-9", 9}, {"27m_vs_30m-26", 26},
        {"27m_vs_30m-30", 30},
    };
    static const int32_t linear_ops[] = {MARL__OP_linear, MARL__OP_linear_dx, MARL__OP_linear_grad};
    static const char *const linear_names[] = {"hpn/linear/325x64", "hpn/linear_dx/64x325", "hpn/linear_grad/64x325"};
    struct bench quick = *bench;

    if (quick.seconds > 0.1) quick.seconds = 0.1; /* there are many */
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) measure_shape(&quick, &shapes[s]);
    for (size_t i = 0; i < sizeof linear_ops / sizeof linear_ops[0]; i++)
        if (bench_wants(bench, linear_names[i], 0)) linear(&quick, linear_names[i], linear_ops[i]);
}
