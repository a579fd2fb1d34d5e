/* SPDX-License-Identifier: Apache-2.0 */
/* Games so small that the right answer is known: matrix games of the cooperative literature, the two-step game of QMIX,
 * the MMDP of QPLEX. One step is one joint action; the team shares one payoff.
 *
 * A game is a row of a table: its players, its payoffs, how its episodes end and what its players see. Single-shot
 * games are over after one step (with key `limit`: after that many), which is a real end. Climbing, penalty and their
 * kin are played 25 times in the published benchmarks without a state to carry over; being cut there is a truncation,
 * unless `limit_is_terminal` asks for the published form.
 *
 * n agents, A actions. Payoff tables are row-major over the agents' actions, agent 0 first. */
#include "envs/env.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"

#define MOST_AGENTS 64 /* of permutation-N and xor-N */
#define MOST_PENALTY 1000000
#define REPEATED_LIMIT 25 /* the time limit EPyMARL puts on repeated matrix games */
#define MMDP_LIMIT 100
#define SAVE_MAGIC 0x3174616du /* "mat1" */

enum payoff_kind { PAY_TABLE, PAY_DISTINCT, PAY_HALVES, PAY_PRODUCT, PAY_TWO_STEP, PAY_MMDP };
enum ending { END_SINGLE, END_REPEATED, END_STATES };
enum sight { SEE_NOTHING, SEE_STEP, SEE_STATE };

typedef struct game {
    const char *name;     /* ending in '-': a number follows */
    int32_t payoff_kind, ending, sight;
    int32_t agents, actions; /* 0: the number in the name */
    const double *table;  /* PAY_TABLE; NULL: filled from the name's number */
    int32_t states;       /* SEE_STATE */
    int32_t least, most;  /* of the number in the name */
} game;

typedef struct matrix_game {
    marl__heap *heap;
    const game *game;
    int32_t agents, actions, limit, limit_is_terminal, shows_actions;
    double bound, mmdp_reward;
    double payoff[27];
    int32_t step, state;
    int32_t last[MOST_AGENTS]; /* last joint action, -1 before the first; for real actions the bits of the float */
    uint32_t obs_size;
    uint64_t hash;
    char name[208];
    float low[2], high[2];
    marl_agent_class agent_class;
    marl_obs_slice slice;
} matrix_game;

static const double climbing[9] = {11, -30, 0, -30, 7, 0, 0, 6, 5};
static const double climbing_3p[27] = {
    11,  -30, 0, -30, 0, 0, 0, 0, 0, /* agent 0 plays 0 */
    -30, 0,   0, 0,   7, 0, 0, 0, 0, /* 1 */
    0,   0,   0, 0,   0, 0, 0, 6, 5, /* 2 */
};
static const double trivial[9] = {11, 8, 0, 8, 7, 0, 0, 0, 0};
static const double linear[9] = {1, 4, 2, 0, 3, 1, 2, 5, 3};
static const double nonlinear[9] = {0, 3, 1, 0, 0, 0, 0, 6, 2};
static const double linear_2p[4] = {1, 5, 5, 9};
static const double nonlinear_2p[4] = {0, 0, 0, 10};
static const double qplex_1[9] = {10.4, 0, 10, 0, 10, 10, 10, 10, 10};
static const double nonmonotonic[9] = {8, -12, -12, -12, 0, 0, -12, 0, 0};
static const double qplex_3[9] = {8, -12, -12, -12, 6, 0, -12, 0, 6};

/* Two-step game: the first move of agent 0 picks one of these for the second step. */
static const double two_step_payoff[2][4] = {{7, 7, 7, 7}, {0, 1, 1, 8}};

