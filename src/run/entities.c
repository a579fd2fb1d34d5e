/* SPDX-License-Identifier: Apache-2.0 */
/* From a spec's agent classes to what nets know of entities. A spec that no such net can be built on is no fault here:
 * the reason is noted, and given by the net that asks. */
#include "run/team.h"

#include <stdio.h>
#include <string.h>

/* Classes of the spec that agents have, in the order of their first agents. */
typedef struct class_list {
    int32_t count;
    uint32_t spec_class[MARL__ENTITY_CLASSES];
} class_list;

static int32_t place_of(const class_list *list, uint32_t spec_class) {
    for (int32_t i = 0; i < list->count; i++)
        if (list->spec_class[i] == spec_class) return i;
    return -1;
}

static const char *list_classes(const marl_env_spec *spec, class_list *list, marl__entities *out) {
    int32_t last = -1;
    for (uint32_t agent = 0; agent < spec->agent_count; agent++) {
        uint32_t spec_class = spec->agent_class ? spec->agent_class[agent] : 0;
        int32_t place = place_of(list, spec_class);
        if (place < 0) {
            if (list->count == MARL__ENTITY_CLASSES) return "has agents of more than 8 classes";
            place = list->count++;
            list->spec_class[place] = spec_class;
        }
        if (place == last) continue;
        if (out->run_count == MARL__ENTITY_RUNS) return "mixes agents of its classes in more than 32 turns";
        out->runs[out->run_count++] = (marl__entity_run){(int32_t)agent, place};
        last = place;
    }
    return NULL;
}

static const char *take_groups(const marl_agent_class *from, marl__entities *out) {
    if (from->obs_rank != 1) return "has observations that are images";
    if (from->entity_group_count > MARL__ENTITY_GROUPS) return "has more than 8 groups of entities";
    for (uint32_t i = 0; i < from->entity_group_count; i++) {
        const marl_entity_group *group = &from->entity_groups[i];
        out->groups[i] = (marl__entity_group){group->role, (int32_t)group->offset, (int32_t)group->count,
                                              (int32_t)group->feature_count};
    }
    out->group_count = (int32_t)from->entity_group_count;
    return NULL;
}

/* One net reads the observations of all, so entities must stand in the same places. */
static const char *compare_groups(const marl_agent_class *own, const marl_agent_class *first) {
    static const char text[] = "shows its agent classes their entities in different places of the observation";
    if (own->obs_rank != first->obs_rank || own->entity_group_count != first->entity_group_count) return text;
    for (uint32_t i = 0; i < own->entity_group_count; i++) {
        const marl_entity_group *a = &own->entity_groups[i], *b = &first->entity_groups[i];
        if (a->role != b->role || a->offset != b->offset || a->count != b->count ||
            a->feature_count != b->feature_count)
            return text;
    }
    return NULL;
}

static const char *check_overlap(const marl__entities *out) {
    for (int32_t i = 0; i < out->group_count; i++)
        for (int32_t k = 0; k < i; k++) {
            const marl__entity_group *a = &out->groups[i], *b = &out->groups[k];
            if (a->offset < b->offset + b->count * b->features && b->offset < a->offset + a->count * a->features)
                return "has groups of entities that share numbers of the observation";
        }
    return NULL;
}

static const char *take_targets(const marl_agent_class *from, marl__entity_class *out) {
    if (from->action_target_count > MARL__ENTITY_TARGETS) return "has more than 8 runs of actions at entities";
    *out = (marl__entity_class){.actions = (int32_t)from->action_count,
                                .target_count = (int32_t)from->action_target_count};
    for (uint32_t i = 0; i < from->action_target_count; i++) {
        const marl_action_target *target = &from->action_targets[i];
        out->targets[i] = (marl__entity_target){(int32_t)target->first_action, (int32_t)target->count,
                                                (int32_t)target->group, (int32_t)target->first_entity};
    }
    return NULL;
}

static const char *take_all(const marl_env_spec *spec, marl__entities *out) {
    class_list list = {.count = 0};
    const char *fault = list_classes(spec, &list, out);
    const marl_agent_class *first = &spec->classes[list.spec_class[0]];
    if (!fault) fault = take_groups(first, out);
    if (!fault) fault = check_overlap(out);
    for (int32_t i = 0; !fault && i < list.count; i++) {
        const marl_agent_class *own = &spec->classes[list.spec_class[i]];
        if (!fault) fault = compare_groups(own, first);
        if (!fault) fault = take_targets(own, &out->classes[i]);
    }
    out->class_count = list.count;
    return fault;
}

void marl__team_entities(const marl_env_spec *spec, marl__entities *out) {
    *out = (marl__entities){0};
    const char *fault = take_all(spec, out);
    if (fault) *out = (marl__entities){.fault = fault};
    snprintf(out->env, sizeof out->env, "%s", spec->name ? spec->name : "");
}
