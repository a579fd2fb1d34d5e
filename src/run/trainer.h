/* SPDX-License-Identifier: Apache-2.0 */
/* A run: what marl_trainer is made of, for the files that share it. trainer.c makes it, train_loop.c runs it,
 * run_dir.c keeps its directory, checkpoint_write.c and checkpoint_read.c its state. */
#ifndef MARL__RUN_TRAINER_H
#define MARL__RUN_TRAINER_H

#include <stdatomic.h>

#include "marl/trainer.h"
#include "run/metrics.h"
#include "run/replay.h"

/* An update is so many micro-updates; the debt is kept in them, so that fractions of an update add up exactly. */
#define MARL__MICRO INT64_C(1000000)

enum { MARL__DIR_BYTES = 3900 };

/* How far a run has come: plain values, all of them saved. A boundary is the end of an iteration. */
typedef struct marl__run_state {
    uint64_t steps, episodes, updates;
    int64_t debt;                 /* micro-updates due, below one update at a boundary */
    uint64_t sample_counter;      /* of the random stream that samples the replay */
    marl__window window;          /* since the last metrics record */
    marl__means shown;            /* of the last record's window */
    marl__evaluation evaluation;  /* the last; episodes 0: none yet */
    uint64_t has_best;
    double best;                  /* highest mean return of an evaluation */
    uint64_t is_started;          /* the environments are inside episodes */
} marl__run_state;

struct marl_trainer {
    uint32_t tag;
    marl_device *device;
    marl_config *config, *env_config;
    char algo_name[64];
    const char *env_name;         /* points into the config's component; NULL: the host's environment */
    marl_env_type env_type;
    marl__env_maker maker;
    const marl__algo_type *algo;
    marl__team_view view;
    marl__vector *vector, *evaluator;
    marl__learner *learner;
    marl__actor *actor;
    marl__rebuilder *rebuilder;   /* replay.store=state */
    marl__replay_format format;
    marl__replay *replay;
    marl__episode *batch;         /* (batch_size) */
    int32_t batch_size, train_start;
    int64_t micro_per_step, micro_per_episode;
    uint64_t eval_every, metrics_every, progress_every, checkpoint_every, eval_episodes;
    double eval_epsilon;
    uint64_t seed;
    int32_t is_resumable;         /* the environment has save and restore */

    marl__run_state state;
    uint64_t target_steps;
    uint64_t saved_steps;         /* steps of the last checkpoint in the directory */
    _Atomic int32_t should_stop;
    int32_t is_running, is_reporting; /* inside marl_trainer_run; inside the callback */
    int32_t has_run;
    int64_t run_ns, act_ns, env_ns, learn_ns, began_ns; /* for display */

    marl_progress_callback callback;
    void *callback_user;

    int32_t has_dir;
    char dir[MARL__DIR_BYTES];
    marl__metrics metrics;
};

/* MARL_OK if trainer is one, on a device of this process, and not inside marl_trainer_run unless it reports. */
marl_status marl__trainer_check(const marl_trainer *trainer, int32_t may_report);

int64_t marl__now_ns(void);
/* A replay as the config says, empty. */
marl_status marl__trainer_make_replay(marl_trainer *trainer, marl__replay **out);
void marl__trainer_fill_progress(const marl_trainer *trainer, int32_t is_evaluation, marl_progress *out);
/* Writes the team as it plays now. */
marl_status marl__trainer_write_policy(marl_trainer *trainer, const marl_sink *sink);

/* run_dir.c: nothing is done, with MARL_OK, while no directory is open. */
marl_status marl__run_dir_record(marl_trainer *trainer, const marl__record *record);
marl_status marl__run_dir_best(marl_trainer *trainer);
marl_status marl__run_dir_checkpoint(marl_trainer *trainer); /* with the policy */

/* checkpoint_write.c, checkpoint_read.c */
marl_status marl__checkpoint_write(marl_trainer *trainer, const marl_sink *sink);
/* All or nothing. The byte lengths of the metrics go to the out-parameters. */
marl_status marl__checkpoint_read(marl_trainer *trainer, const marl_source *source, uint64_t *out_json_bytes,
                                  uint64_t *out_csv_bytes);

#endif
