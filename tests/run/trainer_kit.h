/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of training share: a small run in one line, checkpoints in memory, and an environment of the host's
 * that misbehaves on demand. */
#ifndef MARL__TESTS_RUN_TRAINER_KIT_H
#define MARL__TESTS_RUN_TRAINER_KIT_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marl/marl.h"

#define KIT_UNUSED __attribute__((unused))

#define ck_ok(call)                                                                                         \
    do {                                                                                                    \
        marl_status ck_status = (call);                                                                     \
        ck_assert_msg(ck_status == MARL_OK, "%s: %s: %s", #call, marl_status_name(ck_status), marl_last_error()); \
    } while (0)

/* Bytes that grow. */
typedef struct kit_bytes {
    unsigned char *data;
    size_t count, capacity;
} kit_bytes;

KIT_UNUSED static marl_status kit_write(const void *data, size_t bytes, void *user) {
    kit_bytes *to = user;

    if (to->count + bytes > to->capacity) {
        to->capacity = 2 * (to->count + bytes);
        to->data = realloc(to->data, to->capacity);
        ck_assert_ptr_nonnull(to->data);
    }
    memcpy(to->data + to->count, data, bytes);
    to->count += bytes;
    return MARL_OK;
}

KIT_UNUSED static marl_sink kit_sink(kit_bytes *bytes) {
    marl_sink sink;

    memset(bytes, 0, sizeof *bytes);
    marl_sink_init(&sink, sizeof sink);
    sink.write = kit_write;
    sink.user = bytes;
    return sink;
}

KIT_UNUSED static marl_source kit_source(const kit_bytes *bytes) {
    marl_source source;

    marl_source_init(&source, sizeof source);
    source.bytes = bytes->data;
    source.byte_count = bytes->count;
    return source;
}

KIT_UNUSED static void kit_free(kit_bytes *bytes) {
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

KIT_UNUSED static marl_device *kit_device(const marl_host *host, int threads) {
    marl_config *config = NULL;
    marl_device *device = NULL;

    ck_ok(marl_config_create(NULL, "device", &config));
    ck_ok(marl_config_set_int(config, "threads", threads));
    ck_ok(marl_device_open(host, "cpu", config, &device));
    marl_config_destroy(config);
    return device;
}

/* settings: "key=value key=value". */
KIT_UNUSED static void kit_set(marl_config *config, const char *settings) {
    char text[1024], *save = NULL;

    snprintf(text, sizeof text, "%s", settings);
    for (char *pair = strtok_r(text, " ", &save); pair; pair = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(pair, '=');

        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        ck_ok(marl_config_set(config, pair, equals + 1));
    }
}

/* A run so small that hundreds of updates take no time. */
#define KIT_SMALL                                                                                               \
    "envs=3 batch_size=4 net.hidden_dim=8 replay.episodes=20 replay.bytes=4000000 updates_per_env_step=0.1 "    \
    "epsilon_anneal=500 eval.every=250 eval.episodes=5 metrics.every=100 target_interval=5"

KIT_UNUSED static marl_config *kit_config(const char *component, const char *settings) {
    marl_config *config = NULL;

    ck_ok(marl_config_create(NULL, component, &config));
    kit_set(config, KIT_SMALL);
    kit_set(config, settings);
    return config;
}

KIT_UNUSED static marl_trainer *kit_trainer(marl_device *device, const char *component, const char *settings,
                                            const marl_env_type *type) {
    marl_config *config = kit_config(component, settings);
    marl_trainer *trainer = NULL;

    ck_ok(marl_trainer_create(device, config, type, &trainer));
    marl_config_destroy(config);
    return trainer;
}

KIT_UNUSED static kit_bytes kit_checkpoint(marl_trainer *trainer) {
    kit_bytes bytes;
    marl_sink sink = kit_sink(&bytes);

    ck_ok(marl_trainer_save(trainer, &sink));
    ck_assert_uint_gt(bytes.count, 0);
    return bytes;
}

KIT_UNUSED static int kit_equal(const kit_bytes *a, const kit_bytes *b) {
    return a->count == b->count && memcmp(a->data, b->data, a->count) == 0;
}

/* Whether a trainer's checkpoint is these bytes. */
KIT_UNUSED static int kit_stands_at(marl_trainer *trainer, const kit_bytes *bytes) {
    kit_bytes now = kit_checkpoint(trainer);
    int is_equal = kit_equal(&now, bytes);

    kit_free(&now);
    return is_equal;
}

/* ---- an environment of the host's: two agents, four steps an episode, one of which can go wrong ---- */

enum { KIT_FINE, KIT_NAN_REWARD, KIT_NAN_OBS, KIT_FAIL, KIT_FORGETS, KIT_NO_RESTORE, KIT_HUGE_OBS };

typedef struct kit_trouble {
    int kind;
    int64_t after; /* steps of environment `index` until it happens; restoring goes wrong in all of them at once */
    uint32_t index;
    int has_save, is_other; /* is_other: another hash */
    char text[64];
} kit_trouble;

typedef struct kit_env {
    kit_trouble *trouble;
    uint32_t index;
    int64_t steps;
    int32_t at;
    uint64_t seed;
    marl_agent_class agent_class;
} kit_env;

static marl_status kit_env_create(void *user, uint32_t index, void **env) {
    kit_env *self = calloc(1, sizeof *self);

    self->trouble = user;
    self->index = index;
    *env = self;
    return MARL_OK;
}

static marl_status kit_env_spec(void *env, marl_env_spec *out) {
    kit_env *self = env;

    marl_agent_class_init(&self->agent_class, sizeof self->agent_class);
    self->agent_class.obs_shape[0] = 2;
    self->agent_class.action_count = 3;
    out->agent_count = 2;
    out->name = "kit:counting";
    out->version = "1";
    out->hash = self->trouble->is_other ? 8 : 7;
    out->class_count = 1;
    out->classes = &self->agent_class;
    out->state_size = 1;
    out->episode_limit = 4;
    return MARL_OK;
}

static marl_status kit_env_reset(void *env, uint64_t seed) {
    kit_env *self = env;

    self->at = 0;
    self->seed = seed;
    return MARL_OK;
}

static int kit_is_due(const kit_env *self, int kind) {
    return self->trouble->kind == kind && self->index == self->trouble->index && self->steps >= self->trouble->after;
}

static marl_status kit_env_step(void *env, const marl_actions *actions, marl_step *out) {
    kit_env *self = env;

    if (kit_is_due(self, KIT_FAIL)) return -99;
    self->at++;
    self->steps++;
    out->rewards[0] = kit_is_due(self, KIT_NAN_REWARD) ? (double)NAN : actions->discrete[0] == actions->discrete[1];
    out->truncated = self->at == 4;
    return MARL_OK;
}

static marl_status kit_env_observe(void *env, const marl_view *out) {
    kit_env *self = env;

    for (int i = 0; i < 2; i++) {
        if (!out->obs) continue;
        out->obs[2 * i] = (float)self->at;
        out->obs[2 * i + 1] = (float)(self->seed % 7);
    }
    if (out->obs && kit_is_due(self, KIT_NAN_OBS)) out->obs[3] = NAN;
    if (out->obs && kit_is_due(self, KIT_HUGE_OBS)) out->obs[2] = 1e6f;
    if (out->state) out->state[0] = (float)self->at;
    return MARL_OK;
}

static size_t kit_env_save_bytes(void *env) {
    (void)env;
    return 24;
}

static marl_status kit_env_save(void *env, void *bytes) {
    kit_env *self = env;
    int64_t values[3] = {self->steps, self->at, (int64_t)self->seed};

    memcpy(bytes, values, sizeof values);
    return MARL_OK;
}

static marl_status kit_env_restore(void *env, const void *bytes, size_t count) {
    kit_env *self = env;
    int64_t values[3];

    if (count != sizeof values) return -1;
    memcpy(values, bytes, sizeof values);
    if (values[1] < 0 || values[1] > 4 || self->trouble->kind == KIT_NO_RESTORE) return -2;
    if (self->trouble->kind == KIT_FORGETS) values[1] = 0;
    self->steps = values[0];
    self->at = (int32_t)values[1];
    self->seed = (uint64_t)values[2];
    return MARL_OK;
}

static const char *kit_env_error(void *env) {
    return ((kit_env *)env)->trouble->text;
}

/* trouble must outlive the environments; vtable is filled in. */
KIT_UNUSED static marl_env_type kit_env_type(kit_trouble *trouble, marl_env_vtable *vtable) {
    marl_env_type type;

    marl_env_vtable_init(vtable, sizeof *vtable);
    vtable->spec = kit_env_spec;
    vtable->reset = kit_env_reset;
    vtable->step = kit_env_step;
    vtable->observe = kit_env_observe;
    vtable->destroy = free;
    vtable->error = kit_env_error;
    if (trouble->has_save) {
        vtable->save_bytes = kit_env_save_bytes;
        vtable->save = kit_env_save;
        vtable->restore = kit_env_restore;
    }
    marl_env_type_init(&type, sizeof type);
    type.create = kit_env_create;
    type.vtable = vtable;
    type.user = trouble;
    return type;
}

#endif