static const game games[] = {
    {"two_step", PAY_TWO_STEP, END_STATES, SEE_STATE, 2, 2, NULL, 3, 0, 0},
    {"climbing", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, climbing, 0, 0, 0},
    {"climbing-3p", PAY_TABLE, END_REPEATED, SEE_NOTHING, 3, 3, climbing_3p, 0, 0, 0},
    {"penalty", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, NULL, 0, 0, 0},
    {"penalty-", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, NULL, 0, 0, MOST_PENALTY},
    {"trivial", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, trivial, 0, 0, 0},
    {"linear", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, linear, 0, 0, 0},
    {"nonlinear", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 3, nonlinear, 0, 0, 0},
    {"linear-2p", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 2, linear_2p, 0, 0, 0},
    {"nonlinear-2p", PAY_TABLE, END_REPEATED, SEE_NOTHING, 2, 2, nonlinear_2p, 0, 0, 0},
    {"qplex-1", PAY_TABLE, END_SINGLE, SEE_STEP, 2, 3, qplex_1, 0, 0, 0},
    {"nonmonotonic", PAY_TABLE, END_SINGLE, SEE_STEP, 2, 3, nonmonotonic, 0, 0, 0},
    {"qplex-2", PAY_TABLE, END_SINGLE, SEE_STEP, 2, 3, nonmonotonic, 0, 0, 0},
    {"qplex-3", PAY_TABLE, END_SINGLE, SEE_STEP, 2, 3, qplex_3, 0, 0, 0},
    {"xor", PAY_DISTINCT, END_SINGLE, SEE_NOTHING, 2, 2, NULL, 0, 0, 0},
    {"permutation-", PAY_DISTINCT, END_SINGLE, SEE_NOTHING, 0, 0, NULL, 0, 2, MOST_AGENTS},
    {"xor-", PAY_HALVES, END_SINGLE, SEE_NOTHING, 0, 2, NULL, 0, 2, MOST_AGENTS},
    {"product", PAY_PRODUCT, END_SINGLE, SEE_NOTHING, 2, 0, NULL, 0, 0, 0},
    {"mmdp", PAY_MMDP, END_REPEATED, SEE_STATE, 2, 2, NULL, 2, 0, 0},
};

#define GAME_COUNT (sizeof games / sizeof games[0])

static const marl__key key_list[] = {
    MARL__KEY_INT("limit", "-1", -1, 1000000, "steps of an episode; -1: as the game has it (1, 2, 25 or 100)"),
    MARL__KEY_BOOL("limit_is_terminal", "0", "1: the limit of a repeated game is a real end, as in published code"),
    MARL__KEY_BOOL("observe_actions", "0", "games without anything to see: show the last joint action as one-hots"),
    MARL__KEY_REAL("bound", "10", 1e-3, 1e6, "product: actions lie between -bound and bound"),
    MARL__KEY_REAL("mmdp_reward", "1", -1e6, 1e6, "mmdp: what both staying with action 0 pays"),
};
static const marl__key_table keys = MARL__KEY_TABLE(key_list);

/* ---- names ---- */

static int has_number(const game *g) {
    return g->name[strlen(g->name) - 1] == '-';
}

static marl_status refuse_game(const char *variant) {
    const char *names[GAME_COUNT];
    const char *nearest = NULL;

    for (size_t i = 0; i < GAME_COUNT; i++) {
        names[i] = games[i].name;
    }
    nearest = marl__nearest_name(variant, names, GAME_COUNT);
    if (!nearest) {
        return marl__fail(MARL_E_NAME, "no environment 'matrix:%s'; games are two_step, climbing, climbing-3p, "
                          "penalty-K, trivial, linear, nonlinear, linear-2p, nonlinear-2p, qplex-1, qplex-3, "
                          "nonmonotonic, xor, xor-N, permutation-N, product, mmdp, bridge", variant);
    }
    return marl__fail(MARL_E_NAME, "no environment 'matrix:%s'; did you mean 'matrix:%s%s'?", variant, nearest,
                      nearest[strlen(nearest) - 1] == '-' ? "4" : "");
}

