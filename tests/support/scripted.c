/* SPDX-License-Identifier: Apache-2.0 */
/* See scripted.h. Agent and enemy numbers are those of the default layout: places in the order of creation. */
#include "support/scripted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "envs/combat/scenario.h"

enum { STOP = 1, NORTH, SOUTH, EAST, WEST, FIRST_TARGET };
enum { ALIVE, X, Y, HP, SHIELD, FIELDS = 12 }; /* of the environment's recorded units */

#define EPSILON 0.2      /* of eps_nearest */
#define HEALER_KEEPS 2.0 /* a healer stands still within this distance of its patient */

const char *const marl__script_names[MARL__SCRIPTS] = {"random_legal", "attack_nearest", "focus_fire_lowest_hp",
                                                       "eps_nearest"};
const char *const marl__figure_names[MARL__FIGURES] = {"win rate", "return", "length", "kills", "time-outs"};

typedef struct player {
    marl__combat_scenario scenario;
    marl_env *env;
    marl__rng rng;
    int32_t script;
    uint32_t agents, actions;
    int32_t ids[2][MARL__COMBAT_MOST_UNITS]; /* of each side, by number */
    float units[MARL__COMBAT_MOST_UNITS][FIELDS];
    int32_t bits[MARL__COMBAT_MOST_UNITS * FIELDS];
    uint8_t *avail;
    int32_t *chosen;
} player;

/* ---- what everybody can see ---- */

static const marl__combat_type *type_of(const player *p, int32_t id) {
    return &p->scenario.types[p->scenario.units[id].type];
}

static int is_healer(const player *p, int32_t id) {
    return type_of(p, id)->weapon == MARL__COMBAT_HEAL;
}

static double distance(const player *p, int32_t a, int32_t b) {
    return hypot((double)p->units[b][X] - (double)p->units[a][X], (double)p->units[b][Y] - (double)p->units[a][Y]);
}

static marl_status look(player *p) {
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, p->avail, NULL};
    uint32_t count = (uint32_t)p->scenario.unit_count * FIELDS;
    marl_status status = marl_env_observe(p->env, &view);

    if (status == MARL_OK) status = marl__env_get_array(p->env, "units", p->bits, count);
    if (status == MARL_OK) memcpy(p->units, p->bits, count * sizeof *p->bits);
    return status;
}

/* ---- scripts ---- */

static int32_t choose_any(player *p, const uint8_t *mask) {
    uint32_t open = 0, pick = 0;

    for (uint32_t a = 0; a < p->actions; a++) open += mask[a];
    pick = marl__rng_below(&p->rng, open);
    for (uint32_t a = 0;; a++) {
        if (mask[a] && pick-- == 0) return (int32_t)a;
    }
}

/* Along the longer way first, along the other if that is closed. */
static int32_t walk_to(const player *p, const uint8_t *mask, int32_t id, int32_t target) {
    float dx = p->units[target][X] - p->units[id][X], dy = p->units[target][Y] - p->units[id][Y];
    int32_t along_x = dx > 0 ? EAST : WEST, along_y = dy > 0 ? NORTH : SOUTH;
    int32_t first = fabsf(dx) > fabsf(dy) ? along_x : along_y, second = first == along_x ? along_y : along_x;

    return mask[first] ? first : mask[second] ? second : STOP;
}

/* The number of the enemy that scores least among those that live and can be hit; -1: nobody. in_reach: only those whom
 * the mask offers. */
static int32_t best_enemy(const player *p, const uint8_t *mask, int32_t id, int in_reach, int by_strength) {
    double best = INFINITY;
    int32_t found = -1;

    for (int32_t k = 0; k < p->scenario.enemy_count; k++) {
        int32_t enemy = p->ids[MARL__COMBAT_ENEMY][k];
        double score = by_strength ? (double)p->units[enemy][HP] + (double)p->units[enemy][SHIELD]
                                   : distance(p, id, enemy);

        if (!(p->units[enemy][ALIVE] > 0) || !(type_of(p, id)->hits & type_of(p, enemy)->plane)) continue;
        if ((in_reach && !mask[FIRST_TARGET + k]) || !(score < best)) continue;
        best = score;
        found = k;
    }
    return found;
}

static int32_t fight(const player *p, const uint8_t *mask, int32_t id, int by_strength) {
    int32_t target = best_enemy(p, mask, id, 1, by_strength);

    if (target >= 0) return FIRST_TARGET + target;
    target = best_enemy(p, mask, id, 0, 0);
    return target >= 0 ? walk_to(p, mask, id, p->ids[MARL__COMBAT_ENEMY][target]) : STOP;
}

/* The number of the nearest living ally who is no healer; -1: nobody. */
static int32_t nearest_patient(const player *p, int32_t id, int only_hurt) {
    double best = INFINITY;
    int32_t found = -1;

    for (int32_t k = 0; k < p->scenario.ally_count; k++) {
        int32_t ally = p->ids[MARL__COMBAT_ALLY][k];

        if (!(p->units[ally][ALIVE] > 0) || is_healer(p, ally) || !(distance(p, id, ally) < best)) continue;
        if (only_hurt && !((double)p->units[ally][HP] < type_of(p, ally)->hp)) continue;
        best = distance(p, id, ally);
        found = k;
    }
    return found;
}

