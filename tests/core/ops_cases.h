/* SPDX-License-Identifier: Apache-2.0 */
/* The table that test_ops.c runs on every backend: shapes, and for each op a case.
 *
 * A case is a small graph with the op of interest, its inputs, and the same function written naively in double: plain
 * loops over slots, teams, agents and columns, with none of the layout tricks of the kernels. A new op is one
 * reference, one builder and one line here. Included by test_ops.c only, so everything is static. */
#ifndef MARL__TESTS_CORE_OPS_CASES_H
#define MARL__TESTS_CORE_OPS_CASES_H

#include <math.h>

#include "core/graph/graph.h"

/* Shapes ---------------------------------------------------------------------------------------------------------- */

/* A and B are numbers of columns; what they stand for is the case's business. */
typedef struct shape {
    const char *name;
    int32_t agents, A, B, groups;
    const int32_t *map; /* agent -> group, where it is not the identity */
    int32_t slots;
    int32_t active[8];
} shape;

static const int32_t two_groups[] = {1, 0, 1};

static const shape shapes[] = {
    {"one of everything", 1, 1, 1, 1, NULL, 1, {1}},
    {"uneven episodes", 3, 3, 5, 1, NULL, 5, {5, 4, 4, 1, 1}},
    {"a group an agent", 3, 7, 2, 3, NULL, 4, {4, 3, 3, 1}},
    {"two groups", 3, 5, 17, 2, two_groups, 3, {3, 3, 2}},
    {"whole vectors", 2, 16, 33, 1, NULL, 3, {2, 2, 1}},
    {"several vectors", 2, 5, 80, 1, NULL, 2, {2, 1}},
    {"wide", 2, 70, 130, 2, NULL, 2, {3, 2}},
    {"many rows", 3, 6, 4, 1, NULL, 3, {120, 120, 110}},
    {"many grouped rows", 3, 4, 3, 3, NULL, 3, {120, 120, 110}},
    {"no rows", 2, 3, 2, 2, NULL, 0, {0}},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof shapes[0] };

/* Cases ------------------------------------------------------------------------------------------------------------ */

/* Numbers of columns of a leaf. */
typedef enum dim { DIM_1, DIM_3, DIM_A, DIM_B, DIM_3A, DIM_AGENTS, DIM_AGENTS_B, DIM_FEATURES, DIM_ENTITIES } dim;


/* Row space of a leaf that is a parameter: a weight (rows, cols) or a vector (rows). */
enum { WEIGHT = 100, VECTOR };

/* What a leaf is filled with: reals in (-1, 1), positive reals, 0 or 1, mostly 0, indices from -1; reals but for
 * absent entities, whose columns are 0. */
typedef enum fill { REAL, POSITIVE, FLAG, RARE, INDEX, ENTITIES } fill;

/* Leaves without a derivative by definition, and those from which tangents flow though no gradient flows back. */
enum { CONSTANT = 1, FORWARD };

typedef struct leaf_spec {
    const char *name; /* NULL: an absent optional input */
    int32_t space;
    dim cols, rows;   /* rows: of parameters */
    fill fill;
    int32_t is_constant; /* 0: gradients flow to it and tangents from it; CONSTANT or FORWARD */
} leaf_spec;

enum { MAX_LEAVES = MARL__MAX_IN };

typedef struct world world;
typedef struct op_case {
    const char *name;
    marl__val (*build)(marl__graph *g, const marl__val *in, const struct op_case *self, const shape *s);
    void (*reference)(const world *w, double *out);
    int32_t kind;            /* activation, function, or what the builder makes of it */
    int32_t is_end;          /* a loss: differentiated in its first column with seed 1 */
    leaf_spec leaves[MAX_LEAVES];
} op_case;

/* A case with a shape and numbers: what the reference reads. */
typedef struct leaf {
    const leaf_spec *spec;
    int32_t rows, cols;  /* a parameter: rows of all groups together */
    size_t count;
    double *x;
    double *direction;   /* in which it moves; NULL: it stands still */
} leaf;

struct world {
    const op_case *c;
    const shape *s;
    int32_t offset[9];
    int32_t leaf_count;
    uint32_t moving;     /* bit i: leaf i moves, if it can */
    leaf leaves[MAX_LEAVES];
    int32_t out_rows, out_cols; /* filled in when the graph has been built */
};

