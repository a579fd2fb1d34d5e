/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded traces of the particle environments: state and rewards to 1e-9, what agents see to 1e-5 (they see
 * float32). The scenario is the manifest's word without its version; traces of the fork that SePS used have the old
 * order of integration. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "support/trace_kit.h"

#define STATE_TOLERANCE 1e-9
#define OBS_TOLERANCE 1e-5

static const marl__trace_argument arguments[] = {
    {"N", NULL},
    {"continuous_actions", "continuous"},
    {"max_cycles", "max_cycles"},
    {"local_ratio", "local_ratio"},
    {"num_good", "num_good"},
    {"num_adversaries", "num_adversaries"},
    {"num_obstacles", "num_obstacles"},
};

static marl_status open_env(const marl__json *json, int32_t entry, marl_env **out) {
    int32_t kwargs = marl__json_find(json, entry, "kwargs");
    const char *env = "", *package = "";
    marl_config *config = NULL;
    int64_t count = 0;
    char name[128];
    size_t length;
    marl_status status = marl__json_get_text(json, entry, "env", &env);

    *out = NULL;
    if (status != MARL_OK) return status;
    if ((status = marl__json_get_text(json, entry, "package", &package)) != MARL_OK) return status;
    length = strstr(env, "_v") ? (size_t)(strstr(env, "_v") - env) : strlen(env);
    if (marl__json_find(json, kwargs, "N") >= 0) {
        if ((status = marl__json_get_int(json, kwargs, "N", &count)) != MARL_OK) return status;
        snprintf(name, sizeof name, "mpe:%.*s-%" PRId64, (int)(length < 64 ? length : 64), env, count);
    } else {
        snprintf(name, sizeof name, "mpe:%.*s", (int)(length < 64 ? length : 64), env);
    }
    status = marl__trace_config(name, json, kwargs, arguments, sizeof arguments / sizeof arguments[0], &config);
    if (status == MARL_OK && strstr(package, "SePS")) {
        status = marl_config_set(config, "integration", "old");
    }
    if (status == MARL_OK) {
        status = marl_env_create(NULL, name, config, out);
    }
    marl_config_destroy(config);
    return status;
}

typedef struct mpe_trace {
    marl__trace_kit t;
    uint32_t landmarks, words, goals, action_dims;
    int32_t *goal, *discrete, *done, *truncated, *obs_dim, *act_dim;
    float *continuous, *obs0, *obs;
    double *init_pos, *init_vel, *landmark, *pos, *vel, *comm, *rewards;
} mpe_trace;

static uint32_t last_dim(marl__trace_kit *t, const char *name, uint32_t rank) {
    const marl__tensor_info *info = t->files.status == MARL_OK ? marl__safetensors_find(t->files.file, name) : NULL;

    if (t->files.status == MARL_OK && (!info || info->rank != rank)) {
        t->files.status = marl__fail(MARL_E_FORMAT, "the trace has no array '%s' of rank %u", name, rank);
    }
    return t->files.status == MARL_OK ? info->shape[rank - 1] : 0;
}

static void read_all(mpe_trace *c) {
    marl__trace_kit *t = &c->t;
    const marl_agent_class *first = &marl_env_get_spec(t->env)->classes[0];
    int is_open = t->files.status == MARL_OK;
    const marl__tensor_info *landmark = is_open ? marl__safetensors_find(t->files.file, "init_landmark") : NULL;
    const marl__tensor_info *goal = is_open ? marl__safetensors_find(t->files.file, "init_goal") : NULL;
    uint32_t e = t->episodes, s = t->steps, n = t->n;

    c->landmarks = landmark && landmark->rank == 3 ? landmark->shape[1] : 0;
    c->goals = !goal ? 0 : goal->rank == 2 ? goal->shape[1] : 1;
    c->words = last_dim(t, "comm", 3);
    c->init_pos = marl__trace_doubles(&t->files, "init_pos", 3, (uint32_t[]){e, n, 2});
    c->init_vel = marl__trace_doubles(&t->files, "init_vel", 3, (uint32_t[]){e, n, 2});
    c->landmark = marl__trace_doubles(&t->files, "init_landmark", 3, (uint32_t[]){e, c->landmarks, 2});
    if (goal) {
        c->goal = marl__trace_ints(&t->files, "init_goal", goal->rank, (uint32_t[]){e, c->goals});
    }
    c->obs_dim = marl__trace_ints(&t->files, "obs_dim", 1, &n);
    c->act_dim = marl__trace_ints(&t->files, "act_dim", 1, &n);
    c->obs0 = marl__trace_floats(&t->files, "obs0", 3, (uint32_t[]){e, n, t->d});
    c->obs = marl__trace_floats(&t->files, "obs", 3, (uint32_t[]){s, n, t->d});
    if (first->action_kind == MARL_ACTION_BOX) {
        c->action_dims = last_dim(t, "actions", 3);
        c->continuous = marl__trace_floats(&t->files, "actions", 3, (uint32_t[]){s, n, c->action_dims});
    } else {
        c->action_dims = 1;
        c->discrete = marl__trace_ints(&t->files, "actions", 2, (uint32_t[]){s, n});
    }
    c->rewards = marl__trace_doubles(&t->files, "rewards", 2, (uint32_t[]){s, n});
    c->done = marl__trace_ints(&t->files, "done", 1, &s);
    c->truncated = marl__trace_ints(&t->files, "truncated", 1, &s);
    c->pos = marl__trace_doubles(&t->files, "pos", 3, (uint32_t[]){s, n, 2});
    c->vel = marl__trace_doubles(&t->files, "vel", 3, (uint32_t[]){s, n, 2});
    c->comm = marl__trace_doubles(&t->files, "comm", 3, (uint32_t[]){s, n, c->words});
}

