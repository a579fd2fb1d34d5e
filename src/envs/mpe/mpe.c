/* SPDX-License-Identifier: Apache-2.0 */
/* The multi-agent particle environments (Lowe et al. 2017; Mordatch & Abbeel 2018) after mpe2 1.1.1: agents push
 * themselves about a plane, some of them speak. This file is the outside that all scenarios share: it turns actions
 * into forces and words, and describes classes from what a scenario's build declared.
 *
 * A discrete move is one of five; one who also speaks chooses move + 5 * word, one who cannot move chooses a word. A
 * continuous action has one number from 0 to 1 for each move (opposite ones subtract) and for each word. */
#include "envs/mpe/mpe.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define USUAL_PUSH 5.0

/* ---- for the scenarios ---- */

marl__mpe_body *marl__mpe_add_agent(marl__mpe *e, double size, int32_t class_index) {
    marl__mpe_body *body = &e->bodies[e->agents];

    *body = (marl__mpe_body){.size = size, .push = USUAL_PUSH, .is_movable = 1, .class_index = class_index};
    e->agent_class[e->agents++] = (uint32_t)class_index;
    e->class_count = class_index >= e->class_count ? class_index + 1 : e->class_count;
    return body;
}

marl__mpe_body *marl__mpe_add_landmark(marl__mpe *e, double size) {
    marl__mpe_body *body = &e->bodies[e->agents + e->landmarks++];

    *body = (marl__mpe_body){.size = size, .class_index = -1};
    return body;
}

void marl__mpe_see(marl__mpe *e, int32_t class_index, const char *name, int32_t role, int32_t count, int32_t features,
                   int32_t slice_kind) {
    marl_agent_class *c = &e->classes[class_index];
    uint32_t size = (uint32_t)(count * features);

    if (count == 0) {
        return;
    }
    e->slices[class_index][c->slice_count++] = (marl_obs_slice){c->obs_shape[0], size, slice_kind, 0, 0};
    e->groups[class_index][c->entity_group_count++] =
        (marl_entity_group){name, role, c->obs_shape[0], (uint32_t)count, (uint32_t)features};
    c->obs_shape[0] += size;
}

void marl__mpe_place(marl__mpe *e, marl__rng *rng, int32_t first, int32_t count, double reach) {
    for (int32_t k = first; k < first + count; k++) {
        e->pos[k][0] = (2 * marl__rng_real(rng) - 1) * reach;
        e->pos[k][1] = (2 * marl__rng_real(rng) - 1) * reach;
    }
}

int32_t marl__mpe_pick_goal(marl__mpe *e, marl__rng *rng) {
    return (int32_t)marl__rng_below(rng, (uint32_t)e->landmarks);
}

/* ---- reset, step, observe ---- */

static marl_status mpe_reset(void *env, uint64_t seed) {
    marl__mpe *e = env;
    marl__rng rng;

    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_ENV_RULES, 0));
    e->step = 0;
    e->hits = 0;
    memset(e->vel, 0, (size_t)e->agents * sizeof e->vel[0]);
    memset(e->said, 0, (size_t)e->agents * sizeof e->said[0]);
    e->scenario->reset(e, &rng);
    return MARL_OK;
}

static void choose(marl__mpe *e, int32_t i, int32_t action) {
    static const double direction[MARL__MPE_MOVES][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    const marl__mpe_body *body = &e->bodies[i];
    int32_t move = body->is_movable ? action % MARL__MPE_MOVES : 0;

    e->force[i][0] = direction[move][0] * body->push;
    e->force[i][1] = direction[move][1] * body->push;
    if (body->speaks) {
        memset(e->said[i], 0, sizeof e->said[i]);
        e->said[i][body->is_movable ? action / MARL__MPE_MOVES : action] = 1;
    }
}

static void push(marl__mpe *e, int32_t i, const float *action) {
    const marl__mpe_body *body = &e->bodies[i];

    if (body->is_movable) {
        e->force[i][0] = (double)(action[2] - action[1]) * body->push;
        e->force[i][1] = (double)(action[4] - action[3]) * body->push;
        action += MARL__MPE_MOVES;
    }
    for (int32_t k = 0; body->speaks && k < e->words; k++) {
        e->said[i][k] = (double)action[k];
    }
}

static marl_status mpe_step(void *env, const marl_actions *actions, marl_step *out) {
    marl__mpe *e = env;
    int is_late = 0;

    for (int32_t i = 0; i < e->agents; i++) {
        if (e->rules.is_continuous) {
            push(e, i, actions->continuous + (size_t)i * e->action_width);
        } else {
            choose(e, i, actions->discrete[i]);
        }
    }
    marl__mpe_move(e);
    e->step++;
    e->scenario->reward(e, out->rewards);
    is_late = e->step >= e->rules.max_steps;
    out->terminated = is_late && e->rules.limit_is_terminal;
    out->truncated = is_late && !out->terminated;
    if (is_late && out->scalars) {
        out->scalars[0] = e->scenario->scalar(e);
    }
    return MARL_OK;
}

/* The state is all observations in a row, each with its own width. All actions are open and everybody lives, which is
 * what a view is filled with. */
static marl_status mpe_observe(void *env, const marl_view *out) {
    const marl__mpe *e = env;
    float *state = e->rules.has_state ? out->state : NULL;

    for (int32_t i = 0; i < e->agents; i++) {
        uint32_t size = e->classes[e->agent_class[i]].obs_shape[0];
        float *row = out->obs ? out->obs + (size_t)i * e->obs_width : NULL;
        if (row) {
            e->scenario->observe(e, i, row);
        }
        if (state && row) {
            memcpy(state, row, size * sizeof *state);
        } else if (state) {
            e->scenario->observe(e, i, state);
        }
        state = state ? state + size : NULL;
    }
    return MARL_OK;
}

/* ---- create ---- */

static uint64_t hash_rules(const marl__mpe *e) {
    const marl__mpe_rules *r = &e->rules;
    uint64_t hash = marl__env_hash_text(marl__env_hash_text(MARL__ENV_HASH, "mpe 1"), e->scenario->name);
    const int32_t plain[] = {e->agents, e->landmarks, r->adversaries, r->max_steps,
                             r->is_continuous, r->moves_last, r->limit_is_terminal, r->has_state};

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        hash = marl__env_hash_int(hash, plain[i]);
    }
    return marl__env_hash_real(hash, r->local_ratio);
}