static int32_t heal(const player *p, const uint8_t *mask, int32_t id) {
    int32_t patient = nearest_patient(p, id, 1);

    if (patient >= 0 && mask[FIRST_TARGET + patient]) return FIRST_TARGET + patient;
    if (patient < 0) patient = nearest_patient(p, id, 0);
    if (patient < 0 || !(distance(p, id, p->ids[MARL__COMBAT_ALLY][patient]) > HEALER_KEEPS)) return STOP;
    return walk_to(p, mask, id, p->ids[MARL__COMBAT_ALLY][patient]);
}

static int32_t choose(player *p, uint32_t agent) {
    const uint8_t *mask = p->avail + agent * p->actions;
    int32_t id = p->ids[MARL__COMBAT_ALLY][agent];

    if (!(p->units[id][ALIVE] > 0)) return 0;
    if (p->script == MARL__RANDOM_LEGAL || (p->script == MARL__EPS_NEAREST && marl__rng_real(&p->rng) < EPSILON)) {
        return choose_any(p, mask);
    }
    return is_healer(p, id) ? heal(p, mask, id) : fight(p, mask, id, p->script == MARL__FOCUS_FIRE);
}

/* ---- episodes ---- */

static marl_status play_episode(player *p, uint64_t seed, double figures[MARL__FIGURES]) {
    double reward = 0, scalars[8];
    marl_actions actions = {sizeof actions, 0, p->chosen, NULL};
    marl_step step = {sizeof step, 0, 0, 0, &reward, scalars};
    marl_status status = marl_env_reset(p->env, seed);

    memset(figures, 0, MARL__FIGURES * sizeof *figures);
    while (status == MARL_OK && !step.terminated && !step.truncated) {
        if ((status = look(p)) != MARL_OK) return status;
        for (uint32_t i = 0; i < p->agents; i++) p->chosen[i] = choose(p, i);
        if ((status = marl_env_step(p->env, &actions, &step)) != MARL_OK) return status;
        figures[MARL__RETURN] += reward;
        figures[MARL__LENGTH]++;
    }
    figures[MARL__WINS] = step.outcome == MARL_OUTCOME_WON;
    figures[MARL__KILLS] = scalars[2];
    figures[MARL__TIME_OUTS] = step.truncated && !step.terminated;
    return status;
}

static marl_status open_player(player *p, const char *map, uint64_t seed) {
    char name[128] = "combat:";
    marl_status status = marl__combat_map_load(map, &p->scenario);

    strncat(name, map, sizeof name - strlen(name) - 1);
    if (status == MARL_OK) status = marl_env_create(NULL, name, NULL, &p->env);
    if (status != MARL_OK) return status;
    for (int32_t id = 0; id < p->scenario.unit_count; id++) {
        p->ids[p->scenario.units[id].side][p->scenario.units[id].fid] = id;
    }
    p->agents = marl_env_get_spec(p->env)->agent_count;
    p->actions = marl_env_action_count(p->env);
    p->avail = calloc(p->agents, p->actions);
    p->chosen = calloc(p->agents, sizeof *p->chosen);
    marl__rng_init(&p->rng, seed, marl__stream(MARL__STREAM_TEST, 0));
    return p->avail && p->chosen ? MARL_OK : marl__no_memory(p->agents * p->actions);
}

static marl_status play_all(player *p, uint32_t episodes, uint64_t seed, marl__scripted *out) {
    double sum[MARL__FIGURES] = {0}, squares[MARL__FIGURES] = {0}, figures[MARL__FIGURES];

    for (uint32_t e = 0; e < episodes; e++) {
        marl_status status = play_episode(p, seed + e, figures);
        if (status != MARL_OK) return status;
        for (int32_t f = 0; f < MARL__FIGURES; f++) {
            sum[f] += figures[f];
            squares[f] += figures[f] * figures[f];
        }
    }
    out->episodes = episodes;
    for (int32_t f = 0; f < MARL__FIGURES; f++) {
        double mean = sum[f] / episodes, spread = squares[f] / episodes - mean * mean;
        out->mean[f] = mean;
        out->error[f] = sqrt(fmax(spread, 0) / (episodes > 1 ? episodes - 1 : 1));
    }
    return MARL_OK;
}

marl_status marl__scripted_play(const char *map, int32_t script, uint32_t episodes, uint64_t seed,
                                marl__scripted *out) {
    player *p = calloc(1, sizeof *p);
    marl_status status = MARL_OK;

    if (!p) return marl__no_memory(sizeof *p);
    p->script = script;
    status = open_player(p, map, seed);
    if (status == MARL_OK) status = play_all(p, episodes, seed, out);
    marl_env_destroy(p->env);
    free(p->avail);
    free(p->chosen);
    free(p);
    return status;
}

/* ---- comparing ---- */

double marl__scripted_deviation(const marl__scripted *ours, const marl__scripted *reference, int32_t figure) {
    static const double digit[MARL__FIGURES] = {0.001, 0.001, 0.01, 0.01, 0};
    double n = ours->episodes, m = reference->episodes;
    double apart = fabs(ours->mean[figure] - reference->mean[figure]);
    double error = hypot(ours->error[figure], reference->error[figure]);

    if (apart <= 0.5 * digit[figure] + 1e-9) return 0;
    if (figure == MARL__WINS || figure == MARL__TIME_OUTS) {
        double share = (n * ours->mean[figure] + m * reference->mean[figure]) / (n + m);
        error = sqrt(share * (1 - share) * (1 / n + 1 / m));
    } else if (!(reference->error[figure] > 0)) {
        error = ours->error[figure] * sqrt(1 + n / m);
    }
    return error > 0 ? apart / error : INFINITY;
}
