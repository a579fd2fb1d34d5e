/* SPDX-License-Identifier: Apache-2.0 */
/* marl_env: one environment behind checks.
 *
 * The handle trusts nobody: the spec is checked once (spec.c), every action before it reaches the environment, every
 * reward and observation before it reaches the caller (env_check.c). Built-in environments take the same way as the
 * host's own, so the checks are written to be cheap: one pass over the integers of the actions, one branch-free pass
 * over the bits of an observation. The availability and alive flags that the last observe gave are kept, because they
 * decide which actions the next step may take.
 *
 * N agents, O observation entries, S state entries, A actions, D action dimensions, as in marl/env.h. */
#include "envs/env_handle.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define SAVE_MAGIC 0x31766e65u /* "env1" */
#define MOST_BUFFER (UINT64_C(1) << 31) /* entries of any one (N,O), (N,S), (N,A) buffer */

enum phase { PHASE_NEW = 0, PHASE_RUNNING = 1, PHASE_OVER = 2 };

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
marl_status marl__env_failed(const marl_env *env, const char *function, marl_status status) {
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
    if ((status = env->vtable.spec(env->env, &room.spec)) != MARL_OK) return marl__env_failed(env, "spec", status);
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
        marl__agent_shape *shape = &env->agents[i];
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
    if ((status = env->vtable.reset(env->env, seed)) != MARL_OK) return marl__env_failed(env, "reset", status);
    env->phase = PHASE_RUNNING;
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
    if ((status = marl__env_observe_checked(env, &view)) != MARL_OK) return status;
    if (view.avail) {
        memcpy(view.avail, env->avail, (size_t)env->spec.agent_count * env->action_count);
    }
    if (view.alive) {
        memcpy(view.alive, env->alive, env->spec.agent_count);
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
    if ((status = env->vtable.step(env->env, actions, step)) != MARL_OK) return marl__env_failed(env, "step", status);
    env->mask_is_fresh = 0;
    env->steps++;
    status = marl__env_check_result(env, step);
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
    return marl__env_observe_checked(env, &view);
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
    if ((status = marl__env_check_actions(env, &own_actions)) != MARL_OK) return status;
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
    return status == MARL_OK ? MARL_OK : marl__env_failed(env, "save", status);
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
        if (status != MARL_OK) return marl__env_failed(env, "restore", status);
    }
    env->phase = header.phase;
    env->steps = header.steps;
    env->mask_is_fresh = 0;
    return MARL_OK;
}

/* ---- pictures ---- */

static marl_status render_once(marl_env *env, marl_image *image) {
    marl_status status = env->vtable.render(env->env, image);

    if (status != MARL_OK) return marl__env_failed(env, "render", status);
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
    return status == MARL_OK ? MARL_OK : marl__env_failed(env, "draw_text", status);
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
