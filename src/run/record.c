/* SPDX-License-Identifier: Apache-2.0 */
#include "run/record.h"

#include <string.h>

size_t marl__slot_bytes(const marl_env *env) {
    return (marl_env_save_bytes(env) + 7) / 8 * 8;
}

marl_status marl__record_create(marl__vector *v) {
    const marl__team_shape *shape = &v->view->shape;
    size_t e = (size_t)v->count, n = (size_t)shape->agents, slots = (size_t)shape->episode_limit + 1;
    marl_status status = MARL_OK;

    v->kept_actions = marl__vector_take(v, e * slots, n, 1, sizeof *v->kept_actions, &status);
    v->kept_rewards = marl__vector_take(v, e * slots, (size_t)shape->rewards, 1, sizeof *v->kept_rewards, &status);
    if (v->recording == MARL__RECORD_STATES) {
        v->save_bytes = marl_env_save_bytes(v->envs[0].env);
        v->slot_bytes = marl__slot_bytes(v->envs[0].env);
        v->kept_slots = marl__vector_take(v, e * slots, v->slot_bytes, 1, 1, &status);
        return status;
    }
    v->kept_obs = marl__vector_take(v, e * slots, n, (size_t)shape->obs, sizeof *v->kept_obs, &status);
    v->kept_state = marl__vector_take(v, e * slots, (size_t)shape->state, 1, sizeof *v->kept_state, &status);
    v->kept_avail = marl__vector_take(v, e * slots, n, (size_t)shape->actions, 1, &status);
    return status;
}

static size_t first_slot(const marl__vector *v, int32_t e) {
    return (size_t)e * ((size_t)v->view->shape.episode_limit + 1);
}

marl_status marl__record_seen(marl__vector *v, int32_t e, int32_t slot) {
    const marl__team_shape *shape = &v->view->shape;
    size_t at = first_slot(v, e) + (size_t)slot, n = (size_t)shape->agents;
    size_t no = n * (size_t)shape->obs, s = (size_t)shape->state, na = n * (size_t)shape->actions;

    if (v->recording == MARL__RECORD_STATES) {
        return marl_env_save(v->envs[e].env, v->kept_slots + at * v->slot_bytes, v->save_bytes);
    }
    memcpy(v->kept_obs + at * no, v->obs + (size_t)e * no, no * sizeof(float));
    memcpy(v->kept_state + at * s, v->state + (size_t)e * s, s * sizeof(float));
    memcpy(v->kept_avail + at * na, v->avail + (size_t)e * na, na);
    return MARL_OK;
}

void marl__record_action(marl__vector *v, int32_t e, int32_t slot) {
    size_t n = (size_t)v->view->shape.agents, at = first_slot(v, e) + (size_t)slot;

    memcpy(v->kept_actions + at * n, v->actions + (size_t)e * n, n * sizeof(int32_t));
}

void marl__record_rewards(marl__vector *v, int32_t e, int32_t slot, const double *rewards, double team) {
    size_t r = (size_t)v->view->shape.rewards;
    float *to = v->kept_rewards + (first_slot(v, e) + (size_t)slot) * r;

    if (r == 1) to[0] = (float)team;
    for (size_t i = 0; r > 1 && i < r; i++) to[i] = (float)rewards[i];
}

void marl__vector_episode(const marl__vector *v, int32_t e, marl__episode *out) {
    const marl__vector_env *own = &v->envs[e];
    const marl__team_shape *shape = &v->view->shape;
    size_t at = first_slot(v, e), n = (size_t)shape->agents;

    *out = (marl__episode){.length = own->has_ended ? own->end.length : own->length};
    out->terminated = own->has_ended && own->end.terminated;
    out->actions = v->kept_actions + at * n;
    out->rewards = v->kept_rewards + at * (size_t)shape->rewards;
    if (v->recording == MARL__RECORD_STATES) {
        out->packed = v->kept_slots + at * v->slot_bytes;
        return;
    }
    out->obs = v->kept_obs + at * n * (size_t)shape->obs;
    out->state = v->kept_state + at * (size_t)shape->state;
    out->avail = v->kept_avail + at * n * (size_t)shape->actions;
}
