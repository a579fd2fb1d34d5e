/* SPDX-License-Identifier: Apache-2.0 */
/* Teams from specs. Letters: N agents, O observation, A actions, S state. */
#include "run/team.h"

#include <string.h>

#include "core/base/status.h"
#include "envs/env.h"

/* Products of two sizes index arrays by 32-bit rows and columns. */
#define MOST_COLUMNS (UINT64_C(1) << 30)

/* An array of structs that carry their size: the first one's is the stride of all. */
static marl_status take_classes(const marl_env_spec *spec, marl_agent_class *out) {
    const unsigned char *at = (const unsigned char *)spec->classes;
    uint32_t stride = 0, size = 0;
    marl_status status = MARL_OK;

    memcpy(&stride, at, sizeof stride);
    for (uint32_t i = 0; status == MARL_OK && i < spec->class_count; i++, at += stride) {
        memcpy(&size, at, sizeof size);
        if (size != stride)
            return marl__fail(MARL_E_ARGUMENT, "class %u: struct_size is %u, that of class 0 is %u", i, size, stride);
        status = marl__take_struct(&out[i], sizeof out[i], at, sizeof out[i], "marl_agent_class");
    }
    return status;
}

marl_status marl__spec_take(marl__heap *heap, const marl_env_spec *spec, marl_env_spec *out,
                            marl_agent_class **out_classes) {
    marl_status status = marl__take_struct(out, sizeof *out, spec, sizeof *out, "marl_env_spec");
    void *classes = NULL;

    *out_classes = NULL;
    if (status != MARL_OK) return status;
    if (!out->classes || out->class_count < 1 || out->class_count > 65536)
        return marl__fail(MARL_E_ARGUMENT, "the spec has %u classes%s, expected 1 to 65536", out->class_count,
                          out->classes ? "" : " at NULL");
    status = marl__alloc_array(heap, out->class_count, sizeof **out_classes, &classes);
    if (status != MARL_OK) return status;
    if ((status = take_classes(out, classes)) == MARL_OK) {
        out->classes = classes;
        status = marl__env_spec_check(out);
    }
    if (status == MARL_OK) *out_classes = classes;
    else marl__free(heap, classes);
    return status;
}

static const marl_agent_class *class_of(const marl_env_spec *spec, uint32_t agent) {
    return &spec->classes[spec->agent_class ? spec->agent_class[agent] : 0];
}

static const char *action_kind_text(int32_t kind) {
    return kind == MARL_ACTION_BOX ? "continuous (BOX)" : "several numbers (MULTI_DISCRETE)";
}

static marl_status check_agent(const marl_env_spec *spec, uint32_t agent) {
    const marl_agent_class *own = class_of(spec, agent), *first = class_of(spec, 0);

    if (own->action_kind != MARL_ACTION_DISCRETE)
        return marl__fail(MARL_E_UNSUPPORTED, "%.255s: the action of agent %u is %s; the algorithms of this build "
                          "choose one action of a number (DISCRETE)", spec->name, agent,
                          action_kind_text(own->action_kind));
    if (own->obs_type != first->obs_type)
        return marl__fail(MARL_E_UNSUPPORTED, "%.255s: agent %u and agent 0 have observations of different types; a "
                          "team needs one", spec->name, agent);
    return MARL_OK;
}

marl_status marl__team_shape_of(const marl_env_spec *spec, marl__team_shape *out) {
    uint64_t agents = spec->agent_count, state = spec->state_size, obs = 0, actions = 0;

    *out = (marl__team_shape){0};
    for (uint32_t i = 0; i < spec->agent_count; i++) {
        const marl_agent_class *agent_class = class_of(spec, i);
        marl_status status = check_agent(spec, i);
        if (status != MARL_OK) return status;
        if (marl__env_class_obs_size(agent_class) > obs) obs = marl__env_class_obs_size(agent_class);
        if (agent_class->action_count > actions) actions = agent_class->action_count;
    }
    if (spec->state_per_agent) state *= agents;
    if (agents * obs > MOST_COLUMNS || agents * actions > MOST_COLUMNS || state > MOST_COLUMNS)
        return marl__fail(MARL_E_SHAPE, "%.255s: %u agents with %llu observed numbers and %llu actions each and a "
                          "state of %llu are too many to hold", spec->name, spec->agent_count, (unsigned long long)obs,
                          (unsigned long long)actions, (unsigned long long)state);
    *out = (marl__team_shape){.agents = (int32_t)agents, .obs = (int32_t)obs, .actions = (int32_t)actions,
                              .state = (int32_t)state, .rewards = spec->reward_per_agent ? (int32_t)agents : 1,
                              .episode_limit = (int32_t)spec->episode_limit};
    marl__team_entities(spec, &out->entities);
    return MARL_OK;
}

static int is_scaled(const marl_obs_slice *slice) {
    return (slice->kind == MARL_SLICE_REAL || slice->kind == MARL_SLICE_IMAGE) && slice->low < slice->high;
}

void marl__team_obs_scaling(const marl_env_spec *spec, int32_t obs, float *scale, float *shift) {
    for (uint32_t i = 0; i < spec->agent_count; i++) {
        const marl_agent_class *agent_class = class_of(spec, i);
        float *own_scale = scale + (size_t)i * (size_t)obs, *own_shift = shift + (size_t)i * (size_t)obs;

        for (int32_t k = 0; k < obs; k++) {
            own_scale[k] = 1.0f;
            own_shift[k] = 0.0f;
        }
        for (uint32_t s = 0; s < agent_class->slice_count; s++) {
            const marl_obs_slice *slice = &agent_class->slices[s];
            double low = slice->low, high = slice->high;
            for (uint32_t k = 0; is_scaled(slice) && k < slice->count; k++) {
                own_scale[slice->offset + k] = (float)(2.0 / (high - low));
                own_shift[slice->offset + k] = (float)(-(high + low) / (high - low));
            }
        }
    }
}

void marl__scale_obs(size_t count, const float *x, const float *scale, const float *shift, float *out) {
    for (size_t i = 0; i < count; i++) {
        float product = x[i] * scale[i];
        out[i] = product + shift[i];
    }
}
