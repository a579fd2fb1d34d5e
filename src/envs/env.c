/* SPDX-License-Identifier: Apache-2.0 */
/* marl_env: one environment behind checks.
 *
 * The handle trusts nobody: the spec is checked once (spec.c), every action before it reaches the environment, every
 * reward and observation before it reaches the caller. Built-in environments take the same way as the host's own, so
 * the checks are written to be cheap: one pass over the integers of the actions, one branch-free pass over the bits
 * of an observation. The availability and alive flags that the last observe gave are kept, because they decide which
 * actions the next step may take.
 *
 * N agents, O observation entries, S state entries, A actions, D action dimensions, as in marl/env.h. */
#include "envs/env.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define SAVE_MAGIC 0x31766e65u /* "env1" */
#define MOST_BUFFER (UINT64_C(1) << 31) /* entries of any one (N,O), (N,S), (N,A) buffer */

enum phase { PHASE_NEW = 0, PHASE_RUNNING = 1, PHASE_OVER = 2 };

/* What an agent's class fixes, laid out for the checks of every step. */
typedef struct agent_shape {
    uint32_t obs_size;
    uint32_t action_count;
    const marl_agent_class *agent_class;
} agent_shape;

struct marl_env {
    uint32_t tag;
    uint32_t phase;
    uint32_t steps;        /* since reset */
    uint32_t mask_is_fresh; /* avail and alive belong to the present state */
    marl__heap heap;
    const marl__env_family *family; /* NULL: the host's own */
    marl_env_vtable vtable;
    void *env;
    marl_env_spec spec;
    uint32_t obs_size, action_count, action_dims, reward_count; /* O, A, D, 1 or N */
    uint32_t is_plain;      /* one class, f32, DISCRETE: no padding, one number an action */
    uint32_t needs_discrete, needs_continuous;
    size_t state_entries;   /* S or N S */
    size_t save_bytes;      /* of the environment itself; 0: it has no save */
    marl_agent_class *classes;
    uint32_t *agent_class;
    agent_shape *agents;    /* (N) */
    uint8_t *avail;         /* (N,A) */
    uint8_t *alive;         /* (N) */
};

/* In front of the environment's own bytes: what the handle knows of the episode. */
typedef struct save_header {
    uint32_t magic;
    uint32_t phase;
    uint64_t spec_hash;
    uint32_t steps;
    uint32_t env_bytes;
} save_header;

/* ---- errors of the environment's own functions ---- */

/* A built-in environment has written its sentence. The host's own says its part through error(), and its status says
 * no more than that it failed: numbers of another library would look like ours. */
static marl_status env_failed(const marl_env *env, const char *function, marl_status status) {
    const char *text = NULL;

    if (env->family) {
        return status < 0 ? status : marl__fail(MARL_E_ENV, "%s failed with status %d", function, status);
    }
    if (env->vtable.error && env->env) {
        text = env->vtable.error(env->env);
    }
    return marl__fail(MARL_E_ENV, "environment '%.100s': %s failed with status %d%s%.300s",
                      env->spec.name ? env->spec.name : "?", function, status, text && text[0] ? ": " : "",
                      text ? text : "");
}

/* ---- create ---- */

/* Room for a spec of a later release: an environment compiled against it may clear its own, longer struct. */
typedef union spec_room {
    marl_env_spec spec;
    unsigned char bytes[1024];
} spec_room;

/* An array of structs that carry their size: the first one's is the stride of all. */
static marl_status take_classes(marl_env *env) {
    const unsigned char *at = (const unsigned char *)env->spec.classes;
    uint32_t stride = 0;
    marl_status status = MARL_OK;

    if (!at || env->spec.class_count == 0) {
        return marl__fail(MARL_E_ARGUMENT, "the spec has no classes");
    }
    memcpy(&stride, at, sizeof stride);
    if ((status = marl__alloc_array(&env->heap, env->spec.class_count, sizeof *env->classes,
                                    (void **)&env->classes)) != MARL_OK) {
        return status;
    }
    for (uint32_t i = 0; i < env->spec.class_count; i++) {
        uint32_t size = 0;
        memcpy(&size, at, sizeof size);
        if (size != stride) {
            return marl__fail(MARL_E_ARGUMENT, "class %u: struct_size is %u, that of class 0 is %u", i, size, stride);
        }
        if ((status = marl__take_struct(&env->classes[i], sizeof env->classes[i], at, sizeof env->classes[i],
                                        "marl_agent_class")) != MARL_OK) {
            return status;
        }
        at += stride;
    }
    env->spec.classes = env->classes;
    return MARL_OK;
}

