/* SPDX-License-Identifier: Apache-2.0 */
/* See play_env.h. A policy knows the name of its environment but not the environment's keys; those stand in config.json
 * beside it. They are applied only in the environment of the training: they would override what another name says. */
#include "play_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "run_config.h"

static bool is_directory(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The directory that a policy lies in. */
static void home_of(const char *path, char dir[PATH_BYTES]) {
    const char *slash = strrchr(path, '/');

    if (is_directory(path)) snprintf(dir, PATH_BYTES, "%s", path);
    else if (slash) snprintf(dir, PATH_BYTES, "%.*s", (int)(slash - path), path);
    else snprintf(dir, PATH_BYTES, ".");
}

/* Copies the env.* keys that a run was trained with, if it is a run in the same environment. */
static int apply_trained_keys(const char *path, const char *env, marl_config *config) {
    char dir[PATH_BYTES], algo[COMPONENT_BYTES], trained[COMPONENT_BYTES], value[256];
    marl_config *run = NULL;
    int status = 0;

    home_of(path, dir);
    if (!dir_has(dir, "config.json")) return 0;
    if (marl_trainer_dir_config(NULL, dir, &run) != MARL_OK) return is_directory(path) ? fail_library() : 0;
    run_config_names(run, algo, trained);
    for (uint32_t i = 0; !status && strcmp(trained, env) == 0 && i < marl_config_key_count(run); i++) {
        marl_key_info info = {.struct_size = sizeof info};

        if (marl_config_key_info(run, i, &info) != MARL_OK || strncmp(info.name, "env.", 4) != 0) continue;
        if (marl_config_get(run, info.name, value, sizeof value) != MARL_OK ||
            marl_config_set(config, info.name + 4, value) != MARL_OK) {
            status = fail_library();
        }
    }
    marl_config_destroy(run);
    return status;
}

static int apply_sets(const options *options, marl_config *config) {
    const char *pair, *value;
    char key[128];
    int cursor = 0;

    while ((pair = options_next(options, "set", &cursor))) {
        if (!(value = options_pair(pair, key))) return EXIT_USAGE;
        if (strncmp(key, "env.", 4) != 0) {
            return fail_usage(options->command, "--set %s: %s takes keys of the environment only, env.KEY=VALUE", pair,
                              options->command->name);
        }
        if (marl_config_set(config, key + 4, value) != MARL_OK) return fail_library();
    }
    return 0;
}

static int open_envs(const options *options, const char *path, const char *env, stage *stage) {
    char component[COMPONENT_BYTES];
    int status;

    snprintf(component, sizeof component, "env/%s", env);
    if (marl_config_create(NULL, component, &stage->settings) != MARL_OK) return fail_library();
    status = apply_trained_keys(path, env, stage->settings);
    if (!status) status = apply_sets(options, stage->settings);
    for (uint32_t team = 0; !status && team < stage->teams; team++) {
        if (marl_env_create(NULL, env, stage->settings, &stage->envs[team]) != MARL_OK) status = fail_library();
    }
    return status;
}

static int make_buffers(stage *stage) {
    size_t rows;

    stage->spec = marl_env_get_spec(stage->envs[0]);
    stage->agents = stage->spec->agent_count;
    stage->obs_size = marl_env_obs_size(stage->envs[0]);
    stage->actions_max = marl_env_action_count(stage->envs[0]);
    rows = (size_t)stage->teams * stage->agents;
    stage->obs = calloc(rows * stage->obs_size + 1, sizeof *stage->obs);
    stage->avail = calloc(rows * stage->actions_max + 1, 1);
    stage->alive = calloc(rows, 1);
    stage->actions = calloc(rows, sizeof *stage->actions);
    stage->rewards = calloc(stage->agents, sizeof *stage->rewards);
    if (!stage->obs || !stage->avail || !stage->alive || !stage->actions || !stage->rewards) {
        return fail("no memory to play %u teams", stage->teams);
    }
    return 0;
}

/* The policy is loaded twice: to learn its environment's name, and for that environment's spec. */
static int open_all(const options *options, const char *path, uint64_t seed, double epsilon, stage *stage) {
    const char *env = options_get(options, "env");
    marl_policy *named = NULL;
    int status;

    if (!path) return fail_usage(options->command, "which team? a run's directory or a policy file");
    if ((status = open_device(NULL, "cpu", options_get(options, "threads"), &stage->device))) return status;
    if (!env) {
        if (marl_policy_load_file(stage->device, path, NULL, &named) != MARL_OK) return fail_library();
        env = marl_policy_env(named);
    }
    status = open_envs(options, path, env, stage);
    marl_policy_destroy(named);
    if (status || (status = make_buffers(stage))) return status;
    if (marl_policy_load_file(stage->device, path, stage->spec, &stage->policy) != MARL_OK) return fail_library();
    if (marl_policy_state_create(stage->policy, stage->teams, seed, &stage->state) != MARL_OK) return fail_library();
    return marl_policy_state_set_epsilon(stage->state, epsilon) == MARL_OK ? 0 : fail_library();
}

int stage_open(const options *options, const char *path, uint32_t teams, uint64_t seed, double epsilon, stage *out) {
    int status;

    memset(out, 0, sizeof *out);
    out->teams = teams > TEAMS_MAX ? TEAMS_MAX : teams;
    if ((status = open_all(options, path, seed, epsilon, out))) stage_close(out);
    return status;
}

void stage_close(stage *stage) {
    marl_policy_state_destroy(stage->state);
    marl_policy_destroy(stage->policy);
    for (uint32_t team = 0; team < TEAMS_MAX; team++) marl_env_destroy(stage->envs[team]);
    marl_device_close(stage->device);
    marl_config_destroy(stage->settings);
    free(stage->obs);
    free(stage->avail);
    free(stage->alive);
    free(stage->actions);
    free(stage->rewards);
    memset(stage, 0, sizeof *stage);
}

/* splitmix64: neighbouring episodes and seeds give unrelated streams. */
static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t stage_seed(uint64_t seed, uint64_t episode) {
    return mix(mix(seed) ^ episode);
}

static marl_status look(stage *stage, uint32_t team) {
    size_t row = (size_t)team * stage->agents;
    marl_view view = {.struct_size = sizeof view,
                      .obs = stage->obs + row * stage->obs_size,
                      .avail = stage->avail + row * stage->actions_max,
                      .alive = stage->alive + row};

    return marl_env_observe(stage->envs[team], &view);
}

marl_status stage_begin(stage *stage, uint32_t team, uint64_t seed, uint64_t episode) {
    marl_status status = marl_env_reset(stage->envs[team], stage_seed(seed, episode));

    if (status == MARL_OK) status = marl_policy_state_reset(stage->state, team);
    return status == MARL_OK ? look(stage, team) : status;
}

void stage_rest(stage *stage, uint32_t team) {
    memset(stage->alive + (size_t)team * stage->agents, 0, stage->agents);
}

marl_status stage_act(stage *stage) {
    return marl_policy_act(stage->policy, stage->state, stage->obs, stage->avail, stage->alive, stage->actions);
}

marl_status stage_step(stage *stage, uint32_t team, marl_step *step, double *out_reward) {
    marl_actions actions = {.struct_size = sizeof actions,
                            .discrete = stage->actions + (size_t)team * stage->agents};
    uint32_t rewards;
    marl_status status;

    *step = (marl_step){.struct_size = sizeof *step, .rewards = stage->rewards};
    *out_reward = 0.0;
    if ((status = marl_env_step(stage->envs[team], &actions, step)) != MARL_OK) return status;
    rewards = stage->spec->reward_per_agent ? stage->agents : 1;
    for (uint32_t i = 0; i < rewards; i++) *out_reward += stage->rewards[i];
    return step->terminated || step->truncated ? MARL_OK : look(stage, team);
}
