/* SPDX-License-Identifier: Apache-2.0 */
/* States of the particle environments from and to the outside: saved bytes, and the arrays of recorded traces. Both
 * come from strangers, so a state is taken only if it could be one of ours; in particular nothing in it may later give
 * a reward or an observation that is not finite. */
#include "envs/mpe/mpe.h"

#include <string.h>

#include "core/base/status.h"

#define SAVE_MAGIC 0x3165706du /* "mpe1" */
#define FAR 1e9 /* no place and no speed is beyond */

typedef struct save_head {
    uint32_t magic;
    int32_t agents, landmarks, words, step, hits, goal[2];
} save_head;

/* Everything that changes in an episode. */
typedef struct world {
    int32_t step, hits, goal[2];
    double pos[MARL__MPE_BODIES][2], vel[MARL__MPE_AGENTS][2], said[MARL__MPE_AGENTS][MARL__MPE_WORDS];
} world;

/* ---- checks ---- */

static int are_within(const double *values, int32_t count, double low, double high) {
    for (int32_t i = 0; i < count; i++) {
        if (!(values[i] >= low && values[i] <= high)) { /* NaN too */
            return 0;
        }
    }
    return 1;
}

static int is_silent(const double *said, int32_t words) {
    for (int32_t k = 0; k < words; k++) {
        if (said[k] != 0) {
            return 0;
        }
    }
    return 1;
}

/* The mute, and everybody before the first step, have said nothing; else exactly one word, or numbers from 0 to 1. */
static int could_have_said(const marl__mpe *e, int32_t i, const double *said, int32_t step) {
    double sum = 0;

    if (!e->bodies[i].speaks || step == 0) {
        return is_silent(said, e->words);
    }
    if (!are_within(said, e->words, 0, 1)) {
        return 0;
    }
    for (int32_t k = 0; k < e->words && !e->rules.is_continuous; k++) {
        if (said[k] != 0 && said[k] != 1) {
            return 0;
        }
        sum += said[k];
    }
    return e->rules.is_continuous || sum == 1;
}

static marl_status check_world(const marl__mpe *e, const world *w) {
    if (w->step < 0 || w->step > e->rules.max_steps || w->hits < 0) {
        return marl__fail(MARL_E_FORMAT, "the state is at step %d with %d hits; from 0 to %d steps and no negative "
                          "hits are possible", w->step, w->hits, e->rules.max_steps);
    }
    for (int32_t g = 0; g < 2; g++) {
        if (w->goal[g] < 0 || (g < e->goals ? w->goal[g] >= e->landmarks : w->goal[g] != 0)) {
            return marl__fail(MARL_E_FORMAT, "the state's goal is landmark %d of %d", w->goal[g], e->landmarks);
        }
    }
    for (int32_t k = 0; k < e->agents + e->landmarks; k++) {
        if (!are_within(w->pos[k], 2, -FAR, FAR)) {
            return marl__fail(MARL_E_FORMAT, "the state's %s %d is at (%g, %g)", k < e->agents ? "agent" : "landmark",
                              k < e->agents ? k : k - e->agents, w->pos[k][0], w->pos[k][1]);
        }
    }
    for (int32_t i = 0; i < e->agents; i++) {
        if (!are_within(w->vel[i], 2, -FAR, FAR)) {
            return marl__fail(MARL_E_FORMAT, "the state's agent %d has the velocity (%g, %g)", i, w->vel[i][0],
                              w->vel[i][1]);
        }
        if (!could_have_said(e, i, w->said[i], w->step)) {
            return marl__fail(MARL_E_FORMAT, "the state's agent %d says what it cannot say", i);
        }
    }
    return MARL_OK;
}

static void take_world(marl__mpe *e, const world *w) {
    e->step = w->step;
    e->hits = w->hits;
    memcpy(e->goal, w->goal, sizeof e->goal);
    memcpy(e->pos, w->pos, sizeof e->pos);
    memcpy(e->vel, w->vel, sizeof e->vel);
    memcpy(e->said, w->said, sizeof e->said);
}

/* ---- save and restore ---- */

static size_t pos_bytes(const marl__mpe *e) {
    return (size_t)(e->agents + e->landmarks) * 2 * sizeof(double);
}

static size_t vel_bytes(const marl__mpe *e) {
    return (size_t)e->agents * 2 * sizeof(double);
}

size_t marl__mpe_save_bytes(void *env) {
    const marl__mpe *e = env;

    return sizeof(save_head) + pos_bytes(e) + vel_bytes(e) + (size_t)(e->agents * e->words) * sizeof(double);
}

marl_status marl__mpe_save(void *env, void *bytes) {
    const marl__mpe *e = env;
    save_head head = {SAVE_MAGIC, e->agents, e->landmarks, e->words, e->step, e->hits, {e->goal[0], e->goal[1]}};
    unsigned char *at = bytes;

    memcpy(at, &head, sizeof head);
    at += sizeof head;
    memcpy(at, e->pos, pos_bytes(e));
    at += pos_bytes(e);
    memcpy(at, e->vel, vel_bytes(e));
    at += vel_bytes(e);
    for (int32_t i = 0; i < e->agents; i++) {
        memcpy(at, e->said[i], (size_t)e->words * sizeof(double));
        at += (size_t)e->words * sizeof(double);
    }
    return MARL_OK;
}

