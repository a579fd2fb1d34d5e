/* SPDX-License-Identifier: Apache-2.0 */
/* See colors.h. Too many colours are cut into boxes: always the box whose pixels lie furthest from their mean in sum,
 * across its longest spread, at the mean. Flat colours, which fill most of such pictures, get boxes of their own that
 * way and stay exact; smooth edges share what is left. There is no dithering: it would flicker from frame to frame. */
#include "colors.h"

#include <stdlib.h>
#include <string.h>

/* Beyond so many colours new ones are counted without their low bits, so that memory stays bounded. */
enum { COLORS_MAX = 1 << 20, COARSE_MASK = 0xF8F8F8, COARSE_MIDDLE = 0x040404, CAPACITY_MIN = 1024 };

static color_entry *find(const color_set *set, uint32_t rgb) {
    size_t mask = set->capacity - 1, at = (rgb * 0x9E3779B1u >> 8) & mask;

    while (set->entries[at].count > 0 && set->entries[at].rgb != rgb) at = (at + 1) & mask;
    return &set->entries[at];
}

static bool grow(color_set *set) {
    color_set larger = {.capacity = set->capacity ? 2 * set->capacity : CAPACITY_MIN, .count = set->count};

    if (!(larger.entries = calloc(larger.capacity, sizeof *larger.entries))) return false;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->entries[i].count > 0) *find(&larger, set->entries[i].rgb) = set->entries[i];
    }
    free(set->entries);
    *set = larger;
    return true;
}

static uint32_t coarse(uint32_t rgb) {
    return (rgb & COARSE_MASK) | COARSE_MIDDLE;
}

static bool add(color_set *set, uint32_t rgb, uint64_t count) {
    color_entry *entry;

    if (2 * set->count >= set->capacity && !grow(set)) return false;
    entry = find(set, rgb);
    if (entry->count == 0 && set->count >= COLORS_MAX) entry = find(set, rgb = coarse(rgb));
    if (entry->count == 0) set->count++;
    entry->rgb = rgb;
    entry->count += count;
    return true;
}

static uint32_t rgb_of(const uint8_t *pixel) {
    return (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
}

bool color_set_add(color_set *set, const uint8_t *pixels, size_t count) {
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && memcmp(pixels + 3 * i, pixels + 3 * (i + run), 3) == 0; run++) continue;
        if (!add(set, rgb_of(pixels + 3 * i), run)) return false;
    }
    return true;
}

/* Neighbours in `order`, and where their pixels lie. */
typedef struct box {
    size_t first, count;
    int axis;                /* of the greatest spread: 16, 8 or 0, the shift of red, green or blue */
    double mean[3], spread;  /* of red, green, blue; spread: summed squares of distances from the mean */
} box;

static int channel(uint32_t rgb, int shift) {
    return (int)(rgb >> shift & 255u);
}

/* In two passes, so that values that are all the same have a spread of exactly 0. */
static void measure(box *box, color_entry *const *order) {
    double weight = 0.0, spread[3] = {0};

    memset(box->mean, 0, sizeof box->mean);
    for (size_t i = box->first; i < box->first + box->count; i++) {
        weight += (double)order[i]->count;
        for (int c = 0; c < 3; c++) box->mean[c] += (double)order[i]->count * channel(order[i]->rgb, 16 - 8 * c);
    }
    for (int c = 0; c < 3; c++) box->mean[c] /= weight;
    for (size_t i = box->first; i < box->first + box->count; i++) {
        for (int c = 0; c < 3; c++) {
            double distance = channel(order[i]->rgb, 16 - 8 * c) - box->mean[c];

            spread[c] += (double)order[i]->count * distance * distance;
        }
    }
    box->axis = spread[0] >= spread[1] && spread[0] >= spread[2] ? 16 : spread[1] >= spread[2] ? 8 : 0;
    box->spread = spread[0] + spread[1] + spread[2];
}

/* Moves what lies above the mean behind the rest; the upper part is the new box. Both have a colour at least: the mean
 * of two different values lies strictly between the least and the greatest. */
