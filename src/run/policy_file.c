/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files, see the header. A hostile file cannot make us take memory: the table of parameters is declared from
 * its settings and compared with the file's tensors before any value is allocated, so a team is never larger than its
 * file. */
#include "run/policy_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "run/entities_file.h"

#define POLICY_KEY "marl.policy"
#define AGENT_KEY "marl.agent"
#define SCALE_NAME "obs.scale"
#define SHIFT_NAME "obs.shift"
#define FILE_BYTES_MAX (UINT64_C(1) << 32)

/* As large as a spec may be, see src/envs/spec.c. */
enum { MOST_AGENTS = 65536, MOST_OBS = 1 << 26, MOST_ACTIONS = 1 << 20 };

int32_t marl__agent_range(const marl__params *params) {
    for (int32_t i = 0; i < params->range_count; i++)
        if (!strcmp(params->ranges[i].name, "agent")) return i;
    return -1;
}

static void shape_of(const marl__param *param, uint32_t shape[4]) {
    for (int32_t i = 0; i < 4; i++) shape[i] = i < param->rank ? (uint32_t)param->shape[i] : 0;
}

/* ---- writing ---- */

static int is_agent_key(const char *name, const marl__net_type *net) {
    static const char *const plain[] = {"net", "share", "agent_id", "last_action"};

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (!strcmp(name, plain[i])) return 1;
    if (strncmp(name, "net.", 4) != 0) return 0;
    for (uint32_t i = 0; i < net->keys.count; i++)
        if (!strcmp(name + 4, net->keys.keys[i].name)) return 1;
    return 0;
}

static void write_key(marl__json_writer *json, const marl_config *config, const marl_key_info *info) {
    switch (info->type) {
    case MARL_KEY_BOOL: marl__json_write_bool(json, info->name, (int32_t)marl__config_int(config, info->name)); break;
    case MARL_KEY_INT: marl__json_write_int(json, info->name, marl__config_int(config, info->name)); break;
    case MARL_KEY_REAL: marl__json_write_real(json, info->name, marl__config_real(config, info->name)); break;
    default: marl__json_write_text(json, info->name, marl__config_text(config, info->name)); break;
    }
}

static marl_status write_agent(marl__json_writer *json, const marl_config *config) {
    const marl__net_type *net = NULL;
    marl_status status = marl__net_type_find(marl__config_text(config, "net"), &net);

    if (status != MARL_OK) return status;
    marl__json_open_object(json, NULL);
    for (uint32_t i = 0; i < marl_config_key_count(config); i++) {
        marl_key_info info = {.struct_size = sizeof info};
        if ((status = marl_config_key_info(config, i, &info)) != MARL_OK) return status;
        if (is_agent_key(info.name, net)) write_key(json, config, &info);
    }
    marl__json_close_object(json);
    return json->status;
}

static marl_status write_policy(marl__json_writer *json, const marl__policy_file *desc) {
    const marl__net_type *net = NULL;
    marl_status status = marl__net_type_find(marl__config_text(desc->config, "net"), &net);
    char hash[17];

    if (status != MARL_OK) return status;

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)desc->env_hash);
    marl__json_open_object(json, NULL);
    marl__json_write_int(json, "schema", MARL__POLICY_SCHEMA);
    marl__json_write_text(json, "algo", desc->algo);
    marl__json_write_text(json, "component", desc->component ? desc->component : marl_config_component(desc->config));
    marl__json_open_object(json, "env");
    marl__json_write_text(json, "name", desc->env_name);
    marl__json_write_text(json, "version", desc->env_version);
    marl__json_write_text(json, "hash", hash);
    marl__json_close_object(json);
    marl__json_write_int(json, "agents", desc->shape.agents);
    marl__json_write_int(json, "obs", desc->shape.obs);
    marl__json_write_int(json, "actions", desc->shape.actions);
    marl__json_write_int(json, "rewards", desc->shape.rewards);
    if (net->sees_entities) marl__entities_write(json, &desc->shape.entities);
    marl__json_close_object(json);
    return json->status;
}

