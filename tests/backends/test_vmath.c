/* SPDX-License-Identifier: Apache-2.0 */
/* The vector functions against libm in double: the error bounds that vmath.h states, special values, and equal bits of
 * AVX2 and AVX-512. The samples are every STRIDE-th bit pattern of a float, so all magnitudes and signs occur, NaN and
 * infinities among them. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/product.h"
#include "support/support.h"

enum { BLOCK = 1000, STRIDE = 4099 };

typedef struct function {
    int32_t kind;
    double bound[2]; /* units of the last place: with FMA, portable */
} function;

static const function functions[] = {
    {MARL__EXP, {1.04, 1.04}}, {MARL__LOG, {0.85, 1.05}}, {MARL__TANH, {2.55, 2.6}}, {MARL__SIGMOID, {2.5, 2.5}},
    {MARL__ELU, {0.96, 1.0}}, {MARL__SELU, {2.25, 2.35}},
};
enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

static const struct { const char *name; marl__cpu_map_fn *map; } builds[] = {
    {"portable", marl__cpu_map_portable},
#if defined(__x86_64__)
    {"avx2", marl__cpu_map_avx2},
    {"avx512", marl__cpu_map_avx512},
#endif
};
enum { BUILD_COUNT = sizeof builds / sizeof builds[0] };

static marl__cpu_map_fn *map_of(int build) {
    marl__backend_table table;
    if (marl__cpu_table(builds[build].name, &table) == MARL_OK) return builds[build].map;
    marl__test_skip(marl_last_error());
    return NULL;
}

static double truth(int32_t kind, double x) {
    switch (kind) {
    case MARL__EXP: return exp(x);
    case MARL__LOG: return log(x);
    case MARL__TANH: return tanh(x);
    case MARL__SIGMOID: return x < -87.3 ? 0 : x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
    case MARL__ELU: return x < 0 ? expm1(x) : x;
    default: return 1.05070098735548049 * (x < 0 ? 1.67326324235437728 * expm1(x) : x);
    }
}

/* Distance in units of the last place of the true value. Past the largest float, infinity is right. */
static double error_of(float y, double want) {
    float near = fabsf((float)want);
    if (y == (float)want) return 0;
    if (isinf(y) || isinf(near)) return 1e9;
    float next = nextafterf(near, INFINITY);
    double unit = isinf(next) ? 0x1p104 : (double)next - (double)near;
    return fabs((double)y - want) / unit;
}

static int32_t sample_block(uint64_t *pattern, float *x) {
    int32_t n = 0;
    for (; n < BLOCK && *pattern <= UINT32_MAX; n++, *pattern += STRIDE) {
        uint32_t bits = (uint32_t)*pattern;
        memcpy(&x[n], &bits, sizeof bits);
    }
    return n;
}

START_TEST(errors_are_within_the_bounds) {
    const function *f = &functions[_i % FUNCTION_COUNT];
    marl__cpu_map_fn *map = map_of(_i / FUNCTION_COUNT);
    float x[BLOCK], y[BLOCK];
    double worst = 0;
    int32_t wrong_nans = 0; /* an assertion a value would take most of the time */

    if (!map) return;
    for (uint64_t pattern = 0; pattern <= UINT32_MAX;) {
        int32_t n = sample_block(&pattern, x);
        map(f->kind, n, x, y);
        for (int32_t i = 0; i < n; i++) {
            double want = truth(f->kind, (double)x[i]);
            wrong_nans += isnan(want) != isnan(y[i]);
            if (!isnan(want)) worst = fmax(worst, error_of(y[i], want));
        }
    }
    ck_assert_int_eq(wrong_nans, 0);
    ck_assert_double_le(worst, f->bound[_i < FUNCTION_COUNT]);
    ck_assert_double_ge(worst, 0.3); /* less would mean that nothing was measured */
}
END_TEST

START_TEST(avx2_and_avx512_give_the_same_bits) {
    float x[BLOCK], a[BLOCK], b[BLOCK];
    int32_t different = 0;

    if (BUILD_COUNT < 3) {
        marl__test_skip("no AVX in this build");
        return;
    }
    marl__cpu_map_fn *narrow = map_of(1), *wide = map_of(BUILD_COUNT - 1);
    if (!narrow || !wide) return;
    for (int which = 0; which < FUNCTION_COUNT; which++)
        for (uint64_t pattern = 1; pattern <= UINT32_MAX;) {
            int32_t n = sample_block(&pattern, x);
            narrow(functions[which].kind, n, x, a);
            wide(functions[which].kind, n, x, b);
            for (int32_t i = 0; i < n; i++)
                different += memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(isnan(a[i]) && isnan(b[i]));
        }
    ck_assert_int_eq(different, 0);
}
END_TEST