static void cut(box *box, struct box *upper, color_entry **order) {
    double mean = box->mean[2 - box->axis / 8];
    size_t low = box->first, high = box->first + box->count;

    while (low < high) {
        if (channel(order[low]->rgb, box->axis) <= mean) {
            low++;
        } else {
            color_entry *entry = order[--high];

            order[high] = order[low];
            order[low] = entry;
        }
    }
    *upper = (struct box){.first = low, .count = box->first + box->count - low};
    box->count = low - box->first;
    measure(box, order);
    measure(upper, order);
}

/* A colour that most of a box's pixels have stands for the box, else the mean does. */
static void choose_color(const box *box, color_entry *const *order, uint8_t out[3]) {
    uint64_t most = 0, all = 0;
    uint32_t rgb = 0;

    for (size_t i = box->first; i < box->first + box->count; i++) {
        all += order[i]->count;
        if (order[i]->count <= most) continue;
        most = order[i]->count;
        rgb = order[i]->rgb;
    }
    for (int c = 0; c < 3; c++) {
        out[c] = 2 * most >= all ? (uint8_t)channel(rgb, 16 - 8 * c) : (uint8_t)(box->mean[c] + 0.5);
    }
}

static uint32_t nearest(const palette *palette, uint32_t rgb) {
    uint32_t best = 0;
    int least = INT32_MAX;

    for (uint32_t i = 0; i < palette->count && least > 0; i++) {
        int distance = 0;

        for (int c = 0; c < 3; c++) {
            int difference = palette->rgb[i][c] - channel(rgb, 16 - 8 * c);
            distance += difference * difference;
        }
        if (distance >= least) continue;
        least = distance;
        best = i;
    }
    return best;
}

static int compare(const void *a, const void *b) {
    uint32_t x = (*(color_entry *const *)a)->rgb, y = (*(color_entry *const *)b)->rgb;

    return (x > y) - (x < y);
}

static void choose_boxes(color_entry **order, size_t count, palette *out) {
    box boxes[PALETTE_MAX];

    boxes[0] = (box){.first = 0, .count = count};
    measure(&boxes[0], order);
    for (out->count = 1; out->count < PALETTE_MAX - 1; out->count++) {
        box *widest = &boxes[0];

        for (uint32_t i = 1; i < out->count; i++) {
            if (boxes[i].spread > widest->spread) widest = &boxes[i];
        }
        if (widest->spread <= 0.0) break;
        cut(widest, &boxes[out->count], order);
    }
    for (uint32_t i = 0; i < out->count; i++) choose_color(&boxes[i], order, out->rgb[i]);
}

bool color_set_choose(color_set *set, palette *out) {
    color_entry **order = malloc((set->count + 1) * sizeof *order);
    size_t count = 0;

    out->count = 0;
    if (!order) return false;
    for (size_t i = 0; i < set->capacity; i++) {
        if (set->entries[i].count > 0) order[count++] = &set->entries[i];
    }
    qsort(order, count, sizeof *order, compare);
    if (count <= PALETTE_MAX) {
        for (size_t i = 0; i < count; i++) {
            for (int c = 0; c < 3; c++) out->rgb[i][c] = (uint8_t)channel(order[i]->rgb, 16 - 8 * c);
        }
        out->count = (uint32_t)count;
    } else {
        choose_boxes(order, count, out);
    }
    for (size_t i = 0; i < count; i++) order[i]->index = nearest(out, order[i]->rgb);
    free(order);
    return true;
}

void color_set_map(const color_set *set, const uint8_t *pixels, size_t count, uint8_t *indices) {
    for (size_t i = 0; i < count; i++) {
        const color_entry *entry;

        if (i > 0 && memcmp(pixels + 3 * i, pixels + 3 * (i - 1), 3) == 0) {
            indices[i] = indices[i - 1];
            continue;
        }
        entry = find(set, rgb_of(pixels + 3 * i));
        if (entry->count == 0) entry = find(set, coarse(rgb_of(pixels + 3 * i)));
        indices[i] = (uint8_t)entry->index;
    }
}

void color_set_free(color_set *set) {
    free(set->entries);
    *set = (color_set){NULL, 0, 0};
}
