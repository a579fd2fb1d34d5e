/* SPDX-License-Identifier: Apache-2.0 */
/* Traces of Level-Based Foraging. The manifest gives the constructor's arguments; states are injected, since the
 * package draws them from a generator of its own.
 *
 * T steps over all episodes, E episodes, N agents, D observation entries, A actions. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "support/trace.h"

#define REWARD_TOLERANCE 1e-12

/* ---- arguments ---- */

/* A JSON value as marl_config_set takes it: numbers, flags, texts, and lists of numbers with commas. 0: it does not
 * fit. */
static int value_text(const marl__json *json, int32_t value, char *out, size_t bytes) {
    int32_t type = marl__json_type(json, value), flag = 0;
    double number = 0;
    char digits[32];
    size_t at = 0;

    out[0] = '\0';
    if (type == MARL__JSON_ARRAY) {
        for (int32_t item = marl__json_first(json, value); item >= 0; item = marl__json_next(json, item)) {
            at += (size_t)snprintf(out + at, bytes - at, "%s", at ? "," : "");
            if (at + 32 > bytes || !value_text(json, item, out + at, bytes - at)) {
                return 0;
            }
            at += strlen(out + at);
        }
        return 1;
    }
    if (type == MARL__JSON_BOOL && marl__json_bool(json, value, &flag) == MARL_OK) {
        return snprintf(out, bytes, "%d", flag) < (int)bytes;
    }
    if (type == MARL__JSON_NUMBER && marl__json_real(json, value, &number) == MARL_OK) {
        marl__write_real(number, digits);
        return snprintf(out, bytes, "%s", digits) < (int)bytes;
    }
    return type == MARL__JSON_TEXT && snprintf(out, bytes, "%s", marl__json_text(json, value)) < (int)bytes;
}

/* An argument of theirs and the key of ours that means the same; key NULL: it is part of the name. */
typedef struct argument {
    const char *theirs, *ours;
} argument;

static marl_status set_argument(marl_config *config, const marl__json *json, int32_t key, const argument *known,
                                uint32_t count) {
    int32_t value = marl__json_of(json, key);
    const char *name = marl__json_text(json, key);
    char text[256];

    if (marl__json_type(json, value) == MARL__JSON_NULL) {
        return MARL_OK; /* unset, there and here */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(name, known[i].theirs) != 0) {
            continue;
        }
        if (!known[i].ours) {
            return MARL_OK;
        }
        if (!value_text(json, value, text, sizeof text)) {
            return marl__fail(MARL_E_FORMAT, "the argument '%s' has no value that a key could take", name);
        }
        return marl_config_set(config, known[i].ours, text);
    }
    return marl__fail(MARL_E_UNSUPPORTED, "the argument '%s' is not known", name);
}

/* ---- replay ---- */

static const argument lbf_arguments[] = {
    {"players", NULL},
    {"field_size", NULL},
    {"max_num_food", NULL},
    {"sight", "sight"},
    {"force_coop", "coop"},
    {"min_player_level", "min_player_level"},
    {"max_player_level", "max_player_level"},
    {"min_food_level", "min_food_level"},
    {"max_food_level", "max_food_level"},
    {"penalty", "penalty"},
    {"normalize_reward", "normalize_reward"},
    {"observe_agent_levels", "observe_agent_levels"},
    {"grid_observation", "grid_observation"},
    {"max_episode_steps", "max_episode_steps"},
};

/* Name and keys from the constructor's arguments. The package reports its step limit as a real end. */
static marl_status lbf_create(const marl__json *json, int32_t kwargs, marl_env **out) {
    int32_t size = marl__json_find(json, kwargs, "field_size");
    int32_t rows_at = marl__json_first(json, size);
    int64_t rows = 0, cols = 0, players = 0, foods = 0;
    marl_config *config = NULL;
    char name[96], component[128];
    marl_status status = MARL_OK;

    *out = NULL;
    if (marl__json_count(json, size) != 2) return marl__fail(MARL_E_FORMAT, "field_size is not two numbers");
    if ((status = marl__json_int(json, rows_at, &rows)) != MARL_OK) return status;
    if ((status = marl__json_int(json, marl__json_next(json, rows_at), &cols)) != MARL_OK) return status;
    if ((status = marl__json_get_int(json, kwargs, "players", &players)) != MARL_OK) return status;
    if ((status = marl__json_get_int(json, kwargs, "max_num_food", &foods)) != MARL_OK) return status;
    snprintf(name, sizeof name, "lbf:%" PRId64 "x%" PRId64 "-%" PRId64 "p-%" PRId64 "f", rows, cols, players, foods);
    snprintf(component, sizeof component, "env/%s", name);
    if ((status = marl_config_create(NULL, component, &config)) != MARL_OK) return status;
    for (int32_t key = marl__json_first(json, kwargs); key >= 0 && status == MARL_OK;
         key = marl__json_next(json, key)) {
        status = set_argument(config, json, key, lbf_arguments, sizeof lbf_arguments / sizeof lbf_arguments[0]);
    }
    if (status == MARL_OK && (status = marl_config_set(config, "limit_is_terminal", "1")) == MARL_OK) {
        status = marl_env_create(NULL, name, config, out);
    }
    marl_config_destroy(config);
    return status;
}

