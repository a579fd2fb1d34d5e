/* SPDX-License-Identifier: Apache-2.0 */
/* Combat: a team of units against scripted enemies, the micromanagement battles of the SMAC benchmark (Samvelyan et al.
 * 2019) under the rules of SMAClite (Michalski et al. 2023), in which a step is half a second of battle.
 *
 * Here is the episode: actions become orders, ticks become a reward, and somebody wins. SMAC's rules differ from
 * SMAClite's in what is paid and when a battle is decided; both are built on the same battle (world.h). */
#include "envs/combat/combat.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define STEP_LENGTH 2.0 /* of a move's goal from where the unit stands; it gets as far as half a second takes it */
#define KILL_REWARD 10.0
#define WIN_REWARD 200.0
#define BEST_RETURN 20.0 /* what the rewards of a clean victory sum to */

/* ---- reset and step ---- */

static marl_status combat_reset(void *env, uint64_t seed) {
    marl__combat *e = env;

    marl__combat_world_reset(e->world, seed);
    e->step = 0;
    for (int32_t i = 0; i < e->scenario.ally_count; i++) {
        e->last_action[i] = -1;
    }
    return MARL_OK;
}

static void give_order(marl__combat *e, marl__combat_state *s, int32_t agent, int32_t action) {
    int32_t id = e->agents[agent], k = action - MARL__COMBAT_FIRST_TARGET;

    if (action >= MARL__COMBAT_FIRST_TARGET) {
        s->order[id] = MARL__COMBAT_ATTACK;
        s->order_target[id] = e->is_healer[id] ? e->agents[k] : e->enemies[k];
    } else if (action >= MARL__COMBAT_NORTH) {
        s->order[id] = MARL__COMBAT_MOVE;
        s->goal_x[id] = (double)s->x[id];
        s->goal_y[id] = (double)s->y[id];
        s->goal_x[id] += action == MARL__COMBAT_EAST ? STEP_LENGTH : action == MARL__COMBAT_WEST ? -STEP_LENGTH : 0;
        s->goal_y[id] += action == MARL__COMBAT_NORTH ? STEP_LENGTH : action == MARL__COMBAT_SOUTH ? -STEP_LENGTH : 0;
    } else {
        s->order[id] = action == MARL__COMBAT_HALT ? MARL__COMBAT_STOP : MARL__COMBAT_NOTHING;
    }
}

/* The dead may be given anything and do nothing. */
static void give_orders(marl__combat *e, const int32_t *actions) {
    marl__combat_state *s = marl__combat_world_state(e->world);

    for (int32_t i = 0; i < e->scenario.ally_count; i++) {
        int32_t action = s->alive[e->agents[i]] ? actions[i] : MARL__COMBAT_NO_OP;
        e->last_action[i] = (int16_t)action;
        give_order(e, s, i, action);
    }
}

static int32_t count_alive(const marl__combat *e, const int16_t *ids, int32_t count, int32_t healers_too) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t alive = 0;

    for (int32_t i = 0; i < count; i++) {
        alive += s->alive[ids[i]] && (healers_too || !e->is_healer[ids[i]]);
    }
    return alive;
}

/* How the battle stands: MARL_OUTCOME_NONE while it goes on. */
static int32_t judge(const marl__combat *e) {
    const marl__combat_scenario *c = &e->scenario;
    int32_t allies = count_alive(e, e->agents, c->ally_count, 1);
    int32_t enemies = count_alive(e, e->enemies, c->enemy_count, 1);

    if (!e->keys.smac_rules) {
        return enemies == 0 ? MARL_OUTCOME_WON : allies == 0 ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE;
    }
    /* SMAC: healers alone hold no field, of the enemies' a single one; who falls together has not won */
    if (allies == 0 || count_alive(e, e->agents, c->ally_count, 0) == 0) {
        return MARL_OUTCOME_LOST;
    }
    return enemies == 0 || (enemies == 1 && count_alive(e, e->enemies, c->enemy_count, 0) == 0) ? MARL_OUTCOME_WON
                                                                                              : MARL_OUTCOME_NONE;
}

/* What SMAC pays: how much less there is of the enemies than before the step, regeneration netted, and every death. */
static double pay_smac(const marl__combat *e, const double *before) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    double sum = 0;

    for (int32_t k = 0; k < e->scenario.enemy_count; k++) {
        int32_t id = e->enemies[k];
        if (before[k] > 0) {
            sum += s->alive[id] ? before[k] - s->hp[id] - s->shield[id] : before[k] + KILL_REWARD;
        }
    }
    return sum < 0 ? -sum : sum;
}