/* Entities stand in columns 1 to one before the last. More features than a vector has lanes are many enough. */
enum { ENTITY_COUNT = 3, FEATURES_MOST = 20 };

static int32_t features_of(const shape *s) { return s->A < FEATURES_MOST ? s->A : FEATURES_MOST; }

static int32_t dim_of(const shape *s, dim d) {
    switch (d) {
    case DIM_3: return 3;
    case DIM_A: return s->A;
    case DIM_B: return s->B;
    case DIM_3A: return 3 * s->A;
    case DIM_AGENTS: return s->agents;
    case DIM_AGENTS_B: return s->agents * s->B;
    case DIM_FEATURES: return features_of(s);
    case DIM_ENTITIES: return 1 + ENTITY_COUNT * features_of(s) + 1;
    default: return 1;
    }
}

static int32_t team_rows(const shape *s) {
    int32_t rows = 0;
    for (int32_t t = 0; t < s->slots; t++) rows += s->active[t];
    return rows;
}

static int32_t rows_of_space(const shape *s, int32_t space) {
    switch (space) {
    case MARL__TEAM: return team_rows(s);
    case MARL__AGENT: return team_rows(s) * s->agents;
    case MARL__FIRST: return s->slots ? s->active[0] * s->agents : 0;
    case MARL__BATCH: return s->slots ? s->active[0] : 0;
    default: return 1;
    }
}

static int is_param(const leaf_spec *spec) { return spec->space >= WEIGHT; }

/* Parameters are grouped where the rows they meet are an agent's: in the space of the first leaf. */
static int32_t groups_of(const op_case *c, const shape *s) {
    return c->leaves[0].space == MARL__AGENT ? s->groups : 1;
}

/* Naive references ------------------------------------------------------------------------------------------------ */

static double at(const world *w, int32_t leaf, int32_t row, int32_t col) {
    return w->leaves[leaf].x[(size_t)row * (size_t)w->leaves[leaf].cols + (size_t)col];
}

static int has(const world *w, int32_t leaf) { return leaf < w->leaf_count && w->leaves[leaf].x != NULL; }

static int32_t group_of_row(const world *w, int32_t row) {
    if (groups_of(w->c, w->s) == 1) return 0;
    int32_t agent = row % w->s->agents;
    return w->s->map ? w->s->map[agent] : agent;
}

/* Element of a parameter whose groups have `rows` rows. */
static double param_at(const world *w, int32_t leaf, int32_t group, int32_t rows, int32_t row, int32_t col) {
    return at(w, leaf, group * rows + row, col);
}

static double function_of(int32_t kind, double x) {
    switch (kind) {
    case MARL__RELU: return x > 0 ? x : 0;
    case MARL__LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case MARL__ELU: return x > 0 ? x : expm1(x);
    case MARL__SELU: return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    case MARL__TANH: return tanh(x);
    case MARL__SIGMOID: return 1 / (1 + exp(-x));
    case MARL__ABS: return fabs(x);
    case MARL__NEG: return -x;
    case MARL__SQUARE: return x * x;
    case MARL__EXP: return exp(x);
    case MARL__LOG: return log(x);
    case MARL__SQRT: return sqrt(x);
    case MARL__AFFINE: return (double)-1.5f * x + (double)0.25f;
    default: return x;
    }
}

static void ref_linear(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t o = 0; o < w->out_cols; o++) {
            int32_t group = group_of_row(w, row);
            double sum = has(w, 2) ? param_at(w, 2, group, w->out_cols, o, 0) : 0;
            for (int32_t k = 0; k < w->leaves[0].cols; k++)
                sum += param_at(w, 1, group, w->out_cols, o, k) * at(w, 0, row, k);
            out[row * w->out_cols + o] = function_of(w->c->kind, sum);
        }
}

/* Row of slot t, team b, agent i; row of h0. */
static int32_t agent_row(const world *w, int32_t t, int32_t b, int32_t i) {
    return (w->offset[t] + b) * w->s->agents + i;
}

