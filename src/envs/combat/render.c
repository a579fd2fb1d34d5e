/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of a battle: the walkable part of the map from above, north up. Allies are blue discs, enemies red ones,
 * above each a bar of hit points and, where there is one, of shield. Bright lines are shots of the last step, green
 * ones healing; a grey cross marks who fell.
 *
 * Edges are smoothed by how far a pixel's centre lies from them, so discs look round without a larger canvas. */
#include "envs/combat/combat.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 960, LEAST_TILE = 15, MOST_TILE = 48, MARGIN = 1 /* cells of wall around */ };

#define GROUND_LIGHT 0x2b3138u
#define GROUND_DARK 0x272d34u
#define WALL 0x12161au
#define WALL_EDGE 0x4a5561u
#define ALLY 0x4f9df0u
#define ENEMY 0xe8604cu
#define OUTLINE 0x0b0e11u
#define HEALTH 0x6ddb74u
#define BAR_BACK 0x0b0e11u
#define SHIELD 0x8fd3ffu
#define ALLY_SHOT 0xbfe0ffu
#define ENEMY_SHOT 0xffc27au
#define HEALING 0x5df0a0u
#define FALLEN 0x59626cu

typedef struct canvas {
    marl_image *image;
    float tile;       /* pixels a cell */
    int32_t x0, y1;   /* the cell in the top left corner */
} canvas;

/* ---- pixels ---- */

static void blend(const canvas *c, int32_t x, int32_t y, uint32_t rgb, float share) {
    uint8_t *pixel = c->image->pixels + 3 * ((size_t)y * c->image->width + (size_t)x);

    for (int32_t k = 0; k < 3; k++) {
        float target = (float)((rgb >> (16 - 8 * k)) & 255u);
        pixel[k] = (uint8_t)((float)pixel[k] + (target - (float)pixel[k]) * share + 0.5f);
    }
}

static float clamp01(float value) {
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static int32_t clip(float value, uint32_t size) {
    return value < 0 ? 0 : value > (float)size ? (int32_t)size : (int32_t)value;
}

/* Pixels of the box around (x, y) that are on the canvas: first and one behind last. */
typedef struct box {
    int32_t x0, x1, y0, y1;
} box;

static box box_around(const canvas *c, float x, float y, float reach_x, float reach_y) {
    return (box){clip(x - reach_x - 1, c->image->width), clip(x + reach_x + 2, c->image->width),
                 clip(y - reach_y - 1, c->image->height), clip(y + reach_y + 2, c->image->height)};
}

static void fill(const canvas *c, int32_t x0, int32_t x1, int32_t y0, int32_t y1, uint32_t rgb) {
    for (int32_t y = y0; y < y1; y++) {
        for (int32_t x = x0; x < x1; x++) {
            blend(c, x, y, rgb, 1);
        }
    }
}

static void disc(const canvas *c, float x, float y, float radius, uint32_t rgb) {
    box b = box_around(c, x, y, radius, radius);

    for (int32_t py = b.y0; py < b.y1; py++) {
        for (int32_t px = b.x0; px < b.x1; px++) {
            float distance = hypotf((float)px + 0.5f - x, (float)py + 0.5f - y);
            blend(c, px, py, rgb, clamp01(radius - distance + 0.5f));
        }
    }
}

static void line(const canvas *c, float x0, float y0, float x1, float y1, float thickness, uint32_t rgb,
                 float strength) {
    float dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
    box b = box_around(c, (x0 + x1) / 2, (y0 + y1) / 2, fabsf(dx) / 2 + thickness, fabsf(dy) / 2 + thickness);

    for (int32_t py = b.y0; py < b.y1; py++) {
        for (int32_t px = b.x0; px < b.x1; px++) {
            float rx = (float)px + 0.5f - x0, ry = (float)py + 0.5f - y0;
            float along = square > 0 ? clamp01((rx * dx + ry * dy) / square) : 0;
            float distance = hypotf(rx - along * dx, ry - along * dy);
            blend(c, px, py, rgb, strength * clamp01(thickness / 2 - distance + 0.5f));
        }
    }
}

/* ---- the map ---- */

static int is_wall(const marl__combat_scenario *s, int32_t x, int32_t y) {
    return x >= 0 && y >= 0 && x < s->width && y < s->height && !s->walkable[y * s->width + x];
}

static void draw_cell(const canvas *c, const marl__combat_scenario *s, int32_t x, int32_t y) {
    int32_t tile = (int32_t)c->tile, left = (x - c->x0) * tile, top = (c->y1 - y) * tile;
    int is_off = x < 0 || y < 0 || x >= s->width || y >= s->height;

    if (is_off || is_wall(s, x, y)) {
        fill(c, left, left + tile, top, top + tile, WALL);
        return;
    }
    fill(c, left, left + tile, top, top + tile, (x / 2 + y / 2) % 2 ? GROUND_LIGHT : GROUND_DARK);
    if (is_wall(s, x - 1, y)) fill(c, left, left + 1, top, top + tile, WALL_EDGE);
    if (is_wall(s, x + 1, y)) fill(c, left + tile - 1, left + tile, top, top + tile, WALL_EDGE);
    if (is_wall(s, x, y + 1)) fill(c, left, left + tile, top, top + 1, WALL_EDGE);
    if (is_wall(s, x, y - 1)) fill(c, left, left + tile, top + tile - 1, top + tile, WALL_EDGE);
}

/* ---- units ---- */

typedef struct spot {
    float x, y, radius; /* pixels */
} spot;

static spot spot_of(const canvas *c, const marl__combat *e, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);

    return (spot){(s->x[id] - (float)c->x0) * c->tile, ((float)(c->y1 + 1) - s->y[id]) * c->tile,
                  (float)marl__combat_type_of(e, id)->radius * c->tile};
}

