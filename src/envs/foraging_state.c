/* SPDX-License-Identifier: Apache-2.0 */
/* States of Level-Based Foraging from and to the outside: saved bytes, and the arrays of recorded traces. Both
 * come from strangers, so a state is taken only if it could be one of ours. */
#include "envs/foraging.h"

#include <string.h>

#include "core/base/status.h"

#define SAVE_WORDS (6 + 3 * MARL__LBF_PLAYERS + 3 * MARL__LBF_FOODS)
#define SAVE_MAGIC 0x3166626cu /* "lbf1" */

/* ---- save and restore ---- */

size_t marl__lbf_save_bytes(void *env) {
    const marl__lbf *e = env;

    return sizeof(int32_t) * (size_t)(6 + 3 * e->rules.player_count + 3 * e->rules.food_count);
}

static int32_t *save_pieces(int32_t *out, const marl__lbf_piece *pieces, int32_t count, int32_t room) {
    for (int32_t i = 0; i < room; i++) {
        const marl__lbf_piece none = {0, 0, 0};
        const marl__lbf_piece *p = i < count ? &pieces[i] : &none;
        *out++ = p->row;
        *out++ = p->col;
        *out++ = p->level;
    }
    return out;
}

marl_status marl__lbf_save(void *env, void *bytes) {
    const marl__lbf *e = env;
    int32_t words[SAVE_WORDS] = {(int32_t)SAVE_MAGIC, e->step, e->total, e->food_left, e->rules.player_count,
                                 e->rules.food_count};
    int32_t *at = save_pieces(words + 6, e->players, e->rules.player_count, e->rules.player_count);

    save_pieces(at, e->foods, e->food_left, e->rules.food_count);
    memcpy(bytes, words, marl__lbf_save_bytes(env));
    return MARL_OK;
}

static const int32_t *load_pieces(const int32_t *in, marl__lbf_piece *pieces, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        pieces[i] = (marl__lbf_piece){in[0], in[1], in[2]};
        in += 3;
    }
    return in;
}

static int is_on_board(const marl__lbf_rules *r, const marl__lbf_piece *p) {
    return p->row >= 0 && p->row < r->rows && p->col >= 0 && p->col < r->cols && p->level >= 1 &&
           p->level <= 3 * MARL__LBF_LEVEL;
}

/* Whether a state could be one of ours: pieces on the board, foods in order on cells without players. */
static marl_status check_state(const marl__lbf_rules *r, const marl__lbf_piece *players, const marl__lbf_piece *foods,
                               int32_t food_left, int32_t total, int32_t step) {
    int64_t left = 0;

    if (step < 0 || step > r->max_steps || food_left < 0 || food_left > r->food_count) {
        return marl__fail(MARL_E_FORMAT, "the state is at step %d with %d foods; at most %d and %d are possible", step,
                          food_left, r->max_steps, r->food_count);
    }
    for (int32_t i = 0; i < food_left; i++) {
        const marl__lbf_piece *f = &foods[i];
        int is_ordered = i == 0 || f->row > f[-1].row || (f->row == f[-1].row && f->col > f[-1].col);
        if (!is_on_board(r, f) || !is_ordered) {
            return marl__fail(MARL_E_FORMAT, "the state's food %d, level %d at (%d, %d), is not possible", i, f->level,
                              f->row, f->col);
        }
        left += f->level;
    }
    for (int32_t i = 0; i < r->player_count; i++) {
        const marl__lbf_piece *p = &players[i];
        int is_good = is_on_board(r, p) && p->level <= MARL__LBF_LEVEL;
        for (int32_t k = 0; k < food_left && is_good; k++) {
            is_good = foods[k].row != p->row || foods[k].col != p->col;
        }
        if (!is_good) {
            return marl__fail(MARL_E_FORMAT, "the state's player %d, level %d at (%d, %d), is not possible", i,
                              p->level, p->row, p->col);
        }
    }
    if (total < left || total > MARL__LBF_FOODS * 3 * MARL__LBF_LEVEL) {
        return marl__fail(MARL_E_FORMAT, "the state's food levels sum to %lld of a total of %d", (long long)left,
                          total);
    }
    return MARL_OK;
}

static void take_state(marl__lbf *e, const marl__lbf_piece *players, const marl__lbf_piece *foods, int32_t food_left,
                       int32_t total, int32_t step) {
    marl__lbf_clear_board(e);
    memcpy(e->players, players, (size_t)e->rules.player_count * sizeof *players);
    for (int32_t i = 0; i < food_left; i++) {
        marl__lbf_put_food(e, foods[i]);
    }
    e->total = total;
    e->step = step;
    marl__lbf_find_valid(e);
}

