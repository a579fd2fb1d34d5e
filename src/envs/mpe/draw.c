/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the particle environments: discs on paper with a ring around each goal, what was said as a bar of words
 * below; and a map of letters for terminals. The picture always holds everybody: it zooms out when somebody leaves. */
#include "envs/mpe/mpe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "envs/canvas.h"

#define SIDE 400
#define BAR 14     /* height of one speaker's words */
#define MAP_ROWS 21
#define MAP_COLS 43

/* Half the side of the square that holds all bodies; the published square of 1 with a margin at least. */
static double half_view(const marl__mpe *e) {
    double half = 1.15;

    for (int32_t k = 0; k < e->agents + e->landmarks; k++) {
        for (int c = 0; c < 2; c++) {
            double reach = fabs(e->pos[k][c]) + e->bodies[k].size + 0.05;
            half = reach > half ? reach : half;
        }
    }
    return half;
}

static int32_t speakers(const marl__mpe *e) {
    int32_t count = 0;

    for (int32_t i = 0; i < e->agents; i++) {
        count += e->bodies[i].speaks;
    }
    return count;
}

/* Lines at the middle and at +-1, the borders of the places where an episode begins. */
static void draw_lines(marl_image *image, double scale) {
    for (int32_t k = -1; k <= 1; k++) {
        int32_t at = (int32_t)(SIDE / 2 + k * scale);
        marl__canvas_rect(image, at, 0, 1, SIDE, 0xe3ded2);
        marl__canvas_rect(image, 0, at, SIDE, 1, 0xe3ded2);
    }
}

static void draw_body(const marl__mpe *e, marl_image *image, int32_t k, double scale) {
    const marl__mpe_body *body = &e->bodies[k];
    double x = SIDE / 2 + e->pos[k][0] * scale, y = SIDE / 2 - e->pos[k][1] * scale;
    double radius = body->size * scale > 2 ? body->size * scale : 2;

    marl__canvas_ring(image, x, y, 0, radius, body->rgb, k < e->agents ? 0.62 : 1);
    marl__canvas_ring(image, x, y, radius - 1.5, radius, body->rgb, 1);
    for (int32_t g = 0; g < e->goals; g++) {
        if (k == e->agents + e->goal[g]) {
            marl__canvas_ring(image, x, y, radius + 3 + 4 * g, radius + 5 + 4 * g, 0x2b2d30, 0.85);
        }
    }
}

/* One cell a word, the fuller the louder. */
static void draw_words(const marl__mpe *e, marl_image *image) {
    int32_t top = SIDE;

    for (int32_t i = 0; i < e->agents; i++) {
        if (!e->bodies[i].speaks) {
            continue;
        }
        marl__canvas_ring(image, 8, top + BAR / 2.0, 0, 4, e->bodies[i].rgb, 1);
        for (int32_t k = 0; k < e->words; k++) {
            int32_t width = (SIDE - 20) / e->words, left = 18 + k * width;
            marl__canvas_rect(image, left, top + 2, width - 3, BAR - 4, 0xd9d4c7);
            marl__canvas_rect(image, left, top + 2, (int32_t)((width - 3) * e->said[i][k]), BAR - 4, 0x4a4e54);
        }
        top += BAR;
    }
}

marl_status marl__mpe_render(void *env, marl_image *image) {
    const marl__mpe *e = env;
    double scale = SIDE / 2 / half_view(e);

    image->width = SIDE;
    image->height = (uint32_t)(SIDE + BAR * speakers(e));
    if (!image->pixels) {
        return MARL_OK;
    }
    marl__canvas_rect(image, 0, 0, SIDE, (int32_t)image->height, 0xf7f4ec);
    draw_lines(image, scale);
    for (int32_t k = e->agents + e->landmarks - 1; k >= 0; k--) {
        draw_body(e, image, k, scale);
    }
    draw_words(e, image);
    return MARL_OK;
}

/* ---- text ---- */

static char letter_of(int32_t index, char first) {
    return (char)(first + index % 26);
}

/* Landmarks are small letters, agents large ones on top. */
static void fill_map(const marl__mpe *e, char map[MAP_ROWS][MAP_COLS + 1]) {
    double half = half_view(e);

    for (int32_t row = 0; row < MAP_ROWS; row++) {
        memset(map[row], ' ', MAP_COLS);
        map[row][MAP_COLS] = '\0';
    }
    for (int32_t k = e->agents + e->landmarks - 1; k >= 0; k--) {
        int32_t col = (int32_t)((e->pos[k][0] / half + 1) / 2 * (MAP_COLS - 1) + 0.5);
        int32_t row = (int32_t)((1 - e->pos[k][1] / half) / 2 * (MAP_ROWS - 1) + 0.5);
        map[row][col] = k < e->agents ? letter_of(k, 'A') : letter_of(k - e->agents, 'a');
    }
}

static void put_words(const marl__mpe *e, marl__canvas_text *text) {
    char more[48];

    for (int32_t i = 0; i < e->agents; i++) {
        if (!e->bodies[i].speaks) {
            continue;
        }
        snprintf(more, sizeof more, "%c says", letter_of(i, 'A'));
        marl__canvas_put(text, more);
        for (int32_t k = 0; k < e->words; k++) {
            snprintf(more, sizeof more, " %.2g", e->said[i][k]);
            marl__canvas_put(text, more);
        }
        marl__canvas_put(text, "\n");
    }
}

marl_status marl__mpe_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    static const char edge[] = "+-------------------------------------------+\n";
    const marl__mpe *e = env;
    marl__canvas_text text = {buffer, buffer_bytes, 0};
    char map[MAP_ROWS][MAP_COLS + 1], more[96];

    snprintf(more, sizeof more, "step %d of %d   %s %.3g", e->step, e->rules.max_steps, e->scenario->scalar_name,
             e->scenario->scalar(e));
    marl__canvas_put(&text, more);
    for (int32_t g = 0; g < e->goals; g++) {
        snprintf(more, sizeof more, "   goal %c", letter_of(e->goal[g], 'a'));
        marl__canvas_put(&text, more);
    }
    marl__canvas_put(&text, "\n");
    marl__canvas_put(&text, edge);
    fill_map(e, map);
    for (int32_t row = 0; row < MAP_ROWS; row++) {
        marl__canvas_put(&text, "|");
        marl__canvas_put(&text, map[row]);
        marl__canvas_put(&text, "|\n");
    }
    marl__canvas_put(&text, edge);
    put_words(e, &text);
    return marl__canvas_finish(&text);
}