static void draw_fallen(const canvas *c, const marl__combat *e, int32_t id) {
    spot p = spot_of(c, e, id);
    float arm = p.radius * 0.5f, thickness = c->tile * 0.1f;

    line(c, p.x - arm, p.y - arm, p.x + arm, p.y + arm, thickness, FALLEN, 1);
    line(c, p.x - arm, p.y + arm, p.x + arm, p.y - arm, thickness, FALLEN, 1);
}

/* Flyers are rings, healers bear a cross. */
static void draw_unit(const canvas *c, const marl__combat *e, int32_t id) {
    const marl__combat_type *type = marl__combat_type_of(e, id);
    uint32_t rgb = e->scenario.units[id].side == MARL__COMBAT_ALLY ? ALLY : ENEMY;
    spot p = spot_of(c, e, id);
    float thickness = c->tile * 0.12f;

    disc(c, p.x, p.y, p.radius, OUTLINE);
    disc(c, p.x, p.y, p.radius - 1.2f, rgb);
    if (type->plane == MARL__COMBAT_AIR) {
        disc(c, p.x, p.y, p.radius * 0.6f, GROUND_DARK);
    }
    if (e->is_healer[id]) {
        line(c, p.x - p.radius * 0.35f, p.y, p.x + p.radius * 0.35f, p.y, thickness, 0xffffff, 1);
        line(c, p.x, p.y - p.radius * 0.35f, p.x, p.y + p.radius * 0.35f, thickness, 0xffffff, 1);
    }
}

static void draw_bar(const canvas *c, float x, float y, float half, double share, uint32_t rgb) {
    float thickness = c->tile * 0.11f;

    line(c, x - half, y, x + half, y, thickness + 2, BAR_BACK, 0.85f);
    if (share > 0) {
        line(c, x - half, y, x - half + 2 * half * (float)share, y, thickness, rgb, 1);
    }
}

static void draw_bars(const canvas *c, const marl__combat *e, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_type *type = marl__combat_type_of(e, id);
    spot p = spot_of(c, e, id);
    float top = p.y - p.radius - c->tile * 0.1f, half = p.radius * 0.85f;

    draw_bar(c, p.x, top, half, s->hp[id] / type->hp, HEALTH);
    if (type->shield > 0) {
        draw_bar(c, p.x, top - c->tile * 0.2f, half, s->shield[id] / type->shield, SHIELD);
    }
}

static void draw_shot(const canvas *c, const marl__combat *e, int32_t id) {
    int32_t target = marl__combat_shot_at(e, id);

    if (target >= 0) {
        spot from = spot_of(c, e, id), to = spot_of(c, e, target);
        uint32_t rgb = e->is_healer[id] ? HEALING : e->scenario.units[id].side == MARL__COMBAT_ALLY ? ALLY_SHOT
                                                                                                   : ENEMY_SHOT;
        line(c, from.x, from.y, to.x, to.y, c->tile * (e->is_healer[id] ? 0.16f : 0.1f), rgb, 0.75f);
        disc(c, to.x, to.y, c->tile * 0.14f, rgb);
    }
}

static void draw_battle(const canvas *c, const marl__combat *e) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t count = e->scenario.unit_count;

    for (int32_t id = 0; id < count; id++) {
        if (!s->alive[id]) {
            draw_fallen(c, e, id);
        }
    }
    for (int32_t plane = MARL__COMBAT_GROUND; plane <= MARL__COMBAT_AIR; plane++) {
        for (int32_t id = 0; id < count; id++) {
            if (s->alive[id] && marl__combat_type_of(e, id)->plane == plane) {
                draw_unit(c, e, id);
            }
        }
    }
    for (int32_t id = 0; id < count; id++) {
        draw_shot(c, e, id);
    }
    for (int32_t id = 0; id < count; id++) {
        if (s->alive[id]) {
            draw_bars(c, e, id);
        }
    }
}

marl_status marl__combat_render(void *env, marl_image *image) {
    const marl__combat *e = env;
    marl__combat_window w = marl__combat_window_of(&e->scenario);
    int32_t columns = w.x1 - w.x0 + 1 + 2 * MARGIN, rows = w.y1 - w.y0 + 1 + 2 * MARGIN, tile = WIDTH / columns;
    canvas c = {image, 0, w.x0 - MARGIN, w.y1 + MARGIN};

    tile = tile < LEAST_TILE ? LEAST_TILE : tile > MOST_TILE ? MOST_TILE : tile;
    image->width = (uint32_t)(columns * tile);
    image->height = (uint32_t)(rows * tile);
    if (!image->pixels) {
        return MARL_OK;
    }
    c.tile = (float)tile;
    for (int32_t y = w.y0 - MARGIN; y <= w.y1 + MARGIN; y++) {
        for (int32_t x = w.x0 - MARGIN; x <= w.x1 + MARGIN; x++) {
            draw_cell(&c, &e->scenario, x, y);
        }
    }
    draw_battle(&c, e);
    return MARL_OK;
}
