/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of episodes against a plain list, for random lengths and tight budgets; sampling; refilling. */
#include <check.h>
#include <string.h>

#include "core/base/status.h"
#include "run/replay.h"
#include "trainer_kit.h"

Suite *marl__suite_run_replay(void);

static const marl__replay_format format = {
    .shape = {.agents = 2, .obs = 3, .actions = 4, .state = 5, .rewards = 1, .episode_limit = 9},
};

enum { SLOTS = 10, NO = 6, S = 5, NA = 8, N = 2 };

/* An episode whose every number follows from its id. */
typedef struct made {
    marl__episode episode;
    float obs[SLOTS * NO], state[SLOTS * S], rewards[SLOTS];
    uint8_t avail[SLOTS * NA];
    int32_t actions[SLOTS * N];
} made;

static int32_t length_of(int32_t id) {
    return 1 + (id * 7 + id / 3) % 9;
}

static void make(int32_t id, made *out) {
    for (int32_t i = 0; i < SLOTS * NO; i++) out->obs[i] = (float)(id * 1000 + i);
    for (int32_t i = 0; i < SLOTS * S; i++) out->state[i] = (float)(id * 1000 + i) + 0.5f;
    for (int32_t i = 0; i < SLOTS; i++) out->rewards[i] = (float)(id + i) * 0.25f;
    for (int32_t i = 0; i < SLOTS * NA; i++) out->avail[i] = (uint8_t)((id + i) % 2);
    for (int32_t i = 0; i < SLOTS * N; i++) out->actions[i] = (id + i) % 4;
    out->episode = (marl__episode){.length = length_of(id), .terminated = id % 2, .obs = out->obs, .state = out->state,
                                   .avail = out->avail, .actions = out->actions, .rewards = out->rewards};
}

static void check_is(int32_t id, const marl__episode *got) {
    made wanted;
    size_t length = (size_t)length_of(id);

    make(id, &wanted);
    ck_assert_int_eq(got->length, length_of(id));
    ck_assert_int_eq(got->terminated, id % 2);
    ck_assert_mem_eq(got->obs, wanted.obs, (length + 1) * NO * sizeof(float));
    ck_assert_mem_eq(got->state, wanted.state, (length + 1) * S * sizeof(float));
    ck_assert_mem_eq(got->rewards, wanted.rewards, length * sizeof(float));
    ck_assert_mem_eq(got->actions, wanted.actions, length * N * sizeof(int32_t));
    ck_assert_mem_eq(got->avail, wanted.avail, (length + 1) * NA);
}

static void add(marl__replay *replay, int32_t id) {
    made own;

    make(id, &own);
    ck_ok(marl__replay_add(replay, &own.episode));
}

static size_t bytes_of(int32_t id) {
    return marl__replay_episode_bytes(&format, length_of(id));
}

/* Keeps 400 episodes passing through: after each, the ring must hold the newest ones that fit, in order. */
static void pass_through(int64_t episodes, int64_t bytes) {
    marl__heap heap;
    marl__replay *replay = NULL;
    size_t largest = marl__replay_episode_bytes(&format, 9), limit = (size_t)bytes - largest;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, episodes, bytes, 1, &replay));
    for (int32_t id = 0; id < 400; id++) {
        size_t sum = 0;
        int32_t oldest = id + 1;

        add(replay, id);
        while (oldest > 0 && id + 1 - oldest < episodes && sum + bytes_of(oldest - 1) <= limit) {
            sum += bytes_of(--oldest);
        }
        /* A plain list drops from the old end only, so it may hold fewer than the newest that fit; never more. */
        ck_assert_int_le(marl__replay_count(replay), id + 1 - oldest);
        for (int32_t i = 0; i < marl__replay_count(replay); i++) {
            marl__episode got;

            marl__replay_get(replay, i, &got);
            check_is(id + 1 - marl__replay_count(replay) + i, &got);
        }
    }
    marl__replay_destroy(replay);
    ck_assert_uint_eq(heap.current_bytes, 0);
}

START_TEST(replay_keeps_the_newest_whole_episodes) {
    int64_t largest = (int64_t)marl__replay_episode_bytes(&format, 9);

    pass_through(7, 100 * largest);
    pass_through(1000, 5 * largest);
    pass_through(1000, 2 * largest);
    pass_through(3, 4 * largest);
    pass_through(1, 2 * largest);
}
END_TEST

/* The ring and a list that drops its oldest while the newcomer does not fit. */
START_TEST(replay_evicts_as_a_list_would) {
    marl__heap heap;
    marl__replay *replay = NULL;
    size_t largest = marl__replay_episode_bytes(&format, 9), limit = 5 * largest, sum = 0;
    int32_t first = 0;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, 1000, (int64_t)(6 * largest), 1, &replay));
    for (int32_t id = 0; id < 1000; id++) {
        add(replay, id);
        while (sum + bytes_of(id) > limit) sum -= bytes_of(first++);
        sum += bytes_of(id);
        ck_assert_int_eq(marl__replay_count(replay), id + 1 - first);
    }
    marl__replay_destroy(replay);
}
END_TEST

START_TEST(replay_samples_all_in_order) {
    marl__heap heap;
    marl__replay *replay = NULL;
    marl__rng rng;
    marl__episode got[6];

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, 6, 1000000, 1, &replay));
    marl__rng_init(&rng, 1, marl__stream(MARL__STREAM_REPLAY, 0));
    for (int32_t id = 0; id < 15; id++) add(replay, id);
    marl__replay_sample(replay, &rng, 6, got);
    for (int32_t i = 0; i < 6; i++) check_is(9 + i, &got[i]);
    ck_assert_uint_eq(rng.counter, 0);
    marl__replay_destroy(replay);
}
END_TEST