/* *number: the one in the name, 0 if the game has none. */
static marl_status find_game(const char *variant, const game **out, int32_t *number) {
    *out = NULL;
    *number = 0;
    for (size_t i = 0; i < GAME_COUNT; i++) {
        const game *g = &games[i];
        size_t length = strlen(g->name);
        int64_t value = 0;
        if (!has_number(g)) {
            if (strcmp(variant, g->name) != 0) continue;
            *out = g;
            return MARL_OK;
        }
        if (strncmp(variant, g->name, length) != 0 || variant[length] < '0' || variant[length] > '9' ||
            !marl__read_int(variant + length, &value)) {
            continue;
        }
        if (value < g->least || value > g->most || (g->payoff_kind == PAY_HALVES && value % 2 != 0)) {
            return marl__fail(MARL_E_NAME, "matrix:%s: the number is not %sfrom %d to %d", variant,
                              g->payoff_kind == PAY_HALVES ? "even and " : "", g->least, g->most);
        }
        *out = g;
        *number = (int32_t)value;
        return MARL_OK;
    }
    return refuse_game(variant);
}

static marl_status matrix_check(const char *variant) {
    const game *g = NULL;
    int32_t number = 0;

    return find_game(variant, &g, &number);
}

/* ---- payoffs ---- */

static double pay_distinct(const int32_t *actions, int32_t agents) {
    uint64_t seen = 0;

    for (int32_t i = 0; i < agents; i++) {
        seen |= UINT64_C(1) << actions[i];
    }
    return __builtin_popcountll(seen) == agents ? 1 : 0;
}

/* 1 iff all of the first half play one action and all of the second half the other. */
static double pay_halves(const int32_t *actions, int32_t agents) {
    for (int32_t i = 0; i < agents; i++) {
        int32_t expected = i < agents / 2 ? actions[0] : 1 - actions[0];
        if (actions[i] != expected) {
            return 0;
        }
    }
    return 1;
}

static double pay_table(const matrix_game *e, const int32_t *actions) {
    int32_t index = 0;

    for (int32_t i = 0; i < e->agents; i++) {
        index = index * e->actions + actions[i];
    }
    return e->payoff[index];
}

/* States 0: the first choice, 1: game 2A, 2: game 2B. The last state stays what it was. */
static double pay_two_step(matrix_game *e, const int32_t *actions) {
    if (e->step == 1) {
        e->state = 1 + actions[0];
        return 0;
    }
    return two_step_payoff[e->state - 1][2 * actions[0] + actions[1]];
}

/* State 1 pays for (0,0) and is left for ever by (1,1); state 0 absorbs and pays nothing. */
static double pay_mmdp(matrix_game *e, const int32_t *actions) {
    double reward = e->state == 1 && actions[0] == 0 && actions[1] == 0 ? e->mmdp_reward : 0;

    if (actions[0] == 1 && actions[1] == 1) {
        e->state = 0;
    }
    return reward;
}

static double pay(matrix_game *e, const marl_actions *actions) {
    switch (e->game->payoff_kind) {
    case PAY_DISTINCT:
        return pay_distinct(actions->discrete, e->agents);
    case PAY_HALVES:
        return pay_halves(actions->discrete, e->agents);
    case PAY_PRODUCT:
        return (double)actions->continuous[0] * (double)actions->continuous[1];
    case PAY_TWO_STEP:
        return pay_two_step(e, actions->discrete);
    case PAY_MMDP:
        return pay_mmdp(e, actions->discrete);
    default:
        return pay_table(e, actions->discrete);
    }
}

/* ---- reset, step, observe ---- */

static int32_t first_state(const matrix_game *e) {
    return e->game->payoff_kind == PAY_MMDP ? 1 : 0;
}

static marl_status matrix_reset(void *env, uint64_t seed) {
    matrix_game *e = env;

    (void)seed; /* nothing in these games is random */
    e->step = 0;
    e->state = first_state(e);
    for (int32_t i = 0; i < e->agents; i++) {
        e->last[i] = -1;
    }
    return MARL_OK;
}