static marl_status take_spec(marl_env *env) {
    spec_room room;
    marl_status status = MARL_OK;

    memset(&room, 0, sizeof room);
    room.spec.struct_size = sizeof room.spec;
    if ((status = env->vtable.spec(env->env, &room.spec)) != MARL_OK) return env_failed(env, "spec", status);
    if (room.spec.struct_size > sizeof room) {
        return marl__fail(MARL_E_VERSION, "the spec's struct_size is %u; this library reads %zu",
                          room.spec.struct_size, sizeof room.spec);
    }
    if ((status = marl__take_struct(&env->spec, sizeof env->spec, &room, sizeof env->spec, "marl_env_spec")) !=
        MARL_OK) {
        return status;
    }
    if (env->spec.class_count > 65536u) {
        return marl__fail(MARL_E_ARGUMENT, "class_count is %u, not from 1 to 65536", env->spec.class_count);
    }
    if ((status = take_classes(env)) != MARL_OK) return status;
    return marl__env_spec_check(&env->spec);
}

/* Greatest sizes over the agents, and whether padding is ever needed. */
static void measure_agents(marl_env *env) {
    env->is_plain = 1;
    for (uint32_t i = 0; i < env->spec.agent_count; i++) {
        const marl_agent_class *c = &env->classes[env->agent_class[i]];
        agent_shape *shape = &env->agents[i];
        shape->agent_class = c;
        shape->obs_size = marl__env_class_obs_size(c);
        shape->action_count = c->action_count;
        env->obs_size = shape->obs_size > env->obs_size ? shape->obs_size : env->obs_size;
        env->action_count = c->action_count > env->action_count ? c->action_count : env->action_count;
        env->action_dims = c->action_dims > env->action_dims ? c->action_dims : env->action_dims;
        env->needs_continuous |= c->action_kind == MARL_ACTION_BOX;
        env->needs_discrete |= c->action_kind != MARL_ACTION_BOX;
        env->is_plain &= env->agent_class[i] == env->agent_class[0] && c->action_kind == MARL_ACTION_DISCRETE &&
                         c->obs_type == MARL_OBS_F32;
    }
    env->reward_count = env->spec.reward_per_agent ? env->spec.agent_count : 1;
    env->state_entries = (size_t)env->spec.state_size * (env->spec.state_per_agent ? env->spec.agent_count : 1);
}

static marl_status check_buffers(const marl_env *env) {
    uint64_t n = env->spec.agent_count;
    uint64_t widest = env->obs_size;

    widest = env->action_count > widest ? env->action_count : widest;
    widest = env->action_dims > widest ? env->action_dims : widest;
    if (n * widest > MOST_BUFFER || env->state_entries > MOST_BUFFER) {
        return marl__fail(MARL_E_SHAPE, "%llu agents with %u observation, %u state and %u action entries are more than "
                          "one buffer may hold", (unsigned long long)n, env->obs_size, env->spec.state_size,
                          env->action_count);
    }
    return MARL_OK;
}

static marl_status take_save_bytes(marl_env *env) {
    size_t bytes = 0;

    if (!env->vtable.save) {
        return MARL_OK;
    }
    bytes = env->vtable.save_bytes(env->env);
    if (bytes == 0 || bytes > UINT32_MAX / 2) {
        return marl__fail(MARL_E_SHAPE, "save_bytes is %zu, not from 1 to %u", bytes, UINT32_MAX / 2);
    }
    env->save_bytes = bytes;
    return MARL_OK;
}

