/* SPDX-License-Identifier: Apache-2.0 */
/* A lane is one environment with room for what it shows. There are at least as many as threads that may ask at once, so
 * looking for a free one ends; an episode is unpacked in one visit. At least two, because the first plays and the
 * second is restored when it is tried out whether a saved state says everything. */
#include "run/rebuild.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/status.h"
#include "run/record.h"

enum { PROBE_STEPS = 8 };

typedef struct lane {
    _Atomic int32_t is_busy;
    marl_env *env;       /* the vector's */
    float *obs, *state;  /* (N,O), (S) */
    uint8_t *avail, *alive;
} lane;

struct marl__rebuilder {
    marl__heap *heap;
    const marl__team_view *view;
    size_t save_bytes, slot_bytes;
    marl__vector *envs;
    lane *lanes;
    int32_t count;
};

/* ---- one slot ---- */

size_t marl__rebuilder_slot_bytes(const marl__rebuilder *rebuilder) {
    return rebuilder->slot_bytes;
}

static lane *take_lane(const marl__rebuilder *r) {
    for (int32_t i = 0;; i = (i + 1) % r->count) {
        lane *own = &r->lanes[i];

        if (atomic_load_explicit(&own->is_busy, memory_order_relaxed)) continue;
        if (!atomic_exchange(&own->is_busy, 1)) return own;
    }
}

static void give_lane(lane *own) {
    atomic_store(&own->is_busy, 0);
}

/* obs, state: where to, NULL: nowhere. */
static marl_status rebuild(const marl__rebuilder *r, lane *own, const void *slot, float *obs, float *state) {
    marl_status status = marl_env_restore(own->env, slot, r->save_bytes);

    if (status != MARL_OK) return status;
    return marl__view_observe(r->view, own->env, obs ? obs : own->obs, state, own->avail, own->alive);
}

static const unsigned char *slot_at(const marl__rebuilder *r, const void *slots, int32_t t) {
    return (const unsigned char *)slots + (size_t)t * r->slot_bytes;
}

marl_status marl__rebuilder_unpack(const marl__episode *episode, const marl__slot_rows *rows) {
    const marl__rebuilder *r = episode->packing;
    const marl__team_shape *shape = &r->view->shape;
    size_t no = (size_t)shape->agents * (size_t)shape->obs, na = (size_t)shape->agents * (size_t)shape->actions;
    lane *own = take_lane(r);
    marl_status status = MARL_OK;

    for (int32_t t = 0; status == MARL_OK && t <= episode->length; t++) {
        size_t row = (size_t)rows->offset[t] + (size_t)rows->place;

        status = rebuild(r, own, slot_at(r, episode->packed, t), rows->obs ? rows->obs + row * no : NULL,
                         rows->state ? rows->state + row * (size_t)shape->state : NULL);
        if (status != MARL_OK) marl__fail_prefix(status, "step %d of a stored episode cannot be made again: ", (int)t);
        for (size_t i = 0; rows->avail && i < na; i++) rows->avail[row * na + i] = (float)own->avail[i];
    }
    give_lane(own);
    return status;
}

marl_status marl__rebuilder_check(const marl__rebuilder *r, const void *slots, int32_t count) {
    lane *own = take_lane(r);
    marl_status status = MARL_OK;

    for (int32_t t = 0; status == MARL_OK && t < count; t++) {
        status = rebuild(r, own, slot_at(r, slots, t), NULL, own->state);
        if (status != MARL_OK) {
            marl__fail_prefix(MARL_E_FORMAT, "step %d: ", (int)t);
            status = MARL_E_FORMAT;
        }
    }
    give_lane(own);
    return status;
}

/* ---- trying out ---- */

static int is_same_sight(const marl__rebuilder *r, const lane *a, const lane *b) {
    const marl__team_shape *shape = &r->view->shape;
    size_t n = (size_t)shape->agents;

    return memcmp(a->obs, b->obs, n * (size_t)shape->obs * sizeof(float)) == 0 &&
           memcmp(a->state, b->state, (size_t)shape->state * sizeof(float)) == 0 &&
           memcmp(a->avail, b->avail, n * (size_t)shape->actions) == 0 && memcmp(a->alive, b->alive, n) == 0;
}

static void choose_first(const marl__rebuilder *r, const lane *own, int32_t *actions) {
    size_t a = (size_t)r->view->shape.actions;

    for (size_t i = 0; i < (size_t)r->view->shape.agents; i++) {
        const uint8_t *open = memchr(own->avail + i * a, 1, a);

        actions[i] = open ? (int32_t)(open - (own->avail + i * a)) : 0;
    }
}

/* *out_goes_on: there is another step to try. An environment that fails here fails again when it is played, with its
 * number and step, so that is no matter of ours. */
