/* SPDX-License-Identifier: Apache-2.0 */
/* HPN: what agents of the StarCraft benchmark see, the published tensors regrouped as ours, and the agent by itself.
 *
 * A hypernetwork's second layer (rows, d) makes, row by row, for features c < k, heads and hidden units f:
 *   weights of the input     row (c heads + head) H + f
 *   weights of the score     row f heads + head          (the shared layout's follow the input's)
 *   biases of the score      row head                    (and these follow)
 * We keep the first as the linear layer behind hpn_embed, the others as those that make v and c of hpn_score. */
#include <stdio.h>

#include "marl/env.h"
#include "support/golden_rig.h"

int marl__golden_is_hpn(const marl__golden *golden) {
    return marl__golden_real(golden, "hpn_hyper_dim", 0.0) > 0.0;
}

/* ---- entities ---- */

enum { PLAIN_ACTIONS = 6 };

typedef struct obs_layout {
    int32_t move, enemies, enemy_features, allies, ally_features, own;
} obs_layout;

static int32_t nested(marl__golden *golden, int32_t item) {
    int64_t number = 0;
    marl__golden_ok(golden, marl__json_int(golden->json, item, &number));
    return (int32_t)number;
}

/* [move, [enemies, features], [allies, features], own], or six dims. */
static obs_layout layout_of(marl__golden *golden) {
    obs_layout l = {0};
    int32_t list = marl__json_find(golden->json, golden->dims, "obs_component");
    if (list < 0) {
        l = (obs_layout){marl__golden_dim(golden, "move_features"), marl__golden_dim(golden, "n_enemies"),
                         marl__golden_dim(golden, "enemy_features"), marl__golden_dim(golden, "n_allies"),
                         marl__golden_dim(golden, "ally_features"), marl__golden_dim(golden, "own_features")};
        return l;
    }
    int32_t *const numbers[] = {&l.move, &l.enemies, &l.enemy_features, &l.allies, &l.ally_features, &l.own};
    int32_t at = 0;
    for (int32_t item = marl__json_first(golden->json, list); item >= 0; item = marl__json_next(golden->json, item)) {
        if (marl__json_type(golden->json, item) != MARL__JSON_ARRAY) {
            if (at < 6) *numbers[at++] = nested(golden, item);
            continue;
        }
        for (int32_t i = marl__json_first(golden->json, item); i >= 0 && at < 6; i = marl__json_next(golden->json, i))
            *numbers[at++] = nested(golden, i);
    }
    if (at != 6) marl__golden_fault(golden, "dims.obs_component has %d numbers, expected 6", (int)at);
    return l;
}

static int has_medic(const marl__golden *golden) {
    return !strcmp(marl__golden_word(golden, "map_type", ""), "MMM");
}

void marl__golden_entities(marl__golden *golden, marl__entities *out) {
    obs_layout l = layout_of(golden);
    int32_t medic = marl__golden_dim(golden, "n_agents") - 1;
    *out = (marl__entities){.group_count = 2, .class_count = 1, .run_count = 1, .env = "a recorded map"};
    out->groups[0] = (marl__entity_group){MARL_ROLE_ENEMY, l.move, l.enemies, l.enemy_features};
    out->groups[1] = (marl__entity_group){MARL_ROLE_ALLY, l.move + l.enemies * l.enemy_features, l.allies,
                                          l.ally_features};
    out->classes[0] = (marl__entity_class){PLAIN_ACTIONS + l.enemies, 1, {{PLAIN_ACTIONS, l.enemies, 0, 0}}};
    if (!has_medic(golden)) return;
    out->class_count = out->run_count = 2;
    out->classes[1] = (marl__entity_class){PLAIN_ACTIONS + l.enemies, 1, {{PLAIN_ACTIONS, l.allies, 1, 0}}};
    out->runs[1] = (marl__entity_run){medic, 1};
}

/* ---- parameters ---- */

static const char *const groups[] = {"enemy", "ally"};
enum { ENEMY, ALLY };
enum { EMBED, SCORE, OFFSET };

