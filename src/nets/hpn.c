/* SPDX-License-Identifier: Apache-2.0 */
/* hpn: agents whose values do not depend on the order of the entities they see, and follow it where an action aims at
 * one (Hao et al. 2023). Each entity makes, through a hypernetwork z = act(W x + b), the weights by which it is read
 * and those by which the action aimed at it is scored:
 *
 *   u = relu(own c + id + last + merge(sum_e x_e^T W_in(x_e)))        c: the columns outside of entity groups
 *   h = GRU(u, h)                                                     hpn: relu(linear u)
 *   q_a = plain(h)_a, or merge(h . w_out(x_e) + b_out(x_e)) where a aims at entity e
 *
 * No generated weight is ever written: W_in, w_out, b_out are linear in z, so the sum over entities of outer products
 * x z^T goes through one linear layer (hpn_embed), and a score is z . v + c with v and c linear in h (hpn_score); the
 * heads of v and c are merged before the score, which is linear in them. So nothing here has the size of a group in it
 * but the columns read and the actions given: parameters fit any number of entities.
 *
 * Layouts: `shared`, one hypernetwork a group whose output is cut into W_in, w_out and b_out, always with relu;
 * `separate`, one for each of the three. H hidden, d width of a hypernetwork, k features of an entity; names, for a
 * group of enemies:
 *
 *   own.weight, own.bias; id.weight (H,N); last.weight (H,A); merge.weight (heads H); rnn.*; plain.weight, plain.bias
 *   hyper_enemy.0.weight (d,k), .0.bias        the hypernetwork's hidden layer
 *   hyper_enemy.embed.weight (heads H, k d+k)  its second layer as it makes W_in: [feature][d], its bias [feature]
 *   hyper_enemy.score.weight (heads d, H), .score.bias      of w_out and b_out as they meet h: v
 *   hyper_enemy.offset.weight (heads, H), .offset.bias      their biases: c
 *   hyper_enemy.merge.weight (heads)
 *   separate: hyper_enemy.score.0.*, hyper_enemy.offset.0.* (hidden layers), and hyper_enemy.offset.score.weight
 *   (heads d, 1) instead of .score.bias */
#include <math.h>
#include <stdio.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "marl/env.h"
#include "nets/hpn_actions.h"
#include "nets/net.h"

extern const marl__net_type marl__net_type_hpn_gru;

static const marl__key keys[] = {
    MARL__KEY_INT("hidden_dim", "64", 1, 65536, "width of the hidden layers"),
    MARL__KEY_CHOICE("hpn_layout", "shared", "shared|separate", "hpn: one hypernetwork a group of entities, or three"),
    MARL__KEY_INT("hyper_dim", "64", 1, 65536, "hpn: hidden width of the hypernetworks"),
    MARL__KEY_INT("heads", "1", 1, MARL__HEADS, "hpn: generated weights an entity has, merged with learned shares"),
    MARL__KEY_CHOICE("hyper_activation", "relu", "relu|tanh|leaky_relu|elu", "hpn: of separate hypernetworks"),
};

/* Where each parameter stands in marl__net.params; those of a group follow from GROUPS + group * GROUP_PARAMS. */
enum { OWN_W, OWN_B, ID_W, LAST_W, MERGE, RNN_W_IH, RNN_B_IH, RNN_W_HH, RNN_B_HH, PLAIN_W, PLAIN_B, GROUPS };
enum {
    HYPER_W, HYPER_B, EMBED_W, SCORE_0_W, SCORE_0_B, SCORE_W, SCORE_B, OFFSET_0_W, OFFSET_0_B, OFFSET_SCORE_W,
    OFFSET_W, OFFSET_B, SCORE_MERGE, GROUP_PARAMS
};
_Static_assert(GROUPS + MARL__ENTITY_GROUPS * GROUP_PARAMS <= MARL__NET_PARAMS, "room for every group's parameters");

static const marl__entity_group *group_at(const marl__net *net, int32_t group) {
    return &net->team.entities.groups[group];
}

static const int32_t *params_at(const marl__net *net, int32_t group) {
    return &net->params[GROUPS + group * GROUP_PARAMS];
}

/* Whether some action aims at the group. */
static int is_target(const marl__net *net, int32_t group) {
    const marl__entities *entities = &net->team.entities;
    for (int32_t c = 0; c < entities->class_count; c++)
        for (int32_t t = 0; t < entities->classes[c].target_count; t++)
            if (entities->classes[c].targets[t].group == group) return 1;
    return 0;
}

