/* SPDX-License-Identifier: Apache-2.0 */
/* Making a run: environments first, since their spec decides the sizes, then learner, actor, replay. Everything that
 * training needs is allocated here. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "envs/env.h"
#include "run/components.h"
#include "run/policy_file.h"
#include "run/team.h"

/* Evaluations play this many episodes side by side at most; the number has no influence on what they find. */
enum { EVALUATORS_MAX = 32 };

int64_t marl__now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

marl_status marl__trainer_check(const marl_trainer *trainer, int32_t may_report) {
    marl_status status = marl__check_handle(trainer, MARL__TAG_TRAINER, "trainer");

    if (status != MARL_OK) return status;
    if ((status = marl__device_check(trainer->device)) != MARL_OK) return status;
    if (trainer->is_running && !(may_report && trainer->is_reporting)) {
        return marl__fail(MARL_E_STATE, "the trainer is inside marl_trainer_run; its callback may stop and save only");
    }
    return MARL_OK;
}

/* ---- environments ---- */

static marl_status take_names(marl_trainer *t, const marl_env_type *type) {
    const char *component = marl_config_component(t->config);
    marl_status status = MARL_OK;

    status = marl__run_component_cut(component, t->algo_name, sizeof t->algo_name, &t->env_name);
    if (status != MARL_OK) return status;
    if (t->env_name && type) {
        return marl__fail(MARL_E_ARGUMENT, "the config names the environment '%.100s', and an environment type is "
                          "given too; make the config of \"run/%s\"", t->env_name, t->algo_name);
    }
    if (!t->env_name && !type) {
        return marl__fail(MARL_E_ARGUMENT, "the config is of \"%.100s\", which names no environment: make it of "
                          "\"run/%s/ENV\", or give an environment type", component, t->algo_name);
    }
    return marl__algo_type_find(t->algo_name, &t->algo);
}

static marl_status take_maker(marl_trainer *t, const marl_env_type *type) {
    char component[300];
    marl__key_table table;
    marl_status status = MARL_OK;

    t->maker = (marl__env_maker){.host = &t->device->heap.host, .name = t->env_name};
    if (type) {
        t->maker.type = &t->env_type;
        return marl__take_struct(&t->env_type, sizeof t->env_type, type, sizeof t->env_type, "marl_env_type");
    }
    if ((status = marl__env_keys(t->env_name, &table)) != MARL_OK) return status;
    snprintf(component, sizeof component, "env/%s", t->env_name);
    status = marl__config_slice(t->config, "env.", component, &table, &t->env_config);
    t->maker.config = t->env_config;
    return status;
}

/* Whether the state is just the observations in a row: then it is scaled along with them. */
static marl_status probe_state(marl_trainer *t, const marl_env_spec *spec, const marl__team_shape *shape) {
    size_t count = (size_t)shape->agents * (size_t)shape->obs;
    marl_env *env = t->vector->envs[0].env;
    float *seen = NULL;
    marl_view view = {.struct_size = sizeof view};
    void *array = NULL;
    marl_status status = MARL_OK;

    t->view.state_is_obs = shape->state == 0;
    if (spec->state_per_agent || (size_t)shape->state != count) return MARL_OK;
    if ((status = marl__alloc_array(&t->device->heap, 2 * count, sizeof *seen, &array)) != MARL_OK) return status;
    seen = array;
    view.obs = seen;
    view.state = seen + count;
    /* An environment that fails now fails again when it is played, with its number and step. */
    if (marl_env_reset(env, t->seed) == MARL_OK && marl_env_observe(env, &view) == MARL_OK) {
        t->view.state_is_obs = memcmp(seen, seen + count, count * sizeof *seen) == 0;
    }
    marl__free(&t->device->heap, array);
    return MARL_OK;
}

static marl_status take_scaling(marl_trainer *t, const marl_env_spec *spec) {
    size_t count = (size_t)t->view.shape.agents * (size_t)t->view.shape.obs;
    void *array = NULL;
    marl_status status = MARL_OK;

    if (!marl__config_int(t->config, "scale_obs")) return MARL_OK;
    if ((status = marl__alloc_array(&t->device->heap, 2 * count, sizeof(float), &array)) != MARL_OK) return status;
    t->view.scale = array;
    t->view.shift = t->view.scale + count;
    marl__team_obs_scaling(spec, t->view.shape.obs, t->view.scale, t->view.shift);
    return MARL_OK;
}

