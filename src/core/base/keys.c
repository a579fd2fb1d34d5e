/* SPDX-License-Identifier: Apache-2.0 */
/* Suggestions for misspelt names: edit distance with neighbour swaps (optimal string alignment), letters compared
 * without case. Names are short, so three rows on the stack do. */
#include "core/base/keys.h"

#include "core/base/status.h"

#include <string.h>

#define LONGEST_NAME 96

static int lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Both at most LONGEST_NAME letters. Row i, column j: distance of the first i letters of a to the first j of b. */
static uint32_t edit_distance(const char *a, uint32_t a_count, const char *b, uint32_t b_count) {
    uint32_t rows[3][LONGEST_NAME + 1];
    uint32_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (uint32_t j = 0; j <= b_count; ++j) before[j] = above[j] = j;
    for (uint32_t i = 1; i <= a_count; ++i) {
        uint32_t *oldest = before;
        row[0] = i;
        for (uint32_t j = 1; j <= b_count; ++j) {
            uint32_t change = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_count];
}

const char *marl__nearest_name(const char *name, const char *const *names, uint32_t count) {
    const char *nearest = NULL;
    uint32_t nearest_distance = UINT32_MAX;
    size_t name_count = strlen(name);

    for (uint32_t index = 0; index < count; ++index) {
        size_t other_count = strlen(names[index]);
        size_t longer = name_count > other_count ? name_count : other_count;
        uint32_t distance;
        if (longer > LONGEST_NAME) continue;
        distance = edit_distance(name, (uint32_t)name_count, names[index], (uint32_t)other_count);
        if (distance * 3 > longer || distance >= nearest_distance) continue;
        nearest = names[index];
        nearest_distance = distance;
    }
    return nearest;
}

marl_status marl__no_such_name(const char *what, const char *name, const char *const *names, uint32_t count) {
    const char *near = marl__nearest_name(name, names, count);

    return near ? marl__fail(MARL_E_NAME, "no %s \"%.100s\"; did you mean \"%s\"?", what, name, near)
                : marl__fail(MARL_E_NAME, "no %s \"%.100s\"", what, name);
}