/* A single neutral entity that nothing aims at (the agent itself, say) has no order: it is read as it stands. */
static int is_own(const marl__net *net, int32_t group) {
    const marl__entity_group *at = group_at(net, group);
    return at->role == MARL_ROLE_NEUTRAL && at->count == 1 && !is_target(net, group);
}

/* ---- settings and parameters ---- */

static int32_t own_columns(const marl__net *net) {
    int32_t own = net->shape.inputs;
    for (int32_t i = 0; i < net->team.entities.group_count; i++)
        if (!is_own(net, i)) own -= group_at(net, i)->count * group_at(net, i)->features;
    return own;
}

static marl_status check_team(const marl__net *net) {
    const marl__entities *entities = &net->team.entities;
    const char *env = entities->env[0] ? entities->env : "the environment", *fault = entities->fault;
    int32_t seen = 0;
    for (int32_t i = 0; i < entities->group_count; i++) seen += !is_own(net, i);
    if (!fault && seen == 0) fault = "names no groups of entities in its observations";
    if (fault)
        return marl__fail(MARL_E_UNSUPPORTED, "%s %s, which net=%s is built on; use net=gru", env, fault,
                          net->type->name);
    return MARL_OK;
}

static const char *key_of(char *buffer, size_t bytes, const char *prefix, const char *key) {
    snprintf(buffer, bytes, "%s%s", prefix, key);
    return buffer;
}

static marl_status configure(marl__net *net, const marl_config *config, const char *prefix) {
    char key[64];
    marl__hpn_actions map;
    marl_status status = check_team(net);
    if (status != MARL_OK) return status;
    net->width = (int32_t)marl__config_int(config, key_of(key, sizeof key, prefix, "hidden_dim"));
    net->hyper = (int32_t)marl__config_int(config, key_of(key, sizeof key, prefix, "hyper_dim"));
    net->heads = (int32_t)marl__config_int(config, key_of(key, sizeof key, prefix, "heads"));
    net->is_shared = marl__config_is(config, key_of(key, sizeof key, prefix, "hpn_layout"), "shared");
    net->activation = marl__activation_find(
        marl__config_text(config, key_of(key, sizeof key, prefix, "hyper_activation")));
    if (net->is_shared && net->activation != MARL__RELU)
        return marl__fail(MARL_E_ARGUMENT, "%shyper_activation=%s belongs to hpn_layout=separate; the shared layout "
                          "has relu", prefix, marl__config_text(config, key));
    net->recurrent = net->type == &marl__net_type_hpn_gru;
    net->hidden = net->recurrent ? net->width : 0;
    net->features = net->width;
    marl__hpn_map_actions(&net->team.entities, net->shape.outputs, &map);
    net->plain = map.plain;
    return MARL_OK;
}

/* "enemy"; the second group of a role is "enemy2". */
static void name_group(const marl__net *net, int32_t group, char *out, size_t bytes) {
    static const char *const roles[] = {"neutral", "ally", "enemy", "goal"};
    int32_t role = group_at(net, group)->role, number = 1;
    for (int32_t i = 0; i < group; i++) number += !is_own(net, i) && group_at(net, i)->role == role;
    if (number == 1) snprintf(out, bytes, "%s", roles[role]);
    else snprintf(out, bytes, "%s%d", roles[role], (int)number);
}

/* One group's parameters being declared. */
typedef struct group_builder {
    const marl__net *net;
    marl__params *params;
    int32_t *at;
    char name[24];
} group_builder;

/* Second layers of hypernetworks: uniform by their own inputs, the hidden values, whatever they are regrouped to. */
static int32_t add_second(const group_builder *b, const char *part, int32_t rank, int32_t rows, int32_t cols) {
    char full[80];
    snprintf(full, sizeof full, "hyper_%s.%s", b->name, part);
    return marl__params_add(b->params, full, b->net->shape.groups, rank, rows, cols, MARL__INIT_UNIFORM,
                            (float)(1.0 / sqrt((double)b->net->hyper)));
}

static void add_hidden(const group_builder *b, const char *part, int32_t features, int32_t weight) {
    char full[48];
    snprintf(full, sizeof full, "hyper_%s%s.0", b->name, part);
    marl__declare_linear(b->params, full, b->net->shape.groups, features, b->net->hyper, MARL__GAIN_DEFAULT,
                         &b->at[weight], &b->at[weight + 1]);
}

