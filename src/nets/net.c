/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of networks and what all recipes share: linear layers and their initialisation. */
#include "nets/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define MARL_NET(name) extern const marl__net_type marl__net_type_##name;
#include "nets/nets.def"
#undef MARL_NET

static const marl__net_type *const types[] = {
#define MARL_NET(name) &marl__net_type_##name,
#include "nets/nets.def"
#undef MARL_NET
};

enum { TYPE_COUNT = sizeof types / sizeof types[0] };

const char marl__activation_names[] = "identity|relu|leaky_relu|elu|selu|tanh|sigmoid";

/* In the order of marl__activation_names. */
static const char *const activations[MARL__FUSABLE_COUNT] = {
    [MARL__IDENTITY] = "identity", [MARL__RELU] = "relu", [MARL__LEAKY_RELU] = "leaky_relu", [MARL__ELU] = "elu",
    [MARL__SELU] = "selu",         [MARL__TANH] = "tanh", [MARL__SIGMOID] = "sigmoid",
};

int32_t marl__activation_find(const char *name) {
    for (int32_t i = 0; i < MARL__FUSABLE_COUNT; i++)
        if (!strcmp(activations[i], name)) return i;
    return -1;
}

uint32_t marl__net_type_count(void) {
    return TYPE_COUNT;
}

const marl__net_type *marl__net_type_at(uint32_t index) {
    return index < TYPE_COUNT ? types[index] : NULL;
}

marl_status marl__net_type_find(const char *name, const marl__net_type **out) {
    const char *names[TYPE_COUNT];
    *out = NULL;
    for (uint32_t i = 0; i < TYPE_COUNT; i++) {
        names[i] = types[i]->name;
        if (!strcmp(types[i]->name, name)) *out = types[i];
    }
    if (*out) return MARL_OK;
    return marl__no_such_name("net", name, names, TYPE_COUNT);
}

marl_status marl__net_declare_for(const char *kind, const marl_config *config, const char *prefix,
                                  marl__net_shape shape, const marl__net_team *team, marl__params *params,
                                  marl__net *out) {
    *out = (marl__net){0};
    marl_status status = marl__net_type_find(kind, &out->type);
    if (status != MARL_OK) return status;
    if (shape.inputs < 1 || shape.outputs < 1)
        return marl__fail(MARL_E_SHAPE, "a net from %d inputs to %d outputs; each at least 1", (int)shape.inputs,
                          (int)shape.outputs);
    out->shape = shape;
    if (team && out->type->sees_entities) out->team = *team;
    if ((status = out->type->configure(out, config, prefix)) != MARL_OK) return status;
    out->type->declare(out, params);
    return params->status;
}

marl_status marl__net_declare(const char *kind, const marl_config *config, const char *prefix, marl__net_shape shape,
                              marl__params *params, marl__net *out) {
    return marl__net_declare_for(kind, config, prefix, shape, NULL, params, out);
}

void marl__net_build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    values->out = values->h = values->features = -1;
    net->type->build(net, graph, slot, values);
}

void marl__declare_linear(marl__params *params, const char *name, int32_t groups, int32_t in, int32_t out,
                          float orthogonal_gain, int32_t *weight, int32_t *bias) {
    char full[80];
    float bound = (float)(1.0 / sqrt((double)in));
    int32_t orthogonal = orthogonal_gain > 0.0f;
    snprintf(full, sizeof full, "%s.weight", name);
    *weight = marl__params_add(params, full, groups, 2, out, in,
                               orthogonal ? MARL__INIT_ORTHOGONAL : MARL__INIT_UNIFORM,
                               orthogonal ? orthogonal_gain : bound);
    snprintf(full, sizeof full, "%s.bias", name);
    *bias = marl__params_add(params, full, groups, 1, out, 1, orthogonal ? MARL__INIT_CONSTANT : MARL__INIT_UNIFORM,
                             orthogonal ? 0.0f : bound);
}

void marl__declare_gru(marl__params *params, const char *name, int32_t groups, int32_t width, int32_t at[4]) {
    static const struct { const char *part; int32_t rank, place; } parts[] = {
        {"weight_ih", 2, 0}, {"weight_hh", 2, 2}, {"bias_ih", 1, 1}, {"bias_hh", 1, 3},
    };
    float bound = (float)(1.0 / sqrt((double)width));
    char full[80];
    for (int i = 0; i < 4; i++) {
        snprintf(full, sizeof full, "%s.%s", name, parts[i].part);
        at[parts[i].place] = marl__params_add(params, full, groups, parts[i].rank, 3 * width,
                                              parts[i].rank == 2 ? width : 1, MARL__INIT_UNIFORM, bound);
    }
}

marl__val marl__build_linear(marl__graph *graph, int32_t slot, marl__val x, int32_t weight, int32_t bias,
                             int32_t activation) {
    marl__val w = marl__param_leaf(graph, slot, weight), b = marl__param_leaf(graph, slot, bias);
    return marl__linear(graph, x, w, b, activation);
}
