/* SPDX-License-Identifier: Apache-2.0 */
/* Products of all three builds: each element is the one chain of multiply-adds that the interface promises, whatever
 * M and however tiles are cut; AVX2 and AVX-512 agree; nothing outside the result is touched.
 * M rows, N columns, K length; outer: R rows, (P,Q) result. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/product.h"
#include "support/support.h"

static const char *const isas[] = {"portable", "avx2", "avx512"};
enum { ISA_COUNT = 3, GAP = 3 };

/* A value that no test computes, to see stray writes. */
#define SENTINEL -12345.75f

typedef struct shape { int32_t N, K; } shape;
static const shape shapes[] = {
    {1, 1}, {7, 3}, {12, 64}, {15, 600}, {16, 16}, {17, 2}, {33, 17}, {48, 5}, {64, 98}, {65, 33}, {100, 31}, {112, 9},
    {160, 64}, {192, 64}, {5, 0}, {1, 66}, {2, 64}, {4, 31}, {5, 64}, {8, 6},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof shapes[0] };

/* NULL and a skip where the processor lacks it. */
static const marl__products *products_of(int isa) {
    marl__backend_table table;
    if (marl__cpu_table(isas[isa], &table) == MARL_OK) return table.products;
    marl__test_skip(marl_last_error());
    return NULL;
}

static float *numbers(size_t count, uint32_t seed) {
    float *x = malloc((count + 1) * sizeof *x);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)((double)(state >> 8) / 8388608.0 - 1.0);
    }
    return x;
}

static float *filled(size_t count, float value) {
    float *x = malloc((count + 1) * sizeof *x);
    for (size_t i = 0; i < count; i++) x[i] = value;
    return x;
}

typedef struct layer {
    shape shape;
    float *w, *bias, *packed;
} layer;

static layer make_layer(const marl__products *products, shape s) {
    layer made = {s, numbers((size_t)s.N * (size_t)s.K, 1), numbers((size_t)s.N, 2), NULL};
    made.packed = filled(products->packed_floats(s.N, s.K), SENTINEL);
    products->pack_forward(s.N, s.K, made.w, made.packed);
    return made;
}

static void free_layer(layer *l) {
    free(l->w);
    free(l->bias);
    free(l->packed);
}

static void multiply(const marl__products *products, const layer *l, int32_t M, const float *x, int32_t ldx,
                     int32_t activation, float *y, int32_t ldy) {
    products->product(M, l->shape.N, l->shape.K, x, ldx, l->packed, l->w, 0, l->bias, activation, y, ldy);
}

static void check_gap(const float *y, int32_t M, int32_t N, int32_t ld) {
    int32_t touched = 0;
    for (int32_t i = 0; i < M; i++)
        for (int32_t j = N; j < ld; j++) touched += y[i * ld + j] != SENTINEL;
    ck_assert_int_eq(touched, 0);
}

START_TEST(rows_do_not_depend_on_the_batch) {
    enum { MOST = 33 };
    const marl__products *products = products_of(_i / SHAPE_COUNT);
    if (!products) return;
    layer l = make_layer(products, shapes[_i % SHAPE_COUNT]);
    int32_t N = l.shape.N, K = l.shape.K, ldx = K + 1, ldy = N + GAP;
    float *x = numbers((size_t)(MOST * ldx), 3), *alone = filled((size_t)(MOST * ldy), SENTINEL);

    for (int32_t i = 0; i < MOST; i++) multiply(products, &l, 1, x + i * ldx, ldx, MARL__TANH, alone + i * ldy, ldy);
    for (int32_t M = 0; M <= MOST; M++) {
        float *y = filled((size_t)(MOST * ldy), SENTINEL);
        multiply(products, &l, M, x, ldx, MARL__TANH, y, ldy);
        check_gap(y, MOST, N, ldy);
        ck_assert_int_eq(memcmp(y, alone, (size_t)(M * ldy) * sizeof *y), 0);
        check_gap(y + M * ldy, MOST - M, 0, ldy);
        free(y);
    }
    free(x);
    free(alone);
    free_layer(&l);
}
END_TEST

/* More rows than one block of the loops holds. */
START_TEST(long_batches) {
    const marl__products *products = products_of(_i);
    const shape s = {40, 64};
    enum { M = 1201 };
    if (!products) return;
    layer l = make_layer(products, s);
    float *x = numbers((size_t)(M * s.K), 4), *y = filled((size_t)(M * s.N), SENTINEL), row[40];

    multiply(products, &l, M, x, s.K, MARL__RELU, y, s.N);
    for (int32_t i = 0; i < M; i++) {
        multiply(products, &l, 1, x + i * s.K, s.K, MARL__RELU, row, s.N);
        ck_assert_int_eq(memcmp(row, y + i * s.N, sizeof row), 0);
    }
    free(x);
    free(y);
    free_layer(&l);
}
END_TEST

