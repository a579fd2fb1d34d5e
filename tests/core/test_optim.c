/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers over the flat vector: known numbers, clipping by the norm of a group, groups apart from each other, blocks
 * cut anywhere, and nothing changed when a gradient is no number. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/params/optim.h"
#include "support/learners.h"

Suite *marl__suite_core_optim(void);

/* A table of vectors: one range an optimiser group. */
typedef struct rig {
    marl_device *device;
    marl__params *params;
    marl__optim *optim;
    float *values, *gradient, *next;
} rig;

static const marl__optim_group adam = {.kind = MARL__ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
static const marl__optim_group rmsprop = {.kind = MARL__RMSPROP, .lr = 5e-4, .alpha = 0.99, .eps = 1e-5};

static rig open_rig(const int32_t *sizes, int32_t count, const marl__optim_group *groups) {
    rig r = {.device = marl__test_device("cpu", "auto", 1)};
    ck_assert_int_eq(marl__params_create(r.device, &r.params), MARL_OK);
    for (int32_t i = 0; i < count; i++) {
        marl__params_range(r.params, i ? "b" : "a", i);
        marl__params_add(r.params, "x", 1, 1, sizes[i], 1, MARL__INIT_CONSTANT, 1.0f);
    }
    ck_assert_int_eq(marl__params_freeze(r.params), MARL_OK);
    ck_assert_int_eq(marl__optim_create(r.device, r.params, groups, count, &r.optim), MARL_OK);
    float **arrays[] = {&r.values, &r.gradient, &r.next};
    for (int32_t i = 0; i < 3; i++) {
        *arrays[i] = calloc(r.params->floats + 16, sizeof(float));
        ck_assert_ptr_nonnull(*arrays[i]);
    }
    marl__params_init(r.params, 1, r.values);
    return r;
}

static void close_rig(rig *r) {
    marl__optim_destroy(r->optim);
    marl__params_destroy(r->params);
    marl_device_close(r->device);
    free(r->values);
    free(r->gradient);
    free(r->next);
}

/* One update from a gradient that is already summed, blocks in the given direction. */
static marl_status update(rig *r, float *const *shards, int32_t shard_count, int32_t backwards) {
    int32_t blocks = r->optim->block_count;
    for (int32_t b = 0; b < blocks; b++)
        marl__optim_sum_shards(r->optim, backwards ? blocks - 1 - b : b, shards, shard_count, r->gradient);
    marl_status status = marl__optim_norms(r->optim);
    if (status != MARL_OK) return status;
    for (int32_t b = 0; b < blocks; b++)
        marl__optim_apply(r->optim, backwards ? blocks - 1 - b : b, r->values, r->gradient, r->next);
    memcpy(r->values, r->next, r->params->floats * sizeof(float));
    return MARL_OK;
}

static void update_with(rig *r, float g) {
    float shard[16] = {g}, *shards[] = {shard};
    ck_assert_int_eq(update(r, shards, 1, 0), MARL_OK);
}

START_TEST(test_rmsprop_numbers) {
    const int32_t one = 1;
    rig r = open_rig(&one, 1, &rmsprop);
    update_with(&r, 0.2f);
    ck_assert_double_eq_tol((double)r.values[0], 0.9950024987, 1e-7);
    update_with(&r, -0.1f);
    ck_assert_double_eq_tol((double)r.values[0], 0.9972465575, 2e-7);
    ck_assert_float_eq(r.values[1], 0.0f); /* padding */
    close_rig(&r);
}
END_TEST

START_TEST(test_adam_numbers) {
    const int32_t one = 1;
    rig r = open_rig(&one, 1, &adam);
    update_with(&r, 0.2f);
    ck_assert_double_eq_tol((double)r.values[0], 0.99900000005, 1e-7);
    update_with(&r, -0.1f);
    ck_assert_double_eq_tol((double)r.values[0], 0.9987336630, 1e-7);
    ck_assert_int_eq(r.optim->groups[0].step, 2);
    ck_assert_float_eq(r.values[1], 0.0f);
    close_rig(&r);
}
END_TEST

/* 1000 steps against the formula in double. */
START_TEST(test_long_runs) {
    const int32_t one = 1;
    marl__rng rng;
    for (int32_t kind = 0; kind < 2; kind++) {
        rig r = open_rig(&one, 1, kind ? &adam : &rmsprop);
        double p = 1.0, m = 0.0, v = 0.0;
        marl__rng_init(&rng, 1, marl__stream(MARL__STREAM_TEST, 3));
        for (int32_t t = 1; t <= 1000; t++) {
            double g = marl__rng_real(&rng) - 0.3;
            update_with(&r, (float)g);
            g = (double)(float)g;
            m = 0.9 * m + 0.1 * g;
            v = kind ? 0.999 * v + 0.001 * g * g : 0.99 * v + 0.01 * g * g;
            if (kind) p -= 1e-3 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
            else p -= 5e-4 * g / (sqrt(v) + 1e-5);
        }
        ck_assert_double_eq_tol((double)r.values[0], p, 2e-5);
        close_rig(&r);
    }
}
END_TEST

/* The norm runs over all of a group: 3 and 4 in two places make 5, clipped to 1 with the 1e-6 of the published form. */
START_TEST(test_norm_and_clip) {
    const int32_t sizes[] = {MARL__FLAT_BLOCK + 40};
    marl__optim_group group = rmsprop;
    group.clip = 1.0;
    rig r = open_rig(sizes, 1, &group);
    ck_assert_int_eq(r.optim->block_count, 2);
    float *shard = calloc(r.params->floats, sizeof *shard);
    ck_assert_ptr_nonnull(shard);
    shard[5] = 3.0f;
    shard[MARL__FLAT_BLOCK + 7] = -4.0f;
    ck_assert_int_eq(update(&r, &shard, 1, 0), MARL_OK);
    ck_assert_double_eq(r.optim->groups[0].norm, 5.0);
    ck_assert_float_eq(r.optim->groups[0].scale, (float)(1.0 / (5.0 + 1e-6)));
    double g = 3.0 / (5.0 + 1e-6), expected = 1.0 - 5e-4 * g / (sqrt(0.01 * g * g) + 1e-5);
    ck_assert_double_eq_tol((double)r.values[5], expected, 1e-7);
    ck_assert_float_eq(r.values[6], 1.0f);
    shard[5] = 0.3f;
    shard[MARL__FLAT_BLOCK + 7] = 0.4f;
    ck_assert_int_eq(update(&r, &shard, 1, 0), MARL_OK);
    ck_assert_float_eq(r.optim->groups[0].scale, 1.0f); /* below the limit: untouched */
    free(shard);
    close_rig(&r);
}
END_TEST

/* Each group has its own norm, clip and step size. */
START_TEST(test_groups_are_apart) {
    const int32_t sizes[] = {4, 4};
    marl__optim_group groups[] = {rmsprop, adam};
    groups[0].clip = 0.5;
    rig r = open_rig(sizes, 2, groups), alone = open_rig(sizes, 1, &adam);
    float shard[32] = {0}, *shards[] = {shard};
    for (int32_t i = 0; i < 4; i++) {
        shard[i] = 100.0f;
        shard[16 + i] = 0.01f * (float)(i + 1);
    }
    ck_assert_int_eq(update(&r, shards, 1, 0), MARL_OK);
    ck_assert_double_eq(r.optim->groups[0].norm, 200.0);
    ck_assert_float_lt(r.optim->groups[0].scale, 0.01f);
    ck_assert_float_eq(r.optim->groups[1].scale, 1.0f);
    float second[16], *only[] = {second};
    memcpy(second, shard + 16, sizeof second);
    ck_assert_int_eq(update(&alone, only, 1, 0), MARL_OK);
    ck_assert_mem_eq(r.values + 16, alone.values, 4 * sizeof(float));
    close_rig(&r);
    close_rig(&alone);
}
END_TEST

/* Blocks may be done in any order; shards are summed by a tree. */
START_TEST(test_order_of_blocks) {
    const int32_t sizes[] = {3 * MARL__FLAT_BLOCK + 5, 17};
    const marl__optim_group groups[] = {adam, rmsprop};
    rig a = open_rig(sizes, 2, groups), b = open_rig(sizes, 2, groups);
    float *shards[5];
    marl__rng rng;
    marl__rng_init(&rng, 4, marl__stream(MARL__STREAM_TEST, 4));
    for (int32_t s = 0; s < 5; s++) {
        shards[s] = calloc(a.params->floats, sizeof(float));
        ck_assert_ptr_nonnull(shards[s]);
        for (size_t i = 0; i < a.params->floats; i++) shards[s][i] = marl__rng_real32(&rng) - 0.5f;
    }
    for (int32_t u = 0; u < 3; u++) {
        ck_assert_int_eq(update(&a, shards, 5, 0), MARL_OK);
        ck_assert_int_eq(update(&b, shards, 5, 1), MARL_OK);
    }
    ck_assert_mem_eq(a.values, b.values, a.params->floats * sizeof(float));
    float sum = ((shards[0][9] + shards[1][9]) + (shards[2][9] + shards[3][9])) + shards[4][9];
    ck_assert_float_eq(a.gradient[9], sum);
    for (int32_t s = 0; s < 5; s++) free(shards[s]);
    close_rig(&a);
    close_rig(&b);
}
END_TEST

START_TEST(test_gradient_that_is_no_number) {
    const int32_t sizes[] = {4, 4};
    const marl__optim_group groups[] = {adam, rmsprop};
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int32_t i = 0; i < 6; i++) {
        rig r = open_rig(sizes, 2, groups);
        float shard[32] = {1, 2, 3, 4}, *shards[] = {shard};
        ck_assert_int_eq(update(&r, shards, 1, 0), MARL_OK);
        float before = r.values[0];
        marl__optim_group kept[2];
        memcpy(kept, r.optim->groups, sizeof kept);
        shard[i < 3 ? 1 : 17] = bad[i % 3];
        ck_assert_int_eq(update(&r, shards, 1, 0), MARL_E_NOT_FINITE);
        ck_assert_float_eq(r.values[0], before);
        for (int32_t g = 0; g < 2; g++) {
            ck_assert_int_eq(r.optim->groups[g].step, kept[g].step);
            ck_assert_double_eq(r.optim->groups[g].power1, kept[g].power1);
            ck_assert_double_eq(r.optim->groups[g].power2, kept[g].power2);
        }
        close_rig(&r);
    }
}
END_TEST

Suite *marl__suite_core_optim(void) {
    Suite *suite = suite_create("core/optim");
    TCase *tests = tcase_create("optim");
    tcase_add_test(tests, test_rmsprop_numbers);
    tcase_add_test(tests, test_adam_numbers);
    tcase_add_test(tests, test_long_runs);
    tcase_add_test(tests, test_norm_and_clip);
    tcase_add_test(tests, test_groups_are_apart);
    tcase_add_test(tests, test_order_of_blocks);
    tcase_add_test(tests, test_gradient_that_is_no_number);
    suite_add_tcase(suite, tests);
    return suite;
}
