/* SPDX-License-Identifier: Apache-2.0 */
/* The duplex dueling mixer of QPLEX (Wang et al. 2021), as its code computes it. N agents, s the state, u the joint
 * action, K kernels:
 *
 *   w_i = |hyper_w(s)_i| + 1e-10,  v_i = hyper_v(s)_i,  q'_i = w_i q_i + v_i,  m'_i = w_i max_i + v_i
 *   lambda_i = sum_k (|key_k(s)| + 1e-10) sigmoid(agents_k(s)_i) sigmoid(action_k([s, u])_i)
 *   Q_tot = sum_i q'_i + sum_i (lambda_i - 1) stop_gradient(q'_i - m'_i)
 *
 * As a value this is sum m' + sum lambda (q' - m'), so no agent can raise the team's value but by its own best action;
 * as a derivative it is w_i. Made of the common ops but for the sum over kernels.
 *
 * The kernels' networks are alike, so their layers stand side by side: the first, which all read the same input, is one
 * weight with the rows of all kernels, a later one has a group a kernel and works on blocks of columns. Names as in
 * PyMARL2 without the kernel's number: si_weight.key_extractors.0 holds the first layers of all keys. */
#include <stdio.h>

#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_INT("hypernet_embed", "64", 1, 65536, "qplex: hidden width of the weights and offsets of each agent"),
    MARL__KEY_INT("kernels", "4", 1, MARL__MIXER_KERNELS, "qplex: kernels of the advantages' weights"),
    MARL__KEY_INT("adv_layers", "2", 1, 3, "qplex: layers of each kernel's networks"),
    MARL__KEY_INT("adv_embed", "64", 1, 65536, "qplex: hidden width of each kernel's networks"),
    MARL__KEY_BOOL("weighted_head", "1", "qplex: scale and shift each agent's value by the state first"),
    MARL__KEY_BOOL("minus_one", "1", "qplex: advantages weigh lambda - 1; 0: lambda"),
};
const marl__key_table marl__qplex_keys = MARL__KEY_TABLE(keys);

/* Where parameters stand: weights and biases of two layers of hyper_w and hyper_v, then of up to three layers of each
 * network of the kernels. */
enum { HEAD_W = 0, HEAD_V = 4, EXTRACTORS = 8, LAYERS_MAX = 3 };
enum extractor { KEY, AGENTS, ACTION, EXTRACTOR_COUNT };

static const float least = 1e-10f; /* so that no weight is 0 */

_Static_assert(EXTRACTORS + EXTRACTOR_COUNT * LAYERS_MAX * 2 <= MARL__MIXER_PARAMS, "room for all parameters");

static int32_t place_of(int32_t extractor, int32_t layer) {
    return EXTRACTORS + (extractor * LAYERS_MAX + layer) * 2;
}

static void declare_head(marl__mixer *mixer, marl__params *params, const char *name, int32_t *at) {
    char full[32];
    snprintf(full, sizeof full, "%s.0", name);
    marl__declare_linear(params, full, 1, mixer->shape.state, mixer->hyper, MARL__GAIN_DEFAULT, &at[0], &at[1]);
    snprintf(full, sizeof full, "%s.2", name);
    marl__declare_linear(params, full, 1, mixer->hyper, mixer->shape.agents, MARL__GAIN_DEFAULT, &at[2], &at[3]);
}

/* Rows of the first layer are those of kernel 0, then of kernel 1, ...; its length, on which the initial values
 * depend, is that of one kernel's. */
static void declare_extractor(marl__mixer *mixer, marl__params *params, int32_t extractor) {
    static const char *const names[EXTRACTOR_COUNT] = {"key", "agents", "action"};
    const marl__mixer_shape *shape = &mixer->shape;
    int32_t in = shape->state + (extractor == ACTION ? shape->agents * shape->actions : 0), kernels = mixer->kernels;
    char name[64], place[16] = "";
    for (int32_t layer = 0; layer < mixer->adv_layers; layer++) {
        int is_first = layer == 0, is_last = layer == mixer->adv_layers - 1;
        int32_t out = !is_last ? mixer->adv_embed : extractor == KEY ? 1 : shape->agents;
        int32_t *at = &mixer->params[place_of(extractor, layer)];
        if (mixer->adv_layers > 1) snprintf(place, sizeof place, ".%d", (int)(2 * layer));
        snprintf(name, sizeof name, "si_weight.%s_extractors%s", names[extractor], place);
        marl__declare_linear(params, name, is_first ? 1 : kernels, in, is_first ? kernels * out : out,
                             MARL__GAIN_DEFAULT, &at[0], &at[1]);
        in = out;
    }
}

