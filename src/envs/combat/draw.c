/* SPDX-License-Identifier: Apache-2.0 */
/* A battle in text, for terminals: what both sides have left, the part of the map that can be walked on, allies as
 * capitals, enemies as small letters, and every unit with what it has left and whom it aims at. */
#include "envs/combat/combat.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

/* Columns of a bar and of cells; sides of up to FEW units get a wide cell a unit. */
enum { BAR = 8, FEW = 12, WIDE = 40, NARROW = 25, NARROW_COLUMNS = 4, CELL_BYTES = 128 };

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

static void put_title(const marl__combat *e, page *p, const alphabet *a) {
    char text[160];

    snprintf(text, sizeof text, "%.100s   step %d of %d  ", e->name, e->step, e->keys.episode_limit);
    put(p, text);
    for (int32_t i = 0; i < e->scenario.type_count; i++) {
        int32_t t = a->order[i];
        snprintf(text, sizeof text, " %c %s ", to_capital(a->letters[t]), e->scenario.types[t].name);
        put(p, text);
    }
    put(p, " (enemies small)\n");
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

/* What is left of hp and shield together, of `most`. */
static void put_bar(page *p, double hp, double shield, double most) {
    char bar[BAR + 3];
    int32_t full = (int32_t)(hp / most * BAR + 0.5), shielded = (int32_t)((hp + shield) / most * BAR + 0.5);

    full = full == 0 && hp > 0 ? 1 : full;
    bar[0] = '[';
    for (int32_t i = 0; i < BAR; i++) {
        bar[1 + i] = i < full ? '=' : i < shielded ? '~' : ' ';
    }
    bar[1 + BAR] = ']';
    bar[2 + BAR] = '\0';
    put(p, bar);
}

/* Whom it aims at, in words or, where there is less room, in signs. */
static void put_deed(const marl__combat *e, page *p, const alphabet *a, int32_t id, int is_wide) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t target = s->order[id] == MARL__COMBAT_ATTACK ? s->order_target[id] : s->target[id];
    int fires = marl__combat_shot_at(e, id) >= 0;
    char text[32];

    if (target < 0) {
        return;
    }
    snprintf(text, sizeof text, " %s%c%d%s", !is_wide ? ">" : e->is_healer[id] ? "heals " : fires ? "fires " : "aims ",
             letter_of(e, a, target), number_of(e, target), is_wide ? "" : e->is_healer[id] ? "+" : fires ? "!" : "");
    put(p, text);
}

/* A wide cell names the type too. */
static void put_unit(const marl__combat *e, page *p, const alphabet *a, int32_t id, int is_wide) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    const marl__combat_type *type = marl__combat_type_of(e, id);
    char text[64];

    snprintf(text, sizeof text, "%c%-*d", letter_of(e, a, id), is_wide ? 2 : 3, number_of(e, id));
    put(p, text);
    if (is_wide) {
        snprintf(text, sizeof text, " %-8.8s ", type->name);
        put(p, text);
    }
    if (!s->alive[id]) {
        put(p, "dead");
        return;
    }
    put_bar(p, s->hp[id], s->shield[id], type->hp + type->shield);
    snprintf(text, sizeof text, "%*.0f", is_wide ? 5 : 4, s->hp[id] + s->shield[id]);
    put(p, text);
    put_deed(e, p, a, id, is_wide);
}

static void put_side(const marl__combat *e, page *p, const int16_t *ids, int32_t count, const char *name) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    double hp = 0, shield = 0, most = 0, most_shield = 0;
    int32_t alive = 0;
    char text[64];

    for (int32_t i = 0; i < count; i++) {
        const marl__combat_type *type = marl__combat_type_of(e, ids[i]);
        alive += s->alive[ids[i]];
        hp += s->hp[ids[i]];
        shield += s->shield[ids[i]] * s->alive[ids[i]];
        most += type->hp + type->shield;
        most_shield += type->shield;
    }
    snprintf(text, sizeof text, "%-7s %3d of %3d ", name, alive, count);
    put(p, text);
    put_bar(p, hp, shield, most);
    snprintf(text, sizeof text, most_shield > 0 ? " %.0f+%.0f" : " %.0f hp", hp, shield);
    put(p, text);
}

/* ---- the page ---- */

/* Ends a cell of `width` columns and puts it on the page; the last of a line is not filled up. */
static void put_cell_of(page *p, page *cell, int32_t width, int is_last) {
    char padded[CELL_BYTES + WIDE];

    cell->buffer[cell->at < cell->bytes ? cell->at : cell->bytes - 1] = '\0';
    snprintf(padded, sizeof padded, "%-*s", is_last ? 0 : width, cell->buffer);
    put(p, padded);
    if (is_last) {
        put(p, "\n");
    }
    cell->at = 0;
}

static void put_totals(const marl__combat *e, page *p) {
    char text[CELL_BYTES];
    page cell = {text, sizeof text, 0};

    put_side(e, &cell, e->agents, e->scenario.ally_count, "allies");
    put_cell_of(p, &cell, WIDE, 0);
    put_side(e, &cell, e->enemies, e->scenario.enemy_count, "enemies");
    put_cell_of(p, &cell, WIDE, 1);
}

static int32_t rows_for(int32_t count, int32_t columns) {
    return (count + columns - 1) / columns;
}

/* Allies on the left and enemies on the right; of the columns a side gets as many as make the list shortest. */
static void put_units(const marl__combat *e, page *p, const alphabet *a) {
    int32_t sides[2] = {e->scenario.ally_count, e->scenario.enemy_count};
    int is_wide = sides[0] <= FEW && sides[1] <= FEW;
    int32_t columns = is_wide ? 2 : NARROW_COLUMNS, split = 1, rows = INT32_MAX;
    char text[CELL_BYTES];
    page cell = {text, sizeof text, 0};

    for (int32_t left = 1; left < columns; left++) {
        int32_t least = rows_for(sides[0], left), other = rows_for(sides[1], columns - left);
        least = other > least ? other : least;
        if (least < rows) {
            rows = least;
            split = left;
        }
    }
    for (int32_t row = 0; row < rows; row++) {
        for (int32_t column = 0; column < columns; column++) {
            const int16_t *ids = column < split ? e->agents : e->enemies;
            int32_t place = (column < split ? column : column - split) * rows + row;
            if (place < sides[column >= split]) {
                put_unit(e, &cell, a, ids[place], is_wide);
            }
            put_cell_of(p, &cell, is_wide ? WIDE : NARROW, column == columns - 1);
        }
    }
}

/* Totals come first: a terminal that is too low cuts the list of units. Small battles are 80 columns wide, those with
 * many units 100. */
marl_status marl__combat_draw_text(void *env, char *buffer, size_t buffer_bytes) {
    const marl__combat *e = env;
    page p = {buffer, buffer_bytes, 0};
    alphabet a = find_letters(&e->scenario);

    put_title(e, &p, &a);
    put_totals(e, &p);
    put_map(e, &p, &a);
    put_units(e, &p, &a);
    buffer[p.at < buffer_bytes ? p.at : buffer_bytes - 1] = '\0';
    if (p.at >= buffer_bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", p.at + 1, buffer_bytes);
    }
    return MARL_OK;
}