/* Column c of what slot t starts from: x0 or 0 in slot 0, 0 at a reset, else `x` of the slot before. */
static double before(const world *w, const double *x, int32_t x0, int32_t reset, int32_t t, int32_t b, int32_t i,
                     int32_t c) {
    if (has(w, reset) && at(w, reset, agent_row(w, t, b, i), 0) != 0) return 0;
    if (t == 0) return has(w, x0) ? at(w, x0, b * w->s->agents + i, c) : 0;
    return x[agent_row(w, t - 1, b, i) * w->out_cols + c];
}

static void ref_gru_cell(const world *w, double *h, int32_t t, int32_t b, int32_t i) {
    int32_t H = w->out_cols, row = agent_row(w, t, b, i), group = group_of_row(w, row);
    for (int32_t c = 0; c < H; c++) {
        double gate[3];
        for (int32_t k = 0; k < 3; k++) {
            gate[k] = param_at(w, 2, group, 3 * H, k * H + c, 0);
            for (int32_t j = 0; j < H; j++)
                gate[k] += param_at(w, 1, group, 3 * H, k * H + c, j) * before(w, h, 3, 4, t, b, i, j);
        }
        double r = function_of(MARL__SIGMOID, at(w, 0, row, c) + gate[0]);
        double z = function_of(MARL__SIGMOID, at(w, 0, row, H + c) + gate[1]);
        double n = tanh(at(w, 0, row, 2 * H + c) + r * gate[2]);
        h[row * H + c] = (1 - z) * n + z * before(w, h, 3, 4, t, b, i, c);
    }
}

static void ref_gru(const world *w, double *out) {
    for (int32_t t = 0; t < w->s->slots; t++)
        for (int32_t b = 0; b < w->s->active[t]; b++)
            for (int32_t i = 0; i < w->s->agents; i++) ref_gru_cell(w, out, t, b, i);
}

static void ref_shift_time(const world *w, double *out) {
    for (int32_t t = 0; t < w->s->slots; t++)
        for (int32_t b = 0; b < w->s->active[t]; b++)
            for (int32_t i = 0; i < w->s->agents; i++)
                for (int32_t c = 0; c < w->out_cols; c++)
                    out[agent_row(w, t, b, i) * w->out_cols + c] = before(w, w->leaves[0].x, 1, 2, t, b, i, c);
}

static void ref_layer_norm(const world *w, double *out) {
    int32_t cols = w->out_cols;
    for (int32_t row = 0; row < w->out_rows; row++) {
        double mean = 0, variance = 0;
        for (int32_t c = 0; c < cols; c++) mean += at(w, 0, row, c) / cols;
        for (int32_t c = 0; c < cols; c++) variance += (at(w, 0, row, c) - mean) * (at(w, 0, row, c) - mean) / cols;
        for (int32_t c = 0; c < cols; c++)
            out[row * cols + c] = (at(w, 0, row, c) - mean) / sqrt(variance + (double)1e-3f) *
                                      param_at(w, 1, group_of_row(w, row), cols, c, 0) +
                                  param_at(w, 2, group_of_row(w, row), cols, c, 0);
    }
}

static void ref_unary(const world *w, double *out) {
    for (size_t i = 0; i < w->leaves[0].count; i++) out[i] = function_of(w->c->kind, w->leaves[0].x[i]);
}

static void ref_binary(const world *w, double *out) {
    for (size_t i = 0; i < w->leaves[0].count; i++) {
        double a = w->leaves[0].x[i], b = w->leaves[1].x[i];
        double results[] = {a + b, a - b, a * b, a / b, a > b ? a : b, a < b ? a : b};
        out[i] = results[w->c->kind];
    }
}

static void ref_spread(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) out[row * w->out_cols + c] = at(w, 0, row / w->s->agents, c);
}

static void ref_sum_agents(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) {
            double sum = 0;
            for (int32_t i = 0; i < w->s->agents; i++) sum += at(w, 0, row * w->s->agents + i, c);
            out[row * w->out_cols + c] = sum;
        }
}

static void ref_concat(const world *w, double *out) {
    int32_t first = 0;
    for (int32_t i = 0; i < w->leaf_count; i++) {
        for (int32_t row = 0; row < w->out_rows; row++)
            for (int32_t c = 0; c < w->leaves[i].cols; c++) out[row * w->out_cols + first + c] = at(w, i, row, c);
        first += w->leaves[i].cols;
    }
}