static double fight(marl__combat *e) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    double before[MARL__COMBAT_MOST_UNITS], sum = 0;

    for (int32_t k = 0; e->keys.smac_rules && k < e->scenario.enemy_count; k++) {
        int32_t id = e->enemies[k];
        before[k] = s->alive[id] ? s->hp[id] + s->shield[id] : 0;
    }
    for (int32_t tick = 0; tick < MARL__COMBAT_TICKS; tick++) {
        sum += marl__combat_world_tick(e->world);
    }
    return e->keys.smac_rules ? pay_smac(e, before) : sum;
}

static void settle_end(const marl__combat *e, int32_t outcome, marl_step *out) {
    const marl__combat_scenario *c = &e->scenario;
    int is_late = e->step >= e->keys.episode_limit;

    out->terminated = outcome != MARL_OUTCOME_NONE || (is_late && e->keys.limit_is_terminal);
    out->truncated = is_late && !out->terminated;
    /* who has not won by the limit has lost */
    out->outcome = outcome != MARL_OUTCOME_NONE ? outcome : is_late ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE;
    if (out->scalars && (out->terminated || out->truncated)) {
        out->scalars[0] = outcome == MARL_OUTCOME_WON;
        out->scalars[1] = c->ally_count - count_alive(e, e->agents, c->ally_count, 1);
        out->scalars[2] = c->enemy_count - count_alive(e, e->enemies, c->enemy_count, 1);
    }
}

static marl_status combat_step(void *env, const marl_actions *actions, marl_step *out) {
    marl__combat *e = env;
    double reward = 0;
    int32_t outcome = MARL_OUTCOME_NONE;

    give_orders(e, actions->discrete);
    reward = fight(e);
    e->step++;
    outcome = judge(e);
    if (outcome == MARL_OUTCOME_WON) {
        reward += WIN_REWARD;
    }
    out->rewards[0] = reward / (e->scenario.most_reward / BEST_RETURN);
    settle_end(e, outcome, out);
    return MARL_OK;
}

/* ---- create and destroy ---- */

static void combat_destroy(void *env) {
    marl__combat *e = env;

    marl__combat_world_destroy(e->world);
    marl__free(e->heap, e->classes);
    marl__free(e->heap, e->targets);
    marl__free(e->heap, e->slices);
    marl__free(e->heap, e);
}

static marl_status combat_create(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                                 void **out) {
    marl__combat *e = marl__alloc_zero(heap, sizeof *e);
    marl_status status = MARL_OK;

    *out = NULL;
    if (!e) return MARL_E_NOMEM;
    e->heap = heap;
    snprintf(e->name, sizeof e->name, "%s", name);
    if ((status = marl__combat_read_keys(config, &e->keys)) != MARL_OK) goto done;
    status = marl__combat_is_file(variant) ? marl__combat_file_load(heap, variant, &e->scenario)
                                           : marl__combat_map_load(variant, &e->scenario);
    if (status != MARL_OK) goto done;
    if (e->keys.episode_limit == 0) {
        e->keys.episode_limit = e->scenario.episode_limit;
    }
    if ((status = marl__combat_describe(e)) != MARL_OK) goto done;
    status = marl__combat_world_create(heap, &e->scenario, e->keys.opponent, &e->world);
    if (status != MARL_OK) goto done;
    *out = e;
    e = NULL;
done:
    if (e) {
        combat_destroy(e);
    }
    return status;
}

static const marl_env_vtable vtable = {
    .struct_size = sizeof(marl_env_vtable),
    .spec = marl__combat_spec,
    .reset = combat_reset,
    .step = combat_step,
    .observe = marl__combat_observe,
    .save_bytes = marl__combat_save_bytes,
    .save = marl__combat_save,
    .restore = marl__combat_restore,
    .render = marl__combat_render,
    .draw_text = marl__combat_draw_text,
    .destroy = combat_destroy,
};

const marl__env_family marl__env_family_combat = {
    .name = "combat",
    .variants = "a map (3m, 5m_vs_6m, 8m_vs_9m, 2s3z, MMM2, corridor, ...) or a scenario file (PATH.json)",
    .example = "combat:5m_vs_6m",
    .keys = &marl__combat_key_table,
    .check = marl__combat_check,
    .create = combat_create,
    .vtable = &vtable,
    .inject = &marl__combat_inject,
    .explain = marl__combat_explain,
};