static void declare_scores(const group_builder *b, int32_t features) {
    const marl__net *net = b->net;
    int32_t *at = b->at, heads = net->heads, values = heads * net->hyper;
    if (!net->is_shared) add_hidden(b, ".score", features, SCORE_0_W);
    at[SCORE_W] = add_second(b, "score.weight", 2, values, net->width);
    if (net->is_shared) {
        at[SCORE_B] = add_second(b, "score.bias", 1, values, 1);
    } else {
        add_hidden(b, ".offset", features, OFFSET_0_W);
        at[OFFSET_SCORE_W] = add_second(b, "offset.score.weight", 2, values, 1);
    }
    at[OFFSET_W] = add_second(b, "offset.weight", 2, heads, net->width);
    at[OFFSET_B] = add_second(b, "offset.bias", 1, heads, 1);
    if (heads == 1) return;
    char full[48];
    snprintf(full, sizeof full, "hyper_%s.merge.weight", b->name);
    at[SCORE_MERGE] = marl__params_add(b->params, full, net->shape.groups, 1, heads, 1, MARL__INIT_CONSTANT, 1.0f);
}

static void declare_group(marl__net *net, marl__params *params, int32_t group) {
    group_builder b = {.net = net, .params = params, .at = &net->params[GROUPS + group * GROUP_PARAMS]};
    int32_t features = group_at(net, group)->features;
    name_group(net, group, b.name, sizeof b.name);
    add_hidden(&b, "", features, HYPER_W);
    b.at[EMBED_W] = add_second(&b, "embed.weight", 2, net->heads * net->width, features * (net->hyper + 1));
    if (is_target(net, group)) declare_scores(&b, features);
}

static void declare_embeddings(marl__net *net, marl__params *params) {
    int32_t *at = net->params, groups = net->shape.groups, width = net->width, own = own_columns(net);
    const marl__net_team *team = &net->team;
    if (own > 0) marl__declare_linear(params, "own", groups, own, width, MARL__GAIN_DEFAULT, &at[OWN_W], &at[OWN_B]);
    if (team->ids > 0)
        at[ID_W] = marl__params_add(params, "id.weight", groups, 2, width, team->ids, MARL__INIT_NORMAL, 1.0f);
    if (team->last_actions > 0)
        at[LAST_W] = marl__params_add(params, "last.weight", groups, 2, width, team->last_actions, MARL__INIT_NORMAL,
                                      1.0f);
    if (net->heads > 1)
        at[MERGE] = marl__params_add(params, "merge.weight", groups, 1, net->heads * width, 1, MARL__INIT_CONSTANT,
                                     1.0f);
}

static void declare(marl__net *net, marl__params *params) {
    int32_t *at = net->params, groups = net->shape.groups, width = net->width;
    declare_embeddings(net, params);
    for (int32_t i = 0; i < net->team.entities.group_count; i++)
        if (!is_own(net, i)) declare_group(net, params, i);
    if (net->recurrent)
        marl__declare_gru(params, "rnn", groups, width, &at[RNN_W_IH]);
    else
        marl__declare_linear(params, "rnn", groups, width, width, MARL__GAIN_DEFAULT, &at[RNN_W_IH], &at[RNN_B_IH]);
    if (net->plain > 0)
        marl__declare_linear(params, "plain", groups, width, net->plain, MARL__GAIN_DEFAULT, &at[PLAIN_W],
                             &at[PLAIN_B]);
    net->param_count = GROUPS + net->team.entities.group_count * GROUP_PARAMS;
}

/* ---- the graph ---- */

typedef struct builder {
    const marl__net *net;
    marl__graph *g;
    int32_t slot;
    marl__val obs, h;
    marl__val scores[MARL__ENTITY_GROUPS];
} builder;

static marl__val leaf(const builder *b, int32_t param) {
    return marl__param_leaf(b->g, b->slot, param);
}

static marl__val times(const builder *b, marl__val x, int32_t weight) {
    return marl__linear(b->g, x, leaf(b, weight), -1, MARL__IDENTITY);
}

static marl__val sum_of(const builder *b, marl__val a, marl__val c) {
    return a < 0 ? c : marl__binary(b->g, MARL__ADD, a, c);
}

static marl__val merge(const builder *b, marl__val z, int32_t param) {
    return b->net->heads == 1 ? z : marl__merge_heads(b->g, z, leaf(b, param), b->net->heads);
}

/* The first column at or behind `from` in which a group's entities begin; the end of the observation if none does. */
static int32_t next_group(const builder *b, int32_t from, int32_t *out_end) {
    int32_t begin = b->net->shape.inputs;
    *out_end = begin;
    for (int32_t i = 0; i < b->net->team.entities.group_count; i++) {
        const marl__entity_group *group = group_at(b->net, i);
        if (is_own(b->net, i) || group->offset < from || group->offset >= begin) continue;
        begin = group->offset;
        *out_end = begin + group->count * group->features;
    }
    return begin;
}

