/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and saving teams. Whether a team fits an environment is a question of its parameters alone: the table is
 * declared again for the environment's sizes and must come out with the names and shapes in the file. Only where a
 * count is known to change a shape is the sentence written from the count, since it can give advice. */
#include "run/policy.h"

#include <stdio.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "core/device.h"
#include "run/policy_file.h"
#include "run/team.h"

#define DIR_FILE "policy.safetensors"

/* ---- fitting ---- */

/* Nets that tell agents apart are tied to their number. */
static marl_status check_agents(const marl__policy_reader *reader, const marl__team_shape *shape, const char *env) {
    int32_t trained = reader->shape.agents, wanted = shape->agents;

    if (trained == wanted) return MARL_OK;
    if (marl__config_is(reader->config, "share", "separate"))
        return marl__fail(MARL_E_MISMATCH, "each of the %d agents of this team has a net of its own, so it cannot play "
                          "%.255s with %d agents; train with share=shared", (int)trained, env, (int)wanted);
    if (!marl__config_is(reader->config, "agent_id", "none"))
        return marl__fail(MARL_E_MISMATCH, "this team's net is told which of %d agents it steers, so it cannot play "
                          "%.255s with %d agents; train with agent_id=none", (int)trained, env, (int)wanted);
    if (reader->scale_rows > 1)
        return marl__fail(MARL_E_MISMATCH, "this team scales the observations of its %d agents one by one, so it "
                          "cannot play %.255s with %d agents", (int)trained, env, (int)wanted);
    return MARL_OK;
}

/* Nets that look at entities take other numbers of them, unless something else is tied to the sizes. */
static marl_status check_entities(const marl__policy_reader *reader, const marl__team_shape *shape, const char *env) {
    const marl__net_type *net = NULL;
    marl_status status = marl__net_type_find(marl__config_text(reader->config, "net"), &net);

    if (status != MARL_OK || !net->sees_entities) return status;
    if (reader->scale_rows > 0 && reader->shape.obs != shape->obs)
        return marl__fail(MARL_E_MISMATCH, "this team scales observations of %d numbers, so it cannot play %.255s "
                          "with %d; train with scale_obs=false", (int)reader->shape.obs, env, (int)shape->obs);
    if (marl__config_int(reader->config, "last_action") && reader->shape.actions != shape->actions)
        return marl__fail(MARL_E_MISMATCH, "this team's net remembers which of %d actions it took, so it cannot play "
                          "%.255s with %d actions; train with last_action=false", (int)reader->shape.actions, env,
                          (int)shape->actions);
    return MARL_OK;
}

static marl_status check_sizes(const marl__policy_reader *reader, const marl__team_shape *shape, const char *env) {
    const marl__team_shape *own = &reader->shape;
    marl_status status = check_entities(reader, shape, env);

    if (status != MARL_OK) return status;
    if (reader->scale_rows > 0 && own->obs != shape->obs)
        return marl__fail(MARL_E_MISMATCH, "this team scales observations of %d numbers, %.255s has %d",
                          (int)own->obs, env, (int)shape->obs);
    return check_agents(reader, shape, env);
}

/* Puts the sizes that differ in front of a mismatch of tensors. */
static marl_status explain(marl_status status, const marl__policy_reader *reader, const marl__team_shape *shape,
                           const char *env) {
    const marl__team_shape *own = &reader->shape;

    if (status != MARL_E_MISMATCH) return status;
    if (own->obs != shape->obs)
        return marl__fail_prefix(status, "this team observes %d numbers an agent, %.255s gives %d: ", (int)own->obs,
                                 env, (int)shape->obs);
    if (own->actions != shape->actions)
        return marl__fail_prefix(status, "this team knows %d actions, %.255s has %d: ", (int)own->actions, env,
                                 (int)shape->actions);
    return status;
}

static marl_status shape_for(marl_policy *policy, const marl__policy_reader *reader, const marl_env_spec *spec) {
    marl_env_spec own;
    marl_agent_class *classes = NULL;
    marl_status status = MARL_OK;

    policy->shape = reader->shape;
    if (!spec) return MARL_OK;
    if ((status = marl__spec_take(&policy->device->heap, spec, &own, &classes)) != MARL_OK) return status;
    if ((status = marl__team_shape_of(&own, &policy->shape)) == MARL_OK)
        status = check_sizes(reader, &policy->shape, own.name);
    marl__free(&policy->device->heap, classes);
    return status;
}

/* The table for these sizes, compared with the file. */
static marl_status declare(marl_policy *policy, const marl__policy_reader *reader, const char *env) {
    marl_status status = marl__params_create(policy->device, &policy->params);

    if (status != MARL_OK) return status;
    if ((status = marl__agent_declare(policy->config, &policy->shape, policy->params, &policy->agent)) != MARL_OK)
        return status;
    if ((status = marl__params_freeze(policy->params)) != MARL_OK) return status;
    return explain(marl__policy_reader_match(reader, policy->params), reader, &policy->shape, env);
}

/* ---- loading ---- */

