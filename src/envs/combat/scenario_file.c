/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario from a JSON file: terrain, own unit types, and groups of units on either side (docs/combat.md shows one).
 *
 * Every key is known or refused, and every complaint names file and line, since people write these files by hand. The
 * keys of types come from one table that says member, range and name. */
#include "envs/combat/build.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/status.h"

#define MOST_BYTES 1000000u
#define DEFAULT_LIMIT 200

typedef struct loader {
    marl__heap *heap;
    const char *path, *text;
    marl__json *json;
    marl__combat_scenario *out;
    marl__combat_type own[MARL__COMBAT_MOST_TYPES]; /* types that the file declares */
    int32_t own_count;
    int32_t group_end[MARL__COMBAT_MOST_UNITS]; /* of each group: id behind its last unit, and where it stands */
    int32_t group_at[MARL__COMBAT_MOST_UNITS];
    int32_t group_count;
} loader;

static const char *const type_words[] = {"null", "true or false", "a number", "a text", "an array", "an object"};

/* Puts "FILE:LINE: " in front of the present sentence. */
static marl_status blame(const loader *l, int32_t value, marl_status status) {
    return marl__fail_prefix(status, "%s:%u: ", l->path, marl__line_of(l->text, marl__json_start(l->json, value)));
}

#define REFUSE(l, value, ...) blame(l, value, marl__fail(MARL_E_FORMAT, __VA_ARGS__))

/* ---- pieces of JSON ---- */

static marl_status expect(const loader *l, int32_t value, const char *what, int32_t type) {
    if (marl__json_type(l->json, value) == type) return MARL_OK;
    return REFUSE(l, value, "%s is %s; expected %s", what, type_words[marl__json_type(l->json, value)],
                  type_words[type]);
}

static marl_status read_real(const loader *l, int32_t value, const char *what, double low, double high, double *out) {
    marl_status status = expect(l, value, what, MARL__JSON_NUMBER);

    if (status != MARL_OK) return status;
    if ((status = marl__json_real(l->json, value, out)) != MARL_OK) return blame(l, value, status);
    if (!(*out >= low && *out <= high)) {
        return REFUSE(l, value, "%s is %s; expected a number from %g to %g", what, marl__json_spelling(l->json, value),
                      low, high);
    }
    return MARL_OK;
}

static marl_status read_whole(const loader *l, int32_t value, const char *what, int32_t low, int32_t high,
                              int32_t *out) {
    double real = 0;
    marl_status status = expect(l, value, what, MARL__JSON_NUMBER);

    if (status != MARL_OK) return status;
    if ((status = marl__json_real(l->json, value, &real)) != MARL_OK) return blame(l, value, status);
    if (!(real >= low && real <= high) || real != floor(real)) {
        return REFUSE(l, value, "%s is %s; expected a whole number from %d to %d", what,
                      marl__json_spelling(l->json, value), low, high);
    }
    *out = (int32_t)real;
    return MARL_OK;
}

/* Two numbers in an array. */
static marl_status read_pair(const loader *l, int32_t value, const char *what, double high_x, double high_y, double *x,
                             double *y) {
    int32_t first = marl__json_first(l->json, value);
    marl_status status = expect(l, value, what, MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, value) != 2) {
        return REFUSE(l, value, "%s has %u numbers; expected two", what, marl__json_count(l->json, value));
    }
    if ((status = read_real(l, first, what, 0, high_x, x)) != MARL_OK) return status;
    return read_real(l, marl__json_next(l->json, first), what, 0, high_y, y);
}

/* Index of a text among words. */
static marl_status read_word(const loader *l, int32_t value, const char *what, const char *const *words, uint32_t count,
                             int32_t *out) {
    const char *text = marl__json_text(l->json, value);
    marl_status status = expect(l, value, what, MARL__JSON_TEXT);

    if (status != MARL_OK) return status;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int32_t)i;
            return MARL_OK;
        }
    }
    return blame(l, value, marl__no_such_name(what, text, words, count));
}

static marl_status check_keys(const loader *l, int32_t object, const char *what, const char *const *names,
                              uint32_t count) {
    marl_status status = expect(l, object, what, MARL__JSON_OBJECT);

    for (int32_t key = status == MARL_OK ? marl__json_first(l->json, object) : -1; key >= 0;
         key = marl__json_next(l->json, key)) {
        int32_t known = 0;
        for (uint32_t i = 0; i < count; i++) {
            known |= strcmp(names[i], marl__json_text(l->json, key)) == 0;
        }
        if (!known) return blame(l, key, marl__no_such_name("key", marl__json_text(l->json, key), names, count));
    }
    return status;
}