/* Rows that are all equal are written once, so that such a team can play with other numbers of agents. */
static int32_t scale_rows(const marl__policy_file *desc) {
    size_t row = (size_t)desc->shape.obs * sizeof(float);

    for (int32_t i = 1; i < desc->scale_rows; i++) {
        size_t at = (size_t)i * (size_t)desc->shape.obs;
        if (memcmp(desc->obs_scale, desc->obs_scale + at, row) != 0) return desc->scale_rows;
        if (memcmp(desc->obs_shift, desc->obs_shift + at, row) != 0) return desc->scale_rows;
    }
    return 1;
}

/* Failures of the adds are sticky in the writer. */
static void add_tensors(marl__safetensors_writer *writer, const marl__policy_file *desc) {
    int32_t range = marl__agent_range(desc->params);

    for (int32_t i = 0; i < desc->params->count; i++) {
        const marl__param *param = &desc->params->list[i];
        uint32_t shape[4];
        if (param->range != range) continue;
        shape_of(param, shape);
        marl__safetensors_add(writer, param->name, MARL__TENSOR_F32, (uint32_t)param->rank, shape,
                              desc->flat + param->offset);
    }
    if (desc->obs_scale) {
        const uint32_t shape[2] = {(uint32_t)scale_rows(desc), (uint32_t)desc->shape.obs};
        marl__safetensors_add(writer, SCALE_NAME, MARL__TENSOR_F32, 2, shape, desc->obs_scale);
        marl__safetensors_add(writer, SHIFT_NAME, MARL__TENSOR_F32, 2, shape, desc->obs_shift);
    }
}

marl_status marl__policy_file_write(marl__heap *heap, const marl__policy_file *desc, const marl_sink *sink) {
    marl_status status = MARL_OK;
    marl__safetensors_writer *writer = NULL;
    marl__json_writer json;

    if ((status = marl__json_writer_init(&json, heap, 1024)) != MARL_OK) return status;
    if ((status = marl__safetensors_writer_create(heap, &writer)) != MARL_OK) goto done;
    if ((status = write_policy(&json, desc)) != MARL_OK) goto done;
    marl__safetensors_add_metadata(writer, POLICY_KEY, json.text);
    marl__json_writer_reset(&json);
    if ((status = write_agent(&json, desc->config)) != MARL_OK) goto done;
    marl__safetensors_add_metadata(writer, AGENT_KEY, json.text);
    add_tensors(writer, desc);
    status = marl__safetensors_finish(writer, sink);
done:
    marl__safetensors_writer_destroy(writer);
    marl__json_writer_free(&json);
    return status;
}

/* ---- reading ---- */

static marl_status take_text(const marl__json *json, int32_t object, const char *key, char *buffer, size_t bytes) {
    const char *text = NULL;
    marl_status status = marl__json_get_text(json, object, key, &text);

    if (status != MARL_OK) return status;
    if (text[0] == '\0' || strlen(text) >= bytes)
        return marl__fail(MARL_E_FORMAT, "the policy's \"%s\" has %zu bytes, expected 1 to %zu", key, strlen(text),
                          bytes - 1);
    memcpy(buffer, text, strlen(text) + 1);
    return MARL_OK;
}

static marl_status take_int(const marl__json *json, const char *key, int32_t maximum, int32_t *out) {
    int64_t value = 0;
    marl_status status = marl__json_get_int(json, 0, key, &value);

    if (status != MARL_OK) return status;
    if (value < 1 || value > maximum)
        return marl__fail(MARL_E_FORMAT, "the policy's \"%s\" is %lld, expected 1 to %d", key, (long long)value,
                          (int)maximum);
    *out = (int32_t)value;
    return MARL_OK;
}

static marl_status take_hash(const marl__json *json, int32_t env, uint64_t *out) {
    const char *text = NULL;
    marl_status status = marl__json_get_text(json, env, "hash", &text);

    if (status != MARL_OK) return status;
    *out = 0;
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return marl__fail(MARL_E_FORMAT, "the policy's hash of its environment is not 16 hexadecimal digits");
    for (; *text; text++) *out = *out << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    return MARL_OK;
}