/* slice keeps all columns but the first and the last where there are three; pad puts two before and one behind. */
static int32_t slice_first(const shape *s) { return s->A > 2 ? 1 : 0; }
static int32_t slice_cols(const shape *s) { return s->A > 2 ? s->A - 2 : s->A; }

static void ref_slice(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++)
            out[row * w->out_cols + c] = at(w, 0, row, slice_first(w->s) + c);
}

static void ref_pad(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++)
            out[row * w->out_cols + c] = c < 2 || c >= 2 + w->leaves[0].cols ? 0 : at(w, 0, row, c - 2);
}

static void ref_one_hot(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) out[row * w->out_cols + c] = at(w, 0, row, 0) == c;
}

static void ref_agent_id(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) out[row * w->out_cols + c] = row % w->s->agents == c;
}

static void ref_select(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++) {
        int32_t index = (int32_t)at(w, 1, row, 0);
        out[row] = index < 0 ? 0 : at(w, 0, row, index);
    }
}

static void ref_argmax(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++) {
        double best = -INFINITY;
        out[row] = 0;
        for (int32_t c = w->leaves[0].cols - 1; c >= 0; c--) {
            if (has(w, 1) && at(w, 1, row, c) == 0) continue;
            if (at(w, 0, row, c) < best) continue;
            best = at(w, 0, row, c);
            out[row] = c;
        }
    }
}

static void ref_sum_rows(const world *w, double *out) {
    for (int32_t c = 0; c < w->out_cols; c++) {
        out[c] = 0;
        for (int32_t row = 0; row < w->leaves[0].rows; row++) out[c] += at(w, 0, row, c);
    }
}

static void ref_spread_rows(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) out[row * w->out_cols + c] = at(w, 0, 0, c);
}

static void ref_qmix_mix(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++) {
        out[row] = at(w, 4, row, 0);
        for (int32_t e = 0; e < w->s->B; e++) {
            double pre = at(w, 2, row, e);
            for (int32_t i = 0; i < w->s->agents; i++)
                pre += at(w, 0, row, i) * fabs(at(w, 1, row, i * w->s->B + e));
            out[row] += function_of(MARL__ELU, pre) * fabs(at(w, 3, row, e));
        }
    }
}

/* Features of entity e. */
static double *entity_of(const world *w, int32_t row, int32_t e) {
    return w->leaves[0].x + (size_t)row * (size_t)w->leaves[0].cols + 1 + e * features_of(w->s);
}

/* Unit j of the hidden layer before its activation. */
static double hidden_sum(const world *w, int32_t row, const double *x, int32_t j) {
    int32_t k = features_of(w->s), unit = group_of_row(w, row) * w->s->B + j;
    const double *weight = w->leaves[1].x + (size_t)unit * (size_t)k;
    double sum = w->leaves[2].x[unit];
    for (int32_t c = 0; c < k; c++) sum += weight[c] * x[c];
    return sum;
}

static void ref_hpn_embed(const world *w, double *out) {
    int32_t k = features_of(w->s), d = w->s->B;
    for (int32_t i = 0; i < w->out_rows * w->out_cols; i++) out[i] = 0;
    for (int32_t row = 0; row < w->out_rows; row++, out += w->out_cols)
        for (int32_t e = 0; e < ENTITY_COUNT; e++) {
            const double *x = entity_of(w, row, e);
            for (int32_t j = 0; j < d; j++) {
                double z = function_of(w->c->kind, hidden_sum(w, row, x, j));
                for (int32_t c = 0; c < k; c++) out[c * d + j] += x[c] * z;
            }
            for (int32_t c = 0; c < k; c++) out[k * d + c] += x[c];
        }
}

static void ref_hpn_score(const world *w, double *out) {
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t e = 0; e < ENTITY_COUNT; e++) {
            double sum = has(w, 4) ? at(w, 4, row, 0) : 0;
            for (int32_t j = 0; j < w->s->B; j++)
                sum += function_of(w->c->kind, hidden_sum(w, row, entity_of(w, row, e), j)) * at(w, 3, row, j);
            out[row * ENTITY_COUNT + e] = sum;
        }
}

enum { TD_GAMMA_PERCENT = 90, TD_LAMBDA_PERCENT = 60 };
static const double td_gamma = (double)(TD_GAMMA_PERCENT / 100.0f), td_lambda = (double)(TD_LAMBDA_PERCENT / 100.0f);

