/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded results of other implementations: one case of a manifest with its file of arrays, and the comparison with
 * what we compute. A family is one adapter that turns dims and hyperparameters of its cases into nets, learners and
 * settings of ours; nothing about a single case is compiled in. */
#ifndef MARL__TESTS_GOLDEN_H
#define MARL__TESTS_GOLDEN_H

#include "core/base/json.h"
#include "core/device.h"
#include "core/io/safetensors.h"
#include "core/params/params.h"

struct marl__entities;

typedef struct marl__golden {
    marl__heap *heap;
    const marl__json *json;
    const char *name;
    int32_t entry, dims, hyper, arrays; /* values in json */
    marl__safetensors *file;
    void *blocks[4096];                 /* everything read, freed together */
    int32_t block_count, array_count;
    uint8_t *is_compared;               /* of each array of the manifest, in its order */
    int64_t numbers;                    /* compared */
    double worst;                       /* greatest difference, as a share of its tolerance */
    char worst_name[96];
    char fault[512];                    /* the first thing wrong; "": nothing */
} marl__golden;

/* A case without its file: enough for the rules that skip it. */
void marl__golden_describe(const marl__json *json, int32_t entry, const char *name, marl__golden *out);
/* Opens its file in dir; faults like every other call. Ended with marl__golden_close. */
void marl__golden_open(marl__golden *golden, marl__heap *heap, const char *dir);
void marl__golden_close(marl__golden *golden);
void marl__golden_fault(marl__golden *golden, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A fault with the library's last error, unless status is MARL_OK. Returns whether nothing is wrong so far. */
int marl__golden_ok(marl__golden *golden, marl_status status);

/* Sizes of the case; a missing one is a fault. */
int32_t marl__golden_dim(marl__golden *golden, const char *key);
/* An element of a list among the dims; `otherwise` if there is none. Booleans are 0 and 1. */
int32_t marl__golden_dim_at(const marl__golden *golden, const char *key, int32_t index, int32_t otherwise);
/* Hyperparameters; `otherwise` stands for missing and null. */
double marl__golden_real(const marl__golden *golden, const char *key, double otherwise);
int marl__golden_flag(const marl__golden *golden, const char *key, int otherwise);
const char *marl__golden_word(const marl__golden *golden, const char *key, const char *otherwise);

/* Arrays of the manifest in order: name of the array at an index, NULL beyond the last. */
const char *marl__golden_array(const marl__golden *golden, int32_t index);
/* Numbers an array holds by its shape in the manifest; 0 if there is no such array. */
size_t marl__golden_count(const marl__golden *golden, const char *array);
int32_t marl__golden_shape(const marl__golden *golden, const char *array, int32_t axis); /* 0 beyond the rank */
/* The array as floats (integers are converted) or integers: NULL and a fault if it is missing or has another count. */
float *marl__golden_floats(marl__golden *golden, const char *array, size_t count);
int32_t *marl__golden_ints(marl__golden *golden, const char *array, size_t count);
void *marl__golden_room(marl__golden *golden, size_t count, size_t element_bytes); /* zeroed; freed at close */

/* Compares with a recorded array under both tolerances of the manifest: every entry, and the root mean square over the
 * entries. use: NULL, or 1 for each entry to compare. */
void marl__golden_compare(marl__golden *golden, const char *array, const double *got, size_t count,
                          const uint8_t *use);
void marl__golden_compare_floats(marl__golden *golden, const char *array, const float *got, size_t count);
/* A result that is left out knowingly. */
void marl__golden_leave_out(marl__golden *golden, const char *array);
/* At the end: a result (out, loss, grad, grad_in, after) that nothing was compared with is a fault. */
void marl__golden_finish(marl__golden *golden);

/* Families (golden_nets.c, golden_returns.c, golden_value.c). */
typedef struct marl__golden_family {
    const char *name;
    /* Why a case is not run, by a rule on its dims and hyperparameters; NULL: it is. */
    const char *(*skip)(const marl__golden *golden);
    /* shard_rows: the least rows a shard of a batch has. */
    void (*run)(marl__golden *golden, marl_device *device, int32_t shard_rows);
    const char *left_out; /* a result that is not compared, and why; NULL: none */
    int (*matches_defect)(const marl__golden *golden); /* whether a key of ours reproduces what rests on a defect */
} marl__golden_family;

void marl__golden_mlp(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_gru_agent(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_vdn_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_qmix_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_qplex_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_td_targets(marl__golden *golden, marl_device *device, int32_t shard_rows);
const char *marl__golden_mlp_skip(const marl__golden *golden);
void marl__golden_mlp_base(marl__golden *golden, marl_device *device, int32_t shard_rows);
const char *marl__golden_mlp_base_skip(const marl__golden *golden);

/* Host passes of on-policy learners. */
void marl__golden_gae_returns(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_value_norm(marl__golden *golden, marl_device *device, int32_t shard_rows);

/* Learning steps in the form of PyMARL2 and of EPyMARL. */
void marl__golden_q_step(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_one_step(marl__golden *golden, marl_device *device, int32_t shard_rows);
/* QPLEX as in PyMARL2, and as in its original code: one-step targets, RMSprop, the whole squared error. */
void marl__golden_qplex_step(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_qplex_original(marl__golden *golden, marl_device *device, int32_t shard_rows);
const char *marl__golden_qtran_skip(const marl__golden *golden);
const char *marl__golden_q_step_skip(const marl__golden *golden);
const char *marl__golden_one_step_skip(const marl__golden *golden);

/* Whether an episode of the case was cut off before the longest one ended. */
int marl__golden_is_cut_short(const marl__golden *golden);
/* Parameter of net kind base for a recorded one behind its owner's name: "mlp.fc.3.weight" of "agent0.base." is
 * "fc2.weight", "rnn.rnn.bias_hh_l0" is "rnn.bias_hh", "act.action_out.linear.bias" is "out.bias". prefix: what stands
 * before the name in the arrays, "param.agent0.base.". A name it does not know is given back. */
void marl__golden_base_name(const marl__golden *golden, const char *prefix, const char *name, char *out, size_t bytes);
/* Name of one of our parameters for a recorded one, which is the same where params has it, or another spelling:
 * "target_mixer.V.2.bias" -> "mixer.hyper_b2.2.bias" of qmix. Whether it belongs to the target net; *copy: which one,
 * where ours holds those of every agent ("agent.agents.1.fc1.bias") or kernel ("key_extractors.1.0.bias"), else -1. */
void marl__golden_param_name(const marl__params *params, const char *recorded, char *out, size_t bytes,
                             int32_t *is_target, int32_t *copy);
/* Which of our parameters' numbers a recorded array of some numbers is: index of the parameter, and the first number
 * in it. -1 and a fault if there is no such parameter or it has another size. */
int32_t marl__golden_find_param(marl__golden *golden, const marl__params *params, const char *recorded, size_t count,
                                int32_t *is_target, size_t *first);

/* Where each number of a recorded parameter stands in our flat vector: those of one published tensor may lie in
 * several of ours. NULL and a fault if there is no place. */
size_t *marl__golden_places(marl__golden *golden, const marl__params *params, const char *recorded, size_t *out_count,
                            int32_t *is_target);

/* HPN (golden_hpn.c): whether a case is one; its entities; the places of the agent's parameters ("own.bias"). */
int marl__golden_is_hpn(const marl__golden *golden);
void marl__golden_entities(marl__golden *golden, struct marl__entities *out);
size_t *marl__golden_hpn_places(marl__golden *golden, const marl__params *params, const char *name, size_t count);
void marl__golden_hpn_agent(marl__golden *golden, marl_device *device, int32_t shard_rows);
void marl__golden_hpn_step(marl__golden *golden, marl_device *device, int32_t shard_rows);
const char *marl__golden_hpn_skip(const marl__golden *golden);

#endif