/* 20000 samples of 3 of 10: each episode 6000 times, deviation 65; each pair of neighbours 1333 times, deviation 35. */
START_TEST(replay_samples_without_replacement) {
    marl__heap heap;
    marl__replay *replay = NULL;
    marl__rng rng;
    int counts[10] = {0}, pairs = 0;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, 10, 1000000, 1, &replay));
    marl__rng_init(&rng, 5, marl__stream(MARL__STREAM_REPLAY, 0));
    for (int32_t id = 0; id < 10; id++) add(replay, id);
    for (int round = 0; round < 20000; round++) {
        marl__episode got[3];
        int32_t ids[3];

        marl__replay_sample(replay, &rng, 3, got);
        for (int i = 0; i < 3; i++) {
            ids[i] = (int32_t)got[i].obs[0] / 1000;
            counts[ids[i]]++;
        }
        ck_assert(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        pairs += (ids[0] == 4 || ids[1] == 4 || ids[2] == 4) && (ids[0] == 5 || ids[1] == 5 || ids[2] == 5);
    }
    for (int i = 0; i < 10; i++) ck_assert_int_lt(abs(counts[i] - 6000), 330);
    ck_assert_int_lt(abs(pairs - 1333), 175);
    marl__replay_destroy(replay);
}
END_TEST

/* Refilled from its records a ring holds the same and evicts the same. */
START_TEST(replay_is_refilled) {
    marl__heap heap;
    marl__replay *old = NULL, *new = NULL;
    int64_t bytes = 6 * (int64_t)marl__replay_episode_bytes(&format, 9);
    int32_t lengths[32], count;
    uint8_t terminated[32];
    void *block = NULL;
    size_t total = 0, at = 0;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, 30, bytes, 1, &old));
    ck_ok(marl__replay_create(&heap, &format, 30, bytes, 1, &new));
    for (int32_t id = 0; id < 100; id++) add(old, id);
    count = marl__replay_count(old);
    for (int32_t i = 0; i < count; i++) {
        marl__episode got;

        marl__replay_get(old, i, &got);
        lengths[i] = got.length;
        terminated[i] = (uint8_t)got.terminated;
    }
    ck_ok(marl__replay_restore(new, count, lengths, terminated, &block, &total));
    for (int32_t i = 0; i < count; i++) {
        size_t size = marl__replay_episode_bytes(&format, lengths[i]);

        memcpy((char *)block + at, marl__replay_record(old, i), size);
        at += size;
    }
    ck_assert_uint_eq(at, total);
    ck_ok(marl__replay_check(new));
    for (int32_t id = 100; id < 200; id++) {
        ck_assert_int_eq(marl__replay_count(new), marl__replay_count(old));
        for (int32_t i = 0; i < marl__replay_count(new); i++) {
            marl__episode got;

            marl__replay_get(new, i, &got);
            check_is(id - marl__replay_count(new) + i, &got);
        }
        add(old, id);
        add(new, id);
    }
    marl__replay_destroy(old);
    marl__replay_destroy(new);
}
END_TEST

START_TEST(replay_refuses_what_it_cannot_hold) {
    marl__heap heap;
    marl__replay *replay = NULL;
    int64_t largest = (int64_t)marl__replay_episode_bytes(&format, 9);
    int32_t lengths[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    uint8_t terminated[8] = {0};
    void *block = NULL;
    size_t bytes = 0;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_assert_int_eq(marl__replay_create(&heap, &format, 10, 4 * largest, 4, &replay), MARL_E_ARGUMENT);
    ck_assert_ptr_null(replay);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "replay.bytes"));
    ck_assert_int_eq(marl__replay_create(&heap, &format, 3, 100 * largest, 4, &replay), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "replay.episodes"));
    ck_ok(marl__replay_create(&heap, &format, 6, 100 * largest, 4, &replay));
    ck_assert_int_eq(marl__replay_restore(replay, 7, lengths, terminated, &block, &bytes), MARL_E_MISMATCH);
    lengths[2] = 10;
    ck_assert_int_eq(marl__replay_restore(replay, 6, lengths, terminated, &block, &bytes), MARL_E_FORMAT);
    marl__replay_destroy(replay);
}
END_TEST

START_TEST(replay_sees_impossible_numbers) {
    marl__heap heap;
    marl__replay *replay = NULL;
    made own;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &format, 4, 1000000, 1, &replay));
    for (int kind = 0; kind < 4; kind++) {
        make(8, &own);
        if (kind == 0) own.obs[3] = NAN;
        if (kind == 1) own.actions[1] = 4;
        if (kind == 2) own.avail[5] = 2;
        if (kind == 3) own.rewards[0] = INFINITY;
        ck_ok(marl__replay_add(replay, &own.episode));
        ck_assert_int_eq(marl__replay_check(replay), MARL_E_FORMAT);
        for (int i = 0; i < 4; i++) add(replay, i);
        ck_ok(marl__replay_check(replay));
    }
    marl__replay_destroy(replay);
}
END_TEST

Suite *marl__suite_run_replay(void) {
    Suite *suite = suite_create("replay");
    TCase *tcase = tcase_create("replay");

    tcase_add_test(tcase, replay_keeps_the_newest_whole_episodes);
    tcase_add_test(tcase, replay_evicts_as_a_list_would);
    tcase_add_test(tcase, replay_samples_all_in_order);
    tcase_add_test(tcase, replay_samples_without_replacement);
    tcase_add_test(tcase, replay_is_refilled);
    tcase_add_test(tcase, replay_refuses_what_it_cannot_hold);
    tcase_add_test(tcase, replay_sees_impossible_numbers);
    suite_add_tcase(suite, tcase);
    return suite;
}
