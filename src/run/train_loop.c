/* SPDX-License-Identifier: Apache-2.0 */
/* The loop. An iteration is one step of all environments and the updates then due; its end is a boundary, and
 * everything else happens there, in this order: evaluation, metrics record, progress callback, checkpoint. What the
 * boundary does follows from the steps done alone (absolute multiples of the intervals), never from where this call of
 * marl_trainer_run began or is to end. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "run/trainer.h"

static int is_crossed(uint64_t every, uint64_t before, uint64_t now) {
    return every > 0 && now / every > before / every;
}

/* ---- an iteration ---- */

/* Wall time of a step, shared out by what its chunks did. */
static void count_time(marl_trainer *t, int64_t wall) {
    int64_t act = 0, env = 0;

    for (int32_t c = 0; c < t->vector->chunk_count; c++) {
        act += t->vector->act_ns[c];
        env += t->vector->env_ns[c];
    }
    if (act + env <= 0) return;
    act = (int64_t)((double)wall * (double)act / (double)(act + env));
    t->act_ns += act;
    t->env_ns += wall - act;
}

/* Ended episodes enter the replay in the order of their environments. */
static marl_status take_episodes(marl_trainer *t, int32_t *out_ended) {
    marl_status status = MARL_OK;

    *out_ended = 0;
    for (int32_t e = 0; e < t->vector->count; e++) {
        marl__episode episode;

        if (!t->vector->envs[e].has_ended) continue;
        marl__vector_episode(t->vector, e, &episode);
        if ((status = marl__replay_add(t->replay, &episode)) != MARL_OK) {
            return marl__fail_prefix(status, "environment %d: ", (int)e);
        }
        marl__window_episode(&t->state.window, &t->vector->envs[e].end);
        t->state.episodes++;
        ++*out_ended;
    }
    return MARL_OK;
}

static marl_status play(marl_trainer *t, int32_t *out_ended) {
    int64_t begun = marl__now_ns();
    marl_status status = marl__vector_step(t->vector, marl__learner_version(t->learner),
                                           marl__epsilon(t->config, t->state.steps));

    if (status != MARL_OK) return status;
    t->state.steps += (uint64_t)t->vector->count;
    if ((status = take_episodes(t, out_ended)) != MARL_OK) return status;
    count_time(t, marl__now_ns() - begun);
    return MARL_OK;
}

static marl_status update(marl_trainer *t) {
    marl__run_state *state = &t->state;
    marl__rng rng;
    marl__update_result result;
    marl_status status = MARL_OK;

    marl__rng_init(&rng, t->seed, marl__stream(MARL__STREAM_REPLAY, 0));
    rng.counter = state->sample_counter;
    marl__replay_sample(t->replay, &rng, t->batch_size, t->batch);
    state->sample_counter = rng.counter;
    status = marl__learner_update(t->learner, t->batch, t->batch_size, state->steps, state->episodes, &result);
    if (status != MARL_OK) {
        return marl__fail_prefix(status, "update %llu: ", (unsigned long long)state->updates + 1);
    }
    state->updates++;
    marl__window_update(&state->window, &result);
    return MARL_OK;
}

/* No debt gathers before there is enough to learn from. */
static marl_status learn(marl_trainer *t, int32_t ended) {
    int64_t begun = marl__now_ns();
    marl_status status = MARL_OK;

    if (marl__replay_count(t->replay) < t->train_start) return MARL_OK;
    t->state.debt += t->micro_per_step * t->vector->count + t->micro_per_episode * ended;
    while (status == MARL_OK && t->state.debt >= MARL__MICRO) {
        t->state.debt -= MARL__MICRO;
        status = update(t);
    }
    t->learn_ns += marl__now_ns() - begun;
    return status;
}

/* ---- a boundary ---- */

/* The seed follows from which evaluation it is. */
static marl_status evaluate(marl_trainer *t) {
    uint32_t words[4];
    marl__evaluation result;
    marl_status status = MARL_OK;

    marl__philox(t->seed, marl__stream(MARL__STREAM_EVAL, 0), t->state.steps / t->eval_every, words);
    status = marl__evaluate(t->evaluator, marl__learner_version(t->learner), t->eval_episodes,
                            (uint64_t)words[1] << 32 | words[0], t->eval_epsilon, NULL, &result);
    if (status != MARL_OK) return status;
    t->state.evaluation = result;
    if (t->state.has_best && result.return_mean <= t->state.best) return MARL_OK;
    t->state.has_best = 1;
    t->state.best = result.return_mean;
    return marl__run_dir_best(t);
}

