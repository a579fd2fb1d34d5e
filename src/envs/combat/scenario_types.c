/* SPDX-License-Identifier: Apache-2.0 */
/* Unit types that a scenario file declares: a base type and what is different from it. The keys come from one table
 * that says name, member and range; a weapon then gets what it cannot be without. */
#include "envs/combat/loader.h"

#include <stddef.h>
#include <string.h>

typedef struct trait {
    const char *name;
    size_t offset; /* of a double in marl__combat_type */
    double low, high;
} trait;

#define TRAIT(key, member, low, high) \
    { key, offsetof(marl__combat_type, member), low, high }

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
    "hp",   "shield",  "armor",           "damage", "bonus",          "cooldown",   "range",      "speed",
    "size", "scan",    "regeneration",    "energy", "initial_energy", "splash",     "beam_width", "beam_height",
    "base", "attacks", "bonus_attribute", "plane",  "hits",           "attributes", "weapon"};

static const char *const planes[] = {"ground", "air"};
static const char *const weapons[] = {[MARL__COMBAT_STANDARD] = "standard",
                                      [MARL__COMBAT_HEAL] = "heal",
                                      [MARL__COMBAT_BEAM] = "beam",
                                      [MARL__COMBAT_KAMIKAZE] = "kamikaze"};
static const char *const attributes[] = {"light", "armored", "biological", "mechanical", "massive", "structure"};

