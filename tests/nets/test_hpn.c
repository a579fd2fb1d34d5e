/* SPDX-License-Identifier: Apache-2.0 */
/* hpn against its literal form, in double, which writes out every entity's weights; what permutations, absent entities
 * and heads do; gradients by finite differences of the literal form; agents of two classes.
 *
 * The team: an observation of [own 2 | 4 enemies of 3 | self 2 | 2 allies of 4 | own 1], 7 actions of which 3 aim at
 * nothing. Fighters aim actions 3..6 at the enemies; the medic aims 4 and 5 at its allies. */
#include <math.h>

#include "core/base/status.h"
#include "marl/env.h"
#include "nets/net_rig.h"

Suite *marl__suite_nets_hpn(void);

enum { AGENTS = 3, OBS = 25, ACTIONS = 7, PLAIN = 3, ENEMIES = 4, ALLIES = 2, HIDDEN = 9, HYPER = 5, TEAMS = 3 };
enum { ENEMY_AT = 2, SELF_AT = 14, ALLY_AT = 16, ENEMY_FEATURES = 3, ALLY_FEATURES = 4, MEDIC = 2 };

static const marl__net_team both_classes = {
    .ids = AGENTS,
    .last_actions = ACTIONS,
    .entities = {
        .group_count = 3, .class_count = 2, .run_count = 2, .env = "test:team",
        .groups = {{MARL_ROLE_ENEMY, ENEMY_AT, ENEMIES, ENEMY_FEATURES}, {MARL_ROLE_NEUTRAL, SELF_AT, 1, 2},
                   {MARL_ROLE_ALLY, ALLY_AT, ALLIES, ALLY_FEATURES}},
        .classes = {{7, 1, {{3, ENEMIES, 0, 0}}}, {7, 1, {{4, ALLIES, 2, 0}}}},
        .runs = {{0, 0}, {MEDIC, 1}},
    },
};
static const marl__net_shape team_shape = {OBS, ACTIONS, 1};