/* The columns outside of entity groups; -1 if there are none. */
static marl__val own_context(const builder *b) {
    marl__val parts[MARL__ENTITY_GROUPS + 1], joined = -1;
    int32_t count = 0, from = 0, end = 0;
    while (from < b->net->shape.inputs) {
        int32_t begin = next_group(b, from, &end);
        if (begin > from) parts[count++] = marl__slice(b->g, b->obs, from, begin - from);
        from = end;
    }
    for (int32_t done = 0; done < count; done += 4) { /* a concat has room for eight */
        marl__val some[5];
        int32_t here = 0;
        if (joined >= 0) some[here++] = joined;
        for (int32_t i = done; i < count && i < done + 4; i++) some[here++] = parts[i];
        joined = marl__concat(b->g, some, here);
    }
    return joined;
}

/* An agent who sees no entity of a group, or is dead, has a row of zeros: in battles about half of them do. The
 * observation itself would be owed a gradient for these all the same. */
static marl__val times_some(const builder *b, marl__val outer, int32_t weight) {
    if (b->g->status != MARL_OK || b->g->values[b->obs].wants_grad) return times(b, outer, weight);
    return marl__linear_some(b->g, outer, leaf(b, weight));
}

static marl__val build_entities(const builder *b) {
    marl__val sum = -1;
    for (int32_t i = 0; i < b->net->team.entities.group_count; i++) {
        const marl__entity_group *group = group_at(b->net, i);
        const int32_t *at = params_at(b->net, i);
        if (is_own(b->net, i)) continue;
        marl__val outer = marl__hpn_embed(b->g, b->obs, leaf(b, at[HYPER_W]), leaf(b, at[HYPER_B]), group->offset,
                                          group->count, b->net->activation);
        sum = sum_of(b, sum, times_some(b, outer, at[EMBED_W]));
    }
    return merge(b, sum, b->net->params[MERGE]);
}

static marl__val build_input(const builder *b, const marl__net_values *values) {
    const int32_t *at = b->net->params;
    marl__val sum = build_entities(b), own = own_context(b);
    if (own >= 0) sum = sum_of(b, marl__build_linear(b->g, b->slot, own, at[OWN_W], at[OWN_B], MARL__IDENTITY), sum);
    if (b->net->team.ids > 0) sum = sum_of(b, sum, times(b, values->id, at[ID_W]));
    if (b->net->team.last_actions > 0) sum = sum_of(b, sum, times(b, values->last, at[LAST_W]));
    return marl__unary(b->g, MARL__RELU, sum);
}

static marl__val score_with(const builder *b, int32_t group, int32_t hidden, marl__val v, marl__val c) {
    const marl__entity_group *at = group_at(b->net, group);
    const int32_t *params = params_at(b->net, group);
    return marl__hpn_score(b->g, b->obs, leaf(b, params[hidden]), leaf(b, params[hidden + 1]), v, c, at->offset,
                           at->count, b->net->activation);
}

/* Scores of all entities of a group, built when first asked for. */
static marl__val scores_of(builder *b, int32_t group) {
    const int32_t *at = params_at(b->net, group);
    marl__graph *g = b->g;
    if (b->scores[group] >= 0) return b->scores[group];
    marl__val c = marl__build_linear(g, b->slot, b->h, at[OFFSET_W], at[OFFSET_B], MARL__IDENTITY), score = -1;
    c = merge(b, c, at[SCORE_MERGE]);
    if (b->net->is_shared) {
        marl__val v = marl__build_linear(g, b->slot, b->h, at[SCORE_W], at[SCORE_B], MARL__IDENTITY);
        score = score_with(b, group, HYPER_W, merge(b, v, at[SCORE_MERGE]), c);
    } else {
        /* The generated bias does not look at h: its v is the same in all rows. */
        marl__val ones = marl__affine(g, marl__slice(g, b->h, 0, 1), 0.0f, 1.0f);
        marl__val v = merge(b, times(b, b->h, at[SCORE_W]), at[SCORE_MERGE]);
        marl__val bias = merge(b, times(b, ones, at[OFFSET_SCORE_W]), at[SCORE_MERGE]);
        score = marl__binary(g, MARL__ADD, score_with(b, group, SCORE_0_W, v, c),
                             score_with(b, group, OFFSET_0_W, bias, -1));
    }
    return b->scores[group] = score;
}