static marl_status matrix_step(void *env, const marl_actions *actions, marl_step *out) {
    matrix_game *e = env;
    int is_late = 0;

    e->step++;
    out->rewards[0] = pay(e, actions);
    if (e->game->payoff_kind == PAY_PRODUCT) {
        memcpy(e->last, actions->continuous, (size_t)e->agents * sizeof *e->last);
    } else {
        memcpy(e->last, actions->discrete, (size_t)e->agents * sizeof *e->last);
    }
    is_late = e->step >= e->limit;
    out->terminated = (e->game->ending == END_SINGLE && is_late) || (e->game->ending == END_STATES && e->step == 2) ||
                      (is_late && e->limit_is_terminal);
    out->truncated = is_late && !out->terminated;
    return MARL_OK;
}

/* What one agent sees; all see the same, and it is the state. */
static void write_sight(const matrix_game *e, float *out) {
    memset(out, 0, e->obs_size * sizeof *out);
    if (e->game->sight == SEE_STEP) {
        out[0] = (float)e->step;
    } else if (e->game->sight == SEE_STATE) {
        out[e->state] = 1;
    } else if (e->shows_actions && e->step > 0) {
        for (int32_t i = 0; i < e->agents; i++) {
            out[i * e->actions + e->last[i]] = 1;
        }
    }
}

static marl_status matrix_observe(void *env, const marl_view *out) {
    const matrix_game *e = env;

    for (int32_t i = 0; out->obs && i < e->agents; i++) {
        write_sight(e, out->obs + (size_t)i * e->obs_size);
    }
    if (out->state) {
        write_sight(e, out->state);
    }
    if (out->avail) {
        memset(out->avail, 1, (size_t)e->agents * (size_t)e->actions);
    }
    if (out->alive) {
        memset(out->alive, 1, (size_t)e->agents);
    }
    return MARL_OK;
}

/* ---- save, restore, text ---- */

static size_t matrix_save_bytes(void *env) {
    const matrix_game *e = env;

    return sizeof(int32_t) * (3 + (size_t)e->agents);
}

static marl_status matrix_save(void *env, void *bytes) {
    const matrix_game *e = env;
    int32_t words[3 + MOST_AGENTS] = {(int32_t)SAVE_MAGIC, e->step, e->state};

    memcpy(words + 3, e->last, (size_t)e->agents * sizeof *words);
    memcpy(bytes, words, matrix_save_bytes(env));
    return MARL_OK;
}

static int is_last_action(const matrix_game *e, int32_t step, int32_t last) {
    float real = 0;

    if (step == 0) {
        return last == -1;
    }
    if (e->game->payoff_kind != PAY_PRODUCT) {
        return last >= 0 && last < e->actions;
    }
    memcpy(&real, &last, sizeof real);
    return isfinite(real) && real >= e->low[0] && real <= e->high[0];
}

static int is_state(const matrix_game *e, int32_t step, int32_t state) {
    if (e->game->payoff_kind == PAY_TWO_STEP) {
        return step == 0 ? state == 0 : state == 1 || state == 2;
    }
    if (e->game->payoff_kind == PAY_MMDP) {
        return state == 1 || (state == 0 && step > 0);
    }
    return state == 0;
}

static marl_status matrix_restore(void *env, const void *bytes, size_t byte_count) {
    matrix_game *e = env;
    int32_t words[3 + MOST_AGENTS];

    if (byte_count != matrix_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this game has %zu bytes, not %zu", matrix_save_bytes(env),
                          byte_count);
    }
    memcpy(words, bytes, byte_count);
    if (words[0] != (int32_t)SAVE_MAGIC || words[1] < 0 || words[1] > e->limit || !is_state(e, words[1], words[2])) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of '%s'", e->name);
    }
    for (int32_t i = 0; i < e->agents; i++) {
        if (!is_last_action(e, words[1], words[3 + i])) {
            return marl__fail(MARL_E_FORMAT, "the saved state of '%s' has an impossible last action of agent %d",
                              e->name, i);
        }
    }
    e->step = words[1];
    e->state = words[2];
    memcpy(e->last, words + 3, (size_t)e->agents * sizeof *words);
    return MARL_OK;
}

