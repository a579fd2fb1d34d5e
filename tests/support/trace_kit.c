/* SPDX-License-Identifier: Apache-2.0 */
/* See trace_kit.h. */
#include "support/trace_kit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define MOST_COMPARED 4096

/* ---- arguments ---- */

static marl_status set_value(marl_config *config, const char *key, const marl__json *json, int32_t value) {
    int32_t type = marl__json_type(json, value), flag = 0;
    double number = 0;
    char text[64];

    if (type == MARL__JSON_BOOL && marl__json_bool(json, value, &flag) == MARL_OK) {
        return marl_config_set_int(config, key, flag);
    }
    if (type == MARL__JSON_NUMBER && marl__json_real(json, value, &number) == MARL_OK) {
        marl__write_real(number, text);
        return marl_config_set(config, key, text);
    }
    return marl__fail(MARL_E_FORMAT, "the argument '%s' is neither a number nor a flag", key);
}

static int is_unset(const marl__json *json, int32_t value) {
    int32_t flag = 1;

    return marl__json_type(json, value) == MARL__JSON_NULL ||
           (marl__json_type(json, value) == MARL__JSON_BOOL && marl__json_bool(json, value, &flag) == MARL_OK && !flag);
}

marl_status marl__trace_config(const char *name, const marl__json *json, int32_t kwargs,
                               const marl__trace_argument *known, uint32_t count, marl_config **out) {
    char component[256];
    marl_status status = MARL_OK;

    snprintf(component, sizeof component, "env/%s", name);
    status = marl_config_create(NULL, component, out);
    for (int32_t key = marl__json_first(json, kwargs); key >= 0 && status == MARL_OK;
         key = marl__json_next(json, key)) {
        const char *argument = marl__json_text(json, key);
        int32_t value = marl__json_of(json, key);
        uint32_t i = 0;
        while (i < count && strcmp(argument, known[i].theirs) != 0) {
            i++;
        }
        if (i == count && !is_unset(json, value)) {
            status = marl__fail(MARL_E_UNSUPPORTED, "the argument '%s' is not known", argument);
        } else if (i < count && known[i].ours && marl__json_type(json, value) != MARL__JSON_NULL) {
            status = set_value(*out, known[i].ours, json, value);
        }
    }
    return status;
}

int marl__kit_has(const marl__trace_kit *t, const char *name) {
    return t->files.file && marl__safetensors_find(t->files.file, name) != NULL;
}

void marl__kit_open(marl__trace_kit *t, marl__heap *heap, const char *path, marl_env *env) {
    memset(t, 0, sizeof *t);
    t->files.heap = heap;
    t->env = env;
    t->n = marl_env_get_spec(env)->agent_count;
    t->d = marl_env_obs_size(env);
    t->files.status = marl__trace_open(&t->files, path);
    t->episodes = marl__trace_first_dim(&t->files, "ep_len");
    t->steps = marl__trace_first_dim(&t->files, "actions");
    t->length = marl__trace_ints(&t->files, "ep_len", 1, &t->episodes);
    t->first = marl__trace_ints(&t->files, "ep_off", 1, &t->episodes);
    t->seen = marl__trace_block(&t->files, (uint64_t)t->n * t->d, sizeof *t->seen);
    t->paid = marl__trace_block(&t->files, t->n, sizeof *t->paid);
}

void marl__kit_close(marl__trace_kit *t) {
    marl__trace_close(&t->files);
    marl_env_destroy(t->env);
}

/* ---- comparing ---- */

marl_status marl__kit_check_obs(marl__trace_kit *t, const float *expected, double tolerance) {
    marl_view view;
    marl_status status = MARL_OK;

    memset(&view, 0, sizeof view);
    view.struct_size = sizeof view;
    view.obs = t->seen;
    if ((status = marl_env_observe(t->env, &view)) != MARL_OK) return status;
    for (uint32_t i = 0; i < t->n * t->d; i++) {
        if (!(fabs((double)t->seen[i] - (double)expected[i]) <= tolerance)) {
            return marl__fail(MARL_E_MISMATCH, "agent %u: obs[%u] is %.9g, recorded %.9g", i / t->d, i % t->d,
                              (double)t->seen[i], (double)expected[i]);
        }
    }
    return MARL_OK;
}

marl_status marl__kit_check_ints(marl__trace_kit *t, const char *name, const int32_t *expected, uint32_t count) {
    int32_t values[MOST_COMPARED];
    marl_status status = MARL_OK;

    if (count > MOST_COMPARED) return marl__fail(MARL_E_SHAPE, "%s has %u numbers", name, count);
    status = marl__env_get_array(t->env, name, values, count);
    for (uint32_t i = 0; status == MARL_OK && i < count; i++) {
        if (values[i] != expected[i]) {
            return marl__fail(MARL_E_MISMATCH, "%s[%u] is %d, recorded %d", name, i, values[i], expected[i]);
        }
    }
    return status;
}

marl_status marl__kit_check_reals(marl__trace_kit *t, const char *name, const double *expected, uint32_t count,
                                    double tolerance) {
    int32_t words[2 * MOST_COMPARED];
    double values[MOST_COMPARED];
    marl_status status = MARL_OK;

    if (count > MOST_COMPARED) return marl__fail(MARL_E_SHAPE, "%s has %u numbers", name, count);
    status = marl__env_get_array(t->env, name, words, 2 * count);
    memcpy(values, words, count * sizeof *values);
    for (uint32_t i = 0; status == MARL_OK && i < count; i++) {
        if (!(fabs(values[i] - expected[i]) <= tolerance)) {
            return marl__fail(MARL_E_MISMATCH, "%s[%u] is %.17g, recorded %.17g", name, i, values[i], expected[i]);
        }
    }
    return status;
}

marl_status marl__kit_check_reward(const marl__trace_kit *t, uint32_t agent, double expected, double tolerance) {
    if (!(fabs(t->paid[agent] - expected) <= tolerance)) {
        return marl__fail(MARL_E_MISMATCH, "agent %u: the reward is %.17g, recorded %.17g", agent, t->paid[agent],
                          expected);
    }
    return MARL_OK;
}

static marl_status replay_episode(marl__trace_kit *t, uint32_t e, void *user,
                                  marl_status (*begin)(void *user, uint32_t episode),
                                  marl_status (*step)(void *user, uint32_t row)) {
    marl_status status = MARL_OK;

    if (t->length[e] < 0 || t->first[e] < 0 || (int64_t)t->first[e] + t->length[e] > t->steps) {
        return marl__fail(MARL_E_FORMAT, "ep_off %d and ep_len %d leave the %u steps", t->first[e], t->length[e],
                          t->steps);
    }
    if ((status = begin(user, e)) != MARL_OK) return marl__fail_prefix(status, "episode %u, after reset: ", e);
    for (int32_t k = 0; k < t->length[e] && status == MARL_OK; k++) {
        status = step(user, (uint32_t)(t->first[e] + k));
        if (status != MARL_OK) {
            marl__fail_prefix(status, "episode %u, step %d: ", e, k);
        }
    }
    return status;
}

marl_status marl__kit_replay(marl__trace_kit *t, void *user, marl_status (*begin)(void *user, uint32_t episode),
                               marl_status (*step)(void *user, uint32_t row)) {
    marl_status status = t->files.status;

    for (uint32_t e = 0; e < t->episodes && status == MARL_OK; e++) {
        status = replay_episode(t, e, user, begin, step);
    }
    return status;
}
