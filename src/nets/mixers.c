/* SPDX-License-Identifier: Apache-2.0 */
/* Mixers: VDN's sum (Sunehag et al. 2018) and QMIX's monotone network, whose weights a hypernetwork makes from the
 * state (Rashid et al. 2018). Names: hyper_w1.0 (and .2 with two layers), hyper_b1.0, hyper_w2.0 (.2), hyper_b2.0,
 * hyper_b2.2, as in PyMARL2. */
#include <stdio.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_INT("embed_dim", "32", 1, 65536, "qmix: width of the mixing network"),
    MARL__KEY_INT("hypernet_embed", "64", 1, 65536, "qmix: hidden width of the hypernetworks"),
    MARL__KEY_INT("hypernet_layers", "2", 1, 2, "qmix: layers of the hypernetworks of the weights"),
};
static const marl__key_table qmix_keys = MARL__KEY_TABLE(keys);

/* Where each parameter stands in marl__mixer.params; the second layers of W1 and W2 only with two layers. */
enum { W1_0, B_W1_0, W1_2, B_W1_2, B1, B_B1, W2_0, B_W2_0, W2_2, B_W2_2, B2_0, B_B2_0, B2_2, B_B2_2 };

int32_t marl__mixer_int(const marl_config *config, const char *prefix, const char *key) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    return (int32_t)marl__config_int(config, name);
}

const marl__key_table *marl__mixer_keys(int32_t kind) {
    switch (kind) {
    case MARL__MIXER_QMIX: return &qmix_keys;
    case MARL__MIXER_QPLEX: return &marl__qplex_keys;
    case MARL__MIXER_QTRAN: return &marl__qtran_keys;
    default: return NULL;
    }
}

/* One or two layers from the state. */
static void declare_hyper(const marl__mixer *mixer, marl__params *params, const char *name, int32_t out, int32_t *at) {
    char full[32];
    int32_t middle = mixer->hyper_layers == 2 ? mixer->hyper : out;
    snprintf(full, sizeof full, "%s.0", name);
    marl__declare_linear(params, full, 1, mixer->shape.state, middle, MARL__GAIN_DEFAULT, &at[0], &at[1]);
    if (mixer->hyper_layers != 2) return;
    snprintf(full, sizeof full, "%s.2", name);
    marl__declare_linear(params, full, 1, middle, out, MARL__GAIN_DEFAULT, &at[2], &at[3]);
}

static void declare_qmix(const marl_config *config, const char *prefix, marl__params *params, marl__mixer *mixer) {
    int32_t *at = mixer->params, state = mixer->shape.state;
    mixer->embed = marl__mixer_int(config, prefix, "embed_dim");
    mixer->hyper = marl__mixer_int(config, prefix, "hypernet_embed");
    mixer->hyper_layers = marl__mixer_int(config, prefix, "hypernet_layers");
    declare_hyper(mixer, params, "hyper_w1", mixer->shape.agents * mixer->embed, &at[W1_0]);
    marl__declare_linear(params, "hyper_b1.0", 1, state, mixer->embed, MARL__GAIN_DEFAULT, &at[B1], &at[B_B1]);
    declare_hyper(mixer, params, "hyper_w2", mixer->embed, &at[W2_0]);
    marl__declare_linear(params, "hyper_b2.0", 1, state, mixer->embed, MARL__GAIN_DEFAULT, &at[B2_0], &at[B_B2_0]);
    marl__declare_linear(params, "hyper_b2.2", 1, mixer->embed, 1, MARL__GAIN_DEFAULT, &at[B2_2], &at[B_B2_2]);
}

marl_status marl__mixer_declare(int32_t kind, const marl_config *config, const char *prefix, marl__mixer_shape shape,
                                marl__params *params, marl__mixer *out) {
    static const char *const names[] = {[MARL__MIXER_QMIX] = "qmix", [MARL__MIXER_QPLEX] = "qplex",
                                        [MARL__MIXER_QTRAN] = "qtran"};
    *out = (marl__mixer){.kind = kind, .shape = shape};
    if (kind == MARL__MIXER_NONE || kind == MARL__MIXER_VDN) return MARL_OK;
    if (shape.state < 1)
        return marl__fail(MARL_E_MISMATCH, "%s mixes by the environment's state, and this environment has none",
                          names[kind]);
    if (kind == MARL__MIXER_QMIX) declare_qmix(config, prefix, params, out);
    if (kind == MARL__MIXER_QPLEX) marl__qplex_declare(config, prefix, params, out);
    if (kind == MARL__MIXER_QTRAN) marl__qtran_declare(config, prefix, params, out);
    return params->status;
}

static marl__val build_hyper(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val state,
                             const int32_t *at) {
    int two = mixer->hyper_layers == 2;
    marl__val x = marl__build_linear(g, slot, state, at[0], at[1], two ? MARL__RELU : MARL__IDENTITY);
    return two ? marl__build_linear(g, slot, x, at[2], at[3], MARL__IDENTITY) : x;
}

static marl__val build_qmix(const marl__mixer *mixer, marl__graph *g, int32_t slot, const marl__mixer_values *values) {
    const int32_t *at = mixer->params;
    marl__val state = values->state;
    marl__val w1 = build_hyper(mixer, g, slot, state, &at[W1_0]);
    marl__val b1 = marl__build_linear(g, slot, state, at[B1], at[B_B1], MARL__IDENTITY);
    marl__val w2 = build_hyper(mixer, g, slot, state, &at[W2_0]);
    marl__val b2 = marl__build_linear(g, slot, state, at[B2_0], at[B_B2_0], MARL__RELU);
    b2 = marl__build_linear(g, slot, b2, at[B2_2], at[B_B2_2], MARL__IDENTITY);
    return marl__qmix_mix(g, values->q, w1, b1, w2, b2);
}

marl__val marl__mixer_build(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__mixer_values *values) {
    if (mixer->kind == MARL__MIXER_VDN) values->total = marl__sum_agents(g, marl__view(g, values->q, MARL__AGENT, 1));
    if (mixer->kind == MARL__MIXER_QMIX) values->total = build_qmix(mixer, g, slot, values);
    if (mixer->kind == MARL__MIXER_QPLEX) marl__qplex_build(mixer, g, slot, values);
    return values->total;
}
