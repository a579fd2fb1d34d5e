/* SPDX-License-Identifier: Apache-2.0 */
/* Names and keys of the particle environments. Arguments of the published constructors are keys under their own names;
 * N, which changes the sizes of everything, is part of the name. */
#include "envs/mpe/mpe.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"

static const marl__mpe_scenario *const scenarios[] = {
    &marl__mpe_spread, &marl__mpe_speaker_listener, &marl__mpe_tag, &marl__mpe_adversary, &marl__mpe_reference,
};

#define SCENARIO_COUNT (sizeof scenarios / sizeof scenarios[0])

static const marl__key key_list[] = {
    MARL__KEY_BOOL("continuous", "0", "actions: 0 one of 5 moves (and a word), 1 a number from 0 to 1 for each"),
    MARL__KEY_CHOICE("integration", "new", "new|old", "place before speed (mpe2, JaxMARL), or speed first (earlier)"),
    MARL__KEY_INT("max_cycles", "25", 1, 1000000, "steps of an episode"),
    MARL__KEY_BOOL("limit_is_terminal", "0", "1: the last step is a real end; 0: it truncates, as published"),
    MARL__KEY_REAL("local_ratio", "0.5", 0, 1, "simple_spread, simple_reference: share of one's own in the reward"),
    MARL__KEY_INT("num_good", "1", 1, 32, "simple_tag: agents that are hunted"),
    MARL__KEY_INT("num_adversaries", "3", 1, 32, "simple_tag: agents that hunt"),
    MARL__KEY_INT("num_obstacles", "2", 0, MARL__MPE_LANDMARKS, "simple_tag: obstacles"),
    MARL__KEY_CHOICE("state", "obs", "obs|none", "the state: all observations in a row, or nothing"),
};
const marl__key_table marl__mpe_keys = MARL__KEY_TABLE(key_list);

static marl_status refuse_variant(const char *variant) {
    const char *names[SCENARIO_COUNT];
    const char *nearest = NULL;

    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        names[i] = scenarios[i]->name;
    }
    nearest = marl__nearest_name(variant, names, SCENARIO_COUNT);
    if (nearest) {
        return marl__fail(MARL_E_NAME, "no environment 'mpe:%s'; did you mean 'mpe:%s'?", variant, nearest);
    }
    return marl__fail(MARL_E_NAME, "no environment 'mpe:%s'; scenarios are simple_spread, simple_speaker_listener, "
                      "simple_tag, simple_adversary and simple_reference", variant);
}

/* A scenario's name, and -N after those that take a number. */
static marl_status find_scenario(const char *variant, const marl__mpe_scenario **out, int32_t *count) {
    for (size_t i = 0; i < SCENARIO_COUNT; i++) {
        const marl__mpe_scenario *s = scenarios[i];
        size_t length = strlen(s->name);
        int64_t value = 0;
        if (strncmp(variant, s->name, length) != 0) {
            continue;
        }
        *out = s;
        *count = s->usual_count;
        if (variant[length] == '\0') {
            return MARL_OK;
        }
        if (variant[length] != '-' || variant[length + 1] < '0' || variant[length + 1] > '9' ||
            !marl__read_int(variant + length + 1, &value)) {
            continue;
        }
        if (s->most_count == 0) {
            return marl__fail(MARL_E_NAME, "mpe:%s: %s takes no number of agents", variant, s->name);
        }
        if (value < 1 || value > s->most_count) {
            return marl__fail(MARL_E_NAME, "mpe:%s: %lld agents are not from 1 to %d", variant, (long long)value,
                              s->most_count);
        }
        *count = (int32_t)value;
        return MARL_OK;
    }
    return refuse_variant(variant);
}

marl_status marl__mpe_check(const char *variant) {
    const marl__mpe_scenario *scenario = NULL;
    int32_t count = 0;

    return find_scenario(variant, &scenario, &count);
}

/* Whether a choice key has this value. */
static int32_t has_value(marl__env_reader *reader, const char *key, const char *value) {
    char text[64] = "";

    if (reader->status == MARL_OK) {
        reader->status = marl_config_get(reader->config, key, text, sizeof text);
    }
    return strcmp(text, value) == 0;
}

/* Keys of other scenarios are left out, so that they do not matter to the hash either. */
static void forget_foreign_keys(const marl__mpe_scenario *scenario, marl__mpe_rules *r) {
    if (scenario != &marl__mpe_tag) {
        r->good = r->adversaries = r->obstacles = 0;
    }
    if (scenario != &marl__mpe_spread && scenario != &marl__mpe_reference) {
        r->local_ratio = 0;
    }
}

marl_status marl__mpe_read_rules(const marl_config *config, const char *variant, const marl__mpe_scenario **scenario,
                                 marl__mpe_rules *r) {
    marl__env_reader reader = {config, MARL_OK};
    marl_status status = find_scenario(variant, scenario, &r->count);

    if (status != MARL_OK) return status;
    r->is_continuous = (int32_t)marl__env_read_int(&reader, "continuous");
    r->moves_last = has_value(&reader, "integration", "old");
    r->max_steps = (int32_t)marl__env_read_int(&reader, "max_cycles");
    r->limit_is_terminal = (int32_t)marl__env_read_int(&reader, "limit_is_terminal");
    r->local_ratio = marl__env_read_real(&reader, "local_ratio");
    r->good = (int32_t)marl__env_read_int(&reader, "num_good");
    r->adversaries = (int32_t)marl__env_read_int(&reader, "num_adversaries");
    r->obstacles = (int32_t)marl__env_read_int(&reader, "num_obstacles");
    r->has_state = has_value(&reader, "state", "obs");
    if (reader.status == MARL_OK) {
        forget_foreign_keys(*scenario, r);
    }
    return reader.status;
}
