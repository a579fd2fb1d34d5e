/* SPDX-License-Identifier: Apache-2.0 */
/* The stepper: hands out units of the present phase, moves on when all are done, and can be left after any unit.
 * Shards in flight keep their arena while nobody works on them; whoever comes next goes on with them first. */
#include "algos/phases.h"

#include <stdatomic.h>

#include "core/base/status.h"

typedef struct arena {
    _Atomic int32_t busy;
    int32_t shard; /* in flight, -1: none; touched by the holder of busy only */
} arena;

struct marl__stepper {
    marl_device *device;
    const marl__phase *phases;
    int32_t phase_count, arena_count;
    arena *arenas;
    void *ctx;
    int32_t phase, total; /* total -1: the phase has not been entered */
    _Atomic int32_t next, completed, stop;
    marl__should_stop should_stop;
    void *user;
};

marl_status marl__stepper_create(marl_device *device, const marl__phase *phases, int32_t phase_count, int32_t arenas,
                                 marl__stepper **out) {
    void *array = NULL;
    *out = NULL;
    marl__stepper *stepper = marl__alloc_zero(&device->heap, sizeof *stepper);
    if (!stepper) return marl__no_memory(sizeof *stepper);
    marl_status status = marl__alloc_array(&device->heap, (size_t)arenas, sizeof(arena), &array);
    if (status != MARL_OK) {
        marl__free(&device->heap, stepper);
        return status;
    }
    stepper->device = device;
    stepper->phases = phases;
    stepper->phase_count = phase_count;
    stepper->arena_count = arenas;
    stepper->arenas = array;
    stepper->phase = phase_count;
    *out = stepper;
    return MARL_OK;
}

void marl__stepper_destroy(marl__stepper *stepper) {
    if (!stepper) return;
    marl__heap *heap = &stepper->device->heap;
    marl__free(heap, stepper->arenas);
    marl__free(heap, stepper);
}

void marl__stepper_begin(marl__stepper *stepper, void *ctx) {
    stepper->ctx = ctx;
    stepper->phase = 0;
    stepper->total = -1;
    for (int32_t a = 0; a < stepper->arena_count; a++) {
        atomic_store(&stepper->arenas[a].busy, 0);
        stepper->arenas[a].shard = -1;
    }
}

/* After each unit: whether to leave. */
static int32_t leave(marl__stepper *stepper) {
    if (stepper->should_stop && stepper->should_stop(stepper->user)) atomic_store(&stepper->stop, 1);
    return atomic_load(&stepper->stop);
}

static void work_on_units(int32_t index, void *ctx) {
    marl__stepper *stepper = ctx;
    const marl__phase *phase = &stepper->phases[stepper->phase];
    (void)index;
    while (!atomic_load(&stepper->stop)) {
        int32_t unit = atomic_fetch_add(&stepper->next, 1);
        if (unit >= stepper->total) {
            atomic_fetch_sub(&stepper->next, 1); /* stays the count handed out, however often it is asked */
            return;
        }
        phase->run(stepper->ctx, unit);
        atomic_fetch_add(&stepper->completed, 1);
        leave(stepper);
    }
}

/* Takes the next shard into a free arena; 0 when there is none left. */
static int32_t take_shard(marl__stepper *stepper, int32_t a) {
    int32_t shard = atomic_fetch_add(&stepper->next, 1);
    if (shard >= stepper->total) {
        atomic_fetch_sub(&stepper->next, 1);
        return 0;
    }
    stepper->arenas[a].shard = shard;
    stepper->phases[stepper->phase].shard_begin(stepper->ctx, shard, a);
    return 1;
}

/* Works in one arena until it has nothing in flight and no shard is left, or until stopped. */
static void work_in_arena(marl__stepper *stepper, int32_t a) {
    const marl__phase *phase = &stepper->phases[stepper->phase];
    while (!atomic_load(&stepper->stop)) {
        if (stepper->arenas[a].shard < 0 && !take_shard(stepper, a)) return;
        if (!phase->shard_step(stepper->ctx, stepper->arenas[a].shard, a)) {
            stepper->arenas[a].shard = -1;
            atomic_fetch_add(&stepper->completed, 1);
        }
        leave(stepper);
    }
}

static void work_on_shards(int32_t index, void *ctx) {
    marl__stepper *stepper = ctx;
    for (int32_t i = 0; i < stepper->arena_count; i++) {
        int32_t a = (index + i) % stepper->arena_count;
        if (atomic_exchange(&stepper->arenas[a].busy, 1)) continue;
        work_in_arena(stepper, a);
        atomic_store(&stepper->arenas[a].busy, 0);
    }
}

static void enter(marl__stepper *stepper) {
    const marl__phase *phase = &stepper->phases[stepper->phase];
    stepper->total = phase->kind == MARL__PHASE_HOST ? 1 : phase->units(stepper->ctx);
    atomic_store(&stepper->next, 0);
    atomic_store(&stepper->completed, 0);
}

/* Works on the present phase; the status of a HOST phase. */
static marl_status work(marl__stepper *stepper) {
    const marl__phase *phase = &stepper->phases[stepper->phase];
    int32_t threads = (int32_t)marl__pool_threads(stepper->device->pool);
    if (phase->kind == MARL__PHASE_HOST) {
        marl_status status = phase->run(stepper->ctx, 0);
        atomic_store(&stepper->completed, 1);
        leave(stepper);
        return status;
    }
    int32_t workers = stepper->total < threads ? stepper->total : threads;
    marl_task task = phase->kind == MARL__PHASE_UNITS ? work_on_units : work_on_shards;
    if (workers <= 1) {
        task(0, stepper);
        return MARL_OK;
    }
    return marl__pool_run(stepper->device->pool, workers, task, stepper);
}

/* Where to go on after the present phase, which is done. */
static int32_t phase_after(const marl__stepper *stepper) {
    const marl__phase *phase = &stepper->phases[stepper->phase];
    int32_t next = phase->next ? phase->next(stepper->ctx) : MARL__NEXT_PHASE;
    MARL_ASSERT(next >= MARL__NEXT_PHASE && next <= stepper->phase_count);
    MARL_ASSERT(!phase->next || phase->kind == MARL__PHASE_HOST);
    return next < 0 ? stepper->phase + 1 : next;
}

marl_status marl__stepper_advance(marl__stepper *stepper, marl__should_stop should_stop, void *user,
                                  int32_t *out_is_done) {
    *out_is_done = 0;
    stepper->should_stop = should_stop;
    stepper->user = user;
    atomic_store(&stepper->stop, 0);
    while (stepper->phase < stepper->phase_count) {
        if (stepper->total < 0) enter(stepper);
        if (atomic_load(&stepper->completed) < stepper->total) {
            marl_status status = work(stepper);
            if (status != MARL_OK) {
                stepper->phase = stepper->phase_count;
                *out_is_done = 1;
                return status;
            }
        }
        if (atomic_load(&stepper->completed) == stepper->total) {
            stepper->phase = phase_after(stepper);
            stepper->total = -1;
        }
        if (atomic_load(&stepper->stop)) break;
    }
    *out_is_done = stepper->phase == stepper->phase_count;
    return MARL_OK;
}
