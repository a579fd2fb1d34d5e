/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of algorithms and what all learners share: versions, state for checkpoints, running an update. */
#include "algos/learner_internal.h"

#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"

#define MARL_ALGO(name) extern const marl__algo_type marl__algo_type_##name;
#include "algos/algos.def"
#undef MARL_ALGO

static const marl__algo_type *const types[] = {
#define MARL_ALGO(name) &marl__algo_type_##name,
#include "algos/algos.def"
#undef MARL_ALGO
};

enum { TYPE_COUNT = sizeof types / sizeof types[0] };

uint32_t marl__algo_type_count(void) {
    return TYPE_COUNT;
}

const marl__algo_type *marl__algo_type_at(uint32_t index) {
    return index < TYPE_COUNT ? types[index] : NULL;
}

marl_status marl__algo_type_find(const char *name, const marl__algo_type **out) {
    const char *names[TYPE_COUNT];
    *out = NULL;
    for (uint32_t i = 0; i < TYPE_COUNT; i++) {
        names[i] = types[i]->name;
        if (!strcmp(types[i]->name, name)) *out = types[i];
    }
    if (*out) return MARL_OK;
    return marl__no_such_name("algorithm", name, names, TYPE_COUNT);
}

static marl_status alloc_floats(marl__heap *heap, size_t count, float **out) {
    void *array = NULL;
    marl_status status = marl__alloc_array(heap, count + 16, sizeof(float), &array);
    *out = array;
    return status;
}

marl_status marl__learner_init(marl__learner *learner, marl_device *device, const marl__learner_class *class,
                               const marl_config *config, marl__params *params, const marl__optim_group *groups,
                               int32_t group_count, int32_t shard_count, int32_t has_targets, uint64_t seed) {
    marl_status status = MARL_OK;
    learner->class = class;
    learner->device = device;
    learner->params = params;
    learner->has_targets = has_targets;
    if ((status = marl_config_copy(config, &learner->config)) != MARL_OK) return status;
    if ((status = marl__params_freeze(params)) != MARL_OK) return status;
    for (int32_t i = 0; i < 2; i++) {
        if ((status = marl__version_create(params, &learner->online[i])) != MARL_OK) return status;
        if (has_targets && (status = marl__version_create(params, &learner->target[i])) != MARL_OK) return status;
    }
    if ((status = alloc_floats(&device->heap, params->floats, &learner->gradient)) != MARL_OK) return status;
    for (; learner->shard_count < shard_count; learner->shard_count++) {
        float **gradient = &learner->shard_gradients[learner->shard_count];
        if ((status = alloc_floats(&device->heap, params->floats, gradient)) != MARL_OK) return status;
    }
    status = marl__optim_create(device, params, groups, group_count, &learner->optim);
    if (status != MARL_OK) return status;
    marl__params_init(params, seed, learner->online[0].flat);
    marl__learner_set_params(learner, learner->online[0].flat, 1);
    return MARL_OK;
}

void marl__learner_release(marl__learner *learner) {
    marl__heap *heap = &learner->device->heap;
    marl__stepper_destroy(learner->stepper);
    marl__optim_destroy(learner->optim);
    for (int32_t i = 0; i < 2; i++) {
        marl__version_destroy(learner->params, &learner->online[i]);
        marl__version_destroy(learner->params, &learner->target[i]);
    }
    for (int32_t s = 0; s < learner->shard_count; s++) marl__free(heap, learner->shard_gradients[s]);
    marl__free(heap, learner->gradient);
    marl__params_destroy(learner->params);
    marl_config_destroy(learner->config);
}

void marl__learner_destroy(marl__learner *learner) {
    if (learner) learner->class->destroy(learner);
}

marl_status marl__learner_begin(marl__learner *learner, const marl__episode *episodes, int32_t count,
                                uint64_t env_steps, uint64_t episode_total) {
    learner->env_steps = env_steps;
    learner->episode_total = episode_total;
    marl_status status = learner->class->begin(learner, episodes, count);
    if (status == MARL_OK) marl__stepper_begin(learner->stepper, learner);
    return status;
}

marl_status marl__learner_advance(marl__learner *learner, marl__should_stop should_stop, void *user,
                                  int32_t *out_is_done) {
    return marl__stepper_advance(learner->stepper, should_stop, user, out_is_done);
}

