/* SPDX-License-Identifier: Apache-2.0 */
/* A graph of a recorded case with its parameters and one run: what the families of single nets share. Recorded arrays
 * are (B, T, rows of a team, columns), ours packed (t, b, row). */
#ifndef MARL__TESTS_GOLDEN_RIG_H
#define MARL__TESTS_GOLDEN_RIG_H

#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"
#include "core/graph/plan.h"
#include "nets/net.h"
#include "support/golden.h"

typedef struct rig {
    marl__golden *golden;
    marl_device *device;
    marl_config *config;
    marl__params *params;
    marl__graph *graph;
    marl__plan *plan;
    marl__exec *exec;
    marl__version version;
    float *gradient;
    int32_t slot;
    size_t unset; /* numbers of our parameters that the recorded net lacks */
    int32_t active[1025], offset[1026];
    marl__seq seq;
} rig;

static inline int rig_open(rig *r, marl__golden *golden, marl_device *device, const char *component, int32_t agents) {
    memset(r, 0, sizeof *r);
    r->golden = golden;
    r->device = device;
    if (component && !marl__golden_ok(golden, marl_config_create(NULL, component, &r->config))) return 0;
    if (!marl__golden_ok(golden, marl__params_create(device, &r->params))) return 0;
    return marl__golden_ok(golden, marl__graph_create(&device->heap, agents, 1, &r->graph));
}

static inline void rig_close(rig *r) {
    marl__exec_destroy(r->exec);
    marl__plan_destroy(r->plan);
    marl__graph_destroy(r->graph);
    if (r->params) marl__version_destroy(r->params, &r->version);
    marl__params_destroy(r->params);
    marl_config_destroy(r->config);
}

static inline void set_text(rig *r, const char *key, const char *value) {
    marl__golden_ok(r->golden, marl_config_set(r->config, key, value));
}

static inline void set_int(rig *r, const char *key, int64_t value) {
    marl__golden_ok(r->golden, marl_config_set_int(r->config, key, value));
}

/* T slots of B teams each. */
static inline void set_rows(rig *r, int32_t slots, int32_t batch) {
    if (slots > 1024) {
        marl__golden_fault(r->golden, "sequences of %d slots; this program has room for 1024", (int)slots);
        return;
    }
    for (int32_t t = 0; t < slots; t++) {
        r->active[t] = batch;
        r->offset[t + 1] = r->offset[t] + batch;
    }
    r->seq = (marl__seq){slots, batch, slots * batch, r->active, r->offset};
}

/* Freezes the declared parameters and opens the slot that graphs of this rig use. */
static inline void open_slot(rig *r) {
    marl__golden_ok(r->golden, marl__params_freeze(r->params));
    marl__golden_ok(r->golden, marl__version_create(r->params, &r->version));
    r->gradient = marl__golden_room(r->golden, r->params->floats + 16, sizeof(float));
    r->slot = marl__graph_slot(r->graph, "net", r->params, -1, 1);
}

/* The graph's plan, with parameters bound. */
static inline int make_ready(rig *r) {
    marl__golden *golden = r->golden;
    marl__capacity capacity = {r->seq.slots, r->seq.batch, r->seq.rows};
    if (golden->fault[0] || !marl__golden_ok(golden, marl__graph_status(r->graph))) return 0;
    if (!marl__golden_ok(golden, marl__plan_create(r->device, r->graph, capacity, &r->plan))) return 0;
    if (!marl__golden_ok(golden, marl__exec_create(r->plan, &r->exec))) return 0;
    marl__exec_set_seq(r->exec, &r->seq);
    if (r->graph->slot_count > 0) {
        marl__version_pack_all(r->params, &r->version);
        marl__exec_bind_slot(r->exec, r->slot, &r->version, -1);
        marl__exec_bind_grad(r->exec, r->slot, r->gradient);
    }
    return 1;
}

