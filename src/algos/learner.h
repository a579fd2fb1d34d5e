/* SPDX-License-Identifier: Apache-2.0 */
/* What the layer above (trainer, session, policy) knows of an algorithm: sizes in, episodes in, parameters out. One
 * learner skeleton a family; a member differs in its loss, its critic's input and its update order. */
#ifndef MARL__ALGOS_LEARNER_H
#define MARL__ALGOS_LEARNER_H

#include "algos/phases.h"
#include "core/base/keys.h"
#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "nets/net.h"

/* Sizes of a team, from a marl_env_spec (src/run) or a test. */
typedef struct marl__team_shape {
    int32_t agents, obs, actions, state; /* N, O, A, S */
    int32_t rewards;                     /* 1, or N: one reward an agent (iql only) */
    int32_t episode_limit;               /* most transitions an episode can have */
    marl__entities entities;             /* what the agents see of entities, for nets that ask */
} marl__team_shape;

/* Where an episode's slots go in a batch: that of slot t to row offset[t] + place. NULL arrays are skipped. */
typedef struct marl__slot_rows {
    const int32_t *offset;
    int32_t place;
    float *obs, *state, *avail; /* (rows, N, O), (rows, S), (rows, N, A) */
} marl__slot_rows;

/* One episode of L transitions, slots 0..L; slot L holds the final observation. All arrays borrowed. */
typedef struct marl__episode {
    int32_t length;         /* L >= 1 */
    int32_t terminated;     /* 1: the last transition is a real end; 0: cut off, bootstrap */
    const float *obs;       /* (L+1, N, O) */
    const float *state;     /* (L+1, S) */
    const uint8_t *avail;   /* (L+1, N, A) */
    const int32_t *actions; /* (L, N), or (L+1, N) when final_action */
    const float *rewards;   /* (L, rewards) */
    int32_t final_action;   /* 1: actions holds one for slot L too */
    /* Set: obs and state are NULL, perhaps avail too; they are kept in another form, and this writes them out, slots
     * 0..L. Called from several threads at once. */
    marl_status (*unpack)(const struct marl__episode *episode, const marl__slot_rows *rows);
    const void *packed, *packing; /* the bytes, and what they are read with */
} marl__episode;

typedef struct marl__update_result {
    double loss, grad_norm;      /* norm before clipping, largest over the groups */
    double td_abs, q_mean, target_mean; /* masked means; value family */
} marl__update_result;

/* A named piece of a learner's state, for checkpoints: visited in a fixed order. Exactly one of the pointers is set. */
typedef struct marl__state_item {
    const char *name;
    float *f32;
    double *f64;
    int64_t *i64;
    size_t count;
} marl__state_item;

typedef struct marl__learner marl__learner;

/* One algorithm. */
typedef struct marl__algo_type {
    const char *name, *help;
    marl__key_table keys;         /* of its family; net and mixer keys come from the nets */
    marl__key_table own_keys;     /* of the algorithm alone */
    const char *net;              /* default kind of its agent net */
    int32_t mixer;                /* marl__mixer_kind */
    /* Creates a learner for batches of at most `batch` episodes. config: a run's ("lr", "net.hidden_dim", ...).
     * seed: of the initial parameters. keep_values: 1 keeps the values between input and loss readable (tests). */
    marl_status (*create)(marl_device *device, const struct marl__algo_type *type, const marl_config *config,
                          const marl__team_shape *shape, int32_t batch, uint64_t seed, int32_t keep_values,
                          marl__learner **out);
} marl__algo_type;

uint32_t marl__algo_type_count(void);
const marl__algo_type *marl__algo_type_at(uint32_t index);
marl_status marl__algo_type_find(const char *name, const marl__algo_type **out); /* MARL_E_NAME with the nearest */
/* Presets of the algorithms: "pymarl", "epymarl" (not of qplex and qtran), "tuned", "quick"; hpn_*: "pymarl3", "tuned",
 * "quick". */
const marl__preset *marl__algo_presets(const marl__algo_type *type, uint32_t *out_count);

void marl__learner_destroy(marl__learner *learner);

/* An update: begin takes up the batch (borrowed until the update is done), advance works on it unit by unit until done
 * or should_stop says so. MARL_E_NOT_FINITE: a NaN in the gradient; parameters are unchanged bit for bit and the update
 * is over. env_steps, episodes: totals so far, for schedules and target copies. */
marl_status marl__learner_begin(marl__learner *learner, const marl__episode *episodes, int32_t count,
                                uint64_t env_steps, uint64_t episode_total);
marl_status marl__learner_advance(marl__learner *learner, marl__should_stop should_stop, void *user,
                                  int32_t *out_is_done);