typedef struct lbf_trace {
    marl__trace files;
    marl_env *env;
    uint32_t n, d, cells, rows, cols, a, episodes, steps;
    int32_t *length, *first, *init_field, *init_total, *init_level, *init_pos, *valid0;
    int32_t *actions, *done, *truncated, *valid, *pos, *field;
    float *obs0, *obs;
    double *rewards;
    float *seen;      /* (N,D) */
    double *paid;     /* (N) */
    int32_t *scratch; /* the longest of the compared arrays */
} lbf_trace;

static void lbf_read(lbf_trace *c) {
    marl__trace *t = &c->files;
    uint32_t e = c->episodes = marl__trace_first_dim(t, "ep_len"), s = c->steps = marl__trace_first_dim(t, "actions");
    uint32_t longest = c->cells > c->n * c->a ? c->cells : c->n * c->a;

    c->length = marl__trace_ints(t, "ep_len", 1, &e);
    c->first = marl__trace_ints(t, "ep_off", 1, &e);
    c->init_field = marl__trace_ints(t, "init_field", 3, (uint32_t[]){e, c->rows, c->cols});
    c->init_total = marl__trace_ints(t, "init_food_total", 1, &e);
    c->init_level = marl__trace_ints(t, "init_level", 2, (uint32_t[]){e, c->n});
    c->init_pos = marl__trace_ints(t, "init_pos", 3, (uint32_t[]){e, c->n, 2});
    c->obs0 = marl__trace_floats(t, "obs0", 3, (uint32_t[]){e, c->n, c->d});
    c->valid0 = marl__trace_ints(t, "valid0", 3, (uint32_t[]){e, c->n, c->a});
    c->actions = marl__trace_ints(t, "actions", 2, (uint32_t[]){s, c->n});
    c->obs = marl__trace_floats(t, "obs", 3, (uint32_t[]){s, c->n, c->d});
    c->rewards = marl__trace_doubles(t, "rewards", 2, (uint32_t[]){s, c->n});
    c->done = marl__trace_ints(t, "done", 1, &s);
    c->truncated = marl__trace_ints(t, "truncated", 1, &s);
    c->valid = marl__trace_ints(t, "valid", 3, (uint32_t[]){s, c->n, c->a});
    c->pos = marl__trace_ints(t, "pos", 3, (uint32_t[]){s, c->n, 2});
    c->field = marl__trace_ints(t, "field", 3, (uint32_t[]){s, c->rows, c->cols});
    c->seen = marl__trace_block(t, (uint64_t)c->n * c->d, sizeof *c->seen);
    c->paid = marl__trace_block(t, c->n, sizeof *c->paid);
    c->scratch = marl__trace_block(t, longest, sizeof *c->scratch);
}

static marl_status compare_ints(lbf_trace *c, const char *name, const int32_t *expected, uint32_t count) {
    marl_status status = marl__env_get_array(c->env, name, c->scratch, count);

    for (uint32_t i = 0; status == MARL_OK && i < count; i++) {
        if (c->scratch[i] != expected[i]) {
            return marl__fail(MARL_E_MISMATCH, "%s[%u] is %d, recorded %d", name, i, c->scratch[i], expected[i]);
        }
    }
    return status;
}

static marl_status compare_obs(lbf_trace *c, const float *expected) {
    marl_view view;
    marl_status status = MARL_OK;

    memset(&view, 0, sizeof view);
    view.struct_size = sizeof view;
    view.obs = c->seen;
    if ((status = marl_env_observe(c->env, &view)) != MARL_OK) return status;
    for (uint32_t i = 0; i < c->n * c->d; i++) {
        if (memcmp(&c->seen[i], &expected[i], sizeof expected[i]) != 0) {
            return marl__fail(MARL_E_MISMATCH, "agent %u: obs[%u] is %.9g, recorded %.9g", i / c->d, i % c->d,
                              (double)c->seen[i], (double)expected[i]);
        }
    }
    return MARL_OK;
}

