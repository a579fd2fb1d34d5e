/* SPDX-License-Identifier: Apache-2.0 */
/* gru: the recurrent agent of the field, linear - relu - GRU cell - linear (DRQN; Rashid et al. 2018), and with
 * recurrent=0 its feed-forward twin, in which a linear layer with relu stands for the cell. An optional layer norm is
 * applied to what leaves the cell, not to what it remembers. Names as in PyMARL: fc1, rnn, fc2, layer_norm. */
#include <stdio.h>

#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_INT("hidden_dim", "64", 1, 65536, "width of the hidden layers"),
    MARL__KEY_BOOL("recurrent", "1", "gru: 1 a GRU cell, 0 a linear layer with relu in its place"),
    MARL__KEY_BOOL("layer_norm", "0", "layer norm on the hidden values"),
    MARL__KEY_CHOICE("init", "default", "default|orthogonal|xavier",
                     "initial weights: uniform 1/sqrt(inputs), orthogonal, or uniform by inputs and outputs"),
    MARL__KEY_REAL("init_gain", "1", 1e-6, 1e3, "orthogonal, xavier: gain of the hidden layers"),
    MARL__KEY_REAL("output_gain", "0.01", 1e-6, 1e3, "orthogonal, xavier: gain of the output layer"),
};

/* Where each parameter stands in marl__net.params. */
enum { FC1_W, FC1_B, RNN_W_IH, RNN_B_IH, RNN_W_HH, RNN_B_HH, FC2_W, FC2_B, NORM_W, NORM_B, PARAM_COUNT };

static marl_status configure(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    snprintf(key, sizeof key, "%shidden_dim", prefix);
    net->width = (int32_t)marl__config_int(config, key);
    snprintf(key, sizeof key, "%srecurrent", prefix);
    net->recurrent = (int32_t)marl__config_int(config, key);
    snprintf(key, sizeof key, "%slayer_norm", prefix);
    net->layer_norm = (int32_t)marl__config_int(config, key);
    net->init = marl__net_init_of(config, prefix);
    snprintf(key, sizeof key, "%sinit_gain", prefix);
    net->init_gain = (float)marl__config_real(config, key);
    snprintf(key, sizeof key, "%soutput_gain", prefix);
    net->output_gain = (float)marl__config_real(config, key);
    net->hidden = net->recurrent ? net->width : 0;
    net->features = net->width;
    return MARL_OK;
}

static void declare(marl__net *net, marl__params *params) {
    int32_t *at = net->params, groups = net->shape.groups, width = net->width;
    float gain = net->init_gain;
    marl__declare_linear_init(params, "fc1", groups, net->shape.inputs, width, net->init, gain, &at[FC1_W],
                              &at[FC1_B]);
    if (net->recurrent) {
        marl__declare_gru(params, "rnn", groups, width, &at[RNN_W_IH]);
    } else {
        marl__declare_linear_init(params, "rnn", groups, width, width, net->init, gain, &at[RNN_W_IH], &at[RNN_B_IH]);
    }
    marl__declare_linear_init(params, "fc2", groups, width, net->shape.outputs, net->init, net->output_gain,
                              &at[FC2_W], &at[FC2_B]);
    if (net->layer_norm) {
        at[NORM_W] = marl__params_add(params, "layer_norm.weight", groups, 1, width, 1, MARL__INIT_CONSTANT, 1.0f);
        at[NORM_B] = marl__params_add(params, "layer_norm.bias", groups, 1, width, 1, MARL__INIT_CONSTANT, 0.0f);
    }
    net->param_count = PARAM_COUNT;
}

static void build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    const int32_t *at = net->params;
    marl__val x = marl__build_linear(graph, slot, values->x, at[FC1_W], at[FC1_B], MARL__RELU);
    if (net->recurrent) {
        marl__val gates = marl__build_linear(graph, slot, x, at[RNN_W_IH], at[RNN_B_IH], MARL__IDENTITY);
        x = marl__gru(graph, gates, marl__param_leaf(graph, slot, at[RNN_W_HH]),
                      marl__param_leaf(graph, slot, at[RNN_B_HH]), values->h0, values->reset);
        values->h = x;
    } else {
        x = marl__build_linear(graph, slot, x, at[RNN_W_IH], at[RNN_B_IH], MARL__RELU);
    }
    values->features = x;
    if (net->layer_norm)
        x = marl__layer_norm(graph, x, marl__param_leaf(graph, slot, at[NORM_W]),
                             marl__param_leaf(graph, slot, at[NORM_B]), 1e-5f);
    values->out = marl__build_linear(graph, slot, x, at[FC2_W], at[FC2_B], MARL__IDENTITY);
}

const marl__net_type marl__net_type_gru = {
    .name = "gru",
    .help = "linear, GRU cell, linear: the recurrent agent; recurrent=0 for its feed-forward twin",
    .keys = MARL__KEY_TABLE(keys),
    .configure = configure,
    .declare = declare,
    .build = build,
};
