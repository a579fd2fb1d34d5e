/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a checkpoint up, all or nothing. Everything is read into memory of its own and checked first, the replay into
 * a ring of its own; then the environments are restored, each of which may refuse, so their present states are kept to
 * go back to; only then is the trainer written to, which cannot fail. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "run/checkpoint.h"
#include "run/trainer_keys.h"

#define FILE_BYTES_MAX (UINT64_C(1) << 50)
#define COUNT_MAX (INT64_C(1) << 53)

/* What has been read and waits to be taken over. */
typedef struct loading {
    marl_trainer *trainer;
    marl__safetensors *file;
    marl__snapshot *snapshot;
    void *staged[MARL__PIECES_MAX]; /* by piece */
    marl__replay *replay;
    uint8_t *backup;                /* (E, save_bytes) */
    int32_t has_replay;
} loading;

/* ---- texts ---- */

static marl_status parse_text(loading *l, const char *key, marl__json **out) {
    const char *text = marl__safetensors_metadata(l->file, key);

    *out = NULL;
    if (!text) {
        return marl__fail(MARL_E_FORMAT, "%s is no checkpoint: its metadata lacks \"%s\"",
                          marl__safetensors_name(l->file), key);
    }
    return marl__json_parse(&l->trainer->device->heap, text, strlen(text), key, out);
}

static const char *value_text(const marl__json *json, int32_t value) {
    int32_t truth = 0;

    if (value < 0) return "no such key";
    switch (marl__json_type(json, value)) {
    case MARL__JSON_TEXT: return marl__json_text(json, value);
    case MARL__JSON_NUMBER: return marl__json_spelling(json, value);
    case MARL__JSON_BOOL: return marl__json_bool(json, value, &truth) == MARL_OK && truth ? "true" : "false";
    default: return "no plain value";
    }
}

/* Names the first key of our object whose value in the file's differs. */
static marl_status compare(const marl__json *ours, int32_t own, const marl__json *theirs, int32_t other,
                           const char *what) {
    for (int32_t key = marl__json_first(ours, own); key >= 0; key = marl__json_next(ours, key)) {
        const char *name = marl__json_text(ours, key);
        const char *mine = value_text(ours, marl__json_of(ours, key));
        int32_t found = marl__json_find(theirs, other, name);

        if (marl__train_key_is_free(name) || strcmp(mine, value_text(theirs, found)) == 0) continue;
        if (marl__json_type(ours, marl__json_of(ours, key)) == MARL__JSON_OBJECT) continue;
        return marl__fail(MARL_E_MISMATCH, "%s%s: the checkpoint has %.200s, this trainer has %.200s", what, name,
                          value_text(theirs, found), mine);
    }
    if (marl__json_count(theirs, other) != marl__json_count(ours, own)) {
        return marl__fail(MARL_E_MISMATCH, "%sthe checkpoint has %u entries, this trainer has %u", what,
                          marl__json_count(theirs, other), marl__json_count(ours, own));
    }
    return MARL_OK;
}

static marl_status check_head(loading *l) {
    marl__json *json = NULL;
    int64_t schema = 0;
    int32_t is_resumable = 0;
    const char *replay = NULL, *device = NULL;
    marl_status status = parse_text(l, MARL__CHECKPOINT_HEAD, &json);

    if (status != MARL_OK) return status;
    if ((status = marl__json_get_int(json, 0, "schema", &schema)) != MARL_OK) goto done;
    if (schema != MARL__CHECKPOINT_SCHEMA) {
        status = marl__fail(MARL_E_VERSION, "%s has schema %lld, written by libmarl %.40s; this version reads schema "
                            "%d", marl__safetensors_name(l->file), (long long)schema,
                            value_text(json, marl__json_find(json, 0, "version")), MARL__CHECKPOINT_SCHEMA);
        goto done;
    }
    if ((status = marl__json_get_text(json, 0, "replay", &replay)) != MARL_OK) goto done;
    if ((status = marl__json_get_text(json, 0, "device", &device)) != MARL_OK) goto done;
    status = marl__json_bool(json, marl__json_find(json, 0, "resumable"), &is_resumable);
    if (status != MARL_OK) goto done;
    if (!is_resumable || !l->trainer->is_resumable) {
        status = marl__fail(MARL_E_UNSUPPORTED, "resumable=false: the environment has no save and restore, so %s "
                            "cannot be gone on with; its policy can be the start of a new run",
                            marl__safetensors_name(l->file));
        goto done;
    }
    l->has_replay = strcmp(replay, "none") != 0;
    if (strcmp(device, marl_device_name(l->trainer->device)) != 0) {
        marl__log(&l->trainer->device->heap, MARL_LOG_WARNING, "the checkpoint was written on the device %.40s; on %s "
                  "the run goes on with other rounding", device, marl_device_name(l->trainer->device));
    }
done:
    marl__json_destroy(json);
    return status;
}

