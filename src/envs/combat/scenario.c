/* SPDX-License-Identifier: Apache-2.0 */
/* Making scenarios: where the units of a group stand, which rectangles cover the walls, what the sides have, and
 * whether the battle can be fought at all. Positions are computed in double and rounded once, since replays compare
 * them bit for bit. */
#include "envs/combat/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define GAP 0.05 /* between neighbours of a group */

void marl__combat_begin(marl__combat_scenario *out, const char *name, int32_t width, int32_t height) {
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->width = width;
    out->height = height;
}

void marl__combat_open(marl__combat_scenario *out, int32_t y0, int32_t y1, int32_t x0, int32_t x1) {
    for (int32_t y = y0; y <= y1; y++) {
        memset(&out->walkable[y * out->width + x0], 1, (size_t)(x1 - x0 + 1));
    }
}

int32_t marl__combat_add_type(marl__combat_scenario *out, const marl__combat_type *type) {
    for (int32_t i = 0; i < out->type_count; i++) {
        if (strcmp(out->types[i].name, type->name) == 0) {
            return i;
        }
    }
    if (out->type_count == MARL__COMBAT_MOST_TYPES) {
        return -1;
    }
    snprintf(out->type_names[out->type_count], sizeof out->type_names[0], "%s", type->name);
    out->types[out->type_count] = *type;
    out->types[out->type_count].name = out->type_names[out->type_count];
    return out->type_count++;
}

const char *marl__combat_unit_name(const marl__combat_scenario *s, int32_t id, char *buffer, size_t bytes) {
    const marl__combat_spot *unit = &s->units[id];

    snprintf(buffer, bytes, "%s %d (%s)", unit->side == MARL__COMBAT_ALLY ? "ally" : "enemy", unit->fid,
             s->types[unit->type].name);
    return buffer;
}

/* ---- placement ---- */

static double radius_of(const marl__combat_scenario *s, const marl__combat_group *group, int32_t index) {
    return s->types[group->types[index]].radius;
}

static void add_unit(marl__combat_scenario *s, int32_t side, int32_t type, double x, double y) {
    int32_t *count = side == MARL__COMBAT_ALLY ? &s->ally_count : &s->enemy_count;

    s->units[s->unit_count++] = (marl__combat_spot){type, side, (*count)++, (float)x, (float)y};
}

/* Row by row in a square; the height counts empty rows and gaps, the width only the units. Enemies are laid out from
 * the other corner, so that equal groups face each other as mirror images. */
marl_status marl__combat_place(marl__combat_scenario *s, const marl__combat_group *group) {
    double toward = group->side == MARL__COMBAT_ALLY ? 1 : -1;
    double height = 0, width = 0, row_radius[17], y = 0, previous_row = 0;
    int32_t side = 0;

    if (group->count > MARL__COMBAT_MOST_UNITS - s->unit_count) {
        return marl__fail(MARL_E_ARGUMENT, "%d and %d units are more than the %d that a battle holds", s->unit_count,
                          group->count, MARL__COMBAT_MOST_UNITS);
    }
    while (side * side < group->count) {
        side++;
    }
    for (int32_t row = 0; row < side; row++) {
        double sizes = 0;
        row_radius[row] = 0;
        for (int32_t i = row * side; i < (row + 1) * side && i < group->count; i++) {
            sizes += 2 * radius_of(s, group, i);
            row_radius[row] = fmax(row_radius[row], radius_of(s, group, i));
        }
        height += row_radius[row];
        width = fmax(width, sizes);
    }
    height = 2 * height + (side - 1) * GAP;
    y = group->y - toward * height / 2;
    for (int32_t row = 0; row < side; row++) {
        double x = group->x - toward * width / 2, previous = 0;
        y += toward * (previous_row + row_radius[row]);
        previous_row = row_radius[row];
        for (int32_t i = row * side; i < (row + 1) * side && i < group->count; i++) {
            double radius = radius_of(s, group, i);
            x += toward * (previous + radius);
            previous = radius;
            add_unit(s, group->side, group->types[i], x, y);
            x += toward * GAP;
        }
        y += toward * GAP;
    }
    return MARL_OK;
}

/* ---- obstacles ---- */

static int is_blocked_span(const marl__combat_scenario *s, int32_t x, int32_t y, int32_t width) {
    for (int32_t i = 0; i < width; i++) {
        if (s->walkable[y * s->width + x + i]) {
            return 0;
        }
    }
    return 1;
}

/* From each blocked cell not yet covered: right as far as walls go, then up while the whole span is wall. Rectangles
 * may overlap earlier ones; their order decides ties in the search for obstacles, so it is part of the rules. */
