/* SPDX-License-Identifier: Apache-2.0 */
#include "run/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"

/* ---- the list ---- */

static marl_status add_piece(marl__snapshot *s, const marl__piece *piece) {
    size_t bytes = marl__tensor_type_bytes(piece->type);

    if (s->count == MARL__PIECES_MAX) {
        return marl__fail(MARL_E_UNSUPPORTED, "a checkpoint has more than %d pieces", MARL__PIECES_MAX);
    }
    for (uint32_t i = 0; i < piece->rank; i++) bytes *= piece->shape[i];
    s->pieces[s->count] = *piece;
    s->pieces[s->count++].bytes = bytes;
    return MARL_OK;
}

/* A row an environment of `columns` numbers. */
static marl_status add_rows(marl_trainer *t, marl__snapshot *s, const char *name, int32_t type, size_t columns,
                            void *data, int32_t rule, int32_t bound) {
    marl__piece piece = {.type = type, .rank = 2, .data = data, .rule = rule, .bound = bound};

    if (columns > UINT32_MAX) return marl__fail(MARL_E_SHAPE, "%s has %zu numbers, too many", name, columns);
    snprintf(piece.name, sizeof piece.name, "%s", name);
    piece.shape[0] = (uint32_t)t->vector->count;
    piece.shape[1] = (uint32_t)columns;
    return add_piece(s, &piece);
}

static marl_status add_list(marl__snapshot *s, const char *name, int32_t type, size_t count, void *data, int32_t rule) {
    marl__piece piece = {.type = type, .rank = 1, .data = data, .rule = rule};

    if (count > UINT32_MAX) return marl__fail(MARL_E_SHAPE, "%s has %zu numbers, too many", name, count);
    snprintf(piece.name, sizeof piece.name, "%s", name);
    piece.shape[0] = (uint32_t)count;
    return add_piece(s, &piece);
}

/* Items of the learner may share a name (one an optimiser group); the later ones get a number. */
static void name_item(const marl__snapshot *s, const char *item, char *name, size_t bytes) {
    int32_t number = 0;

    snprintf(name, bytes, "learner.%s", item);
    for (int32_t i = 0; i < s->count; i++) {
        if (strcmp(s->pieces[i].name, name) == 0) snprintf(name, bytes, "learner.%s.%d", item, ++number);
    }
}

static marl_status add_learner(marl_trainer *t, marl__snapshot *s) {
    marl__state_item item;
    marl_status status = MARL_OK;
    char name[64];

    for (int32_t i = 0; status == MARL_OK && marl__learner_state(t->learner, i, &item); i++) {
        void *data = item.f32 ? (void *)item.f32 : item.f64 ? (void *)item.f64 : (void *)item.i64;
        int32_t type = item.f32 ? MARL__TENSOR_F32 : item.f64 ? MARL__TENSOR_F64 : MARL__TENSOR_I64;

        name_item(s, item.name, name, sizeof name);
        status = add_list(s, name, type, item.count, data, item.i64 ? MARL__PIECE_COUNT : MARL__PIECE_FINITE);
    }
    return status;
}

static marl_status add_environments(marl_trainer *t, marl__snapshot *s) {
    const marl__team_shape *shape = &t->view.shape;
    marl__vector *v = t->vector;
    size_t n = (size_t)shape->agents, no = n * (size_t)shape->obs, na = n * (size_t)shape->actions;
    int32_t limit = shape->episode_limit, actions = shape->actions;
    const struct {
        const char *name;
        int32_t type;
        size_t columns;
        void *data;
        int32_t rule, bound;
    } rows[] = {
        {"env.saved", MARL__TENSOR_U8, s->save_bytes, s->env_bytes, MARL__PIECE_ANY, 0},
        {"env.episode", MARL__TENSOR_I64, 1, s->env_episodes, MARL__PIECE_COUNT, 0},
        {"env.draws", MARL__TENSOR_I64, 1, s->env_draws, MARL__PIECE_COUNT, 0},
        {"env.length", MARL__TENSOR_I32, 1, s->env_lengths, MARL__PIECE_INDEX, limit},
        {"env.reward_sum", MARL__TENSOR_F64, 1, s->env_rewards, MARL__PIECE_FINITE, 0},
        {"env.obs", MARL__TENSOR_F32, no, v->obs, MARL__PIECE_FINITE, 0},
        {"env.state", MARL__TENSOR_F32, (size_t)shape->state, v->state, MARL__PIECE_FINITE, 0},
        {"env.avail", MARL__TENSOR_U8, na, v->avail, MARL__PIECE_FLAGS, 0},
        {"env.alive", MARL__TENSOR_U8, n, v->alive, MARL__PIECE_FLAGS, 0},
        {"env.last_action", MARL__TENSOR_I32, n, v->last, MARL__PIECE_LAST, actions},
        {"env.hidden", MARL__TENSOR_F32, n * (size_t)v->hidden_size, v->hidden, MARL__PIECE_FINITE, 0},
    };
    marl_status status = MARL_OK;

    for (size_t i = 0; status == MARL_OK && i < sizeof rows / sizeof rows[0]; i++) {
        status = add_rows(t, s, rows[i].name, rows[i].type, rows[i].columns, rows[i].data, rows[i].rule, rows[i].bound);
    }
    return status;
}

