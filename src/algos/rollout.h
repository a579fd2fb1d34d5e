/* SPDX-License-Identifier: Apache-2.0 */
/* A rollout: T steps of E environments at once, as an on-policy learner reads it. It holds what the environments gave
 * and what was chosen, nothing that a network computes from it but the hidden states the first slot starts from: values
 * and log-probabilities follow from the parameters that acted, in one batched pass, bit for bit as at acting.
 *
 * Arrays are time-major and owned by the rollout. Row t of an array of T + 1 slots is what was seen before step t; slot
 * T is what follows the last step. An episode may end in any step; the next slot is then the first of another one, and
 * what a truncated episode ended in is kept apart, to be bootstrapped from. Agents of different sizes use the front of
 * a row.
 *
 * Letters: T steps, E environments, N agents, O observation, A actions, D dimensions of an action, S state. */
#ifndef MARL__ALGOS_ROLLOUT_H
#define MARL__ALGOS_ROLLOUT_H

#include "core/base/alloc.h"

enum marl__ended { MARL__GOES_ON, MARL__TERMINATED, MARL__TRUNCATED };

typedef struct marl__rollout_shape {
    int32_t steps, envs, agents;
    int32_t obs, actions, dims;          /* O, A, D: the greatest of any agent; A is 0 where no action is discrete */
    int32_t controls;                    /* columns of box actions; 0: none */
    int32_t state, state_per_agent;      /* S; 1: every agent has a state of its own */
    int32_t rewards;                     /* 1, or N */
    int32_t actor_hidden, critic_hidden; /* columns; 0: no memory */
    int32_t critic_rows;                 /* rows of the critic an environment: 1, or N */
    int32_t finals;                      /* most truncated episodes; 0: T E */
} marl__rollout_shape;

typedef struct marl__rollout {
    marl__heap *heap;
    marl__rollout_shape shape;
    float *obs;                          /* (T+1, E, N, O) */
    float *state;                        /* (T+1, E, S) or (T+1, E, N, S); NULL if S is 0 */
    uint8_t *avail;                      /* (T+1, E, N, A); NULL if A is 0 */
    uint8_t *alive;                      /* (T+1, E, N): 1: acts in this slot */
    int32_t *actions;                    /* (T, E, N, D); NULL if D is 0 */
    float *controls;                     /* (T, E, N, controls); NULL if there are none */
    double *rewards;                     /* (T, E, rewards) */
    uint8_t *first;                      /* (T+1, E): 1: an episode begins in this slot */
    uint8_t *ended;                      /* (T, E): marl__ended */
    float *actor_hidden, *critic_hidden; /* before slot 0: (E, N, H) and (E, critic_rows, H); NULL without memory */
    int32_t final_count;                 /* truncated episodes, in order of (t, e) */
    int32_t *final_row;                  /* t E + e of each, rising */
    float *final_obs, *final_state;      /* of each: (N, O); (S) or (N, S) */
} marl__rollout;

/* MARL_E_SHAPE for sizes that make no rollout. Everything is allocated here, zeroed. */
marl_status marl__rollout_create(marl__heap *heap, const marl__rollout_shape *shape, marl__rollout **out);
void marl__rollout_destroy(marl__rollout *rollout);
/* Begins the next segment: slot T becomes slot 0 and no episode has ended. Hidden states are the caller's to write. */
void marl__rollout_carry_on(marl__rollout *rollout);
/* Marks step t of environment e as truncated; *out: where its final observation goes. Steps are added in rising order
 * of (t, e). MARL_E_STATE when there is no more room. */
marl_status marl__rollout_add_final(marl__rollout *rollout, int32_t t, int32_t e, int32_t *out);
/* The final observation of a step, -1 if it was not truncated. */
int32_t marl__rollout_find_final(const marl__rollout *rollout, int32_t t, int32_t e);

/* Row of (t, e), and of (t, e, agent): what the arrays are indexed by, times their columns. */
static inline size_t marl__rollout_row(const marl__rollout *rollout, int32_t t, int32_t e) {
    return (size_t)t * (size_t)rollout->shape.envs + (size_t)e;
}
static inline size_t marl__rollout_agent_row(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    return marl__rollout_row(rollout, t, e) * (size_t)rollout->shape.agents + (size_t)agent;
}
static inline float *marl__rollout_obs(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    return rollout->obs + marl__rollout_agent_row(rollout, t, e, agent) * (size_t)rollout->shape.obs;
}
static inline uint8_t *marl__rollout_avail(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    return rollout->avail + marl__rollout_agent_row(rollout, t, e, agent) * (size_t)rollout->shape.actions;
}
static inline int32_t *marl__rollout_actions(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    return rollout->actions + marl__rollout_agent_row(rollout, t, e, agent) * (size_t)rollout->shape.dims;
}
static inline float *marl__rollout_controls(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    return rollout->controls + marl__rollout_agent_row(rollout, t, e, agent) * (size_t)rollout->shape.controls;
}
/* The state of a team (agent 0), or of one agent where each has its own. */
static inline float *marl__rollout_state(const marl__rollout *rollout, int32_t t, int32_t e, int32_t agent) {
    size_t row = rollout->shape.state_per_agent ? marl__rollout_agent_row(rollout, t, e, agent)
                                                : marl__rollout_row(rollout, t, e);
    return rollout->state + row * (size_t)rollout->shape.state;
}

#endif
