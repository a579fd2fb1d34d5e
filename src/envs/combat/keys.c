/* SPDX-License-Identifier: Apache-2.0 */
/* Names and keys of the combat environment. The name says the map, or the file that holds one; keys choose between the
 * two published forms of the benchmark: `layout` says how numbers are arranged, `rules` what they mean in a fight. */
#include "envs/combat/combat.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/status.h"

static const marl__key key_list[] = {
    MARL__KEY_CHOICE("layout", "smaclite", "smaclite|smac", "order of agents, scales and one-hots in observation and "
                     "state: SMAClite's or SMAC's"),
    MARL__KEY_CHOICE("rules", "smaclite", "smaclite|smac", "reward, victory and reach: SMAClite's or SMAC's (units "
                     "always move and fight as in SMAClite)"),
    MARL__KEY_CHOICE("opponent", "smaclite", "smaclite|nearest|focus", "how the enemies choose their targets"),
    MARL__KEY_INT("episode_limit", "0", 0, 1000000, "steps an episode has at most; 0: the map's own limit"),
    MARL__KEY_BOOL("limit_is_terminal", "0", "1: the step limit is a real end, as SMAC reports it"),
    MARL__KEY_BOOL("obs_last_action", "0", "1: allies' rows in an observation end with their last action, one-hot"),
    MARL__KEY_BOOL("obs_timestep", "0", "1: observations end with the share of the step limit that is used up"),
    MARL__KEY_BOOL("state_last_action", "1", "0: the state does not hold the last actions"),
    MARL__KEY_BOOL("state_timestep", "0", "1: the state ends with the share of the step limit that is used up"),
    MARL__KEY_BOOL("obs_instead_of_state", "0", "1: the state is all observations in a row"),
};
const marl__key_table marl__combat_key_table = MARL__KEY_TABLE(key_list);

int marl__combat_is_file(const char *variant) {
    size_t length = strlen(variant);

    return length > 5 && strcmp(variant + length - 5, ".json") == 0;
}

marl_status marl__combat_check(const char *variant) {
    if (!marl__combat_is_file(variant)) return marl__combat_map_check(variant);
    if (marl__path_kind(variant) == 1) return MARL_OK;
    return marl__fail(MARL_E_NAME, "combat:%s: there is no such file", variant);
}

/* Index of the value among the choices, which are checked already. */
static int32_t read_choice(marl__env_reader *reader, const char *key, const char *const *choices, int32_t count) {
    char text[32];

    if (reader->status != MARL_OK) {
        return 0;
    }
    reader->status = marl_config_get(reader->config, key, text, sizeof text);
    for (int32_t i = 0; reader->status == MARL_OK && i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            return i;
        }
    }
    return 0;
}

marl_status marl__combat_read_keys(const marl_config *config, marl__combat_keys *out) {
    static const char *const forms[] = {"smaclite", "smac"};
    static const char *const opponents[] = {[MARL__COMBAT_SMACLITE] = "smaclite", [MARL__COMBAT_NEAREST] = "nearest",
                                            [MARL__COMBAT_FOCUS] = "focus"};
    marl__env_reader reader = {config, MARL_OK};

    out->smac_layout = read_choice(&reader, "layout", forms, 2);
    out->smac_rules = read_choice(&reader, "rules", forms, 2);
    out->opponent = read_choice(&reader, "opponent", opponents, 3);
    out->episode_limit = (int32_t)marl__env_read_int(&reader, "episode_limit");
    out->limit_is_terminal = (int32_t)marl__env_read_int(&reader, "limit_is_terminal");
    out->obs_last_action = (int32_t)marl__env_read_int(&reader, "obs_last_action");
    out->obs_timestep = (int32_t)marl__env_read_int(&reader, "obs_timestep");
    out->state_last_action = (int32_t)marl__env_read_int(&reader, "state_last_action");
    out->state_timestep = (int32_t)marl__env_read_int(&reader, "state_timestep");
    out->obs_instead_of_state = (int32_t)marl__env_read_int(&reader, "obs_instead_of_state");
    return reader.status;
}
