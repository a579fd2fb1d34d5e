/* SPDX-License-Identifier: Apache-2.0 */
/* What a team saw of entities, in its policy file: JSON in the metadata, arrays of whole numbers.
 *
 *   "entities": {"groups": [[role, offset, count, features], ...],
 *                "classes": [{"actions": A, "targets": [[first_action, count, group, first_entity], ...]}, ...],
 *                "runs": [[first_agent, class], ...]} */
#ifndef MARL__RUN_ENTITIES_FILE_H
#define MARL__RUN_ENTITIES_FILE_H

#include "algos/learner.h"
#include "core/base/json.h"

void marl__entities_write(marl__json_writer *json, const marl__entities *entities);
/* value: the object. Hostile: MARL_E_FORMAT unless everything lies within the team's agents, obs and actions. */
marl_status marl__entities_read(const marl__json *json, int32_t value, const marl__team_shape *shape,
                                marl__entities *out);

#endif
