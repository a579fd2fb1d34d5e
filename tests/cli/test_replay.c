/* SPDX-License-Identifier: Apache-2.0 */
/* Replay files: what is written is read again, bit for bit, and what is broken is refused. The episode is made up: its
 * actions are of both kinds, and its numbers are those that decimals get wrong. */
#include "replay.h"

#include <check.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const marl_agent_class classes[] = {
    {.struct_size = sizeof(marl_agent_class), .action_kind = MARL_ACTION_MULTI_DISCRETE, .action_dims = 2},
    {.struct_size = sizeof(marl_agent_class), .action_kind = MARL_ACTION_BOX, .action_dims = 3},
};
static const uint32_t agent_class[] = {0, 1};
static const marl_env_spec spec = {.struct_size = sizeof(marl_env_spec), .agent_count = 2, .name = "made:up \"x\"",
                                   .version = "3", .hash = 0xFEDCBA9876543210u, .class_count = 2, .classes = classes,
                                   .agent_class = agent_class, .reward_per_agent = 1};

enum { STEPS = 100 };

static void make(replay *replay) {
    static const float hard[] = {0.1f, -1.0f / 3.0f, FLT_MIN, FLT_MAX, 16777217.0f, 1e-30f};
    marl_config *settings;
    marl_step end = {.struct_size = sizeof end, .truncated = 1, .outcome = MARL_OUTCOME_LOST};

    ck_assert_int_eq(marl_config_create(NULL, "env/lbf:5x5-2p-1f", &settings), MARL_OK);
    memset(replay, 0, sizeof *replay);
    ck_assert_int_eq(replay_begin(replay, &spec, settings, UINT64_MAX - 1), 0);
    for (int t = 0; t < STEPS; t++) {
        int32_t discrete[6] = {t, -t, INT32_MAX, INT32_MIN, 0, 7};
        float continuous[6];
        double rewards[2] = {1.0 / (t + 3), -1e-300 * t};
        marl_actions actions = {sizeof actions, 0, discrete, continuous};

        for (int i = 0; i < 6; i++) continuous[i] = hard[(i + t) % 6];
        ck_assert_int_eq(replay_add(replay, &actions, rewards), 0);
    }
    replay_end(replay, &end);
    snprintf(replay->algo, sizeof replay->algo, "qmix");
    snprintf(replay->policy, sizeof replay->policy, "runs/\\\"a");
    replay->epsilon = 0.1;
    marl_config_destroy(settings);
}

static void temporary(char path[32]) {
    int descriptor;

    snprintf(path, 32, "/tmp/marl-replay-XXXXXX");
    descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    close(descriptor);
}

START_TEST(written_and_read) {
    replay first, second;
    char path[32];

    temporary(path);
    make(&first);
    ck_assert_int_eq(replay_write(&first, path), 0);
    ck_assert_int_eq(replay_read(path, &second), 0);
    ck_assert_str_eq(first.env, second.env);
    ck_assert_str_eq(first.env_version, second.env_version);
    ck_assert_str_eq(first.settings, second.settings);
    ck_assert_str_eq(first.policy, second.policy);
    ck_assert_str_eq(first.algo, second.algo);
    ck_assert(first.env_hash == second.env_hash && first.seed == second.seed && second.epsilon == 0.1);
    ck_assert(second.agents == 2 && second.dims == 3 && second.reward_count == 2 && second.steps == STEPS);
    ck_assert(second.outcome == MARL_OUTCOME_LOST && second.is_truncated && second.total == first.total);
    ck_assert_mem_eq(first.discrete, second.discrete, STEPS * 6 * sizeof(int32_t));
    ck_assert_mem_eq(first.continuous, second.continuous, STEPS * 6 * sizeof(float));
    ck_assert_mem_eq(first.rewards, second.rewards, STEPS * 2 * sizeof(double));
    replay_free(&first);
    replay_free(&second);
    unlink(path);
}
END_TEST

static bool is_read(const char *text, size_t bytes) {
    char *copy = malloc(bytes + 1);    /* of just that size, so that reading beyond it shows */
    replay replay;
    bool is_good;

    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    is_good = replay_parse("x", copy, bytes, &replay) == 0;
    if (is_good) replay_free(&replay);
    free(copy);
    return is_good;
}

/* Cut anywhere, and with any one character changed: refused or read, never a crash. Messages about files that are meant
 * to be broken would only confuse who reads the tests' output. */
START_TEST(broken_files) {
    static const char changes[] = "0-9x\"]}[,\\";
    char path[32], text[4096];
    size_t bytes, good = 0;
    int kept = dup(STDERR_FILENO);
    replay replay;
    FILE *file;

    temporary(path);
    make(&replay);
    replay.steps = 2;
    ck_assert_int_eq(replay_write(&replay, path), 0);
    replay_free(&replay);
    file = fopen(path, "rb");
    bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    unlink(path);
    ck_assert(bytes > 800 && bytes < sizeof text && is_read(text, bytes));
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    for (size_t cut = 0; cut < bytes - 2; cut++) good += is_read(text, cut);
    ck_assert_uint_eq(good, 0);
    for (size_t at = 0; at < bytes; at++) {
        char was = text[at];

        text[at] = changes[at % (sizeof changes - 1)];
        good += is_read(text, bytes);
        text[at] = was;
    }
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    ck_assert(good > 0 && good < bytes / 2);
}
END_TEST

Suite *marl__suite_cli_replay(void);
Suite *marl__suite_cli_replay(void) {
    Suite *suite = suite_create("cli/replay");
    TCase *tests = tcase_create("replay");

    tcase_add_test(tests, written_and_read);
    tcase_add_test(tests, broken_files);
    suite_add_tcase(suite, tests);
    return suite;
}
