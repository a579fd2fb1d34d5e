/* SPDX-License-Identifier: Apache-2.0 */
/* Declared settings: a component's table of keys, from which checking, --help, JSON and the manual come. */
#ifndef MARL__CORE_BASE_KEYS_H
#define MARL__CORE_BASE_KEYS_H

#include "marl/config.h"

typedef struct marl__key {
    const char *name;
    int32_t type;         /* marl_key_type */
    const char *initial;  /* default, as text */
    double minimum, maximum; /* INT and REAL */
    const char *choices;  /* CHOICE: "a|b|c" */
    const char *help;     /* one line */
} marl__key;

#define MARL__KEY_BOOL(name, initial, help) {name, MARL_KEY_BOOL, initial, 0, 1, NULL, help}
#define MARL__KEY_INT(name, initial, min, max, help) {name, MARL_KEY_INT, initial, min, max, NULL, help}
#define MARL__KEY_REAL(name, initial, min, max, help) {name, MARL_KEY_REAL, initial, min, max, NULL, help}
#define MARL__KEY_TEXT(name, initial, help) {name, MARL_KEY_TEXT, initial, 0, 0, NULL, help}
#define MARL__KEY_CHOICE(name, initial, choices, help) {name, MARL_KEY_CHOICE, initial, 0, 0, choices, help}

typedef struct marl__key_table {
    const marl__key *keys;
    uint32_t count;
} marl__key_table;

#define MARL__KEY_TABLE(array) {array, (uint32_t)(sizeof(array) / sizeof(array)[0])}

/* A preset: values applied in order. "KEY" may be any key of the config it is applied to; a key that the config does
 * not have is skipped (a preset may name keys of several algorithms). */
typedef struct marl__preset_value { const char *key, *value; } marl__preset_value;
/* What a preset sets besides, after its own values, in a config for one environment: "run/ALGO/ENV" with ENV as
 * written, or beginning with what stands before a final '*'. */
typedef struct marl__preset_place {
    const char *env;
    const marl__preset_value *values;
    uint32_t count;
} marl__preset_place;
typedef struct marl__preset {
    const char *name;
    const marl__preset_value *values;
    uint32_t count;
    const marl__preset_place *places;
    uint32_t place_count;
} marl__preset;

/* The nearest of `count` names to a misspelt one by edit distance, NULL if none is near (more than a third of its
 * letters differ). */
const char *marl__nearest_name(const char *name, const char *const *names, uint32_t count);

/* MARL_E_NAME: no WHAT "name"; did you mean "nearest"? */
marl_status marl__no_such_name(const char *what, const char *name, const char *const *names, uint32_t count);

#endif
