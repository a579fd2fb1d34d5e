/* SPDX-License-Identifier: Apache-2.0 */
/* Names and keys of Level-Based Foraging. The name says board, players, foods, sight and whether all must work
 * together; every other argument of the published constructor is a key, under its own name where there is one. Levels
 * are texts because the constructor takes one range for all or a list, one per player or food. */
#include "envs/foraging.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"

static const marl__key key_list[] = {
    MARL__KEY_INT("sight", "-1", -1, 128, "cells a player sees in each direction; -1: as in the name, else the board"),
    MARL__KEY_INT("coop", "-1", -1, 1, "every food needs its full level; -1: as in the name"),
    MARL__KEY_TEXT("min_player_level", "1", "least player level: one number, or one per player: 1,2,2"),
    MARL__KEY_TEXT("max_player_level", "2", "greatest player level: one number, or one per player"),
    MARL__KEY_TEXT("min_food_level", "1", "least food level: one number, or one per food"),
    MARL__KEY_TEXT("max_food_level", "", "greatest food level, one or one per food; empty: three lowest players' sum"),
    MARL__KEY_REAL("penalty", "0", 0, 1e6, "taken from every player of a group that fails to load a food"),
    MARL__KEY_BOOL("normalize_reward", "1", "divide rewards so that an episode's sum is at most 1"),
    MARL__KEY_BOOL("observe_agent_levels", "1", "0: observations hold two numbers a player, without its level"),
    MARL__KEY_BOOL("grid_observation", "0", "three layers around the player: player levels, food levels, free cells"),
    MARL__KEY_INT("max_episode_steps", "50", 1, 1000000, "steps an episode has at most"),
    MARL__KEY_BOOL("limit_is_terminal", "0", "1: the step limit is a real end, as the published package reports it"),
    MARL__KEY_BOOL("mask_invalid", "0", "1: moves that cannot succeed are not available; 0: they do nothing"),
    MARL__KEY_BOOL("persistent_levels", "0", "draw player levels once, at create, and keep them over resets"),
    MARL__KEY_INT("levels_seed", "0", 0, 9007199254740991.0, "with persistent_levels: the seed of that draw"),
    MARL__KEY_CHOICE("state", "obs", "obs|none", "the state: all observations in a row, or nothing"),
};
const marl__key_table marl__lbf_keys = MARL__KEY_TABLE(key_list);

/* What a variant's name says; sight 0: nothing. */
typedef struct variant_parts {
    int32_t sight, rows, cols, players, foods, is_coop;
} variant_parts;

/* Reads digits (at most four) and the text that must follow them. */
static int take_number(const char **at, const char *suffix, int32_t *out) {
    const char *p = *at;
    int32_t value = 0;
    int digits = 0;

    while (*p >= '0' && *p <= '9' && digits < 4) {
        value = value * 10 + (*p++ - '0');
        digits++;
    }
    if (digits == 0 || strncmp(p, suffix, strlen(suffix)) != 0) {
        return 0;
    }
    *at = p + strlen(suffix);
    *out = value;
    return 1;
}

static int parse_variant(const char *text, variant_parts *out) {
    const char *at = text;

    *out = (variant_parts){0, 0, 0, 0, 0, 0};
    if (take_number(&at, "s-", &out->sight) && out->sight == 0) {
        return 0;
    }
    if (!take_number(&at, "x", &out->rows) || !take_number(&at, "-", &out->cols) ||
        !take_number(&at, "p-", &out->players) || !take_number(&at, "f", &out->foods)) {
        return 0;
    }
    if (strcmp(at, "-coop") == 0) {
        out->is_coop = 1;
        return 1;
    }
    return *at == '\0';
}

static marl_status check_number(const char *variant, const char *what, int32_t given, int32_t least, int32_t most) {
    if (given < least || given > most) {
        return marl__fail(MARL_E_NAME, "lbf:%s: %d %s are not from %d to %d", variant, given, what, least, most);
    }
    return MARL_OK;
}

static marl_status read_variant(const char *variant, variant_parts *out) {
    marl_status status = MARL_OK;

    if (!parse_variant(variant, out)) {
        return marl__fail(MARL_E_NAME, "no environment 'lbf:%s'; a variant reads [{sight}s-]{rows}x{cols}-{players}p-"
                          "{foods}f[-coop], for example 'lbf:8x8-2p-2f-coop'", variant);
    }
    if ((status = check_number(variant, "rows", out->rows, 3, MARL__LBF_SIDE)) != MARL_OK) return status;
    if ((status = check_number(variant, "columns", out->cols, 3, MARL__LBF_SIDE)) != MARL_OK) return status;
    if ((status = check_number(variant, "players", out->players, 1, MARL__LBF_PLAYERS)) != MARL_OK) return status;
    if ((status = check_number(variant, "foods", out->foods, 1, MARL__LBF_FOODS)) != MARL_OK) return status;
    if ((status = check_number(variant, "cells of sight", out->sight, 0, 2 * MARL__LBF_SIDE)) != MARL_OK) return status;
    if (out->players > out->rows * out->cols) {
        return marl__fail(MARL_E_NAME, "lbf:%s: %d players do not fit on %d cells", variant, out->players,
                          out->rows * out->cols);
    }
    return MARL_OK;
}