marl_status marl__learner_update(marl__learner *learner, const marl__episode *episodes, int32_t count,
                                 uint64_t env_steps, uint64_t episode_total, marl__update_result *out);
void marl__learner_result(const marl__learner *learner, marl__update_result *out); /* of the last finished update */

/* Parameters: the table, and the published version (immutable until the next update is done). */
const marl__params *marl__learner_params(const marl__learner *learner);
const marl__version *marl__learner_version(const marl__learner *learner);
/* Replaces the online parameters of every table entry (and copies them to the targets when also_targets). */
void marl__learner_set_params(marl__learner *learner, const float *flat, int32_t also_targets);
/* Sets one parameter by name; "target:NAME" the target network's. Ends with marl__learner_repack. */
marl_status marl__learner_set_param(marl__learner *learner, const char *name, const float *values, size_t count);
void marl__learner_repack(marl__learner *learner);

/* Everything that affects later updates, besides the config: item `index`, 0 past the end. After writing into the items
 * of a learner call marl__learner_restored. */
int32_t marl__learner_state(marl__learner *learner, int32_t index, marl__state_item *out);
marl_status marl__learner_restored(marl__learner *learner);

/* Tests: a kept value ("q", "target_q", "greedy", "q_tot", "target_q_tot", "targets", "mask", "agent_inputs") of the
 * last update at (episode of the batch, slot): a pointer to its columns (times agents for agent rows), NULL: none. */
const void *marl__learner_probe(const marl__learner *learner, const char *name, int32_t episode, int32_t slot);
/* Gradient of a parameter after the last update, summed over shards, before clipping. */
const float *marl__learner_gradient(const marl__learner *learner, int32_t param);
double marl__learner_flops(const marl__learner *learner); /* of the last update's batch */

/* Acting: what a team needs to choose actions with the agent net, shared by learner, trainer and policy. */
typedef struct marl__agent {
    marl__net net;
    int32_t agents, obs, actions;
    int32_t last_action, agent_id; /* inputs besides the observation */
    int32_t groups;
} marl__agent;

/* Number of input columns of the net. */
int32_t marl__agent_inputs(const marl__agent *agent);
/* Reads "net", "share", "agent_id", "last_action" and the net's keys of a run's config; declares the parameters in a
 * new range "agent" of optimiser group 0. */
marl_status marl__agent_declare(const marl_config *config, const marl__team_shape *shape, marl__params *params,
                                marl__agent *out);
/* obs (AGENT, O); last: (AGENT i32, previous action or -1), -1 when there is no such input. values->x: -1, or what an
 * earlier net of this graph was given, which is the same. Keeps "agent_inputs" when keep. */
void marl__agent_build(const marl__agent *agent, marl__graph *graph, int32_t slot, marl__val obs, marl__val last,
                       marl__net_values *values, int32_t keep);

/* The agent a learner trains, for an actor on the learner's own table; borrowed. */
const marl__agent *marl__learner_agent(const marl__learner *learner);

/* A plan for acting with up to `teams` teams side by side: one slot, state in and out. */
typedef struct marl__actor marl__actor;
typedef struct marl__actor_run marl__actor_run; /* arena and bindings; one thread at a time */
marl_status marl__actor_create(marl_device *device, const marl__agent *agent, const marl__params *params,
                               int32_t teams, marl__actor **out);
void marl__actor_destroy(marl__actor *actor);
int32_t marl__actor_hidden(const marl__actor *actor); /* H, 0: no memory */
marl_status marl__actor_run_create(const marl__actor *actor, marl__actor_run **out);
void marl__actor_run_destroy(marl__actor_run *run);
/* Action values of teams [0, teams): obs (teams,N,O), last (teams,N; -1: none), hidden (teams,N,H) read,
 * next_hidden (teams,N,H) written (may not overlap hidden), values (teams,N,A) written. hidden NULL: zeros. Runs on the
 * caller's thread; allocates nothing. */
void marl__actor_values(marl__actor_run *run, const marl__version *version, int32_t teams, const float *obs,
                        const int32_t *last, const float *hidden, float *next_hidden, float *values);
/* Epsilon-greedy over available actions (avail NULL: all): each agent draws its own chance u < epsilon, then a uniform
 * available action; otherwise the greatest value, lowest index wins. alive NULL: all; others get action 0. An agent
 * alive with nothing available gets -1. Draws for agent i of a team are words 2i and 2i+1 after *rng; rng moves on by
 * 2 N whatever happens. */
void marl__choose(const marl__agent *agent, const float *values, const uint8_t *avail, const uint8_t *alive,
                  double epsilon, marl__rng *rng, int32_t *actions);
double marl__epsilon(const marl_config *config, uint64_t env_steps); /* the schedule of spec: linear to epsilon_end */

#endif
