/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a run. The metrics are made durable before the checkpoint that records their lengths, so whatever
 * moment a run is killed at, the checkpoint in its directory finds at least the lines it knows of; what was written
 * after it is cut off and written again, byte for byte. config.json is written last: a directory that has it can be
 * gone on with. Policies are written before the checkpoint: going on from the one before, they are written again. */
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "run/trainer.h"

enum { PATH_BYTES = MARL__DIR_BYTES + 64 };

static const char *path_in(const marl_trainer *t, const char *name, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s", t->dir, name);
    return path;
}

static marl_status write_policy(marl_trainer *t, const char *name) {
    char path[PATH_BYTES];
    marl_sink sink = {.struct_size = sizeof sink, .path = path_in(t, name, path)};

    return marl__trainer_write_policy(t, &sink);
}

marl_status marl__run_dir_record(marl_trainer *trainer, const marl__record *record) {
    return trainer->has_dir ? marl__metrics_write(&trainer->metrics, record) : MARL_OK;
}

marl_status marl__run_dir_best(marl_trainer *trainer) {
    return trainer->has_dir ? write_policy(trainer, "policy-best.safetensors") : MARL_OK;
}

marl_status marl__run_dir_checkpoint(marl_trainer *trainer) {
    char path[PATH_BYTES];
    marl_sink sink = {.struct_size = sizeof sink, .path = path_in(trainer, "checkpoint.safetensors", path)};
    marl_status status = MARL_OK;

    if (!trainer->has_dir) return MARL_OK;
    if ((status = marl__metrics_sync(&trainer->metrics)) != MARL_OK) return status;
    if ((status = write_policy(trainer, "policy.safetensors")) != MARL_OK) return status;
    if ((status = marl__checkpoint_write(trainer, &sink)) != MARL_OK) return status;
    trainer->saved_steps = trainer->state.steps;
    return MARL_OK;
}

/* ---- config.json ---- */

/* *out: the config's JSON, to be freed. */
static marl_status config_text(marl_trainer *t, char **out) {
    size_t bytes = 0;
    marl_status status = marl_config_to_json(t->config, NULL, 0, &bytes);

    *out = NULL;
    if (status != MARL_OK) return status;
    *out = marl__alloc(&t->device->heap, bytes + 1);
    if (!*out) return MARL_E_NOMEM;
    return marl_config_to_json(t->config, *out, bytes + 1, &bytes);
}

static marl_status write_config(marl_trainer *t) {
    char path[PATH_BYTES];
    char *text = NULL;
    marl__json_writer json;
    marl_status status = marl__json_writer_init(&json, &t->device->heap, 4096);

    if (status != MARL_OK) return status;
    if ((status = config_text(t, &text)) != MARL_OK) goto done;
    marl__json_open_object(&json, NULL);
    marl__json_write_text(&json, "component", marl_config_component(t->config));
    marl__json_write_text(&json, "device", marl_device_name(t->device));
    marl__json_write_text(&json, "version", marl_version());
    marl__json_write_raw(&json, "config", text);
    marl__json_close_object(&json);
    if ((status = json.status) != MARL_OK) goto done;
    status = marl__file_write_all(path_in(t, "config.json", path), json.text, json.bytes);
done:
    marl__free(&t->device->heap, text);
    marl__json_writer_free(&json);
    return status;
}

/* The object of keys and values as text again. */
static void flatten(const marl__json *json, int32_t object, marl__json_writer *out) {
    marl__json_open_object(out, NULL);
    for (int32_t key = marl__json_first(json, object); key >= 0; key = marl__json_next(json, key)) {
        int32_t value = marl__json_of(json, key), type = marl__json_type(json, value), truth = 0;
        const char *name = marl__json_text(json, key);

        if (type == MARL__JSON_TEXT) marl__json_write_text(out, name, marl__json_text(json, value));
        else if (type == MARL__JSON_NUMBER) marl__json_write_raw(out, name, marl__json_spelling(json, value));
        else if (marl__json_bool(json, value, &truth) == MARL_OK) marl__json_write_bool(out, name, truth);
        else marl__json_write_raw(out, name, "null"); /* which no key takes */
    }
    marl__json_close_object(out);
}