marl_status marl__lbf_check(const char *variant) {
    variant_parts parts;

    return read_variant(variant, &parts);
}

static marl_status refuse_levels(const char *key, const char *text, int32_t count) {
    return marl__fail(MARL_E_ARGUMENT, "%s is '%s'; expected a whole number from 1 to %d, or %d of them separated by "
                      "commas", key, text, MARL__LBF_LEVEL, count);
}

/* "2" for all, or "1,2,2" one by one. Empty: *is_given = 0. */
static marl_status read_levels(const marl_config *config, const char *key, int32_t count, int32_t *levels,
                               int32_t *is_given) {
    char text[256], part[16];
    const char *at = text;
    int32_t found = 0;
    marl_status status = marl_config_get(config, key, text, sizeof text);

    if (status != MARL_OK) return status;
    *is_given = text[0] != '\0';
    while (*is_given && found <= count) {
        size_t length = strcspn(at, ",");
        int64_t value = 0;
        if (length >= sizeof part || found == count) return refuse_levels(key, text, count);
        snprintf(part, sizeof part, "%.*s", (int)length, at);
        if (!marl__read_int(part, &value) || value < 1 || value > MARL__LBF_LEVEL) {
            return refuse_levels(key, text, count);
        }
        levels[found++] = (int32_t)value;
        at += length;
        if (*at++ == '\0') break;
    }
    if (found == 1) {
        for (int32_t i = 1; i < count; i++) {
            levels[i] = levels[0];
        }
    } else if (*is_given && found != count) {
        return refuse_levels(key, text, count);
    }
    return MARL_OK;
}

static marl_status check_range(const char *what, const int32_t *low, const int32_t *high, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (low[i] > high[i]) {
            return marl__fail(MARL_E_ARGUMENT, "min_%s_level %d is above max_%s_level %d (number %d)", what, low[i],
                              what, high[i], i);
        }
    }
    return MARL_OK;
}

static marl_status need_levels(const char *key, int32_t is_given) {
    return is_given ? MARL_OK : marl__fail(MARL_E_ARGUMENT, "%s is empty; expected a whole number", key);
}

static marl_status read_level_keys(const marl_config *config, marl__lbf_rules *r) {
    int32_t given = 0;
    marl_status status = MARL_OK;

    if ((status = read_levels(config, "min_player_level", r->player_count, r->player_low, &given)) != MARL_OK ||
        (status = need_levels("min_player_level", given)) != MARL_OK) {
        return status;
    }
    if ((status = read_levels(config, "max_player_level", r->player_count, r->player_high, &given)) != MARL_OK ||
        (status = need_levels("max_player_level", given)) != MARL_OK) {
        return status;
    }
    if ((status = read_levels(config, "min_food_level", r->food_count, r->food_low, &given)) != MARL_OK ||
        (status = need_levels("min_food_level", given)) != MARL_OK) {
        return status;
    }
    if ((status = read_levels(config, "max_food_level", r->food_count, r->food_high, &r->food_high_is_given)) !=
        MARL_OK) {
        return status;
    }
    if ((status = check_range("player", r->player_low, r->player_high, r->player_count)) != MARL_OK) return status;
    /* cooperative foods have their greatest level, whatever the least */
    if (!r->food_high_is_given || r->is_coop) return MARL_OK;
    return check_range("food", r->food_low, r->food_high, r->food_count);
}

marl_status marl__lbf_read_rules(const marl_config *config, const char *variant, marl__lbf_rules *r) {
    variant_parts parts;
    char state[256];
    marl__env_reader reader = {config, MARL_OK};
    int64_t sight = marl__env_read_int(&reader, "sight");
    int64_t coop = marl__env_read_int(&reader, "coop");
    marl_status status = read_variant(variant, &parts);

    if (status != MARL_OK) return status;
    r->rows = parts.rows;
    r->cols = parts.cols;
    r->player_count = parts.players;
    r->food_count = parts.foods;
    if (sight >= 0) {
        r->sight = (int32_t)sight;
    } else if (parts.sight > 0) {
        r->sight = parts.sight;
    } else {
        r->sight = parts.rows > parts.cols ? parts.rows : parts.cols;
    }
    r->is_coop = coop >= 0 ? (int32_t)coop : parts.is_coop;
    r->penalty = marl__env_read_real(&reader, "penalty");
    r->normalises = (int32_t)marl__env_read_int(&reader, "normalize_reward");
    r->shows_levels = (int32_t)marl__env_read_int(&reader, "observe_agent_levels");
    r->is_grid = (int32_t)marl__env_read_int(&reader, "grid_observation");
    r->max_steps = (int32_t)marl__env_read_int(&reader, "max_episode_steps");
    r->limit_is_terminal = (int32_t)marl__env_read_int(&reader, "limit_is_terminal");
    r->masks_invalid = (int32_t)marl__env_read_int(&reader, "mask_invalid");
    r->keeps_levels = (int32_t)marl__env_read_int(&reader, "persistent_levels");
    r->levels_seed = marl__env_read_int(&reader, "levels_seed");
    if (reader.status != MARL_OK) return reader.status;
    if ((status = marl_config_get(config, "state", state, sizeof state)) != MARL_OK) return status;
    r->has_state = strcmp(state, "obs") == 0;
    return read_level_keys(config, r);
}