/* Everything after the environment itself exists. */
static marl_status finish_create(marl_env *env) {
    marl_status status = MARL_OK;
    uint32_t n = 0;

    if ((status = take_spec(env)) != MARL_OK) return status;
    n = env->spec.agent_count;
    if ((status = marl__alloc_array(&env->heap, n, sizeof *env->agent_class, (void **)&env->agent_class)) != MARL_OK) {
        return status;
    }
    if (env->spec.agent_class) {
        memcpy(env->agent_class, env->spec.agent_class, n * sizeof *env->agent_class);
    }
    env->spec.agent_class = env->agent_class;
    if ((status = marl__alloc_array(&env->heap, n, sizeof *env->agents, (void **)&env->agents)) != MARL_OK) {
        return status;
    }
    measure_agents(env);
    if ((status = check_buffers(env)) != MARL_OK) return status;
    if ((status = marl__alloc_array(&env->heap, n, env->action_count, (void **)&env->avail)) != MARL_OK) return status;
    if ((status = marl__alloc_array(&env->heap, n, 1, (void **)&env->alive)) != MARL_OK) return status;
    return take_save_bytes(env);
}

/* The heap lives inside the handle, so the handle's own block comes from a heap on the stack with the same host. */
static marl_status new_handle(const marl_host *host, marl_env **out) {
    marl__heap first;
    marl_env *env = NULL;
    marl_status status = marl__heap_init(&first, host);

    *out = NULL;
    if (status != MARL_OK) return status;
    env = marl__alloc_zero(&first, sizeof *env);
    if (!env) return MARL_E_NOMEM;
    status = marl__heap_init(&env->heap, host);
    if (status != MARL_OK) {
        marl__free(&first, env);
        return status;
    }
    env->tag = MARL__TAG_ENV;
    *out = env;
    return MARL_OK;
}

static marl_status check_component(const marl_config *config, const char *name) {
    const char *component = marl_config_component(config);
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");

    if (status != MARL_OK) return status;
    if (strncmp(component, "env/", 4) != 0 || strcmp(component + 4, name) != 0) {
        return marl__fail(MARL_E_MISMATCH, "the config is of '%s', not of 'env/%s'", component, name);
    }
    return MARL_OK;
}

marl_status marl_env_create(const marl_host *host, const char *name, const marl_config *config, marl_env **out) {
    const marl__env_family *family = NULL;
    const char *variant = NULL;
    marl_config *defaults = NULL;
    marl_env *env = NULL;
    char component[256];
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__env_find(name, &family, &variant)) != MARL_OK) goto done;
    if (config) {
        if ((status = check_component(config, name)) != MARL_OK) goto done;
    } else {
        snprintf(component, sizeof component, "env/%s", name);
        if ((status = marl_config_create(host, component, &defaults)) != MARL_OK) goto done;
        config = defaults;
    }
    if ((status = new_handle(host, &env)) != MARL_OK) goto done;
    env->family = family;
    env->vtable = *family->vtable;
    if ((status = family->create(&env->heap, name, variant, config, &env->env)) != MARL_OK) goto done;
    if ((status = finish_create(env)) != MARL_OK) goto done;
    *out = env;
    env = NULL;
done:
    marl_env_destroy(env);
    marl_config_destroy(defaults);
    return status;
}

static marl_status check_vtable(const marl_env_vtable *vtable) {
    int saves = !!vtable->save + !!vtable->restore + !!vtable->save_bytes;

    if (!vtable->spec || !vtable->reset || !vtable->step || !vtable->observe || !vtable->destroy) {
        return marl__fail(MARL_E_ARGUMENT, "the vtable lacks %s, which is required",
                          !vtable->spec      ? "spec"
                          : !vtable->reset   ? "reset"
                          : !vtable->step    ? "step"
                          : !vtable->observe ? "observe"
                                             : "destroy");
    }
    if (saves != 0 && saves != 3) {
        return marl__fail(MARL_E_ARGUMENT, "save_bytes, save and restore come together or not at all");
    }
    return MARL_OK;
}

