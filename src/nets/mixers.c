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
const marl__key_table marl__mixer_keys = MARL__KEY_TABLE(keys);

/* Where each parameter stands in marl__mixer.params; the second layers of W1 and W2 only with two layers. */
enum { W1_0, B_W1_0, W1_2, B_W1_2, B1, B_B1, W2_0, B_W2_0, W2_2, B_W2_2, B2_0, B_B2_0, B2_2, B_B2_2, PARAM_COUNT };

static int32_t key_int(const marl_config *config, const char *prefix, const char *key) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    return (int32_t)marl__config_int(config, name);
}

/* One or two layers from the state. */
static void declare_hyper(const marl__mixer *mixer, marl__params *params, const char *name, int32_t out, int32_t *at) {
    char full[32];
    int32_t middle = mixer->hyper_layers == 2 ? mixer->hyper : out;
    snprintf(full, sizeof full, "%s.0", name);
    marl__declare_linear(params, full, 1, mixer->state, middle, MARL__GAIN_DEFAULT, &at[0], &at[1]);
    if (mixer->hyper_layers != 2) return;
    snprintf(full, sizeof full, "%s.2", name);
    marl__declare_linear(params, full, 1, middle, out, MARL__GAIN_DEFAULT, &at[2], &at[3]);
}

marl_status marl__mixer_declare(int32_t kind, const marl_config *config, const char *prefix, int32_t agents,
                                int32_t state, marl__params *params, marl__mixer *out) {
    *out = (marl__mixer){.kind = kind, .agents = agents, .state = state};
    if (kind != MARL__MIXER_QMIX) return MARL_OK;
    if (state < 1)
        return marl__fail(MARL_E_MISMATCH, "qmix mixes by the environment's state, and this environment has none");
    out->embed = key_int(config, prefix, "embed_dim");
    out->hyper = key_int(config, prefix, "hypernet_embed");
    out->hyper_layers = key_int(config, prefix, "hypernet_layers");
    int32_t *at = out->params;
    declare_hyper(out, params, "hyper_w1", agents * out->embed, &at[W1_0]);
    marl__declare_linear(params, "hyper_b1.0", 1, state, out->embed, MARL__GAIN_DEFAULT, &at[B1], &at[B_B1]);
    declare_hyper(out, params, "hyper_w2", out->embed, &at[W2_0]);
    marl__declare_linear(params, "hyper_b2.0", 1, state, out->embed, MARL__GAIN_DEFAULT, &at[B2_0], &at[B_B2_0]);
    marl__declare_linear(params, "hyper_b2.2", 1, out->embed, 1, MARL__GAIN_DEFAULT, &at[B2_2], &at[B_B2_2]);
    out->param_count = PARAM_COUNT;
    return params->status;
}

static marl__val build_hyper(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val state,
                             const int32_t *at) {
    int two = mixer->hyper_layers == 2;
    marl__val x = marl__build_linear(g, slot, state, at[0], at[1], two ? MARL__RELU : MARL__IDENTITY);
    return two ? marl__build_linear(g, slot, x, at[2], at[3], MARL__IDENTITY) : x;
}

marl__val marl__mixer_build(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val q, marl__val state) {
    const int32_t *at = mixer->params;
    if (mixer->kind == MARL__MIXER_VDN) return marl__sum_agents(g, marl__view(g, q, MARL__AGENT, 1));
    marl__val w1 = build_hyper(mixer, g, slot, state, &at[W1_0]);
    marl__val b1 = marl__build_linear(g, slot, state, at[B1], at[B_B1], MARL__IDENTITY);
    marl__val w2 = build_hyper(mixer, g, slot, state, &at[W2_0]);
    marl__val b2 = marl__build_linear(g, slot, state, at[B2_0], at[B_B2_0], MARL__RELU);
    b2 = marl__build_linear(g, slot, b2, at[B2_2], at[B_B2_2], MARL__IDENTITY);
    return marl__qmix_mix(g, q, w1, b1, w2, b2);
}
