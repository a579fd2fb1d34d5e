/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of the bridge: water with banks and the bridge over it, agents as discs in the colour of their group, goals
 * as rings; and a text board for terminals. */
#include "envs/bridge.h"

#include <stdio.h>

#include "envs/canvas.h"

#define TILE 40

static uint32_t colour_of(const marl__bridge *e, int32_t i) {
    return i < e->rules.agents / 2 ? 0xc0504d : 0x3b74c4;
}

static double middle(int32_t cell) {
    return cell * TILE + TILE / 2.0;
}

marl_status marl__bridge_render(void *env, marl_image *image) {
    const marl__bridge *e = env;

    image->width = (uint32_t)e->rules.cols * TILE;
    image->height = (uint32_t)e->rules.rows * TILE;
    if (!image->pixels) {
        return MARL_OK;
    }
    for (int32_t cell = 0; cell < e->rules.rows * e->rules.cols; cell++) {
        int32_t top = cell / e->rules.cols * TILE, left = cell % e->rules.cols * TILE;
        marl__canvas_rect(image, left, top, TILE, TILE, e->is_wall[cell] ? 0x9dc3d9 : 0xd6d2c0);
        marl__canvas_rect(image, left + 1, top + 1, TILE - 2, TILE - 2, e->is_wall[cell] ? 0xa7cce1 : 0xefece0);
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        marl__canvas_ring(image, middle(e->goal[i].col), middle(e->goal[i].row), TILE * 0.36, TILE * 0.44,
                          colour_of(e, i), 0.9);
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        marl__canvas_ring(image, middle(e->pos[i].col), middle(e->pos[i].row), 0, TILE * 0.3, colour_of(e, i), 1);
    }
    return MARL_OK;
}

/* Three columns a cell: an agent's number, with '+' where several stand; ~ is water, x a goal. */
static void name_cell(const marl__bridge *e, marl__bridge_cell cell, char out[16]) {
    int32_t first = -1, count = 0;
    int is_goal = 0;

    for (int32_t i = 0; i < e->rules.agents; i++) {
        if (marl__bridge_same(e->pos[i], cell)) {
            first = first < 0 ? i : first;
            count++;
        }
        is_goal |= marl__bridge_same(e->goal[i], cell);
    }
    if (count > 0) {
        snprintf(out, 16, "%2d%c", first, count > 1 ? '+' : ' ');
    } else {
        snprintf(out, 16, "%s", e->is_wall[marl__bridge_index(e, cell)] ? "~~~" : is_goal ? " x " : " . ");
    }
}

marl_status marl__bridge_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const marl__bridge *e = env;
    marl__canvas_text text = {buffer, buffer_bytes, 0};
    int32_t arrived = 0;
    char more[64];

    for (int32_t i = 0; i < e->rules.agents; i++) {
        arrived += e->has_arrived[i];
    }
    snprintf(more, sizeof more, "step %d of %d   arrived %d of %d\n", e->step, e->rules.max_steps, arrived,
             e->rules.agents);
    marl__canvas_put(&text, more);
    for (int32_t row = 0; row < e->rules.rows; row++) {
        for (int32_t col = 0; col < e->rules.cols; col++) {
            name_cell(e, (marl__bridge_cell){row, col}, more);
            marl__canvas_put(&text, more);
        }
        marl__canvas_put(&text, "\n");
    }
    return marl__canvas_finish(&text);
}