static marl_status read_values(marl_policy *policy, marl__policy_reader *reader) {
    marl__heap *heap = &policy->device->heap;
    size_t count = (size_t)reader->scale_rows * (size_t)reader->shape.obs;
    void *scale = NULL, *shift = NULL;
    marl_status status = marl__version_create(policy->params, &policy->version);

    if (status != MARL_OK) return status;
    if ((status = marl__policy_reader_params(reader, policy->params, policy->version.flat)) != MARL_OK) return status;
    marl__version_pack_all(policy->params, &policy->version);
    policy->fingerprint = marl__crc32c(0, policy->version.flat, policy->params->floats * sizeof(float));
    policy->fingerprint = marl__crc32c(policy->fingerprint, &policy->shape.agents, sizeof policy->shape.agents);
    if (policy->agent.net.type->sees_entities) { /* whose parameters fit other sizes too */
        policy->fingerprint = marl__crc32c(policy->fingerprint, &policy->shape.obs, sizeof policy->shape.obs);
        policy->fingerprint = marl__crc32c(policy->fingerprint, &policy->shape.actions, sizeof policy->shape.actions);
    }
    if (reader->scale_rows == 0) return MARL_OK;
    if ((status = marl__alloc_array(heap, count, sizeof(float), &scale)) != MARL_OK) return status;
    policy->scale = scale;
    if ((status = marl__alloc_array(heap, count, sizeof(float), &shift)) != MARL_OK) return status;
    policy->shift = shift;
    policy->scale_rows = reader->scale_rows;
    return marl__policy_reader_scaling(reader, policy->scale, policy->shift);
}

static void take_names(marl_policy *policy, marl__policy_reader *reader) {
    memcpy(policy->algo, reader->algo, sizeof policy->algo);
    memcpy(policy->component, reader->component, sizeof policy->component);
    memcpy(policy->env_name, reader->env_name, sizeof policy->env_name);
    memcpy(policy->env_version, reader->env_version, sizeof policy->env_version);
    policy->env_hash = reader->env_hash;
    policy->config = reader->config;
    reader->config = NULL;
}

static marl_status load(marl_policy *policy, const marl_source *source, const marl_env_spec *spec) {
    marl__policy_reader reader;
    const char *env = spec && spec->struct_size >= sizeof *spec && spec->name ? spec->name : "it";
    marl_status status = marl__policy_reader_open(&policy->device->heap, source, &reader);

    if (status != MARL_OK) return status;
    if ((status = shape_for(policy, &reader, spec)) != MARL_OK) goto done;
    policy->config = reader.config;
    if ((status = declare(policy, &reader, env)) == MARL_OK) status = read_values(policy, &reader);
    take_names(policy, &reader);
done:
    marl__policy_reader_close(&reader);
    return status;
}

marl_status marl_policy_load(marl_device *device, const marl_source *source, const marl_env_spec *spec,
                             marl_policy **out) {
    marl_policy *policy = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__device_check(device)) != MARL_OK) return status;
    policy = marl__alloc_zero(&device->heap, sizeof *policy);
    if (!policy) return MARL_E_NOMEM;
    policy->tag = MARL__TAG_POLICY;
    policy->device = device;
    status = load(policy, source, spec);
    if (status == MARL_OK) *out = policy;
    else marl_policy_destroy(policy);
    return status;
}

marl_status marl_policy_load_file(marl_device *device, const char *path, const marl_env_spec *spec,
                                  marl_policy **out) {
    char inside[4096];
    marl_source source = {.struct_size = sizeof source, .path = path};

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if (!path) return marl__fail(MARL_E_ARGUMENT, "the path is NULL");
    if (marl__path_kind(path) == 2) {
        if (strlen(path) + sizeof "/" DIR_FILE > sizeof inside)
            return marl__fail(MARL_E_ARGUMENT, "the path \"%.60s...\" is too long", path);
        snprintf(inside, sizeof inside, "%s/" DIR_FILE, path);
        source.path = inside;
    }
    return marl_policy_load(device, &source, spec, out);
}

void marl_policy_destroy(marl_policy *policy) {
    marl__heap *heap = NULL;

    if (!marl__is_handle(policy, MARL__TAG_POLICY)) return;
    heap = &policy->device->heap;
    policy->tag = 0;
    marl__version_destroy(policy->params, &policy->version);
    marl__params_destroy(policy->params);
    marl_config_destroy(policy->config);
    marl__free(heap, policy->scale);
    marl__free(heap, policy->shift);
    marl__free(heap, policy);
}

marl_status marl_policy_save(const marl_policy *policy, const marl_sink *sink) {
    marl_status status = marl__check_handle(policy, MARL__TAG_POLICY, "policy");

    if (status != MARL_OK) return status;
    const marl__policy_file file = {
        .config = policy->config, .component = policy->component, .algo = policy->algo, .env_name = policy->env_name,
        .env_version = policy->env_version, .env_hash = policy->env_hash, .shape = policy->shape,
        .params = policy->params, .flat = policy->version.flat, .obs_scale = policy->scale,
        .obs_shift = policy->shift, .scale_rows = policy->scale_rows};
    return marl__policy_file_write(&policy->device->heap, &file, sink);
}

/* ---- inspecting ---- */

static int is_policy(const marl_policy *policy) {
    return marl__is_handle(policy, MARL__TAG_POLICY);
}

uint32_t marl_policy_agent_count(const marl_policy *policy) {
    return is_policy(policy) ? (uint32_t)policy->shape.agents : 0;
}

uint32_t marl_policy_obs_size(const marl_policy *policy) {
    return is_policy(policy) ? (uint32_t)policy->shape.obs : 0;
}

uint32_t marl_policy_action_count(const marl_policy *policy) {
    return is_policy(policy) ? (uint32_t)policy->shape.actions : 0;
}

const char *marl_policy_algo(const marl_policy *policy) {
    return is_policy(policy) ? policy->algo : "";
}

const char *marl_policy_env(const marl_policy *policy) {
    return is_policy(policy) ? policy->env_name : "";
}
