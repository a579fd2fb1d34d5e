/* SPDX-License-Identifier: Apache-2.0 */
/* A battle in text, for terminals: the part of the map that can be walked on, allies as capitals, enemies as small
 * letters, and a line a unit with hit points, shield and what it is about. */
#include "envs/combat/combat.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

enum { BAR = 10, MOST_LINES = 24 };

/* Shots leave no trace in the rules; a weapon that cooled down by no more than a step fired in it. */
int32_t marl__combat_shot_at(const marl__combat *e, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_type *type = marl__combat_type_of(e, id);
    int32_t target = s->order[id] == MARL__COMBAT_ATTACK ? s->order_target[id] : s->target[id];
    float dx, dy, reach;

    if (!s->alive[id] || target < 0 || e->step == 0) {
        return -1;
    }
    if (!e->is_healer[id]) {
        return s->cooldown[id] > type->cooldown - MARL__COMBAT_TICKS * 0.0625 && s->cooldown[id] > 0 ? target : -1;
    }
    dx = s->x[target] - s->x[id];
    dy = s->y[target] - s->y[id];
    reach = (float)(type->range + type->radius + marl__combat_type_of(e, target)->radius);
    return s->alive[target] && s->target[id] >= 0 && marl__combat_in_circle(dx, dy, reach) ? target : -1;
}

/* ---- text ---- */

typedef struct page {
    char *buffer;
    size_t bytes, at; /* at: what it would take */
} page;

static void put(page *p, const char *text) {
    for (; *text; text++, p->at++) {
        if (p->at + 1 < p->bytes) {
            p->buffer[p->at] = *text;
        }
    }
}

static char letter_of(const marl__combat *e, int32_t id) {
    char letter = marl__combat_type_of(e, id)->name[0];
    int is_small = letter >= 'a' && letter <= 'z', is_capital = letter >= 'A' && letter <= 'Z';

    if (e->scenario.units[id].side == MARL__COMBAT_ALLY) {
        return is_small ? (char)(letter - 'a' + 'A') : is_capital ? letter : 'X';
    }
    return is_capital ? (char)(letter - 'A' + 'a') : is_small ? letter : 'x';
}

/* ---- the map ---- */

typedef struct window {
    int32_t x0, x1, y0, y1; /* inclusive */
} window;

static void widen(window *w, int32_t x, int32_t y) {
    w->x0 = x < w->x0 ? x : w->x0;
    w->x1 = x > w->x1 ? x : w->x1;
    w->y0 = y < w->y0 ? y : w->y0;
    w->y1 = y > w->y1 ? y : w->y1;
}

static window find_window(const marl__combat_scenario *s) {
    window w = {s->width, -1, s->height, -1};

    for (int32_t cell = 0; cell < s->width * s->height; cell++) {
        if (s->walkable[cell]) {
            widen(&w, cell % s->width, cell / s->width);
        }
    }
    return w.x1 < 0 ? (window){0, s->width - 1, 0, s->height - 1} : w;
}

/* Two columns a cell, so that the map keeps its shape: who stands there, and how many more. */
static void put_cell(const marl__combat *e, page *p, int32_t x, int32_t y) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_scenario *map = &e->scenario;
    char text[3] = "  ";
    int32_t count = 0;

    for (int32_t id = 0; id < map->unit_count; id++) {
        if (s->alive[id] && s->x[id] >= (float)x && s->x[id] < (float)(x + 1) && s->y[id] >= (float)y &&
            s->y[id] < (float)(y + 1) && ++count == 1) {
            text[0] = letter_of(e, id);
        }
    }
    if (count > 1) {
        text[1] = count > 9 ? '+' : (char)('0' + count);
    } else if (count == 0) {
        text[0] = map->walkable[y * map->width + x] ? '.' : '#';
        text[1] = map->walkable[y * map->width + x] ? ' ' : '#';
    }
    put(p, text);
}

static void put_map(const marl__combat *e, page *p) {
    window w = find_window(&e->scenario);

    for (int32_t y = w.y1; y >= w.y0; y--) {
        for (int32_t x = w.x0; x <= w.x1; x++) {
            put_cell(e, p, x, y);
        }
        put(p, "\n");
    }
}

/* ---- units ---- */

static void put_bar(page *p, double share, char full) {
    char bar[BAR + 3];
    int32_t filled = (int32_t)(share * BAR + 0.5);

    filled = filled == 0 && share > 0 ? 1 : filled;
    bar[0] = '[';
    for (int32_t i = 0; i < BAR; i++) {
        bar[1 + i] = i < filled ? full : ' ';
    }
    bar[1 + BAR] = ']';
    bar[2 + BAR] = '\0';
    put(p, bar);
}

static void put_deed(const marl__combat *e, page *p, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t target = s->order[id] == MARL__COMBAT_ATTACK ? s->order_target[id] : s->target[id];
    char text[64] = "";

    if (target >= 0) {
        snprintf(text, sizeof text, " %s%s %d%s", e->is_healer[id] ? "heals " : "aims at ",
                 e->scenario.units[target].side == MARL__COMBAT_ALLY ? "ally" : "enemy", e->scenario.units[target].fid,
                 marl__combat_shot_at(e, id) >= 0 && !e->is_healer[id] ? " and fires" : "");
    }
    put(p, text);
}

static void put_unit(const marl__combat *e, page *p, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_type *type = marl__combat_type_of(e, id);
    char text[96];

    snprintf(text, sizeof text, "  %c %-5s %2d %-14.31s", letter_of(e, id),
             e->scenario.units[id].side == MARL__COMBAT_ALLY ? "ally" : "enemy", e->scenario.units[id].fid, type->name);
    put(p, text);
    if (!s->alive[id]) {
        put(p, " dead\n");
        return;
    }
    put_bar(p, s->hp[id] / type->hp, '=');
    if (type->shield > 0) {
        put_bar(p, s->shield[id] / type->shield, '~');
    }
    snprintf(text, sizeof text, " %5.1f hp", s->hp[id]);
    put(p, text);
    put_deed(e, p, id);
    put(p, "\n");
}

/* Large sides are summed up: their lines would not fit a screen. */
static void put_side(const marl__combat *e, page *p, const int16_t *ids, int32_t count, const char *name) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    double hp = 0, most = 0;
    int32_t alive = 0;
    char text[96];

    for (int32_t i = 0; i < count; i++) {
        const marl__combat_type *type = marl__combat_type_of(e, ids[i]);
        alive += s->alive[ids[i]];
        hp += s->hp[ids[i]] + s->shield[ids[i]] * s->alive[ids[i]];
        most += type->hp + type->shield;
    }
    snprintf(text, sizeof text, "%-8s %3d of %3d alive ", name, alive, count);
    put(p, text);
    put_bar(p, hp / most, '=');
    put(p, "\n");
    for (int32_t i = 0; i < count && e->scenario.unit_count <= MOST_LINES; i++) {
        put_unit(e, p, ids[i]);
    }
}

marl_status marl__combat_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const marl__combat *e = env;
    page p = {buffer, buffer_bytes, 0};
    char text[160];

    snprintf(text, sizeof text, "%.100s   step %d of %d\n", e->name, e->step, e->keys.episode_limit);
    put(&p, text);
    put_map(e, &p);
    put_side(e, &p, e->agents, e->scenario.ally_count, "allies");
    put_side(e, &p, e->enemies, e->scenario.enemy_count, "enemies");
    buffer[p.at < buffer_bytes ? p.at : buffer_bytes - 1] = '\0';
    if (p.at >= buffer_bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", p.at + 1, buffer_bytes);
    }
    return MARL_OK;
}