/* Tensors that are one of ours as they are. */
static const struct { const char *theirs, *ours; } same[] = {
    {"fc1_own.", "own."},
    {"fc2_normal_actions.", "plain."},
    {"output_normal_actions.", "plain."},
    {"rnn.", "rnn."},
    {"unify_input_heads.", "merge."},
    {"unify_output_heads.", "hyper_enemy.merge."},
    {"unify_output_heads_rescue.", "hyper_ally.merge."},
    {"hyper_enemy.0.", "hyper_enemy.0."},
    {"hyper_ally.0.", "hyper_ally.0."},
    {"hyper_input_w_enemy.multihead_nn.0.", "hyper_enemy.0."},
    {"hyper_input_w_ally.multihead_nn.0.", "hyper_ally.0."},
    {"hyper_output_w_attack_action.multihead_nn.0.", "hyper_enemy.score.0."},
    {"hyper_output_b_attack_action.multihead_nn.0.", "hyper_enemy.offset.0."},
};

/* Second layers of hypernetworks. */
static const struct { const char *theirs; int32_t group, first_part; } seconds[] = {
    {"hyper_enemy.2.", ENEMY, EMBED},
    {"hyper_ally.2.", ALLY, EMBED},
    {"hyper_input_w_enemy.multihead_nn.2.", ENEMY, EMBED},
    {"hyper_input_w_ally.multihead_nn.2.", ALLY, EMBED},
    {"hyper_output_w_attack_action.multihead_nn.2.", ENEMY, SCORE},
    {"hyper_output_b_attack_action.multihead_nn.2.", ENEMY, OFFSET},
};

typedef struct regrouping {
    marl__golden *golden;
    const marl__params *params;
    const char *group;
    size_t heads, hidden, hyper, features;
} regrouping;

static const marl__param *find(marl__golden *golden, const marl__params *params, const char *name) {
    char full[112];
    snprintf(full, sizeof full, "agent.%s", name);
    int32_t index = marl__params_find(params, full);
    if (index < 0) marl__golden_fault(golden, "there is no parameter \"%s\"", full);
    return index < 0 ? NULL : &params->list[index];
}

static size_t place_in(const regrouping *r, const char *part, size_t row, size_t col) {
    char name[64];
    snprintf(name, sizeof name, "hyper_%s.%s", r->group, part);
    const marl__param *param = find(r->golden, r->params, name);
    if (!param) return 0;
    if (row >= (size_t)param->rows || col >= (size_t)param->cols)
        marl__golden_fault(r->golden, "%s has no number (%zu, %zu)", name, row, col);
    return param->offset + row * (size_t)param->cols + col;
}

static size_t embed_place(const regrouping *r, size_t row, size_t col, int is_bias) {
    size_t feature = row / (r->heads * r->hidden), unit = row % (r->heads * r->hidden);
    return place_in(r, "embed.weight", unit,
                    is_bias ? r->features * r->hyper + feature : feature * r->hyper + col);
}

static size_t score_place(const regrouping *r, size_t row, size_t col, int is_bias) {
    size_t unit = row / r->heads, head = row % r->heads;
    return is_bias ? place_in(r, "offset.weight", head, unit)
                   : place_in(r, "score.weight", head * r->hyper + col, unit);
}

static size_t offset_place(const regrouping *r, size_t head, size_t col, int is_bias, int is_separate) {
    if (is_bias) return place_in(r, "offset.bias", head, 0);
    return place_in(r, is_separate ? "offset.score.weight" : "score.bias", head * r->hyper + col, 0);
}

static size_t second_place(const regrouping *r, int32_t part, size_t row, size_t col, int is_bias) {
    size_t embeds = r->features * r->heads * r->hidden, scores = r->heads * r->hidden;
    int is_separate = part == OFFSET;
    if (part == EMBED && row < embeds) return embed_place(r, row, col, is_bias);
    if (part == EMBED) {
        row -= embeds;
        part = SCORE;
    }
    if (part == SCORE && row < scores) return score_place(r, row, col, is_bias);
    return offset_place(r, part == SCORE ? row - scores : row, col, is_bias, is_separate);
}