/* Compares what the file says under a key with what we would write there; members of `inner`, if given, one by one. */
static marl_status check_text(loading *l, const char *key, marl__json_writer *own, const char *inner,
                              const char *what) {
    marl__json *ours = NULL, *theirs = NULL;
    marl_status status = own->status;

    if (status != MARL_OK) return status;
    if ((status = parse_text(l, key, &theirs)) != MARL_OK) goto done;
    status = marl__json_parse(&l->trainer->device->heap, own->text, own->bytes, key, &ours);
    if (status != MARL_OK) goto done;
    if (marl__json_type(theirs, 0) != MARL__JSON_OBJECT) {
        status = marl__fail(MARL_E_FORMAT, "%s: \"%s\" is no object", marl__safetensors_name(l->file), key);
        goto done;
    }
    if ((status = compare(ours, 0, theirs, 0, what)) != MARL_OK || !inner) goto done;
    if (marl__json_type(theirs, marl__json_find(theirs, 0, inner)) != MARL__JSON_OBJECT) {
        status = marl__fail(MARL_E_FORMAT, "%s: \"%s\" has no object \"%s\"", marl__safetensors_name(l->file), key,
                            inner);
        goto done;
    }
    status = compare(ours, marl__json_find(ours, 0, inner), theirs, marl__json_find(theirs, 0, inner), "");
done:
    marl__json_destroy(ours);
    marl__json_destroy(theirs);
    return status;
}

static marl_status check_layout(loading *l, const marl__json_writer *own) {
    const char *text = marl__safetensors_metadata(l->file, MARL__CHECKPOINT_LAYOUT);

    if (own->status != MARL_OK) return own->status;
    if (text && strcmp(text, own->text) == 0) return MARL_OK;
    return marl__fail(MARL_E_VERSION, "%s: its parameters are laid out otherwise than those of this trainer",
                      marl__safetensors_name(l->file));
}

static marl_status check_texts(loading *l) {
    marl__json_writer json;
    marl_status status = marl__json_writer_init(&json, &l->trainer->device->heap, 4096);

    if (status != MARL_OK) return status;
    if ((status = check_head(l)) != MARL_OK) goto done;
    marl__checkpoint_write_env(l->trainer, &json);
    if ((status = check_text(l, MARL__CHECKPOINT_ENV, &json, NULL, "environment ")) != MARL_OK) goto done;
    marl__json_writer_reset(&json);
    if ((status = marl__checkpoint_write_run(l->trainer, &json)) != MARL_OK) goto done;
    if ((status = check_text(l, MARL__CHECKPOINT_RUN, &json, "config", "")) != MARL_OK) goto done;
    marl__json_writer_reset(&json);
    marl__checkpoint_write_layout(l->trainer, &json);
    status = check_layout(l, &json);
done:
    marl__json_writer_free(&json);
    return status;
}

/* ---- pieces ---- */

static int real_fits(double value, int32_t rule) {
    return rule == MARL__PIECE_ANY || isfinite(value);
}

static int whole_fits(int64_t value, const marl__piece *piece) {
    switch (piece->rule) {
    case MARL__PIECE_FLAGS: return value == 0 || value == 1;
    case MARL__PIECE_INDEX: return value >= 0 && value < piece->bound;
    case MARL__PIECE_LAST: return value >= -1 && value < piece->bound;
    case MARL__PIECE_COUNT: return value >= 0 && value <= COUNT_MAX;
    default: return 1;
    }
}

static int fits(const marl__piece *piece, const void *data, size_t index) {
    switch (piece->type) {
    case MARL__TENSOR_F32: return real_fits((double)((const float *)data)[index], piece->rule);
    case MARL__TENSOR_F64: return real_fits(((const double *)data)[index], piece->rule);
    case MARL__TENSOR_I64: return whole_fits(((const int64_t *)data)[index], piece);
    case MARL__TENSOR_I32: return whole_fits(((const int32_t *)data)[index], piece);
    default: return whole_fits(((const uint8_t *)data)[index], piece);
    }
}

static marl_status stage(loading *l, int32_t index) {
    const marl__piece *piece = &l->snapshot->pieces[index];
    const marl__tensor_info *info = NULL;
    size_t count = piece->bytes / marl__tensor_type_bytes(piece->type);
    marl_status status = marl__safetensors_expect(l->file, piece->name, piece->type, piece->rank, piece->shape, &info);

    if (status != MARL_OK) return status;
    l->staged[index] = marl__alloc(&l->trainer->device->heap, piece->bytes);
    if (!l->staged[index]) return MARL_E_NOMEM;
    status = marl__safetensors_read(l->file, info, l->staged[index], piece->bytes);
    for (size_t i = 0; status == MARL_OK && i < count; i++) {
        if (!fits(piece, l->staged[index], i)) {
            status = marl__fail(MARL_E_FORMAT, "%s: number %zu of \"%s\" is none that a checkpoint holds",
                                marl__safetensors_name(l->file), i, piece->name);
        }
    }
    return status;
}

