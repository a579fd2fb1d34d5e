/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of built-in environments share: one opened with keys, one that fails to, recorded states. */
#ifndef MARL__TESTS_ENV_KIT_H
#define MARL__TESTS_ENV_KIT_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "envs/env.h"

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* keys: "key=value" texts, NULL at the end. */
static inline marl_status kit_try(const char *name, const char *const *keys, marl_env **out) {
    marl_config *config = NULL;
    char component[256], key[64];
    marl_status status = MARL_OK;

    *out = NULL;
    snprintf(component, sizeof component, "env/%s", name);
    status = marl_config_create(NULL, component, &config);
    for (; status == MARL_OK && keys && *keys; keys++) {
        const char *equals = strchr(*keys, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *keys), *keys);
        status = marl_config_set(config, key, equals + 1);
    }
    if (status == MARL_OK) {
        status = marl_env_create(NULL, name, config, out);
    }
    marl_config_destroy(config);
    return status;
}

static inline marl_env *kit_open(const char *name, const char *const *keys) {
    marl_env *env = NULL;

    ck_assert_msg(kit_try(name, keys, &env) == MARL_OK, "%s: %s", name, marl_last_error());
    return env;
}

/* The creation fails with this status, and the sentence holds `hint`. */
static inline void kit_refuse(const char *name, const char *const *keys, marl_status status, const char *hint) {
    marl_env *env = NULL;
    marl_status got = kit_try(name, keys, &env);

    ck_assert_msg(got == status, "%s: %s", name, got == MARL_OK ? "was taken" : marl_last_error());
    ck_assert_msg(strstr(marl_last_error(), hint) != NULL, "%s: %s", name, marl_last_error());
    ck_assert_ptr_null(env);
}

static inline uint64_t kit_hash(const char *name, const char *const *keys) {
    marl_env *env = kit_open(name, keys);
    uint64_t hash = marl_env_get_spec(env)->hash;

    marl_env_destroy(env);
    return hash;
}

typedef struct kit_result {
    double rewards[64], scalars[4];
    marl_step step;
} kit_result;

static inline marl_status kit_try_act(marl_env *env, const int32_t *discrete, const float *continuous,
                                      kit_result *out) {
    marl_actions actions = {sizeof actions, 0, discrete, continuous};

    memset(out, 0, sizeof *out);
    out->step = (marl_step){sizeof out->step, 0, 0, 0, out->rewards, out->scalars};
    return marl_env_step(env, &actions, &out->step);
}

static inline kit_result kit_act(marl_env *env, const int32_t *discrete) {
    kit_result r;

    ck_assert_msg(kit_try_act(env, discrete, NULL, &r) == MARL_OK, "%s", marl_last_error());
    return r;
}

static inline kit_result kit_push(marl_env *env, const float *continuous) {
    kit_result r;

    ck_assert_msg(kit_try_act(env, NULL, continuous, &r) == MARL_OK, "%s", marl_last_error());
    return r;
}

static inline void kit_observe(marl_env *env, float *obs, float *state) {
    marl_view view;

    memset(&view, 0, sizeof view);
    view.struct_size = sizeof view;
    view.obs = obs;
    view.state = state;
    ck_assert_msg(marl_env_observe(env, &view) == MARL_OK, "%s", marl_last_error());
}

/* Pearson's statistic lies near its degrees of freedom; five deviations above is no accident. Seeds are fixed. */
static inline void kit_check_even(const int32_t *counts, int32_t bins, const char *what) {
    double sum = 0, statistic = 0, freedom = bins - 1, variance = 2 * freedom;

    for (int32_t i = 0; i < bins; i++) {
        sum += counts[i];
    }
    for (int32_t i = 0; i < bins; i++) {
        double expected = sum / bins;
        statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    ck_assert_msg(sum > 20 * bins, "%s: only %g draws", what, sum);
    ck_assert_msg(statistic < freedom || (statistic - freedom) * (statistic - freedom) < 25 * variance,
                  "%s: chi-square %g of %g", what, statistic, freedom);
}

#endif