marl_status marl__mpe_restore(void *env, const void *bytes, size_t byte_count) {
    marl__mpe *e = env;
    const unsigned char *at = bytes;
    save_head head;
    world w;
    marl_status status = MARL_OK;

    if (byte_count != marl__mpe_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this environment has %zu bytes, not %zu",
                          marl__mpe_save_bytes(env), byte_count);
    }
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    if (head.magic != SAVE_MAGIC || head.agents != e->agents || head.landmarks != e->landmarks ||
        head.words != e->words) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of '%s'", e->name);
    }
    memset(&w, 0, sizeof w);
    w.step = head.step;
    w.hits = head.hits;
    memcpy(w.goal, head.goal, sizeof w.goal);
    memcpy(w.pos, at, pos_bytes(e));
    at += pos_bytes(e);
    memcpy(w.vel, at, vel_bytes(e));
    at += vel_bytes(e);
    for (int32_t i = 0; i < e->agents; i++) {
        memcpy(w.said[i], at, (size_t)e->words * sizeof(double));
        at += (size_t)e->words * sizeof(double);
    }
    if ((status = check_world(e, &w)) != MARL_OK) return status;
    take_world(e, &w);
    return MARL_OK;
}

/* ---- traces ---- */

/* Reals come as the bits of doubles, two words each; NULL and an error if the array is missing. */
static const void *find_array(const marl__env_array *arrays, uint32_t array_count, const char *name, int32_t words) {
    for (uint32_t i = 0; i < array_count; i++) {
        if (strcmp(arrays[i].name, name) == 0 && arrays[i].count == (uint32_t)words) {
            return arrays[i].values;
        }
    }
    marl__fail(MARL_E_SHAPE, "the recorded state has no array '%s' of %d words", name, words);
    return NULL;
}

/* init_pos (N,2), init_vel (N,2), init_landmark (L,2), reals; init_goal (1 or 2), where there are goals. */
static marl_status mpe_set_state(void *env, const marl__env_array *arrays, uint32_t array_count) {
    marl__mpe *e = env;
    const void *pos = find_array(arrays, array_count, "init_pos", 4 * e->agents);
    const void *vel = pos ? find_array(arrays, array_count, "init_vel", 4 * e->agents) : NULL;
    const void *landmark = vel ? find_array(arrays, array_count, "init_landmark", 4 * e->landmarks) : NULL;
    const void *goal = landmark && e->goals ? find_array(arrays, array_count, "init_goal", e->goals) : landmark;
    world w;
    marl_status status = MARL_OK;

    if (!goal) return MARL_E_SHAPE;
    memset(&w, 0, sizeof w);
    memcpy(w.pos, pos, (size_t)e->agents * sizeof w.pos[0]);
    memcpy(w.pos[e->agents], landmark, (size_t)e->landmarks * sizeof w.pos[0]);
    memcpy(w.vel, vel, (size_t)e->agents * sizeof w.vel[0]);
    memcpy(w.goal, goal, (size_t)e->goals * sizeof w.goal[0]);
    if ((status = check_world(e, &w)) != MARL_OK) return status;
    take_world(e, &w);
    return MARL_OK;
}

static marl_status copy_words(const char *name, const void *from, size_t bytes, int32_t *values, uint32_t count) {
    if (count * sizeof *values != bytes) {
        return marl__fail(MARL_E_SHAPE, "array '%s' has %zu words, not %u", name, bytes / sizeof *values, count);
    }
    memcpy(values, from, bytes);
    return MARL_OK;
}

/* pos (N,2), vel (N,2), landmark (L,2), comm (N, words), reals; goal (1 or 2). */
static marl_status mpe_get_array(void *env, const char *name, int32_t *values, uint32_t count) {
    const marl__mpe *e = env;
    double said[MARL__MPE_AGENTS * MARL__MPE_WORDS];

    if (strcmp(name, "pos") == 0) {
        return copy_words(name, e->pos, vel_bytes(e), values, count);
    }
    if (strcmp(name, "vel") == 0) {
        return copy_words(name, e->vel, vel_bytes(e), values, count);
    }
    if (strcmp(name, "landmark") == 0) {
        return copy_words(name, e->pos[e->agents], (size_t)e->landmarks * sizeof e->pos[0], values, count);
    }
    if (strcmp(name, "goal") == 0) {
        return copy_words(name, e->goal, (size_t)e->goals * sizeof e->goal[0], values, count);
    }
    if (strcmp(name, "comm") != 0) {
        return marl__fail(MARL_E_NAME, "mpe has no array '%s'; it has pos, vel, landmark, goal and comm", name);
    }
    for (int32_t i = 0; i < e->agents; i++) {
        memcpy(said + i * e->words, e->said[i], (size_t)e->words * sizeof *said);
    }
    return copy_words(name, said, (size_t)(e->agents * e->words) * sizeof *said, values, count);
}

const marl__env_inject marl__mpe_inject = {.set_state = mpe_set_state, .get_array = mpe_get_array};