/* One episode at a time, as its definition reads: row[t] are the rows of slots 0..L. */
static void ref_td_lambda(const world *w, const int32_t *row, int32_t L, double *out) {
    double terminated = 0;
    for (int32_t t = 0; t < L; t++) terminated += at(w, 2, row[t], 0);
    double after = at(w, 0, row[L], 0) * (1 - fmin(terminated, 1));
    for (int32_t t = L - 1; t >= 0; t--) {
        double boot = (1 - td_lambda) * td_gamma * at(w, 0, row[t + 1], 0) * (1 - at(w, 2, row[t], 0));
        after = td_lambda * td_gamma * after + at(w, 3, row[t], 0) * (at(w, 1, row[t], 0) + boot);
        out[row[t]] = after;
    }
}

static void ref_td_n_step(const world *w, const int32_t *row, int32_t L, double *out) {
    for (int32_t t = 0; t < L; t++) {
        int32_t m = w->c->kind < L - t ? w->c->kind : L - t;
        double sum = pow(td_gamma, m) * at(w, 0, row[t + m], 0) * (1 - at(w, 2, row[t + m - 1], 0));
        for (int32_t k = 0; k < m; k++) sum += pow(td_gamma, k) * at(w, 1, row[t + k], 0);
        out[row[t]] = sum * at(w, 3, row[t], 0);
    }
}

static void ref_td_target(const world *w, double *out) {
    int32_t per_team = w->c->leaves[0].space == MARL__AGENT ? w->s->agents : 1;
    int32_t first = w->s->slots ? w->s->active[0] * per_team : 0;
    for (int32_t column = 0; column < first; column++) {
        int32_t row[9], L = -1;
        while (L + 1 < w->s->slots && column < w->s->active[L + 1] * per_team) {
            L++;
            row[L] = w->offset[L] * per_team + column;
        }
        out[row[L]] = 0;
        if (w->c->kind == 0) ref_td_lambda(w, row, L, out);
        else ref_td_n_step(w, row, L, out);
    }
}

static void ref_td_loss(const world *w, double *out) {
    for (int32_t k = 0; k < 4; k++) out[k] = 0;
    for (int32_t row = 0; row < w->leaves[0].rows; row++) {
        double q = at(w, 0, row, 0), y = at(w, 1, row, 0), mask = at(w, 2, row, 0);
        out[0] += mask * (q - y) * (q - y) * at(w, 3, 0, 0);
        out[1] += mask * fabs(q - y);
        out[2] += mask * q;
        out[3] += mask * y;
    }
}

/* Builders -------------------------------------------------------------------------------------------------------- */

/* Three heads; numbers of their own for each column, or one a head. */
static void ref_merge_heads(const world *w, double *out) {
    int32_t rows = w->leaves[1].rows / groups_of(w->c, w->s), cols = w->out_cols;
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < cols; c++) {
            double sum = 0, weights = 0;
            for (int32_t head = 0; head < 3; head++) {
                int32_t number = rows == 3 ? head : head * cols + c;
                double weight = exp(param_at(w, 1, group_of_row(w, row), rows, number, 0));
                weights += weight;
                sum += weight * at(w, 0, row, head * cols + c);
            }
            out[row * cols + c] = sum / weights;
        }
}

/* Agent 0 chooses value 1, agent 1 value 0, and so on; with three values the last is zeros. */
static void ref_by_agent(const world *w, double *out) {
    int32_t count = w->c->kind;
    for (int32_t row = 0; row < w->out_rows; row++)
        for (int32_t c = 0; c < w->out_cols; c++) {
            int32_t choice = (row % w->s->agents + 1) % count;
            out[row * w->out_cols + c] = choice < 2 ? at(w, choice, row, c) : 0;
        }
}

#define BUILD(name, call)                                                                                      \
    static marl__val name(marl__graph *g, const marl__val *in, const op_case *self, const shape *s) {          \
        (void)in;                                                                                              \
        (void)self;                                                                                            \
        (void)s;                                                                                               \
        return call;                                                                                           \
    }
