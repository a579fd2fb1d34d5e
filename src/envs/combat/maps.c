/* SPDX-License-Identifier: Apache-2.0 */
/* The named maps: the battles of the SMAC benchmark (Samvelyan et al. 2019). Terrain is a list of bands of walkable
 * cells; what no band opens is wall. The order of groups and of parts fixes the units' numbers, so it is part of the
 * rules. */
#include "envs/combat/build.h"

#include <string.h>

#include "core/base/status.h"

/* Rows first_row..last_row are walkable from column first to column last. */
typedef struct band {
    uint8_t first_row, last_row, first, last;
} band;

typedef struct part {
    int32_t count;
    const char *type;
} part;

typedef struct group {
    int32_t side;
    double x, y;
    part parts[3]; /* count 0: no more */
} group;

typedef struct map {
    const char *name;
    const band *bands;
    size_t band_count;
    int32_t episode_limit;
    double attack_x, attack_y;
    group groups[4];
} map;

enum { CELLS = 32, A = MARL__COMBAT_ALLY, E = MARL__COMBAT_ENEMY };

static const band simple[] = {{8, 23, 0, 31}};
static const band all_green[] = {{0, 0, 0, 31}, {1, 2, 0, 0}, {1, 2, 31, 31}, {3, 28, 0, 0}, {3, 28, 3, 28},
    {3, 28, 31, 31}, {29, 30, 0, 0}, {29, 30, 31, 31}, {31, 31, 0, 31}};
static const band oct_6h[] = {{8, 9, 10, 19}, {10, 17, 8, 21}, {18, 19, 10, 19}};
static const band corridor[] = {{1, 1, 2, 13}, {2, 2, 1, 13}, {3, 10, 1, 12}, {11, 11, 1, 13}, {12, 12, 2, 14},
    {13, 13, 11, 25}, {14, 14, 12, 26}, {15, 15, 13, 27}, {16, 16, 13, 28}, {17, 17, 12, 29}, {18, 21, 11, 30},
    {22, 22, 12, 30}, {23, 23, 13, 30}, {24, 24, 14, 30}, {25, 25, 15, 30}, {26, 26, 16, 30}, {27, 27, 17, 30},
    {28, 28, 18, 30}, {29, 29, 19, 30}, {30, 30, 20, 29}};
static const band ravine[] = {{6, 6, 3, 28}, {7, 7, 2, 29}, {8, 8, 1, 30}, {9, 11, 0, 31}, {12, 12, 0, 3},
    {12, 12, 28, 31}, {13, 16, 0, 31}, {17, 17, 1, 30}, {18, 18, 2, 29}, {19, 19, 3, 28}};
static const band octagon[] = {{5, 5, 10, 21}, {6, 6, 9, 22}, {7, 7, 8, 23}, {8, 8, 7, 24}, {9, 9, 6, 25},
    {10, 21, 5, 26}, {22, 22, 6, 25}, {23, 23, 7, 24}, {24, 24, 8, 23}, {25, 25, 9, 22}, {26, 26, 10, 21}};
static const band oct_2m[] = {{6, 7, 10, 21}, {8, 9, 8, 23}, {10, 21, 6, 25}, {22, 23, 8, 23}, {24, 25, 10, 21}};
static const band pentagon[] = {{7, 7, 8, 19}, {8, 19, 7, 20}, {20, 20, 8, 19}, {21, 21, 9, 18}, {22, 22, 10, 17},
    {23, 23, 11, 16}, {24, 24, 12, 15}};
static const band diag_smb[] = {{1, 3, 2, 7}, {4, 7, 2, 11}, {8, 11, 4, 15}, {12, 15, 8, 17}, {16, 17, 10, 19},
    {18, 20, 14, 23}, {21, 21, 14, 25}, {22, 23, 16, 29}, {24, 27, 20, 29}, {28, 29, 22, 29}};

#define TERRAIN(name) name, sizeof name / sizeof name[0]

