/* SPDX-License-Identifier: Apache-2.0 */
/* What an environment says about itself, checked once at create. Everything above (networks, replay, encoders) sizes
 * its memory and its indices from a spec and trusts it afterwards, so a spec that lies is refused here, with the class
 * and the member that are wrong. */
#include "envs/env.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

/* Far above any environment and low enough that no product of two of them leaves 64 bits. */
#define MOST_AGENTS 65536u
#define MOST_ENTRIES (1u << 26)
#define MOST_ACTIONS (1u << 20)
#define MOST_NAME 255u

void marl_env_spec_init(marl_env_spec *spec, uint32_t struct_size) {
    if (!spec || struct_size < sizeof spec->struct_size) {
        return;
    }
    memset(spec, 0, struct_size);
    spec->struct_size = struct_size;
}

void marl_env_vtable_init(marl_env_vtable *vtable, uint32_t struct_size) {
    if (!vtable || struct_size < sizeof vtable->struct_size) {
        return;
    }
    memset(vtable, 0, struct_size);
    vtable->struct_size = struct_size;
}

void marl_env_type_init(marl_env_type *type, uint32_t struct_size) {
    if (!type || struct_size < sizeof type->struct_size) {
        return;
    }
    memset(type, 0, struct_size);
    type->struct_size = struct_size;
}

void marl_agent_class_init(marl_agent_class *agent_class, uint32_t struct_size) {
    if (!agent_class || struct_size < sizeof agent_class->struct_size) {
        return;
    }
    memset(agent_class, 0, struct_size);
    agent_class->struct_size = struct_size;
    if (struct_size < sizeof *agent_class) {
        return;
    }
    agent_class->obs_rank = 1;
    agent_class->action_kind = MARL_ACTION_DISCRETE;
    agent_class->action_dims = 1;
}

uint32_t marl__env_class_obs_size(const marl_agent_class *agent_class) {
    const uint32_t *shape = agent_class->obs_shape;

    return agent_class->obs_rank == 3 ? shape[0] * shape[1] * shape[2] : shape[0];
}

static marl_status check_obs_shape(const marl_agent_class *c, uint32_t index) {
    uint64_t size = 1;

    if (c->obs_type != MARL_OBS_F32 && c->obs_type != MARL_OBS_U8) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: obs_type %d is neither MARL_OBS_F32 nor MARL_OBS_U8", index,
                          c->obs_type);
    }
    if (c->obs_rank != 1 && c->obs_rank != 3) {
        return marl__fail(MARL_E_SHAPE, "class %u: obs_rank %u is neither 1 nor 3", index, c->obs_rank);
    }
    for (uint32_t d = 0; d < c->obs_rank; d++) {
        if (c->obs_shape[d] == 0 || c->obs_shape[d] > MOST_ENTRIES || (size *= c->obs_shape[d]) > MOST_ENTRIES) {
            return marl__fail(MARL_E_SHAPE, "class %u: obs_shape[%u] is %u; lengths are at least 1 and their product "
                              "at most %u", index, d, c->obs_shape[d], MOST_ENTRIES);
        }
    }
    return MARL_OK;
}

static marl_status check_slices(const marl_agent_class *c, uint32_t index) {
    uint32_t size = marl__env_class_obs_size(c);

    if (c->slice_count > 0 && !c->slices) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: slice_count is %u, slices is NULL", index, c->slice_count);
    }
    for (uint32_t i = 0; i < c->slice_count; i++) {
        const marl_obs_slice *slice = &c->slices[i];
        if ((uint64_t)slice->offset + slice->count > size) {
            return marl__fail(MARL_E_SHAPE, "class %u: slice %u covers entries %u to %llu of an observation of %u",
                              index, i, slice->offset, (unsigned long long)slice->offset + slice->count, size);
        }
        if (slice->kind < MARL_SLICE_REAL || slice->kind > MARL_SLICE_IMAGE) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: slice %u has the unknown kind %d", index, i, slice->kind);
        }
        if (!isfinite(slice->low) || !isfinite(slice->high) || slice->low > slice->high) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: slice %u ranges from %g to %g; both must be finite and low "
                              "not above high", index, i, (double)slice->low, (double)slice->high);
        }
    }
    return MARL_OK;
}

