/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpoint holds, as a list of pieces that writing and reading share, so that nothing can be written and not
 * read. Most pieces lie where the run keeps them; the rest is packed into a snapshot first.
 *
 *   run.counters, run.sums   the values of marl__run_state, in the order of the lists below
 *   learner.*                the learner's own items
 *   env.*                    one row an environment: what it saved, its counters, what it shows now
 *   open.*                   the open episodes, slots 0..limit of each environment; slots not reached hold what is left
 *                            of earlier episodes; open.saved with replay.store=state, else open.obs, .state, .avail
 *   replay.lengths, .terminated, .records   the stored episodes, the oldest first; left out by checkpoint.replay=none
 *
 * The texts beside them: marl.checkpoint (schema, version, device), marl.run (component, config), marl.env (what of the
 * environment decides shapes and rules), marl.layout (of the flat parameter vectors), marl.counters (for people). */
#ifndef MARL__RUN_CHECKPOINT_H
#define MARL__RUN_CHECKPOINT_H

#include "core/io/safetensors.h"
#include "run/trainer.h"

enum { MARL__CHECKPOINT_SCHEMA = 1, MARL__PIECES_MAX = 192 };

#define MARL__CHECKPOINT_HEAD "marl.checkpoint"
#define MARL__CHECKPOINT_RUN "marl.run"
#define MARL__CHECKPOINT_ENV "marl.env"
#define MARL__CHECKPOINT_LAYOUT "marl.layout"
#define MARL__CHECKPOINT_COUNTERS "marl.counters"

/* Values of the run state; the order is that of the file. */
#define MARL__RUN_COUNTERS(X)                                                                                         \
    X(steps) X(episodes) X(updates) X(debt) X(sample_counter) X(window.episodes) X(window.outcomes) X(window.won)     \
    X(window.length_sum) X(window.updates) X(evaluation.episodes) X(has_best) X(is_started)
#define MARL__RUN_SUMS(X)                                                                                             \
    X(window.return_sum) X(window.loss_sum) X(window.grad_norm_sum) X(window.td_abs_sum) X(window.q_mean_sum)         \
    X(window.target_mean_sum) X(shown.return_mean) X(shown.length_mean) X(shown.win_rate) X(shown.loss)               \
    X(shown.grad_norm) X(shown.td_abs) X(shown.q_mean) X(shown.target_mean) X(evaluation.return_mean)                 \
    X(evaluation.return_std) X(evaluation.length_mean) X(evaluation.win_rate) X(best)

#define MARL__COUNT_ONE(name) +1
enum {
    MARL__JSON_BYTES_AT = 0 MARL__RUN_COUNTERS(MARL__COUNT_ONE), /* byte lengths of the metrics files stand last */
    MARL__CSV_BYTES_AT,
    MARL__COUNTERS,
    MARL__SUMS = 0 MARL__RUN_SUMS(MARL__COUNT_ONE)
};

/* What a piece may hold; anything else is MARL_E_FORMAT. */
enum marl__piece_rule {
    MARL__PIECE_ANY,
    MARL__PIECE_FINITE,
    MARL__PIECE_FLAGS,   /* 0 or 1 */
    MARL__PIECE_INDEX,   /* 0 .. bound - 1 */
    MARL__PIECE_LAST,    /* -1 .. bound - 1 */
    MARL__PIECE_COUNT    /* 0 .. 2^53 */
};

typedef struct marl__piece {
    char name[64];
    int32_t type;        /* marl__tensor_type */
    uint32_t rank, shape[3];
    void *data;
    size_t bytes;
    int32_t rule, bound;
} marl__piece;

/* Packed values and the list. */
typedef struct marl__snapshot {
    int64_t counters[MARL__COUNTERS];
    double sums[MARL__SUMS];
    int64_t *env_episodes, *env_draws; /* (E): next episode, words drawn for exploration */
    int32_t *env_lengths;              /* (E) */
    double *env_rewards;               /* (E) */
    uint8_t *env_bytes;                /* (E, save_bytes), zero while no episode is open */
    size_t save_bytes;                 /* of one environment; 0: it cannot be saved */
    marl__piece pieces[MARL__PIECES_MAX];
    int32_t count;
} marl__snapshot;

/* Makes the list for a trainer as it is now; the packed values are not filled in. */
marl_status marl__snapshot_create(marl_trainer *trainer, marl__snapshot **out);
void marl__snapshot_destroy(marl_trainer *trainer, marl__snapshot *snapshot);

marl_status marl__snapshot_pack(marl_trainer *trainer, marl__snapshot *snapshot);
/* The environments are restored apart: that may fail. */
void marl__snapshot_unpack(marl_trainer *trainer, const marl__snapshot *snapshot);

/* The texts, JSON each. */
void marl__checkpoint_write_env(const marl_trainer *trainer, marl__json_writer *json);
marl_status marl__checkpoint_write_run(const marl_trainer *trainer, marl__json_writer *json);
void marl__checkpoint_write_layout(const marl_trainer *trainer, marl__json_writer *json);

#endif
