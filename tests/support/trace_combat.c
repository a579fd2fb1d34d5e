/* SPDX-License-Identifier: Apache-2.0 */
/* Traces of combat maps, replayed free-running: reset with the recorded seed, then the recorded actions; nothing is put
 * into the battle. Everything about units, rewards, ends and masks must be equal, observations and the state within the
 * last digit of a division. Observations are recorded for the steps that ep{e}.obs_t lists.
 *
 * T steps of an episode, N agents, U units, A actions, O and S entries of observation and state. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "support/trace.h"

#define VIEW_TOLERANCE 1.2e-7
enum { FIELDS = 12 };

static const char *const field_names[FIELDS] = {"alive",  "x",  "y",  "hp",          "shield",      "cooldown",
                                                "energy", "target", "vx", "vy", "shield_timer", "heal_buffer"};

typedef struct combat_trace {
    marl__trace files;
    marl_env *env;
    uint32_t n, units, a, o, s;
    /* of the present episode */
    uint32_t steps, shown, next_shown;
    float *actions, *obs, *obs_t, *state, *avail, *reward, *terminated, *won, *unit_rows;
    /* what ours says */
    float *seen, *seen_state;
    uint8_t *mask;
    int32_t *bits, *chosen;
} combat_trace;

static const char *array_name(uint32_t episode, const char *what, char *buffer, size_t bytes) {
    snprintf(buffer, bytes, "ep%u.%s", episode, what);
    return buffer;
}

static float *read_array(combat_trace *c, uint32_t e, const char *what, uint32_t rank, const uint32_t *shape) {
    char name[64];

    return marl__trace_floats(&c->files, array_name(e, what, name, sizeof name), rank, shape);
}

static void read_episode(combat_trace *c, uint32_t e) {
    char name[64];
    uint32_t t = c->steps = marl__trace_first_dim(&c->files, array_name(e, "actions", name, sizeof name));

    c->shown = marl__trace_first_dim(&c->files, array_name(e, "obs", name, sizeof name));
    c->next_shown = 0;
    c->actions = read_array(c, e, "actions", 2, (uint32_t[]){t, c->n});
    c->obs = read_array(c, e, "obs", 3, (uint32_t[]){c->shown, c->n, c->o});
    c->obs_t = read_array(c, e, "obs_t", 1, &c->shown);
    c->state = read_array(c, e, "state", 2, (uint32_t[]){t + 1, c->s});
    c->avail = read_array(c, e, "avail", 3, (uint32_t[]){t + 1, c->n, c->a});
    c->reward = read_array(c, e, "reward", 1, &t);
    c->terminated = read_array(c, e, "terminated", 1, &t);
    c->won = read_array(c, e, "won", 1, &t);
    c->unit_rows = read_array(c, e, "units", 3, (uint32_t[]){t + 1, c->units, FIELDS});
}

static marl_status compare_view(const char *what, const float *ours, const float *theirs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!(fabs((double)ours[i] - (double)theirs[i]) <= VIEW_TOLERANCE)) {
            return marl__fail(MARL_E_MISMATCH, "%s[%u] is %.9g, recorded %.9g", what, i, (double)ours[i],
                              (double)theirs[i]);
        }
    }
    return MARL_OK;
}

/* -0 and 0 are equal, as in the files. */
static marl_status compare_units(combat_trace *c, uint32_t row) {
    const float *theirs = c->unit_rows + (size_t)row * c->units * FIELDS;
    marl_status status = marl__env_get_array(c->env, "units", c->bits, c->units * FIELDS);

    for (uint32_t i = 0; status == MARL_OK && i < c->units * FIELDS; i++) {
        float ours;
        memcpy(&ours, &c->bits[i], sizeof ours);
        if (!(ours == theirs[i])) {
            return marl__fail(MARL_E_MISMATCH, "unit %u: %s is %.9g, recorded %.9g", i / FIELDS,
                              field_names[i % FIELDS], (double)ours, (double)theirs[i]);
        }
    }
    return status;
}

/* Everything that can be seen at time `row`, 0 after reset. */
static marl_status compare_all(combat_trace *c, uint32_t row) {
    marl_view view = {sizeof view, 0, c->seen, NULL, c->seen_state, c->mask, NULL};
    const float *avail = c->avail + (size_t)row * c->n * c->a;
    marl_status status = compare_units(c, row);

    if (status != MARL_OK || (status = marl_env_observe(c->env, &view)) != MARL_OK) return status;
    for (uint32_t i = 0; i < c->n * c->a; i++) {
        if ((float)c->mask[i] != avail[i]) {
            return marl__fail(MARL_E_MISMATCH, "agent %u: action %u is %savailable, recorded otherwise", i / c->a,
                              i % c->a, c->mask[i] ? "" : "not ");
        }
    }
    if ((status = compare_view("state", c->seen_state, c->state + (size_t)row * c->s, c->s)) != MARL_OK) return status;
    if (c->next_shown < c->shown && c->obs_t[c->next_shown] == (float)row) {
        status = compare_view("obs", c->seen, c->obs + (size_t)c->next_shown * c->n * c->o, c->n * c->o);
        c->next_shown++;
    }
    return status;
}

