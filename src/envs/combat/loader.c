/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a scenario file, see loader.h. */
#include "envs/combat/loader.h"

#include <math.h>
#include <string.h>

static const char *const type_words[] = {"null", "true or false", "a number", "a text", "an array", "an object"};

marl_status marl__load_blame(const marl__loader *l, int32_t value, marl_status status) {
    return marl__fail_prefix(status, "%s:%u: ", l->path, marl__line_of(l->text, marl__json_start(l->json, value)));
}

marl_status marl__load_expect(const marl__loader *l, int32_t value, const char *what, int32_t type) {
    if (marl__json_type(l->json, value) == type) return MARL_OK;
    return MARL__REFUSE(l, value, "%s is %s; expected %s", what, type_words[marl__json_type(l->json, value)],
                        type_words[type]);
}

marl_status marl__load_real(const marl__loader *l, int32_t value, const char *what, double low, double high,
                            double *out) {
    marl_status status = marl__load_expect(l, value, what, MARL__JSON_NUMBER);

    if (status != MARL_OK) return status;
    if ((status = marl__json_real(l->json, value, out)) != MARL_OK) return marl__load_blame(l, value, status);
    if (!(*out >= low && *out <= high)) {
        return MARL__REFUSE(l, value, "%s is %s; expected a number from %g to %g", what,
                            marl__json_spelling(l->json, value), low, high);
    }
    return MARL_OK;
}

marl_status marl__load_whole(const marl__loader *l, int32_t value, const char *what, int32_t low, int32_t high,
                             int32_t *out) {
    double real = 0;
    marl_status status = marl__load_expect(l, value, what, MARL__JSON_NUMBER);

    if (status != MARL_OK) return status;
    if ((status = marl__json_real(l->json, value, &real)) != MARL_OK) return marl__load_blame(l, value, status);
    if (!(real >= low && real <= high) || real != floor(real)) {
        return MARL__REFUSE(l, value, "%s is %s; expected a whole number from %d to %d", what,
                            marl__json_spelling(l->json, value), low, high);
    }
    *out = (int32_t)real;
    return MARL_OK;
}

marl_status marl__load_pair(const marl__loader *l, int32_t value, const char *what, double high_x, double high_y,
                            double *x, double *y) {
    int32_t first = marl__json_first(l->json, value);
    marl_status status = marl__load_expect(l, value, what, MARL__JSON_ARRAY);

    if (status != MARL_OK) return status;
    if (marl__json_count(l->json, value) != 2) {
        return MARL__REFUSE(l, value, "%s has %u numbers; expected two", what, marl__json_count(l->json, value));
    }
    if ((status = marl__load_real(l, first, what, 0, high_x, x)) != MARL_OK) return status;
    return marl__load_real(l, marl__json_next(l->json, first), what, 0, high_y, y);
}

marl_status marl__load_word(const marl__loader *l, int32_t value, const char *what, const char *const *words,
                            uint32_t count, int32_t *out) {
    const char *text = marl__json_text(l->json, value);
    marl_status status = marl__load_expect(l, value, what, MARL__JSON_TEXT);

    if (status != MARL_OK) return status;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int32_t)i;
            return MARL_OK;
        }
    }
    return marl__load_blame(l, value, marl__no_such_name(what, text, words, count));
}

marl_status marl__load_check_keys(const marl__loader *l, int32_t object, const char *what, const char *const *names,
                                  uint32_t count) {
    marl_status status = marl__load_expect(l, object, what, MARL__JSON_OBJECT);

    for (int32_t key = status == MARL_OK ? marl__json_first(l->json, object) : -1; key >= 0;
         key = marl__json_next(l->json, key)) {
        int32_t known = 0;
        for (uint32_t i = 0; i < count; i++) {
            known |= strcmp(names[i], marl__json_text(l->json, key)) == 0;
        }
        if (!known)
            return marl__load_blame(l, key, marl__no_such_name("key", marl__json_text(l->json, key), names, count));
    }
    return status;
}

marl_status marl__load_need(const marl__loader *l, int32_t object, const char *what, const char *key, int32_t *out) {
    *out = marl__json_find(l->json, object, key);
    return *out >= 0 ? MARL_OK : MARL__REFUSE(l, object, "%s lacks the key \"%s\"", what, key);
}