BUILD(build_linear, marl__linear(g, in[0], in[1], in[2], self->kind))
BUILD(build_gru, marl__gru(g, in[0], in[1], in[2], in[3], in[4]))
BUILD(build_shift_time, marl__shift_time(g, in[0], in[1], in[2]))
BUILD(build_layer_norm, marl__layer_norm(g, in[0], in[1], in[2], 1e-3f))
BUILD(build_unary, marl__unary(g, self->kind, in[0]))
BUILD(build_affine, marl__affine(g, in[0], -1.5f, 0.25f))
BUILD(build_binary, marl__binary(g, self->kind, in[0], in[1]))
BUILD(build_spread, marl__spread(g, in[0]))
BUILD(build_sum_agents, marl__sum_agents(g, in[0]))
BUILD(build_concat, marl__concat(g, in, self->kind))
BUILD(build_slice, marl__slice(g, in[0], slice_first(s), slice_cols(s)))
BUILD(build_pad, marl__pad(g, in[0], 2, s->A + 3))
BUILD(build_one_hot, marl__one_hot(g, in[0], s->A))
BUILD(build_agent_id, marl__agent_id(g))
BUILD(build_select, marl__select(g, in[0], in[1]))
BUILD(build_argmax, marl__argmax(g, in[0], in[1]))
BUILD(build_sum_rows, marl__sum_rows(g, in[0]))
BUILD(build_spread_rows, marl__spread_rows(g, in[0], self->kind))
BUILD(build_qmix_mix, marl__qmix_mix(g, in[0], in[1], in[2], in[3], in[4]))
BUILD(build_merge_heads, marl__merge_heads(g, in[0], in[1], 3))
BUILD(build_hpn_embed, marl__hpn_embed(g, in[0], in[1], in[2], 1, ENTITY_COUNT, self->kind))
BUILD(build_hpn_score, marl__hpn_score(g, in[0], in[1], in[2], in[3], in[4], 1, ENTITY_COUNT, self->kind))
BUILD(build_td_target, marl__td_target(g, in[0], in[1], in[2], in[3], self->kind ? MARL__TD_N_STEP : MARL__TD_LAMBDA,
                                       self->kind, (float)td_gamma, (float)td_lambda))
BUILD(build_td_loss, marl__td_loss(g, in[0], in[1], in[2], in[3]))

static marl__val build_by_agent(marl__graph *g, const marl__val *in, const op_case *self, const shape *s) {
    const marl__val values[] = {in[0], in[1], -1};
    int32_t choice[8];
    for (int32_t i = 0; i < s->agents; i++) choice[i] = (i + 1) % self->kind;
    return marl__by_agent(g, values, self->kind, choice);
}

/* The table ------------------------------------------------------------------------------------------------------- */

#define X(cols) {"x", MARL__AGENT, cols, DIM_1, REAL, 0}
#define IN(name, space, cols) {name, space, cols, DIM_1, REAL, 0}
#define LINEAR(label, kind) {label, build_linear, ref_linear, kind, 0, {X(DIM_A), W, BIAS}}
#define W {"W", WEIGHT, DIM_A, DIM_B, REAL, 0}
#define BIAS {"b", VECTOR, DIM_1, DIM_B, REAL, 0}
#define GATES X(DIM_3A), {"Whh", WEIGHT, DIM_A, DIM_3A, REAL, 0}, {"bhh", VECTOR, DIM_1, DIM_3A, REAL, 0}
#define X0 IN("x0", MARL__FIRST, DIM_A)
#define RESET {"reset", MARL__AGENT, DIM_1, DIM_1, RARE, 1}
#define ABSENT {NULL, 0, DIM_1, DIM_1, REAL, 1}
#define UNARY(label, kind, fill) {label, build_unary, ref_unary, kind, 0, {{"x", MARL__AGENT, DIM_B, DIM_1, fill, 0}}}
#define BINARY(label, kind, fill) \
    {label, build_binary, ref_binary, kind, 0, {X(DIM_B), {"b", MARL__AGENT, DIM_B, DIM_1, fill, 0}}}
#define LAYER(fill)                                                                            \
    {"obs", MARL__AGENT, DIM_ENTITIES, DIM_1, fill, 0}, {"W", WEIGHT, DIM_FEATURES, DIM_B, REAL, 0}, \
    {"b", VECTOR, DIM_1, DIM_B, REAL, 0}
