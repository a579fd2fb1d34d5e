/* SPDX-License-Identifier: Apache-2.0 */
/* A net on a device with one run: what the tests of nets share. Everything stops the test when it fails. */
#ifndef MARL__TESTS_NET_RIG_H
#define MARL__TESTS_NET_RIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "marl/config.h"
#include "nets/net.h"
#include "support/learners.h"

typedef struct net_rig {
    marl_device *device;
    marl_config *config;
    marl__params *params;
    marl__version version;
    marl__graph *graph;
    marl__plan *plan;
    marl__exec *exec;
    marl__net net;
    marl__net_values values;
    marl__mixer mixer;
    int32_t slot, active[16], offset[17];
    marl__seq seq;
} net_rig;

static inline void rig_ok(marl_status status) {
    ck_assert_msg(status == MARL_OK, "%s: %s", marl_status_name(status), marl_last_error());
}

/* settings: pairs of key and value, ended by NULL. team: NULL for nets that do not look at entities. */
static inline marl_status rig_declare_for(net_rig *r, const char *kind, const char *const *settings, int32_t agents,
                                          marl__net_shape shape, const marl__net_team *team) {
    char component[32];
    memset(r, 0, sizeof *r);
    r->device = marl__test_device("cpu", "auto", 1);
    snprintf(component, sizeof component, "net/%s", kind);
    rig_ok(marl_config_create(NULL, component, &r->config));
    for (; settings && settings[0]; settings += 2) rig_ok(marl_config_set(r->config, settings[0], settings[1]));
    rig_ok(marl__params_create(r->device, &r->params));
    rig_ok(marl__graph_create(&r->device->heap, agents, 1, &r->graph));
    return marl__net_declare_for(kind, r->config, "", shape, team, r->params, &r->net);
}

static inline marl_status rig_declare(net_rig *r, const char *kind, const char *const *settings, int32_t agents,
                                      marl__net_shape shape) {
    return rig_declare_for(r, kind, settings, agents, shape, NULL);
}

/* Draws the parameters and opens the slot. */
static inline void rig_fill(net_rig *r, uint64_t seed) {
    rig_ok(marl__params_freeze(r->params));
    rig_ok(marl__version_create(r->params, &r->version));
    marl__params_init(r->params, seed, r->version.flat);
    r->slot = marl__graph_slot(r->graph, "net", r->params, -1, 0);
}

/* Slots of falling numbers of teams. */
static inline void rig_rows(net_rig *r, const int32_t *active, int32_t slots) {
    for (int32_t t = 0; t < slots; t++) {
        r->active[t] = active[t];
        r->offset[t + 1] = r->offset[t] + active[t];
    }
    r->seq = (marl__seq){slots, active[0], r->offset[slots], r->active, r->offset};
}

static inline void rig_ready(net_rig *r) {
    marl__capacity capacity = {r->seq.slots, r->seq.batch, r->seq.rows};
    rig_ok(marl__graph_status(r->graph));
    rig_ok(marl__plan_create(r->device, r->graph, capacity, &r->plan));
    rig_ok(marl__exec_create(r->plan, &r->exec));
    marl__exec_set_seq(r->exec, &r->seq);
    marl__version_pack_all(r->params, &r->version);
    if (r->graph->slot_count > 0) marl__exec_bind_slot(r->exec, r->slot, &r->version, -1);
}

static inline float *rig_data(net_rig *r, marl__val value) {
    return marl__exec_data(r->exec, value);
}

static inline float *rig_param(net_rig *r, const char *name) {
    int32_t index = marl__params_find(r->params, name);
    ck_assert_msg(index >= 0, "no parameter %s", name);
    return r->version.flat + r->params->list[index].offset;
}

static inline void rig_close(net_rig *r) {
    marl__exec_destroy(r->exec);
    marl__plan_destroy(r->plan);
    marl__graph_destroy(r->graph);
    if (r->version.flat) marl__version_destroy(r->params, &r->version);
    marl__params_destroy(r->params);
    marl_config_destroy(r->config);
    marl_device_close(r->device);
}

static inline size_t rig_numbers(const net_rig *r) {
    size_t numbers = 0;
    for (int32_t i = 0; i < r->params->count; i++) numbers += r->params->list[i].count;
    return numbers;
}

static inline void fill_random(float *x, size_t count, uint64_t seed) {
    marl__rng rng;
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_TEST, 7));
    for (size_t i = 0; i < count; i++) x[i] = 2.0f * marl__rng_real32(&rng) - 1.0f;
}

#endif
