/* SPDX-License-Identifier: Apache-2.0 */
/* Dealing and packing episodes. L transitions in slots 0..L; row of (t, place) is offset[t] + place. */
#include "algos/value_batch.h"

#include <string.h>

#include "core/base/status.h"

marl__capacity marl__batch_capacity(const marl__batch *batch) {
    int32_t slots = batch->shape.slots;
    return (marl__capacity){slots, batch->shard_batch, slots * batch->shard_batch};
}

/* One block of integers for everything that is counted. */
static marl_status alloc_counts(marl__batch *batch) {
    size_t shards = (size_t)batch->shard_capacity, slots = (size_t)batch->shape.slots;
    size_t count = (size_t)batch->shape.batch, per_shard = 2 * slots + 2 + count;
    void *array = NULL;
    marl_status status = marl__alloc_array(batch->heap, 4 * count + shards * per_shard, sizeof(int32_t), &array);
    if (status != MARL_OK) return status;
    batch->memory = array;
    batch->order = batch->memory;
    batch->span = batch->order + count;
    batch->shard_of = batch->span + count;
    batch->place_of = batch->shard_of + count;
    int32_t *at = batch->place_of + count;
    for (size_t s = 0; s < shards; s++, at += per_shard) {
        batch->shards[s].active = at;
        batch->shards[s].offset = at + slots;
        batch->shards[s].episodes = at + 2 * slots + 2;
    }
    return MARL_OK;
}

marl_status marl__batch_create(marl__heap *heap, const marl__batch_shape *shape, marl__batch **out) {
    marl_status status = MARL_OK;
    marl__batch *batch = NULL;
    void *array = NULL;

    *out = NULL;
    int64_t rows = (int64_t)shape->slots * shape->batch, shards = rows / shape->shard_rows;
    if (rows * shape->agents > INT32_MAX / 2)
        return marl__fail(MARL_E_ARGUMENT, "a batch of %d episodes of %d steps is too large", (int)shape->batch,
                          (int)shape->slots - 1);
    batch = marl__alloc_zero(heap, sizeof *batch);
    if (!batch) return marl__no_memory(sizeof *batch);
    batch->heap = heap;
    batch->shape = *shape;
    batch->reward_scale = 1.0f;
    if (shards > shape->shard_max) shards = shape->shard_max;
    if (shards > shape->batch) shards = shape->batch;
    batch->shard_capacity = shards < 1 ? 1 : (int32_t)shards;
    batch->shard_batch = (shape->batch + batch->shard_capacity - 1) / batch->shard_capacity;
    status = marl__alloc_array(heap, (size_t)batch->shard_capacity, sizeof(marl__shard), &array);
    if (status != MARL_OK) goto done;
    batch->shards = array;
    if ((status = alloc_counts(batch)) != MARL_OK) goto done;
    *out = batch;
    batch = NULL;
done:
    marl__batch_destroy(batch);
    return status;
}

void marl__batch_destroy(marl__batch *batch) {
    if (!batch) return;
    marl__free(batch->heap, batch->shards);
    marl__free(batch->heap, batch->memory);
    marl__free(batch->heap, batch);
}

/* Sorts by falling span, ties by index: insertion, since batches are small and often nearly sorted. */
static void sort_episodes(marl__batch *batch) {
    for (int32_t e = 0; e < batch->count; e++) {
        int32_t at = e;
        for (; at > 0 && batch->span[batch->order[at - 1]] < batch->span[e]; at--)
            batch->order[at] = batch->order[at - 1];
        batch->order[at] = e;
    }
}

/* Counts of a shard from the spans of its episodes, which stand sorted. */
static void count_rows(marl__batch *batch, marl__shard *shard, int32_t members) {
    int32_t slots = members ? batch->span[shard->episodes[0]] + 1 : 0, active = members;
    shard->offset[0] = 0;
    for (int32_t t = 0; t < slots; t++) {
        while (active > 0 && batch->span[shard->episodes[active - 1]] < t) active--;
        shard->active[t] = active;
        shard->offset[t + 1] = shard->offset[t] + active;
    }
    shard->seq = (marl__seq){slots, members, shard->offset[slots], shard->active, shard->offset};
}

static void deal(marl__batch *batch) {
    batch->shard_count = batch->shard_capacity;
    for (int32_t s = 0; s < batch->shard_count; s++) {
        marl__shard *shard = &batch->shards[s];
        int32_t members = 0;
        for (int32_t i = s; i < batch->count; i += batch->shard_count, members++) {
            int32_t episode = batch->order[i];
            shard->episodes[members] = episode;
            batch->shard_of[episode] = s;
            batch->place_of[episode] = members;
        }
        count_rows(batch, shard, members);
    }
}

/* A phantom step belongs to an episode cut off before the longest one ends. */
static int32_t has_phantom(const marl__batch *batch, const marl__episode *episode, int32_t longest) {
    return batch->shape.phantom_step && !episode->terminated && episode->length < longest;
}

