/* SPDX-License-Identifier: Apache-2.0 */
/* One task does everything for its chunk of environments, so a step of all costs one wake-up of the threads. What an
 * environment shows is written once, into the row the actor reads; the slot of the record is a copy of that row, taken
 * when the action is stored, so an ended episode can be read while its environment already shows the next one. */
#include "run/vector.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/status.h"
#include "run/record.h"
#include "run/team.h"

static int64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

marl_status marl__env_maker_open(const marl__env_maker *maker, uint32_t index, marl_env **out) {
    marl_status status = MARL_OK;

    if (maker->name) status = marl_env_create(maker->host, maker->name, maker->config, out);
    else status = marl_env_create_custom(maker->host, maker->type, index, out);
    return status == MARL_OK ? status : marl__fail_prefix(status, "environment %u: ", index);
}

/* ---- create ---- */

static int same_text(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

marl_status marl__env_check_same(const marl_env *first, const marl_env *other, uint32_t index) {
    const marl_env_spec *a = marl_env_get_spec(first), *b = marl_env_get_spec(other);

    if (same_text(a->name, b->name) && same_text(a->version, b->version) && a->hash == b->hash &&
        a->agent_count == b->agent_count && a->state_size == b->state_size && a->episode_limit == b->episode_limit &&
        a->state_per_agent == b->state_per_agent && a->reward_per_agent == b->reward_per_agent &&
        marl_env_obs_size(first) == marl_env_obs_size(other) &&
        marl_env_action_count(first) == marl_env_action_count(other) &&
        marl_env_save_bytes(first) == marl_env_save_bytes(other)) {
        return MARL_OK;
    }
    return marl__fail(MARL_E_MISMATCH, "environment %u ('%.100s', hash %016llx) is of another kind than the first "
                      "('%.100s', hash %016llx)", index, b->name, (unsigned long long)b->hash, a->name,
                      (unsigned long long)a->hash);
}

marl_status marl__vector_create(marl_device *device, const marl__env_maker *maker, uint32_t first_index, int32_t count,
                                marl__vector **out) {
    marl__vector *vector = marl__alloc_zero(&device->heap, sizeof *vector);
    marl_status status = MARL_OK;
    void *envs = NULL;

    *out = NULL;
    if (!vector) return MARL_E_NOMEM;
    vector->device = device;
    if ((status = marl__alloc_array(&device->heap, (size_t)count, sizeof *vector->envs, &envs)) != MARL_OK) goto done;
    vector->envs = envs;
    for (int32_t e = 0; e < count; e++) {
        marl__vector_env *own = &vector->envs[e];
        uint32_t index = first_index + (uint32_t)e;

        if ((status = marl__env_maker_open(maker, index, &own->env)) != MARL_OK) goto done;
        vector->count = e + 1;
        if ((status = marl__env_check_same(vector->envs[0].env, own->env, index)) != MARL_OK) goto done;
    }
    *out = vector;
    vector = NULL;
done:
    marl__vector_destroy(vector);
    return status;
}

/* On "cpu" rows are independent, so chunks may follow the threads. Other devices promise the same bits for any number
 * of threads only for the same products, so there the cut comes from the count alone. */
static int32_t count_chunks(const marl_device *device, int32_t count) {
    int32_t chunks = strcmp(device->name, "cpu") == 0 ? (int32_t)marl__pool_threads(device->pool) : 4;

    if (chunks > MARL__VECTOR_CHUNKS) chunks = MARL__VECTOR_CHUNKS;
    return chunks < count ? chunks : count;
}

int32_t marl__vector_chunk(const marl_device *device, int32_t count) {
    int32_t chunks = count_chunks(device, count);

    return (count + chunks - 1) / chunks;
}

void *marl__vector_take(marl__vector *vector, size_t count, size_t a, size_t b, size_t item, marl_status *status) {
    void *array = NULL;
    size_t total = 0;

    if (*status != MARL_OK) return NULL;
    if (!marl__mul_size(count, a, &total) || !marl__mul_size(total, b, &total)) {
        *status = marl__fail(MARL_E_SHAPE, "the episodes of %d environments are too large to be held", vector->count);
        return NULL;
    }
    *status = marl__alloc_array(&vector->device->heap, total, item, &array);
    return array;
}

static marl_status take_rows(marl__vector *v) {
    const marl__team_shape *shape = &v->view->shape;
    size_t e = (size_t)v->count, n = (size_t)shape->agents, h = (size_t)v->hidden_size;
    marl_status status = MARL_OK;

    v->obs = marl__vector_take(v, e, n, (size_t)shape->obs, sizeof *v->obs, &status);
    v->state = marl__vector_take(v, e, (size_t)shape->state, 1, sizeof *v->state, &status);
    v->avail = marl__vector_take(v, e, n, (size_t)shape->actions, 1, &status);
    v->alive = marl__vector_take(v, e, n, 1, 1, &status);
    v->last = marl__vector_take(v, e, n, 1, sizeof *v->last, &status);
    v->actions = marl__vector_take(v, e, n, 1, sizeof *v->actions, &status);
    v->hidden = marl__vector_take(v, e, n, h, sizeof *v->hidden, &status);
    v->next_hidden = marl__vector_take(v, e, n, h, sizeof *v->next_hidden, &status);
    v->values = marl__vector_take(v, e, n, (size_t)shape->actions, sizeof *v->values, &status);
    v->rewards = marl__vector_take(v, e, n, 1, sizeof *v->rewards, &status);
    return status == MARL_OK && v->recording != MARL__RECORD_NONE ? marl__record_create(v) : status;
}

marl_status marl__vector_prepare(marl__vector *vector, const marl__team_view *view, const marl__agent *agent,
                                 const marl__actor *actor, int32_t recording) {
    marl_status status = MARL_OK;

    vector->view = view;
    vector->agent = agent;
    vector->hidden_size = marl__actor_hidden(actor);
    vector->recording = recording;
    vector->chunk_count = count_chunks(vector->device, vector->count);
    vector->chunk_size = marl__vector_chunk(vector->device, vector->count);
    for (int32_t c = 0; c < vector->chunk_count; c++) {
        if ((status = marl__actor_run_create(actor, &vector->runs[c])) != MARL_OK) return status;
    }
    return take_rows(vector);
}

void marl__vector_destroy(marl__vector *vector) {
    marl__heap *heap = NULL;

    if (!vector) return;
    heap = &vector->device->heap;
    for (int32_t c = 0; c < MARL__VECTOR_CHUNKS; c++) marl__actor_run_destroy(vector->runs[c]);
    for (int32_t e = 0; e < vector->count; e++) marl_env_destroy(vector->envs[e].env);
    void *const arrays[] = {vector->envs, vector->obs, vector->state, vector->avail, vector->alive, vector->last,
                            vector->actions, vector->hidden, vector->next_hidden, vector->values, vector->rewards,
                            vector->kept_obs, vector->kept_state, vector->kept_rewards, vector->kept_avail,
                            vector->kept_actions, vector->kept_slots};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) marl__free(heap, arrays[i]);
    marl__free(heap, vector);
}