static marl_status probe_step(marl__rebuilder *r, unsigned char *slot, int32_t *actions, double *rewards,
                              int *out_goes_on) {
    lane *played = &r->lanes[0], *restored = &r->lanes[1];
    marl_actions chosen = {.struct_size = sizeof chosen, .discrete = actions};
    marl_step step = {.struct_size = sizeof step, .rewards = rewards};
    marl_status status = MARL_OK;

    *out_goes_on = 0;
    status = marl__view_observe(r->view, played->env, played->obs, played->state, played->avail, played->alive);
    if (status != MARL_OK || marl_env_save(played->env, slot, r->save_bytes) != MARL_OK) return MARL_OK;
    if ((status = rebuild(r, restored, slot, restored->obs, restored->state)) != MARL_OK) return status;
    if (!is_same_sight(r, played, restored)) {
        return marl__fail(MARL_E_UNSUPPORTED, "replay.store=state: an environment '%.200s' restored from what another "
                          "saved shows other things than that one; use replay.store=f32",
                          marl_env_get_spec(played->env)->name);
    }
    choose_first(r, played, actions);
    *out_goes_on = marl_env_step(played->env, &chosen, &step) == MARL_OK && !step.terminated && !step.truncated;
    return MARL_OK;
}

static marl_status probe(marl__rebuilder *r) {
    size_t n = (size_t)r->view->shape.agents;
    unsigned char *memory = marl__alloc_zero(r->heap, r->slot_bytes + n * (sizeof(double) + sizeof(int32_t)));
    double *rewards = (double *)(void *)(memory + r->slot_bytes);
    marl_status status = MARL_OK;
    int goes_on = 1;

    if (!memory) return MARL_E_NOMEM;
    if (marl_env_reset(r->lanes[0].env, 1) != MARL_OK) goes_on = 0;
    for (int32_t i = 0; status == MARL_OK && goes_on && i < PROBE_STEPS; i++) {
        status = probe_step(r, memory, (int32_t *)(void *)(rewards + n), rewards, &goes_on);
    }
    marl__free(r->heap, memory);
    return status;
}

/* ---- create ---- */

static marl_status make_lane(marl__rebuilder *r, int32_t index) {
    const marl__team_shape *shape = &r->view->shape;
    size_t n = (size_t)shape->agents, reals = n * (size_t)shape->obs + (size_t)shape->state;
    size_t flags = n * (size_t)shape->actions;
    lane *own = &r->lanes[index];
    void *array = NULL;
    marl_status status = MARL_OK;

    own->env = r->envs->envs[index].env;
    if ((status = marl__alloc_array(r->heap, reals, sizeof(float), &array)) != MARL_OK) return status;
    own->obs = array;
    own->state = own->obs + n * (size_t)shape->obs;
    if ((status = marl__alloc_array(r->heap, flags + n, 1, &array)) != MARL_OK) return status;
    own->avail = array;
    own->alive = own->avail + flags;
    return MARL_OK;
}

marl_status marl__rebuilder_create(marl_device *device, const marl__env_maker *maker, uint32_t first_index,
                                   const marl__team_view *view, const marl_env *like, marl__rebuilder **out) {
    int32_t threads = (int32_t)marl__pool_threads(device->pool), count = threads < 2 ? 2 : threads;
    marl__rebuilder *r = NULL;
    void *array = NULL;
    marl_status status = MARL_OK;

    *out = NULL;
    if (marl_env_save_bytes(like) == 0) {
        return marl__fail(MARL_E_UNSUPPORTED, "replay.store=state: environment '%.200s' has no save and restore; use "
                          "replay.store=f32", marl_env_get_spec(like)->name);
    }
    r = marl__alloc_zero(&device->heap, sizeof *r);
    if (!r) return MARL_E_NOMEM;
    r->heap = &device->heap;
    r->view = view;
    r->save_bytes = marl_env_save_bytes(like);
    r->slot_bytes = marl__slot_bytes(like);
    if ((status = marl__alloc_array(r->heap, (size_t)count, sizeof *r->lanes, &array)) != MARL_OK) goto done;
    r->lanes = array;
    r->count = count;
    if ((status = marl__vector_create(device, maker, first_index, count, &r->envs)) != MARL_OK) goto done;
    if ((status = marl__env_check_same(like, r->envs->envs[0].env, first_index)) != MARL_OK) goto done;
    for (int32_t i = 0; i < count; i++) {
        if ((status = make_lane(r, i)) != MARL_OK) goto done;
    }
    if ((status = probe(r)) != MARL_OK) goto done;
    *out = r;
    r = NULL;
done:
    marl__rebuilder_destroy(r);
    return status;
}

void marl__rebuilder_destroy(marl__rebuilder *rebuilder) {
    if (!rebuilder) return;
    for (int32_t i = 0; i < rebuilder->count; i++) {
        marl__free(rebuilder->heap, rebuilder->lanes[i].obs);
        marl__free(rebuilder->heap, rebuilder->lanes[i].avail);
    }
    marl__free(rebuilder->heap, rebuilder->lanes);
    marl__vector_destroy(rebuilder->envs);
    marl__free(rebuilder->heap, rebuilder);
}
