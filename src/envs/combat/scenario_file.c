/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario from a JSON file: terrain, own unit types, and groups of units on either side (docs/combat.md shows one).
 * Every key is known or refused, and every complaint names file and line, since people write these files by hand. */
#include "envs/combat/loader.h"

#include <string.h>

#include "core/base/file.h"

#define MOST_BYTES 1000000u
#define DEFAULT_LIMIT 200

/* ---- terrain ---- */

static marl_status read_size(marl__loader *l, int32_t size) {
    int32_t first = marl__json_first(l->json, size), width = 0, height = 0;
    marl_status status = marl__load_expect(l, size, "\"size\"", MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, size) != 2)
        return MARL__REFUSE(l, size, "\"size\" is not two numbers, width and height");
    if ((status = marl__load_whole(l, first, "the width", 1, MARL__COMBAT_MOST_SIDE, &width)) != MARL_OK) return status;
    if ((status = marl__load_whole(l, marl__json_next(l->json, first), "the height", 1, MARL__COMBAT_MOST_SIDE,
                                   &height)) != MARL_OK) {
        return status;
    }
    marl__combat_begin(l->out, l->path, width, height);
    marl__combat_open(l->out, 0, height - 1, 0, width - 1);
    return MARL_OK;
}

static marl_status read_row(marl__loader *l, int32_t value, int32_t y) {
    const char *text = marl__json_text(l->json, value);
    size_t length = strlen(text);
    marl_status status = marl__load_expect(l, value, "a row of the terrain", MARL__JSON_TEXT);

    if (status != MARL_OK) return status;
    if (length != (size_t)l->out->width) {
        return MARL__REFUSE(l, value, "this row of the terrain has %zu cells, the first one %d", length, l->out->width);
    }
    if (strspn(text, ".#") != length) {
        return MARL__REFUSE(
            l, value, "a row of the terrain consists of '.' (ground) and '#' (wall); this one is \"%.64s\"", text);
    }
    for (int32_t x = 0; x < l->out->width; x++) {
        l->out->walkable[y * l->out->width + x] = text[x] == '.';
    }
    return MARL_OK;
}

/* The first row is the northernmost, as on paper. */
static marl_status read_terrain(marl__loader *l, int32_t terrain) {
    int32_t first = marl__json_first(l->json, terrain), rows = 0;
    size_t width = strlen(marl__json_text(l->json, first));
    marl_status status = marl__load_expect(l, terrain, "\"terrain\"", MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, terrain) < 1 || marl__json_count(l->json, terrain) > MARL__COMBAT_MOST_SIDE) {
        return MARL__REFUSE(l, terrain, "the terrain has %u rows; expected from 1 to %d",
                            marl__json_count(l->json, terrain), MARL__COMBAT_MOST_SIDE);
    }
    if ((status = marl__load_expect(l, first, "a row of the terrain", MARL__JSON_TEXT)) != MARL_OK) return status;
    if (width < 1 || width > MARL__COMBAT_MOST_SIDE) {
        return MARL__REFUSE(l, first, "a row of the terrain has %zu cells; expected from 1 to %d", width,
                            MARL__COMBAT_MOST_SIDE);
    }
    rows = (int32_t)marl__json_count(l->json, terrain);
    marl__combat_begin(l->out, l->path, (int32_t)width, rows);
    for (int32_t row = first; row >= 0 && status == MARL_OK; row = marl__json_next(l->json, row)) {
        status = read_row(l, row, --rows);
    }
    return status;
}

static marl_status read_ground(marl__loader *l) {
    int32_t size = marl__json_find(l->json, 0, "size"), terrain = marl__json_find(l->json, 0, "terrain");

    if ((size >= 0) == (terrain >= 0)) {
        return MARL__REFUSE(l, 0, "a scenario has either \"terrain\" (rows of '.' and '#') or \"size\" (open ground)");
    }
    return terrain >= 0 ? read_terrain(l, terrain) : read_size(l, size);
}

/* ---- groups ---- */

/* Appends count times the type of one part of a group. */
static marl_status read_part(marl__loader *l, int32_t part, int32_t *types, int32_t *count) {
    static const char *const keys[] = {"type", "count"};
    const marl__combat_type *type = NULL;
    int32_t value = -1, more = 0, index = 0;
    marl_status status = MARL__CHECK_KEYS(l, part, "a part of a group", keys);

    if (status != MARL_OK) return status;
    if ((status = marl__load_need(l, part, "a part of a group", "type", &value)) != MARL_OK) return status;
    if ((status = marl__load_expect(l, value, "\"type\"", MARL__JSON_TEXT)) != MARL_OK) return status;
    type = marl__load_find_type(l, marl__json_text(l->json, value));
    if (!type) return marl__load_unknown_type(l, value);
    if ((status = marl__load_need(l, part, "a part of a group", "count", &value)) != MARL_OK) return status;
    if ((status = marl__load_whole(l, value, "\"count\"", 1, MARL__COMBAT_MOST_UNITS, &more)) != MARL_OK) return status;
    if (*count + more > MARL__COMBAT_MOST_UNITS - l->out->unit_count) {
        return MARL__REFUSE(l, value, "%d more units are too many: a battle holds %d", more, MARL__COMBAT_MOST_UNITS);
    }
    if ((index = marl__combat_add_type(l->out, type)) < 0) {
        return MARL__REFUSE(l, part, "more than %d unit types take part", MARL__COMBAT_MOST_TYPES);
    }
    for (int32_t i = 0; i < more; i++) {
        types[(*count)++] = index;
    }
    return MARL_OK;
}