#define CHECK_KEYS(l, object, what, names) check_keys(l, object, what, names, sizeof names / sizeof names[0])

static marl_status find(const loader *l, int32_t object, const char *what, const char *key, int32_t *out) {
    *out = marl__json_find(l->json, object, key);
    return *out >= 0 ? MARL_OK : REFUSE(l, object, "%s lacks the key \"%s\"", what, key);
}

/* ---- unit types ---- */

typedef struct trait {
    const char *name;
    size_t offset; /* of a double in marl__combat_type */
    double low, high;
} trait;

#define TRAIT(key, member, low, high) {key, offsetof(marl__combat_type, member), low, high}

/* "size" is twice the radius. Nothing may live in no hit points or be without extent. */
static const trait traits[] = {
    TRAIT("hp", hp, 1, 1e6),
    TRAIT("shield", shield, 0, 1e6),
    TRAIT("armor", armor, 0, 1e6),
    TRAIT("damage", damage, 0, 1e6),
    TRAIT("bonus", bonus, 0, 1e6),
    TRAIT("cooldown", cooldown, 0, 60),
    TRAIT("range", range, 0, MARL__COMBAT_MOST_SIDE),
    TRAIT("speed", speed, 0, 16),
    TRAIT("size", radius, 0.1, 8),
    TRAIT("scan", scan, 0, 2 * MARL__COMBAT_MOST_SIDE),
    TRAIT("regeneration", regeneration, 0, 1e4),
    TRAIT("energy", energy, 0, 1e6),
    TRAIT("initial_energy", initial_energy, 0, 1e6),
    TRAIT("splash", splash, 0, MARL__COMBAT_MOST_SIDE),
    TRAIT("beam_width", beam_width, 0, MARL__COMBAT_MOST_SIDE),
    TRAIT("beam_height", beam_height, 0, MARL__COMBAT_MOST_SIDE),
};

enum { TRAIT_COUNT = sizeof traits / sizeof traits[0] };

/* All keys of a type: the traits, then those that are no plain number. */
static const char *const type_keys[] = {
    "hp", "shield", "armor", "damage", "bonus", "cooldown", "range", "speed", "size", "scan", "regeneration", "energy",
    "initial_energy", "splash", "beam_width", "beam_height", "base", "attacks", "bonus_attribute", "plane", "hits",
    "attributes", "weapon"};

static const char *const planes[] = {"ground", "air"};
static const char *const weapons[] = {[MARL__COMBAT_STANDARD] = "standard", [MARL__COMBAT_HEAL] = "heal",
                                      [MARL__COMBAT_BEAM] = "beam", [MARL__COMBAT_KAMIKAZE] = "kamikaze"};
static const char *const attributes[] = {"light", "armored", "biological", "mechanical", "massive", "structure"};

