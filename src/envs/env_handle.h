/* SPDX-License-Identifier: Apache-2.0 */
/* The handle of an environment inside: what env.c, which owns it, and env_check.c share. Nobody else looks in here.
 *
 * N agents, O observation entries, S state entries, A actions, D action dimensions, as in marl/env.h. */
#ifndef MARL__ENVS_ENV_HANDLE_H
#define MARL__ENVS_ENV_HANDLE_H

#include "envs/env.h"

/* What an agent's class fixes, laid out for the checks of every step. */
typedef struct marl__agent_shape {
    uint32_t obs_size;
    uint32_t action_count;
    const marl_agent_class *agent_class;
} marl__agent_shape;

struct marl_env {
    uint32_t tag;
    uint32_t phase;
    uint32_t steps;        /* since reset */
    uint32_t mask_is_fresh; /* avail and alive belong to the present state */
    marl__heap heap;
    const marl__env_family *family; /* NULL: the host's own */
    marl_env_vtable vtable;
    void *env;
    marl_env_spec spec;
    uint32_t obs_size, action_count, action_dims, reward_count; /* O, A, D, 1 or N */
    uint32_t is_plain;      /* one class, f32, DISCRETE: no padding, one number an action */
    uint32_t needs_discrete, needs_continuous;
    size_t state_entries;   /* S or N S */
    size_t save_bytes;      /* of the environment itself; 0: it has no save */
    marl_agent_class *classes;
    uint32_t *agent_class;
    marl__agent_shape *agents;    /* (N) */
    uint8_t *avail;         /* (N,A) */
    uint8_t *alive;         /* (N) */
};

/* env.c: the sentence for a function of the environment that failed with status. */
marl_status marl__env_failed(const marl_env *env, const char *function, marl_status status);

/* env_check.c */
/* Observes into view, and into the handle's avail and alive, which are fresh afterwards. */
marl_status marl__env_observe_checked(marl_env *env, const marl_view *view);
/* Whether the actions may be taken now; avail and alive have to be fresh. */
marl_status marl__env_check_actions(const marl_env *env, const marl_actions *actions);
/* Whether what the environment reports of a step is sane. */
marl_status marl__env_check_result(const marl_env *env, const marl_step *step);

#endif
