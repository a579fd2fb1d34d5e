/* SPDX-License-Identifier: Apache-2.0 */
/* mlp: linear layers with an activation between, and optionally a layer norm after each hidden activation. Names:
 * fc1.weight, fc1.bias, norm1.weight, norm1.bias, fc2.weight, ... */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "nets/net.h"

enum { MAX_LAYERS = 16, MAX_WIDTH = 65536 };

static const marl__key keys[] = {
    MARL__KEY_INT("layers", "2", 0, MAX_LAYERS, "mlp: hidden layers"),
    MARL__KEY_INT("hidden_dim", "64", 1, MAX_WIDTH, "width of the hidden layers"),
    MARL__KEY_TEXT("hidden_sizes", "", "mlp: widths of the hidden layers, \"128,64\"; empty: layers x hidden_dim"),
    MARL__KEY_CHOICE("activation", "relu", "identity|relu|leaky_relu|elu|selu|tanh|sigmoid", "mlp: hidden activation"),
    MARL__KEY_CHOICE("final_activation", "identity", "identity|relu|leaky_relu|elu|selu|tanh|sigmoid",
                     "mlp: activation of the output"),
    MARL__KEY_BOOL("layer_norm", "0", "layer norm on the hidden values"),
    MARL__KEY_CHOICE("init", "default", "default|orthogonal", "initial weights: uniform 1/sqrt(inputs), or orthogonal"),
    MARL__KEY_REAL("init_gain", "1", 1e-6, 1e3, "orthogonal: gain of the hidden layers"),
    MARL__KEY_REAL("output_gain", "0.01", 1e-6, 1e3, "orthogonal: gain of the output layer"),
};

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
        if (length >= sizeof field || !marl__read_int(field, &width) || width < 1 || width > MAX_WIDTH ||
            net->layer_count == MAX_LAYERS)
            return marl__fail(MARL_E_ARGUMENT, "hidden_sizes \"%s\": at most %d widths of 1 to %d, separated by commas",
                              text, MAX_LAYERS, MAX_WIDTH);
        net->widths[net->layer_count++] = (int32_t)width;
        at += length + (at[length] == ',');
    }
    return MARL_OK;
}

static const char *key_name(char *buffer, size_t bytes, const char *prefix, const char *key) {
    snprintf(buffer, bytes, "%s%s", prefix, key);
    return buffer;
}

static marl_status configure(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    const char *sizes = marl__config_text(config, key_name(key, sizeof key, prefix, "hidden_sizes"));
    net->width = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "hidden_dim"));
    net->layer_count = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "layers"));
    for (int32_t i = 0; i < net->layer_count; i++) net->widths[i] = net->width;
    net->activation = marl__activation_find(
        marl__config_text(config, key_name(key, sizeof key, prefix, "activation")));
    net->final_activation = marl__activation_find(
        marl__config_text(config, key_name(key, sizeof key, prefix, "final_activation")));
    net->layer_norm = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "layer_norm"));
    net->orthogonal = marl__config_is(config, key_name(key, sizeof key, prefix, "init"), "orthogonal");
    net->init_gain = (float)marl__config_real(config, key_name(key, sizeof key, prefix, "init_gain"));
    net->output_gain = (float)marl__config_real(config, key_name(key, sizeof key, prefix, "output_gain"));
    return *sizes ? read_sizes(net, sizes) : MARL_OK;
}

static void declare(marl__net *net, marl__params *params) {
    int32_t in = net->shape.inputs, *at = net->params, groups = net->shape.groups;
    char name[16], full[32];
    for (int32_t i = 0; i <= net->layer_count; i++) {
        int is_last = i == net->layer_count;
        int32_t out = is_last ? net->shape.outputs : net->widths[i];
        float gain = net->orthogonal ? (is_last ? net->output_gain : net->init_gain) : MARL__GAIN_DEFAULT;
        snprintf(name, sizeof name, "fc%d", (int)(i + 1));
        marl__declare_linear(params, name, groups, in, out, gain, &at[0], &at[1]);
        at += 2;
        if (!is_last && net->layer_norm) {
            snprintf(full, sizeof full, "norm%d.weight", (int)(i + 1));
            *at++ = marl__params_add(params, full, groups, 1, out, 1, MARL__INIT_CONSTANT, 1.0f);
            snprintf(full, sizeof full, "norm%d.bias", (int)(i + 1));
            *at++ = marl__params_add(params, full, groups, 1, out, 1, MARL__INIT_CONSTANT, 0.0f);
        }
        if (is_last) net->features = in;
        in = out;
    }
    net->param_count = (int32_t)(at - net->params);
}

static void build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    const int32_t *at = net->params;
    marl__val x = values->x;
    for (int32_t i = 0; i <= net->layer_count; i++) {
        int is_last = i == net->layer_count;
        if (is_last) values->features = x;
        x = marl__build_linear(graph, slot, x, at[0], at[1], is_last ? net->final_activation : net->activation);
        at += 2;
        if (!is_last && net->layer_norm) {
            x = marl__layer_norm(graph, x, marl__param_leaf(graph, slot, at[0]), marl__param_leaf(graph, slot, at[1]),
                                 1e-5f);
            at += 2;
        }
    }
    values->out = x;
}

/* 16 hidden layers of weight, bias, scale and shift, and the output's two. */
_Static_assert(MAX_LAYERS * 4 + 2 <= MARL__NET_PARAMS, "room for the parameters of the deepest mlp");

const marl__net_type marl__net_type_mlp = {
    .name = "mlp",
    .help = "linear layers with an activation between",
    .keys = MARL__KEY_TABLE(keys),
    .configure = configure,
    .declare = declare,
    .build = build,
};
