/* SPDX-License-Identifier: Apache-2.0 */
/* The colours of a film, and at most 256 of them to show it with. */
#ifndef CLI_COLORS_H
#define CLI_COLORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PALETTE_MAX = 256 };

typedef struct color_entry {
    uint32_t rgb;      /* 0xRRGGBB */
    uint32_t index;    /* in the palette */
    uint64_t count;    /* pixels; 0: nobody lives here */
} color_entry;

/* Every colour that occurs and how often: a table by hash. */
typedef struct color_set {
    color_entry *entries;
    size_t capacity, count; /* capacity is a power of two */
} color_set;

typedef struct palette {
    uint8_t rgb[PALETTE_MAX][3];
    uint32_t count;
} palette;

/* Counts the colours of pixels, (count,3). false: no memory. */
bool color_set_add(color_set *set, const uint8_t *pixels, size_t count);

/* Chooses a palette: every colour itself if there are at most 256 of them, else 255 that stand for all. false: no
 * memory. */
bool color_set_choose(color_set *set, palette *out);

/* Writes the palette's index of each pixel, (count); the pixels were added before color_set_choose. */
void color_set_map(const color_set *set, const uint8_t *pixels, size_t count, uint8_t *indices);

void color_set_free(color_set *set);

#endif
