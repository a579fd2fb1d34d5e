/* SPDX-License-Identifier: Apache-2.0 */
/* A policy and environments to play it in, shared by eval, play and bench. */
#ifndef CLI_PLAY_ENV_H
#define CLI_PLAY_ENV_H

#include "options.h"

/* Teams played side by side: enough that products have rows to work on. */
enum { TEAMS_MAX = 16 };

/* One policy and `teams` environments, with the buffers of a step. N agents, O observation, A actions. */
typedef struct stage {
    marl_device *device;
    marl_policy *policy;
    marl_policy_state *state;
    marl_env *envs[TEAMS_MAX];
    const marl_env_spec *spec;
    marl_config *settings; /* of the environments, "env/NAME" */
    uint32_t teams, agents, obs_size, actions_max;
    float *obs;         /* (teams,N,O) */
    uint8_t *avail;     /* (teams,N,A) */
    uint8_t *alive;     /* (teams,N), 0 for teams that have nothing left to play */
    int32_t *actions;   /* (teams,N) */
    double *rewards;    /* (N) or (1) of one team */
} stage;

/* Loads a policy (path: a run's directory or a file; NULL is refused) and makes its environments: those of
 * --env, else those of the training with the training's env.* keys, changed by --set env.KEY=VALUE. An exit status. */
int stage_open(const options *options, const char *path, uint32_t teams, uint64_t seed, double epsilon, stage *out);

/* Ends everything. */
void stage_close(stage *stage);

/* The seed that an environment starts an episode from. */
uint64_t stage_seed(uint64_t seed, uint64_t episode);

/* Starts episode number `episode` in a team's environment; its seed is stage_seed(seed, episode). */
marl_status stage_begin(stage *stage, uint32_t team, uint64_t seed, uint64_t episode);

/* Takes a team out of play: its agents are no longer alive. */
void stage_rest(stage *stage, uint32_t team);

/* Chooses an action for every agent in play. */
marl_status stage_act(stage *stage);

/* Does a team's actions and, unless the episode is over, looks again. *out_reward: the team's reward, summed over the
 * agents if each has its own. */
marl_status stage_step(stage *stage, uint32_t team, marl_step *step, double *out_reward);

#endif
