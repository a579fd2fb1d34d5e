/* SPDX-License-Identifier: Apache-2.0 */
/* From what an environment says about itself to what learners and policies are built for. Used by trainer and policy
 * alike, so that a team sees at play exactly what it saw in training. */
#ifndef MARL__RUN_TEAM_H
#define MARL__RUN_TEAM_H

#include "algos/learner.h"
#include "core/base/alloc.h"
#include "marl/env.h"

/* Takes up a spec that a caller filled in, perhaps compiled against other headers: *out is checked and points to
 * *out_classes, which the caller frees (from heap; NULL on failure). Everything else it points to stays borrowed. */
marl_status marl__spec_take(marl__heap *heap, const marl_env_spec *spec, marl_env_spec *out,
                            marl_agent_class **out_classes);

/* Sizes of a team. spec: passed marl__env_spec_check. O is the greatest observation length and A the greatest action
 * count over the agents (smaller observations are padded with zeros, missing actions are masked by availability);
 * state is N x S when the state is per agent; rewards is N when the reward is per agent. MARL_E_UNSUPPORTED names the
 * agent whose actions are not one of a number, or whose observation type differs from agent 0's; MARL_E_SHAPE if the
 * sizes together are beyond what can be addressed. */
marl_status marl__team_shape_of(const marl_env_spec *spec, marl__team_shape *out);

/* What its agents see of entities; marl__team_shape_of does this too. Where no net can use it, `fault` says why. */
void marl__team_entities(const marl_env_spec *spec, marl__entities *out);

/* Scale and shift, (N,O) each, by which x * scale + shift lies in [-1, 1]: for entries in REAL and IMAGE slices whose
 * range is known; 1 and 0 for all others. spec: one that marl__team_shape_of took; obs: its O. */
void marl__team_obs_scaling(const marl_env_spec *spec, int32_t obs, float *scale, float *shift);

/* out[i] = x[i] * scale[i] + shift[i], each operation rounded; out may be x. The one place where it is computed. */
void marl__scale_obs(size_t count, const float *x, const float *scale, const float *shift, float *out);

#endif