/* The list begins with the counters. */
static const int64_t *staged_counters(const loading *l) {
    return l->staged[0];
}

static void read_state(const loading *l, marl__run_state *out) {
    int32_t at = 0;

#define READ(name) out->name = staged_counters(l)[at++];
    MARL__RUN_COUNTERS(READ)
#undef READ
}

static marl_status check_counters(const loading *l) {
    marl__run_state state;

    read_state(l, &state);
    if (state.debt >= MARL__MICRO || state.has_best > 1 || state.is_started > 1) {
        return marl__fail(MARL_E_FORMAT, "%s: its counters are none of a run at a boundary",
                          marl__safetensors_name(l->file));
    }
    return MARL_OK;
}

static marl_status stage_all(loading *l) {
    marl_status status = marl__snapshot_create(l->trainer, &l->snapshot);

    for (int32_t i = 0; status == MARL_OK && i < l->snapshot->count; i++) status = stage(l, i);
    return status == MARL_OK ? check_counters(l) : status;
}

/* ---- replay ---- */

static marl_status read_list(loading *l, const char *name, int32_t type, uint32_t count, void *data) {
    const marl__tensor_info *info = NULL;
    marl_status status = marl__safetensors_expect(l->file, name, type, 1, &count, &info);

    return status == MARL_OK ? marl__safetensors_read(l->file, info, data, info->byte_count) : status;
}

static marl_status fill_replay(loading *l, uint32_t count, int32_t *lengths, uint8_t *terminated) {
    const marl__tensor_info *info = NULL;
    void *block = NULL;
    size_t bytes = 0;
    uint32_t shape[2] = {0, 64};
    marl_status status = read_list(l, "replay.lengths", MARL__TENSOR_I32, count, lengths);

    if (status != MARL_OK) return status;
    if ((status = read_list(l, "replay.terminated", MARL__TENSOR_U8, count, terminated)) != MARL_OK) return status;
    status = marl__replay_restore(l->replay, (int32_t)count, lengths, terminated, &block, &bytes);
    if (status != MARL_OK) return status;
    shape[0] = (uint32_t)(bytes / 64);
    status = marl__safetensors_expect(l->file, "replay.records", MARL__TENSOR_U8, 2, shape, &info);
    if (status != MARL_OK) return status;
    if ((status = marl__safetensors_read(l->file, info, block, bytes)) != MARL_OK) return status;
    return marl__replay_check(l->replay);
}

static marl_status stage_replay(loading *l) {
    marl_trainer *t = l->trainer;
    marl__heap *heap = &t->device->heap;
    const marl__tensor_info *info = marl__safetensors_find(l->file, "replay.lengths");
    void *lengths = NULL, *terminated = NULL;
    marl_status status = marl__trainer_make_replay(t, &l->replay);

    if (status != MARL_OK) return status;
    if (!l->has_replay) {
        marl__log(heap, MARL_LOG_WARNING, "the checkpoint has no replay (checkpoint.replay=none): the run goes on, but "
                  "not bit for bit");
        return MARL_OK;
    }
    if (!info || info->element_count > INT32_MAX) {
        return marl__fail(MARL_E_FORMAT, "%s: \"replay.lengths\" is missing or too long",
                          marl__safetensors_name(l->file));
    }
    if ((status = marl__alloc_array(heap, info->element_count, sizeof(int32_t), &lengths)) != MARL_OK) goto done;
    if ((status = marl__alloc_array(heap, info->element_count, 1, &terminated)) != MARL_OK) goto done;
    status = fill_replay(l, (uint32_t)info->element_count, lengths, terminated);
done:
    marl__free(heap, lengths);
    marl__free(heap, terminated);
    return status;
}

/* ---- environments ---- */

static const void *staged(const loading *l, const char *name) {
    for (int32_t i = 0; i < l->snapshot->count; i++) {
        if (strcmp(l->snapshot->pieces[i].name, name) == 0) return l->staged[i];
    }
    return NULL;
}

/* Open episodes kept as states go into the replay when they end: each state has to be one. */
static marl_status check_open_states(const loading *l) {
    const marl__vector *v = l->trainer->vector;
    const uint8_t *slots = staged(l, "open.saved");
    const int32_t *lengths = staged(l, "env.length");
    size_t bytes = v->slot_bytes * ((size_t)v->view->shape.episode_limit + 1);
    marl_status status = MARL_OK;

    for (int32_t e = 0; slots && status == MARL_OK && e < v->count; e++) {
        status = marl__rebuilder_check(l->trainer->rebuilder, slots + (size_t)e * bytes, lengths[e]);
        if (status != MARL_OK) marl__fail_prefix(status, "the open episode of environment %d, ", (int)e);
    }
    return status;
}