static marl_status compare_step(lbf_trace *c, uint32_t row, const marl_step *step) {
    marl_status status = MARL_OK;

    for (uint32_t i = 0; i < c->n; i++) {
        double expected = c->rewards[(size_t)row * c->n + i];
        if (!(fabs(c->paid[i] - expected) <= REWARD_TOLERANCE)) {
            return marl__fail(MARL_E_MISMATCH, "agent %u: the reward is %.17g, recorded %.17g", i, c->paid[i],
                              expected);
        }
    }
    if (step->terminated != c->done[row] || step->truncated != c->truncated[row]) {
        return marl__fail(MARL_E_MISMATCH, "terminated %d, truncated %d; recorded %d and %d", step->terminated,
                          step->truncated, c->done[row], c->truncated[row]);
    }
    if ((status = compare_obs(c, c->obs + (size_t)row * c->n * c->d)) != MARL_OK) return status;
    if ((status = compare_ints(c, "pos", c->pos + (size_t)row * c->n * 2, c->n * 2)) != MARL_OK) return status;
    if ((status = compare_ints(c, "field", c->field + (size_t)row * c->cells, c->cells)) != MARL_OK) return status;
    return compare_ints(c, "valid", c->valid + (size_t)row * c->n * c->a, c->n * c->a);
}

static marl_status lbf_begin(lbf_trace *c, uint32_t e) {
    const marl__env_array state[] = {
        {"init_field", c->init_field + (size_t)e * c->cells, c->cells},
        {"init_food_total", c->init_total + e, 1},
        {"init_level", c->init_level + (size_t)e * c->n, c->n},
        {"init_pos", c->init_pos + (size_t)e * c->n * 2, c->n * 2},
    };
    marl_status status = marl__env_set_state(c->env, state, sizeof state / sizeof state[0]);

    if (status != MARL_OK) return status;
    if ((status = compare_obs(c, c->obs0 + (size_t)e * c->n * c->d)) != MARL_OK) return status;
    return compare_ints(c, "valid", c->valid0 + (size_t)e * c->n * c->a, c->n * c->a);
}

static marl_status lbf_episode(lbf_trace *c, uint32_t e) {
    marl_actions actions = {sizeof actions, 0, NULL, NULL};
    marl_step step = {sizeof step, 0, 0, 0, c->paid, NULL};
    marl_status status = MARL_OK;

    if (c->length[e] < 0 || c->first[e] < 0 || (int64_t)c->first[e] + c->length[e] > c->steps) {
        return marl__fail(MARL_E_FORMAT, "ep_off %d and ep_len %d leave the %u steps", c->first[e], c->length[e],
                          c->steps);
    }
    if ((status = lbf_begin(c, e)) != MARL_OK) return marl__fail_prefix(status, "episode %u, after reset: ", e);
    for (int32_t k = 0; k < c->length[e] && status == MARL_OK; k++) {
        uint32_t row = (uint32_t)(c->first[e] + k);
        actions.discrete = c->actions + (size_t)row * c->n;
        if ((status = marl_env_step(c->env, &actions, &step)) == MARL_OK) {
            status = compare_step(c, row, &step);
        }
        if (status != MARL_OK) {
            marl__fail_prefix(status, "episode %u, step %d: ", e, k);
        }
    }
    return status;
}

marl_status marl__trace_lbf(marl__heap *heap, const marl__json *json, int32_t entry, const char *name, const char *path,
                            uint32_t *steps) {
    int32_t kwargs = marl__json_find(json, entry, "kwargs");
    lbf_trace c;
    const marl_env_spec *spec = NULL;
    marl_status status = MARL_OK;

    (void)name;
    memset(&c, 0, sizeof c);
    c.files.heap = heap;
    if ((status = lbf_create(json, kwargs, &c.env)) != MARL_OK) goto done;
    spec = marl_env_get_spec(c.env);
    c.n = spec->agent_count;
    c.d = marl_env_obs_size(c.env);
    c.a = marl_env_action_count(c.env);
    if ((status = marl__trace_open(&c.files, path)) != MARL_OK) goto done;
    {
        const marl__tensor_info *field = marl__safetensors_find(c.files.file, "init_field");
        if (!field || field->rank != 3) {
            status = marl__fail(MARL_E_FORMAT, "the trace has no array 'init_field' of rank 3");
            goto done;
        }
        c.rows = field->shape[1];
        c.cols = field->shape[2];
        c.cells = c.rows * c.cols;
    }
    lbf_read(&c);
    if ((status = c.files.status) != MARL_OK) goto done;
    for (uint32_t e = 0; e < c.episodes && status == MARL_OK; e++) {
        status = lbf_episode(&c, e);
    }
    *steps = c.steps;
done:
    marl__trace_close(&c.files);
    marl_env_destroy(c.env);
    return status;
}
