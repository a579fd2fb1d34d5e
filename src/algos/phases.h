/* SPDX-License-Identifier: Apache-2.0 */
/* A learner step as a list of phases, run unit by unit on the device's threads. Stopping after any unit and going on,
 * with any number of threads, gives the same bits: units are cut by counts alone, a shard's units run in order, and
 * everything else is independent or on one thread. Loops (epochs, minibatches, agents in turn, a line search) are host
 * phases that say where to go on, so how often a loop runs is data. */
#ifndef MARL__ALGOS_PHASES_H
#define MARL__ALGOS_PHASES_H

#include "core/device.h"

/* Asked after every unit, from any thread: 1 to stop. */
typedef int32_t (*marl__should_stop)(void *user);

enum marl__phase_kind {
    MARL__PHASE_HOST,    /* run(ctx, 0) once, on one thread */
    MARL__PHASE_UNITS,   /* run(ctx, 0 .. units(ctx)-1), independent of each other */
    MARL__PHASE_SHARDS   /* for each shard: shard_begin(ctx, shard, arena), then shard_step until it returns 0 */
};

enum { MARL__NEXT_PHASE = -1 };

typedef struct marl__phase {
    int32_t kind;
    int32_t (*units)(void *ctx);               /* UNITS: how many; SHARDS: how many shards */
    marl_status (*run)(void *ctx, int32_t unit); /* HOST, UNITS; a HOST phase may fail, which ends the step */
    void (*shard_begin)(void *ctx, int32_t shard, int32_t arena);
    int32_t (*shard_step)(void *ctx, int32_t shard, int32_t arena);
    /* HOST, optional: asked once after run, the phase to go on with: an earlier one, itself, or a later one; the number
     * of phases ends the step, MARL__NEXT_PHASE is the one that follows. */
    int32_t (*next)(void *ctx);
} marl__phase;

typedef struct marl__stepper marl__stepper;

/* phases: static. arenas: how many shards may be in flight at once (the device's threads at most). */
marl_status marl__stepper_create(marl_device *device, const marl__phase *phases, int32_t phase_count, int32_t arenas,
                                 marl__stepper **out);
void marl__stepper_destroy(marl__stepper *stepper);
void marl__stepper_begin(marl__stepper *stepper, void *ctx);
/* Goes on until the step is done or should_stop (NULL: never) says so. */
marl_status marl__stepper_advance(marl__stepper *stepper, marl__should_stop should_stop, void *user,
                                  int32_t *out_is_done);

#endif