/* The wide builds must give the chain to the bit; the portable one rounds twice and stays near. */
static int is_wrong(int isa, float found, float chain, double exact, double magnitude, int32_t length) {
    int is_near = fabs((double)found - exact) <= 1.2e-7 * (length + 2) * (magnitude + 1e-30);
    return !is_near || (isa > 0 && found != chain);
}

START_TEST(elements_are_one_chain) {
    enum { M = 27 };
    int isa = _i / SHAPE_COUNT, wrong = 0;
    const marl__products *products = products_of(isa);
    if (!products) return;
    layer l = make_layer(products, shapes[_i % SHAPE_COUNT]);
    int32_t N = l.shape.N, K = l.shape.K;
    float *x = numbers((size_t)(M * K), 5), *y = filled((size_t)(M * N), SENTINEL);

    multiply(products, &l, M, x, K, MARL__IDENTITY, y, N);
    for (int32_t i = 0; i < M; i++)
        for (int32_t j = 0; j < N; j++) {
            float chain = 0.0f;
            double exact = l.bias[j], magnitude = fabs((double)l.bias[j]);
            for (int32_t k = 0; k < K; k++) {
                float a = x[i * K + k], b = l.w[j * K + k];
                chain = fmaf(a, b, chain);
                exact += (double)a * (double)b;
                magnitude += fabs((double)a * (double)b);
            }
            wrong += is_wrong(isa, y[i * N + j], chain + l.bias[j], exact, magnitude, K);
        }
    ck_assert_int_eq(wrong, 0);
    free(x);
    free(y);
    free_layer(&l);
}
END_TEST

START_TEST(avx2_and_avx512_give_the_same_bits) {
    enum { M = 29 };
    const marl__products *narrow = products_of(1), *wide = products_of(2);
    if (!narrow || !wide) return;
    for (int which = 0; which < SHAPE_COUNT; which++)
        for (int32_t kind = 0; kind < MARL__FUSABLE_COUNT; kind++) {
            layer l = make_layer(narrow, shapes[which]);
            int32_t N = l.shape.N, K = l.shape.K;
            float *x = numbers((size_t)(M * K), 6), *a = filled((size_t)(M * N), 0), *b = filled((size_t)(M * N), 1);
            multiply(narrow, &l, M, x, K, kind, a, N);
            multiply(wide, &l, M, x, K, kind, b, N);
            ck_assert_int_eq(memcmp(a, b, (size_t)(M * N) * sizeof *a), 0);
            free(x);
            free(a);
            free(b);
            free_layer(&l);
        }
}
END_TEST

START_TEST(activations_follow_the_bias) {
    enum { M = 9, N = 21, K = 13 };
    const marl__products *products = products_of(_i);
    const shape s = {N, K};
    if (!products) return;
    layer l = make_layer(products, s);
    float *x = numbers(M * K, 7), plain[M * N], none[M * N], y[M * N];

    multiply(products, &l, M, x, K, MARL__IDENTITY, plain, N);
    products->product(M, N, K, x, K, l.packed, l.w, 0, NULL, MARL__IDENTITY, none, N);
    for (int32_t i = 0; i < M * N; i++) ck_assert_float_eq(plain[i], none[i] + l.bias[i % N]);
    for (int32_t kind = 0; kind < MARL__FUSABLE_COUNT; kind++) {
        multiply(products, &l, M, x, K, kind, y, N);
        for (int32_t i = 0; i < M * N; i++) {
            double v = (double)plain[i], want = v;
            if (kind == MARL__RELU) want = v > 0 ? v : 0;
            if (kind == MARL__LEAKY_RELU) want = v > 0 ? v : 0.01 * v;
            if (kind == MARL__ELU) want = v > 0 ? v : expm1(v);
            if (kind == MARL__SELU) want = 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * expm1(v));
            if (kind == MARL__TANH) want = tanh(v);
            if (kind == MARL__SIGMOID) want = 1 / (1 + exp(-v));
            ck_assert_double_eq_tol((double)y[i], want, 4e-7 * fabs(want) + 1e-12);
        }
    }
    free(x);
    free_layer(&l);
}
END_TEST

START_TEST(packing_from_both_sides) {
    const marl__products *products = products_of(_i / SHAPE_COUNT);
    const shape s = shapes[_i % SHAPE_COUNT];
    if (!products) return;
    layer l = make_layer(products, s);
    size_t floats = products->packed_floats(s.N, s.K);
    float *other = filled((size_t)s.N * (size_t)s.K, 0), *packed = filled(floats, SENTINEL);

    ck_assert_uint_eq(floats, (size_t)((s.N + 15) / 16 * 16) * (size_t)s.K);
    for (int32_t j = 0; j < s.N; j++)
        for (int32_t k = 0; k < s.K; k++) other[k * s.N + j] = l.w[j * s.K + k];
    products->pack_backward(s.N, s.K, other, packed);
    ck_assert_int_eq(memcmp(packed, l.packed, floats * sizeof *packed), 0);
    for (size_t i = 0; i < floats; i++) {
        int32_t j = (int32_t)(i / ((size_t)s.K * 16)) * 16 + (int32_t)(i % 16), k = (int32_t)(i / 16) % s.K;
        ck_assert_float_eq(packed[i], j < s.N ? l.w[j * s.K + k] : 0.0f);
    }
    free(other);
    free(packed);
    free_layer(&l);
}
END_TEST