static marl_status take_step(combat_trace *c, uint32_t k) {
    double paid = 0, scalars[8];
    marl_actions actions = {sizeof actions, 0, c->chosen, NULL};
    marl_step step = {sizeof step, 0, 0, 0, &paid, scalars};
    marl_status status = MARL_OK;

    for (uint32_t i = 0; i < c->n; i++) {
        c->chosen[i] = (int32_t)c->actions[(size_t)k * c->n + i];
    }
    if ((status = marl_env_step(c->env, &actions, &step)) != MARL_OK) return status;
    if ((float)paid != c->reward[k]) {
        return marl__fail(MARL_E_MISMATCH, "the reward is %.9g, recorded %.9g", paid, (double)c->reward[k]);
    }
    if ((float)step.terminated != c->terminated[k]) {
        return marl__fail(MARL_E_MISMATCH, "terminated is %d, recorded %g", step.terminated, (double)c->terminated[k]);
    }
    if ((step.outcome == MARL_OUTCOME_WON) != (c->won[k] > 0)) {
        return marl__fail(MARL_E_MISMATCH, "won is %d, recorded %g", step.outcome == MARL_OUTCOME_WON,
                          (double)c->won[k]);
    }
    return compare_all(c, k + 1);
}

static marl_status run_episode(combat_trace *c, uint32_t e, uint64_t seed) {
    uint32_t mark = c->files.block_count;
    marl_status status = MARL_OK;

    read_episode(c, e);
    if ((status = c->files.status) != MARL_OK) return status;
    if ((status = marl_env_reset(c->env, seed)) == MARL_OK && (status = compare_all(c, 0)) != MARL_OK) {
        marl__fail_prefix(status, "episode %u, after reset: ", e);
    }
    for (uint32_t k = 0; k < c->steps && status == MARL_OK; k++) {
        if ((status = take_step(c, k)) != MARL_OK) {
            marl__fail_prefix(status, "episode %u, step %u: ", e, k);
        }
    }
    if (status == MARL_OK && c->next_shown != c->shown) {
        status = marl__fail(MARL_E_FORMAT, "episode %u: obs_t names steps that are not there", e);
    }
    marl__trace_drop(&c->files, mark);
    return status;
}

/* Recorded battles know no step limit. */
static marl_status open_map(combat_trace *c, const char *map) {
    char name[160], component[168];
    const marl_env_spec *spec = NULL;
    marl_config *config = NULL;
    marl_status status = MARL_OK;

    snprintf(name, sizeof name, "combat:%s", map);
    snprintf(component, sizeof component, "env/%s", name);
    if ((status = marl_config_create(NULL, component, &config)) != MARL_OK) return status;
    if ((status = marl_config_set(config, "episode_limit", "1000000")) == MARL_OK) {
        status = marl_env_create(NULL, name, config, &c->env);
    }
    marl_config_destroy(config);
    if (status != MARL_OK) return status;
    spec = marl_env_get_spec(c->env);
    c->n = spec->agent_count;
    c->a = marl_env_action_count(c->env);
    c->o = marl_env_obs_size(c->env);
    c->s = spec->state_size;
    return MARL_OK;
}

/* Seeds stand in the manifest's list of episodes, which holds for every map; a map's own list goes before it. */
static marl_status seed_of(const marl__json *json, int32_t entry, uint32_t e, int64_t *out) {
    int32_t own = marl__json_find(json, entry, "episodes"), all = marl__json_find(json, 0, "episodes");
    int32_t lists[] = {own, all};

    for (int i = 0; i < 2; i++) {
        int32_t item = marl__json_first(json, lists[i]);
        for (uint32_t k = 0; k < e && item >= 0; k++) {
            item = marl__json_next(json, item);
        }
        if (item >= 0 && marl__json_find(json, item, "env_seed") >= 0) {
            return marl__json_get_int(json, item, "env_seed", out);
        }
    }
    return marl__fail(MARL_E_FORMAT, "the manifest has no env_seed for episode %u", e);
}

marl_status marl__trace_combat(marl__heap *heap, const marl__json *json, int32_t entry, const char *name,
                               const char *path, uint32_t *steps) {
    combat_trace c;
    char first[64];
    int64_t seed = 0;
    marl_status status = MARL_OK;

    memset(&c, 0, sizeof c);
    c.files.heap = heap;
    if (!name && (status = marl__json_get_text(json, entry, "map", &name)) != MARL_OK) goto done;
    if ((status = open_map(&c, name)) != MARL_OK) goto done;
    if ((status = marl__trace_open(&c.files, path)) != MARL_OK) goto done;
    c.units = marl__json_count(json, marl__json_find(json, entry, "unit_ids"));
    c.seen = marl__trace_block(&c.files, (uint64_t)c.n * c.o, sizeof *c.seen);
    c.seen_state = marl__trace_block(&c.files, c.s, sizeof *c.seen_state);
    c.mask = marl__trace_block(&c.files, (uint64_t)c.n * c.a, 1);
    c.bits = marl__trace_block(&c.files, (uint64_t)c.units * FIELDS, sizeof *c.bits);
    c.chosen = marl__trace_block(&c.files, c.n, sizeof *c.chosen);
    status = c.files.status;
    for (uint32_t e = 0; status == MARL_OK; e++) {
        if (!marl__safetensors_find(c.files.file, array_name(e, "actions", first, sizeof first))) {
            status = e > 0 ? MARL_OK : marl__fail(MARL_E_FORMAT, "the trace has no array '%s'", first);
            break;
        }
        if ((status = seed_of(json, entry, e, &seed)) == MARL_OK) {
            status = run_episode(&c, e, (uint64_t)seed);
            *steps += c.steps;
        }
    }
done:
    marl__trace_close(&c.files);
    marl_env_destroy(c.env);
    return status;
}
