/* SPDX-License-Identifier: Apache-2.0 */
/* The graph a learner of the value family runs on a shard: what goes in, the losses that come out. */
#ifndef MARL__ALGOS_VALUE_GRAPH_H
#define MARL__ALGOS_VALUE_GRAPH_H

#include "algos/learner.h"

typedef struct marl__value_spec {
    const marl_config *config;
    const marl__params *params;
    marl__team_shape shape;
    const marl__agent *agent;
    const marl__mixer *mixer;
    int32_t keep; /* 1: values between input and loss can be read by name */
} marl__value_spec;

typedef struct marl__value_graph {
    marl__graph *graph;
    int32_t online_slot, target_slot;
    /* Inputs; -1: not used. */
    marl__val obs, last, action, taken, avail, state, reward, terminated, mask, scale;
    marl__val losses[3]; /* of the op td_loss; their first columns add up to the loss, the first is the temporal one */
    int32_t loss_count;
} marl__value_graph;

/* The caller frees out->graph, also on failure. */
marl_status marl__value_graph_build(marl__heap *heap, const marl__value_spec *spec, marl__value_graph *out);

#endif