static marl_status check_obs_types(const marl_env_spec *spec) {
    for (uint32_t c = 0; c < spec->class_count; c++) {
        if (spec->classes[c].obs_type == MARL_OBS_F32) continue;
        return marl__fail(MARL_E_UNSUPPORTED, "%.200s: observations of class %u are bytes (U8); the nets of this build "
                          "take reals (F32)", spec->name, c);
    }
    return MARL_OK;
}

static marl_status take_view(marl_trainer *t) {
    const marl_env_spec *spec = marl_env_get_spec(t->vector->envs[0].env);
    marl__team_view *view = &t->view;
    marl_status status = marl__team_shape_of(spec, &view->shape);

    if (status != MARL_OK) return status;
    if ((status = check_obs_types(spec)) != MARL_OK) return status;
    view->env_rewards = view->shape.rewards;
    if (!marl__config_int(t->config, "reward.per_agent")) view->shape.rewards = 1;
    view->limit_ends = (int32_t)marl__config_int(t->config, "time_limit_ends");
    if ((status = probe_state(t, spec, &view->shape)) != MARL_OK) return status;
    if (view->shape.state == 0) view->shape.state = view->shape.agents * view->shape.obs;
    return take_scaling(t, spec);
}

static marl_status make_environments(marl_trainer *t, const marl_env_type *type) {
    int32_t count = (int32_t)marl__config_int(t->config, "envs");
    int32_t evaluators = count < EVALUATORS_MAX ? count : EVALUATORS_MAX;
    marl_status status = take_names(t, type);

    if (status != MARL_OK) return status;
    if ((status = take_maker(t, type)) != MARL_OK) return status;
    if ((status = marl__vector_create(t->device, &t->maker, 0, count, &t->vector)) != MARL_OK) return status;
    status = marl__vector_create(t->device, &t->maker, (uint32_t)count, evaluators, &t->evaluator);
    if (status != MARL_OK) return status;
    t->is_resumable = marl_env_save_bytes(t->vector->envs[0].env) > 0;
    return take_view(t);
}

/* ---- learner, actor, replay ---- */

static void take_settings(marl_trainer *t) {
    const marl_config *config = t->config;

    t->seed = (uint64_t)marl__config_int(config, "seed");
    t->batch_size = (int32_t)marl__config_int(config, "batch_size");
    t->train_start = (int32_t)marl__config_int(config, "train_start");
    if (t->train_start < t->batch_size) t->train_start = t->batch_size;
    t->micro_per_step = llround(marl__config_real(config, "updates_per_env_step") * (double)MARL__MICRO);
    t->micro_per_episode = llround(marl__config_real(config, "updates_per_episode") * (double)MARL__MICRO);
    t->eval_every = (uint64_t)marl__config_int(config, "eval.every");
    t->eval_episodes = (uint64_t)marl__config_int(config, "eval.episodes");
    t->eval_epsilon = marl__config_real(config, "eval.epsilon");
    t->metrics_every = (uint64_t)marl__config_int(config, "metrics.every");
    t->progress_every = (uint64_t)marl__config_int(config, "progress.every");
    t->checkpoint_every = (uint64_t)marl__config_int(config, "checkpoint.every");
}

static marl_status make_actor(marl_trainer *t) {
    int32_t teams = marl__vector_chunk(t->device, t->vector->count);
    int32_t others = marl__vector_chunk(t->device, t->evaluator->count);
    const marl__agent *agent = marl__learner_agent(t->learner);
    marl_status status = MARL_OK;

    if (others > teams) teams = others;
    status = marl__actor_create(t->device, agent, marl__learner_params(t->learner), teams, &t->actor);
    if (status != MARL_OK) return status;
    status = marl__vector_prepare(t->vector, &t->view, agent, t->actor,
                                  t->rebuilder ? MARL__RECORD_STATES : MARL__RECORD_VIEWS);
    if (status != MARL_OK) return status;
    return marl__vector_prepare(t->evaluator, &t->view, agent, t->actor, MARL__RECORD_NONE);
}

