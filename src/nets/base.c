/* SPDX-License-Identifier: Apache-2.0 */
/* base: the actor and the critic of the on-policy family (MAPPO, Yu et al. 2022; HAPPO, Kuba et al. 2022):
 *
 *     x = norm(x)                                  feature_norm
 *     x = norm(act(W x + b)) for each layer        the norm comes after the activation
 *     h = gru(x), x = norm(h)                      recurrent; what is remembered is not normalised
 *     y = W x + b                                  small gain in an actor, 1 in a critic
 *
 * Weights start orthogonal with the activation's gain, each of a GRU's two matrices over its stacked gates. Names:
 * feature_norm, fc1, norm1, fc2, ..., rnn.weight_ih, rnn.weight_hh, rnn.bias_ih, rnn.bias_hh, rnn_norm, out. */
#include <math.h>
#include <stdio.h>

#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_INT("layers", "2", 0, MARL__NET_LAYERS, "mlp, base: hidden layers"),
    MARL__KEY_INT("hidden_dim", "64", 1, MARL__NET_WIDTH, "width of the hidden layers"),
    MARL__KEY_TEXT("hidden_sizes", "",
                   "mlp, base: widths of the hidden layers, \"128,64\"; empty: layers x hidden_dim"),
    MARL__KEY_CHOICE("activation", "relu", "identity|relu|leaky_relu|elu|selu|tanh|sigmoid",
                     "mlp, base: hidden activation"),
    MARL__KEY_BOOL("feature_norm", "1", "base: layer norm on the inputs"),
    MARL__KEY_BOOL("layer_norm", "1", "layer norm on the hidden values"),
    MARL__KEY_BOOL("recurrent", "0", "base, gru: 1 a GRU before the output layer, 0 none"),
    MARL__KEY_CHOICE("init", "orthogonal", "default|orthogonal|xavier",
                     "initial weights: uniform 1/sqrt(inputs), orthogonal, or uniform by inputs and outputs"),
    MARL__KEY_REAL("output_gain", "0.01", 1e-6, 1e3, "orthogonal, xavier: gain of the output layer"),
};

/* What an activation does to the size of its inputs, as the frameworks have it; 1 where they know none. */
static float gain_of(int32_t activation) {
    switch (activation) {
    case MARL__RELU: return 1.41421356f;
    case MARL__LEAKY_RELU: return 1.41414284f; /* sqrt(2 / (1 + 0.01^2)) */
    case MARL__TANH: return 5.0f / 3.0f;
    case MARL__SELU: return 0.75f;
    default: return 1.0f;
    }
}

static int32_t flag(const marl_config *config, const char *prefix, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    return (int32_t)marl__config_int(config, key);
}

static marl_status configure(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    snprintf(key, sizeof key, "%sactivation", prefix);
    net->activation = marl__activation_find(marl__config_text(config, key));
    net->feature_norm = flag(config, prefix, "feature_norm");
    net->layer_norm = flag(config, prefix, "layer_norm");
    net->recurrent = flag(config, prefix, "recurrent");
    net->init = marl__net_init_of(config, prefix);
    net->init_gain = gain_of(net->activation);
    snprintf(key, sizeof key, "%soutput_gain", prefix);
    net->output_gain = (float)marl__config_real(config, key);
    marl_status status = marl__net_widths(net, config, prefix);
    net->features = net->layer_count > 0 ? net->widths[net->layer_count - 1] : net->shape.inputs;
    net->hidden = net->recurrent ? net->features : 0;
    return status;
}

