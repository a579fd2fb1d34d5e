/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over flat vectors: the optimisers, sums over shards, norms. Elementwise and without fused multiply-adds, so
 * all three builds give the same bits and a vector may be cut anywhere. */
#include "backends/cpu/product.h"

#include "backends/cpu/simd.h"

/* How many sums of finished pairs a tree over 2^31 shards can hold at a time. */
enum { TREE_LEVELS = 32 };

/* Pairs of shards, pairs of pairs and so on: (0+1)+(2+3), an odd one out waits for the next level. Shards come in order
 * and two equal halves join as soon as the second is complete, as in binary counting. */
static void sum_tree(int32_t n, float *const *shards, int32_t shard_count, float *out) {
    for (int32_t i = 0; i < n; i += MARL__LANES) {
        v16 waiting[TREE_LEVELS];
        int32_t depth = 0;
        for (int32_t shard = 0; shard < shard_count; shard++) {
            v16 sum = v16_load_n(shards[shard] + i, n - i);
            for (int32_t bits = shard; bits & 1; bits >>= 1) sum = v16_add(waiting[--depth], sum);
            waiting[depth++] = sum;
        }
        v16 total = depth > 0 ? waiting[--depth] : v16_zero();
        while (depth > 0) total = v16_add(waiting[--depth], total);
        v16_store_n(out + i, n - i, total);
    }
}

/* Sixteen accumulators in double, where squares of floats are exact; then the tree of v16_reduce_add. */
static double square_sum(int32_t n, const float *x) {
    double sums[MARL__LANES] = { 0 };
    int32_t i = 0;

    for (; i + MARL__LANES <= n; i += MARL__LANES)
        for (int lane = 0; lane < MARL__LANES; lane++) sums[lane] += (double)x[i + lane] * (double)x[i + lane];
    for (int lane = 0; i + lane < n; lane++) sums[lane] += (double)x[i + lane] * (double)x[i + lane];
    for (int half = MARL__LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) sums[lane] += sums[lane + half];
    return sums[0];
}

MARL__LANE_FN v16 blend(v16 weight, v16 old, v16 rest, v16 fresh) {
    return v16_add(v16_mul(weight, old), v16_mul(rest, fresh));
}

static void rmsprop(int32_t n, const float *p, const float *g, float scale, float *v, float lr, double alpha, float eps,
                    float *out) {
    v16 factor = v16_set1(scale), step = v16_set1(lr), keep = v16_set1((float)alpha);
    v16 rest = v16_set1((float)(1.0 - alpha)), floor = v16_set1(eps);

    for (int32_t i = 0; i < n; i += MARL__LANES) {
        int32_t count = n - i;
        v16 grad = v16_mul(v16_load_n(g + i, count), factor);
        v16 second = blend(keep, v16_load_n(v + i, count), rest, v16_mul(grad, grad));
        v16 change = v16_div(v16_mul(step, grad), v16_add(v16_sqrt(second), floor));
        v16_store_n(v + i, count, second);
        v16_store_n(out + i, count, v16_sub(v16_load_n(p + i, count), change));
    }
}

static void adam(int32_t n, const float *p, const float *g, float scale, float *m, float *v, float lr_t, double beta1,
                 double beta2, float root_scale, float eps, float *out) {
    v16 factor = v16_set1(scale), step = v16_set1(lr_t), root = v16_set1(root_scale), floor = v16_set1(eps);
    v16 keep1 = v16_set1((float)beta1), rest1 = v16_set1((float)(1.0 - beta1));
    v16 keep2 = v16_set1((float)beta2), rest2 = v16_set1((float)(1.0 - beta2));

    for (int32_t i = 0; i < n; i += MARL__LANES) {
        int32_t count = n - i;
        v16 grad = v16_mul(v16_load_n(g + i, count), factor);
        v16 first = blend(keep1, v16_load_n(m + i, count), rest1, grad);
        v16 second = blend(keep2, v16_load_n(v + i, count), rest2, v16_mul(grad, grad));
        v16 under = v16_add(v16_mul(v16_sqrt(second), root), floor);
        v16_store_n(m + i, count, first);
        v16_store_n(v + i, count, second);
        v16_store_n(out + i, count, v16_sub(v16_load_n(p + i, count), v16_div(v16_mul(step, first), under)));
    }
}

static void mix(int32_t n, const float *a, const float *b, float tau, float *out) {
    v16 keep = v16_set1(1.0f - tau), take = v16_set1(tau);

    for (int32_t i = 0; i < n; i += MARL__LANES)
        v16_store_n(out + i, n - i, blend(keep, v16_load_n(a + i, n - i), take, v16_load_n(b + i, n - i)));
}

const marl__flat_kernels MARL__ISA(marl__cpu_flat) = {
    .sum_tree = sum_tree, .square_sum = square_sum, .rmsprop = rmsprop, .adam = adam, .mix = mix,
};