/* How episodes are kept; their environments have to be able to do it. */
static marl_status make_format(marl_trainer *t) {
    uint32_t first = (uint32_t)(t->vector->count + t->evaluator->count);

    t->format = (marl__replay_format){.shape = t->view.shape};
    t->format.store = marl__store_of(marl__config_text(t->config, "replay.store"));
    if (t->format.store != MARL__STORE_STATE) return MARL_OK;
    marl_status status = marl__rebuilder_create(t->device, &t->maker, first, &t->view, t->vector->envs[0].env,
                                                &t->rebuilder);
    t->format.rebuilder = t->rebuilder;
    return status;
}

marl_status marl__trainer_make_replay(marl_trainer *t, marl__replay **out) {
    return marl__replay_create(&t->device->heap, &t->format, marl__config_int(t->config, "replay.episodes"),
                               marl__config_int(t->config, "replay.bytes"), t->train_start, out);
}

static marl_status make_learner(marl_trainer *t) {
    void *batch = NULL;
    marl_status status = t->algo->create(t->device, t->algo, t->config, &t->view.shape, t->batch_size, t->seed, 0,
                                         &t->learner);

    if (status != MARL_OK) return status;
    if ((status = make_actor(t)) != MARL_OK) return status;
    if ((status = marl__trainer_make_replay(t, &t->replay)) != MARL_OK) return status;
    status = marl__alloc_array(&t->device->heap, (size_t)t->batch_size, sizeof *t->batch, &batch);
    t->batch = batch;
    return status;
}

static void seed_streams(marl_trainer *t) {
    t->vector->seed = t->seed;
    for (int32_t e = 0; e < t->vector->count; e++) {
        marl__rng_init(&t->vector->envs[e].explore, t->seed, marl__stream(MARL__STREAM_EXPLORE, (uint32_t)e));
    }
}

static marl_status make_all(marl_trainer *t, const marl_config *config, const marl_env_type *type) {
    char text[128];
    marl_status status = MARL_OK;

    if ((status = marl_config_copy(config, &t->config)) != MARL_OK) return status;
    if (!marl__config_has(t->config, "updates_per_env_step") || !marl__config_has(t->config, "net")) {
        return marl__fail(MARL_E_ARGUMENT, "the config is of \"%.100s\", expected one of \"run/ALGO/ENV\" or "
                          "\"run/ALGO\"", marl_config_component(config));
    }
    if ((status = marl__run_config_check(t->config)) != MARL_OK) return status;
    take_settings(t);
    if ((status = make_environments(t, type)) != MARL_OK) return status;
    if ((status = make_format(t)) != MARL_OK) return status;
    if ((status = make_learner(t)) != MARL_OK) return status;
    seed_streams(t);
    marl__replay_describe(t->replay, text, sizeof text);
    marl__log(&t->device->heap, MARL_LOG_INFO, "%s", text);
    if (!t->is_resumable) {
        marl__log(&t->device->heap, MARL_LOG_WARNING, "resumable=false: environment '%.200s' has no save and restore, "
                  "so its run cannot be taken up from a checkpoint", marl_trainer_spec(t)->name);
    }
    return MARL_OK;
}

marl_status marl_trainer_create(marl_device *device, const marl_config *config, const marl_env_type *env_type,
                                marl_trainer **out) {
    marl_trainer *trainer = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__device_check(device)) != MARL_OK) return status;
    if ((status = marl__check_handle(config, MARL__TAG_CONFIG, "config")) != MARL_OK) return status;
    trainer = marl__alloc_zero(&device->heap, sizeof *trainer);
    if (!trainer) return MARL_E_NOMEM;
    trainer->tag = MARL__TAG_TRAINER;
    trainer->device = device;
    status = make_all(trainer, config, env_type);
    if (status == MARL_OK) *out = trainer;
    else marl_trainer_destroy(trainer);
    return status;
}

