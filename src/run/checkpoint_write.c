/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a checkpoint: everything is written from where it lies; the replay record by record, since the ring may wrap
 * anywhere. Equal runs give equal bytes. */
#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "run/checkpoint.h"

/* ---- texts ---- */

static void write_head(const marl_trainer *t, marl__json_writer *json) {
    marl__json_open_object(json, NULL);
    marl__json_write_int(json, "schema", MARL__CHECKPOINT_SCHEMA);
    marl__json_write_text(json, "version", marl_version());
    marl__json_write_text(json, "device", marl_device_name(t->device));
    marl__json_write_text(json, "replay", marl__config_text(t->config, "checkpoint.replay"));
    marl__json_write_bool(json, "resumable", t->is_resumable);
    marl__json_close_object(json);
}

static void write_counters(const marl_trainer *t, marl__json_writer *json) {
    marl__json_open_object(json, NULL);
    marl__json_write_int(json, "steps", (int64_t)t->state.steps);
    marl__json_write_int(json, "episodes", (int64_t)t->state.episodes);
    marl__json_write_int(json, "updates", (int64_t)t->state.updates);
    marl__json_close_object(json);
}

static marl_status add_text(marl__safetensors_writer *writer, const char *key, marl__json_writer *json) {
    marl_status status = json->status;

    if (status == MARL_OK) status = marl__safetensors_add_metadata(writer, key, json->text);
    marl__json_writer_reset(json);
    return status;
}

static marl_status add_texts(marl_trainer *t, marl__safetensors_writer *writer) {
    marl__json_writer json;
    marl_status status = marl__json_writer_init(&json, &t->device->heap, 4096);

    if (status != MARL_OK) return status;
    write_head(t, &json);
    if ((status = add_text(writer, MARL__CHECKPOINT_HEAD, &json)) != MARL_OK) goto done;
    if ((status = marl__checkpoint_write_run(t, &json)) != MARL_OK) goto done;
    if ((status = add_text(writer, MARL__CHECKPOINT_RUN, &json)) != MARL_OK) goto done;
    marl__checkpoint_write_env(t, &json);
    if ((status = add_text(writer, MARL__CHECKPOINT_ENV, &json)) != MARL_OK) goto done;
    marl__checkpoint_write_layout(t, &json);
    if ((status = add_text(writer, MARL__CHECKPOINT_LAYOUT, &json)) != MARL_OK) goto done;
    write_counters(t, &json);
    status = add_text(writer, MARL__CHECKPOINT_COUNTERS, &json);
done:
    marl__json_writer_free(&json);
    return status;
}

/* ---- replay ---- */

/* The stored episodes as tensors. */
typedef struct replay_writer {
    const marl_trainer *trainer;
    int32_t *lengths;
    uint8_t *terminated;
    uint64_t bytes;
    int32_t at;          /* the episode that produce stands at, and where its record begins */
    uint64_t at_offset;
} replay_writer;

static size_t record_bytes(const replay_writer *r, int32_t index) {
    return marl__replay_episode_bytes(&r->trainer->format, r->lengths[index]);
}

/* Asked in order, from the start twice. */
static marl_status produce(uint64_t offset, void *buffer, size_t bytes, void *user) {
    replay_writer *r = user;
    unsigned char *to = buffer;

    if (offset < r->at_offset) {
        r->at = 0;
        r->at_offset = 0;
    }
    while (bytes > 0) {
        size_t size = record_bytes(r, r->at), inside = 0, part = 0;

        if (offset - r->at_offset >= size) {
            r->at_offset += size;
            r->at++;
            continue;
        }
        inside = (size_t)(offset - r->at_offset);
        part = size - inside < bytes ? size - inside : bytes;
        memcpy(to, (const unsigned char *)marl__replay_record(r->trainer->replay, r->at) + inside, part);
        to += part;
        offset += part;
        bytes -= part;
    }
    return MARL_OK;
}

static marl_status list_episodes(marl_trainer *t, replay_writer *r) {
    int32_t count = marl__replay_count(t->replay);
    void *array = NULL;
    marl_status status = marl__alloc_array(&t->device->heap, (size_t)count, sizeof *r->lengths, &array);

    if (status != MARL_OK) return status;
    r->lengths = array;
    if ((status = marl__alloc_array(&t->device->heap, (size_t)count, 1, &array)) != MARL_OK) return status;
    r->terminated = array;
    for (int32_t i = 0; i < count; i++) {
        marl__episode episode;

        marl__replay_get(t->replay, i, &episode);
        r->lengths[i] = episode.length;
        r->terminated[i] = (uint8_t)(episode.terminated != 0);
        r->bytes += record_bytes(r, i);
    }
    return MARL_OK;
}

/* Records are multiples of 64 bytes; as rows of 64 their number fits a dimension. */
static marl_status add_replay(marl_trainer *t, marl__safetensors_writer *writer, replay_writer *r) {
    marl__tensor_producer producer = {.produce = produce, .user = r};
    uint32_t shape[2] = {(uint32_t)marl__replay_count(t->replay), 64};
    marl_status status = MARL_OK;

    r->trainer = t;
    if (marl__config_is(t->config, "checkpoint.replay", "none")) return MARL_OK;
    if ((status = list_episodes(t, r)) != MARL_OK) return status;
    status = marl__safetensors_add(writer, "replay.lengths", MARL__TENSOR_I32, 1, shape, r->lengths);
    if (status != MARL_OK) return status;
    status = marl__safetensors_add(writer, "replay.terminated", MARL__TENSOR_U8, 1, shape, r->terminated);
    if (status != MARL_OK) return status;
    if (r->bytes / 64 > UINT32_MAX) {
        return marl__fail(MARL_E_UNSUPPORTED, "the replay holds %llu bytes, too many for a checkpoint; set "
                          "checkpoint.replay=none", (unsigned long long)r->bytes);
    }
    shape[0] = (uint32_t)(r->bytes / 64);
    return marl__safetensors_add_produced(writer, "replay.records", MARL__TENSOR_U8, 2, shape, &producer);
}

marl_status marl__checkpoint_write(marl_trainer *trainer, const marl_sink *sink) {
    marl__heap *heap = &trainer->device->heap;
    marl__safetensors_writer *writer = NULL;
    marl__snapshot *snapshot = NULL;
    replay_writer replay = {0};
    marl_status status = marl__snapshot_create(trainer, &snapshot);

    if (status != MARL_OK) return status;
    if ((status = marl__snapshot_pack(trainer, snapshot)) != MARL_OK) goto done;
    if ((status = marl__safetensors_writer_create(heap, &writer)) != MARL_OK) goto done;
    if ((status = add_texts(trainer, writer)) != MARL_OK) goto done;
    for (int32_t i = 0; i < snapshot->count; i++) {
        const marl__piece *piece = &snapshot->pieces[i];

        status = marl__safetensors_add(writer, piece->name, piece->type, piece->rank, piece->shape, piece->data);
        if (status != MARL_OK) goto done;
    }
    if ((status = add_replay(trainer, writer, &replay)) != MARL_OK) goto done;
    status = marl__safetensors_finish(writer, sink);
done:
    marl__free(heap, replay.lengths);
    marl__free(heap, replay.terminated);
    marl__safetensors_writer_destroy(writer);
    marl__snapshot_destroy(trainer, snapshot);
    return status;
}