marl_status marl_env_create_custom(const marl_host *host, const marl_env_type *type, uint32_t index, marl_env **out) {
    marl_env_type own;
    marl_env *env = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if (!type) return marl__fail(MARL_E_ARGUMENT, "the environment's type is NULL");
    if ((status = marl__take_struct(&own, sizeof own, type, sizeof own, "marl_env_type")) != MARL_OK) goto done;
    if (!own.create || !own.vtable) {
        status = marl__fail(MARL_E_ARGUMENT, "the environment's type lacks %s", own.create ? "vtable" : "create");
        goto done;
    }
    if ((status = new_handle(host, &env)) != MARL_OK) goto done;
    if ((status = marl__take_struct(&env->vtable, sizeof env->vtable, own.vtable, sizeof env->vtable,
                                    "marl_env_vtable")) != MARL_OK) {
        goto done;
    }
    if ((status = check_vtable(&env->vtable)) != MARL_OK) goto done;
    status = own.create(own.user, index, &env->env);
    if (status != MARL_OK || !env->env) {
        status = marl__fail(MARL_E_ENV, "create of environment %u failed with status %d%s", index, status,
                            status == MARL_OK ? " and gave NULL" : "");
        env->env = NULL;
        goto done;
    }
    if ((status = finish_create(env)) != MARL_OK) goto done;
    *out = env;
    env = NULL;
done:
    marl_env_destroy(env);
    return status;
}

void marl_env_destroy(marl_env *env) {
    marl__heap last;

    if (!marl__is_handle(env, MARL__TAG_ENV)) {
        return;
    }
    if (env->env) {
        env->vtable.destroy(env->env);
    }
    marl__free(&env->heap, env->classes);
    marl__free(&env->heap, env->agent_class);
    marl__free(&env->heap, env->agents);
    marl__free(&env->heap, env->avail);
    marl__free(&env->heap, env->alive);
    env->tag = 0;
    if (marl__heap_init(&last, &env->heap.host) == MARL_OK) {
        marl__free(&last, env);
    }
}

/* ---- inspect ---- */

const marl_env_spec *marl_env_get_spec(const marl_env *env) {
    return marl__is_handle(env, MARL__TAG_ENV) ? &env->spec : NULL;
}

uint32_t marl_env_obs_size(const marl_env *env) {
    return marl__is_handle(env, MARL__TAG_ENV) ? env->obs_size : 0;
}

uint32_t marl_env_action_count(const marl_env *env) {
    return marl__is_handle(env, MARL__TAG_ENV) ? env->action_count : 0;
}

/* ---- reset, observe, step ---- */

marl_status marl_env_reset(marl_env *env, uint64_t seed) {
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    env->mask_is_fresh = 0;
    env->steps = 0;
    env->phase = PHASE_NEW;
    if ((status = env->vtable.reset(env->env, seed)) != MARL_OK) return env_failed(env, "reset", status);
    env->phase = PHASE_RUNNING;
    return MARL_OK;
}

/* NaN and infinity have every exponent bit set: adding one to the exponent then carries into the sign bit. The pass
 * has no branch, so it costs a fraction of a nanosecond an entry. */
static int all_finite(const float *values, size_t count) {
    uint32_t carried = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        carried |= (bits & 0x7fffffffu) + 0x00800000u;
    }
    return (carried & 0x80000000u) == 0;
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