void marl_trainer_destroy(marl_trainer *trainer) {
    marl__heap *heap = NULL;

    if (!marl__is_handle(trainer, MARL__TAG_TRAINER)) return;
    heap = &trainer->device->heap;
    marl__metrics_close(&trainer->metrics);
    marl__vector_destroy(trainer->vector);
    marl__vector_destroy(trainer->evaluator);
    marl__actor_destroy(trainer->actor);
    marl__learner_destroy(trainer->learner);
    marl__replay_destroy(trainer->replay);
    marl__rebuilder_destroy(trainer->rebuilder);
    marl__free(heap, trainer->batch);
    marl__free(heap, trainer->view.scale);
    marl_config_destroy(trainer->env_config);
    marl_config_destroy(trainer->config);
    trainer->tag = 0;
    marl__free(heap, trainer);
}

/* ---- inspect ---- */

const marl_config *marl_trainer_config(const marl_trainer *trainer) {
    return marl__is_handle(trainer, MARL__TAG_TRAINER) ? trainer->config : NULL;
}

const marl_env_spec *marl_trainer_spec(const marl_trainer *trainer) {
    return marl__is_handle(trainer, MARL__TAG_TRAINER) ? marl_env_get_spec(trainer->vector->envs[0].env) : NULL;
}

marl_status marl_trainer_on_progress(marl_trainer *trainer, marl_progress_callback callback, void *user) {
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    trainer->callback = callback;
    trainer->callback_user = user;
    return MARL_OK;
}

static double seconds(int64_t ns) {
    return (double)ns * 1e-9;
}

/* Just after a record its window is empty; what the record said then still stands. */
void marl__trainer_fill_progress(const marl_trainer *t, int32_t is_evaluation, marl_progress *out) {
    const marl__run_state *state = &t->state;
    double none = (double)NAN;
    int has_evaluation = state->evaluation.episodes > 0;
    marl__means means;

    marl__window_means(&state->window, &means);
    if (state->window.episodes == 0) {
        means.return_mean = state->steps > 0 ? state->shown.return_mean : none;
        means.length_mean = state->steps > 0 ? state->shown.length_mean : none;
        means.win_rate = state->steps > 0 ? state->shown.win_rate : none;
    }
    if (state->window.updates == 0) {
        means.loss = state->updates > 0 ? state->shown.loss : none;
        means.grad_norm = state->updates > 0 ? state->shown.grad_norm : none;
    }
    *out = (marl_progress){.struct_size = sizeof *out, .is_evaluation = is_evaluation, .steps = state->steps,
                           .target_steps = t->target_steps, .episodes = state->episodes, .updates = state->updates};
    out->epsilon = marl__epsilon(t->config, state->steps);
    out->return_mean = means.return_mean;
    out->length_mean = means.length_mean;
    out->win_rate = means.win_rate;
    out->loss = means.loss;
    out->grad_norm = means.grad_norm;
    out->eval_return_mean = has_evaluation ? state->evaluation.return_mean : none;
    out->eval_return_std = has_evaluation ? state->evaluation.return_std : none;
    out->eval_win_rate = has_evaluation ? state->evaluation.win_rate : none;
    out->seconds = seconds(t->run_ns + (t->is_running ? marl__now_ns() - t->began_ns : 0));
    out->env_seconds = seconds(t->env_ns);
    out->act_seconds = seconds(t->act_ns);
    out->learn_seconds = seconds(t->learn_ns);
}

marl_status marl_trainer_progress(const marl_trainer *trainer, marl_progress *out) {
    marl_progress progress;
    uint32_t size = 0;
    marl_status status = marl__trainer_check(trainer, 1);

    if (status != MARL_OK) return status;
    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    size = out->struct_size;
    if (size < sizeof progress) {
        return marl__fail(MARL_E_ARGUMENT, "marl_progress.struct_size is %u, expected at least %zu", size,
                          sizeof progress);
    }
    marl__trainer_fill_progress(trainer, 0, &progress);
    progress.struct_size = size;
    memset(out, 0, size);
    memcpy(out, &progress, sizeof progress);
    return MARL_OK;
}

/* ---- policies, checkpoints, evaluation ---- */

static marl_status check_sink(const marl_sink *sink) {
    if (!sink) return marl__fail(MARL_E_ARGUMENT, "the sink is NULL");
    return MARL_OK;
}