/* Bit i for the word with index i. */
static marl_status read_flags(const loader *l, int32_t list, const char *what, const char *const *words, uint32_t count,
                              int32_t *out) {
    marl_status status = expect(l, list, what, MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    *out = 0;
    for (int32_t item = marl__json_first(l->json, list); item >= 0; item = marl__json_next(l->json, item)) {
        int32_t word = 0;
        if ((status = read_word(l, item, what, words, count, &word)) != MARL_OK) return status;
        *out |= 1 << word;
    }
    return MARL_OK;
}

/* A type of the file or of the library. */
static const marl__combat_type *find_type(const loader *l, const char *name) {
    for (int32_t i = 0; i < l->own_count; i++) {
        if (strcmp(l->own[i].name, name) == 0) {
            return &l->own[i];
        }
    }
    return marl__combat_type_find(name);
}

static marl_status unknown_type(const loader *l, int32_t value) {
    const char *names[2 * MARL__COMBAT_MOST_TYPES];
    uint32_t count = 0;

    for (int32_t i = 0; i < l->own_count; i++) {
        names[count++] = l->own[i].name;
    }
    for (int32_t i = 0; i < marl__combat_type_count(); i++) {
        names[count++] = marl__combat_type_at(i)->name;
    }
    return blame(l, value, marl__no_such_name("unit type", marl__json_text(l->json, value), names, count));
}

static marl_status read_base(const loader *l, int32_t object, marl__combat_type *type) {
    int32_t value = -1;
    const marl__combat_type *base = NULL;
    marl_status status = find(l, object, "a unit type", "base", &value);

    if (status != MARL_OK) return status;
    if ((status = expect(l, value, "\"base\"", MARL__JSON_TEXT)) != MARL_OK) return status;
    base = find_type(l, marl__json_text(l->json, value));
    if (!base) return unknown_type(l, value);
    *type = *base;
    return MARL_OK;
}

static marl_status read_numbers(const loader *l, int32_t object, marl__combat_type *type) {
    marl_status status = MARL_OK;

    for (int32_t i = 0; i < TRAIT_COUNT; i++) {
        double *member = (double *)(void *)((char *)type + traits[i].offset);
        int32_t value = marl__json_find(l->json, object, traits[i].name);
        if (value < 0) {
            continue;
        }
        if ((status = read_real(l, value, traits[i].name, traits[i].low, traits[i].high, member)) != MARL_OK) {
            return status;
        }
        *member /= member == &type->radius ? 2 : 1;
    }
    return MARL_OK;
}

static marl_status read_words(const loader *l, int32_t object, marl__combat_type *type) {
    int32_t value = -1, word = 0;
    marl_status status = MARL_OK;

    if ((value = marl__json_find(l->json, object, "attacks")) >= 0 &&
        (status = read_whole(l, value, "attacks", 1, 100, &type->attacks)) != MARL_OK) {
        return status;
    }
    if ((value = marl__json_find(l->json, object, "weapon")) >= 0 &&
        (status = read_word(l, value, "weapon", weapons, 4, &type->weapon)) != MARL_OK) {
        return status;
    }
    if ((value = marl__json_find(l->json, object, "plane")) >= 0) {
        if ((status = read_word(l, value, "plane", planes, 2, &word)) != MARL_OK) return status;
        type->plane = 1 << word;
    }
    if ((value = marl__json_find(l->json, object, "bonus_attribute")) >= 0) {
        if ((status = read_word(l, value, "bonus_attribute", attributes, 6, &word)) != MARL_OK) return status;
        type->bonus_attribute = 1 << word;
    }
    if ((value = marl__json_find(l->json, object, "hits")) >= 0 &&
        (status = read_flags(l, value, "hits", planes, 2, &type->hits)) != MARL_OK) {
        return status;
    }
    if ((value = marl__json_find(l->json, object, "attributes")) >= 0 &&
        (status = read_flags(l, value, "attributes", attributes, 6, &type->attributes)) != MARL_OK) {
        return status;
    }
    return MARL_OK;
}

/* What a weapon cannot be without. */
static marl_status check_weapon(const loader *l, int32_t object, const marl__combat_type *t) {
    if (t->weapon == MARL__COMBAT_HEAL && !(t->energy > 0)) {
        return REFUSE(l, object, "a healer needs energy; it is %g", t->energy);
    }
    if (t->initial_energy > t->energy) {
        return REFUSE(l, object, "initial_energy %g is above energy %g", t->initial_energy, t->energy);
    }
    if (t->weapon == MARL__COMBAT_BEAM && !(t->beam_width > 0 && t->beam_height > 0)) {
        return REFUSE(l, object, "a beam needs beam_width and beam_height above 0; they are %g and %g", t->beam_width,
                      t->beam_height);
    }
    if (t->weapon == MARL__COMBAT_KAMIKAZE && !(t->splash > 0)) {
        return REFUSE(l, object, "a kamikaze needs splash above 0; it is %g", t->splash);
    }
    return MARL_OK;
}

static marl_status read_type(loader *l, int32_t key) {
    int32_t object = marl__json_of(l->json, key);
    marl__combat_type *type = &l->own[l->own_count];
    const char *name = marl__json_text(l->json, key);
    marl_status status = MARL_OK;

    if (l->own_count == MARL__COMBAT_MOST_TYPES) {
        return REFUSE(l, key, "more than %d unit types", MARL__COMBAT_MOST_TYPES);
    }
    if (name[0] == '\0' || strlen(name) >= sizeof l->out->type_names[0]) {
        return REFUSE(l, key, "the name of a unit type has from 1 to %zu bytes; \"%.40s\" has %zu",
                      sizeof l->out->type_names[0] - 1, name, strlen(name));
    }
    if (find_type(l, name)) return REFUSE(l, key, "there is a unit type \"%s\" already", name);
    if ((status = CHECK_KEYS(l, object, "a unit type", type_keys)) != MARL_OK) return status;
    if ((status = read_base(l, object, type)) != MARL_OK) return status;
    if ((status = read_numbers(l, object, type)) != MARL_OK) return status;
    if ((status = read_words(l, object, type)) != MARL_OK) return status;
    if ((status = check_weapon(l, object, type)) != MARL_OK) return status;
    type->name = name; /* the scenario takes a copy of those that occur */
    l->own_count++;
    return MARL_OK;
}

static marl_status read_types(loader *l, int32_t types) {
    marl_status status = expect(l, types, "\"types\"", MARL__JSON_OBJECT);

    for (int32_t key = status == MARL_OK ? marl__json_first(l->json, types) : -1; key >= 0 && status == MARL_OK;
         key = marl__json_next(l->json, key)) {
        status = read_type(l, key);
    }
    return status;
}

/* ---- terrain ---- */

static marl_status read_size(loader *l, int32_t size) {
    int32_t first = marl__json_first(l->json, size), width = 0, height = 0;
    marl_status status = expect(l, size, "\"size\"", MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, size) != 2) return REFUSE(l, size, "\"size\" is not two numbers, width and height");
    if ((status = read_whole(l, first, "the width", 1, MARL__COMBAT_MOST_SIDE, &width)) != MARL_OK) return status;
    if ((status = read_whole(l, marl__json_next(l->json, first), "the height", 1, MARL__COMBAT_MOST_SIDE, &height)) !=
        MARL_OK) {
        return status;
    }
    marl__combat_begin(l->out, l->path, width, height);
    marl__combat_open(l->out, 0, height - 1, 0, width - 1);
    return MARL_OK;
}