/* One agent's row of the mask: flags, and at least one open in every dimension. */
static marl_status check_avail_row(const marl_env *env, uint32_t agent) {
    const marl_agent_class *c = env->agents[agent].agent_class;
    const uint8_t *row = env->avail + (size_t)agent * env->action_count;
    uint32_t first = 0;

    for (uint32_t d = 0; c->action_count > 0 && d < c->action_dims; d++) {
        uint32_t size = c->action_kind == MARL_ACTION_MULTI_DISCRETE ? c->action_sizes[d] : c->action_count;
        unsigned any = 0;
        for (uint32_t a = first; a < first + size; a++) {
            any |= row[a];
        }
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
        const agent_shape *shape = &env->agents[i];
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
static marl_status observe_checked(marl_env *env, const marl_view *view) {
    marl_view inner = *view;
    size_t n = env->spec.agent_count;
    marl_status status = MARL_OK;

    inner.struct_size = sizeof inner;
    inner.avail = env->action_count > 0 ? env->avail : NULL;
    inner.alive = env->alive;
    env->mask_is_fresh = 0;
    memset(env->avail, 1, n * env->action_count);
    memset(env->alive, 1, n);
    if ((status = env->vtable.observe(env->env, &inner)) != MARL_OK) return env_failed(env, "observe", status);
    if (!env->is_plain) {
        pad_rows(env, &inner);
    }
    if ((status = check_mask(env)) != MARL_OK) return status;
    if (view->obs && (status = check_obs(env, view->obs)) != MARL_OK) return status;
    if (view->state && (status = check_state(env, view->state)) != MARL_OK) return status;
    env->mask_is_fresh = 1;
    return MARL_OK;
}

marl_status marl_env_observe(marl_env *env, const marl_view *out) {
    marl_view view;
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    if (out->struct_size == sizeof view) {
        view = *out;
    } else if ((status = marl__take_struct(&view, sizeof view, out, sizeof view, "marl_view")) != MARL_OK) {
        return status;
    }
    if (env->phase == PHASE_NEW) return marl__fail(MARL_E_STATE, "the environment was never reset");
    if ((status = observe_checked(env, &view)) != MARL_OK) return status;
    if (view.avail) {
        memcpy(view.avail, env->avail, (size_t)env->spec.agent_count * env->action_count);
    }
    if (view.alive) {
        memcpy(view.alive, env->alive, env->spec.agent_count);
    }
    return MARL_OK;
}

static marl_status refuse_choice(const marl_env *env, uint32_t agent, uint32_t dim, int32_t action, uint32_t count) {
    const char *kind = env->agents[agent].agent_class->action_kind == MARL_ACTION_DISCRETE ? "" : " in its dimension ";
    char where[32] = "";

    if (kind[0]) {
        snprintf(where, sizeof where, "%s%u", kind, dim);
    }
    if (action < 0 || (uint32_t)action >= count) {
        return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: action %d%s is not from 0 to %u", env->steps, agent,
                          action, where, count - 1);
    }
    return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: action %d%s is not available now", env->steps, agent,
                      action, where);
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
            return marl__fail(MARL_E_NOT_FINITE, "step %u, agent %u: dimension %u of the action is %g", env->steps,
                              agent, d, (double)values[d]);
        }
        if (values[d] < c->action_low[d] || values[d] > c->action_high[d]) {
            return marl__fail(MARL_E_ARGUMENT, "step %u, agent %u: dimension %u of the action is %g, not from %g to %g",
                              env->steps, agent, d, (double)values[d], (double)c->action_low[d],
                              (double)c->action_high[d]);
        }
    }
    return MARL_OK;
}