static marl_status take_sizes(const marl__json *json, marl__team_shape *out) {
    marl_status status = MARL_OK;

    if ((status = take_int(json, "agents", MOST_AGENTS, &out->agents)) != MARL_OK) return status;
    if ((status = take_int(json, "obs", MOST_OBS, &out->obs)) != MARL_OK) return status;
    if ((status = take_int(json, "actions", MOST_ACTIONS, &out->actions)) != MARL_OK) return status;
    if ((status = take_int(json, "rewards", MOST_AGENTS, &out->rewards)) != MARL_OK) return status;
    if (out->rewards != 1 && out->rewards != out->agents)
        return marl__fail(MARL_E_FORMAT, "the policy's \"rewards\" is %d, expected 1 or its number of agents, %d",
                          (int)out->rewards, (int)out->agents);
    out->episode_limit = 1;
    return MARL_OK;
}

/* Of teams whose nets look at entities. */
static marl_status take_entities(const marl__json *json, marl__policy_reader *reader) {
    int32_t value = marl__json_find(json, 0, "entities");
    marl__entities *entities = &reader->shape.entities;
    marl_status status = MARL_OK;

    if (value >= 0) status = marl__entities_read(json, value, &reader->shape, entities);
    snprintf(entities->env, sizeof entities->env, "%.63s", reader->env_name);
    return status;
}

/* The schema comes first: another version may say everything else differently. */
static marl_status take_policy(const marl__json *json, marl__policy_reader *reader) {
    marl_status status = MARL_OK;
    int64_t schema = 0;
    int32_t env = marl__json_find(json, 0, "env");

    if ((status = marl__json_get_int(json, 0, "schema", &schema)) != MARL_OK) return status;
    if (schema != MARL__POLICY_SCHEMA)
        return marl__fail(MARL_E_VERSION, "the policy has schema %lld, this library (%s) reads %d", (long long)schema,
                          marl_version(), MARL__POLICY_SCHEMA);
    if ((status = take_text(json, 0, "algo", reader->algo, sizeof reader->algo)) != MARL_OK) return status;
    if ((status = take_text(json, 0, "component", reader->component, sizeof reader->component)) != MARL_OK)
        return status;
    if (env < 0) return marl__fail(MARL_E_FORMAT, "the policy says nothing on its environment (\"env\")");
    if ((status = take_text(json, env, "name", reader->env_name, sizeof reader->env_name)) != MARL_OK) return status;
    if ((status = take_text(json, env, "version", reader->env_version, sizeof reader->env_version)) != MARL_OK)
        return status;
    if ((status = take_hash(json, env, &reader->env_hash)) != MARL_OK) return status;
    if ((status = take_sizes(json, &reader->shape)) != MARL_OK) return status;
    return take_entities(json, reader);
}

static marl_status take_config(marl__heap *heap, const char *text, marl__policy_reader *reader) {
    char component[80];
    marl_status status = MARL_OK;

    snprintf(component, sizeof component, "run/%s", reader->algo);
    if (strchr(reader->algo, '/'))
        return marl__fail(MARL_E_FORMAT, "the policy's \"algo\" is \"%s\", which is no name", reader->algo);
    if ((status = marl_config_create(&heap->host, component, &reader->config)) != MARL_OK) return status;
    return marl_config_from_json(reader->config, text, strlen(text));
}

/* The scaling is there as a pair or not at all. */
static marl_status take_scaling(marl__policy_reader *reader) {
    const marl__tensor_info *scale = marl__safetensors_find(reader->file, SCALE_NAME), *shift = NULL;
    uint32_t shape[2] = {0, (uint32_t)reader->shape.obs};

    if (!scale) return MARL_OK;
    if (scale->rank != 2 || (scale->shape[0] != 1 && scale->shape[0] != (uint32_t)reader->shape.agents) ||
        scale->shape[1] != shape[1])
        return marl__fail(MARL_E_FORMAT, "tensor \"" SCALE_NAME "\" is expected to be of shape (1, %d) or (%d, %d)",
                          (int)reader->shape.obs, (int)reader->shape.agents, (int)reader->shape.obs);
    shape[0] = scale->shape[0];
    reader->scale_rows = (int32_t)shape[0];
    return marl__safetensors_expect(reader->file, SHIFT_NAME, 0, 2, shape, &shift);
}

