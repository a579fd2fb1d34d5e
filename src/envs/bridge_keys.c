/* SPDX-License-Identifier: Apache-2.0 */
/* Names, keys and maps of the bridge. The name says which published map and how many agents; a map of one's own is a
 * key, its rows separated by slashes. */
#include "envs/bridge.h"

#include <string.h>

#include "core/base/status.h"

#define MOST_TEXT (MARL__BRIDGE_CELLS + MARL__BRIDGE_SIDE)

static const marl__key key_list[] = {
    MARL__KEY_INT("episode_length", "30", 1, 1000000, "steps an episode has at most"),
    MARL__KEY_BOOL("share_reward", "1", "1: everybody under way is paid the mean; 0: one's own distance"),
    MARL__KEY_INT("num_random_blocks", "0", 0, MARL__BRIDGE_BLOCKS, "walls on cells R of the map, drawn at each reset"),
    MARL__KEY_TEXT("map", "", "rows of A free, B wall, R perhaps a wall, 1 and 2 areas: 1AR2/BAAB; empty: by name"),
    MARL__KEY_BOOL("play_on", "0", "1: an episode lasts to the limit even after everybody has arrived"),
    MARL__KEY_BOOL("limit_is_terminal", "0", "1: the step limit is a real end, as in published code"),
    MARL__KEY_CHOICE("state", "obs", "obs|none", "the state: all observations in a row, or nothing"),
};
const marl__key_table marl__bridge_keys = MARL__KEY_TABLE(key_list);

static const struct named_map {
    const char *name, *rows;
} maps[] = {
    {"map4-", "1ABBAA/AAAAAA/AABBA2"},
    {"map5-", "1ABBA2/AAAAAA/1ABBA2"},
};

static marl_status read_variant(const char *variant, const char **map, int32_t *agents) {
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        size_t length = strlen(maps[i].name);
        const char *at = variant + length;
        int32_t number = 0;
        if (strncmp(variant, maps[i].name, length) != 0) {
            continue;
        }
        for (; *at >= '0' && *at <= '9' && number < 1000; at++) {
            number = 10 * number + (*at - '0');
        }
        if (at == variant + length || strcmp(at, "ag") != 0) {
            continue;
        }
        if (number < 2 || number > MARL__BRIDGE_AGENTS || number % 2 != 0) {
            return marl__fail(MARL_E_NAME, "bridge:%s: %d agents are not an even number from 2 to %d", variant, number,
                              MARL__BRIDGE_AGENTS);
        }
        *map = maps[i].rows;
        *agents = number;
        return MARL_OK;
    }
    return marl__fail(MARL_E_NAME, "no environment 'bridge:%s'; a variant reads map4-{agents}ag or map5-{agents}ag, "
                      "for example 'bridge:map4-2ag'", variant);
}

marl_status marl__bridge_check(const char *variant) {
    const char *map = NULL;
    int32_t agents = 0;

    return read_variant(variant, &map, &agents);
}

static int32_t count_letters(const char *map, char letter) {
    int32_t count = 0;

    for (; *map; map++) {
        count += *map == letter;
    }
    return count;
}

/* "1AA/AB2" into rows, cols and letters. */
static marl_status read_map(const char *text, marl__bridge_rules *r) {
    size_t length = strcspn(text, "/"), at = 0;
    int32_t rows = 0;
    int ends = 0;

    if (length < 1 || length > MARL__BRIDGE_SIDE) {
        return marl__fail(MARL_E_ARGUMENT, "map: a row of %zu cells is not from 1 to %d long", length,
                          MARL__BRIDGE_SIDE);
    }
    for (; !ends; rows++, text += length + 1) {
        if (rows == MARL__BRIDGE_SIDE || strcspn(text, "/") != length) {
            return marl__fail(MARL_E_ARGUMENT, "map: row %d has %zu cells, the first has %zu; at most %d rows of equal "
                              "length make a map", rows, strcspn(text, "/"), length, MARL__BRIDGE_SIDE);
        }
        if (strspn(text, "ABR12") < length) {
            return marl__fail(MARL_E_ARGUMENT, "map: row %d holds '%c'; cells are A, B, R, 1 or 2", rows,
                              text[strspn(text, "ABR12")]);
        }
        memcpy(r->map + at, text, length);
        at += length;
        ends = text[length] == '\0';
    }
    r->map[at] = '\0';
    r->rows = rows;
    r->cols = (int32_t)length;
    return MARL_OK;
}

static marl_status check_map(const marl__bridge_rules *r) {
    for (char area = '1'; area <= '2'; area++) {
        int32_t cells = count_letters(r->map, area);
        if (cells < r->agents / 2) {
            return marl__fail(MARL_E_ARGUMENT, "the map has %d cells of area %c; %d agents need %d", cells, area,
                              r->agents, r->agents / 2);
        }
    }
    if (r->random_blocks > 0 && count_letters(r->map, 'R') == 0) {
        return marl__fail(MARL_E_ARGUMENT, "num_random_blocks is %d, but the map has no cells R for them",
                          r->random_blocks);
    }
    return MARL_OK;
}

marl_status marl__bridge_read_rules(const marl_config *config, const char *variant, marl__bridge_rules *r) {
    marl__env_reader reader = {config, MARL_OK};
    char own[MOST_TEXT + 1] = "", state[16] = "";
    const char *map = NULL;
    marl_status status = read_variant(variant, &map, &r->agents);

    if (status != MARL_OK) return status;
    r->max_steps = (int32_t)marl__env_read_int(&reader, "episode_length");
    r->shares_reward = (int32_t)marl__env_read_int(&reader, "share_reward");
    r->random_blocks = (int32_t)marl__env_read_int(&reader, "num_random_blocks");
    r->plays_on = (int32_t)marl__env_read_int(&reader, "play_on");
    r->limit_is_terminal = (int32_t)marl__env_read_int(&reader, "limit_is_terminal");
    if (reader.status != MARL_OK) return reader.status;
    if ((status = marl_config_get(config, "map", own, sizeof own)) != MARL_OK) return status;
    if ((status = marl_config_get(config, "state", state, sizeof state)) != MARL_OK) return status;
    r->has_state = strcmp(state, "obs") == 0;
    if ((status = read_map(own[0] ? own : map, r)) != MARL_OK) return status;
    return check_map(r);
}