static marl_status check_actions(const marl_env *env, const marl_actions *actions) {
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
static marl_status check_result(const marl_env *env, const marl_step *step) {
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

/* Runs the step and settles how the episode stands. An environment that does not end itself by its episode limit is
 * cut there: buffers above are sized by that limit. */
static marl_status step_checked(marl_env *env, const marl_actions *actions, marl_step *step) {
    marl_status status = MARL_OK;

    step->terminated = 0;
    step->truncated = 0;
    step->outcome = MARL_OUTCOME_NONE;
    if (step->scalars && env->spec.scalar_count > 0) {
        memset(step->scalars, 0, env->spec.scalar_count * sizeof *step->scalars);
    }
    if ((status = env->vtable.step(env->env, actions, step)) != MARL_OK) return env_failed(env, "step", status);
    env->mask_is_fresh = 0;
    env->steps++;
    status = check_result(env, step);
    if (status != MARL_OK) {
        env->phase = PHASE_OVER;
        return status;
    }
    if (env->steps >= env->spec.episode_limit && !step->terminated) {
        step->truncated = 1;
    }
    if (step->terminated || step->truncated) {
        env->phase = PHASE_OVER;
    } else {
        step->outcome = MARL_OUTCOME_NONE;
    }
    return MARL_OK;
}

static marl_status refresh_mask(marl_env *env) {
    marl_view view;

    memset(&view, 0, sizeof view);
    return observe_checked(env, &view);
}

static marl_status check_step_structs(const marl_actions *actions, const marl_step *out, marl_actions *own_actions,
                                      marl_step *own_step) {
    marl_status status = MARL_OK;

    if (!actions || !out) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", actions ? "out" : "actions");
    if (actions->struct_size == sizeof *own_actions && out->struct_size == sizeof *own_step) {
        *own_actions = *actions;
        *own_step = *out;
    } else {
        status = marl__take_struct(own_actions, sizeof *own_actions, actions, sizeof *own_actions, "marl_actions");
        if (status != MARL_OK) return status;
        status = marl__take_struct(own_step, sizeof *own_step, out, sizeof *own_step, "marl_step");
        if (status != MARL_OK) return status;
    }
    return out->rewards ? MARL_OK : marl__fail(MARL_E_ARGUMENT, "rewards is NULL");
}

marl_status marl_env_step(marl_env *env, const marl_actions *actions, marl_step *out) {
    marl_actions own_actions;
    marl_step own_step;
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if ((status = check_step_structs(actions, out, &own_actions, &own_step)) != MARL_OK) return status;
    if (env->phase != PHASE_RUNNING) {
        return marl__fail(MARL_E_STATE, env->phase == PHASE_NEW ? "the environment was never reset"
                                                                : "the episode is over: reset begins the next");
    }
    if (!env->mask_is_fresh && (status = refresh_mask(env)) != MARL_OK) return status;
    if ((status = check_actions(env, &own_actions)) != MARL_OK) return status;
    if ((status = step_checked(env, &own_actions, &own_step)) != MARL_OK) return status;
    out->terminated = own_step.terminated;
    out->truncated = own_step.truncated;
    out->outcome = own_step.outcome;
    return MARL_OK;
}

/* ---- save and restore ---- */

size_t marl_env_save_bytes(const marl_env *env) {
    if (!marl__is_handle(env, MARL__TAG_ENV) || env->save_bytes == 0) {
        return 0;
    }
    return sizeof(save_header) + env->save_bytes;
}

static marl_status check_save(const marl_env *env, const void *bytes, size_t byte_count) {
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if (env->save_bytes == 0) {
        return marl__fail(MARL_E_UNSUPPORTED, "environment '%s' has no save and restore", env->spec.name);
    }
    if (!bytes) return marl__fail(MARL_E_ARGUMENT, "bytes is NULL");
    if (byte_count != marl_env_save_bytes(env)) {
        return marl__fail(MARL_E_SHAPE, "%zu bytes given; a state of '%s' has %zu", byte_count, env->spec.name,
                          marl_env_save_bytes(env));
    }
    return MARL_OK;
}

/* An environment before its first reset has no state worth asking for; its part is zeros. */
marl_status marl_env_save(marl_env *env, void *bytes, size_t byte_count) {
    save_header header = {SAVE_MAGIC, 0, 0, 0, 0};
    marl_status status = check_save(env, bytes, byte_count);

    if (status != MARL_OK) return status;
    header.phase = env->phase;
    header.spec_hash = env->spec.hash;
    header.steps = env->steps;
    header.env_bytes = (uint32_t)env->save_bytes;
    memset(bytes, 0, byte_count);
    memcpy(bytes, &header, sizeof header);
    if (env->phase == PHASE_NEW) {
        return MARL_OK;
    }
    status = env->vtable.save(env->env, (unsigned char *)bytes + sizeof header);
    return status == MARL_OK ? MARL_OK : env_failed(env, "save", status);
}

marl_status marl_env_restore(marl_env *env, const void *bytes, size_t byte_count) {
    save_header header;
    marl_status status = check_save(env, bytes, byte_count);

    if (status != MARL_OK) return status;
    memcpy(&header, bytes, sizeof header);
    if (header.magic != SAVE_MAGIC || header.phase > PHASE_OVER || header.env_bytes != env->save_bytes) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of an environment");
    }
    if (header.spec_hash != env->spec.hash) {
        return marl__fail(MARL_E_MISMATCH, "the saved state belongs to other rules than those of '%s': hash %016llx, "
                          "not %016llx", env->spec.name, (unsigned long long)header.spec_hash,
                          (unsigned long long)env->spec.hash);
    }
    if (header.steps > env->spec.episode_limit ||
        (header.phase == PHASE_RUNNING && header.steps == env->spec.episode_limit) ||
        (header.phase == PHASE_NEW && header.steps != 0)) {
        return marl__fail(MARL_E_FORMAT, "the saved state is at step %u of an episode of at most %u", header.steps,
                          env->spec.episode_limit);
    }
    if (header.phase != PHASE_NEW) {
        status = env->vtable.restore(env->env, (const unsigned char *)bytes + sizeof header, env->save_bytes);
        if (status != MARL_OK) return env_failed(env, "restore", status);
    }
    env->phase = header.phase;
    env->steps = header.steps;
    env->mask_is_fresh = 0;
    return MARL_OK;
}

/* ---- pictures ---- */

static marl_status render_once(marl_env *env, marl_image *image) {
    marl_status status = env->vtable.render(env->env, image);

    if (status != MARL_OK) return env_failed(env, "render", status);
    if (image->width == 0 || image->height == 0 || image->width > 65536 || image->height > 65536) {
        return marl__fail(MARL_E_SHAPE, "the picture is %u by %u pixels; sides are from 1 to 65536", image->width,
                          image->height);
    }
    return MARL_OK;
}

marl_status marl_env_render(marl_env *env, marl_image *image) {
    marl_image own;
    uint64_t bytes = 0;
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if (!image) return marl__fail(MARL_E_ARGUMENT, "image is NULL");
    if ((status = marl__take_struct(&own, sizeof own, image, sizeof own, "marl_image")) != MARL_OK) return status;
    if (!env->vtable.render) {
        return marl__fail(MARL_E_UNSUPPORTED, "environment '%s' draws no pictures", env->spec.name);
    }
    if (env->phase == PHASE_NEW) return marl__fail(MARL_E_STATE, "the environment was never reset");
    own.capacity = 0;
    own.pixels = NULL;
    if ((status = render_once(env, &own)) != MARL_OK) return status;
    image->width = own.width;
    image->height = own.height;
    if (!image->pixels || image->capacity == 0) {
        return MARL_OK;
    }
    bytes = UINT64_C(3) * own.width * own.height;
    if (image->capacity < bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %llu bytes, the buffer has %u", (unsigned long long)bytes,
                          image->capacity);
    }
    own.capacity = image->capacity;
    own.pixels = image->pixels;
    return render_once(env, &own);
}

