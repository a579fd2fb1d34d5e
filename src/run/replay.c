/* SPDX-License-Identifier: Apache-2.0 */
/* The block is larger than what may live in it by one largest episode. A record never wraps: where it does not fit
 * behind the newest one it starts at the front. With `live` bytes stored, waste at the end below one largest episode
 * and live + bytes within the limit, either the end or the front then always has room, so nothing is ever evicted for
 * the sake of the layout.
 *
 * A record: obs (L+1,N,O) f32, state (L+1,S) f32, rewards (L,R) f32, actions (L,N) i32, avail (L+1,N,A) u8. */
#include "run/replay.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

typedef struct record {
    size_t offset, bytes;
    int32_t length, terminated;
} record;

struct marl__replay {
    marl__heap *heap;
    marl__team_shape shape;
    unsigned char *block;
    size_t block_bytes, limit, live; /* of the block; most and present sum of the records */
    record *records;                 /* ring of `capacity` */
    int32_t capacity, first, count;
    uint8_t *is_taken;               /* (capacity), scratch of sampling: always zero between calls */
};

/* Adds count * columns * item bytes to *total; false when it cannot be counted. */
static bool add_array(size_t count, size_t columns, size_t item, size_t *total) {
    size_t bytes = 0;

    return marl__mul_size(count, columns, &bytes) && marl__mul_size(bytes, item, &bytes) &&
           marl__add_size(*total, bytes, total);
}

size_t marl__replay_episode_bytes(const marl__team_shape *shape, int32_t length) {
    size_t n = (size_t)shape->agents, slots = (size_t)length + 1, total = 0;
    size_t seen = n * (size_t)shape->obs + (size_t)shape->state;

    if (!add_array(slots, seen, sizeof(float), &total)) return 0;
    if (!add_array((size_t)length, (size_t)shape->rewards + n, sizeof(float), &total)) return 0;
    if (!add_array(slots, n * (size_t)shape->actions, 1, &total)) return 0;
    return total > SIZE_MAX / 2 ? 0 : marl__round64(total);
}

static marl_status check_sizes(size_t largest, int64_t bytes, int32_t least) {
    size_t needed = 0;

    if (largest == 0 || !marl__mul_size(largest, (size_t)least + 1, &needed)) {
        return marl__fail(MARL_E_SHAPE, "an episode of this environment is too large to be stored");
    }
    if ((uint64_t)bytes < needed) {
        return marl__fail(MARL_E_ARGUMENT, "replay.bytes is %lld; learning begins with %d episodes of up to %zu bytes "
                          "each and one of reserve: at least %zu", (long long)bytes, (int)least, largest, needed);
    }
    return MARL_OK;
}

marl_status marl__replay_create(marl__heap *heap, const marl__team_shape *shape, int64_t episodes, int64_t bytes,
                                int32_t least, marl__replay **out) {
    size_t largest = marl__replay_episode_bytes(shape, shape->episode_limit), all = 0;
    marl_status status = check_sizes(largest, bytes, least);
    marl__replay *replay = NULL;
    void *array = NULL;

    *out = NULL;
    if (status != MARL_OK) return status;
    if (episodes < least || episodes > INT32_MAX) {
        return marl__fail(MARL_E_ARGUMENT, "replay.episodes is %lld; learning begins with %d", (long long)episodes,
                          (int)least);
    }
    replay = marl__alloc_zero(heap, sizeof *replay);
    if (!replay) return MARL_E_NOMEM;
    replay->heap = heap;
    replay->shape = *shape;
    replay->capacity = (int32_t)episodes;
    replay->block_bytes = (size_t)bytes;
    if (marl__mul_size(largest, (size_t)episodes + 1, &all) && all < replay->block_bytes) replay->block_bytes = all;
    replay->limit = replay->block_bytes - largest;
    if ((status = marl__alloc_array(heap, (size_t)episodes, sizeof *replay->records, &array)) != MARL_OK) goto done;
    replay->records = array;
    if ((status = marl__alloc_array(heap, (size_t)episodes, 1, &array)) != MARL_OK) goto done;
    replay->is_taken = array;
    replay->block = marl__alloc(heap, replay->block_bytes); /* not cleared: pages come with use */
    if (!replay->block) {
        status = MARL_E_NOMEM;
        goto done;
    }
    *out = replay;
    replay = NULL;
done:
    marl__replay_destroy(replay);
    return status;
}

