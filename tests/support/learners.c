/* SPDX-License-Identifier: Apache-2.0 */
#include "support/learners.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"

static void expect_ok(marl_status status) {
    ck_assert_msg(status == MARL_OK, "%s: %s", marl_status_name(status), marl_last_error());
}

marl_device *marl__test_device(const char *name, const char *isa, int32_t threads) {
    marl_config *config = NULL;
    marl_device *device = NULL;
    expect_ok(marl_config_create(NULL, "device", &config));
    expect_ok(marl_config_set(config, "isa", isa));
    expect_ok(marl_config_set_int(config, "threads", threads));
    marl_status status = marl_device_open(NULL, name, config, &device);
    if (status != MARL_E_UNSUPPORTED) expect_ok(status);
    marl_config_destroy(config);
    return device;
}

marl_config *marl__test_config(const char *algo, const char *settings) {
    marl_config *config = NULL;
    char component[64];
    snprintf(component, sizeof component, "run/%s", algo);
    expect_ok(marl_config_create(NULL, component, &config));
    for (const char *at = settings; *at;) {
        char key[64], value[64];
        int taken = 0;
        ck_assert_int_eq(sscanf(at, " %63[^=]=%63s%n", key, value, &taken), 2);
        expect_ok(marl_config_set(config, key, value));
        at += taken;
    }
    return config;
}

marl__learner *marl__test_learner(marl_device *device, const char *algo, const char *settings,
                                  const marl__team_shape *shape, int32_t batch, uint64_t seed, int32_t keep) {
    const marl__algo_type *type = NULL;
    marl__learner *learner = NULL;
    marl_config *config = marl__test_config(algo, settings);
    expect_ok(marl__algo_type_find(algo, &type));
    expect_ok(type->create(device, type, config, shape, batch, seed, keep, &learner));
    marl_config_destroy(config);
    return learner;
}

static void *take(marl__test_batch *batch, int32_t at, size_t count, size_t bytes) {
    batch->blocks[at] = calloc(count ? count : 1, bytes);
    ck_assert_ptr_nonnull(batch->blocks[at]);
    return batch->blocks[at];
}

/* Available with chance 3/4, one of them surely. */
static void fill_avail(marl__rng *rng, uint8_t *avail, int32_t actions) {
    for (int32_t a = 0; a < actions; a++) avail[a] = marl__rng_below(rng, 4) > 0;
    avail[marl__rng_below(rng, (uint32_t)actions)] = 1;
}

static int32_t draw_action(marl__rng *rng, const uint8_t *avail, int32_t actions) {
    int32_t action = (int32_t)marl__rng_below(rng, (uint32_t)actions);
    while (!avail[action]) action = (action + 1) % actions;
    return action;
}

void marl__test_batch_fill(marl__test_batch *out, const marl__team_shape *shape, const int32_t *lengths,
                           const int32_t *ended, int32_t count, uint64_t seed) {
    size_t slots = 0, agents = (size_t)shape->agents, actions = (size_t)shape->actions;
    marl__rng rng;
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_TEST, 0));
    for (int32_t e = 0; e < count; e++) slots += (size_t)lengths[e] + 1;
    float *obs = take(out, 0, slots * agents * (size_t)shape->obs, sizeof *obs);
    float *state = take(out, 1, slots * (size_t)shape->state, sizeof *state);
    uint8_t *avail = take(out, 2, slots * agents * actions, 1);
    int32_t *taken = take(out, 3, slots * agents, sizeof *taken);
    float *rewards = take(out, 4, slots * (size_t)shape->rewards, sizeof *rewards);
    out->list = calloc((size_t)count, sizeof *out->list);
    ck_assert_ptr_nonnull(out->list);
    out->count = count;
    for (size_t i = 0; i < slots * agents * (size_t)shape->obs; i++) obs[i] = 2.0f * marl__rng_real32(&rng) - 1.0f;
    for (size_t i = 0; i < slots * (size_t)shape->state; i++) state[i] = 2.0f * marl__rng_real32(&rng) - 1.0f;
    for (size_t i = 0; i < slots * (size_t)shape->rewards; i++) rewards[i] = 2.0f * marl__rng_real32(&rng) - 0.5f;
    for (size_t i = 0; i < slots * agents; i++) {
        fill_avail(&rng, avail + i * actions, shape->actions);
        taken[i] = draw_action(&rng, avail + i * actions, shape->actions);
    }
    for (int32_t e = 0; e < count; e++) {
        size_t here = (size_t)lengths[e] + 1;
        out->list[e] = (marl__episode){.length = lengths[e], .terminated = ended ? ended[e] : 1, .obs = obs,
                                       .state = state, .avail = avail, .actions = taken, .rewards = rewards};
        obs += here * agents * (size_t)shape->obs;
        state += here * (size_t)shape->state;
        avail += here * agents * actions;
        taken += here * agents;
        rewards += here * (size_t)shape->rewards;
    }
}

void marl__test_batch_free(marl__test_batch *batch) {
    for (int32_t i = 0; i < 5; i++) free(batch->blocks[i]);
    free(batch->list);
}

static size_t item_bytes(const marl__state_item *item, const void **data) {
    *data = item->f32 ? (const void *)item->f32 : item->f64 ? (const void *)item->f64 : (const void *)item->i64;
    return item->count * (item->f32 ? sizeof(float) : sizeof(double));
}

void *marl__test_state(marl__learner *learner, size_t *out_bytes) {
    marl__state_item item;
    const void *data = NULL;
    size_t bytes = 0;
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++) bytes += item_bytes(&item, &data);
    char *copy = malloc(bytes);
    ck_assert_ptr_nonnull(copy);
    *out_bytes = bytes;
    bytes = 0;
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++) {
        size_t here = item_bytes(&item, &data);
        memcpy(copy + bytes, data, here);
        bytes += here;
    }
    return copy;
}

int marl__test_same_state(marl__learner *a, marl__learner *b) {
    size_t a_bytes = 0, b_bytes = 0;
    void *a_state = marl__test_state(a, &a_bytes), *b_state = marl__test_state(b, &b_bytes);
    int same = a_bytes == b_bytes && !memcmp(a_state, b_state, a_bytes);
    free(a_state);
    free(b_state);
    return same;
}
