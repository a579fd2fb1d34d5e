/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of every step: what an environment tells before it reaches the caller, and what the caller chose before it
 * reaches the environment. They are apart from the handle's life in env.c because they are what a step costs. */
#include "envs/env_handle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

/* ---- observations ---- */

/* NaN and infinity have every exponent bit set: adding one to the exponent then carries into the sign bit. The pass
 * has no branch and goes in blocks of a fixed size, which compilers turn into vectors. */
static int all_finite(const float *values, size_t count) {
    enum { BLOCK = 16 };
    uint32_t carried[BLOCK] = {0}, any = 0;

    for (; count >= BLOCK; count -= BLOCK, values += BLOCK) {
        uint32_t bits[BLOCK];
        memcpy(bits, values, sizeof bits);
        for (size_t i = 0; i < BLOCK; i++) {
            carried[i] |= (bits[i] & 0x7fffffffu) + 0x00800000u;
        }
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        any |= (bits & 0x7fffffffu) + 0x00800000u;
    }
    for (size_t i = 0; i < BLOCK; i++) {
        any |= carried[i];
    }
    return (any & 0x80000000u) == 0;
}

static size_t first_not_finite(const float *values, size_t count) {
    size_t i = 0;

    while (i < count && isfinite(values[i])) {
        i++;
    }
    return i;
}

static marl_status check_obs(const marl_env *env, const float *obs) {
    uint32_t n = env->spec.agent_count;
    size_t at = 0;

    if (all_finite(obs, (size_t)n * env->obs_size)) {
        return MARL_OK;
    }
    at = first_not_finite(obs, (size_t)n * env->obs_size);
    return marl__fail(MARL_E_NOT_FINITE, "step %u, agent %u: entry %u of the observation is %g", env->steps,
                      (uint32_t)(at / env->obs_size), (uint32_t)(at % env->obs_size), (double)obs[at]);
}

static marl_status check_state(const marl_env *env, const float *state) {
    size_t at = 0;

    if (all_finite(state, env->state_entries)) {
        return MARL_OK;
    }
    at = first_not_finite(state, env->state_entries);
    if (env->spec.state_per_agent) {
        return marl__fail(MARL_E_NOT_FINITE, "step %u, agent %u: entry %u of the state is %g", env->steps,
                          (uint32_t)(at / env->spec.state_size), (uint32_t)(at % env->spec.state_size),
                          (double)state[at]);
    }
    return marl__fail(MARL_E_NOT_FINITE, "step %u: entry %zu of the state is %g", env->steps, at, (double)state[at]);
}

/* All flags together, eight bytes at a time. */
static unsigned any_of(const uint8_t *flags, uint32_t count) {
    uint64_t words = 0;
    unsigned any = 0;

    for (; count >= sizeof words; count -= (uint32_t)sizeof words, flags += sizeof words) {
        uint64_t word;
        memcpy(&word, flags, sizeof word);
        words |= word;
    }
    for (uint32_t i = 0; i < count; i++) {
        any |= flags[i];
    }
    words |= words >> 32;
    words |= words >> 16;
    words |= words >> 8;
    return any | (unsigned)(words & 255u);
}

/* One agent's row of the mask: flags, and at least one open in every dimension. */
static marl_status check_avail_row(const marl_env *env, uint32_t agent) {
    const marl_agent_class *c = env->agents[agent].agent_class;
    const uint8_t *row = env->avail + (size_t)agent * env->action_count;
    uint32_t first = 0;

    for (uint32_t d = 0; c->action_count > 0 && d < c->action_dims; d++) {
        uint32_t size = c->action_kind == MARL_ACTION_MULTI_DISCRETE ? c->action_sizes[d] : c->action_count;
        unsigned any = any_of(row + first, size);
        if (any > 1) {
            return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: its availability flags are not all 0 or 1",
                              env->steps, agent);
        }
        if (any == 0 && env->alive[agent]) {
            return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: it is alive and has no action available%s",
                              env->steps, agent, c->action_dims > 1 ? " in one of its dimensions" : "");
        }
        first += size;
    }
    return MARL_OK;
}

static marl_status check_mask(const marl_env *env) {
    marl_status status = MARL_OK;

    for (uint32_t i = 0; i < env->spec.agent_count; i++) {
        if (env->alive[i] > 1) {
            return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: its alive flag is %u, neither 0 nor 1", env->steps,
                              i, env->alive[i]);
        }
        if ((status = check_avail_row(env, i)) != MARL_OK) return status;
    }
    return MARL_OK;
}

/* What the environment wrote beyond an agent's own sizes becomes zero, and so do rows of the other element type. */
static void pad_rows(const marl_env *env, const marl_view *view) {
    for (uint32_t i = 0; i < env->spec.agent_count; i++) {
        const marl__agent_shape *shape = &env->agents[i];
        size_t row = (size_t)i * env->obs_size;
        uint32_t floats = shape->agent_class->obs_type == MARL_OBS_F32 ? shape->obs_size : 0;
        uint32_t bytes = shape->agent_class->obs_type == MARL_OBS_U8 ? shape->obs_size : 0;
        if (view->obs) {
            memset(view->obs + row + floats, 0, (env->obs_size - floats) * sizeof *view->obs);
        }
        if (view->obs_u8) {
            memset(view->obs_u8 + row + bytes, 0, env->obs_size - bytes);
        }
        memset(env->avail + (size_t)i * env->action_count + shape->action_count, 0,
               env->action_count - shape->action_count);
    }
}