void marl__replay_destroy(marl__replay *replay) {
    if (!replay) return;
    marl__free(replay->heap, replay->block);
    marl__free(replay->heap, replay->records);
    marl__free(replay->heap, replay->is_taken);
    marl__free(replay->heap, replay);
}

/* ---- adding ---- */

static record *record_at(const marl__replay *replay, int32_t index) {
    return &replay->records[(replay->first + (int64_t)index) % replay->capacity];
}

static void drop_oldest(marl__replay *replay) {
    replay->live -= record_at(replay, 0)->bytes;
    replay->first = (int32_t)((replay->first + (int64_t)1) % replay->capacity);
    replay->count--;
}

/* Where the next record goes; see the head of the file for why there is room. */
static size_t place(const marl__replay *replay, size_t bytes) {
    const record *oldest = NULL, *newest = NULL;
    size_t head = 0;

    if (replay->count == 0) return 0;
    oldest = record_at(replay, 0);
    newest = record_at(replay, replay->count - 1);
    head = newest->offset + newest->bytes;
    if (newest->offset < oldest->offset) return head;
    return replay->block_bytes - head >= bytes ? head : 0;
}

static void view_record(const marl__replay *replay, const record *own, marl__episode *out) {
    const marl__team_shape *shape = &replay->shape;
    size_t n = (size_t)shape->agents, slots = (size_t)own->length + 1;
    unsigned char *at = replay->block + own->offset;

    *out = (marl__episode){.length = own->length, .terminated = own->terminated};
    out->obs = (const float *)(void *)at;
    at += slots * n * (size_t)shape->obs * sizeof(float);
    out->state = (const float *)(void *)at;
    at += slots * (size_t)shape->state * sizeof(float);
    out->rewards = (const float *)(void *)at;
    at += (size_t)own->length * (size_t)shape->rewards * sizeof(float);
    out->actions = (const int32_t *)(void *)at;
    at += (size_t)own->length * n * sizeof(int32_t);
    out->avail = at;
}

/* Takes a place for an episode; the caller fills its arrays. What rounding adds is zero, so that records are bytes
 * without chance. */
static void reserve(marl__replay *replay, int32_t length, int32_t terminated, marl__episode *out) {
    size_t bytes = marl__replay_episode_bytes(&replay->shape, length);
    record *own = NULL;

    MARL_ASSERT(length >= 1 && length <= replay->shape.episode_limit);
    while (replay->count > 0 && (replay->count == replay->capacity || replay->live + bytes > replay->limit)) {
        drop_oldest(replay);
    }
    own = record_at(replay, replay->count);
    *own = (record){place(replay, bytes), bytes, length, terminated};
    replay->count++;
    replay->live += bytes;
    memset(replay->block + own->offset + bytes - 64, 0, 64);
    view_record(replay, own, out);
}

/* The one place that writes through a view of the ring. */
static void fill(const void *to, const void *from, size_t count, size_t columns, size_t item) {
    size_t bytes = count * columns * item;

    if (bytes > 0) memcpy((void *)(uintptr_t)to, from, bytes);
}

void marl__replay_add(marl__replay *replay, const marl__episode *episode) {
    const marl__team_shape *shape = &replay->shape;
    size_t n = (size_t)shape->agents, length = (size_t)episode->length;
    marl__episode own;

    reserve(replay, episode->length, episode->terminated, &own);
    fill(own.obs, episode->obs, length + 1, n * (size_t)shape->obs, sizeof(float));
    fill(own.state, episode->state, length + 1, (size_t)shape->state, sizeof(float));
    fill(own.rewards, episode->rewards, length, (size_t)shape->rewards, sizeof(float));
    fill(own.actions, episode->actions, length, n, sizeof(int32_t));
    fill(own.avail, episode->avail, length + 1, n * (size_t)shape->actions, 1);
}

