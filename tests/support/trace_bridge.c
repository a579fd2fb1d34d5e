/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded traces of the bridge: places exactly, rewards and what agents see to 1e-6 (recorded in float32). The
 * published class plays on to the limit, which it reports as an end. Maps that have no name here come from the
 * manifest's field "map". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "support/trace_kit.h"

#define TOLERANCE 1e-6

static const marl__trace_argument arguments[] = {
    {"num_agents", NULL},
    {"map_type", NULL},
    {"num_random_blocks", "num_random_blocks"},
    {"share_reward", "share_reward"},
    {"episode_length", "episode_length"},
};

/* The manifest's rows, joined by slashes. */
static marl_status set_map(marl_config *config, const marl__json *json, int32_t entry) {
    int32_t rows = marl__json_find(json, entry, "map");
    char text[2048] = "";
    size_t at = 0;

    for (int32_t row = marl__json_first(json, rows); row >= 0 && at < sizeof text; row = marl__json_next(json, row)) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? "/" : "", marl__json_text(json, row));
    }
    if (at == 0 || at >= sizeof text) return marl__fail(MARL_E_FORMAT, "the case has no map that fits");
    return marl_config_set(config, "map", text);
}

static marl_status open_env(const marl__json *json, int32_t entry, marl_env **out) {
    int32_t kwargs = marl__json_find(json, entry, "kwargs");
    int64_t agents = 0, map = 0;
    marl_config *config = NULL;
    char name[64];
    int is_named;
    marl_status status = marl__json_get_int(json, kwargs, "num_agents", &agents);

    *out = NULL;
    if (status != MARL_OK) return status;
    if ((status = marl__json_get_int(json, kwargs, "map_type", &map)) != MARL_OK) return status;
    is_named = map == 4 || map == 5;
    snprintf(name, sizeof name, "bridge:map%d-%" PRId64 "ag", is_named ? (int)map : 4, agents);
    status = marl__trace_config(name, json, kwargs, arguments, sizeof arguments / sizeof arguments[0], &config);
    if (status == MARL_OK && !is_named) {
        status = set_map(config, json, entry);
    }
    if (status == MARL_OK && (status = marl_config_set(config, "play_on", "1")) == MARL_OK) {
        status = marl_env_create(NULL, name, config, out);
    }
    marl_config_destroy(config);
    return status;
}

typedef struct bridge_trace {
    marl__trace_kit t;
    int32_t *init_pos, *init_goal, *actions, *done, *pos;
    float *obs0, *obs, *rewards;
} bridge_trace;

static void read_all(bridge_trace *c) {
    marl__trace_kit *t = &c->t;
    uint32_t e = t->episodes, s = t->steps, n = t->n;

    c->init_pos = marl__trace_ints(&t->files, "init_pos", 3, (uint32_t[]){e, n, 2});
    c->init_goal = marl__trace_ints(&t->files, "init_goal", 3, (uint32_t[]){e, n, 2});
    c->obs0 = marl__trace_floats(&t->files, "obs0", 3, (uint32_t[]){e, n, t->d});
    c->actions = marl__trace_ints(&t->files, "actions", 2, (uint32_t[]){s, n});
    c->done = marl__trace_ints(&t->files, "agent_done", 2, (uint32_t[]){s, n});
    c->pos = marl__trace_ints(&t->files, "pos", 3, (uint32_t[]){s, n, 2});
    c->obs = marl__trace_floats(&t->files, "obs", 3, (uint32_t[]){s, n, t->d});
    c->rewards = marl__trace_floats(&t->files, "rewards", 2, (uint32_t[]){s, n});
}

static marl_status begin(void *user, uint32_t e) {
    bridge_trace *c = user;
    uint32_t n = c->t.n;
    const marl__env_array state[] = {
        {"init_pos", c->init_pos + (size_t)e * n * 2, 2 * n},
        {"init_goal", c->init_goal + (size_t)e * n * 2, 2 * n},
    };
    marl_status status = marl__env_set_state(c->t.env, state, sizeof state / sizeof state[0]);

    if (status != MARL_OK) return status;
    return marl__kit_check_obs(&c->t, c->obs0 + (size_t)e * n * c->t.d, TOLERANCE);
}

static marl_status step(void *user, uint32_t row) {
    bridge_trace *c = user;
    uint32_t n = c->t.n;
    size_t at = (size_t)row * n;
    marl_actions actions = {sizeof actions, 0, c->actions + at, NULL};
    marl_step out = {sizeof out, 0, 0, 0, c->t.paid, NULL};
    marl_status status = marl_env_step(c->t.env, &actions, &out);

    for (uint32_t i = 0; i < n && status == MARL_OK; i++) {
        status = marl__kit_check_reward(&c->t, i, (double)c->rewards[at + i], TOLERANCE);
    }
    if (status != MARL_OK) return status;
    if ((status = marl__kit_check_ints(&c->t, "pos", c->pos + at * 2, 2 * n)) != MARL_OK) return status;
    if ((status = marl__kit_check_ints(&c->t, "done", c->done + at, n)) != MARL_OK) return status;
    return marl__kit_check_obs(&c->t, c->obs + at * c->t.d, TOLERANCE);
}

marl_status marl__trace_bridge(marl__heap *heap, const marl__json *json, int32_t entry, const char *name,
                            const char *path, uint32_t *steps) {
    bridge_trace c;
    marl_env *env = NULL;
    marl_status status = open_env(json, entry, &env);

    (void)name;
    if (status != MARL_OK) return status;
    memset(&c, 0, sizeof c);
    marl__kit_open(&c.t, heap, path, env);
    read_all(&c);
    status = marl__kit_replay(&c.t, &c, begin, step);
    *steps = c.t.steps;
    marl__kit_close(&c.t);
    return status;
}