/* ---- what the environments show ---- */

/* Agents that are out of the game may have nothing available; learning needs one action each, and theirs is 0. */
static void give_the_dead_an_action(const marl__team_shape *shape, uint8_t *avail, const uint8_t *alive) {
    size_t a = (size_t)shape->actions;

    for (size_t i = 0; i < (size_t)shape->agents; i++) {
        uint8_t *row = avail + i * a;

        if (!alive[i] && !memchr(row, 1, a)) row[0] = 1;
    }
}

marl_status marl__view_observe(const marl__team_view *view, marl_env *env, float *obs, float *state, uint8_t *avail,
                               uint8_t *alive) {
    size_t no = (size_t)view->shape.agents * (size_t)view->shape.obs;
    marl_view out = {.struct_size = sizeof out, .obs = obs, .avail = avail, .alive = alive};
    marl_status status = MARL_OK;

    out.state = view->state_is_obs ? NULL : state;
    if ((status = marl_env_observe(env, &out)) != MARL_OK) return status;
    if (view->scale) marl__scale_obs(no, obs, view->scale, view->shift, obs);
    if (view->state_is_obs && state) memcpy(state, obs, no * sizeof(float));
    give_the_dead_an_action(&view->shape, avail, alive);
    return MARL_OK;
}

marl_status marl__vector_observe(marl__vector *v, int32_t e) {
    const marl__team_shape *shape = &v->view->shape;
    size_t at = (size_t)e, n = (size_t)shape->agents;

    return marl__view_observe(v->view, v->envs[e].env, v->obs + at * n * (size_t)shape->obs,
                              v->state + at * (size_t)shape->state, v->avail + at * n * (size_t)shape->actions,
                              v->alive + at * n);
}