static void expect(int build, int32_t kind, float x, float want) {
    float y = -7.0f;
    marl__cpu_map_fn *map = map_of(build);
    if (!map) return;
    map(kind, 1, &x, &y);
    if (isnan(want)) ck_assert(isnan(y));
    else ck_assert_msg(memcmp(&y, &want, sizeof y) == 0, "%s, function %d of %a: %a", builds[build].name, kind,
                       (double)x, (double)y);
}

START_TEST(special_values) {
    expect(_i, MARL__EXP, 0.0f, 1.0f);
    expect(_i, MARL__EXP, -0.0f, 1.0f);
    expect(_i, MARL__EXP, INFINITY, INFINITY);
    expect(_i, MARL__EXP, -INFINITY, 0.0f);
    expect(_i, MARL__EXP, 88.8f, INFINITY);
    expect(_i, MARL__EXP, -104.5f, 0.0f);
    expect(_i, MARL__EXP, NAN, NAN);
    expect(_i, MARL__LOG, 1.0f, 0.0f);
    expect(_i, MARL__LOG, 0.0f, -INFINITY);
    expect(_i, MARL__LOG, -0.0f, -INFINITY);
    expect(_i, MARL__LOG, -1.0f, NAN);
    expect(_i, MARL__LOG, -INFINITY, NAN);
    expect(_i, MARL__LOG, INFINITY, INFINITY);
    expect(_i, MARL__LOG, NAN, NAN);
    expect(_i, MARL__TANH, 0.0f, 0.0f);
    expect(_i, MARL__TANH, -0.0f, -0.0f);
    expect(_i, MARL__TANH, 1e-30f, 1e-30f);
    expect(_i, MARL__TANH, 0x1p-149f, 0x1p-149f);
    expect(_i, MARL__TANH, 10.0f, 1.0f);
    expect(_i, MARL__TANH, -INFINITY, -1.0f);
    expect(_i, MARL__TANH, NAN, NAN);
    expect(_i, MARL__SIGMOID, 0.0f, 0.5f);
    expect(_i, MARL__SIGMOID, 200.0f, 1.0f);
    expect(_i, MARL__SIGMOID, INFINITY, 1.0f);
    expect(_i, MARL__SIGMOID, -200.0f, 0.0f);
    expect(_i, MARL__SIGMOID, -INFINITY, 0.0f);
    expect(_i, MARL__SIGMOID, NAN, NAN);
    expect(_i, MARL__RELU, -3.0f, 0.0f);
    expect(_i, MARL__RELU, 3.0f, 3.0f);
    expect(_i, MARL__RELU, NAN, NAN);
    expect(_i, MARL__LEAKY_RELU, -2.0f, -2.0f * 0.01f);
    expect(_i, MARL__LEAKY_RELU, 2.0f, 2.0f);
    expect(_i, MARL__LEAKY_RELU, NAN, NAN);
    expect(_i, MARL__ELU, -INFINITY, -1.0f);
    expect(_i, MARL__ELU, INFINITY, INFINITY);
    expect(_i, MARL__SELU, NAN, NAN);
    expect(_i, MARL__IDENTITY, -0.0f, -0.0f);
}
END_TEST

/* Every count up to a few vectors, in place too; what lies behind stays. */
START_TEST(tails) {
    marl__cpu_map_fn *map = map_of(_i);
    float x[50], y[50], whole[50];

    if (!map) return;
    for (int i = 0; i < 50; i++) x[i] = 0.37f * (float)(i - 25);
    map(MARL__TANH, 50, x, whole);
    for (int32_t n = 0; n <= 50; n++) {
        memcpy(y, x, sizeof y);
        map(MARL__TANH, n, y, y);
        ck_assert_int_eq(memcmp(y, whole, (size_t)n * sizeof *y), 0);
        ck_assert_int_eq(memcmp(y + n, x + n, (size_t)(50 - n) * sizeof *y), 0);
    }
}
END_TEST

Suite *marl__suite_backends_vmath(void) {
    Suite *suite = suite_create("vmath");
    TCase *tests = tcase_create("vmath");

    tcase_add_loop_test(tests, errors_are_within_the_bounds, 0, BUILD_COUNT * FUNCTION_COUNT);
    tcase_add_test(tests, avx2_and_avx512_give_the_same_bits);
    tcase_add_loop_test(tests, special_values, 0, BUILD_COUNT);
    tcase_add_loop_test(tests, tails, 0, BUILD_COUNT);
    suite_add_tcase(suite, tests);
    return suite;
}