static marl_status matrix_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const matrix_game *e = env;
    char text[1024];
    size_t at = (size_t)snprintf(text, sizeof text, "%.200s   step %d of %d", e->name, e->step, e->limit);

    if (e->game->sight == SEE_STATE) {
        at += (size_t)snprintf(text + at, sizeof text - at, "   state %d", e->state);
    }
    for (int32_t i = 0; e->step > 0 && i < e->agents; i++) {
        char number[32];
        float real = 0;
        memcpy(&real, &e->last[i], sizeof real);
        if (e->game->payoff_kind == PAY_PRODUCT) {
            snprintf(number, sizeof number, "%.4g", (double)real);
        } else {
            snprintf(number, sizeof number, "%d", e->last[i]);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i == 0 ? "   played " : " ", number);
    }
    at += (size_t)snprintf(text + at, sizeof text - at, "\n");
    if (at >= buffer_bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", at + 1, buffer_bytes);
    }
    memcpy(buffer, text, at + 1);
    return MARL_OK;
}

/* ---- create ---- */

static void fill_penalty(matrix_game *e, int32_t k) {
    const double table[9] = {(double)-k, 0, 10, 0, 2, 0, 10, 0, (double)-k};

    memcpy(e->payoff, table, sizeof table);
}

static void fill_payoff(matrix_game *e, int32_t number) {
    size_t cells = 1;

    for (int32_t i = 0; i < e->agents; i++) {
        cells *= (size_t)e->actions;
    }
    if (e->game->table) {
        memcpy(e->payoff, e->game->table, cells * sizeof *e->payoff);
    } else {
        fill_penalty(e, has_number(e->game) ? number : 100);
    }
}

static int32_t usual_limit(const game *g) {
    if (g->payoff_kind == PAY_MMDP) {
        return MMDP_LIMIT;
    }
    return g->ending == END_SINGLE ? 1 : g->ending == END_STATES ? 2 : REPEATED_LIMIT;
}

static marl_status read_keys(matrix_game *e, const marl_config *config) {
    marl__env_reader reader = {config, MARL_OK};
    int32_t limit = (int32_t)marl__env_read_int(&reader, "limit");
    int32_t usual = usual_limit(e->game);

    e->limit_is_terminal = (int32_t)marl__env_read_int(&reader, "limit_is_terminal");
    e->shows_actions = (int32_t)marl__env_read_int(&reader, "observe_actions");
    e->bound = marl__env_read_real(&reader, "bound");
    e->mmdp_reward = marl__env_read_real(&reader, "mmdp_reward");
    if (reader.status != MARL_OK) return reader.status;
    if (limit == 0) return marl__fail(MARL_E_ARGUMENT, "limit is 0; expected -1 or at least 1");
    if (e->shows_actions && (e->game->sight != SEE_NOTHING || e->game->payoff_kind == PAY_PRODUCT)) {
        return marl__fail(MARL_E_ARGUMENT, "observe_actions is 1; '%s' has other observations", e->name);
    }
    e->limit = limit < 0 ? usual : limit;
    if (e->game->ending == END_STATES && e->limit > usual) {
        e->limit = usual;
    }
    return MARL_OK;
}

static void describe(matrix_game *e) {
    marl_agent_class *c = &e->agent_class;
    int is_step = e->game->sight == SEE_STEP;

    e->obs_size = is_step ? 1 : (uint32_t)(e->game->sight == SEE_STATE ? e->game->states : e->agents);
    if (e->shows_actions) {
        e->obs_size = (uint32_t)(e->agents * e->actions);
    }
    e->slice = (marl_obs_slice){0, e->obs_size, is_step ? MARL_SLICE_REAL : MARL_SLICE_BINARY, 0,
                                is_step ? (float)e->limit : 1};
    marl_agent_class_init(c, sizeof *c);
    c->obs_shape[0] = e->obs_size;
    c->slices = &e->slice;
    c->slice_count = 1;
    c->action_count = (uint32_t)e->actions;
    if (e->game->payoff_kind == PAY_PRODUCT) {
        c->action_kind = MARL_ACTION_BOX;
        e->low[0] = (float)-e->bound;
        e->high[0] = (float)e->bound;
        c->action_low = e->low;
        c->action_high = e->high;
    }
}

