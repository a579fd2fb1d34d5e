/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a batch from the replay into rows, in each form in which it keeps episodes: one thread, sampling included.
 * Named environments are played at random; teams without one are shapes of the host's, whose observe does no more than
 * write numbers: what is then measured for `state` is the least that making observations anew can cost.
 *
 * episodes_in_4GiB: of full length, one of them in reserve. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "algos/value_batch.h"
#include "bench.h"
#include "run/trainer.h"

enum { LOADED_MAX = 128 };

/* ---- a team of the host's: sizes and nothing else ---- */

typedef struct shape {
    const char *name;
    uint32_t agents, obs, actions, state, limit, saved; /* saved: bytes of a state */
    int is_large;
} shape;

typedef struct shape_env {
    const shape *shape;
    uint32_t at;
    uint64_t seed;
    marl_agent_class agent_class;
} shape_env;

static marl_status shape_create(void *user, uint32_t index, void **env) {
    shape_env *self = calloc(1, sizeof *self);
    (void)index;
    if (!self) return MARL_E_NOMEM;
    self->shape = user;
    *env = self;
    return MARL_OK;
}

static marl_status shape_spec(void *env, marl_env_spec *out) {
    shape_env *self = env;
    marl_agent_class_init(&self->agent_class, sizeof self->agent_class);
    self->agent_class.obs_shape[0] = self->shape->obs;
    self->agent_class.action_count = self->shape->actions;
    out->agent_count = self->shape->agents;
    out->name = self->shape->name;
    out->version = "1";
    out->class_count = 1;
    out->classes = &self->agent_class;
    out->state_size = self->shape->state;
    out->episode_limit = self->shape->limit;
    return MARL_OK;
}

static marl_status shape_reset(void *env, uint64_t seed) {
    shape_env *self = env;
    self->at = 0;
    self->seed = seed;
    return MARL_OK;
}

static marl_status shape_step(void *env, const marl_actions *actions, marl_step *out) {
    shape_env *self = env;
    out->rewards[0] = actions->discrete[0];
    out->truncated = ++self->at == self->shape->limit;
    return MARL_OK;
}

static marl_status shape_observe(void *env, const marl_view *out) {
    const shape_env *self = env;
    float first = (float)(self->seed % 89 + self->at);
    size_t count = (size_t)self->shape->agents * self->shape->obs;
    for (size_t i = 0; out->obs && i < count; i++) out->obs[i] = first + 0.01f * (float)(i % 64);
    for (size_t i = 0; out->state && i < self->shape->state; i++) out->state[i] = first - 0.01f * (float)(i % 64);
    return MARL_OK;
}

static size_t shape_save_bytes(void *env) {
    return ((shape_env *)env)->shape->saved;
}

static marl_status shape_save(void *env, void *bytes) {
    const shape_env *self = env;
    memcpy(bytes, &self->seed, sizeof self->seed);
    memcpy((char *)bytes + sizeof self->seed, &self->at, sizeof self->at);
    return MARL_OK;
}

static marl_status shape_restore(void *env, const void *bytes, size_t count) {
    shape_env *self = env;
    (void)count;
    memcpy(&self->seed, bytes, sizeof self->seed);
    memcpy(&self->at, (const char *)bytes + sizeof self->seed, sizeof self->at);
    return MARL_OK;
}

static void shape_type(const shape *shape, marl_env_vtable *vtable, marl_env_type *type) {
    marl_env_vtable_init(vtable, sizeof *vtable);
    vtable->spec = shape_spec;
    vtable->reset = shape_reset;
    vtable->step = shape_step;
    vtable->observe = shape_observe;
    vtable->save_bytes = shape_save_bytes;
    vtable->save = shape_save;
    vtable->restore = shape_restore;
    vtable->destroy = free;
    marl_env_type_init(type, sizeof *type);
    type->create = shape_create;
    type->vtable = vtable;
    type->user = (void *)(uintptr_t)shape;
}

/* ---- a trainer that only plays, and the rows it would learn from ---- */

typedef struct loader {
    marl_trainer *trainer;
    marl__batch *batch;
    marl__batch_rows rows;
    marl__rng rng;
    int32_t count;
    marl__episode episodes[LOADED_MAX];
} loader;

static marl_status play(const bench *bench, const char *env, const marl_env_type *type, const char *store,
                        int32_t count, marl_trainer **out) {
    const char *const settings[][2] = {
        {"replay.store", store}, {"replay.bytes", "4294967296"}, {"replay.episodes", "1000000"},
        {"updates_per_env_step", "0"}, {"updates_per_episode", "0"}, {"eval.every", "0"}, {"net.hidden_dim", "8"},
        {"epsilon_start", "1"}, {"epsilon_end", "1"}, {"batch_size", "1"},
    };
    char component[128];
    marl_config *config = NULL;
    marl_status status;

    snprintf(component, sizeof component, "run/vdn%s%s", type ? "" : "/", type ? "" : env);
    status = marl_config_create(NULL, component, &config);
    for (size_t i = 0; status == MARL_OK && i < sizeof settings / sizeof settings[0]; i++)
        status = marl_config_set(config, settings[i][0], settings[i][1]);
    if (status == MARL_OK) status = marl_trainer_create(bench->device, config, type, out);
    while (status == MARL_OK && marl__replay_count((*out)->replay) < count)
        status = marl_trainer_run(*out, (*out)->state.steps + 100);
    marl_config_destroy(config);
    return status;
}