static void place_second(marl__golden *golden, const marl__params *params, int32_t which, int is_bias, size_t count,
                         size_t *out) {
    regrouping r = {.golden = golden, .params = params, .group = groups[seconds[which].group]};
    char name[64];
    snprintf(name, sizeof name, "hyper_%s.0.weight", r.group);
    const marl__param *layer = find(golden, params, name), *memory = find(golden, params, "rnn.weight_hh");
    r.heads = (size_t)marl__golden_real(golden, "hpn_head_num", 1.0);
    if (!layer || !memory) return;
    r.hidden = (size_t)memory->cols;
    r.hyper = (size_t)layer->rows;
    r.features = (size_t)layer->cols;
    for (size_t i = 0; i < count && !golden->fault[0]; i++)
        out[i] = is_bias ? second_place(&r, seconds[which].first_part, i, 0, 1)
                         : second_place(&r, seconds[which].first_part, i / r.hyper, i % r.hyper, 0);
}

/* One row an agent or action there, one column here. */
static void place_embedding(marl__golden *golden, const marl__params *params, const char *ours, size_t count,
                            size_t *out) {
    const marl__param *param = find(golden, params, ours);
    if (!param || param->count != count) marl__golden_fault(golden, "%s has another size", ours);
    for (size_t i = 0; !golden->fault[0] && i < count; i++)
        out[i] = param->offset + i % (size_t)param->rows * (size_t)param->cols + i / (size_t)param->rows;
}

static void place_same(marl__golden *golden, const marl__params *params, const char *ours, const char *rest,
                       size_t count, size_t *out) {
    char name[96];
    snprintf(name, sizeof name, "%s%s", ours, rest);
    const marl__param *param = find(golden, params, name);
    if (param && param->count != count) marl__golden_fault(golden, "%s has another size", name);
    for (size_t i = 0; !golden->fault[0] && i < count; i++) out[i] = param->offset + i;
}

size_t *marl__golden_hpn_places(marl__golden *golden, const marl__params *params, const char *name, size_t count) {
    size_t *out = marl__golden_room(golden, count, sizeof *out);
    if (!out) return NULL;
    if (!strcmp(name, "agent_id_embedding.weight")) {
        place_embedding(golden, params, "id.weight", count, out);
        return out;
    }
    if (!strcmp(name, "action_id_embedding.weight")) {
        place_embedding(golden, params, "last.weight", count, out);
        return out;
    }
    for (int32_t i = 0; i < (int32_t)(sizeof seconds / sizeof seconds[0]); i++) {
        size_t length = strlen(seconds[i].theirs);
        if (strncmp(name, seconds[i].theirs, length)) continue;
        place_second(golden, params, i, !strcmp(name + length, "bias"), count, out);
        return out;
    }
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        size_t length = strlen(same[i].theirs);
        if (strncmp(name, same[i].theirs, length)) continue;
        place_same(golden, params, same[i].ours, name + length, count, out);
        return out;
    }
    marl__golden_fault(golden, "there is no parameter for %s", name);
    return NULL;
}

/* ---- the agent by itself ---- */

const char *marl__golden_hpn_skip(const marl__golden *golden) {
    const char *kind = marl__golden_word(golden, "hpn_hyper_activation", "relu");
    return marl__activation_find(kind) < 0 ? "an activation that is not built" : NULL;
}

static void read_agent_params(rig *r) {
    size_t set = 0, all = 0, count = 0;
    int32_t is_target = 0;
    for (int32_t i = 0; marl__golden_array(r->golden, i) && !r->golden->fault[0]; i++) {
        const char *array = marl__golden_array(r->golden, i);
        if (strncmp(array, "param.", 6)) continue;
        size_t *places = marl__golden_places(r->golden, r->params, array + 6, &count, &is_target);
        const float *from = places ? marl__golden_floats(r->golden, array, count) : NULL;
        for (size_t k = 0; from && k < count; k++) r->version.flat[places[k]] = from[k];
        set += count;
    }
    for (int32_t i = 0; i < r->params->count; i++) all += r->params->list[i].count;
    if (!r->golden->fault[0] && set != all)
        marl__golden_fault(r->golden, "%zu numbers of parameters recorded, the net has %zu", set, all);
}