marl_status marl__learner_update(marl__learner *learner, const marl__episode *episodes, int32_t count,
                                 uint64_t env_steps, uint64_t episode_total, marl__update_result *out) {
    int32_t is_done = 0;
    marl_status status = marl__learner_begin(learner, episodes, count, env_steps, episode_total);
    while (status == MARL_OK && !is_done) status = marl__learner_advance(learner, NULL, NULL, &is_done);
    if (out) marl__learner_result(learner, out);
    return status;
}

void marl__learner_result(const marl__learner *learner, marl__update_result *out) {
    *out = learner->result;
}

const marl__params *marl__learner_params(const marl__learner *learner) {
    return learner->params;
}

const marl__version *marl__learner_version(const marl__learner *learner) {
    return &learner->online[learner->published];
}

void marl__learner_repack(marl__learner *learner) {
    marl__version_pack_all(learner->params, &learner->online[learner->published]);
    if (learner->has_targets) marl__version_pack_all(learner->params, &learner->target[learner->target_published]);
}

void marl__learner_set_params(marl__learner *learner, const float *flat, int32_t also_targets) {
    size_t bytes = learner->params->floats * sizeof(float);
    memmove(learner->online[learner->published].flat, flat, bytes);
    if (also_targets && learner->has_targets) memmove(learner->target[learner->target_published].flat, flat, bytes);
    marl__learner_repack(learner);
}

marl_status marl__learner_set_param(marl__learner *learner, const char *name, const float *values, size_t count) {
    int is_target = !strncmp(name, "target:", 7);
    int32_t index = marl__params_find(learner->params, is_target ? name + 7 : name);
    if (index < 0 || (is_target && !learner->has_targets)) return marl__fail(MARL_E_NAME, "no parameter \"%s\"", name);
    const marl__param *param = &learner->params->list[index];
    if (param->count != count)
        return marl__fail(MARL_E_SHAPE, "parameter \"%s\" has %zu numbers, got %zu", name, param->count, count);
    float *flat = is_target ? learner->target[learner->target_published].flat
                            : learner->online[learner->published].flat;
    memcpy(flat + param->offset, values, count * sizeof *values);
    return MARL_OK;
}

/* Optimiser groups have three numbers each; the arrays are read in place. */
static int32_t group_item(marl__optim *optim, int32_t index, marl__state_item *out) {
    static const char *const names[3] = {"optim.step", "optim.power1", "optim.power2"};
    if (index >= 3 * optim->group_count) return 0;
    marl__optim_group *group = &optim->groups[index / 3];
    *out = (marl__state_item){.name = names[index % 3], .count = 1};
    if (index % 3 == 0) out->i64 = &group->step;
    if (index % 3 == 1) out->f64 = &group->power1;
    if (index % 3 == 2) out->f64 = &group->power2;
    return 1;
}

int32_t marl__learner_state(marl__learner *learner, int32_t index, marl__state_item *out) {
    size_t floats = learner->params->floats;
    marl__optim *optim = learner->optim;
    marl__state_item fixed[5];
    int32_t count = 0;
    fixed[count++] = (marl__state_item){.name = "params", .f32 = learner->online[learner->published].flat,
                                        .count = floats};
    if (learner->has_targets)
        fixed[count++] = (marl__state_item){.name = "target", .f32 = learner->target[learner->target_published].flat,
                                            .count = floats};
    fixed[count++] = (marl__state_item){.name = "optim.moment2", .f32 = optim->moment2, .count = floats};
    if (optim->moment1)
        fixed[count++] = (marl__state_item){.name = "optim.moment1", .f32 = optim->moment1, .count = floats};
    fixed[count++] = (marl__state_item){.name = "counters", .i64 = learner->counters, .count = 3};
    if (index < count) {
        *out = fixed[index];
        return 1;
    }
    index -= count;
    if (group_item(optim, index, out)) return 1;
    index -= 3 * optim->group_count;
    return learner->class->state ? learner->class->state(learner, index, out) : 0;
}

marl_status marl__learner_restored(marl__learner *learner) {
    marl__learner_repack(learner);
    return MARL_OK;
}

const void *marl__learner_probe(const marl__learner *learner, const char *name, int32_t episode, int32_t slot) {
    return learner->class->probe ? learner->class->probe(learner, name, episode, slot) : NULL;
}

const float *marl__learner_gradient(const marl__learner *learner, int32_t param) {
    return learner->gradient + learner->params->list[param].offset;
}

double marl__learner_flops(const marl__learner *learner) {
    return learner->class->flops(learner);
}

const marl__agent *marl__learner_agent(const marl__learner *learner) {
    return learner->class->agent(learner);
}
