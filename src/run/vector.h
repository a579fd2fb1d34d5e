/* SPDX-License-Identifier: Apache-2.0 */
/* Environments side by side. A step chooses an action for every agent of every one of them, steps them and, where an
 * episode has ended, begins the next; in chunks on the device's threads, each chunk acting for its environments with an
 * arena of its own. Everything random is addressed by environment and episode, and each row of a product depends on
 * that row alone, so results do not depend on threads or chunks.
 *
 * E environments, N agents, O observation, S state, A actions, H hidden, R rewards, L transitions, as in env.h. */
#ifndef MARL__RUN_VECTOR_H
#define MARL__RUN_VECTOR_H

#include "algos/learner.h"
#include "marl/env.h"

/* How to make an environment: built in, by name and settings, or of the host's type. */
typedef struct marl__env_maker {
    const marl_host *host;
    const char *name;             /* NULL: the host's */
    const marl_config *config;    /* of "env/NAME" */
    const marl_env_type *type;
} marl__env_maker;

marl_status marl__env_maker_open(const marl__env_maker *maker, uint32_t index, marl_env **out);
/* Whether `other`, number `index`, is of the kind of `first`; MARL_E_MISMATCH. The host may make each anew. */
marl_status marl__env_check_same(const marl_env *first, const marl_env *other, uint32_t index);

/* What is learnt from an environment, fixed at create. */
typedef struct marl__team_view {
    marl__team_shape shape;       /* S, rewards: of what is learnt from */
    int32_t env_rewards;          /* what the environment gives: 1 or N */
    int32_t state_is_obs;         /* 1: the state is the agents' observations in a row, so it is copied from them */
    int32_t limit_ends;           /* 1: a truncated episode counts as terminated */
    float *scale, *shift;         /* (N,O); NULL: observations go in as they are */
} marl__team_view;

/* What is learnt from what an environment shows now: (N,O), (S), (N,A), (N). state NULL: not wanted. */
marl_status marl__view_observe(const marl__team_view *view, marl_env *env, float *obs, float *state, uint8_t *avail,
                               uint8_t *alive);

/* What is kept of episodes: nothing, what was seen, or saved states from which it is made again (run/rebuild.h). */
enum marl__recording { MARL__RECORD_NONE, MARL__RECORD_VIEWS, MARL__RECORD_STATES };

/* How an episode ended. */
typedef struct marl__episode_end {
    int32_t length, terminated, outcome;
    double reward_sum;            /* of the team */
    uint64_t number;              /* which episode of its environment it was */
} marl__episode_end;

typedef struct marl__vector_env {
    marl_env *env;
    marl__rng explore;
    uint64_t next_episode;        /* number of the next episode to begin */
    int32_t length;               /* transitions of the open episode */
    int32_t is_playing;
    int32_t has_ended;            /* in the last step */
    double reward_sum;            /* of the open episode */
    marl__episode_end end;
    marl_status status;
    char error[512];
} marl__vector_env;

enum { MARL__VECTOR_CHUNKS = 64 };

typedef struct marl__vector {
    marl_device *device;
    const marl__agent *agent;
    const marl__team_view *view;
    int32_t count;                /* E */
    int32_t hidden_size;          /* H */
    int32_t recording;            /* marl__recording */
    uint64_t seed;                /* of episodes and exploration */
    int32_t is_evaluation;        /* episode k of all is the (k / E)-th of environment k % E */
    uint64_t episodes;            /* evaluation: how many in all */
    marl__vector_env *envs;
    int32_t chunk_count, chunk_size;
    marl__actor_run *runs[MARL__VECTOR_CHUNKS];
    int64_t act_ns[MARL__VECTOR_CHUNKS], env_ns[MARL__VECTOR_CHUNKS]; /* of the last step, for display */
    /* What is seen now, what was remembered and chosen. */
    float *obs, *state;           /* (E,N,O), (E,S) */
    uint8_t *avail, *alive;       /* (E,N,A), (E,N) */
    int32_t *last, *actions;      /* (E,N), -1: none; (E,N) */
    float *hidden, *next_hidden;  /* (E,N,H), swapped each step */
    float *values;                /* (E,N,A) */
    double *rewards;              /* (E,N), of the last step as the environment gave them */
    /* Open episodes, when recording: slots 0..limit of each environment. */
    float *kept_obs, *kept_state, *kept_rewards;
    uint8_t *kept_avail;
    int32_t *kept_actions;
    uint8_t *kept_slots;          /* RECORD_STATES: saved states instead of what was seen */
    size_t save_bytes, slot_bytes; /* of one, and from one to the next */
    /* Of the step being done. */
    const marl__version *version;
    double epsilon;
} marl__vector;

/* Teams that one chunk acts for: the capacity its actor needs. */
int32_t marl__vector_chunk(const marl_device *device, int32_t count);

/* Environments only: enough to look at their spec. */
marl_status marl__vector_create(marl_device *device, const marl__env_maker *maker, uint32_t first_index, int32_t count,
                                marl__vector **out);
/* A zeroed array of count * a * b elements of the vector's; NULL with *status set, or where it is set already. */
void *marl__vector_take(marl__vector *vector, size_t count, size_t a, size_t b, size_t item, marl_status *status);
/* Everything else, once it is known what is learnt and who acts. view and agent are borrowed. */
marl_status marl__vector_prepare(marl__vector *vector, const marl__team_view *view, const marl__agent *agent,
                                 const marl__actor *actor, int32_t recording);
void marl__vector_destroy(marl__vector *vector);

/* Begins training episodes from a seed, or goes on where episodes were given up. */
marl_status marl__vector_start(marl__vector *vector);
/* Begins an evaluation of `episodes` episodes. */
marl_status marl__vector_start_evaluation(marl__vector *vector, uint64_t seed, uint64_t episodes);
/* Gives all open episodes up; the next start begins new ones. */
void marl__vector_abandon(marl__vector *vector);

/* One step of every environment that plays. has_ended and end tell which episodes are over. The first failure in the
 * order of the environments is reported, with the environment and its step in front. */
marl_status marl__vector_step(marl__vector *vector, const marl__version *version, double epsilon);

/* The recorded episode of an environment: the one that ended in the last step, or else the open one, whose last slot
 * is not yet written. RECORD_STATES: what was seen is `packed`; who reads it sets unpack and packing. */
void marl__vector_episode(const marl__vector *vector, int32_t index, marl__episode *out);

/* Writes what an environment shows now into the vector's rows. */
marl_status marl__vector_observe(marl__vector *vector, int32_t index);

#endif