static marl_status open_reader(marl__heap *heap, const marl_source *source, marl__policy_reader *reader) {
    marl_status status = marl__safetensors_open(heap, source, FILE_BYTES_MAX, &reader->file);
    const char *policy = NULL, *agent = NULL;
    marl__json *json = NULL;

    if (status != MARL_OK) return status;
    policy = marl__safetensors_metadata(reader->file, POLICY_KEY);
    agent = marl__safetensors_metadata(reader->file, AGENT_KEY);
    if (!policy || !agent)
        return marl__fail(MARL_E_FORMAT, "%s is no policy: its metadata lacks \"%s\"",
                          marl__safetensors_name(reader->file), policy ? AGENT_KEY : POLICY_KEY);
    if ((status = marl__safetensors_require_crc(reader->file)) != MARL_OK) return status;
    if ((status = marl__json_parse(heap, policy, strlen(policy), "the policy's metadata", &json)) != MARL_OK)
        return status;
    if ((status = take_policy(json, reader)) != MARL_OK) goto done;
    if ((status = take_config(heap, agent, reader)) != MARL_OK) goto done;
    status = take_scaling(reader);
done:
    marl__json_destroy(json);
    return status;
}

marl_status marl__policy_reader_open(marl__heap *heap, const marl_source *source, marl__policy_reader *out) {
    marl_status status = MARL_OK;

    memset(out, 0, sizeof *out);
    status = open_reader(heap, source, out);
    if (status != MARL_OK) marl__policy_reader_close(out);
    return status;
}

void marl__policy_reader_close(marl__policy_reader *reader) {
    marl_config_destroy(reader->config);
    marl__safetensors_close(reader->file);
    memset(reader, 0, sizeof *reader);
}

static int is_expected(const marl__policy_reader *reader, const marl__params *params, const char *name) {
    int32_t index = marl__params_find(params, name);

    if (reader->scale_rows > 0 && (!strcmp(name, SCALE_NAME) || !strcmp(name, SHIFT_NAME))) return 1;
    return index >= 0 && params->list[index].range == marl__agent_range(params);
}

marl_status marl__policy_reader_match(const marl__policy_reader *reader, const marl__params *params) {
    int32_t range = marl__agent_range(params);
    const marl__tensor_info *info = NULL;

    for (int32_t i = 0; i < params->count; i++) {
        uint32_t shape[4];
        marl_status status = MARL_OK;
        if (params->list[i].range != range) continue;
        shape_of(&params->list[i], shape);
        status = marl__safetensors_expect(reader->file, params->list[i].name, MARL__TENSOR_F32,
                                          (uint32_t)params->list[i].rank, shape, &info);
        if (status != MARL_OK) return status;
    }
    for (uint32_t i = 0; i < marl__safetensors_count(reader->file); i++) {
        const char *name = marl__safetensors_info(reader->file, i)->name;
        if (!is_expected(reader, params, name))
            return marl__fail(MARL_E_MISMATCH, "%s holds the tensor \"%.128s\", which the net \"%s\" does not have",
                              marl__safetensors_name(reader->file), name, marl__config_text(reader->config, "net"));
    }
    return MARL_OK;
}

/* Reads a tensor that is known to exist. */
static marl_status read_finite(marl__safetensors *file, const char *name, float *out, uint64_t count) {
    const marl__tensor_info *info = marl__safetensors_find(file, name);
    marl_status status = marl__safetensors_read_f32(file, info, out, count);

    for (uint64_t i = 0; status == MARL_OK && i < count; i++)
        if (!isfinite(out[i]))
            status = marl__fail(MARL_E_NOT_FINITE, "%s: element %llu of tensor \"%s\" is not finite",
                                marl__safetensors_name(file), (unsigned long long)i, name);
    return status;
}

marl_status marl__policy_reader_params(marl__policy_reader *reader, const marl__params *params, float *flat) {
    int32_t range = marl__agent_range(params);
    marl_status status = MARL_OK;

    for (int32_t i = 0; status == MARL_OK && i < params->count; i++) {
        const marl__param *param = &params->list[i];
        if (param->range == range) status = read_finite(reader->file, param->name, flat + param->offset, param->count);
    }
    return status;
}

marl_status marl__policy_reader_scaling(marl__policy_reader *reader, float *scale, float *shift) {
    uint64_t count = (uint64_t)reader->scale_rows * (uint64_t)reader->shape.obs;
    marl_status status = read_finite(reader->file, SCALE_NAME, scale, count);

    if (status == MARL_OK) status = read_finite(reader->file, SHIFT_NAME, shift, count);
    return status;
}