marl_status marl__lbf_restore(void *env, const void *bytes, size_t byte_count) {
    marl__lbf *e = env;
    int32_t words[SAVE_WORDS];
    marl__lbf_piece players[MARL__LBF_PLAYERS], foods[MARL__LBF_FOODS];
    const int32_t *at = NULL;
    marl_status status = MARL_OK;

    if (byte_count != marl__lbf_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this environment has %zu bytes, not %zu",
                          marl__lbf_save_bytes(env), byte_count);
    }
    memcpy(words, bytes, byte_count);
    if (words[0] != (int32_t)SAVE_MAGIC || words[4] != e->rules.player_count || words[5] != e->rules.food_count) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of this environment");
    }
    at = load_pieces(words + 6, players, e->rules.player_count);
    load_pieces(at, foods, e->rules.food_count);
    if ((status = check_state(&e->rules, players, foods, words[3], words[2], words[1])) != MARL_OK) return status;
    take_state(e, players, foods, words[3], words[2], words[1]);
    return MARL_OK;
}

/* ---- traces ---- */

static const int32_t *find_array(const marl__env_array *arrays, uint32_t array_count, const char *name, int32_t count) {
    for (uint32_t i = 0; i < array_count; i++) {
        if (strcmp(arrays[i].name, name) == 0 && arrays[i].count == (uint32_t)count) {
            return arrays[i].values;
        }
    }
    marl__fail(MARL_E_SHAPE, "the recorded state has no array '%s' of %d numbers", name, count);
    return NULL;
}

/* init_field (R,C), init_food_total (1), init_level (p), init_pos (p,2). */
static marl_status lbf_set_state(void *env, const marl__env_array *arrays, uint32_t array_count) {
    marl__lbf *e = env;
    const marl__lbf_rules *r = &e->rules;
    const int32_t *field = find_array(arrays, array_count, "init_field", r->rows * r->cols);
    const int32_t *total = field ? find_array(arrays, array_count, "init_food_total", 1) : NULL;
    const int32_t *level = total ? find_array(arrays, array_count, "init_level", r->player_count) : NULL;
    const int32_t *pos = level ? find_array(arrays, array_count, "init_pos", 2 * r->player_count) : NULL;
    marl__lbf_piece players[MARL__LBF_PLAYERS], foods[MARL__LBF_FOODS];
    int32_t found = 0;
    marl_status status = MARL_OK;

    if (!pos) return MARL_E_SHAPE;
    for (int32_t i = 0; i < r->player_count; i++) {
        players[i] = (marl__lbf_piece){pos[2 * i], pos[2 * i + 1], level[i]};
    }
    for (int32_t cell = 0; cell < r->rows * r->cols; cell++) {
        if (field[cell] == 0) {
            continue;
        }
        if (found == r->food_count) return marl__fail(MARL_E_SHAPE, "init_field holds more than %d foods", found);
        foods[found++] = (marl__lbf_piece){cell / r->cols, cell % r->cols, field[cell]};
    }
    if ((status = check_state(r, players, foods, found, total[0], 0)) != MARL_OK) return status;
    take_state(e, players, foods, found, total[0], 0);
    return MARL_OK;
}

static marl_status check_array_size(const char *name, uint32_t given, int32_t expected) {
    if (given != (uint32_t)expected) {
        return marl__fail(MARL_E_SHAPE, "array '%s' has %d numbers, not %u", name, expected, given);
    }
    return MARL_OK;
}

/* field (R,C), level (p), pos (p,2), valid (p,6). */
static marl_status lbf_get_array(void *env, const char *name, int32_t *values, uint32_t count) {
    const marl__lbf *e = env;
    const marl__lbf_rules *r = &e->rules;
    marl_status status = MARL_OK;

    if (strcmp(name, "field") == 0) {
        if ((status = check_array_size(name, count, r->rows * r->cols)) != MARL_OK) return status;
        for (int32_t cell = 0; cell < r->rows * r->cols; cell++) {
            values[cell] = e->board[marl__lbf_cell(e, cell / r->cols, cell % r->cols)];
        }
    } else if (strcmp(name, "level") == 0) {
        if ((status = check_array_size(name, count, r->player_count)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count; i++) {
            values[i] = e->players[i].level;
        }
    } else if (strcmp(name, "pos") == 0) {
        if ((status = check_array_size(name, count, 2 * r->player_count)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count; i++) {
            values[2 * i] = e->players[i].row;
            values[2 * i + 1] = e->players[i].col;
        }
    } else if (strcmp(name, "valid") == 0) {
        if ((status = check_array_size(name, count, r->player_count * MARL__LBF_ACTIONS)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count * MARL__LBF_ACTIONS; i++) {
            values[i] = e->valid[i / MARL__LBF_ACTIONS][i % MARL__LBF_ACTIONS];
        }
    } else {
        return marl__fail(MARL_E_NAME, "lbf has no array '%s'; it has field, level, pos and valid", name);
    }
    return MARL_OK;
}

const marl__env_inject marl__lbf_inject = {.set_state = lbf_set_state, .get_array = lbf_get_array};