static const map maps[] = {
    {"3m", TERRAIN(simple), 60, 9, 16, {{A, 9, 16, {{3, "marine"}}}, {E, 23, 16, {{3, "marine"}}}}},
    {"5m_vs_6m", TERRAIN(simple), 70, 9, 16, {{A, 9, 16, {{5, "marine"}}}, {E, 23, 16, {{6, "marine"}}}}},
    {"8m_vs_9m", TERRAIN(simple), 120, 9, 16, {{A, 9, 16, {{8, "marine"}}}, {E, 23, 16, {{9, "marine"}}}}},
    {"2s3z", TERRAIN(simple), 120, 9, 16, {{A, 9, 16, {{2, "stalker"}, {3, "zealot"}}},
      {E, 23, 16, {{2, "stalker"}, {3, "zealot"}}}}},
    {"MMM", TERRAIN(simple), 150, 9, 16, {{A, 9, 16, {{1, "medivac"}, {7, "marine"}, {2, "marauder"}}},
      {E, 23, 16, {{1, "medivac"}, {7, "marine"}, {2, "marauder"}}}}},
    {"3s_vs_5z", TERRAIN(all_green), 250, 9, 16, {{A, 9, 16, {{3, "stalker"}}}, {E, 23, 16, {{5, "zealot"}}}}},
    {"6h_vs_8z", TERRAIN(oct_6h), 150, 14.6, 9.49, {{A, 14.6, 9.49, {{6, "hydralisk"}}},
      {E, 14.41, 16.76, {{8, "zealot"}}}}},
    {"3s5z_vs_3s6z", TERRAIN(simple), 170, 9, 16, {{A, 9, 16, {{3, "stalker"}, {5, "zealot"}}},
      {E, 23, 16, {{3, "stalker"}, {6, "zealot"}}}}},
    {"MMM2", TERRAIN(simple), 180, 9, 16, {{A, 9, 16, {{1, "medivac"}, {7, "marine"}, {2, "marauder"}}},
      {E, 23, 16, {{1, "medivac"}, {8, "marine"}, {3, "marauder"}}}}},
    {"corridor", TERRAIN(corridor), 400, 4.47, 4.33, {{E, 27.91, 28.24, {{24, "zergling"}}},
      {A, 19.04, 19.12, {{6, "zealot"}}}}},
    {"2c_vs_64zg", TERRAIN(ravine), 400, 16, 16, {{A, 16, 16, {{2, "colossus"}}}, {E, 16, 9, {{64, "zergling"}}}}},
    {"bane_vs_bane", TERRAIN(octagon), 200, 16, 8, {{E, 16, 24, {{4, "baneling"}}},
      {E, 16, 21, {{20, "zergling"}}}, {A, 16, 11, {{20, "zergling"}}}, {A, 16, 8, {{4, "baneling"}}}}},
    {"27m_vs_30m", TERRAIN(simple), 180, 9, 16, {{A, 9, 16, {{27, "marine"}}}, {E, 23, 16, {{30, "marine"}}}}},
    {"8m", TERRAIN(simple), 120, 9, 16, {{A, 9, 16, {{8, "marine"}}}, {E, 23, 16, {{8, "marine"}}}}},
    {"2m_vs_1z", TERRAIN(oct_2m), 150, 16, 12, {{A, 13, 12, {{1, "marine"}}}, {A, 19, 12, {{1, "marine"}}},
      {E, 16, 19, {{1, "zealot"}}}}},
    {"2s_vs_1sc", TERRAIN(pentagon), 300, 13.92, 20.04, {{E, 13.92, 20.04, {{1, "spine_crawler"}}},
      {A, 11.12, 10.34, {{1, "stalker"}}}, {A, 16.98, 10.37, {{1, "stalker"}}}}},
    {"3s_vs_3z", TERRAIN(all_green), 150, 9, 16, {{A, 9, 16, {{3, "stalker"}}}, {E, 23, 16, {{3, "zealot"}}}}},
    {"3s_vs_4z", TERRAIN(all_green), 200, 9, 16, {{A, 9, 16, {{3, "stalker"}}}, {E, 23, 16, {{4, "zealot"}}}}},
    {"10m_vs_11m", TERRAIN(simple), 150, 9, 16, {{A, 9, 16, {{10, "marine"}}}, {E, 23, 16, {{11, "marine"}}}}},
    {"3s5z", TERRAIN(simple), 150, 9, 16, {{A, 9, 16, {{3, "stalker"}, {5, "zealot"}}},
      {E, 23, 16, {{3, "stalker"}, {5, "zealot"}}}}},
    {"1c3s5z", TERRAIN(simple), 180, 9, 16, {{A, 9, 16, {{1, "colossus"}, {3, "stalker"}, {5, "zealot"}}},
      {E, 23, 16, {{1, "colossus"}, {3, "stalker"}, {5, "zealot"}}}}},
    {"so_many_baneling", TERRAIN(diag_smb), 100, 4.47, 4.33, {{E, 27.91, 28.24, {{32, "baneling"}}},
      {A, 11.469, 12.0234, {{7, "zealot"}}}}},
    {"25m", TERRAIN(simple), 150, 9, 16, {{A, 9, 16, {{25, "marine"}}}, {E, 23, 16, {{25, "marine"}}}}},
};

enum { MAP_COUNT = sizeof maps / sizeof maps[0] };

static const map *find_map(const char *name) {
    for (int32_t i = 0; i < MAP_COUNT; i++) {
        if (strcmp(maps[i].name, name) == 0) {
            return &maps[i];
        }
    }
    return NULL;
}

marl_status marl__combat_map_check(const char *name) {
    const char *names[MAP_COUNT];

    if (find_map(name)) return MARL_OK;
    for (int32_t i = 0; i < MAP_COUNT; i++) {
        names[i] = maps[i].name;
    }
    return marl__no_such_name("combat map", name, names, MAP_COUNT);
}

static marl_status place_group(marl__combat_scenario *out, const group *g) {
    int32_t types[MARL__COMBAT_MOST_UNITS], count = 0;

    for (size_t p = 0; p < sizeof g->parts / sizeof g->parts[0] && g->parts[p].count > 0; p++) {
        int32_t type = marl__combat_add_type(out, marl__combat_type_find(g->parts[p].type));
        for (int32_t i = 0; i < g->parts[p].count; i++) {
            types[count++] = type;
        }
    }
    return count == 0 ? MARL_OK : marl__combat_place(out, &(marl__combat_group){g->side, g->x, g->y, count, types});
}

marl_status marl__combat_map_load(const char *name, marl__combat_scenario *out) {
    const map *m = find_map(name);
    marl_status status = MARL_OK;

    if (!m) return marl__combat_map_check(name);
    marl__combat_begin(out, m->name, CELLS, CELLS);
    for (size_t b = 0; b < m->band_count; b++) {
        marl__combat_open(out, m->bands[b].first_row, m->bands[b].last_row, m->bands[b].first, m->bands[b].last);
    }
    out->episode_limit = m->episode_limit;
    out->attack_x = m->attack_x;
    out->attack_y = m->attack_y;
    for (size_t g = 0; g < sizeof m->groups / sizeof m->groups[0]; g++) {
        if ((status = place_group(out, &m->groups[g])) != MARL_OK) return status;
    }
    return marl__combat_finish(out);
}