/* Bit i for the word with index i. */
static marl_status read_flags(const marl__loader *l, int32_t list, const char *what, const char *const *words,
                              uint32_t count, int32_t *out) {
    marl_status status = marl__load_expect(l, list, what, MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    *out = 0;
    for (int32_t item = marl__json_first(l->json, list); item >= 0; item = marl__json_next(l->json, item)) {
        int32_t word = 0;
        if ((status = marl__load_word(l, item, what, words, count, &word)) != MARL_OK) return status;
        *out |= 1 << word;
    }
    return MARL_OK;
}

const marl__combat_type *marl__load_find_type(const marl__loader *l, const char *name) {
    for (int32_t i = 0; i < l->own_count; i++) {
        if (strcmp(l->own[i].name, name) == 0) {
            return &l->own[i];
        }
    }
    return marl__combat_type_find(name);
}

marl_status marl__load_unknown_type(const marl__loader *l, int32_t value) {
    const char *names[2 * MARL__COMBAT_MOST_TYPES];
    uint32_t count = 0;

    for (int32_t i = 0; i < l->own_count; i++) {
        names[count++] = l->own[i].name;
    }
    for (int32_t i = 0; i < marl__combat_type_count(); i++) {
        names[count++] = marl__combat_type_at(i)->name;
    }
    return marl__load_blame(l, value, marl__no_such_name("unit type", marl__json_text(l->json, value), names, count));
}

static marl_status read_base(const marl__loader *l, int32_t object, marl__combat_type *type) {
    int32_t value = -1;
    const marl__combat_type *base = NULL;
    marl_status status = marl__load_need(l, object, "a unit type", "base", &value);

    if (status != MARL_OK) return status;
    if ((status = marl__load_expect(l, value, "\"base\"", MARL__JSON_TEXT)) != MARL_OK) return status;
    base = marl__load_find_type(l, marl__json_text(l->json, value));
    if (!base) return marl__load_unknown_type(l, value);
    *type = *base;
    return MARL_OK;
}

static marl_status read_numbers(const marl__loader *l, int32_t object, marl__combat_type *type) {
    marl_status status = MARL_OK;

    for (int32_t i = 0; i < TRAIT_COUNT; i++) {
        double *member = (double *)(void *)((char *)type + traits[i].offset);
        int32_t value = marl__json_find(l->json, object, traits[i].name);
        if (value < 0) {
            continue;
        }
        if ((status = marl__load_real(l, value, traits[i].name, traits[i].low, traits[i].high, member)) != MARL_OK) {
            return status;
        }
        *member /= member == &type->radius ? 2 : 1;
    }
    return MARL_OK;
}

static marl_status read_words(const marl__loader *l, int32_t object, marl__combat_type *type) {
    int32_t value = -1, word = 0;
    marl_status status = MARL_OK;

    if ((value = marl__json_find(l->json, object, "attacks")) >= 0 &&
        (status = marl__load_whole(l, value, "attacks", 1, 100, &type->attacks)) != MARL_OK) {
        return status;
    }
    if ((value = marl__json_find(l->json, object, "weapon")) >= 0 &&
        (status = marl__load_word(l, value, "weapon", weapons, 4, &type->weapon)) != MARL_OK) {
        return status;
    }
    if ((value = marl__json_find(l->json, object, "plane")) >= 0) {
        if ((status = marl__load_word(l, value, "plane", planes, 2, &word)) != MARL_OK) return status;
        type->plane = 1 << word;
    }
    if ((value = marl__json_find(l->json, object, "bonus_attribute")) >= 0) {
        if ((status = marl__load_word(l, value, "bonus_attribute", attributes, 6, &word)) != MARL_OK) return status;
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
static marl_status check_weapon(const marl__loader *l, int32_t object, const marl__combat_type *t) {
    if (t->weapon == MARL__COMBAT_HEAL && !(t->energy > 0)) {
        return MARL__REFUSE(l, object, "a healer needs energy; it is %g", t->energy);
    }
    if (t->initial_energy > t->energy) {
        return MARL__REFUSE(l, object, "initial_energy %g is above energy %g", t->initial_energy, t->energy);
    }
    if (t->weapon == MARL__COMBAT_BEAM && !(t->beam_width > 0 && t->beam_height > 0)) {
        return MARL__REFUSE(l, object, "a beam needs beam_width and beam_height above 0; they are %g and %g",
                            t->beam_width, t->beam_height);
    }
    if (t->weapon == MARL__COMBAT_KAMIKAZE && !(t->splash > 0)) {
        return MARL__REFUSE(l, object, "a kamikaze needs splash above 0; it is %g", t->splash);
    }
    return MARL_OK;
}

static marl_status read_type(marl__loader *l, int32_t key) {
    int32_t object = marl__json_of(l->json, key);
    marl__combat_type *type = &l->own[l->own_count];
    const char *name = marl__json_text(l->json, key);
    marl_status status = MARL_OK;

    if (l->own_count == MARL__COMBAT_MOST_TYPES) {
        return MARL__REFUSE(l, key, "more than %d unit types", MARL__COMBAT_MOST_TYPES);
    }
    if (name[0] == '\0' || strlen(name) >= sizeof l->out->type_names[0]) {
        return MARL__REFUSE(l, key, "the name of a unit type has from 1 to %zu bytes; \"%.40s\" has %zu",
                            sizeof l->out->type_names[0] - 1, name, strlen(name));
    }
    if (marl__load_find_type(l, name)) return MARL__REFUSE(l, key, "there is a unit type \"%s\" already", name);
    if ((status = MARL__CHECK_KEYS(l, object, "a unit type", type_keys)) != MARL_OK) return status;
    if ((status = read_base(l, object, type)) != MARL_OK) return status;
    if ((status = read_numbers(l, object, type)) != MARL_OK) return status;
    if ((status = read_words(l, object, type)) != MARL_OK) return status;
    if ((status = check_weapon(l, object, type)) != MARL_OK) return status;
    type->name = name; /* the scenario takes a copy of those that occur */
    l->own_count++;
    return MARL_OK;
}

marl_status marl__load_types(marl__loader *l, int32_t types) {
    marl_status status = marl__load_expect(l, types, "\"types\"", MARL__JSON_OBJECT);

    for (int32_t key = status == MARL_OK ? marl__json_first(l->json, types) : -1; key >= 0 && status == MARL_OK;
         key = marl__json_next(l->json, key)) {
        status = read_type(l, key);
    }
    return status;
}
