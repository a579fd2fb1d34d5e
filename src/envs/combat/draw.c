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

static char to_capital(char letter) {
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static char to_small(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

/* A letter a type: the first of its name that no type before it has, those with many units first. */
typedef struct alphabet {
    char letters[MARL__COMBAT_MOST_TYPES];
    int32_t order[MARL__COMBAT_MOST_TYPES];
} alphabet;

static char free_letter(const alphabet *a, int32_t chosen, const char *name) {
    for (; *name; name++) {
        char letter = to_small(*name);
        int is_taken = letter < 'a' || letter > 'z';
        for (int32_t i = 0; i < chosen; i++) {
            is_taken |= a->letters[a->order[i]] == letter;
        }
        if (!is_taken) {
            return letter;
        }
    }
    return 'x';
}

static alphabet find_letters(const marl__combat_scenario *s) {
    int32_t counts[MARL__COMBAT_MOST_TYPES] = {0};
    alphabet a;

    memset(&a, 0, sizeof a);
    for (int32_t id = 0; id < s->unit_count; id++) {
        counts[s->units[id].type]++;
    }
    for (int32_t t = 0; t < s->type_count; t++) {
        int32_t at = t;
        for (; at > 0 && counts[a.order[at - 1]] < counts[t]; at--) {
            a.order[at] = a.order[at - 1];
        }
        a.order[at] = t;
    }
    for (int32_t i = 0; i < s->type_count; i++) {
        a.letters[a.order[i]] = free_letter(&a, i, s->types[a.order[i]].name);
    }
    return a;
}

/* Allies are capitals. */
static char letter_of(const marl__combat *e, const alphabet *a, int32_t id) {
    char letter = a->letters[e->scenario.units[id].type];

    return e->scenario.units[id].side == MARL__COMBAT_ALLY ? to_capital(letter) : letter;
}

static void put_legend(const marl__combat *e, page *p, const alphabet *a) {
    char text[64];

    for (int32_t i = 0; i < e->scenario.type_count; i++) {
        int32_t t = a->order[i];
        snprintf(text, sizeof text, "%s%c %s", i > 0 ? "   " : "", to_capital(a->letters[t]),
                 e->scenario.types[t].name);
        put(p, text);
    }
    put(p, "   (enemies in small letters)\n");
}

/* ---- the map ---- */

static void widen(marl__combat_window *w, int32_t x, int32_t y) {
    w->x0 = x < w->x0 ? x : w->x0;
    w->x1 = x > w->x1 ? x : w->x1;
    w->y0 = y < w->y0 ? y : w->y0;
    w->y1 = y > w->y1 ? y : w->y1;
}

marl__combat_window marl__combat_window_of(const marl__combat_scenario *s) {
    marl__combat_window w = {s->width, -1, s->height, -1};

    for (int32_t cell = 0; cell < s->width * s->height; cell++) {
        if (s->walkable[cell]) {
            widen(&w, cell % s->width, cell / s->width);
        }
    }
    return w.x1 < 0 ? (marl__combat_window){0, s->width - 1, 0, s->height - 1} : w;
}

/* Two columns a cell, so that the map keeps its shape: who stands there, and how many more. */
static void put_cell(const marl__combat *e, page *p, const alphabet *a, int32_t x, int32_t y) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_scenario *map = &e->scenario;
    char text[3] = "  ";
    int32_t count = 0;

    for (int32_t id = 0; id < map->unit_count; id++) {
        if (s->alive[id] && s->x[id] >= (float)x && s->x[id] < (float)(x + 1) && s->y[id] >= (float)y &&
            s->y[id] < (float)(y + 1) && ++count == 1) {
            text[0] = letter_of(e, a, id);
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

static void put_map(const marl__combat *e, page *p, const alphabet *a) {
    marl__combat_window w = marl__combat_window_of(&e->scenario);

    for (int32_t y = w.y1; y >= w.y0; y--) {
        for (int32_t x = w.x0; x <= w.x1; x++) {
            put_cell(e, p, a, x, y);
        }
        put(p, "\n");
    }
}

/* ---- units ---- */

/* As actions and observations count: the agent's or the enemy's index. */
static int32_t number_of(const marl__combat *e, int32_t id) {
    const int16_t *ids = e->scenario.units[id].side == MARL__COMBAT_ALLY ? e->agents : e->enemies;
    int32_t at = 0;

    while (ids[at] != id) {
        at++;
    }
    return at;
}

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
                 e->scenario.units[target].side == MARL__COMBAT_ALLY ? "ally" : "enemy", number_of(e, target),
                 marl__combat_shot_at(e, id) >= 0 && !e->is_healer[id] ? " and fires" : "");
    }
    put(p, text);
}

static void put_unit(const marl__combat *e, page *p, const alphabet *a, int32_t id) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_type *type = marl__combat_type_of(e, id);
    char text[96];

    snprintf(text, sizeof text, "  %c %-5s %2d %-14.31s", letter_of(e, a, id),
             e->scenario.units[id].side == MARL__COMBAT_ALLY ? "ally" : "enemy", number_of(e, id), type->name);
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
static void put_side(const marl__combat *e, page *p, const alphabet *a, const int16_t *ids, int32_t count,
                     const char *name) {
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
        put_unit(e, p, a, ids[i]);
    }
}

marl_status marl__combat_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const marl__combat *e = env;
    page p = {buffer, buffer_bytes, 0};
    alphabet a = find_letters(&e->scenario);
    char text[160];

    snprintf(text, sizeof text, "%.100s   step %d of %d\n", e->name, e->step, e->keys.episode_limit);
    put(&p, text);
    put_legend(e, &p, &a);
    put_map(e, &p, &a);
    put_side(e, &p, &a, e->agents, e->scenario.ally_count, "allies");
    put_side(e, &p, &a, e->enemies, e->scenario.enemy_count, "enemies");
    buffer[p.at < buffer_bytes ? p.at : buffer_bytes - 1] = '\0';
    if (p.at >= buffer_bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", p.at + 1, buffer_bytes);
    }
    return MARL_OK;
}