static marl_status add_open_episodes(marl_trainer *t, marl__snapshot *s) {
    const marl__team_shape *shape = &t->view.shape;
    marl__vector *v = t->vector;
    size_t n = (size_t)shape->agents, slots = (size_t)shape->episode_limit + 1;
    const struct {
        const char *name;
        int32_t type;
        size_t columns;
        void *data;
        int32_t rule;
    } arrays[] = {
        {"open.saved", MARL__TENSOR_U8, v->slot_bytes, v->kept_slots, MARL__PIECE_ANY},
        {"open.obs", MARL__TENSOR_F32, n * (size_t)shape->obs, v->kept_obs, MARL__PIECE_FINITE},
        {"open.state", MARL__TENSOR_F32, (size_t)shape->state, v->kept_state, MARL__PIECE_FINITE},
        {"open.avail", MARL__TENSOR_U8, n * (size_t)shape->actions, v->kept_avail, MARL__PIECE_FLAGS},
        {"open.actions", MARL__TENSOR_I32, n, v->kept_actions, MARL__PIECE_INDEX},
        {"open.rewards", MARL__TENSOR_F32, (size_t)shape->rewards, v->kept_rewards, MARL__PIECE_FINITE},
    };
    marl_status status = MARL_OK;

    for (size_t i = 0; status == MARL_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
        marl__piece piece = {.type = arrays[i].type, .rank = 3, .data = arrays[i].data, .rule = arrays[i].rule};

        if (!arrays[i].data) continue; /* of the other way to record */
        snprintf(piece.name, sizeof piece.name, "%s", arrays[i].name);
        piece.bound = shape->actions;
        piece.shape[0] = (uint32_t)v->count;
        piece.shape[1] = (uint32_t)slots;
        piece.shape[2] = (uint32_t)arrays[i].columns;
        status = add_piece(s, &piece);
    }
    return status;
}

static marl_status take_scratch(marl_trainer *t, marl__snapshot *s) {
    marl__heap *heap = &t->device->heap;
    size_t e = (size_t)t->vector->count;
    void *array = NULL;
    marl_status status = MARL_OK;

    s->save_bytes = marl_env_save_bytes(t->vector->envs[0].env);
    if ((status = marl__alloc_array(heap, e, sizeof(int64_t), &array)) != MARL_OK) return status;
    s->env_episodes = array;
    if ((status = marl__alloc_array(heap, e, sizeof(int64_t), &array)) != MARL_OK) return status;
    s->env_draws = array;
    if ((status = marl__alloc_array(heap, e, sizeof(int32_t), &array)) != MARL_OK) return status;
    s->env_lengths = array;
    if ((status = marl__alloc_array(heap, e, sizeof(double), &array)) != MARL_OK) return status;
    s->env_rewards = array;
    if ((status = marl__alloc_array(heap, e, s->save_bytes, &array)) != MARL_OK) return status;
    s->env_bytes = array;
    return MARL_OK;
}

marl_status marl__snapshot_create(marl_trainer *trainer, marl__snapshot **out) {
    marl__snapshot *s = marl__alloc_zero(&trainer->device->heap, sizeof *s);
    marl_status status = MARL_OK;

    *out = NULL;
    if (!s) return MARL_E_NOMEM;
    if ((status = take_scratch(trainer, s)) != MARL_OK) goto done;
    status = add_list(s, "run.counters", MARL__TENSOR_I64, MARL__COUNTERS, s->counters, MARL__PIECE_COUNT);
    if (status != MARL_OK) goto done;
    status = add_list(s, "run.sums", MARL__TENSOR_F64, MARL__SUMS, s->sums, MARL__PIECE_ANY);
    if (status != MARL_OK) goto done;
    if ((status = add_learner(trainer, s)) != MARL_OK) goto done;
    if ((status = add_environments(trainer, s)) != MARL_OK) goto done;
    if ((status = add_open_episodes(trainer, s)) != MARL_OK) goto done;
    *out = s;
    s = NULL;
done:
    marl__snapshot_destroy(trainer, s);
    return status;
}

void marl__snapshot_destroy(marl_trainer *trainer, marl__snapshot *snapshot) {
    marl__heap *heap = &trainer->device->heap;

    if (!snapshot) return;
    marl__free(heap, snapshot->env_episodes);
    marl__free(heap, snapshot->env_draws);
    marl__free(heap, snapshot->env_lengths);
    marl__free(heap, snapshot->env_rewards);
    marl__free(heap, snapshot->env_bytes);
    marl__free(heap, snapshot);
}