static marl_status read_row(loader *l, int32_t value, int32_t y) {
    const char *text = marl__json_text(l->json, value);
    size_t length = strlen(text);
    marl_status status = expect(l, value, "a row of the terrain", MARL__JSON_TEXT);

    if (status != MARL_OK) return status;
    if (length != (size_t)l->out->width) {
        return REFUSE(l, value, "this row of the terrain has %zu cells, the first one %d", length, l->out->width);
    }
    if (strspn(text, ".#") != length) {
        return REFUSE(l, value, "a row of the terrain consists of '.' (ground) and '#' (wall); this one is \"%.64s\"",
                      text);
    }
    for (int32_t x = 0; x < l->out->width; x++) {
        l->out->walkable[y * l->out->width + x] = text[x] == '.';
    }
    return MARL_OK;
}

/* The first row is the northernmost, as on paper. */
static marl_status read_terrain(loader *l, int32_t terrain) {
    int32_t first = marl__json_first(l->json, terrain), rows = 0;
    size_t width = strlen(marl__json_text(l->json, first));
    marl_status status = expect(l, terrain, "\"terrain\"", MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, terrain) < 1 || marl__json_count(l->json, terrain) > MARL__COMBAT_MOST_SIDE) {
        return REFUSE(l, terrain, "the terrain has %u rows; expected from 1 to %d",
                      marl__json_count(l->json, terrain), MARL__COMBAT_MOST_SIDE);
    }
    if ((status = expect(l, first, "a row of the terrain", MARL__JSON_TEXT)) != MARL_OK) return status;
    if (width < 1 || width > MARL__COMBAT_MOST_SIDE) {
        return REFUSE(l, first, "a row of the terrain has %zu cells; expected from 1 to %d", width,
                      MARL__COMBAT_MOST_SIDE);
    }
    rows = (int32_t)marl__json_count(l->json, terrain);
    marl__combat_begin(l->out, l->path, (int32_t)width, rows);
    for (int32_t row = first; row >= 0 && status == MARL_OK; row = marl__json_next(l->json, row)) {
        status = read_row(l, row, --rows);
    }
    return status;
}

static marl_status read_ground(loader *l) {
    int32_t size = marl__json_find(l->json, 0, "size"), terrain = marl__json_find(l->json, 0, "terrain");

    if ((size >= 0) == (terrain >= 0)) {
        return REFUSE(l, 0, "a scenario has either \"terrain\" (rows of '.' and '#') or \"size\" (open ground)");
    }
    return terrain >= 0 ? read_terrain(l, terrain) : read_size(l, size);
}

/* ---- groups ---- */

/* Appends count times the type of one part of a group. */
static marl_status read_part(loader *l, int32_t part, int32_t *types, int32_t *count) {
    static const char *const keys[] = {"type", "count"};
    const marl__combat_type *type = NULL;
    int32_t value = -1, more = 0, index = 0;
    marl_status status = CHECK_KEYS(l, part, "a part of a group", keys);

    if (status != MARL_OK) return status;
    if ((status = find(l, part, "a part of a group", "type", &value)) != MARL_OK) return status;
    if ((status = expect(l, value, "\"type\"", MARL__JSON_TEXT)) != MARL_OK) return status;
    type = find_type(l, marl__json_text(l->json, value));
    if (!type) return unknown_type(l, value);
    if ((status = find(l, part, "a part of a group", "count", &value)) != MARL_OK) return status;
    if ((status = read_whole(l, value, "\"count\"", 1, MARL__COMBAT_MOST_UNITS, &more)) != MARL_OK) return status;
    if (*count + more > MARL__COMBAT_MOST_UNITS - l->out->unit_count) {
        return REFUSE(l, value, "%d more units are too many: a battle holds %d", more, MARL__COMBAT_MOST_UNITS);
    }
    if ((index = marl__combat_add_type(l->out, type)) < 0) {
        return REFUSE(l, part, "more than %d unit types take part", MARL__COMBAT_MOST_TYPES);
    }
    for (int32_t i = 0; i < more; i++) {
        types[(*count)++] = index;
    }
    return MARL_OK;
}

