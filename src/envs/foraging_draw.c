/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of Level-Based Foraging: coloured squares with one dot a level, and a text board for terminals. */
#include "envs/foraging.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define TILE 16 /* pixels a cell */

static void fill_rect(marl_image *image, uint32_t left, uint32_t top, uint32_t size, uint32_t rgb) {
    for (uint32_t y = top; y < top + size; y++) {
        for (uint32_t x = left; x < left + size; x++) {
            uint8_t *pixel = image->pixels + 3 * ((size_t)y * image->width + x);
            pixel[0] = (uint8_t)(rgb >> 16);
            pixel[1] = (uint8_t)(rgb >> 8);
            pixel[2] = (uint8_t)rgb;
        }
    }
}

/* A square with one dot a level, at most nine. */
static void draw_piece(marl_image *image, const marl__lbf_piece *p, uint32_t rgb) {
    uint32_t left = (uint32_t)p->col * TILE, top = (uint32_t)p->row * TILE;

    fill_rect(image, left + 2, top + 2, TILE - 4, rgb);
    for (uint32_t k = 0; k < (uint32_t)p->level && k < 9; k++) {
        fill_rect(image, left + 3 + k % 3 * 4, top + 3 + k / 3 * 4, 2, 0xffffff);
    }
}

marl_status marl__lbf_render(void *env, marl_image *image) {
    const marl__lbf *e = env;

    image->width = (uint32_t)e->rules.cols * TILE;
    image->height = (uint32_t)e->rules.rows * TILE;
    if (!image->pixels) {
        return MARL_OK;
    }
    for (uint32_t row = 0; row < (uint32_t)e->rules.rows; row++) {
        for (uint32_t col = 0; col < (uint32_t)e->rules.cols; col++) {
            fill_rect(image, col * TILE, row * TILE, TILE, (row + col) % 2 ? 0xe8e4da : 0xf2efe8);
        }
    }
    for (int32_t i = 0; i < e->food_left; i++) {
        draw_piece(image, &e->foods[i], 0x3f8f4f);
    }
    for (int32_t i = 0; i < e->rules.player_count; i++) {
        draw_piece(image, &e->players[i], 0x2f5fa8);
    }
    return MARL_OK;
}

/* Appends while there is room; afterwards *at tells what it would have taken. */
static void put_text(char *buffer, size_t bytes, size_t *at, const char *text) {
    for (; *text; text++, (*at)++) {
        if (*at + 1 < bytes) {
            buffer[*at] = *text;
        }
    }
}

/* Five columns a cell: food in brackets with its level, a player as letter and level, '+' where several stand. */
static void name_cell(const marl__lbf *e, int32_t row, int32_t col, char out[16]) {
    uint16_t food = e->board[marl__lbf_cell(e, row, col)];
    int32_t first = -1, count = 0;
    char mark[16];

    for (int32_t i = 0; i < e->rules.player_count; i++) {
        if (e->players[i].row == row && e->players[i].col == col) {
            first = first < 0 ? i : first;
            count++;
        }
    }
    if (count > 0) {
        char letter = first < 26 ? (char)('A' + first) : (char)('a' + first - 26);
        snprintf(mark, sizeof mark, "%c%d%s", letter, e->players[first].level, count > 1 ? "+" : "");
        snprintf(out, 16, " %-4.9s", mark);
    } else if (food) {
        snprintf(mark, sizeof mark, "[%d]", food);
        snprintf(out, 16, "%-5.9s", mark);
    } else {
        snprintf(out, 16, "  .  ");
    }
}

marl_status marl__lbf_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const marl__lbf *e = env;
    char text[96];
    size_t at = 0;

    snprintf(text, sizeof text, "step %d of %d   food collected %.0f%%\n", e->step, e->rules.max_steps,
             100.0 * marl__lbf_share_collected(e));
    put_text(buffer, buffer_bytes, &at, text);
    for (int32_t row = -1; row <= e->rules.rows; row++) {
        int is_edge = row < 0 || row == e->rules.rows;
        put_text(buffer, buffer_bytes, &at, is_edge ? "+" : "|");
        for (int32_t col = 0; col < e->rules.cols; col++) {
            char cell[16] = "-----";
            if (!is_edge) {
                name_cell(e, row, col, cell);
            }
            put_text(buffer, buffer_bytes, &at, cell);
        }
        put_text(buffer, buffer_bytes, &at, is_edge ? "+\n" : "|\n");
    }
    buffer[at < buffer_bytes ? at : buffer_bytes - 1] = '\0';
    if (at >= buffer_bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", at + 1, buffer_bytes);
    }
    return MARL_OK;
}