static const char *const layouts[][11] = {
    {"hidden_dim", "9", "hyper_dim", "5", NULL},
    {"hidden_dim", "9", "hyper_dim", "5", "heads", "3", NULL},
    {"hidden_dim", "9", "hyper_dim", "5", "hpn_layout", "separate", "hyper_activation", "tanh", NULL},
    {"hidden_dim", "9", "hyper_dim", "5", "hpn_layout", "separate", "heads", "2", "hyper_activation", "elu", NULL},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

/* ---- the literal form ---- */

typedef struct literal {
    const net_rig *r;
    const double *flat;   /* parameters, in the layout of the table */
    const float *obs;     /* of one agent */
    int32_t agent, last;  /* last: -1 for none */
    int32_t is_separate, heads;
} literal;

/* Called so often that an assertion, which writes to a file, is made only where it fails; number is, too. */
static const marl__param *named(const literal *l, const char *format, const char *group) {
    char name[64];
    snprintf(name, sizeof name, format, group);
    int32_t index = marl__params_find(l->r->params, name);
    if (index < 0) ck_abort_msg("no parameter %s", name);
    return &l->r->params->list[index];
}

static double number(const literal *l, const marl__param *param, int32_t row, int32_t col) {
    int32_t group = param->groups > 1 ? l->agent : 0;
    if (row >= param->rows || col >= param->cols) ck_abort_msg("%s has no (%d, %d)", param->name, (int)row, (int)col);
    return l->flat[param->offset + (size_t)((group * param->rows + row) * param->cols + col)];
}

static double activated(const literal *l, double x) {
    if (l->r->net.activation == MARL__TANH) return tanh(x);
    if (l->r->net.activation == MARL__ELU) return x > 0 ? x : expm1(x);
    return x > 0 ? x : 0;
}

static void hidden_layer(const literal *l, const marl__param *weight, const marl__param *bias, const float *x,
                         double *z) {
    for (int32_t j = 0; j < HYPER; j++) {
        z[j] = number(l, bias, j, 0);
        for (int32_t c = 0; c < weight->cols; c++) z[j] += number(l, weight, j, c) * (double)x[c];
        z[j] = activated(l, z[j]);
    }
}

/* Share of a head; its number stands in a row, those of the others `stride` rows apart. */
static double share(const literal *l, const marl__param *numbers, int32_t head, int32_t stride, int32_t row) {
    double sum = 0;
    if (l->heads == 1) return 1;
    for (int32_t i = 0; i < l->heads; i++) sum += exp(number(l, numbers, i * stride + row, 0));
    return exp(number(l, numbers, head * stride + row, 0)) / sum;
}

static void add_entity(const literal *l, const char *group, const float *x, double *sum) {
    const marl__param *layer = named(l, "hyper_%s.0.weight", group), *embed = named(l, "hyper_%s.embed.weight", group);
    const marl__param *shares = l->heads > 1 ? named(l, "merge.weight", "") : NULL;
    int32_t features = layer->cols;
    double z[HYPER];
    hidden_layer(l, layer, named(l, "hyper_%s.0.bias", group), x, z);
    for (int32_t head = 0; head < l->heads; head++)
        for (int32_t f = 0; f < HIDDEN; f++) {
            double of_head = 0;
            for (int32_t c = 0; c < features; c++) {
                double w = number(l, embed, head * HIDDEN + f, features * HYPER + c);
                for (int32_t j = 0; j < HYPER; j++) w += number(l, embed, head * HIDDEN + f, c * HYPER + j) * z[j];
                of_head += (double)x[c] * w;
            }
            sum[f] += share(l, shares, head, HIDDEN, f) * of_head;
        }
}

static double score(const literal *l, const char *group, const float *x, const double *h) {
    int separate = l->is_separate;
    const marl__param *merge = l->heads > 1 ? named(l, "hyper_%s.merge.weight", group) : NULL;
    const marl__param *scores = named(l, "hyper_%s.score.weight", group);
    const marl__param *offsets = named(l, "hyper_%s.offset.weight", group);
    const marl__param *bias = named(l, "hyper_%s.offset.bias", group);
    const marl__param *biases = named(l, separate ? "hyper_%s.offset.score.weight" : "hyper_%s.score.bias", group);
    double z[HYPER], z_bias[HYPER], q = 0;
    hidden_layer(l, named(l, separate ? "hyper_%s.score.0.weight" : "hyper_%s.0.weight", group),
                 named(l, separate ? "hyper_%s.score.0.bias" : "hyper_%s.0.bias", group), x, z);
    hidden_layer(l, named(l, separate ? "hyper_%s.offset.0.weight" : "hyper_%s.0.weight", group),
                 named(l, separate ? "hyper_%s.offset.0.bias" : "hyper_%s.0.bias", group), x, z_bias);
    for (int32_t head = 0; head < l->heads; head++) {
        double of_head = number(l, bias, head, 0);
        for (int32_t j = 0; j < HYPER; j++) of_head += number(l, biases, head * HYPER + j, 0) * z_bias[j];
        for (int32_t f = 0; f < HIDDEN; f++) {
            double w = number(l, offsets, head, f);
            for (int32_t j = 0; j < HYPER; j++) w += number(l, scores, head * HYPER + j, f) * z[j];
            of_head += h[f] * w;
        }
        q += share(l, merge, head, 1, 0) * of_head;
    }
    return q;
}

/* y = W x + b */
static void literal_linear(const literal *l, const char *name, int32_t inputs, const double *x, int32_t outputs,
                           double *y) {
    const marl__param *weight = named(l, "%s.weight", name), *bias = named(l, "%s.bias", name);
    for (int32_t o = 0; o < outputs; o++) {
        y[o] = number(l, bias, o, 0);
        for (int32_t i = 0; i < inputs; i++) y[o] += number(l, weight, o, i) * x[i];
    }
}

/* Values of one agent; the feed-forward net. */
static void literal_values(const literal *l, double *q) {
    const float *x = l->obs;
    const double own[] = {(double)x[0], (double)x[1], (double)x[SELF_AT], (double)x[SELF_AT + 1], (double)x[OBS - 1]};
    const marl__param *id = named(l, "id.weight", ""), *last = named(l, "last.weight", "");
    double sum[HIDDEN], h[HIDDEN];
    literal_linear(l, "own", 5, own, HIDDEN, sum);
    for (int32_t e = 0; e < ENEMIES; e++) add_entity(l, "enemy", x + ENEMY_AT + e * ENEMY_FEATURES, sum);
    for (int32_t e = 0; e < ALLIES; e++) add_entity(l, "ally", x + ALLY_AT + e * ALLY_FEATURES, sum);
    for (int32_t f = 0; f < HIDDEN; f++) {
        sum[f] += number(l, id, f, l->agent) + (l->last >= 0 ? number(l, last, f, l->last) : 0);
        sum[f] = sum[f] > 0 ? sum[f] : 0;
    }
    literal_linear(l, "rnn", HIDDEN, sum, HIDDEN, h);
    for (int32_t f = 0; f < HIDDEN; f++) h[f] = h[f] > 0 ? h[f] : 0;
    for (int32_t a = 0; a < ACTIONS; a++) q[a] = 0;
    literal_linear(l, "plain", HIDDEN, h, PLAIN, q);
    for (int32_t e = 0; l->agent != MEDIC && e < ENEMIES; e++)
        q[3 + e] = score(l, "enemy", x + ENEMY_AT + e * ENEMY_FEATURES, h);
    for (int32_t e = 0; l->agent == MEDIC && e < ALLIES; e++)
        q[4 + e] = score(l, "ally", x + ALLY_AT + e * ALLY_FEATURES, h);
}

/* ---- the net ---- */

typedef struct team_rig {
    net_rig r;
    marl__val obs, last, seed;
    float *gradient;
} team_rig;

static void open_team(team_rig *t, const char *kind, const char *const *settings, const marl__net_team *team,
                      marl__net_shape shape, int32_t teams) {
    const int32_t active[] = {teams};
    net_rig *r = &t->r;
    rig_ok(rig_declare_for(r, kind, settings, AGENTS, shape, team));
    rig_fill(r, 5);
    rig_rows(r, active, 1);
    r->graph->slots[r->slot].is_trained = 1;
    t->gradient = calloc(r->params->floats + 16, sizeof(float));
    t->obs = r->values.x = marl__input(r->graph, "obs", MARL__AGENT, shape.inputs, MARL__F32);
    t->last = marl__input(r->graph, "last", MARL__AGENT, 1, MARL__I32);
    t->seed = marl__input(r->graph, "seed", MARL__AGENT, shape.outputs, MARL__F32);
    r->values.h0 = r->values.reset = r->values.id = r->values.last = -1;
    if (team->ids > 0) r->values.id = marl__agent_id(r->graph);
    if (team->last_actions > 0) r->values.last = marl__one_hot(r->graph, t->last, team->last_actions);
    marl__net_build(&r->net, r->graph, r->slot, &r->values);
    marl__keep(r->graph, r->values.out, "q");
    marl__keep(r->graph, r->values.features, "features");
    marl__graph_vjp(r->graph, &r->values.out, &t->seed, 1);
    rig_ready(r);
    marl__exec_bind_grad(r->exec, r->slot, t->gradient);
    fill_random(rig_data(r, t->obs), (size_t)(r->seq.rows * AGENTS * shape.inputs), 11);
    fill_random(rig_data(r, t->seed), (size_t)(r->seq.rows * AGENTS * shape.outputs), 12);
    int32_t *last = marl__exec_data(r->exec, t->last);
    for (int32_t i = 0; last && i < r->seq.rows * AGENTS; i++) last[i] = i % (ACTIONS + 1) - 1;
}

static void close_team(team_rig *t) {
    free(t->gradient);
    rig_close(&t->r);
}

static double *flat_in_double(const team_rig *t) {
    double *flat = calloc(t->r.params->floats, sizeof *flat);
    ck_assert_ptr_nonnull(flat);
    for (size_t i = 0; i < t->r.params->floats; i++) flat[i] = (double)t->r.version.flat[i];
    return flat;
}

static literal literal_of(const team_rig *t, const double *flat, int32_t row) {
    const int32_t *last = marl__exec_data(t->r.exec, t->last);
    const float *obs = marl__exec_data(t->r.exec, t->obs);
    return (literal){.r = &t->r, .flat = flat, .obs = obs + row * OBS, .agent = row % AGENTS,
                     .last = last ? last[row] : -1, .is_separate = !t->r.net.is_shared, .heads = t->r.net.heads};
}

START_TEST(test_literal) {
    team_rig t;
    const marl__net_shape shape = {OBS, ACTIONS, _i < LAYOUTS ? 1 : AGENTS};
    open_team(&t, "hpn", layouts[_i % LAYOUTS], &both_classes, shape, TEAMS);
    marl__exec_run(t.r.exec, 0);
    double *flat = flat_in_double(&t), q[ACTIONS];
    const float *got = rig_data(&t.r, t.r.values.out);
    for (int32_t row = 0; row < TEAMS * AGENTS; row++) {
        literal l = literal_of(&t, flat, row);
        literal_values(&l, q);
        for (int32_t a = 0; a < ACTIONS; a++)
            ck_assert_msg(fabs((double)got[row * ACTIONS + a] - q[a]) < 2e-5 * (1 + fabs(q[a])),
                          "row %d action %d: %.9g, literally %.9g", (int)row, (int)a,
                          (double)got[row * ACTIONS + a], q[a]);
    }
    free(flat);
    close_team(&t);
}
END_TEST

/* ---- gradients ---- */

static double weighted(const team_rig *t, const double *flat) {
    const float *seed = marl__exec_data(t->r.exec, t->seed);
    double sum = 0, q[ACTIONS];
    for (int32_t row = 0; row < t->r.seq.rows * AGENTS; row++) {
        literal l = literal_of(t, flat, row);
        literal_values(&l, q);
        for (int32_t a = 0; a < ACTIONS; a++) sum += q[a] * (double)seed[row * ACTIONS + a];
    }
    return sum;
}

/* Every parameter's gradient, here and there; of hyper_enemy.0 it comes through both uses of the hypernetwork. */
START_TEST(test_gradients) {
    team_rig t;
    open_team(&t, "hpn", layouts[_i], &both_classes, team_shape, 2);
    marl__exec_run(t.r.exec, 0);
    double *flat = flat_in_double(&t);
    const double step = 1e-6;
    for (int32_t p = 0; p < t.r.params->count; p++) {
        const marl__param *param = &t.r.params->list[p];
        size_t stride = param->count > 6 ? param->count / 5 : 1;
        for (size_t i = 0; i < param->count; i += stride) {
            double *at = &flat[param->offset + i], before = *at, up, down;
            *at = before + step;
            up = weighted(&t, flat);
            *at = before - step;
            down = weighted(&t, flat);
            *at = before;
            double expected = (up - down) / (2 * step), got = (double)t.gradient[param->offset + i];
            ck_assert_msg(fabs(expected - got) < 2e-5 * (1 + fabs(expected)), "%s[%zu]: %.9g, expected %.9g",
                          param->name, i, got, expected);
        }
    }
    free(flat);
    close_team(&t);
}
END_TEST

/* ---- permutations ---- */

static void move_entities(float *obs, int32_t first, int32_t features, const int32_t *order, int32_t count) {
    float old[32];
    memcpy(old, obs + first, (size_t)(count * features) * sizeof *old);
    for (int32_t e = 0; e < count; e++)
        memcpy(obs + first + e * features, old + order[e] * features, (size_t)features * sizeof *old);
}

/* What an agent remembers and its plain values stay; scores follow the entities. */
START_TEST(test_permutations) {
    static const int32_t enemies[] = {2, 0, 3, 1}, allies[] = {1, 0};
    enum { ROWS = TEAMS * AGENTS };
    team_rig t;
    float q[ROWS * ACTIONS], features[ROWS * HIDDEN];
    open_team(&t, _i % 2 ? "hpn_gru" : "hpn", layouts[_i / 2], &both_classes, team_shape, TEAMS);
    marl__exec_run(t.r.exec, 0);
    memcpy(q, rig_data(&t.r, t.r.values.out), sizeof q);
    memcpy(features, rig_data(&t.r, t.r.values.features), sizeof features);
    for (int32_t row = 0; row < ROWS; row++) {
        float *obs = rig_data(&t.r, t.obs) + row * OBS;
        move_entities(obs, ENEMY_AT, ENEMY_FEATURES, enemies, ENEMIES);
        move_entities(obs, ALLY_AT, ALLY_FEATURES, allies, ALLIES);
    }
    marl__exec_run(t.r.exec, 0);
    const float *now = rig_data(&t.r, t.r.values.out), *kept = rig_data(&t.r, t.r.values.features);
    for (int32_t i = 0; i < ROWS * HIDDEN; i++) ck_assert_float_eq_tol(kept[i], features[i], 1e-6f);
    for (int32_t row = 0; row < ROWS; row++)
        for (int32_t a = 0; a < ACTIONS; a++) {
            int32_t from = a;
            if (row % AGENTS != MEDIC && a >= 3) from = 3 + enemies[a - 3];
            if (row % AGENTS == MEDIC && (a == 4 || a == 5)) from = 4 + allies[a - 4];
            ck_assert_float_eq_tol(now[row * ACTIONS + a], q[row * ACTIONS + from], 1e-6f);
        }
    ck_assert(memcmp(now, q, sizeof q) != 0);
    close_team(&t);
}
END_TEST

/* ---- numbers of entities ---- */

/* The same team with room for two enemies more, who are absent: same parameters, same values. */
START_TEST(test_absent_entities) {
    enum { MORE = 2, WIDE = OBS + MORE * ENEMY_FEATURES, SHIFT = MORE * ENEMY_FEATURES };
    marl__net_team few = both_classes, many;
    few.last_actions = 0; /* their number is that of the actions */
    many = few;
    many.entities.groups[0].count += MORE;
    for (int32_t g = 1; g < 3; g++) many.entities.groups[g].offset += SHIFT;
    many.entities.classes[0].actions = many.entities.classes[1].actions = ACTIONS + MORE;
    many.entities.classes[0].targets[0].count += MORE;
    team_rig a, b;
    open_team(&a, "hpn_gru", layouts[1], &few, team_shape, TEAMS);
    open_team(&b, "hpn_gru", layouts[1], &many, (marl__net_shape){WIDE, ACTIONS + MORE, 1}, TEAMS);
    ck_assert_uint_eq(a.r.params->floats, b.r.params->floats);
    ck_assert_mem_eq(a.r.version.flat, b.r.version.flat, a.r.params->floats * sizeof(float));
    for (int32_t row = 0; row < TEAMS * AGENTS; row++) {
        const float *from = rig_data(&a.r, a.obs) + row * OBS;
        float *to = rig_data(&b.r, b.obs) + row * WIDE;
        memset(to, 0, WIDE * sizeof *to);
        memcpy(to, from, SELF_AT * sizeof *to);
        memcpy(to + SELF_AT + SHIFT, from + SELF_AT, (OBS - SELF_AT) * sizeof *to);
    }
    marl__exec_run(a.r.exec, 0);
    marl__exec_run(b.r.exec, 0);
    const float *x = rig_data(&a.r, a.r.values.out), *y = rig_data(&b.r, b.r.values.out);
    for (int32_t row = 0; row < TEAMS * AGENTS; row++)
        ck_assert_mem_eq(x + row * ACTIONS, y + row * (ACTIONS + MORE), ACTIONS * sizeof *x);
    for (int32_t m = 0; m < MORE; m++) { /* a fighter's score of an absent enemy is its own, the medic has none */
        ck_assert(y[ACTIONS + m] != 0.0f);
        ck_assert_float_eq(y[ACTIONS + m], y[ACTIONS]);
        ck_assert_float_eq(y[MEDIC * (ACTIONS + MORE) + ACTIONS + m], 0.0f);
    }
    close_team(&a);
    close_team(&b);
}
END_TEST

/* Two heads with the weights of one are that one. */
START_TEST(test_equal_heads) {
    static const char *const twice[] = {"hidden_dim", "9", "hyper_dim", "5", "heads", "2", NULL};
    team_rig one, two;
    open_team(&one, "hpn_gru", layouts[0], &both_classes, team_shape, TEAMS);
    open_team(&two, "hpn_gru", twice, &both_classes, team_shape, TEAMS);
    for (int32_t p = 0; p < two.r.params->count; p++) {
        const marl__param *to = &two.r.params->list[p];
        int32_t index = marl__params_find(one.r.params, to->name);
        if (index < 0) continue; /* the shares: equal */
        const marl__param *from = &one.r.params->list[index];
        for (size_t i = 0; i < to->count; i++)
            two.r.version.flat[to->offset + i] = one.r.version.flat[from->offset + i % from->count];
    }
    marl__version_pack_all(two.r.params, &two.r.version);
    marl__exec_run(one.r.exec, 0);
    marl__exec_run(two.r.exec, 0);
    const float *x = rig_data(&one.r, one.r.values.out), *y = rig_data(&two.r, two.r.values.out);
    for (int32_t i = 0; i < TEAMS * AGENTS * ACTIONS; i++) ck_assert_float_eq_tol(x[i], y[i], 1e-6f);
    close_team(&one);
    close_team(&two);
}
END_TEST

/* ---- parameters ---- */

/* 5m_vs_6m with embeddings of the agents: 72 647 numbers as published, 118 602 with two heads, 73 415 separate. */
START_TEST(test_parameter_counts) {
    static const char *const kinds[][5] = {{NULL}, {"heads", "2", NULL}, {"hpn_layout", "separate", NULL}};
    static const size_t counts[] = {72647, 118602, 73415};
    const marl__net_team team = {
        .ids = 5,
        .entities = {.group_count = 2, .class_count = 1, .run_count = 1,
                     .groups = {{MARL_ROLE_ENEMY, 4, 6, 5}, {MARL_ROLE_ALLY, 34, 4, 5}},
                     .classes = {{12, 1, {{6, 6, 0, 0}}}}},
    };
    net_rig r;
    rig_ok(rig_declare_for(&r, "hpn_gru", kinds[_i], 5, (marl__net_shape){55, 12, 1}, &team));
    ck_assert_uint_eq(rig_numbers(&r), counts[_i]);
    rig_close(&r);
}
END_TEST

/* Embeddings are standard normal; what a hypernetwork's second layer became is uniform by its hidden width. */
START_TEST(test_initial_values) {
    static const char *const settings[] = {"hidden_dim", "64", "hyper_dim", "25", "heads", "2", NULL};
    net_rig r;
    rig_ok(rig_declare_for(&r, "hpn_gru", settings, AGENTS, team_shape, &both_classes));
    rig_fill(&r, 3);
    const float *id = rig_param(&r, "last.weight"), *embed = rig_param(&r, "hyper_enemy.embed.weight");
    double sum = 0, squares = 0, most = 0;
    enum { NUMBERS = 64 * ACTIONS, EMBEDS = 2 * 64 * 3 * 26 };
    for (int32_t i = 0; i < NUMBERS; i++) {
        sum += (double)id[i];
        squares += (double)id[i] * (double)id[i];
    }
    ck_assert_double_eq_tol(sum / NUMBERS, 0.0, 5.0 / sqrt(NUMBERS));
    ck_assert_double_eq_tol(squares / NUMBERS, 1.0, 5.0 * sqrt(2.0 / NUMBERS));
    for (int32_t i = 0; i < EMBEDS; i++) most = fmax(most, fabs((double)embed[i]));
    ck_assert_double_le(most, 0.2);
    ck_assert_double_gt(most, 0.195);
    ck_assert_float_eq(rig_param(&r, "merge.weight")[17], 1.0f);
    ck_assert_float_eq(rig_param(&r, "hyper_ally.merge.weight")[1], 1.0f);
    rig_close(&r);
}
END_TEST

/* ---- refusals ---- */

static void assert_refused(const marl__net_team *team, const char *const *settings, marl_status expected,
                           const char *words) {
    net_rig r;
    ck_assert_int_eq(rig_declare_for(&r, "hpn", settings, AGENTS, team_shape, team), expected);
    ck_assert_msg(strstr(marl_last_error(), words) != NULL, "\"%s\" says nothing of \"%s\"", marl_last_error(), words);
    rig_close(&r);
}

START_TEST(test_refusals) {
    static const char *const shared_tanh[] = {"hyper_activation", "tanh", NULL};
    marl__net_team team = both_classes;
    assert_refused(&team, shared_tanh, MARL_E_ARGUMENT, "hpn_layout=separate");
    assert_refused(NULL, NULL, MARL_E_UNSUPPORTED, "net=gru");
    team.entities.group_count = 0;
    assert_refused(&team, NULL, MARL_E_UNSUPPORTED, "test:team names no groups of entities");
    team = both_classes;
    team.entities.fault = "has observations that are images";
    assert_refused(&team, NULL, MARL_E_UNSUPPORTED, "test:team has observations that are images");
}
END_TEST

Suite *marl__suite_nets_hpn(void) {
    Suite *suite = suite_create("nets/hpn");
    TCase *tcase = tcase_create("hpn");
    tcase_add_loop_test(tcase, test_literal, 0, 2 * LAYOUTS);
    tcase_add_loop_test(tcase, test_gradients, 0, LAYOUTS);
    tcase_add_loop_test(tcase, test_permutations, 0, 2 * LAYOUTS);
    tcase_add_test(tcase, test_absent_entities);
    tcase_add_test(tcase, test_equal_heads);
    tcase_add_loop_test(tcase, test_parameter_counts, 0, 3);
    tcase_add_test(tcase, test_initial_values);
    tcase_add_test(tcase, test_refusals);
    suite_add_tcase(suite, tcase);
    return suite;
}
