/* SPDX-License-Identifier: Apache-2.0 */
/** @file policy.h
 * Playing a trained team: load it from a file or from memory and ask for actions each tick. After create nothing is
 * allocated, no thread is started, no BLAS is called.
 *
 * N agents, O observation length, A actions, as in env.h.
 *
 *     marl_policy *policy;
 *     marl_policy_state *state;
 *     marl_policy_load_file(device, "run/policy.safetensors", NULL, &policy);
 *     marl_policy_state_create(policy, 1, 7, &state);
 *     each tick: marl_policy_act(policy, state, obs, avail, NULL, actions);
 *     each new episode: marl_policy_state_reset(state, 0);
 */
#ifndef MARL_POLICY_H
#define MARL_POLICY_H

#include "marl/device.h"
#include "marl/env.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A trained team, immutable. marl_policy_act may be called on one policy from several threads, each with its own
 * marl_policy_state. */
typedef struct marl_policy marl_policy;

/** What a team remembers between ticks, for a number of teams played side by side. One thread at a time. */
typedef struct marl_policy_state marl_policy_state;

/** Where bytes come from: a path, or memory, or a callback. Exactly one of the three is set. */
typedef struct marl_source {
    uint32_t struct_size; /**< sizeof(marl_source) */
    uint32_t reserved;    /**< zero */
    const char *path;     /**< a file */
    const void *bytes;    /**< memory, borrowed during the call */
    uint64_t byte_count;  /**< its size; with read: the size of what read gives */
    /** Copies `bytes` bytes from `offset` into buffer; MARL_OK or an error. */
    marl_status (*read)(uint64_t offset, void *buffer, size_t bytes, void *user);
    void *user;           /**< handed to read */
} marl_source;

/** Where bytes go: a path (written to a temporary file, synced, renamed), or a callback that takes them in order. */
typedef struct marl_sink {
    uint32_t struct_size; /**< sizeof(marl_sink) */
    uint32_t reserved;    /**< zero */
    const char *path;     /**< a file */
    /** Takes the next `bytes` bytes; MARL_OK or an error. */
    marl_status (*write)(const void *data, size_t bytes, void *user);
    void *user;           /**< handed to write */
} marl_sink;

/** Sets every member to zero and struct_size to the caller's. NULL is ignored. */
MARL_API void marl_source_init(marl_source *source, uint32_t struct_size);
/** See marl_source_init. */
MARL_API void marl_sink_init(marl_sink *sink, uint32_t struct_size);

/** Loads a team. spec: the environment to play in; NULL: that of the training. A policy fits every spec for which each
 * parameter keeps its name and shape. The source is treated as hostile: MARL_E_FORMAT, MARL_E_VERSION or
 * MARL_E_MISMATCH say what is wrong. */
MARL_API marl_status marl_policy_load(marl_device *device, const marl_source *source, const marl_env_spec *spec,
                                      marl_policy **out);

/** marl_policy_load from a path: a policy file, or a run's directory (its policy.safetensors). */
MARL_API marl_status marl_policy_load_file(marl_device *device, const char *path, const marl_env_spec *spec,
                                           marl_policy **out);

/** Writes the team. */
MARL_API marl_status marl_policy_save(const marl_policy *policy, const marl_sink *sink);

/** Ends a policy; its states must be ended first. NULL is fine. */
MARL_API void marl_policy_destroy(marl_policy *policy);

/** N. 0 if policy is no policy; so the following. */
MARL_API uint32_t marl_policy_agent_count(const marl_policy *policy);
/** O: length of an agent's observation. */
MARL_API uint32_t marl_policy_obs_size(const marl_policy *policy);
/** A: number of actions. */
MARL_API uint32_t marl_policy_action_count(const marl_policy *policy);
/** Name of the algorithm that trained it ("qmix"); borrowed. */
MARL_API const char *marl_policy_algo(const marl_policy *policy);
/** Name of the environment it was trained in; borrowed. */
MARL_API const char *marl_policy_env(const marl_policy *policy);

/** Creates the memory of `teams` teams played side by side, all at the start of an episode. seed: of the random
 * choices. out: owned by the caller. */
MARL_API marl_status marl_policy_state_create(const marl_policy *policy, uint32_t teams, uint64_t seed,
                                              marl_policy_state **out);

/** Ends a state. NULL is fine. */
MARL_API void marl_policy_state_destroy(marl_policy_state *state);

/** Starts a new episode for one team: forgets what it remembered. */
MARL_API marl_status marl_policy_state_reset(marl_policy_state *state, uint32_t team);

/** Chance with which an agent acts at random (uniformly over its available actions), 0 to 1; 0 at create. */
MARL_API marl_status marl_policy_state_set_epsilon(marl_policy_state *state, double epsilon);

/** Bytes of a snapshot. 0 if state is no state. */
MARL_API size_t marl_policy_state_snapshot_bytes(const marl_policy_state *state);

/** Writes everything the teams remember, the random stream included. */
MARL_API marl_status marl_policy_state_snapshot(const marl_policy_state *state, void *bytes, size_t byte_count);

/** Takes up a snapshot of a state of the same policy and team count. */
MARL_API marl_status marl_policy_state_restore(marl_policy_state *state, const void *bytes, size_t byte_count);

/** Chooses an action for every agent of every team.
 * obs: (teams, N, O). avail: (teams, N, A), NULL: everything available; where agents have fewer actions than A give a
 * mask, as marl_env_observe does. alive: (teams, N), NULL: all alive; agents that are not get action 0. actions:
 * (teams, N), written. MARL_E_NOT_FINITE names team and agent of a NaN; MARL_E_ARGUMENT an agent alive with nothing
 * available. On failure nothing is remembered of the call. */
MARL_API marl_status marl_policy_act(const marl_policy *policy, marl_policy_state *state, const float *obs,
                                     const uint8_t *avail, const uint8_t *alive, int32_t *actions);

/** As marl_policy_act, and also writes the action values (teams, N, A) the choice rests on. */
MARL_API marl_status marl_policy_act_values(const marl_policy *policy, marl_policy_state *state, const float *obs,
                                            const uint8_t *avail, const uint8_t *alive, int32_t *actions,
                                            float *values);

#ifdef __cplusplus
}
#endif
#endif