/* ---- episodes ---- */

/* Two words of a block as one number; counters of other draws never meet it. */
static uint64_t number_at(uint64_t seed, uint64_t stream, uint64_t block) {
    uint32_t words[4];

    marl__philox(seed, stream, block, words);
    return (uint64_t)words[1] << 32 | words[0];
}

static uint64_t episode_seed(marl__vector *v, int32_t e, uint64_t number) {
    if (!v->is_evaluation) return number_at(v->seed, marl__stream(MARL__STREAM_ENV, (uint32_t)e), number);
    return number_at(v->seed, marl__stream(MARL__STREAM_EVAL, 1), number * (uint64_t)v->count + (uint64_t)e);
}

/* In an evaluation everything random belongs to the episode, so that its result does not depend on how many are played
 * side by side. */
static marl_status begin_episode(marl__vector *v, int32_t e) {
    marl__vector_env *own = &v->envs[e];
    size_t n = (size_t)v->view->shape.agents, nh = n * (size_t)v->hidden_size;
    uint64_t number = own->next_episode, index = number * (uint64_t)v->count + (uint64_t)e;
    marl_status status = MARL_OK;

    own->length = 0;
    own->reward_sum = 0;
    own->is_playing = !v->is_evaluation || index < v->episodes;
    if (!own->is_playing) return MARL_OK;
    if (v->is_evaluation) {
        uint64_t chances = number_at(v->seed, marl__stream(MARL__STREAM_EVAL, 2), index);
        marl__rng_init(&own->explore, chances, marl__stream(MARL__STREAM_EVAL_EXPLORE, 0));
    }
    own->next_episode = number + 1;
    for (size_t i = 0; i < n; i++) v->last[(size_t)e * n + i] = -1;
    if (nh > 0) memset(v->next_hidden + (size_t)e * nh, 0, nh * sizeof(float));
    if ((status = marl_env_reset(own->env, episode_seed(v, e, number))) != MARL_OK) return status;
    return marl__vector_observe(v, e);
}

static void keep_error(marl__vector_env *own, marl_status status) {
    own->status = status;
    if (status != MARL_OK) snprintf(own->error, sizeof own->error, "%s", marl_last_error());
}

/* Messages that begin with the step already are given the environment only. */
static marl_status report(const marl__vector *v) {
    for (int32_t e = 0; e < v->count; e++) {
        const marl__vector_env *own = &v->envs[e];
        const char *which = v->is_evaluation ? "evaluation environment" : "environment";

        if (own->status == MARL_OK) continue;
        if (strncmp(own->error, "step ", 5) == 0) return marl__fail(own->status, "%s %d, %s", which, e, own->error);
        return marl__fail(own->status, "%s %d, step %d: %s", which, e, own->length, own->error);
    }
    return MARL_OK;
}

static void swap_hidden(marl__vector *v) {
    float *kept = v->hidden;

    v->hidden = v->next_hidden;
    v->next_hidden = kept;
}

static void begin_task(int32_t e, void *ctx) {
    marl__vector *v = ctx;

    v->envs[e].has_ended = 0;
    keep_error(&v->envs[e], begin_episode(v, e));
}

static marl_status begin_all(marl__vector *v) {
    marl_status status = marl__pool_run(v->device->pool, v->count, begin_task, v);

    if (status == MARL_OK) status = report(v);
    swap_hidden(v);
    return status;
}

marl_status marl__vector_start(marl__vector *vector) {
    return begin_all(vector);
}

marl_status marl__vector_start_evaluation(marl__vector *vector, uint64_t seed, uint64_t episodes) {
    vector->seed = seed;
    vector->episodes = episodes;
    vector->is_evaluation = 1;
    for (int32_t e = 0; e < vector->count; e++) vector->envs[e].next_episode = 0;
    return begin_all(vector);
}

/* What a broken environment has shown is not kept either. */
void marl__vector_abandon(marl__vector *vector) {
    const marl__team_shape *shape = &vector->view->shape;
    size_t rows = (size_t)vector->count * (size_t)shape->agents;

    memset(vector->obs, 0, rows * (size_t)shape->obs * sizeof *vector->obs);
    memset(vector->state, 0, (size_t)vector->count * (size_t)shape->state * sizeof *vector->state);
    memset(vector->avail, 0, rows * (size_t)shape->actions);
    memset(vector->alive, 0, rows);
    for (int32_t e = 0; e < vector->count; e++) {
        vector->envs[e].length = 0;
        vector->envs[e].reward_sum = 0;
        vector->envs[e].has_ended = 0;
    }
}