static marl_status read_config(marl__heap *heap, const marl__json *json, const char *path, marl_config **out) {
    const char *component = NULL;
    marl_config *config = NULL;
    marl__json_writer flat;
    int32_t keys = marl__json_find(json, 0, "config");
    marl_status status = marl__json_get_text(json, 0, "component", &component);

    if (status != MARL_OK) return status;
    if (strncmp(component, "run/", 4) != 0 || keys < 0 || marl__json_type(json, keys) != MARL__JSON_OBJECT) {
        return marl__fail(MARL_E_FORMAT, "%s: expected a \"component\" that is a run and an object \"config\"", path);
    }
    if ((status = marl__json_writer_init(&flat, heap, 4096)) != MARL_OK) return status;
    flatten(json, keys, &flat);
    if ((status = flat.status) != MARL_OK) goto done;
    if ((status = marl_config_create(&heap->host, component, &config)) != MARL_OK) goto done;
    if ((status = marl_config_from_json(config, flat.text, flat.bytes)) != MARL_OK) goto done;
    *out = config;
    config = NULL;
done:
    marl_config_destroy(config);
    marl__json_writer_free(&flat);
    return status;
}

marl_status marl_trainer_dir_config(const marl_host *host, const char *dir, marl_config **out) {
    char path[PATH_BYTES];
    marl__heap heap;
    marl__json *json = NULL;
    char *text = NULL;
    size_t bytes = 0;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if (!dir) return marl__fail(MARL_E_ARGUMENT, "dir is NULL");
    if ((status = marl__heap_init(&heap, host)) != MARL_OK) return status;
    if (snprintf(path, sizeof path, "%s/config.json", dir) >= (int)sizeof path) {
        return marl__fail(MARL_E_ARGUMENT, "the path %.60s... is too long", dir);
    }
    if (marl__path_kind(path) != 1) {
        return marl__fail(MARL_E_IO, "%s is not there: the directory holds no run that could be gone on with", path);
    }
    if ((status = marl__file_read_all(&heap, path, (size_t)1 << 20, &text, &bytes)) != MARL_OK) return status;
    if ((status = marl__json_parse(&heap, text, bytes, path, &json)) == MARL_OK) {
        status = read_config(&heap, json, path, out);
    }
    marl__json_destroy(json);
    marl__free(&heap, text);
    return status;
}

/* ---- opening ---- */

static marl_status open_fresh(marl_trainer *t) {
    marl_status status = marl__make_dir(t->dir);

    if (status != MARL_OK) return status;
    if ((status = marl__metrics_open(&t->device->heap, t->dir, 0, 0, &t->metrics)) != MARL_OK) return status;
    t->has_dir = 1;
    if ((status = marl__run_dir_checkpoint(t)) != MARL_OK) return status;
    return write_config(t);
}

static marl_status open_again(marl_trainer *t) {
    char path[PATH_BYTES];
    marl_source source = {.struct_size = sizeof source, .path = path_in(t, "checkpoint.safetensors", path)};
    uint64_t json_bytes = 0, csv_bytes = 0;
    marl_status status = marl__checkpoint_read(t, &source, &json_bytes, &csv_bytes);

    if (status != MARL_OK) return status;
    status = marl__metrics_open(&t->device->heap, t->dir, json_bytes, csv_bytes, &t->metrics);
    if (status != MARL_OK) return status;
    t->saved_steps = t->state.steps;
    t->has_dir = 1;
    return MARL_OK;
}

marl_status marl_trainer_open_dir(marl_trainer *trainer, const char *dir, int32_t resume) {
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    if (!dir || !dir[0]) return marl__fail(MARL_E_ARGUMENT, "dir is %s", dir ? "empty" : "NULL");
    if (trainer->has_dir) return marl__fail(MARL_E_STATE, "the trainer keeps the directory %s already", trainer->dir);
    if (strlen(dir) >= sizeof trainer->dir) return marl__fail(MARL_E_ARGUMENT, "the path %.60s... is too long", dir);
    memcpy(trainer->dir, dir, strlen(dir) + 1);
    status = resume ? open_again(trainer) : open_fresh(trainer);
    if (status != MARL_OK) {
        trainer->has_dir = 0;
        marl__metrics_close(&trainer->metrics);
    }
    return status;
}
