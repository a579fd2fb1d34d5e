/* SPDX-License-Identifier: Apache-2.0 */
/* A replay file: one episode that can be watched again. It holds no pictures. An environment does the same again from
 * the same settings, seed and actions, so those are the file, with the rewards to check by, and who played. It is one
 * JSON object:
 *
 *     {"marl_replay": 1, "env": "lbf:8x8-2p-2f", "env_version": "1", "env_hash": "00ab...", "settings": {...},
 *      "seed": "123", "agents": 2, "action_dims": 1, "reward_count": 1,
 *      "policy": {"path": "runs/a", "algo": "qmix", "epsilon": 0, "seed": "1", "episode": 1},
 *      "outcome": "won", "truncated": false, "steps": 14, "return": 0.5,
 *      "discrete": [[2,0], ...], "rewards": [[0], ...]}
 *
 * N agents, D the greatest action_dims of the environment, T steps. `discrete` and `continuous` hold N * D numbers a
 * step, agent by agent, as marl_actions does; the one that no agent uses is left out. Seeds are text: they have 64
 * bits. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include "run_config.h"

typedef struct replay {
    char env[COMPONENT_BYTES], env_version[64];
    uint64_t env_hash, seed;
    char *settings;           /* the environment's keys, a JSON object; owned */
    uint32_t agents, dims;    /* N, D */
    uint32_t reward_count;    /* rewards a step: 1 or N */
    uint32_t steps, capacity; /* T, and for how many there is room */
    bool has_discrete, has_continuous;
    int32_t *discrete;        /* (T,N,D) */
    float *continuous;        /* (T,N,D) */
    double *rewards;          /* (T,reward_count) */
    double total;             /* all rewards together */
    int32_t outcome;          /* marl_outcome */
    bool is_truncated;
    char policy[PATH_BYTES], algo[COMPONENT_BYTES];
    double epsilon;
    uint64_t play_seed, episode;
} replay;

/* Takes over what an environment is: name, rules, settings (a config of "env/NAME"), the shape of a step. What the
 * replay held before is forgotten, its memory is used again. An exit status. */
int replay_begin(replay *replay, const marl_env_spec *spec, const marl_config *settings, uint64_t seed);

/* Appends a step; an exit status. */
int replay_add(replay *replay, const marl_actions *actions, const double *rewards);

/* How the episode ended: the last step's result. */
void replay_end(replay *replay, const marl_step *step);

/* Frees what it holds. */
void replay_free(replay *replay);

/* Writes the file; an exit status. */
int replay_write(const replay *replay, const char *path);

/* Reads a file, trusting nothing in it but what marl_env_step will check. An exit status. */
int replay_read(const char *path, replay *out);

/* replay_read of a text that ends in NUL; path: named in messages. */
int replay_parse(const char *path, const char *text, size_t bytes, replay *out);

/* Makes the environment of a replay and begins its episode. path: named in messages. Refuses an environment whose rules
 * or shapes are others than the replay's. An exit status. */
int replay_open_env(const replay *replay, const char *path, marl_env **out);

/* Does step number `index`, from 0, and refuses a result other than the recorded one. rewards: (N). An exit status. */
int replay_step(const replay *replay, const char *path, marl_env *env, uint32_t index, marl_step *step,
                double *rewards);

/* The sum of a step's rewards. */
double replay_reward(const replay *replay, uint32_t index);

/* "won", "lost", "out of time" or "ended". */
const char *outcome_text(int32_t outcome, bool is_truncated);

#endif