/* Widths of what each agent sees and does. */
static marl_status check_widths(const mpe_trace *c) {
    const marl_env_spec *spec = marl_env_get_spec(c->t.env);
    uint32_t widest = 0;

    for (uint32_t i = 0; i < c->t.n; i++) {
        const marl_agent_class *class = &spec->classes[spec->agent_class[i]];
        uint32_t acts = class->action_kind == MARL_ACTION_BOX ? class->action_dims : class->action_count;
        if (class->obs_shape[0] != (uint32_t)c->obs_dim[i] || acts != (uint32_t)c->act_dim[i]) {
            return marl__fail(MARL_E_MISMATCH, "agent %u sees %u and chooses among %u, recorded %d and %d", i,
                              class->obs_shape[0], acts, c->obs_dim[i], c->act_dim[i]);
        }
        widest = class->action_dims > widest ? class->action_dims : widest;
    }
    if (c->action_dims != widest) {
        return marl__fail(MARL_E_MISMATCH, "actions have %u numbers, recorded %u", widest, c->action_dims);
    }
    return MARL_OK;
}

static const int32_t *words_of(const double *reals) {
    return (const int32_t *)(const void *)reals;
}

static marl_status begin(void *user, uint32_t e) {
    mpe_trace *c = user;
    uint32_t n = c->t.n;
    const marl__env_array state[] = {
        {"init_pos", words_of(c->init_pos + (size_t)e * n * 2), 4 * n},
        {"init_vel", words_of(c->init_vel + (size_t)e * n * 2), 4 * n},
        {"init_landmark", words_of(c->landmark + (size_t)e * c->landmarks * 2), 4 * c->landmarks},
        {"init_goal", c->goals ? c->goal + (size_t)e * c->goals : NULL, c->goals},
    };
    marl_status status = marl__env_set_state(c->t.env, state, sizeof state / sizeof state[0]);

    if (status != MARL_OK) return status;
    return marl__kit_check_obs(&c->t, c->obs0 + (size_t)e * n * c->t.d, OBS_TOLERANCE);
}

static marl_status step(void *user, uint32_t row) {
    mpe_trace *c = user;
    uint32_t n = c->t.n;
    size_t at = (size_t)row * n;
    marl_actions actions = {sizeof actions, 0, c->discrete ? c->discrete + at : NULL,
                            c->continuous ? c->continuous + at * c->action_dims : NULL};
    marl_step out = {sizeof out, 0, 0, 0, c->t.paid, NULL};
    marl_status status = marl_env_step(c->t.env, &actions, &out);

    if (status != MARL_OK) return status;
    for (uint32_t i = 0; i < n && status == MARL_OK; i++) {
        status = marl__kit_check_reward(&c->t, i, c->rewards[at + i], STATE_TOLERANCE);
    }
    if (status != MARL_OK) return status;
    if (out.terminated != c->done[row] || out.truncated != c->truncated[row]) {
        return marl__fail(MARL_E_MISMATCH, "terminated %d, truncated %d; recorded %d and %d", out.terminated,
                          out.truncated, c->done[row], c->truncated[row]);
    }
    status = marl__kit_check_obs(&c->t, c->obs + at * c->t.d, OBS_TOLERANCE);
    if (status != MARL_OK) return status;
    status = marl__kit_check_reals(&c->t, "pos", c->pos + at * 2, 2 * n, STATE_TOLERANCE);
    if (status != MARL_OK) return status;
    status = marl__kit_check_reals(&c->t, "vel", c->vel + at * 2, 2 * n, STATE_TOLERANCE);
    if (status != MARL_OK) return status;
    return marl__kit_check_reals(&c->t, "comm", c->comm + at * c->words, n * c->words, STATE_TOLERANCE);
}

marl_status marl__trace_mpe(marl__heap *heap, const marl__json *json, int32_t entry, const char *name,
                            const char *path, uint32_t *steps) {
    mpe_trace c;
    marl_env *env = NULL;
    marl_status status = open_env(json, entry, &env);

    (void)name;
    if (status != MARL_OK) return status;
    memset(&c, 0, sizeof c);
    marl__kit_open(&c.t, heap, path, env);
    read_all(&c);
    if ((status = c.t.files.status) == MARL_OK && (status = check_widths(&c)) == MARL_OK) {
        status = marl__kit_replay(&c.t, &c, begin, step);
    }
    *steps = c.t.steps;
    marl__kit_close(&c.t);
    return status;
}
