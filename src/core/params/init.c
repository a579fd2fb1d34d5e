/* SPDX-License-Identifier: Apache-2.0 */
/* Initial values. Each parameter draws from a stream of its own, group after group, so that widening one layer leaves
 * the others' numbers alone. */
#include <math.h>

#include "core/base/rng.h"
#include "core/params/params.h"

/* log for x > 0 in double, by arithmetic alone: libm's differs between versions. x = m 2^e, log m through
 * 2 atanh((m-1)/(m+1)) with m in [0.7, 1.4]. */
static double log_double(double x) {
    int exponent = 0;
    double mantissa = frexp(x, &exponent); /* exact */
    if (mantissa < 0.70710678118654752) {
        mantissa *= 2.0;
        exponent--;
    }
    double s = (mantissa - 1.0) / (mantissa + 1.0), square = s * s, sum = 0.0;
    for (int k = 27; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
    return 2.0 * s * sum + exponent * 0.69314718055994530942;
}

/* Standard normal by the polar method (Marsaglia & Bray 1964); the second number of a pair is not used. */
static double normal(marl__rng *rng) {
    for (;;) {
        double u = 2.0 * marl__rng_real(rng) - 1.0, v = 2.0 * marl__rng_real(rng) - 1.0, s = u * u + v * v;
        if (s > 0.0 && s < 1.0) return u * sqrt(-2.0 * log_double(s) / s);
    }
}

static void fill_uniform(marl__rng *rng, const marl__param *param, float *values) {
    for (size_t i = 0; i < param->count; i++)
        values[i] = (float)((2.0 * marl__rng_real(rng) - 1.0) * (double)param->init_value);
}

static void fill_normal(marl__rng *rng, const marl__param *param, float *values) {
    for (size_t i = 0; i < param->count; i++) values[i] = (float)(normal(rng) * (double)param->init_value);
}

static double dot(const float *a, const float *b, int32_t n, int32_t stride) {
    double sum = 0.0;
    for (int32_t i = 0; i < n; i++, a += stride, b += stride) sum += (double)*a * (double)*b;
    return sum;
}

/* Orthonormal rows (rows <= cols) or columns of a Gaussian matrix, times the gain: Gram-Schmidt, run twice against
 * each vector so that rounding leaves them orthogonal. */
static void fill_orthogonal(marl__rng *rng, const marl__param *param, float *values) {
    int32_t by_rows = param->rows <= param->cols;
    int32_t vectors = by_rows ? param->rows : param->cols, length = by_rows ? param->cols : param->rows;
    int32_t step = by_rows ? param->cols : 1, stride = by_rows ? 1 : param->cols;
    for (int32_t i = 0; i < vectors; i++) {
        float *v = values + (size_t)i * (size_t)step;
        for (int32_t k = 0; k < length; k++) v[(size_t)k * (size_t)stride] = (float)normal(rng);
        for (int32_t pass = 0; pass < 2; pass++)
            for (int32_t j = 0; j < i; j++) {
                const float *w = values + (size_t)j * (size_t)step;
                double factor = dot(v, w, length, stride);
                for (int32_t k = 0; k < length; k++)
                    v[(size_t)k * (size_t)stride] -= (float)(factor * (double)w[(size_t)k * (size_t)stride]);
            }
        double norm = sqrt(dot(v, v, length, stride));
        for (int32_t k = 0; k < length; k++) {
            float *x = &v[(size_t)k * (size_t)stride];
            *x = norm > 0.0 ? (float)((double)*x / norm) : 0.0f;
        }
    }
    for (size_t i = 0; i < (size_t)param->rows * (size_t)param->cols; i++) values[i] *= param->init_value;
}

static void fill(uint64_t seed, int32_t index, const marl__param *param, float *values) {
    marl__rng rng;
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_INIT, (uint32_t)index));
    if (param->init == MARL__INIT_CONSTANT) {
        for (size_t i = 0; i < param->count; i++) values[i] = param->init_value;
    } else if (param->init == MARL__INIT_ORTHOGONAL && param->is_weight) {
        for (int32_t k = 0; k < param->groups; k++)
            fill_orthogonal(&rng, param, values + (size_t)k * (size_t)param->rows * (size_t)param->cols);
    } else if (param->init == MARL__INIT_NORMAL) {
        fill_normal(&rng, param, values);
    } else {
        fill_uniform(&rng, param, values);
    }
}

void marl__params_init(const marl__params *params, uint64_t seed, float *flat) {
    for (size_t i = 0; i < params->floats; i++) flat[i] = 0.0f;
    for (int32_t i = 0; i < params->count; i++) fill(seed, i, &params->list[i], flat + params->list[i].offset);
}