/* Recorded (B, T, width) from or to packed (t, b, width); inputs of one slot pass through unchanged. */
static inline void pack_rows(const rig *r, int32_t width, const float *from, float *to) {
    int32_t slots = r->seq.slots, batch = r->seq.batch;
    for (int32_t b = 0; b < batch; b++)
        for (int32_t t = 0; t < slots; t++)
            memcpy(to + ((size_t)t * (size_t)batch + (size_t)b) * (size_t)width,
                   from + ((size_t)b * (size_t)slots + (size_t)t) * (size_t)width, (size_t)width * sizeof *to);
}

static inline void unpack_rows(const rig *r, int32_t width, const float *from, double *to) {
    int32_t slots = r->seq.slots, batch = r->seq.batch;
    for (int32_t b = 0; b < batch; b++)
        for (int32_t t = 0; t < slots; t++)
            for (int32_t c = 0; c < width; c++)
                to[((size_t)b * (size_t)slots + (size_t)t) * (size_t)width + (size_t)c] =
                    (double)from[((size_t)t * (size_t)batch + (size_t)b) * (size_t)width + (size_t)c];
}

/* Columns of a value times the rows it has a team. */
static inline int32_t width_of(const rig *r, marl__val value) {
    const marl__value *v = &r->graph->values[value];
    return v->cols * (v->space == MARL__AGENT || v->space == MARL__FIRST ? r->graph->agents : 1);
}

static inline int is_sequence(const rig *r, marl__val value) {
    return r->graph->values[value].space == MARL__AGENT || r->graph->values[value].space == MARL__TEAM;
}

/* Writes a recorded array into an input; returns it as recorded. */
static inline const float *feed(rig *r, marl__val value, const char *array) {
    int32_t width = width_of(r, value);
    size_t rows = (size_t)(is_sequence(r, value) ? r->seq.rows : r->seq.batch), count = rows * (size_t)width;
    const float *from = marl__golden_floats(r->golden, array, count);
    float *to = marl__exec_data(r->exec, value);
    if (!from) return NULL;
    if (is_sequence(r, value)) pack_rows(r, width, from, to);
    else memcpy(to, from, count * sizeof *to);
    return from;
}

/* Our value in the recorded order, as doubles. */
static inline double *fetch(rig *r, marl__val value, size_t *out_count) {
    int32_t width = value >= 0 ? width_of(r, value) : 0;
    size_t rows = value >= 0 && !is_sequence(r, value) ? (size_t)r->seq.batch : (size_t)r->seq.rows;
    const float *from = marl__exec_data(r->exec, value);
    if (!from) marl__golden_fault(r->golden, "a value of the graph was not computed");
    *out_count = rows * (size_t)width;
    double *to = marl__golden_room(r->golden, *out_count, sizeof *to);
    if (!to) return NULL;
    if (is_sequence(r, value)) unpack_rows(r, width, from, to);
    else for (size_t i = 0; i < *out_count; i++) to[i] = (double)from[i];
    return to;
}

static inline void compare_value(rig *r, marl__val value, const char *array) {
    size_t count = 0;
    const double *got = fetch(r, value, &count);
    marl__golden_compare(r->golden, array, got, count, NULL);
}

/* sum value * weight in double; the weights are those that were fed. */
static inline double weighted_sum(rig *r, marl__val value, const float *weights) {
    size_t count = 0;
    const double *got = fetch(r, value, &count);
    double sum = 0.0;
    for (size_t i = 0; got && weights && i < count; i++) sum += got[i] * (double)weights[i];
    return sum;
}

/* Indices, recorded as integers. */
static inline void feed_indices(rig *r, marl__val value, const char *array) {
    size_t count = (size_t)r->seq.rows * (size_t)width_of(r, value);
    const float *from = marl__golden_floats(r->golden, array, count);
    float *packed = marl__golden_room(r->golden, count, sizeof *packed);
    int32_t *to = marl__exec_data(r->exec, value);
    if (!from || !packed) return;
    pack_rows(r, width_of(r, value), from, packed);
    for (size_t i = 0; i < count; i++) to[i] = (int32_t)packed[i];
}

#endif