static marl_status read_group(loader *l, int32_t object) {
    static const char *const keys[] = {"side", "at", "units"};
    static const char *const sides[] = {[MARL__COMBAT_ALLY] = "ally", [MARL__COMBAT_ENEMY] = "enemy"};
    int32_t types[MARL__COMBAT_MOST_UNITS], value = -1;
    marl__combat_group group = {0, 0, 0, 0, types};
    marl_status status = CHECK_KEYS(l, object, "a group", keys);

    if (status != MARL_OK) return status;
    if ((status = find(l, object, "a group", "side", &value)) != MARL_OK) return status;
    if ((status = read_word(l, value, "side", sides, 2, &group.side)) != MARL_OK) return status;
    if ((status = find(l, object, "a group", "at", &value)) != MARL_OK) return status;
    if ((status = read_pair(l, value, "\"at\"", l->out->width, l->out->height, &group.x, &group.y)) != MARL_OK) {
        return status;
    }
    if ((status = find(l, object, "a group", "units", &value)) != MARL_OK) return status;
    if ((status = expect(l, value, "\"units\"", MARL__JSON_ARRAY)) != MARL_OK) return status;
    for (int32_t part = marl__json_first(l->json, value); part >= 0; part = marl__json_next(l->json, part)) {
        if ((status = read_part(l, part, types, &group.count)) != MARL_OK) return status;
    }
    if (group.count == 0) return REFUSE(l, object, "this group has no units");
    if ((status = marl__combat_place(l->out, &group)) != MARL_OK) return blame(l, object, status);
    l->group_end[l->group_count] = l->out->unit_count;
    l->group_at[l->group_count++] = object;
    return MARL_OK;
}

/* Every group has a unit, so there are never more of them than units. */
static marl_status read_groups(loader *l) {
    int32_t groups = -1, unit = -1, g = 0;
    marl_status status = find(l, 0, "a scenario", "groups", &groups);

    if (status != MARL_OK) return status;
    if ((status = expect(l, groups, "\"groups\"", MARL__JSON_ARRAY)) != MARL_OK) return status;
    for (int32_t group = marl__json_first(l->json, groups); group >= 0; group = marl__json_next(l->json, group)) {
        if ((status = read_group(l, group)) != MARL_OK) return status;
    }
    if ((status = marl__combat_check_places(l->out, &unit)) != MARL_OK) {
        while (unit >= l->group_end[g]) {
            g++;
        }
        return blame(l, l->group_at[g], status);
    }
    status = marl__combat_finish(l->out);
    return status == MARL_OK ? MARL_OK : blame(l, groups, status);
}

/* ---- the file ---- */

static marl_status read_scenario(loader *l) {
    static const char *const keys[] = {"terrain", "size", "types", "groups", "attack_point", "episode_limit"};
    int32_t types = -1, limit = -1, point = -1;
    marl_status status = CHECK_KEYS(l, 0, "a scenario", keys);

    if (status != MARL_OK) return status;
    if ((status = read_ground(l)) != MARL_OK) return status;
    types = marl__json_find(l->json, 0, "types");
    if (types >= 0 && (status = read_types(l, types)) != MARL_OK) return status;
    if ((status = find(l, 0, "a scenario", "attack_point", &point)) != MARL_OK) return status;
    if ((status = read_pair(l, point, "\"attack_point\"", l->out->width, l->out->height, &l->out->attack_x,
                            &l->out->attack_y)) != MARL_OK) {
        return status;
    }
    limit = marl__json_find(l->json, 0, "episode_limit");
    l->out->episode_limit = DEFAULT_LIMIT;
    if (limit >= 0 &&
        (status = read_whole(l, limit, "\"episode_limit\"", 1, 1000000, &l->out->episode_limit)) != MARL_OK) {
        return status;
    }
    return read_groups(l);
}

marl_status marl__combat_file_load(marl__heap *heap, const char *path, marl__combat_scenario *out) {
    char *text = NULL;
    size_t bytes = 0;
    loader *l = marl__alloc_zero(heap, sizeof *l);
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