static marl_status read_group(marl__loader *l, int32_t object) {
    static const char *const keys[] = {"side", "at", "units"};
    static const char *const sides[] = {[MARL__COMBAT_ALLY] = "ally", [MARL__COMBAT_ENEMY] = "enemy"};
    int32_t types[MARL__COMBAT_MOST_UNITS], value = -1;
    marl__combat_group group = {0, 0, 0, 0, types};
    marl_status status = MARL__CHECK_KEYS(l, object, "a group", keys);

    if (status != MARL_OK) return status;
    if ((status = marl__load_need(l, object, "a group", "side", &value)) != MARL_OK) return status;
    if ((status = marl__load_word(l, value, "side", sides, 2, &group.side)) != MARL_OK) return status;
    if ((status = marl__load_need(l, object, "a group", "at", &value)) != MARL_OK) return status;
    if ((status = marl__load_pair(l, value, "\"at\"", l->out->width, l->out->height, &group.x, &group.y)) != MARL_OK) {
        return status;
    }
    if ((status = marl__load_need(l, object, "a group", "units", &value)) != MARL_OK) return status;
    if ((status = marl__load_expect(l, value, "\"units\"", MARL__JSON_ARRAY)) != MARL_OK) return status;
    for (int32_t part = marl__json_first(l->json, value); part >= 0; part = marl__json_next(l->json, part)) {
        if ((status = read_part(l, part, types, &group.count)) != MARL_OK) return status;
    }
    if (group.count == 0) return MARL__REFUSE(l, object, "this group has no units");
    if ((status = marl__combat_place(l->out, &group)) != MARL_OK) return marl__load_blame(l, object, status);
    l->group_end[l->group_count] = l->out->unit_count;
    l->group_at[l->group_count++] = object;
    return MARL_OK;
}

/* Every group has a unit, so there are never more of them than units. */
static marl_status read_groups(marl__loader *l) {
    int32_t groups = -1, unit = -1, g = 0;
    marl_status status = marl__load_need(l, 0, "a scenario", "groups", &groups);

    if (status != MARL_OK) return status;
    if ((status = marl__load_expect(l, groups, "\"groups\"", MARL__JSON_ARRAY)) != MARL_OK) return status;
    for (int32_t group = marl__json_first(l->json, groups); group >= 0; group = marl__json_next(l->json, group)) {
        if ((status = read_group(l, group)) != MARL_OK) return status;
    }
    if ((status = marl__combat_check_places(l->out, &unit)) != MARL_OK) {
        while (unit >= l->group_end[g]) {
            g++;
        }
        return marl__load_blame(l, l->group_at[g], status);
    }
    status = marl__combat_finish(l->out);
    return status == MARL_OK ? MARL_OK : marl__load_blame(l, groups, status);
}

/* ---- the file ---- */

static marl_status read_scenario(marl__loader *l) {
    static const char *const keys[] = {"terrain", "size", "types", "groups", "attack_point", "episode_limit"};
    int32_t types = -1, limit = -1, point = -1;
    marl_status status = MARL__CHECK_KEYS(l, 0, "a scenario", keys);

    if (status != MARL_OK) return status;
    if ((status = read_ground(l)) != MARL_OK) return status;
    types = marl__json_find(l->json, 0, "types");
    if (types >= 0 && (status = marl__load_types(l, types)) != MARL_OK) return status;
    if ((status = marl__load_need(l, 0, "a scenario", "attack_point", &point)) != MARL_OK) return status;
    if ((status = marl__load_pair(l, point, "\"attack_point\"", l->out->width, l->out->height, &l->out->attack_x,
                                  &l->out->attack_y)) != MARL_OK) {
        return status;
    }
    limit = marl__json_find(l->json, 0, "episode_limit");
    l->out->episode_limit = DEFAULT_LIMIT;
    if (limit >= 0 &&
        (status = marl__load_whole(l, limit, "\"episode_limit\"", 1, 1000000, &l->out->episode_limit)) != MARL_OK) {
        return status;
    }
    return read_groups(l);
}

marl_status marl__combat_file_load(marl__heap *heap, const char *path, marl__combat_scenario *out) {
    char *text = NULL;
    size_t bytes = 0;
    marl__loader *l = marl__alloc_zero(heap, sizeof *l);
    marl_status status = MARL_OK;

    if (!l) return MARL_E_NOMEM;
    l->heap = heap;
    l->path = path;
    l->out = out;
    if ((status = marl__file_read_all(heap, path, MOST_BYTES, &text, &bytes)) != MARL_OK) goto done;
    l->text = text;
    if ((status = marl__json_parse(heap, text, bytes, path, &l->json)) != MARL_OK) goto done;
    status = read_scenario(l);
done:
    marl__json_destroy(l->json);
    marl__free(heap, text);
    marl__free(heap, l);
    return status;
}
