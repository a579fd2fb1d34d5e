/* SPDX-License-Identifier: Apache-2.0 */
/* See replay.h: what an episode is made of, and doing it again. Files are read and written in replay_file.c. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* D: numbers that an action has at most. */
static uint32_t action_dims(const marl_env_spec *spec) {
    uint32_t most = 1;

    for (uint32_t c = 0; c < spec->class_count; c++) {
        most = spec->classes[c].action_dims > most ? spec->classes[c].action_dims : most;
    }
    return most;
}

/* Whether any class of agents chooses from a box, or any does not. */
static bool has_class(const marl_env_spec *spec, bool is_box) {
    for (uint32_t c = 0; c < spec->class_count; c++) {
        if ((spec->classes[c].action_kind == MARL_ACTION_BOX) == is_box) return true;
    }
    return false;
}

static uint32_t rewards_of(const marl_env_spec *spec) {
    return spec->reward_per_agent ? spec->agent_count : 1;
}

int replay_begin(replay *replay, const marl_env_spec *spec, const marl_config *settings, uint64_t seed) {
    size_t bytes = 0;
    char *text;

    if (replay->agents != spec->agent_count || replay->dims != action_dims(spec) ||
        replay->reward_count != rewards_of(spec)) {
        replay_free(replay);    /* room for steps of another size */
    }
    if (marl_config_to_json(settings, NULL, 0, &bytes) != MARL_OK) return fail_library();
    text = realloc(replay->settings, bytes + 1);
    if (!text) return fail("no memory for a replay");
    replay->settings = text;
    if (marl_config_to_json(settings, text, bytes + 1, &bytes) != MARL_OK) return fail_library();
    snprintf(replay->env, sizeof replay->env, "%s", spec->name);
    snprintf(replay->env_version, sizeof replay->env_version, "%s", spec->version);
    replay->env_hash = spec->hash;
    replay->seed = seed;
    replay->agents = spec->agent_count;
    replay->dims = action_dims(spec);
    replay->reward_count = rewards_of(spec);
    replay->has_discrete = has_class(spec, false);
    replay->has_continuous = has_class(spec, true);
    replay->steps = 0;
    replay->total = 0.0;
    replay->outcome = MARL_OUTCOME_NONE;
    replay->is_truncated = false;
    return 0;
}

static bool grow(void **block, size_t count, size_t bytes) {
    void *grown = realloc(*block, count * bytes);

    if (grown) *block = grown;
    return grown != NULL;
}

int replay_add(replay *replay, const marl_actions *actions, const double *rewards) {
    size_t numbers = (size_t)replay->agents * replay->dims, at = replay->steps;
    uint32_t capacity = replay->capacity ? replay->capacity * 2 : 64;

    if (replay->steps == replay->capacity) {
        if (!grow((void **)&replay->rewards, (size_t)capacity * replay->reward_count, sizeof *replay->rewards) ||
            !grow((void **)&replay->discrete, capacity * numbers, sizeof *replay->discrete) ||
            !grow((void **)&replay->continuous, capacity * numbers, sizeof *replay->continuous)) {
            return fail("no memory for an episode of %u steps", replay->steps);
        }
        replay->capacity = capacity;
    }
    memcpy(replay->rewards + at * replay->reward_count, rewards, replay->reward_count * sizeof *rewards);
    if (replay->has_discrete) memcpy(replay->discrete + at * numbers, actions->discrete, numbers * sizeof(int32_t));
    if (replay->has_continuous) memcpy(replay->continuous + at * numbers, actions->continuous, numbers * sizeof(float));
    replay->steps++;
    replay->total += replay_reward(replay, replay->steps - 1);
    return 0;
}

void replay_end(replay *replay, const marl_step *step) {
    replay->outcome = step->outcome;
    replay->is_truncated = step->truncated && !step->terminated;
}

void replay_free(replay *replay) {
    free(replay->settings);
    free(replay->discrete);
    free(replay->continuous);
    free(replay->rewards);
    memset(replay, 0, sizeof *replay);
}

double replay_reward(const replay *replay, uint32_t index) {
    double sum = 0.0;

    for (uint32_t i = 0; i < replay->reward_count; i++) {
        sum += replay->rewards[(size_t)index * replay->reward_count + i];
    }
    return sum;
}