static void compare_agent_gradients(rig *r) {
    size_t count = 0;
    int32_t is_target = 0;
    for (int32_t i = 0; marl__golden_array(r->golden, i) && !r->golden->fault[0]; i++) {
        const char *array = marl__golden_array(r->golden, i);
        if (strncmp(array, "grad.", 5)) continue;
        size_t *places = marl__golden_places(r->golden, r->params, array + 5, &count, &is_target);
        float *got = places ? marl__golden_room(r->golden, count, sizeof *got) : NULL;
        for (size_t k = 0; got && k < count; k++) got[k] = r->gradient[places[k]];
        if (got) marl__golden_compare_floats(r->golden, array, got, count);
    }
}

/* Recorded is what was done in each slot; the net is given that of the slot before. */
static void feed_last_actions(rig *r, marl__val last) {
    if (last < 0) return;
    feed_indices(r, last, "in.last_actions");
    int32_t *to = marl__exec_data(r->exec, last), rows = r->seq.batch * r->graph->agents;
    memmove(to + rows, to, (size_t)(rows * (r->seq.slots - 1)) * sizeof *to);
    for (int32_t i = 0; i < rows; i++) to[i] = -1;
}

/* Values are compared where they are any: a medic has no use for as many actions as there are enemies. */
static void compare_q(rig *r, marl__val q, const char *array) {
    obs_layout l = layout_of(r->golden);
    size_t count = 0, actions = (size_t)r->graph->values[q].cols, agents = (size_t)r->graph->agents;
    const double *got = fetch(r, q, &count);
    uint8_t *use = marl__golden_room(r->golden, count, 1);
    for (size_t i = 0; use && i < count; i++) {
        int is_medic = has_medic(r->golden) && i / actions % agents == agents - 1;
        use[i] = !is_medic || i % actions < (size_t)(PLAIN_ACTIONS + l.allies);
    }
    marl__golden_compare(r->golden, array, got, count, use);
}

/* The recorded observations with the entities of each team in another order. */
static double *permuted_obs(rig *r, const obs_layout *l) {
    int32_t batch = r->seq.batch, rows = r->seq.slots * r->graph->agents;
    int32_t width = l->move + l->enemies * l->enemy_features + l->allies * l->ally_features + l->own;
    size_t count = (size_t)batch * (size_t)rows * (size_t)width;
    const float *from = marl__golden_floats(r->golden, "in.obs", count);
    const int32_t *enemies = marl__golden_ints(r->golden, "in.perm_enemy", (size_t)(batch * l->enemies));
    const int32_t *allies = marl__golden_ints(r->golden, "in.perm_ally", (size_t)(batch * l->allies));
    double *to = marl__golden_room(r->golden, count, sizeof *to);
    for (int32_t row = 0; from && enemies && allies && to && row < batch * rows; row++) {
        const float *x = from + (ptrdiff_t)row * width;
        double *y = to + (ptrdiff_t)row * width;
        int32_t b = row / rows, first = l->move, second = l->move + l->enemies * l->enemy_features;
        for (int32_t i = 0; i < width; i++) y[i] = (double)x[i];
        for (int32_t i = 0; i < l->enemies * l->enemy_features; i++)
            y[first + i] = (double)x[first + enemies[b * l->enemies + i / l->enemy_features] * l->enemy_features +
                                     i % l->enemy_features];
        for (int32_t i = 0; i < l->allies * l->ally_features; i++)
            y[second + i] = (double)x[second + allies[b * l->allies + i / l->ally_features] * l->ally_features +
                                      i % l->ally_features];
    }
    if (to) marl__golden_compare(r->golden, "out.obs_permuted", to, count, NULL);
    return to;
}