typedef struct grid { int32_t P, Q; } grid;
static const grid grids[] = {{1, 1}, {1, 64}, {12, 64}, {64, 72}, {5, 98}, {17, 16}, {192, 33}, {3, 130}, {23, 7}};
enum { GRID_COUNT = sizeof grids / sizeof grids[0] };

static void check_outer(int isa, const marl__products *products, grid g, int32_t R) {
    int32_t lda = g.P + 2, ldb = g.Q + 1, ldc = g.Q + GAP, wrong = 0;
    float *a = numbers((size_t)((R + 1) * lda), 8), *b = numbers((size_t)((R + 1) * ldb), 9);
    float *before = numbers((size_t)(g.P * ldc), 10), *c = malloc((size_t)(g.P * ldc) * sizeof *c);

    for (int32_t i = 0; i < g.P; i++)
        for (int32_t j = g.Q; j < ldc; j++) before[i * ldc + j] = SENTINEL;
    memcpy(c, before, (size_t)(g.P * ldc) * sizeof *c);
    products->outer(R, g.P, g.Q, a, lda, b, ldb, c, ldc);
    check_gap(c, g.P, g.Q, ldc);
    for (int32_t i = 0; i < g.P; i++)
        for (int32_t j = 0; j < g.Q; j++) {
            float chain = 0.0f, start = before[i * ldc + j];
            double exact = start, magnitude = fabs((double)start);
            for (int32_t r = 0; r < R; r++) {
                float u = a[r * lda + i], v = b[r * ldb + j];
                chain = fmaf(u, v, chain);
                exact += (double)u * (double)v;
                magnitude += fabs((double)u * (double)v);
            }
            wrong += is_wrong(isa, c[i * ldc + j], start + chain, exact, magnitude, R);
        }
    ck_assert_int_eq(wrong, 0);
    free(a);
    free(b);
    free(c);
    free(before);
}

START_TEST(outer_products_are_one_chain) {
    static const int32_t row_counts[] = {0, 1, 2, 255, 256};
    int isa = _i / GRID_COUNT;
    const marl__products *products = products_of(isa);
    if (!products) return;
    for (size_t i = 0; i < sizeof row_counts / sizeof row_counts[0]; i++)
        check_outer(isa, products, grids[_i % GRID_COUNT], row_counts[i]);
}
END_TEST

/* NaN and infinity come through; the padding of a panel does not spread them. */
START_TEST(faulty_rows_stay_alone) {
    enum { M = 10, N = 20, K = 8 };
    const marl__products *products = products_of(_i);
    const shape s = {N, K};
    if (!products) return;
    layer l = make_layer(products, s);
    float *x = numbers(M * K, 11), y[M * N];

    x[4 * K + 2] = NAN;
    x[7 * K + 1] = INFINITY;
    multiply(products, &l, M, x, K, MARL__RELU, y, N);
    for (int32_t i = 0; i < M * N; i++) {
        if (i / N == 4) ck_assert(isnan(y[i]));
        else if (i / N == 7) ck_assert(y[i] == 0.0f || isinf(y[i]));
        else ck_assert(isfinite(y[i]));
    }
    free(x);
    free_layer(&l);
}
END_TEST

Suite *marl__suite_backends_product(void) {
    Suite *suite = suite_create("product");
    TCase *tests = tcase_create("product");

    tcase_add_loop_test(tests, rows_do_not_depend_on_the_batch, 0, ISA_COUNT * SHAPE_COUNT);
    tcase_add_loop_test(tests, long_batches, 0, ISA_COUNT);
    tcase_add_loop_test(tests, elements_are_one_chain, 0, ISA_COUNT * SHAPE_COUNT);
    tcase_add_test(tests, avx2_and_avx512_give_the_same_bits);
    tcase_add_loop_test(tests, activations_follow_the_bias, 0, ISA_COUNT);
    tcase_add_loop_test(tests, packing_from_both_sides, 0, ISA_COUNT * SHAPE_COUNT);
    tcase_add_loop_test(tests, outer_products_are_one_chain, 0, ISA_COUNT * GRID_COUNT);
    tcase_add_loop_test(tests, faulty_rows_stay_alone, 0, ISA_COUNT);
    suite_add_tcase(suite, tests);
    return suite;
}
