/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of QTRAN-base (Son et al. 2019): a joint value that sees the whole team, and a value of the state that
 * makes up for what the sum of the agents' values cannot say. N agents, A actions, H features of an agent's net:
 *
 *   qtran_paper   Q(s, u) = mlp([s, sum_i encode([h_i, u_i])]), encode: linear - relu - linear, H + A wide
 *   coma_critic   Q(s, u) = mlp([s, u_1 ... u_N])
 *   V(s) = mlp(s)
 *
 * The mlps have two hidden layers of relu (size small) or three (big). Names as in PyMARL. */
#include <stdio.h>

#include "core/config/config.h"
#include "nets/net.h"

static const marl__key keys[] = {
    MARL__KEY_CHOICE("qtran_arch", "qtran_paper", "qtran_paper|coma_critic",
                     "qtran: the joint value sees encodings of the agents, summed, or all actions"),
    MARL__KEY_CHOICE("qtran_size", "small", "small|big", "qtran: two hidden layers, or three"),
    MARL__KEY_INT("qtran_embed", "64", 1, 65536, "qtran: width of the hidden layers"),
};
const marl__key_table marl__qtran_keys = MARL__KEY_TABLE(keys);

/* Where parameters stand: up to four layers of Q and of V, two of the encoding. */
enum { JOINT = 0, VALUE = 8, ENCODING = 16 };

static void declare_stack(const marl__mixer *mixer, marl__params *params, const char *name, int32_t in, int32_t *at) {
    char full[32];
    for (int32_t layer = 0; layer < mixer->joint_layers; layer++) {
        int32_t out = layer == mixer->joint_layers - 1 ? 1 : mixer->embed;
        snprintf(full, sizeof full, "%s.%d", name, (int)(2 * layer));
        marl__declare_linear(params, full, 1, in, out, MARL__GAIN_DEFAULT, &at[2 * layer], &at[2 * layer + 1]);
        in = out;
    }
}

void marl__qtran_declare(const marl_config *config, const char *prefix, marl__params *params, marl__mixer *mixer) {
    const marl__mixer_shape *shape = &mixer->shape;
    int32_t *at = mixer->params, width = shape->features + shape->actions;
    char key[64];
    snprintf(key, sizeof key, "%sqtran_arch", prefix);
    mixer->encodes_agents = marl__config_is(config, key, "qtran_paper");
    snprintf(key, sizeof key, "%sqtran_size", prefix);
    mixer->joint_layers = marl__config_is(config, key, "big") ? 4 : 3;
    mixer->embed = marl__mixer_int(config, prefix, "qtran_embed");
    declare_stack(mixer, params, "Q", shape->state + (mixer->encodes_agents ? width : shape->agents * shape->actions),
                  &at[JOINT]);
    declare_stack(mixer, params, "V", shape->state, &at[VALUE]);
    if (!mixer->encodes_agents) return;
    for (int32_t layer = 0; layer < 2; layer++) {
        int32_t *place = &at[ENCODING + 2 * layer];
        snprintf(key, sizeof key, "action_encoding.%d", (int)(2 * layer));
        marl__declare_linear(params, key, 1, width, width, MARL__GAIN_DEFAULT, &place[0], &place[1]);
    }
}

static marl__val build_stack(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val x, const int32_t *at) {
    for (int32_t layer = 0; layer < mixer->joint_layers; layer++) {
        int is_last = layer == mixer->joint_layers - 1;
        x = marl__build_linear(g, slot, x, at[2 * layer], at[2 * layer + 1], is_last ? MARL__IDENTITY : MARL__RELU);
    }
    return x;
}

marl__val marl__qtran_joint(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val state,
                            marl__val features, marl__val joint) {
    const int32_t *encoding = &mixer->params[ENCODING];
    marl__val team = -1;
    if (mixer->encodes_agents) {
        marl__val parts[] = {features, joint};
        marl__val x = marl__build_linear(g, slot, marl__concat(g, parts, 2), encoding[0], encoding[1], MARL__RELU);
        team = marl__sum_agents(g, marl__build_linear(g, slot, x, encoding[2], encoding[3], MARL__IDENTITY));
    } else {
        team = marl__view(g, joint, MARL__TEAM, mixer->shape.agents * mixer->shape.actions);
    }
    marl__val parts[] = {state, team};
    return build_stack(mixer, g, slot, marl__concat(g, parts, 2), &mixer->params[JOINT]);
}

marl__val marl__qtran_value(const marl__mixer *mixer, marl__graph *g, int32_t slot, marl__val state) {
    return build_stack(mixer, g, slot, state, &mixer->params[VALUE]);
}