static void describe_actions(marl__mpe *e, const marl__mpe_body *body, marl_agent_class *c) {
    uint32_t moves = body->is_movable ? MARL__MPE_MOVES : 0, words = body->speaks ? (uint32_t)e->words : 0;

    if (e->rules.is_continuous) {
        c->action_kind = MARL_ACTION_BOX;
        c->action_dims = moves + words;
        c->action_low = e->low;
        c->action_high = e->high;
    } else {
        c->action_count = moves && words ? moves * words : moves + words;
    }
}

static void describe(marl__mpe *e) {
    for (int32_t c = 0; c < MARL__MPE_CLASSES; c++) {
        marl_agent_class_init(&e->classes[c], sizeof e->classes[c]);
        e->classes[c].slices = e->slices[c];
        e->classes[c].entity_groups = e->groups[c];
    }
    for (uint32_t d = 0; d < MARL__MPE_MOVES + MARL__MPE_WORDS; d++) {
        e->high[d] = 1;
    }
    e->scenario->build(e);
    for (int32_t i = 0; i < e->agents; i++) {
        marl_agent_class *c = &e->classes[e->agent_class[i]];
        describe_actions(e, &e->bodies[i], c);
        e->obs_width = c->obs_shape[0] > e->obs_width ? c->obs_shape[0] : e->obs_width;
        e->action_width = c->action_dims > e->action_width ? c->action_dims : e->action_width;
        e->state_size += e->rules.has_state ? c->obs_shape[0] : 0;
    }
    for (int32_t k = 0; k < e->agents + e->landmarks; k++) {
        if (e->bodies[k].collides) {
            e->colliders[e->collider_count++] = k;
        }
    }
}

static marl_status mpe_create(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                              void **out) {
    marl__mpe *e = marl__alloc_zero(heap, sizeof *e);
    marl_status status = MARL_OK;

    *out = NULL;
    if (!e) return MARL_E_NOMEM;
    e->heap = heap;
    snprintf(e->name, sizeof e->name, "%s", name);
    if ((status = marl__mpe_read_rules(config, variant, &e->scenario, &e->rules)) != MARL_OK) {
        marl__free(heap, e);
        return status;
    }
    describe(e);
    e->hash = hash_rules(e);
    *out = e;
    return MARL_OK;
}

static marl_status mpe_spec(void *env, marl_env_spec *out) {
    marl__mpe *e = env;

    out->agent_count = (uint32_t)e->agents;
    out->name = e->name;
    out->version = "1";
    out->hash = e->hash;
    out->class_count = (uint32_t)e->class_count;
    out->classes = e->classes;
    out->agent_class = e->agent_class;
    out->state_size = e->state_size;
    out->reward_per_agent = 1;
    out->episode_limit = (uint32_t)e->rules.max_steps;
    out->deterministic = 1;
    out->scalar_count = 1;
    out->scalar_names = &e->scenario->scalar_name;
    return MARL_OK;
}

static void mpe_destroy(void *env) {
    marl__mpe *e = env;

    marl__free(e->heap, e);
}

static const marl_env_vtable vtable = {
    .struct_size = sizeof(marl_env_vtable),
    .spec = mpe_spec,
    .reset = mpe_reset,
    .step = mpe_step,
    .observe = mpe_observe,
    .save_bytes = marl__mpe_save_bytes,
    .save = marl__mpe_save,
    .restore = marl__mpe_restore,
    .render = marl__mpe_render,
    .draw_text = marl__mpe_draw_text,
    .destroy = mpe_destroy,
};

const marl__env_family marl__env_family_mpe = {
    .name = "mpe",
    .variants = "simple_spread[-N], simple_adversary[-N], simple_tag, simple_speaker_listener, simple_reference",
    .example = "mpe:simple_spread",
    .keys = &marl__mpe_keys,
    .check = marl__mpe_check,
    .create = mpe_create,
    .vtable = &vtable,
    .inject = &marl__mpe_inject,
};
