/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals are in environment steps, summed over the environments, and fall on absolute multiples, so that a resumed
 * run keeps them. No default comes from the machine. */
#include "run/trainer_keys.h"

#include <string.h>

#define MOST_STEPS 1e15

static const marl__key keys[] = {
    MARL__KEY_INT("seed", "1", 0, 9007199254740992.0, "of everything random; the same seed gives the same bits"),
    MARL__KEY_INT("envs", "8", 1, 65536, "environments stepped side by side"),
    MARL__KEY_INT("horizon", "0", 0, MOST_STEPS, "steps over which schedules (lr_decay) run; 0: no end"),
    MARL__KEY_INT("replay.episodes", "5000", 1, 100000000, "most episodes kept for learning"),
    MARL__KEY_INT("replay.bytes", "1073741824", 1, MOST_STEPS, "most memory they take; the oldest go first"),
    MARL__KEY_CHOICE("replay.store", "f32", "f32|f16|state", "as what: f16 rounds what was seen, state makes it anew"),
    MARL__KEY_INT("train_start", "0", 0, 100000000, "episodes stored before learning begins; 0: batch_size"),
    MARL__KEY_REAL("updates_per_env_step", "0.02", 0, 1000, "updates for each environment step"),
    MARL__KEY_REAL("updates_per_episode", "0", 0, 1000, "updates for each finished episode, in addition"),
    MARL__KEY_BOOL("scale_obs", "false", "scale observations of known range to [-1, 1]"),
    MARL__KEY_BOOL("reward.per_agent", "false", "learn from each agent's own reward instead of the team's sum"),
    MARL__KEY_BOOL("time_limit_ends", "false", "store an episode cut by its limit as a real end: nothing to bootstrap"),
    MARL__KEY_INT("eval.every", "50000", 0, MOST_STEPS, "steps between evaluations; 0: never"),
    MARL__KEY_INT("eval.episodes", "32", 1, 1000000, "episodes of an evaluation"),
    MARL__KEY_REAL("eval.epsilon", "0", 0, 1, "chance of a random action in evaluations"),
    MARL__KEY_INT("metrics.every", "1000", 0, MOST_STEPS, "steps between metrics records; 0: at evaluations only"),
    MARL__KEY_INT("progress.every", "1000", 0, MOST_STEPS, "steps between progress reports; 0: at evaluations"),
    MARL__KEY_INT("checkpoint.every", "100000", 0, MOST_STEPS, "steps between checkpoints; 0: at the end only"),
    MARL__KEY_CHOICE("checkpoint.replay", "all", "all|none", "none: small checkpoints, resumed not bit for bit"),
};

const marl__key_table marl__train_keys = MARL__KEY_TABLE(keys);

int marl__train_key_is_free(const char *key) {
    static const char *const names[] = {"progress.every", "checkpoint.every", "checkpoint.replay"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], key) == 0) return 1;
    }
    return 0;
}
