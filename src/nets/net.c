/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of networks and what all recipes share: linear layers and their initialisation. */
#include "nets/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"
#include "core/config/config.h"

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

static marl_status declare(const char *kind, const marl_config *config, const char *prefix, marl__net_shape shape,
                           const marl__net_team *team, float output_gain, marl__params *params, marl__net *out) {
    *out = (marl__net){0};
    marl_status status = marl__net_type_find(kind, &out->type);
    if (status != MARL_OK) return status;
    if (shape.inputs < 1 || shape.outputs < 1)
        return marl__fail(MARL_E_SHAPE, "a net from %d inputs to %d outputs; each at least 1", (int)shape.inputs,
                          (int)shape.outputs);
    out->shape = shape;
    if (team && out->type->sees_entities) out->team = *team;
    if ((status = out->type->configure(out, config, prefix)) != MARL_OK) return status;
    if (output_gain > 0.0f) out->output_gain = output_gain;
    out->type->declare(out, params);
    return params->status;
}

marl_status marl__net_declare(const char *kind, const marl_config *config, const char *prefix, marl__net_shape shape,
                              marl__params *params, marl__net *out) {
    return declare(kind, config, prefix, shape, NULL, 0.0f, params, out);
}

marl_status marl__net_declare_for(const char *kind, const marl_config *config, const char *prefix,
                                  marl__net_shape shape, const marl__net_team *team, marl__params *params,
                                  marl__net *out) {
    return declare(kind, config, prefix, shape, team, 0.0f, params, out);
}

marl_status marl__net_declare_gain(const char *kind, const marl_config *config, const char *prefix,
                                   marl__net_shape shape, float output_gain, marl__params *params, marl__net *out) {
    return declare(kind, config, prefix, shape, NULL, output_gain, params, out);
}

void marl__net_build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    values->out = values->h = values->features = -1;
    net->type->build(net, graph, slot, values);
}

void marl__declare_linear_init(marl__params *params, const char *name, int32_t groups, int32_t in, int32_t out,
                               int32_t init, float gain, int32_t *weight, int32_t *bias) {
    char full[80];
    int32_t is_default = init == MARL__NET_DEFAULT, uniform = MARL__INIT_UNIFORM;
    float bound = (float)(1.0 / sqrt((double)in)), value = is_default ? bound : gain;
    if (init == MARL__NET_XAVIER) value = (float)((double)gain * sqrt(6.0 / ((double)in + (double)out)));
    snprintf(full, sizeof full, "%s.weight", name);
    *weight = marl__params_add(params, full, groups, 2, out, in,
                               init == MARL__NET_ORTHOGONAL ? MARL__INIT_ORTHOGONAL : uniform, value);
    snprintf(full, sizeof full, "%s.bias", name);
    *bias = marl__params_add(params, full, groups, 1, out, 1, is_default ? uniform : MARL__INIT_CONSTANT,
                             is_default ? bound : 0.0f);
}

void marl__declare_linear(marl__params *params, const char *name, int32_t groups, int32_t in, int32_t out,
                          float orthogonal_gain, int32_t *weight, int32_t *bias) {
    marl__declare_linear_init(params, name, groups, in, out,
                              orthogonal_gain > 0.0f ? MARL__NET_ORTHOGONAL : MARL__NET_DEFAULT, orthogonal_gain,
                              weight, bias);
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

void marl__declare_norm(marl__params *params, const char *name, int32_t groups, int32_t cols, int32_t *at) {
    char full[80];
    snprintf(full, sizeof full, "%s.weight", name);
    at[0] = marl__params_add(params, full, groups, 1, cols, 1, MARL__INIT_CONSTANT, 1.0f);
    snprintf(full, sizeof full, "%s.bias", name);
    at[1] = marl__params_add(params, full, groups, 1, cols, 1, MARL__INIT_CONSTANT, 0.0f);
}

marl__val marl__build_norm(marl__graph *graph, int32_t slot, marl__val x, const int32_t *at) {
    return marl__layer_norm(graph, x, marl__param_leaf(graph, slot, at[0]), marl__param_leaf(graph, slot, at[1]),
                            1e-5f);
}

static const char *key_name(char *buffer, size_t bytes, const char *prefix, const char *key) {
    snprintf(buffer, bytes, "%s%s", prefix, key);
    return buffer;
}

int32_t marl__net_init_of(const marl_config *config, const char *prefix) {
    char key[64];
    key_name(key, sizeof key, prefix, "init");
    if (marl__config_is(config, key, "orthogonal")) return MARL__NET_ORTHOGONAL;
    return marl__config_is(config, key, "xavier") ? MARL__NET_XAVIER : MARL__NET_DEFAULT;
}

/* "128,64" -> widths; empty fields, other characters and too many fields are refused. */
static marl_status read_sizes(marl__net *net, const char *text) {
    net->layer_count = 0;
    for (const char *at = text; *at;) {
        char field[16];
        int64_t width = 0;
        size_t length = strcspn(at, ",");
        if (length < sizeof field) {
            memcpy(field, at, length);
            field[length] = 0;
        }
        if (length >= sizeof field || !marl__read_int(field, &width) || width < 1 || width > MARL__NET_WIDTH ||
            net->layer_count == MARL__NET_LAYERS)
            return marl__fail(MARL_E_ARGUMENT, "hidden_sizes \"%s\": at most %d widths of 1 to %d, separated by commas",
                              text, MARL__NET_LAYERS, MARL__NET_WIDTH);
        net->widths[net->layer_count++] = (int32_t)width;
        at += length + (at[length] == ',');
    }
    return MARL_OK;
}

marl_status marl__net_widths(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    const char *sizes = marl__config_text(config, key_name(key, sizeof key, prefix, "hidden_sizes"));
    net->width = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "hidden_dim"));
    net->layer_count = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "layers"));
    for (int32_t i = 0; i < net->layer_count; i++) net->widths[i] = net->width;
    return *sizes ? read_sizes(net, sizes) : MARL_OK;
}