static marl__val columns(const builder *b, marl__val x, int32_t first, int32_t count) {
    if (b->g->status != MARL_OK) return -1;
    return first == 0 && b->g->values[x].cols == count ? x : marl__slice(b->g, x, first, count);
}

static marl__val value_of(builder *b, marl__val plain, const marl__hpn_source *from, int32_t count) {
    if (from->kind == MARL__HPN_NONE) return -1;
    return columns(b, from->kind == MARL__HPN_PLAIN ? plain : scores_of(b, from->group), from->at, count);
}

/* What one class does in the actions of some segments, `cols` in all; -1: nothing. */
static marl__val values_of_class(builder *b, marl__val plain, const marl__hpn_segment *list, int32_t count,
                                 int32_t class_index, int32_t cols) {
    marl__val sum = -1;
    for (int32_t i = 0; i < count; i++) {
        marl__val here = value_of(b, plain, &list[i].of[class_index], list[i].count);
        if (here < 0) continue;
        if (list[i].count < cols) here = marl__pad(b->g, here, list[i].first - list[0].first, cols);
        sum = sum_of(b, sum, here);
    }
    return sum;
}

/* Each agent's values by its class. */
static marl__val values_by_class(builder *b, marl__val plain, const marl__hpn_segment *list, int32_t count) {
    const marl__entities *entities = &b->net->team.entities;
    marl__val values[MARL__ENTITY_CLASSES], chosen = -1;
    int32_t cols = 0;
    void *map = NULL;
    for (int32_t i = 0; i < count; i++) cols += list[i].count;
    for (int32_t c = 0; c < entities->class_count; c++)
        values[c] = values_of_class(b, plain, list, count, c, cols);
    if (b->g->status != MARL_OK) return -1;
    b->g->status = marl__alloc_array(b->g->heap, (size_t)b->g->agents, sizeof(int32_t), &map);
    for (int32_t i = 0; map && i < b->g->agents; i++) ((int32_t *)map)[i] = marl__entity_class_of(entities, i);
    if (map) chosen = marl__by_agent(b->g, values, entities->class_count, map);
    marl__free(b->g->heap, map);
    return chosen;
}

static marl__val build_output(builder *b) {
    marl__hpn_actions map;
    marl__val plain = -1, out = -1;
    marl__hpn_map_actions(&b->net->team.entities, b->net->shape.outputs, &map);
    if (map.plain > 0)
        plain = marl__build_linear(b->g, b->slot, b->h, b->net->params[PLAIN_W], b->net->params[PLAIN_B],
                                   MARL__IDENTITY);
    for (int32_t i = 0, end = 0; i < map.count && b->g->status == MARL_OK; i = end) {
        const marl__hpn_segment *at = &map.list[i];
        for (end = i + 1; !at->is_common && end < map.count && !map.list[end].is_common;) end++;
        marl__val parts[] = {out, at->is_common ? value_of(b, plain, &at->of[0], at->count)
                                                : values_by_class(b, plain, at, end - i)};
        out = out < 0 ? parts[1] : marl__concat(b->g, parts, 2);
    }
    return out;
}

static void build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values) {
    const int32_t *at = net->params;
    builder b = {.net = net, .g = graph, .slot = slot, .obs = values->x};
    for (int32_t i = 0; i < MARL__ENTITY_GROUPS; i++) b.scores[i] = -1;
    marl__val x = build_input(&b, values);
    x = marl__build_linear(graph, slot, x, at[RNN_W_IH], at[RNN_B_IH], net->recurrent ? MARL__IDENTITY : MARL__RELU);
    if (net->recurrent) {
        x = marl__gru(graph, x, leaf(&b, at[RNN_W_HH]), leaf(&b, at[RNN_B_HH]), values->h0, values->reset);
        values->h = x;
    }
    b.h = values->features = x;
    values->out = build_output(&b);
}

const marl__net_type marl__net_type_hpn = {
    .name = "hpn",
    .help = "permutation-aware agent on entities, feed-forward; its hypernetworks are never written out",
    .keys = MARL__KEY_TABLE(keys),
    .sees_entities = 1,
    .configure = configure,
    .declare = declare,
    .build = build,
};

const marl__net_type marl__net_type_hpn_gru = {
    .name = "hpn_gru",
    .help = "permutation-aware agent on entities with a GRU cell",
    .keys = MARL__KEY_TABLE(keys),
    .sees_entities = 1,
    .configure = configure,
    .declare = declare,
    .build = build,
};