const char *outcome_text(int32_t outcome, bool is_truncated) {
    return outcome == MARL_OUTCOME_WON ? "won" : outcome == MARL_OUTCOME_LOST ? "lost"
                                             : is_truncated                  ? "out of time"
                                                                             : "ended";
}

/* Whether an environment is the one that was recorded; a sentence and an exit status if not. */
static int check_spec(const replay *replay, const char *path, const marl_env_spec *spec) {
    if (spec->hash != replay->env_hash || strcmp(spec->version, replay->env_version) != 0) {
        return fail("%s was recorded under other rules of %s: version %s, hash %016llx; here they are version %s, "
                    "hash %016llx", path, replay->env, replay->env_version, (unsigned long long)replay->env_hash,
                    spec->version, (unsigned long long)spec->hash);
    }
    if (spec->agent_count != replay->agents || action_dims(spec) != replay->dims) {
        return fail("%s has %u agents with %u numbers an action; %s has %u with %u", path, replay->agents,
                    replay->dims, replay->env, spec->agent_count, action_dims(spec));
    }
    if (has_class(spec, false) != replay->has_discrete || has_class(spec, true) != replay->has_continuous) {
        return fail("%s has actions of another kind than %s takes", path, replay->env);
    }
    if (rewards_of(spec) != replay->reward_count) {
        return fail("%s has %u rewards a step; %s gives %u", path, replay->reward_count, replay->env,
                    rewards_of(spec));
    }
    return 0;
}

int replay_open_env(const replay *replay, const char *path, marl_env **out) {
    char component[COMPONENT_BYTES + 8];
    marl_config *config = NULL;
    int status = 0;

    *out = NULL;
    snprintf(component, sizeof component, "env/%s", replay->env);
    if (marl_config_create(NULL, component, &config) != MARL_OK ||
        marl_config_from_json(config, replay->settings, strlen(replay->settings)) != MARL_OK ||
        marl_env_create(NULL, replay->env, config, out) != MARL_OK) {
        status = fail("%s: %s", path, marl_last_error());
    }
    marl_config_destroy(config);
    if (!status) status = check_spec(replay, path, marl_env_get_spec(*out));
    if (!status && marl_env_reset(*out, replay->seed) != MARL_OK) status = fail("%s: %s", path, marl_last_error());
    if (!status) return 0;
    marl_env_destroy(*out);
    *out = NULL;
    return status;
}

/* Whether the episode ends where the recorded one did, and in the same way. */
static int check_end(const replay *replay, const char *path, uint32_t index, const marl_step *step) {
    bool is_over = step->terminated || step->truncated, is_last = index + 1 == replay->steps;
    bool is_truncated = step->truncated && !step->terminated;

    if (is_over && !is_last) {
        return fail("%s: the episode is over at step %u, the file goes on to step %u; it was recorded under other "
                    "rules", path, index + 1, replay->steps);
    }
    if (!is_over && is_last) {
        return fail("%s: the file ends at step %u, the episode does not; it was cut, or recorded under other rules",
                    path, index + 1);
    }
    if (is_over && (step->outcome != replay->outcome || is_truncated != replay->is_truncated)) {
        return fail("%s: the episode ends with \"%s\", the file says \"%s\"; it was recorded under other rules", path,
                    outcome_text(step->outcome, is_truncated),
                    outcome_text(replay->outcome, replay->is_truncated));
    }
    return 0;
}

int replay_step(const replay *replay, const char *path, marl_env *env, uint32_t index, marl_step *step,
                double *rewards) {
    size_t numbers = (size_t)replay->agents * replay->dims;
    marl_actions actions = {.struct_size = sizeof actions};

    *step = (marl_step){.struct_size = sizeof *step, .rewards = rewards};
    if (replay->has_discrete) actions.discrete = replay->discrete + index * numbers;
    if (replay->has_continuous) actions.continuous = replay->continuous + index * numbers;
    if (marl_env_step(env, &actions, step) != MARL_OK) {
        return fail("%s: step %u: %s", path, index + 1, marl_last_error());
    }
    for (uint32_t i = 0; i < replay->reward_count; i++) {
        double recorded = replay->rewards[(size_t)index * replay->reward_count + i];

        if (rewards[i] == recorded) continue;
        return fail("%s: the reward of step %u is %.17g, the file says %.17g; it was recorded under other rules", path,
                    index + 1, rewards[i], recorded);
    }
    return check_end(replay, path, index, step);
}