/* What is played, not what it is called: penalty and penalty-100 are one game. */
static uint64_t hash_rules(const matrix_game *e) {
    uint64_t hash = marl__env_hash_text(MARL__ENV_HASH, "matrix 1");

    hash = marl__env_hash_int(hash, e->game->payoff_kind);
    hash = marl__env_hash_int(hash, e->game->ending);
    hash = marl__env_hash_int(hash, e->game->sight);
    hash = marl__env_hash_int(hash, e->agents);
    hash = marl__env_hash_int(hash, e->actions);
    for (size_t i = 0; i < sizeof e->payoff / sizeof e->payoff[0]; i++) {
        hash = marl__env_hash_real(hash, e->payoff[i]);
    }
    hash = marl__env_hash_int(hash, e->limit);
    hash = marl__env_hash_int(hash, e->limit_is_terminal);
    hash = marl__env_hash_int(hash, e->shows_actions);
    hash = marl__env_hash_real(hash, e->game->payoff_kind == PAY_PRODUCT ? e->bound : 0);
    return marl__env_hash_real(hash, e->game->payoff_kind == PAY_MMDP ? e->mmdp_reward : 0);
}

static marl_status matrix_create(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                                 void **out) {
    matrix_game *e = NULL;
    const game *g = NULL;
    int32_t number = 0;
    marl_status status = find_game(variant, &g, &number);

    *out = NULL;
    if (status != MARL_OK) return status;
    e = marl__alloc_zero(heap, sizeof *e);
    if (!e) return MARL_E_NOMEM;
    e->heap = heap;
    e->game = g;
    e->agents = g->agents ? g->agents : number;
    e->actions = g->payoff_kind == PAY_PRODUCT ? 0 : g->actions ? g->actions : number;
    snprintf(e->name, sizeof e->name, "%s", name);
    if ((status = read_keys(e, config)) != MARL_OK) {
        marl__free(heap, e);
        return status;
    }
    if (g->payoff_kind == PAY_TABLE) {
        fill_payoff(e, number);
    }
    describe(e);
    e->hash = hash_rules(e);
    *out = e;
    return MARL_OK;
}

static marl_status matrix_spec(void *env, marl_env_spec *out) {
    matrix_game *e = env;

    out->agent_count = (uint32_t)e->agents;
    out->name = e->name;
    out->version = "1";
    out->hash = e->hash;
    out->class_count = 1;
    out->classes = &e->agent_class;
    out->state_size = e->obs_size;
    out->episode_limit = (uint32_t)e->limit;
    out->deterministic = 1;
    return MARL_OK;
}

static void matrix_destroy(void *env) {
    matrix_game *e = env;

    marl__free(e->heap, e);
}

static const marl_env_vtable vtable = {
    .struct_size = sizeof(marl_env_vtable),
    .spec = matrix_spec,
    .reset = matrix_reset,
    .step = matrix_step,
    .observe = matrix_observe,
    .save_bytes = matrix_save_bytes,
    .save = matrix_save,
    .restore = matrix_restore,
    .draw_text = matrix_draw_text,
    .destroy = matrix_destroy,
};

const marl__env_family marl__env_family_matrix = {
    .name = "matrix",
    .variants = "two_step, climbing[-3p], penalty-K, [non]linear[-2p], trivial, qplex-1|3, nonmonotonic, xor[-N], "
                "permutation-N, product, mmdp, bridge",
    .example = "matrix:two_step",
    .keys = &keys,
    .check = matrix_check,
    .create = matrix_create,
    .vtable = &vtable,
    .inject = NULL,
};