static marl_status check_groups(const marl_agent_class *c, uint32_t index) {
    uint32_t size = marl__env_class_obs_size(c);

    if (c->entity_group_count > 0 && !c->entity_groups) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: entity_group_count is %u, entity_groups is NULL", index,
                          c->entity_group_count);
    }
    for (uint32_t i = 0; i < c->entity_group_count; i++) {
        const marl_entity_group *group = &c->entity_groups[i];
        if (!group->name || group->name[0] == '\0') {
            return marl__fail(MARL_E_ARGUMENT, "class %u: entity group %u has no name", index, i);
        }
        if (group->role < MARL_ROLE_NEUTRAL || group->role > MARL_ROLE_GOAL) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: entity group '%s' has the unknown role %d", index,
                              group->name, group->role);
        }
        if (group->count == 0 || group->feature_count == 0 || group->count > size || group->feature_count > size ||
            group->offset + (uint64_t)group->count * group->feature_count > size) {
            return marl__fail(MARL_E_SHAPE, "class %u: entity group '%s', %u entities of %u features from entry %u, "
                              "does not lie in an observation of %u", index, group->name, group->count,
                              group->feature_count, group->offset, size);
        }
    }
    return MARL_OK;
}

static marl_status check_targets(const marl_agent_class *c, uint32_t index) {
    if (c->action_target_count > 0 && !c->action_targets) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: action_target_count is %u, action_targets is NULL", index,
                          c->action_target_count);
    }
    for (uint32_t i = 0; i < c->action_target_count; i++) {
        const marl_action_target *target = &c->action_targets[i];
        if ((uint64_t)target->first_action + target->count > c->action_count) {
            return marl__fail(MARL_E_SHAPE, "class %u: action target %u covers actions %u to %llu of %u", index, i,
                              target->first_action, (unsigned long long)target->first_action + target->count,
                              c->action_count);
        }
        if (target->group >= c->entity_group_count ||
            (uint64_t)target->first_entity + target->count > c->entity_groups[target->group].count) {
            return marl__fail(MARL_E_SHAPE, "class %u: action target %u names %u entities of group %u from entity %u, "
                              "which does not have them", index, i, target->count, target->group,
                              target->first_entity);
        }
    }
    return MARL_OK;
}

static marl_status check_box(const marl_agent_class *c, uint32_t index) {
    if (!c->action_low || !c->action_high) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: BOX actions need action_low and action_high", index);
    }
    if (c->action_count != 0) {
        return marl__fail(MARL_E_SHAPE, "class %u: action_count is %u; it is 0 for BOX actions", index,
                          c->action_count);
    }
    for (uint32_t d = 0; d < c->action_dims; d++) {
        if (!isfinite(c->action_low[d]) || !isfinite(c->action_high[d]) || c->action_low[d] >= c->action_high[d]) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: action dimension %u is bounded by %g and %g; bounds are "
                              "finite, low below high", index, d, (double)c->action_low[d],
                              (double)c->action_high[d]);
        }
    }
    return MARL_OK;
}

static marl_status check_multi_discrete(const marl_agent_class *c, uint32_t index) {
    uint64_t sum = 0;

    if (!c->action_sizes) {
        return marl__fail(MARL_E_ARGUMENT, "class %u: MULTI_DISCRETE actions need action_sizes", index);
    }
    for (uint32_t d = 0; d < c->action_dims; d++) {
        if (c->action_sizes[d] == 0 || c->action_sizes[d] > MOST_ACTIONS) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: action_sizes[%u] is %u, not from 1 to %u", index, d,
                              c->action_sizes[d], MOST_ACTIONS);
        }
        sum += c->action_sizes[d];
    }
    if (c->action_count != 0 && c->action_count != sum) {
        return marl__fail(MARL_E_SHAPE, "class %u: action_count is %u; it is the sum of action_sizes, %llu, or 0",
                          index, c->action_count, (unsigned long long)sum);
    }
    return MARL_OK;
}

