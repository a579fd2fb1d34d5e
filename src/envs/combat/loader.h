/* SPDX-License-Identifier: Apache-2.0 */
/* Reading scenario files: pieces of JSON that are what they should be, or a sentence with file and line.
 * scenario_file.c reads terrain and groups, scenario_types.c the types that a file declares. */
#ifndef MARL__ENVS_COMBAT_LOADER_H
#define MARL__ENVS_COMBAT_LOADER_H

#include "core/base/json.h"
#include "core/base/status.h"
#include "envs/combat/build.h"

typedef struct marl__loader {
    marl__heap *heap;
    const char *path, *text;
    marl__json *json;
    marl__combat_scenario *out;
    marl__combat_type own[MARL__COMBAT_MOST_TYPES]; /* types that the file declares */
    int32_t own_count;
    int32_t group_end[MARL__COMBAT_MOST_UNITS]; /* of each group: id behind its last unit, and where it stands */
    int32_t group_at[MARL__COMBAT_MOST_UNITS];
    int32_t group_count;
} marl__loader;

/* loader.c */
/* Puts "FILE:LINE: " of a value in front of the present sentence. */
marl_status marl__load_blame(const marl__loader *l, int32_t value, marl_status status);

#define MARL__REFUSE(l, value, ...) marl__load_blame(l, value, marl__fail(MARL_E_FORMAT, __VA_ARGS__))

/* Whether the value is of a marl__json_type. what: names it in sentences. */
marl_status marl__load_expect(const marl__loader *l, int32_t value, const char *what, int32_t type);
marl_status marl__load_real(const marl__loader *l, int32_t value, const char *what, double low, double high,
                            double *out);
marl_status marl__load_whole(const marl__loader *l, int32_t value, const char *what, int32_t low, int32_t high,
                             int32_t *out);
/* Two numbers in an array, from 0 on. */
marl_status marl__load_pair(const marl__loader *l, int32_t value, const char *what, double high_x, double high_y,
                            double *x, double *y);
/* Index of a text among words. */
marl_status marl__load_word(const marl__loader *l, int32_t value, const char *what, const char *const *words,
                            uint32_t count, int32_t *out);
/* Whether the value is an object with no other keys than these. */
marl_status marl__load_check_keys(const marl__loader *l, int32_t object, const char *what, const char *const *names,
                                  uint32_t count);
#define MARL__CHECK_KEYS(l, object, what, names)                                                                \
    marl__load_check_keys(l, object, what, names, sizeof names / sizeof names[0])
/* The value of a key that has to be there. */
marl_status marl__load_need(const marl__loader *l, int32_t object, const char *what, const char *key, int32_t *out);

/* scenario_types.c */
marl_status marl__load_types(marl__loader *l, int32_t types);
/* A type of the file or of the library, NULL: there is none. */
const marl__combat_type *marl__load_find_type(const marl__loader *l, const char *name);
/* Refuses the name of a type that there is not, and suggests one. */
marl_status marl__load_unknown_type(const marl__loader *l, int32_t value);

#endif
