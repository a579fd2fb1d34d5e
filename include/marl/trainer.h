/* SPDX-License-Identifier: Apache-2.0 */
/** @file trainer.h
 * Training by handing over the loop: an environment by name or by vtable, an algorithm by name, a config.
 *
 * The same seed gives the same bits for any number of threads; a run that is saved, loaded and continued ends with
 * the bytes of a run never interrupted.
 *
 *     marl_config_create(NULL, "run/qmix/lbf:5x5-2p-1f-coop", &config);
 *     marl_config_preset(config, "quick");
 *     marl_trainer_create(device, config, NULL, &trainer);
 *     marl_trainer_run(trainer, 250000);
 *     marl_trainer_save_policy(trainer, &sink);
 */
#ifndef MARL_TRAINER_H
#define MARL_TRAINER_H

#include "marl/device.h"
#include "marl/env.h"
#include "marl/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A training run: environments, replay, learner. One thread at a time, except marl_trainer_stop. */
typedef struct marl_trainer marl_trainer;

/** How a run stands. */
typedef struct marl_progress {
    uint32_t struct_size;       /**< sizeof(marl_progress) of the caller */
    int32_t is_evaluation;      /**< 1: an evaluation has just ended, eval_ fields are fresh */
    uint64_t steps;             /**< environment steps so far, summed over environments */
    uint64_t target_steps;      /**< what marl_trainer_run was asked for */
    uint64_t episodes;          /**< finished episodes */
    uint64_t updates;           /**< learner updates */
    double epsilon;             /**< exploration now */
    double return_mean;         /**< mean return of the training episodes since the last metrics record; NaN: none */
    double length_mean;         /**< their mean length */
    double win_rate;            /**< share of them that were won; NaN if no outcome is reported */
    double loss;                /**< mean loss since the last metrics record; NaN: no update */
    double grad_norm;           /**< mean gradient norm before clipping; NaN: no update */
    double eval_return_mean;    /**< last evaluation; NaN: none yet */
    double eval_return_std;     /**< its standard deviation over episodes */
    double eval_win_rate;       /**< its win rate; NaN if no outcome is reported */
    double seconds;             /**< wall time inside marl_trainer_run */
    double env_seconds;         /**< of it: environments */
    double act_seconds;         /**< of it: choosing actions */
    double learn_seconds;       /**< of it: updates */
} marl_progress;

/** Called on the thread of marl_trainer_run, at most every `progress.every` steps and after each evaluation. May call
 * marl_trainer_stop and marl_trainer_save; nothing else of the trainer. A status other than MARL_OK ends the run at
 * the next boundary with MARL_E_CALLBACK. */
typedef marl_status (*marl_progress_callback)(const marl_progress *progress, void *user);

/** Creates a run. config: of "run/ALGO/ENV", or of "run/ALGO" with env_type; copied. env_type: the host's own kind of
 * environment, NULL for a built-in one. Everything is allocated here. */
MARL_API marl_status marl_trainer_create(marl_device *device, const marl_config *config, const marl_env_type *env_type,
                                         marl_trainer **out);

/** Ends a run. NULL is fine. */
MARL_API void marl_trainer_destroy(marl_trainer *trainer);

/** Trains until at least `steps` environment steps are done in all (not: more), to the first boundary there; or until
 * marl_trainer_stop. An environment's failure, or NaN in what it gives, ends the run with an error that names
 * environment, agent and step; what was learnt stays and can be saved. */
MARL_API marl_status marl_trainer_run(marl_trainer *trainer, uint64_t steps);

/** Asks a run to return at its next boundary with MARL_OK. From any thread, and from a signal handler. */
MARL_API void marl_trainer_stop(marl_trainer *trainer);

/** Sets the progress callback; NULL: none. */
MARL_API marl_status marl_trainer_on_progress(marl_trainer *trainer, marl_progress_callback callback, void *user);

/** Reads how the run stands. out->struct_size must be set. */
MARL_API marl_status marl_trainer_progress(const marl_trainer *trainer, marl_progress *out);

/** Plays `episodes` episodes with the present parameters in environments of its own; the training is not touched.
 * epsilon: chance of a random action. returns: (episodes) written, may be NULL. */
MARL_API marl_status marl_trainer_evaluate(marl_trainer *trainer, uint32_t episodes, uint64_t seed, double epsilon,
                                           double *returns);

/** Writes everything the run needs to go on with the same bits. */
MARL_API marl_status marl_trainer_save(marl_trainer *trainer, const marl_sink *sink);

/** Takes up a saved run into a trainer created with an equal config and environment. On failure the trainer is as it
 * was. MARL_E_MISMATCH names what differs. */
MARL_API marl_status marl_trainer_load(marl_trainer *trainer, const marl_source *source);

/** Writes the team as it plays now. */
MARL_API marl_status marl_trainer_save_policy(marl_trainer *trainer, const marl_sink *sink);

/** Takes the parameters of a policy file as the start of a fresh run (before the first marl_trainer_run). */
MARL_API marl_status marl_trainer_init_from(marl_trainer *trainer, const marl_source *source);

/** Keeps a directory during marl_trainer_run: config.json, metrics.jsonl, metrics.csv, and at every checkpoint
 * (`checkpoint.every`, and the end of a run) checkpoint.safetensors, policy.safetensors, policy-best.safetensors.
 * resume 1: goes on from the checkpoint there, and cuts the metrics back to it. */
MARL_API marl_status marl_trainer_open_dir(marl_trainer *trainer, const char *dir, int32_t resume);

/** Reads the config a run directory was trained with. out: owned by the caller. */
MARL_API marl_status marl_trainer_dir_config(const marl_host *host, const char *dir, marl_config **out);

/** The config of the run; borrowed. NULL if trainer is no trainer. */
MARL_API const marl_config *marl_trainer_config(const marl_trainer *trainer);

/** The spec of its environment; borrowed. NULL if trainer is no trainer. */
MARL_API const marl_env_spec *marl_trainer_spec(const marl_trainer *trainer);

/** Number of algorithms. */
MARL_API uint32_t marl_algo_count(void);
/** Name of an algorithm ("qmix"), NULL beyond the count. Static memory. */
MARL_API const char *marl_algo_name(uint32_t index);
/** One line on an algorithm, NULL beyond the count. Static memory. */
MARL_API const char *marl_algo_help(uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