/* Takes the first `count` environments to the states in bytes. */
static marl_status restore_all(const loading *l, const uint8_t *bytes, int32_t count, int32_t *out_done) {
    size_t size = l->snapshot->save_bytes;
    marl_status status = MARL_OK;

    for (*out_done = 0; status == MARL_OK && *out_done < count; ++*out_done) {
        int32_t e = *out_done;

        status = marl_env_restore(l->trainer->vector->envs[e].env, bytes + (size_t)e * size, size);
        if (status != MARL_OK) marl__fail_prefix(status, "environment %d: ", e);
    }
    return status;
}

static marl_status restore_environments(loading *l) {
    marl__vector *v = l->trainer->vector;
    size_t size = l->snapshot->save_bytes;
    marl__run_state state;
    int32_t done = 0, undone = 0;
    void *backup = NULL;
    marl_status status = MARL_OK;

    read_state(l, &state);
    if (!state.is_started) return MARL_OK;
    if ((status = check_open_states(l)) != MARL_OK) return status;
    status = marl__alloc_array(&l->trainer->device->heap, (size_t)v->count, size, &backup);
    if (status != MARL_OK) return status;
    l->backup = backup;
    for (int32_t e = 0; e < v->count; e++) {
        status = marl_env_save(v->envs[e].env, l->backup + (size_t)e * size, size);
        if (status != MARL_OK) return marl__fail_prefix(status, "environment %d: ", e);
    }
    status = restore_all(l, staged(l, "env.saved"), v->count, &done);
    if (status != MARL_OK) {
        char sentence[512];

        snprintf(sentence, sizeof sentence, "%s", marl_last_error());
        if (restore_all(l, l->backup, done, &undone) != MARL_OK) l->trainer->state.is_started = 0;
        status = marl__fail(status, "%s", sentence);
    }
    return status;
}

/* ---- taking over ---- */

static void swap_bytes(unsigned char *a, unsigned char *b, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char kept = a[i];

        a[i] = b[i];
        b[i] = kept;
    }
}

static void swap_pieces(loading *l) {
    for (int32_t i = 0; i < l->snapshot->count; i++) {
        swap_bytes(l->snapshot->pieces[i].data, l->staged[i], l->snapshot->pieces[i].bytes);
    }
}

/* The learner packs what it was given; should it refuse, everything goes back. */
static marl_status take_over(loading *l) {
    marl_trainer *t = l->trainer;
    marl__replay *old = t->replay;
    int32_t done = 0;
    marl_status status = MARL_OK;

    swap_pieces(l);
    if ((status = marl__learner_restored(t->learner)) != MARL_OK) {
        swap_pieces(l);
        marl__learner_repack(t->learner);
        if (l->backup && restore_all(l, l->backup, t->vector->count, &done) != MARL_OK) t->state.is_started = 0;
        return status;
    }
    marl__snapshot_unpack(t, l->snapshot);
    t->replay = l->replay;
    l->replay = old;
    return MARL_OK;
}

static void release(loading *l) {
    marl__heap *heap = &l->trainer->device->heap;

    for (int32_t i = 0; i < MARL__PIECES_MAX; i++) marl__free(heap, l->staged[i]);
    marl__free(heap, l->backup);
    marl__replay_destroy(l->replay);
    marl__snapshot_destroy(l->trainer, l->snapshot);
    marl__safetensors_close(l->file);
}

marl_status marl__checkpoint_read(marl_trainer *trainer, const marl_source *source, uint64_t *out_json_bytes,
                                  uint64_t *out_csv_bytes) {
    loading l = {.trainer = trainer};
    marl_status status = marl__safetensors_open(&trainer->device->heap, source, FILE_BYTES_MAX, &l.file);

    if (status != MARL_OK) return status;
    if ((status = marl__safetensors_require_crc(l.file)) != MARL_OK) goto done;
    if ((status = check_texts(&l)) != MARL_OK) goto done;
    if ((status = stage_all(&l)) != MARL_OK) goto done;
    if ((status = stage_replay(&l)) != MARL_OK) goto done;
    if ((status = restore_environments(&l)) != MARL_OK) goto done;
    *out_json_bytes = (uint64_t)staged_counters(&l)[MARL__JSON_BYTES_AT];
    *out_csv_bytes = (uint64_t)staged_counters(&l)[MARL__CSV_BYTES_AT];
    status = take_over(&l);
done:
    release(&l);
    return status;
}