void marl__qplex_declare(const marl_config *config, const char *prefix, marl__params *params, marl__mixer *mixer) {
    mixer->hyper = marl__mixer_int(config, prefix, "hypernet_embed");
    mixer->kernels = marl__mixer_int(config, prefix, "kernels");
    mixer->adv_layers = marl__mixer_int(config, prefix, "adv_layers");
    mixer->adv_embed = marl__mixer_int(config, prefix, "adv_embed");
    mixer->weighted_head = marl__mixer_int(config, prefix, "weighted_head");
    mixer->minus_one = marl__mixer_int(config, prefix, "minus_one");
    if (mixer->weighted_head) {
        declare_head(mixer, params, "hyper_w_final", &mixer->params[HEAD_W]);
        declare_head(mixer, params, "V", &mixer->params[HEAD_V]);
    }
    for (int32_t extractor = 0; extractor < EXTRACTOR_COUNT; extractor++) declare_extractor(mixer, params, extractor);
}

static marl__val build_head(marl__graph *g, int32_t slot, marl__val state, const int32_t *at) {
    marl__val x = marl__build_linear(g, slot, state, at[0], at[1], MARL__RELU);
    return marl__build_linear(g, slot, x, at[2], at[3], MARL__IDENTITY);
}

/* |x| + 1e-10 */
static marl__val positive(marl__graph *g, marl__val x) {
    return marl__affine(g, marl__unary(g, MARL__ABS, x), 1.0f, least);
}

/* (TEAM, kernels times the width of one's output) */
static marl__val build_extractor(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val x,
                                 int32_t extractor) {
    for (int32_t layer = 0; layer < mixer->adv_layers; layer++) {
        const int32_t *at = &mixer->params[place_of(extractor, layer)];
        int is_last = layer == mixer->adv_layers - 1;
        int32_t end = extractor == KEY ? MARL__IDENTITY : MARL__SIGMOID;
        x = marl__build_linear(g, slot, x, at[0], at[1], is_last ? end : MARL__RELU);
    }
    return x;
}

/* lambda (TEAM, N) */
static marl__val build_weights(const marl__mixer *mixer, marl__graph *g, int32_t slot,
                               const marl__mixer_values *values) {
    marl__val both[] = {values->state, values->joint};
    marl__val key = build_extractor(mixer, g, slot, values->state, KEY);
    marl__val agents = build_extractor(mixer, g, slot, values->state, AGENTS);
    marl__val action = build_extractor(mixer, g, slot, marl__concat(g, both, 2), ACTION);
    return marl__qplex_weights(g, key, agents, action);
}

void marl__qplex_build(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__mixer_values *values) {
    marl__val q = values->q, best = values->best;
    if (mixer->weighted_head) {
        marl__val w = positive(g, build_head(g, slot, values->state, &mixer->params[HEAD_W]));
        marl__val v = build_head(g, slot, values->state, &mixer->params[HEAD_V]);
        q = marl__binary(g, MARL__ADD, marl__binary(g, MARL__MUL, w, q), v);
        best = marl__binary(g, MARL__ADD, marl__binary(g, MARL__MUL, w, best), v);
    }
    values->sum = marl__sum_agents(g, marl__view(g, q, MARL__AGENT, 1));
    marl__val gap = marl__stop_gradient(g, marl__binary(g, MARL__SUB, q, best));
    marl__val lambda = build_weights(mixer, g, slot, values);
    values->weights = marl__view(g, lambda, MARL__AGENT, 1);
    marl__val weights = mixer->minus_one ? marl__affine(g, lambda, 1.0f, -1.0f) : lambda;
    marl__val weighted = marl__binary(g, MARL__MUL, gap, weights);
    values->advantage = marl__sum_agents(g, marl__view(g, weighted, MARL__AGENT, 1));
    values->total = marl__binary(g, MARL__ADD, values->sum, values->advantage);
}
