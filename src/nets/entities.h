/* SPDX-License-Identifier: Apache-2.0 */
/* What a team sees of entities and which of its actions aim at them: plain data, copied with a team's sizes, so that a
 * net can be declared from it anywhere. Made from a spec's agent classes (src/run/entities.c), read from a policy file,
 * or written down in a test; no environment's name decides anything. */
#ifndef MARL__NETS_ENTITIES_H
#define MARL__NETS_ENTITIES_H

#include <stdint.h>

enum {
    MARL__ENTITY_GROUPS = 8, MARL__ENTITY_CLASSES = 8, MARL__ENTITY_TARGETS = 8, MARL__ENTITY_RUNS = 32,
};

/* Equal entities in every agent's observation: count rows of `features` columns from `offset` on. */
typedef struct marl__entity_group {
    int32_t role; /* marl_entity_role */
    int32_t offset, count, features;
} marl__entity_group;

/* Actions first_action + i aim at the entities first_entity + i of a group, i < count. */
typedef struct marl__entity_target {
    int32_t first_action, count, group, first_entity;
} marl__entity_target;

/* Agents that do the same with the same action. */
typedef struct marl__entity_class {
    int32_t actions; /* how many it has; the team's others are never available to it */
    int32_t target_count;
    marl__entity_target targets[MARL__ENTITY_TARGETS];
} marl__entity_class;

/* Agents from first_agent on, up to the next run, are of one class. */
typedef struct marl__entity_run {
    int32_t first_agent, class_index;
} marl__entity_run;

typedef struct marl__entities {
    int32_t group_count, class_count, run_count; /* no groups: nothing is known of entities */
    marl__entity_group groups[MARL__ENTITY_GROUPS];
    marl__entity_class classes[MARL__ENTITY_CLASSES];
    marl__entity_run runs[MARL__ENTITY_RUNS];
    char env[64];      /* of whom this is said, for messages; may be cut off */
    const char *fault; /* why no net can be built on it, "has ..."; static; NULL: one can */
} marl__entities;

/* Class of an agent. */
static inline int32_t marl__entity_class_of(const marl__entities *entities, int32_t agent) {
    int32_t run = 0;
    while (run + 1 < entities->run_count && entities->runs[run + 1].first_agent <= agent) run++;
    return entities->run_count > 0 ? entities->runs[run].class_index : 0;
}

#endif