#define TD(label, space, kind)                                                                     \
    {label, build_td_target, ref_td_target, kind, 0,                                               \
     {{"q", space, DIM_1, DIM_1, REAL, 1}, {"reward", space, DIM_1, DIM_1, REAL, 1},               \
      {"terminated", space, DIM_1, DIM_1, RARE, 1}, {"mask", space, DIM_1, DIM_1, FLAG, 1}}}

static const op_case cases[] = {
    LINEAR("linear", MARL__IDENTITY),
    LINEAR("linear relu", MARL__RELU),
    LINEAR("linear leaky_relu", MARL__LEAKY_RELU),
    LINEAR("linear elu", MARL__ELU),
    LINEAR("linear selu", MARL__SELU),
    LINEAR("linear tanh", MARL__TANH),
    LINEAR("linear sigmoid", MARL__SIGMOID),
    {"linear without bias", build_linear, ref_linear, MARL__IDENTITY, 0, {X(DIM_A), W, ABSENT}},
    {"linear of teams", build_linear, ref_linear, MARL__RELU, 0, {IN("x", MARL__TEAM, DIM_A), W, BIAS}},
    {"gru", build_gru, ref_gru, 0, 0, {GATES, X0, RESET}},
    {"gru without reset", build_gru, ref_gru, 0, 0, {GATES, X0, ABSENT}},
    {"gru without h0", build_gru, ref_gru, 0, 0, {GATES, ABSENT, RESET}},
    {"gru alone", build_gru, ref_gru, 0, 0, {GATES, ABSENT, ABSENT}},
    {"shift_time", build_shift_time, ref_shift_time, 0, 0,
     {{"x", MARL__AGENT, DIM_A, DIM_1, REAL, FORWARD}, {"x0", MARL__FIRST, DIM_A, DIM_1, REAL, FORWARD}, RESET}},
    {"shift_time alone", build_shift_time, ref_shift_time, 0, 0,
     {{"x", MARL__AGENT, DIM_A, DIM_1, REAL, FORWARD}, ABSENT, ABSENT}},
    {"layer_norm", build_layer_norm, ref_layer_norm, 0, 0,
     {X(DIM_B), {"scale", VECTOR, DIM_1, DIM_B, POSITIVE, 0}, {"shift", VECTOR, DIM_1, DIM_B, REAL, 0}}},
    UNARY("identity", MARL__IDENTITY, REAL),
    UNARY("relu", MARL__RELU, REAL),
    UNARY("leaky_relu", MARL__LEAKY_RELU, REAL),
    UNARY("elu", MARL__ELU, REAL),
    UNARY("selu", MARL__SELU, REAL),
    UNARY("tanh", MARL__TANH, REAL),
    UNARY("sigmoid", MARL__SIGMOID, REAL),
    UNARY("abs", MARL__ABS, REAL),
    UNARY("neg", MARL__NEG, REAL),
    UNARY("square", MARL__SQUARE, REAL),
    UNARY("exp", MARL__EXP, REAL),
    UNARY("log", MARL__LOG, POSITIVE),
    UNARY("sqrt", MARL__SQRT, POSITIVE),
    {"affine", build_affine, ref_unary, MARL__AFFINE, 0, {X(DIM_B)}},
    BINARY("add", MARL__ADD, REAL),
    BINARY("sub", MARL__SUB, REAL),
    BINARY("mul", MARL__MUL, REAL),
    BINARY("div", MARL__DIV, POSITIVE),
    BINARY("max", MARL__MAX, REAL),
    BINARY("min", MARL__MIN, REAL),
    {"spread", build_spread, ref_spread, 0, 0, {IN("x", MARL__TEAM, DIM_B)}},
    {"sum_agents", build_sum_agents, ref_sum_agents, 0, 0, {X(DIM_B)}},
    {"concat of 2", build_concat, ref_concat, 2, 0, {X(DIM_A), IN("y", MARL__AGENT, DIM_B)}},
    {"concat of 8", build_concat, ref_concat, 8, 0,
     {IN("a", MARL__TEAM, DIM_A), IN("b", MARL__TEAM, DIM_1), IN("c", MARL__TEAM, DIM_B), IN("d", MARL__TEAM, DIM_A),
      IN("e", MARL__TEAM, DIM_3A), IN("f", MARL__TEAM, DIM_1), IN("g", MARL__TEAM, DIM_1),
      IN("h", MARL__TEAM, DIM_B)}},
    {"slice", build_slice, ref_slice, 0, 0, {X(DIM_A)}},
    {"pad", build_pad, ref_pad, 0, 0, {X(DIM_A)}},
    {"one_hot", build_one_hot, ref_one_hot, 0, 0, {{"index", MARL__AGENT, DIM_1, DIM_1, INDEX, 1}}},
    {"agent_id", build_agent_id, ref_agent_id, 0, 0, {ABSENT}},
    {"select", build_select, ref_select, 0, 0, {X(DIM_A), {"index", MARL__AGENT, DIM_1, DIM_1, INDEX, 1}}},
    {"argmax", build_argmax, ref_argmax, 0, 0,
     {{"x", MARL__AGENT, DIM_A, DIM_1, REAL, 1}, {"mask", MARL__AGENT, DIM_A, DIM_1, FLAG, 1}}},
    {"argmax of equals", build_argmax, ref_argmax, 0, 0, {{"x", MARL__AGENT, DIM_A, DIM_1, FLAG, 1}, ABSENT}},
    {"sum_rows", build_sum_rows, ref_sum_rows, 0, 0, {X(DIM_A)}},
    {"spread_rows to agents", build_spread_rows, ref_spread_rows, MARL__AGENT, 0, {IN("x", MARL__ONE, DIM_A)}},
    {"spread_rows to teams", build_spread_rows, ref_spread_rows, MARL__TEAM, 0, {IN("x", MARL__ONE, DIM_B)}},
    {"qmix_mix", build_qmix_mix, ref_qmix_mix, 0, 0,
     {IN("q", MARL__TEAM, DIM_AGENTS), IN("w1", MARL__TEAM, DIM_AGENTS_B), IN("b1", MARL__TEAM, DIM_B),
      IN("w2", MARL__TEAM, DIM_B), IN("b2", MARL__TEAM, DIM_1)}},
    {"hpn_embed", build_hpn_embed, ref_hpn_embed, MARL__TANH, 0, {LAYER(REAL)}},
    {"hpn_embed relu", build_hpn_embed, ref_hpn_embed, MARL__RELU, 0, {LAYER(ENTITIES)}},
    {"hpn_score", build_hpn_score, ref_hpn_score, MARL__LEAKY_RELU, 0,
     {LAYER(ENTITIES), IN("v", MARL__AGENT, DIM_B), IN("c", MARL__AGENT, DIM_1)}},
    {"hpn_score relu without c", build_hpn_score, ref_hpn_score, MARL__RELU, 0,
     {LAYER(REAL), IN("v", MARL__AGENT, DIM_B), ABSENT}},
    {"merge_heads", build_merge_heads, ref_merge_heads, 0, 0, {X(DIM_3A), {"p", VECTOR, DIM_1, DIM_3A, REAL, 0}}},
    {"merge_heads by head", build_merge_heads, ref_merge_heads, 0, 0,
     {X(DIM_3A), {"p", VECTOR, DIM_1, DIM_3, REAL, 0}}},
    {"merge_heads of teams", build_merge_heads, ref_merge_heads, 0, 0,
     {IN("x", MARL__TEAM, DIM_3A), {"p", VECTOR, DIM_1, DIM_3A, REAL, 0}}},
    {"by_agent of 2", build_by_agent, ref_by_agent, 2, 0, {X(DIM_A), IN("y", MARL__AGENT, DIM_A)}},
    {"by_agent with zeros", build_by_agent, ref_by_agent, 3, 0, {X(DIM_A), IN("y", MARL__AGENT, DIM_A)}},
    TD("td_target lambda", MARL__TEAM, 0),
    TD("td_target lambda of agents", MARL__AGENT, 0),
    TD("td_target one step", MARL__TEAM, 1),
    TD("td_target three steps of agents", MARL__AGENT, 3),
    {"td_loss", build_td_loss, ref_td_loss, 0, 1,
     {IN("q", MARL__TEAM, DIM_1), {"target", MARL__TEAM, DIM_1, DIM_1, REAL, 1},
      {"mask", MARL__TEAM, DIM_1, DIM_1, FLAG, 1}, {"scale", MARL__ONE, DIM_1, DIM_1, POSITIVE, 1}}},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

#endif