static void run_permuted(rig *r, marl__val obs, marl__val q) {
    obs_layout l = layout_of(r->golden);
    if (!permuted_obs(r, &l) || r->golden->fault[0]) return;
    feed(r, obs, "out.obs_permuted");
    marl__exec_run(r->exec, 0);
    compare_q(r, q, "out.q_permuted");
}

static void run_hpn(rig *r, const marl__net *net) {
    marl__golden *golden = r->golden;
    marl__graph *g = r->graph;
    marl__val obs = marl__input(g, "obs", MARL__AGENT, net->shape.inputs, MARL__F32);
    marl__val last = net->team.last_actions > 0 ? marl__input(g, "last", MARL__AGENT, 1, MARL__I32) : -1;
    marl__val seed = marl__input(g, "dq", MARL__AGENT, net->shape.outputs, MARL__F32);
    marl__net_values values = {.x = obs, .h0 = -1, .reset = -1, .id = -1, .last = -1};
    if (net->team.ids > 0) values.id = marl__agent_id(g);
    if (last >= 0) values.last = marl__one_hot(g, last, net->team.last_actions);
    marl__want_grad(g, obs);
    marl__net_build(net, g, r->slot, &values);
    marl__graph_vjp(g, &values.out, &seed, 1);
    marl__keep(g, values.out, "q");
    marl__keep(g, values.h, "h");
    marl__keep(g, marl__gradient(g, obs), "dobs");
    read_agent_params(r);
    if (!make_ready(r)) return;
    feed(r, obs, "in.obs");
    feed_last_actions(r, last);
    const float *weights = feed(r, seed, "in.loss_weight_q");
    if (golden->fault[0]) return;
    marl__exec_run(r->exec, 0);
    double loss = weighted_sum(r, values.out, weights);
    compare_q(r, values.out, "out.q");
    compare_value(r, values.h, "out.h");
    marl__golden_compare(golden, "loss.total", &loss, 1, NULL);
    compare_value(r, marl__gradient(g, obs), "grad_in.obs");
    compare_agent_gradients(r);
    run_permuted(r, obs, values.out);
}

void marl__golden_hpn_agent(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    rig *r = malloc(sizeof *r);
    int32_t agents = marl__golden_dim(golden, "n_agents"), actions = marl__golden_dim(golden, "n_actions");
    obs_layout l = layout_of(golden);
    marl__net_team team = {.ids = marl__golden_flag(golden, "obs_agent_id", 0) ? agents : 0,
                           .last_actions = marl__golden_flag(golden, "obs_last_action", 0) ? actions : 0};
    marl__net net;
    (void)shard_rows;
    marl__golden_entities(golden, &team.entities);
    if (!r || !rig_open(r, golden, device, "net/hpn_gru", agents)) goto done;
    set_rows(r, marl__golden_dim(golden, "T"), marl__golden_dim(golden, "batch"));
    set_int(r, "hidden_dim", marl__golden_dim(golden, "hidden"));
    set_int(r, "hyper_dim", (int64_t)marl__golden_real(golden, "hpn_hyper_dim", 64.0));
    set_int(r, "heads", (int64_t)marl__golden_real(golden, "hpn_head_num", 1.0));
    set_text(r, "hpn_layout", marl__golden_word(golden, "hypernetworks", "shared"));
    set_text(r, "hyper_activation", marl__golden_word(golden, "hpn_hyper_activation", "relu"));
    if (golden->fault[0]) goto done;
    marl__params_range(r->params, "agent", 0);
    marl__net_shape shape = {l.move + l.enemies * l.enemy_features + l.allies * l.ally_features + l.own, actions, 1};
    marl_status status = marl__net_declare_for("hpn_gru", r->config, "", shape, &team, r->params, &net);
    if (!marl__golden_ok(golden, status)) goto done;
    open_slot(r);
    if (!golden->fault[0]) run_hpn(r, &net);
done:
    if (r) rig_close(r);
    free(r);
}