/* Gain 1 for the gates, whatever the layers' activation; biases 0 but for the field's default. */
static void declare_gru(const marl__net *net, marl__params *params, int32_t *at) {
    int32_t groups = net->shape.groups, gates = 3 * net->hidden, is_default = net->init == MARL__NET_DEFAULT;
    int32_t init = net->init == MARL__NET_ORTHOGONAL ? MARL__INIT_ORTHOGONAL : MARL__INIT_UNIFORM;
    int32_t bias_init = is_default ? MARL__INIT_UNIFORM : MARL__INIT_CONSTANT;
    float bound = (float)(1.0 / sqrt((double)net->hidden)), bias = is_default ? bound : 0.0f, value = bound;
    if (net->init == MARL__NET_ORTHOGONAL) value = 1.0f;
    if (net->init == MARL__NET_XAVIER) value = (float)sqrt(6.0 / (4.0 * (double)net->hidden));
    at[0] = marl__params_add(params, "rnn.weight_ih", groups, 2, gates, net->hidden, init, value);
    at[1] = marl__params_add(params, "rnn.bias_ih", groups, 1, gates, 1, bias_init, bias);
    at[2] = marl__params_add(params, "rnn.weight_hh", groups, 2, gates, net->hidden, init, value);
    at[3] = marl__params_add(params, "rnn.bias_hh", groups, 1, gates, 1, bias_init, bias);
    if (net->layer_norm) marl__declare_norm(params, "rnn_norm", groups, net->hidden, at + 4);
}

static int32_t gru_params(const marl__net *net) {
    if (!net->recurrent) return 0;
    return net->layer_norm ? 6 : 4;
}

static void declare(marl__net *net, marl__params *params) {
    int32_t in = net->shape.inputs, *at = net->params, groups = net->shape.groups;
    char name[16];
    if (net->feature_norm) marl__declare_norm(params, "feature_norm", groups, in, at);
    if (net->feature_norm) at += 2;
    for (int32_t i = 0; i < net->layer_count; i++) {
        snprintf(name, sizeof name, "fc%d", (int)(i + 1));
        marl__declare_linear_init(params, name, groups, in, net->widths[i], net->init, net->init_gain, &at[0], &at[1]);
        at += 2;
        in = net->widths[i];
        snprintf(name, sizeof name, "norm%d", (int)(i + 1));
        if (net->layer_norm) marl__declare_norm(params, name, groups, in, at);
        if (net->layer_norm) at += 2;
    }
    if (net->recurrent) declare_gru(net, params, at);
    at += gru_params(net);
    marl__declare_linear_init(params, "out", groups, in, net->shape.outputs, net->init, net->output_gain, &at[0],
                              &at[1]);
    net->param_count = (int32_t)(at + 2 - net->params);
}

static void build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    const int32_t *at = net->params;
    marl__val x = values->x;
    if (net->feature_norm) {
        x = marl__build_norm(graph, slot, x, at);
        at += 2;
    }
    for (int32_t i = 0; i < net->layer_count; i++) {
        x = marl__build_linear(graph, slot, x, at[0], at[1], net->activation);
        if (net->layer_norm) x = marl__build_norm(graph, slot, x, at + 2);
        at += net->layer_norm ? 4 : 2;
    }
    if (net->recurrent) {
        marl__val gates = marl__build_linear(graph, slot, x, at[0], at[1], MARL__IDENTITY);
        values->h = marl__gru(graph, gates, marl__param_leaf(graph, slot, at[2]),
                              marl__param_leaf(graph, slot, at[3]), values->h0, values->reset);
        x = net->layer_norm ? marl__build_norm(graph, slot, values->h, at + 4) : values->h;
    }
    at += gru_params(net);
    values->features = x;
    values->out = marl__build_linear(graph, slot, x, at[0], at[1], MARL__IDENTITY);
}

/* The inputs' norm, 16 layers of weight, bias, scale and shift, a GRU with its norm, the output layer. */
_Static_assert(2 + MARL__NET_LAYERS * 4 + 6 + 2 <= MARL__NET_PARAMS, "room for the parameters of the deepest base");

const marl__net_type marl__net_type_base = {
    .name = "base",
    .help = "layers with norms, an optional GRU and an output layer: actors and critics of on-policy algorithms",
    .keys = MARL__KEY_TABLE(keys),
    .configure = configure,
    .declare = declare,
    .build = build,
};
