/* SPDX-License-Identifier: Apache-2.0 */
/* Teams for the tests of policies: parameters drawn from a seed, written as a policy file into memory. */
#ifndef MARL__TESTS_RUN_TEAM_FILE_H
#define MARL__TESTS_RUN_TEAM_FILE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/device.h"
#include "marl/marl.h"
#include "run/policy_file.h"

/* Bytes that a sink has taken; ends with bytes_free. */
typedef struct byte_list {
    unsigned char *data;
    size_t count, capacity;
} byte_list;

static inline marl_status take_bytes(const void *data, size_t bytes, void *user) {
    byte_list *list = user;

    if (list->count + bytes > list->capacity) {
        list->capacity = 2 * (list->count + bytes);
        list->data = realloc(list->data, list->capacity);
        ck_assert_ptr_nonnull(list->data);
    }
    memcpy(list->data + list->count, data, bytes);
    list->count += bytes;
    return MARL_OK;
}

static inline void bytes_free(byte_list *list) {
    free(list->data);
    *list = (byte_list){NULL, 0, 0};
}

static inline marl_sink sink_to(byte_list *list) {
    marl_sink sink;

    marl_sink_init(&sink, sizeof sink);
    sink.write = take_bytes;
    sink.user = list;
    return sink;
}

static inline marl_source source_of(const void *bytes, size_t count) {
    marl_source source;

    marl_source_init(&source, sizeof source);
    source.bytes = bytes;
    source.byte_count = count;
    return source;
}

#define CHECK(expression)                                                                                              \
    do {                                                                                                               \
        marl_status check_status = (expression);                                                                       \
        ck_assert_msg(check_status == MARL_OK, "%s: %s: %s", #expression, marl_status_name(check_status),              \
                      marl_last_error());                                                                              \
    } while (0)

/* What a test team is. keys: "key", "value", ..., NULL; may be NULL. */
typedef struct team_options {
    int32_t agents, obs, actions;
    const char *const *keys;
    uint64_t seed;
    const float *scale, *shift;
    int32_t scale_rows;
} team_options;

static inline marl_config *team_config(const char *const *keys) {
    marl_config *config = NULL;

    CHECK(marl_config_create(NULL, "run/vdn/lbf:5x5-2p-1f-coop", &config));
    CHECK(marl_config_set(config, "net.hidden_dim", "8"));
    for (; keys && *keys; keys += 2) CHECK(marl_config_set(config, keys[0], keys[1]));
    return config;
}

/* Writes such a team to a sink. */
static inline void team_write(marl_device *device, const team_options *options, const marl_sink *sink) {
    marl__team_shape shape = {.agents = options->agents, .obs = options->obs, .actions = options->actions,
                              .state = 0, .rewards = 1, .episode_limit = 10};
    marl_config *config = team_config(options->keys);
    marl__params *params = NULL;
    marl__agent agent;
    float *flat = NULL;

    CHECK(marl__params_create(device, &params));
    CHECK(marl__agent_declare(config, &shape, params, &agent));
    CHECK(marl__params_freeze(params));
    flat = calloc(params->floats, sizeof *flat);
    ck_assert_ptr_nonnull(flat);
    marl__params_init(params, options->seed, flat);
    const marl__policy_file file = {.config = config, .algo = "vdn", .env_name = "lbf:5x5-2p-1f-coop",
                                    .env_version = "1", .env_hash = UINT64_C(0xfedcba9876543210), .shape = shape,
                                    .params = params, .flat = flat, .obs_scale = options->scale,
                                    .obs_shift = options->shift, .scale_rows = options->scale_rows};
    CHECK(marl__policy_file_write(&device->heap, &file, sink));
    free(flat);
    marl__params_destroy(params);
    marl_config_destroy(config);
}

static inline byte_list team_bytes(marl_device *device, const team_options *options) {
    byte_list list = {NULL, 0, 0};
    marl_sink sink = sink_to(&list);

    team_write(device, options, &sink);
    return list;
}

static inline marl_policy *team_policy(marl_device *device, const team_options *options) {
    byte_list list = team_bytes(device, options);
    marl_source source = source_of(list.data, list.count);
    marl_policy *policy = NULL;

    CHECK(marl_policy_load(device, &source, NULL, &policy));
    bytes_free(&list);
    return policy;
}

#endif