static void *take(size_t count, size_t item, marl_status *status) {
    void *array = *status == MARL_OK ? calloc(count, item) : NULL;
    if (!array) *status = MARL_E_NOMEM;
    return array;
}

/* Room for the rows of one shard. */
static marl_status take_rows(loader *l) {
    const marl__team_shape *shape = &l->trainer->view.shape;
    marl__batch_shape sizes = {.agents = shape->agents, .obs = shape->obs, .actions = shape->actions,
                               .state = shape->state, .rewards = 1, .slots = shape->episode_limit + 1,
                               .batch = l->count, .shard_rows = 256, .shard_max = 32};
    marl_status status = marl__batch_create(&l->trainer->device->heap, &sizes, &l->batch);
    if (status != MARL_OK) return status;
    size_t rows = (size_t)marl__batch_capacity(l->batch).rows, n = (size_t)shape->agents;
    l->rows.obs = take(rows * n * (size_t)shape->obs, sizeof(float), &status);
    l->rows.avail = take(rows * n * (size_t)shape->actions, sizeof(float), &status);
    l->rows.state = take(rows * (size_t)shape->state, sizeof(float), &status);
    l->rows.reward = take(rows, sizeof(float), &status);
    l->rows.terminated = take(rows, sizeof(float), &status);
    l->rows.mask = take(rows, sizeof(float), &status);
    l->rows.last = take(rows * n, sizeof(int32_t), &status);
    l->rows.action = take(rows * n, sizeof(int32_t), &status);
    return status;
}

static void loader_close(loader *l) {
    void *const arrays[] = {l->rows.obs, l->rows.avail, l->rows.state, l->rows.reward, l->rows.terminated, l->rows.mask,
                            l->rows.last, l->rows.action};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
    marl__batch_destroy(l->batch);
    marl_trainer_destroy(l->trainer);
}

static marl_status run_load(void *work) {
    loader *l = work;
    marl_status status;

    marl__replay_sample(l->trainer->replay, &l->rng, l->count, l->episodes);
    status = marl__batch_set(l->batch, l->episodes, l->count);
    for (int32_t s = 0; status == MARL_OK && s < l->batch->shard_count; s++)
        for (int32_t place = 0; status == MARL_OK && place < l->batch->shards[s].seq.batch; place++)
            status = marl__batch_load(l->batch, s, place, &l->rows);
    return status;
}

static void measure_load(bench *bench, const char *name, const char *env, const marl_env_type *type, const char *store,
                         int32_t count) {
    loader l = {.count = count};
    const bench_times *times = NULL;

    marl__rng_init(&l.rng, 1, 0);
    if (play(bench, env, type, store, 2 * count, &l.trainer) == MARL_OK && take_rows(&l) == MARL_OK)
        times = bench_measure(bench, run_load, &l);
    if (times) {
        size_t bytes = marl__replay_episode_bytes(&l.trainer->format, l.trainer->view.shape.episode_limit);
        bench_report_times(bench, name, "ms", times->wall, times->count, 1e3, 0);
        bench_report_times(bench, name, "cpu_ms", times->cpu, times->count, 1e3, 0);
        bench_report_one(bench, name, "episode_bytes", (double)bytes);
        bench_report_one(bench, name, "episodes_in_4GiB", (double)((UINT64_C(1) << 32) / bytes - 1));
    } else {
        bench_fail(bench, name);
    }
    loader_close(&l);
}

static int has_family(const char *env) {
    for (uint32_t i = 0; i < marl_env_family_count(); i++) {
        const char *family = marl_env_family_name(i);
        if (strncmp(env, family, strlen(family)) == 0 && env[strlen(family)] == ':') return 1;
    }
    return 0;
}

static void measure_all(bench *bench, const char *env, const marl_env_type *type, int is_large) {
    static const char *const stores[] = {"f32", "f16", "state"};
    static const int32_t counts[] = {32, LOADED_MAX};

    for (size_t s = 0; s < 3; s++)
        for (size_t c = 0; c < 2; c++) {
            char name[96];
            snprintf(name, sizeof name, "load/%s/%s/B%d", env, stores[s], (int)counts[c]);
            if (bench_wants(bench, name, is_large)) measure_load(bench, name, env, type, stores[s], counts[c]);
        }
}

void bench_load(bench *bench) {
    /* The states of a battle: about 57 bytes a unit. */
    static const shape shapes[] = {{"5m_vs_6m", 5, 55, 12, 98, 70, 64 + 11 * 57, 0},
                                   {"27m_vs_30m", 27, 285, 36, 1170, 180, 64 + 57 * 57, 1}};
    static const struct { const char *name; int is_large; } envs[] = {
        {"lbf:8x8-2p-2f-coop", 0}, {"combat:5m_vs_6m", 0}, {"combat:27m_vs_30m", 1}};

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        marl_env_vtable vtable;
        marl_env_type type;
        shape_type(&shapes[i], &vtable, &type);
        measure_all(bench, shapes[i].name, &type, shapes[i].is_large);
    }
    for (size_t i = 0; i < sizeof envs / sizeof envs[0]; i++)
        if (has_family(envs[i].name)) measure_all(bench, envs[i].name, NULL, envs[i].is_large);
}
