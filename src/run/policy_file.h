/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a trained team: a safetensors file that holds what acting needs and nothing else.
 *
 *   tensors    one a parameter of the range "agent", by its name in the table ("agent.fc1.weight"), F32;
 *              when observations are scaled: obs.scale and obs.shift, (1,O) if all agents share them, else (N,O)
 *   metadata   marl.policy  JSON {schema, algo, component, env {name, version, hash}, agents, obs, actions, rewards},
 *                           and entities (entities_file.h) where the net looks at them
 *              marl.agent   JSON object of the config keys the agent is built from: net, share, agent_id, last_action
 *                           and net.KEY of the net in use
 *
 * A file read and written again has the same bytes. */
#ifndef MARL__RUN_POLICY_FILE_H
#define MARL__RUN_POLICY_FILE_H

#include "algos/learner.h"
#include "core/io/safetensors.h"

enum { MARL__POLICY_SCHEMA = 1 };

/* What is written. Everything is borrowed during the call. */
typedef struct marl__policy_file {
    const marl_config *config;    /* of a run: its agent keys go into the file */
    const char *component;        /* name of that run; NULL: the config's */
    const char *algo;
    const char *env_name, *env_version;
    uint64_t env_hash;
    marl__team_shape shape;       /* agents, obs, actions, rewards and, if the net looks at them, entities count */
    const marl__params *params;   /* the range "agent" is written */
    const float *flat;            /* values of the whole table */
    const float *obs_scale, *obs_shift; /* (scale_rows, O); NULL: observations go in as they are */
    int32_t scale_rows;           /* 1 or N */
} marl__policy_file;

marl_status marl__policy_file_write(marl__heap *heap, const marl__policy_file *desc, const marl_sink *sink);

/* An open file, its header read and checked. */
typedef struct marl__policy_reader {
    marl__safetensors *file;
    char algo[64], component[384], env_name[256], env_version[256];
    uint64_t env_hash;
    marl__team_shape shape;       /* agents, obs, actions, rewards, entities; the rest 0 but episode_limit, 1 */
    marl_config *config;          /* of "run/ALGO", with the agent's keys of the file */
    int32_t scale_rows;           /* 0: no scaling; else 1 or N */
} marl__policy_reader;

/* The source is hostile. MARL_E_FORMAT, MARL_E_VERSION, MARL_E_NAME (an algorithm or net this build lacks). On failure
 * the reader is empty; closing it is fine. heap and source are used until close. */
marl_status marl__policy_reader_open(marl__heap *heap, const marl_source *source, marl__policy_reader *out);
void marl__policy_reader_close(marl__policy_reader *reader);

/* Whether the file holds exactly the parameters of the table's range "agent", in name and shape: MARL_E_MISMATCH names
 * the tensor and both shapes. Needs no values, so it comes before they are allocated. */
marl_status marl__policy_reader_match(const marl__policy_reader *reader, const marl__params *params);

/* Reads the parameters into a flat vector of the table's layout (other ranges untouched); MARL_E_NOT_FINITE names the
 * tensor. After marl__policy_reader_match only. On failure the range holds anything. */
marl_status marl__policy_reader_params(marl__policy_reader *reader, const marl__params *params, float *flat);

/* Reads the scaling: (scale_rows, O) each. */
marl_status marl__policy_reader_scaling(marl__policy_reader *reader, float *scale, float *shift);

/* Index of the range "agent", -1: none. */
int32_t marl__agent_range(const marl__params *params);

#endif
