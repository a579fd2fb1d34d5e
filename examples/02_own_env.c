/* SPDX-License-Identifier: Apache-2.0 */
/* An environment of one's own: a struct, five functions, and VDN learns in it.
 *
 *     cc 02_own_env.c $(pkg-config --cflags --libs marl) -o 02_own_env
 *     ./02_own_env 20000
 *
 * Two carriers stand on a corridor of 7 cells. Each sees both positions and may wait, go left or go right; the team
 * earns 1 and the episode ends when both stand on the same cell. */
#include <marl/marl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARRIERS = 2, CELLS = 7, ACTIONS = 3, LIMIT = 12 };

typedef struct corridor {
    int32_t at[CARRIERS];
    int32_t tick;
    marl_agent_class carrier; /* what the spec points to lives as long as the environment */
} corridor;

static marl_status corridor_create(void *user, uint32_t index, void **env) {
    (void)user, (void)index;
    *env = calloc(1, sizeof(corridor));
    return *env ? MARL_OK : MARL_E_NOMEM;
}

static void corridor_destroy(void *env) {
    free(env);
}

static marl_status corridor_spec(void *env, marl_env_spec *out) {
    corridor *self = env;
    marl_agent_class_init(&self->carrier, sizeof self->carrier);
    self->carrier.obs_shape[0] = 2; /* own cell, the other's cell, both in 0..1 */
    self->carrier.action_count = ACTIONS;
    out->agent_count = CARRIERS;
    out->name = "example:corridor";
    out->version = "1";
    out->hash = CELLS;
    out->class_count = 1;
    out->classes = &self->carrier;
    out->state_size = CARRIERS;
    out->episode_limit = LIMIT;
    out->deterministic = 1;
    return MARL_OK;
}

static marl_status corridor_reset(void *env, uint64_t seed) {
    corridor *self = env;
    self->at[0] = (int32_t)(seed % CELLS); /* two different cells, every pair from some seed */
    self->at[1] = (int32_t)((self->at[0] + 1 + seed / CELLS % (CELLS - 1)) % CELLS);
    self->tick = 0;
    return MARL_OK;
}

static marl_status corridor_step(void *env, const marl_actions *actions, marl_step *out) {
    corridor *self = env;
    for (int i = 0; i < CARRIERS; i++) {
        int32_t cell = self->at[i] + (actions->discrete[i] == 2) - (actions->discrete[i] == 1);
        if (cell >= 0 && cell < CELLS) self->at[i] = cell;
    }
    self->tick++;
    out->terminated = self->at[0] == self->at[1];
    out->truncated = !out->terminated && self->tick == LIMIT;
    out->outcome = out->terminated ? MARL_OUTCOME_WON : out->truncated ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE;
    out->rewards[0] = out->terminated;
    return MARL_OK;
}

static marl_status corridor_observe(void *env, const marl_view *out) {
    const corridor *self = env;
    for (int i = 0; i < CARRIERS; i++) {
        float cell = (float)self->at[i] / (CELLS - 1);
        if (out->obs) out->obs[2 * i] = cell;
        if (out->obs) out->obs[2 * (1 - i) + 1] = cell;
        if (out->state) out->state[i] = cell;
    }
    if (out->avail) memset(out->avail, 1, CARRIERS * ACTIONS);
    if (out->alive) memset(out->alive, 1, CARRIERS);
    return MARL_OK;
}

static void check(marl_status status) {
    if (status == MARL_OK) return;
    fprintf(stderr, "%s: %s\n", marl_status_name(status), marl_last_error());
    exit(1);
}

int main(int argc, char **argv) {
    uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    enum { EPISODES = 50 };
    double returns[EPISODES], mean = 0;
    marl_device *device;
    marl_config *config;
    marl_trainer *trainer;
    marl_env_vtable vtable;
    marl_env_type type;

    marl_env_vtable_init(&vtable, sizeof vtable);
    vtable.spec = corridor_spec;
    vtable.reset = corridor_reset;
    vtable.step = corridor_step;
    vtable.observe = corridor_observe;
    vtable.destroy = corridor_destroy;
    marl_env_type_init(&type, sizeof type);
    type.create = corridor_create;
    type.vtable = &vtable;

    check(marl_device_open(NULL, "cpu", NULL, &device));
    check(marl_config_create(NULL, "run/vdn", &config));
    check(marl_config_preset(config, "quick"));
    check(marl_config_set(config, "seed", "1"));
    check(marl_trainer_create(device, config, &type, &trainer));
    check(marl_trainer_run(trainer, steps));
    check(marl_trainer_evaluate(trainer, EPISODES, 1000, 0.05, returns));
    for (int i = 0; i < EPISODES; i++) mean += returns[i] / EPISODES;
    printf("after %llu steps the carriers meet in %.0f %% of the episodes\n", (unsigned long long)steps, 100 * mean);

    marl_trainer_destroy(trainer);
    marl_config_destroy(config);
    marl_device_close(device);
    return 0;
}