marl_status marl_env_draw_text(marl_env *env, char *buffer, size_t buffer_bytes) {
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if (!buffer || buffer_bytes == 0) return marl__fail(MARL_E_ARGUMENT, "the buffer is NULL or empty");
    buffer[0] = '\0';
    if (!env->vtable.draw_text) {
        return marl__fail(MARL_E_UNSUPPORTED, "environment '%s' draws no text", env->spec.name);
    }
    if (env->phase == PHASE_NEW) return marl__fail(MARL_E_STATE, "the environment was never reset");
    status = env->vtable.draw_text(env->env, buffer, buffer_bytes);
    buffer[buffer_bytes - 1] = '\0';
    return status == MARL_OK ? MARL_OK : env_failed(env, "draw_text", status);
}

/* ---- traces ---- */

static marl_status check_inject(const marl_env *env) {
    marl_status status = marl__check_handle(env, MARL__TAG_ENV, "environment");

    if (status != MARL_OK) return status;
    if (!env->family || !env->family->inject) {
        return marl__fail(MARL_E_UNSUPPORTED, "environment '%s' takes no recorded states", env->spec.name);
    }
    return MARL_OK;
}

marl_status marl__env_set_state(marl_env *env, const marl__env_array *arrays, uint32_t array_count) {
    marl_status status = check_inject(env);

    if (status != MARL_OK) return status;
    if ((status = env->family->inject->set_state(env->env, arrays, array_count)) != MARL_OK) return status;
    env->phase = PHASE_RUNNING;
    env->steps = 0;
    env->mask_is_fresh = 0;
    return MARL_OK;
}

marl_status marl__env_get_array(marl_env *env, const char *name, int32_t *values, uint32_t count) {
    marl_status status = check_inject(env);

    if (status != MARL_OK) return status;
    return env->family->inject->get_array(env->env, name, values, count);
}
