/* SPDX-License-Identifier: Apache-2.0 */
/* mlp: linear layers with an activation between, and optionally a layer norm after each hidden activation. Names:
 * fc1.weight, fc1.bias, norm1.weight, norm1.bias, fc2.weight, ... */
#include <stdio.h>

#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_INT("layers", "2", 0, MARL__NET_LAYERS, "mlp: hidden layers"),
    MARL__KEY_INT("hidden_dim", "64", 1, MARL__NET_WIDTH, "width of the hidden layers"),
    MARL__KEY_TEXT("hidden_sizes", "", "mlp: widths of the hidden layers, \"128,64\"; empty: layers x hidden_dim"),
    MARL__KEY_CHOICE("activation", "relu", "identity|relu|leaky_relu|elu|selu|tanh|sigmoid", "mlp: hidden activation"),
    MARL__KEY_CHOICE("final_activation", "identity", "identity|relu|leaky_relu|elu|selu|tanh|sigmoid",
                     "mlp: activation of the output"),
    MARL__KEY_BOOL("layer_norm", "0", "layer norm on the hidden values"),
    MARL__KEY_CHOICE("init", "default", "default|orthogonal|xavier",
                     "initial weights: uniform 1/sqrt(inputs), orthogonal, or uniform by inputs and outputs"),
    MARL__KEY_REAL("init_gain", "1", 1e-6, 1e3, "orthogonal, xavier: gain of the hidden layers"),
    MARL__KEY_REAL("output_gain", "0.01", 1e-6, 1e3, "orthogonal, xavier: gain of the output layer"),
};

static const char *key_name(char *buffer, size_t bytes, const char *prefix, const char *key) {
    snprintf(buffer, bytes, "%s%s", prefix, key);
    return buffer;
}

static marl_status configure(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    net->activation = marl__activation_find(
        marl__config_text(config, key_name(key, sizeof key, prefix, "activation")));
    net->final_activation = marl__activation_find(
        marl__config_text(config, key_name(key, sizeof key, prefix, "final_activation")));
    net->layer_norm = (int32_t)marl__config_int(config, key_name(key, sizeof key, prefix, "layer_norm"));
    net->init = marl__net_init_of(config, prefix);
    net->init_gain = (float)marl__config_real(config, key_name(key, sizeof key, prefix, "init_gain"));
    net->output_gain = (float)marl__config_real(config, key_name(key, sizeof key, prefix, "output_gain"));
    return marl__net_widths(net, config, prefix);
}

static void declare(marl__net *net, marl__params *params) {
    int32_t in = net->shape.inputs, *at = net->params, groups = net->shape.groups;
    char name[16];
    for (int32_t i = 0; i <= net->layer_count; i++) {
        int is_last = i == net->layer_count;
        int32_t out = is_last ? net->shape.outputs : net->widths[i];
        float gain = is_last ? net->output_gain : net->init_gain;
        snprintf(name, sizeof name, "fc%d", (int)(i + 1));
        marl__declare_linear_init(params, name, groups, in, out, net->init, gain, &at[0], &at[1]);
        at += 2;
        if (!is_last && net->layer_norm) {
            snprintf(name, sizeof name, "norm%d", (int)(i + 1));
            marl__declare_norm(params, name, groups, out, at);
            at += 2;
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
            x = marl__build_norm(graph, slot, x, at);
            at += 2;
        }
    }
    values->out = x;
}

/* 16 hidden layers of weight, bias, scale and shift, and the output's two. */
_Static_assert(MARL__NET_LAYERS * 4 + 2 <= MARL__NET_PARAMS, "room for the parameters of the deepest mlp");

const marl__net_type marl__net_type_mlp = {
    .name = "mlp",
    .help = "linear layers with an activation between",
    .keys = MARL__KEY_TABLE(keys),
    .configure = configure,
    .declare = declare,
    .build = build,
};