static marl_status record(marl_trainer *t, int32_t is_evaluation) {
    marl__run_state *state = &t->state;
    int has_evaluation = state->evaluation.episodes > 0;
    marl__record record = {.steps = state->steps, .episodes = state->episodes, .updates = state->updates,
                           .is_evaluation = is_evaluation};

    record.epsilon = marl__epsilon(t->config, state->steps);
    marl__window_means(&state->window, &record.means);
    record.eval_return_mean = has_evaluation ? state->evaluation.return_mean : (double)NAN;
    record.eval_return_std = has_evaluation ? state->evaluation.return_std : (double)NAN;
    record.eval_length_mean = has_evaluation ? state->evaluation.length_mean : (double)NAN;
    record.eval_win_rate = has_evaluation ? state->evaluation.win_rate : (double)NAN;
    state->shown = record.means;
    memset(&state->window, 0, sizeof state->window);
    return marl__run_dir_record(t, &record);
}

static marl_status report(marl_trainer *t, int32_t is_evaluation) {
    marl_progress progress;
    marl_status status = MARL_OK;

    if (!t->callback) return MARL_OK;
    marl__trainer_fill_progress(t, is_evaluation, &progress);
    t->is_reporting = 1;
    status = t->callback(&progress, t->callback_user);
    t->is_reporting = 0;
    if (status == MARL_OK) return MARL_OK;
    return marl__fail(MARL_E_CALLBACK, "the progress callback ended the run at step %llu with status %d",
                      (unsigned long long)t->state.steps, (int)status);
}

static marl_status boundary(marl_trainer *t, uint64_t before) {
    uint64_t now = t->state.steps;
    int32_t is_evaluation = is_crossed(t->eval_every, before, now);
    marl_status status = MARL_OK;

    if (is_evaluation && (status = evaluate(t)) != MARL_OK) return status;
    if (is_evaluation || is_crossed(t->metrics_every, before, now)) {
        if ((status = record(t, is_evaluation)) != MARL_OK) return status;
    }
    if (is_evaluation || is_crossed(t->progress_every, before, now)) {
        if ((status = report(t, is_evaluation)) != MARL_OK) return status;
    }
    return is_crossed(t->checkpoint_every, before, now) ? marl__run_dir_checkpoint(t) : MARL_OK;
}

/* ---- a run ---- */

/* Open episodes cannot be gone on with after an environment failed; what was learnt is as it was. */
static marl_status give_up_episodes(marl_trainer *t, marl_status status) {
    marl__vector_abandon(t->vector);
    t->state.is_started = 0;
    return status;
}

/* *out_is_whole: the run stands at a boundary, or has given its open episodes up; a checkpoint makes sense. */
static marl_status iterate(marl_trainer *t, int32_t *out_is_whole) {
    uint64_t before = t->state.steps;
    int32_t ended = 0;
    marl_status status = MARL_OK;

    *out_is_whole = 1;
    if (!t->state.is_started) {
        if ((status = marl__vector_start(t->vector)) != MARL_OK) return give_up_episodes(t, status);
        t->state.is_started = 1;
    }
    if ((status = play(t, &ended)) != MARL_OK) return give_up_episodes(t, status);
    *out_is_whole = 0;
    if ((status = learn(t, ended)) != MARL_OK) return status;
    status = boundary(t, before);
    *out_is_whole = status != MARL_E_IO;
    return status;
}

/* The end of a run keeps what it has; its own failure is not covered by that of the saving. */
static marl_status finish(marl_trainer *t, marl_status status, int32_t is_whole) {
    char sentence[1024];
    marl_status saved = MARL_OK;

    if (!is_whole || (status == MARL_OK && t->saved_steps == t->state.steps)) return status;
    snprintf(sentence, sizeof sentence, "%s", marl_last_error());
    saved = marl__run_dir_checkpoint(t);
    return status == MARL_OK ? saved : marl__fail(status, "%s", sentence);
}

marl_status marl_trainer_run(marl_trainer *trainer, uint64_t steps) {
    int32_t is_whole = 1;
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    trainer->target_steps = steps;
    trainer->has_run = 1;
    trainer->is_running = 1;
    trainer->began_ns = marl__now_ns();
    while (status == MARL_OK && trainer->state.steps < steps && !atomic_load(&trainer->should_stop)) {
        status = iterate(trainer, &is_whole);
    }
    status = finish(trainer, status, is_whole);
    atomic_store(&trainer->should_stop, 0);
    trainer->run_ns += marl__now_ns() - trainer->began_ns;
    trainer->is_running = 0;
    return status;
}

void marl_trainer_stop(marl_trainer *trainer) {
    if (marl__is_handle(trainer, MARL__TAG_TRAINER)) atomic_store(&trainer->should_stop, 1);
}
