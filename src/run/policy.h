/* SPDX-License-Identifier: Apache-2.0 */
/* A trained team in memory: what policy.c loads and policy_state.c plays. */
#ifndef MARL__RUN_POLICY_H
#define MARL__RUN_POLICY_H

#include "algos/learner.h"
#include "marl/policy.h"

/* Immutable after load, so that any number of states act on it at once. */
struct marl_policy {
    uint32_t tag;
    uint32_t fingerprint;        /* of parameters and sizes: whose snapshots fit */
    marl_device *device;
    marl_config *config;         /* of "run/ALGO": what the agent is built from */
    marl__params *params;
    marl__version version;
    marl__agent agent;
    marl__team_shape shape;      /* as it plays; the agents may be others than in training */
    float *scale, *shift;        /* (scale_rows, O), NULL when scale_rows is 0 */
    int32_t scale_rows;          /* 0: observations go in as they are; 1: for every agent; N */
    char algo[64], component[384], env_name[256], env_version[256];
    uint64_t env_hash;
};

#endif