static marl_status find_rects(marl__combat_scenario *s) {
    uint8_t covered[MARL__COMBAT_MOST_SIDE * MARL__COMBAT_MOST_SIDE] = {0};

    s->rect_count = 0;
    for (int32_t cell = 0; cell < s->width * s->height; cell++) {
        int32_t x = cell % s->width, y = cell / s->width, width = 1, height = 1;
        if (s->walkable[cell] || covered[cell]) {
            continue;
        }
        if (s->rect_count == MARL__COMBAT_MOST_RECTS) {
            return marl__fail(MARL_E_ARGUMENT, "the walls need more than %d rectangles; make them less ragged",
                              MARL__COMBAT_MOST_RECTS);
        }
        while (x + width < s->width && !s->walkable[cell + width]) {
            width++;
        }
        while (y + height < s->height && is_blocked_span(s, x, y + height, width)) {
            height++;
        }
        for (int32_t row = y; row < y + height; row++) {
            memset(&covered[row * s->width + x], 1, (size_t)width);
        }
        s->rects[s->rect_count++] = (marl__combat_rect){x, y, width, height};
    }
    return MARL_OK;
}

/* ---- sums and checks ---- */

/* Columns in the order of names. Where either side has one type only, nobody needs to be told. */
static void lay_out_types(marl__combat_scenario *s) {
    uint8_t occurs[2][MARL__COMBAT_MOST_TYPES] = {{0}};
    int32_t kinds[2] = {0, 0};

    for (int32_t i = 0; i < s->unit_count; i++) {
        uint8_t *seen = &occurs[s->units[i].side][s->units[i].type];
        kinds[s->units[i].side] += !*seen;
        *seen = 1;
    }
    s->type_bits = kinds[0] > 1 || kinds[1] > 1 ? s->type_count : 0;
    for (int32_t t = 0; t < s->type_count; t++) {
        s->type_bit[t] = 0;
        for (int32_t other = 0; other < s->type_count; other++) {
            s->type_bit[t] += strcmp(s->types[other].name, s->types[t].name) < 0;
        }
    }
}

static void sum_up(marl__combat_scenario *s) {
    s->ally_healers = 0;
    s->ally_shields = 0;
    s->enemy_shields = 0;
    s->largest_radius = 0;
    s->most_reward = 200;
    for (int32_t i = 0; i < s->unit_count; i++) {
        const marl__combat_type *type = &s->types[s->units[i].type];
        s->largest_radius = fmax(s->largest_radius, type->radius);
        if (s->units[i].side == MARL__COMBAT_ALLY) {
            s->ally_healers += type->weapon == MARL__COMBAT_HEAL;
            s->ally_shields |= type->shield > 0;
        } else {
            s->enemy_shields |= type->shield > 0;
            s->most_reward += 10 + type->hp + type->shield;
        }
    }
}

static marl_status check_place(const marl__combat_scenario *s, int32_t id) {
    const marl__combat_spot *unit = &s->units[id];
    char name[64];

    if (!(unit->x >= 0) || !(unit->y >= 0) || unit->x >= (float)s->width || unit->y >= (float)s->height) {
        return marl__fail(MARL_E_ARGUMENT, "%s would stand at (%g, %g), off the map of %d x %d cells",
                          marl__combat_unit_name(s, id, name, sizeof name), (double)unit->x, (double)unit->y, s->width,
                          s->height);
    }
    if (s->types[unit->type].plane == MARL__COMBAT_GROUND &&
        !s->walkable[(int32_t)unit->y * s->width + (int32_t)unit->x]) {
        return marl__fail(MARL_E_ARGUMENT, "%s would stand at (%g, %g), inside a wall",
                          marl__combat_unit_name(s, id, name, sizeof name), (double)unit->x, (double)unit->y);
    }
    return MARL_OK;
}

/* Units on one plane may touch but not overlap. */
static marl_status check_apart(const marl__combat_scenario *s, int32_t id) {
    const marl__combat_spot *unit = &s->units[id];
    const marl__combat_type *type = &s->types[unit->type];
    char name[64], other_name[64];

    for (int32_t i = 0; i < id; i++) {
        const marl__combat_spot *other = &s->units[i];
        double distance = hypot((double)unit->x - (double)other->x, (double)unit->y - (double)other->y);
        double least = type->radius + s->types[other->type].radius;
        if (type->plane == s->types[other->type].plane && distance < least - 1e-4) {
            return marl__fail(MARL_E_ARGUMENT, "%s at (%g, %g) would overlap %s at (%g, %g): %g apart, at least %g are "
                              "needed", marl__combat_unit_name(s, id, name, sizeof name), (double)unit->x,
                              (double)unit->y, marl__combat_unit_name(s, i, other_name, sizeof other_name),
                              (double)other->x, (double)other->y, distance, least);
        }
    }
    return MARL_OK;
}

marl_status marl__combat_check_places(const marl__combat_scenario *s, int32_t *unit) {
    marl_status status = MARL_OK;

    *unit = -1;
    for (int32_t i = 0; i < s->unit_count; i++) {
        if ((status = check_place(s, i)) != MARL_OK || (status = check_apart(s, i)) != MARL_OK) {
            *unit = i;
            return status;
        }
    }
    return MARL_OK;
}

marl_status marl__combat_finish(marl__combat_scenario *s) {
    if (s->ally_count == 0 || s->enemy_count == 0) {
        return marl__fail(MARL_E_ARGUMENT, "the %s have no units; each side needs one at least",
                          s->ally_count == 0 ? "allies" : "enemies");
    }
    lay_out_types(s);
    sum_up(s);
    return find_rects(s);
}