marl_status marl__trainer_write_policy(marl_trainer *t, const marl_sink *sink) {
    const marl_env_spec *spec = marl_trainer_spec(t);
    marl__policy_file file = {.config = t->config, .algo = t->algo_name, .env_name = spec->name,
                              .env_version = spec->version, .env_hash = spec->hash, .shape = t->view.shape};

    file.params = marl__learner_params(t->learner);
    file.flat = marl__learner_version(t->learner)->flat;
    file.obs_scale = t->view.scale;
    file.obs_shift = t->view.shift;
    file.scale_rows = t->view.scale ? t->view.shape.agents : 0;
    return marl__policy_file_write(&t->device->heap, &file, sink);
}

marl_status marl_trainer_save_policy(marl_trainer *trainer, const marl_sink *sink) {
    marl_status status = marl__trainer_check(trainer, 1);

    if (status == MARL_OK) status = check_sink(sink);
    return status == MARL_OK ? marl__trainer_write_policy(trainer, sink) : status;
}

marl_status marl_trainer_save(marl_trainer *trainer, const marl_sink *sink) {
    marl_status status = marl__trainer_check(trainer, 1);

    if (status == MARL_OK) status = check_sink(sink);
    return status == MARL_OK ? marl__checkpoint_write(trainer, sink) : status;
}

marl_status marl_trainer_load(marl_trainer *trainer, const marl_source *source) {
    uint64_t json_bytes = 0, csv_bytes = 0;
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    if (!source) return marl__fail(MARL_E_ARGUMENT, "the source is NULL");
    return marl__checkpoint_read(trainer, source, &json_bytes, &csv_bytes);
}

/* Parameters of the ranges that a policy file does not have (a mixer) stay as they were initialised. */
static marl_status take_params(marl_trainer *t, marl__policy_reader *reader) {
    const marl__params *params = marl__learner_params(t->learner);
    size_t bytes = params->floats * sizeof(float);
    float *flat = marl__alloc(&t->device->heap, bytes);
    marl_status status = MARL_OK;

    if (!flat) return MARL_E_NOMEM;
    memcpy(flat, marl__learner_version(t->learner)->flat, bytes);
    status = marl__policy_reader_params(reader, params, flat);
    if (status == MARL_OK) marl__learner_set_params(t->learner, flat, 1);
    marl__free(&t->device->heap, flat);
    return status;
}

marl_status marl_trainer_init_from(marl_trainer *trainer, const marl_source *source) {
    marl__policy_reader reader;
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    if (!source) return marl__fail(MARL_E_ARGUMENT, "the source is NULL");
    if (trainer->has_run || trainer->state.steps > 0) {
        return marl__fail(MARL_E_STATE, "parameters can be taken before the first marl_trainer_run only");
    }
    if ((status = marl__policy_reader_open(&trainer->device->heap, source, &reader)) != MARL_OK) return status;
    if ((reader.scale_rows > 0) != (trainer->view.scale != NULL)) {
        status = marl__fail(MARL_E_MISMATCH, "the policy was trained with scale_obs=%s, this run has scale_obs=%s",
                            reader.scale_rows > 0 ? "true" : "false", trainer->view.scale ? "true" : "false");
    }
    if (status == MARL_OK) status = marl__policy_reader_match(&reader, marl__learner_params(trainer->learner));
    if (status == MARL_OK) status = take_params(trainer, &reader);
    marl__policy_reader_close(&reader);
    return status;
}

marl_status marl_trainer_evaluate(marl_trainer *trainer, uint32_t episodes, uint64_t seed, double epsilon,
                                  double *returns) {
    marl__evaluation result;
    marl_status status = marl__trainer_check(trainer, 0);

    if (status != MARL_OK) return status;
    if (episodes == 0) return marl__fail(MARL_E_ARGUMENT, "episodes is 0, expected at least 1");
    if (!(epsilon >= 0 && epsilon <= 1)) return marl__fail(MARL_E_ARGUMENT, "epsilon is %g, expected 0 to 1", epsilon);
    return marl__evaluate(trainer->evaluator, marl__learner_version(trainer->learner), episodes, seed, epsilon, returns,
                          &result);
}