static marl_status check_actions(const marl_agent_class *c, uint32_t index) {
    if (c->action_dims == 0 || c->action_dims > MOST_ACTIONS) {
        return marl__fail(MARL_E_SHAPE, "class %u: action_dims is %u, not from 1 to %u", index, c->action_dims,
                          MOST_ACTIONS);
    }
    if (c->action_count > MOST_ACTIONS) {
        return marl__fail(MARL_E_SHAPE, "class %u: action_count is %u; at most %u", index, c->action_count,
                          MOST_ACTIONS);
    }
    switch (c->action_kind) {
    case MARL_ACTION_BOX:
        return check_box(c, index);
    case MARL_ACTION_MULTI_DISCRETE:
        return check_multi_discrete(c, index);
    case MARL_ACTION_DISCRETE:
        if (c->action_count == 0 || c->action_dims != 1) {
            return marl__fail(MARL_E_SHAPE, "class %u: DISCRETE has %u actions and %u dimensions; at least 1 action "
                              "and exactly 1 dimension are needed", index, c->action_count, c->action_dims);
        }
        return MARL_OK;
    default:
        return marl__fail(MARL_E_ARGUMENT, "class %u: unknown action_kind %d", index, c->action_kind);
    }
}

static marl_status check_class(const marl_agent_class *c, uint32_t index) {
    marl_status status = MARL_OK;

    if ((status = check_obs_shape(c, index)) != MARL_OK) return status;
    if ((status = check_slices(c, index)) != MARL_OK) return status;
    if ((status = check_groups(c, index)) != MARL_OK) return status;
    if ((status = check_actions(c, index)) != MARL_OK) return status;
    return check_targets(c, index);
}

static marl_status check_text(const char *text, const char *what) {
    if (!text || text[0] == '\0') {
        return marl__fail(MARL_E_ARGUMENT, "the spec has no %s", what);
    }
    if (strnlen(text, MOST_NAME + 1) > MOST_NAME) {
        return marl__fail(MARL_E_ARGUMENT, "the spec's %s is longer than %u bytes", what, MOST_NAME);
    }
    return MARL_OK;
}

static marl_status check_flag(uint32_t value, const char *name) {
    if (value > 1) {
        return marl__fail(MARL_E_ARGUMENT, "the spec's %s is %u, neither 0 nor 1", name, value);
    }
    return MARL_OK;
}

static marl_status check_counts(const marl_env_spec *spec) {
    if (spec->agent_count == 0 || spec->agent_count > MOST_AGENTS) {
        return marl__fail(MARL_E_ARGUMENT, "agent_count is %u, not from 1 to %u", spec->agent_count, MOST_AGENTS);
    }
    if (spec->class_count == 0 || spec->class_count > MOST_AGENTS) {
        return marl__fail(MARL_E_ARGUMENT, "class_count is %u, not from 1 to %u", spec->class_count, MOST_AGENTS);
    }
    if (spec->episode_limit == 0 || spec->episode_limit > INT32_MAX) {
        return marl__fail(MARL_E_ARGUMENT, "episode_limit is %u, not from 1 to %d", spec->episode_limit, INT32_MAX);
    }
    if (spec->state_size > MOST_ENTRIES) {
        return marl__fail(MARL_E_SHAPE, "state_size is %u; at most %u", spec->state_size, MOST_ENTRIES);
    }
    if (spec->scalar_count > 0 && !spec->scalar_names) {
        return marl__fail(MARL_E_ARGUMENT, "scalar_count is %u, scalar_names is NULL", spec->scalar_count);
    }
    return MARL_OK;
}

marl_status marl__env_spec_check(const marl_env_spec *spec) {
    marl_status status = MARL_OK;

    if ((status = check_text(spec->name, "name")) != MARL_OK) return status;
    if ((status = check_text(spec->version, "version")) != MARL_OK) return status;
    if ((status = check_flag(spec->state_per_agent, "state_per_agent")) != MARL_OK) return status;
    if ((status = check_flag(spec->reward_per_agent, "reward_per_agent")) != MARL_OK) return status;
    if ((status = check_flag(spec->deterministic, "deterministic")) != MARL_OK) return status;
    if ((status = check_counts(spec)) != MARL_OK) return status;
    for (uint32_t i = 0; i < spec->scalar_count; i++) {
        if ((status = check_text(spec->scalar_names[i], "scalar name")) != MARL_OK) return status;
    }
    for (uint32_t i = 0; i < spec->class_count; i++) {
        if ((status = check_class(&spec->classes[i], i)) != MARL_OK) return status;
    }
    for (uint32_t i = 0; spec->agent_class && i < spec->agent_count; i++) {
        if (spec->agent_class[i] >= spec->class_count) {
            return marl__fail(MARL_E_ARGUMENT, "agent %u: its class %u is not below class_count %u", i,
                              spec->agent_class[i], spec->class_count);
        }
    }
    return MARL_OK;
}