marl_status marl__batch_set(marl__batch *batch, const marl__episode *episodes, int32_t count) {
    int32_t longest = 0;
    if (count < 1 || count > batch->shape.batch)
        return marl__fail(MARL_E_SHAPE, "a batch of %d episodes; 1 to %d", (int)count, (int)batch->shape.batch);
    for (int32_t e = 0; e < count; e++) {
        if (episodes[e].length < 1 || episodes[e].length >= batch->shape.slots)
            return marl__fail(MARL_E_SHAPE, "episode %d of the batch has %d steps; 1 to %d", (int)e,
                              (int)episodes[e].length, (int)batch->shape.slots - 1);
        if (episodes[e].length > longest) longest = episodes[e].length;
    }
    batch->episodes = episodes;
    batch->count = count;
    batch->mask_sum = 0;
    for (int32_t e = 0; e < count; e++) {
        int32_t phantom = has_phantom(batch, &episodes[e], longest);
        batch->span[e] = phantom ? longest : episodes[e].length;
        batch->mask_sum += episodes[e].length + phantom;
    }
    sort_episodes(batch);
    deal(batch);
    return MARL_OK;
}

/* What the agents see in slot t, but for what is to be unpacked; zeros past the episode's last slot. */
static void load_views(const marl__batch *batch, const marl__episode *episode, int32_t t, int64_t row,
                       const marl__batch_rows *rows) {
    const marl__batch_shape *shape = &batch->shape;
    size_t obs = (size_t)shape->agents * (size_t)shape->obs, avail = (size_t)shape->agents * (size_t)shape->actions;
    size_t state = (size_t)shape->state, slot = (size_t)t, at = (size_t)row;
    if (t > episode->length) {
        if (rows->obs) memset(rows->obs + at * obs, 0, obs * sizeof(float));
        if (rows->state) memset(rows->state + at * state, 0, state * sizeof(float));
        if (rows->avail) memset(rows->avail + at * avail, 0, avail * sizeof(float));
        return;
    }
    if (rows->obs && episode->obs) memcpy(rows->obs + at * obs, episode->obs + slot * obs, obs * sizeof(float));
    if (rows->state && episode->state)
        memcpy(rows->state + at * state, episode->state + slot * state, state * sizeof(float));
    if (rows->avail && episode->avail)
        for (size_t i = 0; i < avail; i++) rows->avail[at * avail + i] = episode->avail[slot * avail + i] ? 1.0f : 0.0f;
}

/* The action stored for slot t; `none` where there is none. */
static void load_actions(int32_t agents, const marl__episode *episode, int32_t t, int32_t none, int32_t *to) {
    int32_t stored = t >= 0 && (t < episode->length || (t == episode->length && episode->final_action));
    const int32_t *from = stored ? episode->actions + (size_t)t * (size_t)agents : NULL;
    for (int32_t i = 0; i < agents; i++) to[i] = from ? from[i] : none;
}

marl_status marl__batch_load(const marl__batch *batch, int32_t shard, int32_t place, const marl__batch_rows *rows) {
    const marl__batch_shape *shape = &batch->shape;
    int32_t index = batch->shards[shard].episodes[place], span = batch->span[index];
    const marl__episode *episode = &batch->episodes[index];
    int32_t is_phantom = span > episode->length;
    for (int32_t t = 0; t <= span; t++) {
        int64_t row = batch->shards[shard].offset[t] + place;
        int32_t counts = t < episode->length, masked = counts || (is_phantom && t == episode->length);
        load_views(batch, episode, t, row, rows);
        if (rows->last) load_actions(shape->agents, episode, t - 1, -1, rows->last + row * shape->agents);
        if (rows->action) load_actions(shape->agents, episode, t, 0, rows->action + row * shape->agents);
        if (rows->taken) load_actions(shape->agents, episode, t, -1, rows->taken + row * shape->agents);
        rows->mask[row] = masked ? 1.0f : 0.0f;
        rows->terminated[row] = t == episode->length - 1 && episode->terminated ? 1.0f : 0.0f;
        for (int32_t i = 0; i < shape->rewards; i++) {
            float reward = counts ? episode->rewards[(int64_t)t * shape->rewards + i] : 0.0f;
            rows->reward[row * shape->rewards + i] = (reward - batch->reward_shift) * batch->reward_scale;
        }
    }
    if (!episode->unpack) return MARL_OK;
    const marl__slot_rows unpacked = {batch->shards[shard].offset, place, rows->obs, rows->state,
                                      episode->avail ? NULL : rows->avail};
    return episode->unpack(episode, &unpacked);
}

double marl__batch_reward_moments(const marl__batch *batch, int32_t rewards, int32_t padding, double *mean,
                                  double *variance) {
    double sum = 0.0, squares = 0.0, n = 0.0;
    int32_t longest = 0;
    for (int32_t e = 0; e < batch->count; e++) {
        const marl__episode *episode = &batch->episodes[e];
        for (int64_t i = 0; i < (int64_t)episode->length * rewards; i++) sum += (double)episode->rewards[i];
        n += (double)episode->length * rewards;
        if (episode->length > longest) longest = episode->length;
    }
    double filled = n;
    if (padding) n = (double)longest * batch->count * rewards;
    *mean = sum / n;
    for (int32_t e = 0; e < batch->count; e++) {
        const marl__episode *episode = &batch->episodes[e];
        for (int64_t i = 0; i < (int64_t)episode->length * rewards; i++) {
            double difference = (double)episode->rewards[i] - *mean;
            squares += difference * difference;
        }
    }
    squares += (n - filled) * *mean * *mean;
    *variance = n > 1.0 ? squares / (n - 1.0) : 0.0;
    return n;
}