/* The environment always writes its masks into the handle, filled with ones for those that have none to tell. */
marl_status marl__env_observe_checked(marl_env *env, const marl_view *view) {
    marl_view inner = *view;
    size_t n = env->spec.agent_count;
    marl_status status = MARL_OK;

    inner.struct_size = sizeof inner;
    inner.avail = env->action_count > 0 ? env->avail : NULL;
    inner.alive = env->alive;
    env->mask_is_fresh = 0;
    memset(env->avail, 1, n * env->action_count);
    memset(env->alive, 1, n);
    if ((status = env->vtable.observe(env->env, &inner)) != MARL_OK) return marl__env_failed(env, "observe", status);
    if (!env->is_plain) {
        pad_rows(env, &inner);
    }
    if ((status = check_mask(env)) != MARL_OK) return status;
    if (view->obs && (status = check_obs(env, view->obs)) != MARL_OK) return status;
    if (view->state && (status = check_state(env, view->state)) != MARL_OK) return status;
    env->mask_is_fresh = 1;
    return MARL_OK;
}

/* ---- actions and results ---- */

static marl_status refuse_choice(const marl_env *env, uint32_t agent, uint32_t dim, int32_t action, uint32_t count) {
    const char *kind = env->agents[agent].agent_class->action_kind == MARL_ACTION_DISCRETE ? "" : " in its dimension ";
    char where[32] = "", why[192] = "";

    if (kind[0]) {
        snprintf(where, sizeof where, "%s%u", kind, dim);
    }
    if (action < 0 || (uint32_t)action >= count) {
        return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: action %d%s is not from 0 to %u", env->steps, agent,
                          action, where, count - 1);
    }
    if (env->family && env->family->explain) {
        env->family->explain(env->env, agent, action, why, sizeof why);
    }
    return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: action %d%s is not available now%s%s", env->steps, agent,
                      action, where, why[0] ? ": " : "", why);
}

/* Agents that are not alive may be given any action in range. */
static marl_status check_choices(const marl_env *env, uint32_t agent, const int32_t *chosen) {
    const marl_agent_class *c = env->agents[agent].agent_class;
    const uint8_t *row = env->avail + (size_t)agent * env->action_count;

    for (uint32_t d = 0; d < c->action_dims; d++) {
        uint32_t size = c->action_kind == MARL_ACTION_MULTI_DISCRETE ? c->action_sizes[d] : c->action_count;
        uint32_t action = (uint32_t)chosen[d];
        if (action >= size || (c->action_count > 0 && !row[action] && env->alive[agent])) {
            return refuse_choice(env, agent, d, chosen[d], size);
        }
        row += c->action_count > 0 ? size : 0;
    }
    return MARL_OK;
}

static marl_status check_reals(const marl_env *env, uint32_t agent, const float *values) {
    const marl_agent_class *c = env->agents[agent].agent_class;

    for (uint32_t d = 0; d < c->action_dims; d++) {
        if (!isfinite(values[d])) {
            return marl__fail(MARL_E_NOT_FINITE, "step %u, agent %u: dimension %u of the action is %g, not a number "
                              "from %g to %g", env->steps, agent, d, (double)values[d], (double)c->action_low[d],
                              (double)c->action_high[d]);
        }
        if (values[d] < c->action_low[d] || values[d] > c->action_high[d]) {
            return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: dimension %u of the action is %g, not from %g to %g",
                              env->steps, agent, d, (double)values[d], (double)c->action_low[d],
                              (double)c->action_high[d]);
        }
    }
    return MARL_OK;
}

marl_status marl__env_check_actions(const marl_env *env, const marl_actions *actions) {
    uint32_t n = env->spec.agent_count;
    marl_status status = MARL_OK;

    if ((env->needs_discrete && !actions->discrete) || (env->needs_continuous && !actions->continuous)) {
        return marl__fail(MARL_E_ARGUMENT, "the %s actions are NULL",
                          env->needs_discrete && !actions->discrete ? "discrete" : "continuous");
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t row = (size_t)i * env->action_dims;
        if (env->agents[i].agent_class->action_kind == MARL_ACTION_BOX) {
            status = check_reals(env, i, actions->continuous + row);
        } else {
            status = check_choices(env, i, actions->discrete + row);
        }
        if (status != MARL_OK) return status;
    }
    return MARL_OK;
}

/* What the environment reports of a step. A step that reports nonsense cannot be taken back: the episode is over. */
marl_status marl__env_check_result(const marl_env *env, const marl_step *step) {
    for (uint32_t i = 0; i < env->reward_count; i++) {
        if (!isfinite(step->rewards[i])) {
            if (env->spec.reward_per_agent) {
                return marl__fail(MARL_E_NOT_FINITE, "step %u, agent %u: its reward is %g", env->steps, i,
                                  step->rewards[i]);
            }
            return marl__fail(MARL_E_NOT_FINITE, "step %u: the team's reward is %g", env->steps, step->rewards[i]);
        }
    }
    if (((uint32_t)step->terminated | (uint32_t)step->truncated) > 1) {
        return marl__fail(MARL_E_ARGUMENT, "step %u: terminated %d and truncated %d are not flags", env->steps,
                          step->terminated, step->truncated);
    }
    if (step->outcome < MARL_OUTCOME_NONE || step->outcome > MARL_OUTCOME_LOST) {
        return marl__fail(MARL_E_ARGUMENT, "step %u: the outcome %d is no marl_outcome", env->steps, step->outcome);
    }
    for (uint32_t i = 0; step->scalars && (step->terminated || step->truncated) && i < env->spec.scalar_count; i++) {
        if (!isfinite(step->scalars[i])) {
            return marl__fail(MARL_E_NOT_FINITE, "step %u: the episode scalar '%s' is %g", env->steps,
                              env->spec.scalar_names[i], step->scalars[i]);
        }
    }
    return MARL_OK;
}