/* ---- reading ---- */

int32_t marl__replay_count(const marl__replay *replay) {
    return replay->count;
}

void marl__replay_get(const marl__replay *replay, int32_t index, marl__episode *out) {
    view_record(replay, record_at(replay, index), out);
}

/* Floyd's way to a uniform subset: `count` draws whatever is stored. */
void marl__replay_sample(marl__replay *replay, marl__rng *rng, int32_t count, marl__episode *out) {
    int32_t done = 0;

    MARL_ASSERT(count <= replay->count);
    if (count == replay->count) {
        for (int32_t i = 0; i < count; i++) marl__replay_get(replay, i, &out[i]);
        return;
    }
    for (int32_t last = replay->count - count; last < replay->count; last++) {
        int32_t index = (int32_t)marl__rng_below(rng, (uint32_t)last + 1);

        if (replay->is_taken[index]) index = last;
        replay->is_taken[index] = 1;
        marl__replay_get(replay, index, &out[done++]);
    }
    memset(replay->is_taken, 0, (size_t)replay->count);
}

/* ---- checkpoints ---- */

const void *marl__replay_record(const marl__replay *replay, int32_t index) {
    return replay->block + record_at(replay, index)->offset;
}

marl_status marl__replay_restore(marl__replay *replay, int32_t count, const int32_t *lengths,
                                 const uint8_t *terminated, void **out_block, size_t *out_bytes) {
    *out_block = replay->block;
    *out_bytes = 0;
    if (count > replay->capacity) {
        return marl__fail(MARL_E_MISMATCH, "the replay holds %d episodes; replay.episodes is %d", (int)count,
                          (int)replay->capacity);
    }
    for (int32_t i = 0; i < count; i++) {
        size_t bytes = 0;

        if (lengths[i] < 1 || lengths[i] > replay->shape.episode_limit || terminated[i] > 1) {
            return marl__fail(MARL_E_FORMAT, "episode %d of the replay has %d steps, expected 1 to %d", (int)i,
                              (int)lengths[i], (int)replay->shape.episode_limit);
        }
        bytes = marl__replay_episode_bytes(&replay->shape, lengths[i]);
        if (bytes > replay->limit - replay->live) {
            return marl__fail(MARL_E_MISMATCH, "the episodes of the replay take more than the %zu bytes there are",
                              replay->limit);
        }
        replay->records[i] = (record){replay->live, bytes, lengths[i], terminated[i]};
        replay->live += bytes;
        replay->count++;
    }
    *out_bytes = replay->live;
    return MARL_OK;
}

static int are_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return 0;
    }
    return 1;
}

static int are_below(const int32_t *values, size_t count, int32_t bound) {
    for (size_t i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] >= bound) return 0;
    }
    return 1;
}

static int are_flags(const uint8_t *values, size_t count) {
    unsigned all = 0;

    for (size_t i = 0; i < count; i++) all |= values[i];
    return all <= 1;
}

marl_status marl__replay_check(const marl__replay *replay) {
    const marl__team_shape *shape = &replay->shape;
    size_t n = (size_t)shape->agents;

    for (int32_t i = 0; i < replay->count; i++) {
        marl__episode own;
        size_t length = 0;

        marl__replay_get(replay, i, &own);
        length = (size_t)own.length;
        if (!are_finite(own.obs, (length + 1) * n * (size_t)shape->obs) ||
            !are_finite(own.state, (length + 1) * (size_t)shape->state) ||
            !are_finite(own.rewards, length * (size_t)shape->rewards) ||
            !are_below(own.actions, length * n, shape->actions) ||
            !are_flags(own.avail, (length + 1) * n * (size_t)shape->actions)) {
            return marl__fail(MARL_E_FORMAT, "episode %d of the replay holds numbers that no episode has", (int)i);
        }
    }
    return MARL_OK;
}