/* ---- a step ---- */

static double team_reward(const marl__vector *v, const double *rewards) {
    double sum = 0;

    for (int32_t i = 0; i < v->view->env_rewards; i++) sum += rewards[i];
    return sum;
}

/* The step is taken: its result goes into the record, and an ended episode is closed and the next one begun. */
static marl_status settle(marl__vector *v, int32_t e, const marl_step *step) {
    marl__vector_env *own = &v->envs[e];
    size_t n = (size_t)v->view->shape.agents;
    double reward = team_reward(v, step->rewards);
    marl_status status = MARL_OK;

    if (v->recording) marl__record_rewards(v, e, own->length, step->rewards, reward);
    own->reward_sum += reward;
    own->length++;
    if ((status = marl__vector_observe(v, e)) != MARL_OK) return status;
    if (!step->terminated && !step->truncated) {
        memcpy(v->last + (size_t)e * n, v->actions + (size_t)e * n, n * sizeof(int32_t));
        return MARL_OK;
    }
    if (v->recording && (status = marl__record_seen(v, e, own->length)) != MARL_OK) return status;
    own->has_ended = 1;
    own->end = (marl__episode_end){own->length, step->terminated || v->view->limit_ends, step->outcome,
                                   own->reward_sum, own->next_episode - 1};
    return begin_episode(v, e);
}

static marl_status play(marl__vector *v, int32_t e) {
    marl__vector_env *own = &v->envs[e];
    size_t n = (size_t)v->view->shape.agents;
    marl_actions actions = {.struct_size = sizeof actions, .discrete = v->actions + (size_t)e * n};
    marl_step step = {.struct_size = sizeof step, .rewards = v->rewards + (size_t)e * n};
    marl_status status = MARL_OK;

    /* Possible only when a checkpoint's environment and its record disagree. */
    if (own->length >= v->view->shape.episode_limit) {
        return marl__fail(MARL_E_STATE, "the episode goes on past its limit of %d steps", v->view->shape.episode_limit);
    }
    if (v->recording) {
        if ((status = marl__record_seen(v, e, own->length)) != MARL_OK) return status;
        marl__record_action(v, e, own->length);
    }
    if ((status = marl_env_step(own->env, &actions, &step)) != MARL_OK) return status;
    return settle(v, e, &step);
}

static void choose(marl__vector *v, int32_t e) {
    size_t n = (size_t)v->view->shape.agents, na = n * (size_t)v->view->shape.actions;

    marl__choose(v->agent, v->values + (size_t)e * na, v->avail + (size_t)e * na, v->alive + (size_t)e * n, v->epsilon,
                 &v->envs[e].explore, v->actions + (size_t)e * n);
}

static void chunk_task(int32_t c, void *ctx) {
    marl__vector *v = ctx;
    const marl__team_shape *shape = &v->view->shape;
    int32_t first = c * v->chunk_size, end = first + v->chunk_size < v->count ? first + v->chunk_size : v->count;
    size_t row = (size_t)first * (size_t)shape->agents, h = (size_t)v->hidden_size;
    int64_t begun = now_ns(), chosen = 0;

    if (first >= end) return;
    marl__actor_values(v->runs[c], v->version, end - first, v->obs + row * (size_t)shape->obs, v->last + row,
                       h > 0 ? v->hidden + row * h : NULL, h > 0 ? v->next_hidden + row * h : NULL,
                       v->values + row * (size_t)shape->actions);
    for (int32_t e = first; e < end; e++) {
        if (v->envs[e].is_playing) choose(v, e);
    }
    chosen = now_ns();
    for (int32_t e = first; e < end; e++) {
        v->envs[e].has_ended = 0;
        if (v->envs[e].is_playing) keep_error(&v->envs[e], play(v, e));
    }
    v->act_ns[c] = chosen - begun;
    v->env_ns[c] = now_ns() - chosen;
}

marl_status marl__vector_step(marl__vector *vector, const marl__version *version, double epsilon) {
    marl_status status = MARL_OK;

    vector->version = version;
    vector->epsilon = epsilon;
    if ((status = marl__pool_run(vector->device->pool, vector->chunk_count, chunk_task, vector)) != MARL_OK) {
        return status;
    }
    swap_hidden(vector);
    return report(vector);
}
