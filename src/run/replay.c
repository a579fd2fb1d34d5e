/* SPDX-License-Identifier: Apache-2.0 */
/* The block is larger than what may live in it by one largest episode. A record never wraps: where it does not fit
 * behind the newest one it starts at the front. With `live` bytes stored, waste at the end below one largest episode
 * and live + bytes within the limit, either the end or the front then always has room, so nothing is ever evicted for
 * the sake of the layout.
 * What a record holds is the business of replay_store.c. */
#include "run/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

typedef struct record {
    size_t offset, bytes;
    int32_t length, terminated;
} record;

struct marl__replay {
    marl__heap *heap;
    marl__replay_format format;
    unsigned char *block;
    size_t block_bytes, limit, live; /* of the block; most and present sum of the records */
    record *records;                 /* ring of `capacity` */
    int32_t capacity, first, count;
    uint8_t *is_taken;               /* (capacity), scratch of sampling: always zero between calls */
};

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

marl_status marl__replay_create(marl__heap *heap, const marl__replay_format *format, int64_t episodes, int64_t bytes,
                                int32_t least, marl__replay **out) {
    size_t largest = marl__replay_episode_bytes(format, format->shape.episode_limit), all = 0;
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
    replay->format = *format;
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

marl_status marl__replay_add(marl__replay *replay, const marl__episode *episode) {
    size_t bytes = marl__replay_episode_bytes(&replay->format, episode->length);
    marl_status status = marl__store_accepts(&replay->format, episode);
    record *own = NULL;

    if (status != MARL_OK) return status;
    while (replay->count > 0 && (replay->count == replay->capacity || replay->live + bytes > replay->limit)) {
        drop_oldest(replay);
    }
    own = record_at(replay, replay->count);
    *own = (record){place(replay, bytes), bytes, episode->length, episode->terminated};
    replay->count++;
    replay->live += bytes;
    marl__store_write(&replay->format, episode, replay->block + own->offset);
    return MARL_OK;
}

/* ---- reading ---- */

int32_t marl__replay_count(const marl__replay *replay) {
    return replay->count;
}

void marl__replay_get(const marl__replay *replay, int32_t index, marl__episode *out) {
    const record *own = record_at(replay, index);

    marl__store_view(&replay->format, replay->block + own->offset, own->length, own->terminated, out);
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

        if (lengths[i] < 1 || lengths[i] > replay->format.shape.episode_limit || terminated[i] > 1) {
            return marl__fail(MARL_E_FORMAT, "episode %d of the replay has %d steps, expected 1 to %d", (int)i,
                              (int)lengths[i], (int)replay->format.shape.episode_limit);
        }
        bytes = marl__replay_episode_bytes(&replay->format, lengths[i]);
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

marl_status marl__replay_check(const marl__replay *replay) {
    for (int32_t i = 0; i < replay->count; i++) {
        marl__episode own;
        marl_status status = MARL_OK;

        marl__replay_get(replay, i, &own);
        status = marl__store_check(&replay->format, &own);
        if (status != MARL_OK) return marl__fail_prefix(status, "episode %d of the replay: ", (int)i);
    }
    return MARL_OK;
}

/* ---- how much it holds ---- */

int64_t marl__replay_capacity(const marl__replay *replay) {
    size_t largest = marl__replay_episode_bytes(&replay->format, replay->format.shape.episode_limit);
    size_t fit = replay->limit / largest;

    return fit < (size_t)replay->capacity ? (int64_t)fit : replay->capacity;
}

void marl__replay_describe(const marl__replay *replay, char *text, size_t bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)replay->block_bytes;
    int unit = 0;

    for (; size >= 1024 && unit < 4; unit++) size /= 1024;
    snprintf(text, bytes, "replay: %.*f %s hold %" PRId64 " episodes of %d steps (%s)", unit ? 1 : 0, size, units[unit],
             marl__replay_capacity(replay), (int)replay->format.shape.episode_limit,
             marl__store_name(replay->format.store));
}