/* ---- packing ---- */

marl_status marl__snapshot_pack(marl_trainer *t, marl__snapshot *s) {
    const marl__run_state *state = &t->state;
    marl_status status = MARL_OK;
    int32_t at = 0;

#define PACK(name) s->counters[at++] = (int64_t)state->name;
    MARL__RUN_COUNTERS(PACK)
#undef PACK
    at = 0;
#define PACK(name) s->sums[at++] = state->name;
    MARL__RUN_SUMS(PACK)
#undef PACK
    s->counters[MARL__JSON_BYTES_AT] = t->metrics.is_open ? (int64_t)t->metrics.json.byte_count : 0;
    s->counters[MARL__CSV_BYTES_AT] = t->metrics.is_open ? (int64_t)t->metrics.csv.byte_count : 0;
    for (int32_t e = 0; e < t->vector->count; e++) {
        const marl__vector_env *own = &t->vector->envs[e];

        s->env_episodes[e] = (int64_t)own->next_episode;
        s->env_draws[e] = (int64_t)own->explore.counter;
        s->env_lengths[e] = own->length;
        s->env_rewards[e] = own->reward_sum;
        if (!state->is_started || s->save_bytes == 0) continue;
        status = marl_env_save(own->env, s->env_bytes + (size_t)e * s->save_bytes, s->save_bytes);
        if (status != MARL_OK) return marl__fail_prefix(status, "environment %d: ", e);
    }
    return MARL_OK;
}

void marl__snapshot_unpack(marl_trainer *t, const marl__snapshot *s) {
    marl__run_state *state = &t->state;
    int32_t at = 0;

#define UNPACK(name) state->name = s->counters[at++];
    MARL__RUN_COUNTERS(UNPACK)
#undef UNPACK
    at = 0;
#define UNPACK(name) state->name = s->sums[at++];
    MARL__RUN_SUMS(UNPACK)
#undef UNPACK
    for (int32_t e = 0; e < t->vector->count; e++) {
        marl__vector_env *own = &t->vector->envs[e];

        own->next_episode = (uint64_t)s->env_episodes[e];
        own->explore.counter = (uint64_t)s->env_draws[e];
        own->length = s->env_lengths[e];
        own->reward_sum = s->env_rewards[e];
        own->has_ended = 0;
        own->is_playing = 1;
    }
}

/* ---- texts ---- */

void marl__checkpoint_write_env(const marl_trainer *t, marl__json_writer *json) {
    const marl_env_spec *spec = marl_env_get_spec(t->vector->envs[0].env);
    const marl__team_shape *shape = &t->view.shape;
    char hash[20];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)spec->hash);
    marl__json_open_object(json, NULL);
    marl__json_write_text(json, "name", spec->name);
    marl__json_write_text(json, "version", spec->version ? spec->version : "");
    marl__json_write_text(json, "hash", hash);
    marl__json_write_int(json, "agents", shape->agents);
    marl__json_write_int(json, "observation size", shape->obs);
    marl__json_write_int(json, "actions", shape->actions);
    marl__json_write_int(json, "state size", shape->state);
    marl__json_write_int(json, "rewards", shape->rewards);
    marl__json_write_int(json, "episode limit", shape->episode_limit);
    marl__json_write_bool(json, "state is observations", t->view.state_is_obs);
    marl__json_close_object(json);
}

marl_status marl__checkpoint_write_run(const marl_trainer *t, marl__json_writer *json) {
    marl__heap *heap = &t->device->heap;
    size_t bytes = 0;
    char *text = NULL;
    marl_status status = marl_config_to_json(t->config, NULL, 0, &bytes);

    if (status != MARL_OK) return status;
    text = marl__alloc(heap, bytes + 1);
    if (!text) return MARL_E_NOMEM;
    if ((status = marl_config_to_json(t->config, text, bytes + 1, &bytes)) == MARL_OK) {
        marl__json_open_object(json, NULL);
        marl__json_write_text(json, "component", marl_config_component(t->config));
        marl__json_write_raw(json, "config", text);
        marl__json_close_object(json);
        status = json->status;
    }
    marl__free(heap, text);
    return status;
}

void marl__checkpoint_write_layout(const marl_trainer *t, marl__json_writer *json) {
    const marl__params *params = marl__learner_params(t->learner);

    marl__json_open_array(json, NULL);
    for (int32_t i = 0; i < params->count; i++) {
        const marl__param *param = &params->list[i];

        marl__json_open_object(json, NULL);
        marl__json_write_text(json, "name", param->name);
        marl__json_open_array(json, "shape");
        for (int32_t d = 0; d < param->rank; d++) marl__json_write_int(json, NULL, param->shape[d]);
        marl__json_close_array(json);
        marl__json_write_int(json, "offset", (int64_t)param->offset);
        marl__json_close_object(json);
    }
    marl__json_close_array(json);
}
