/* SPDX-License-Identifier: Apache-2.0 */
/* The rollout: arrays that do not overlap, truncated episodes found again, the next segment, sizes it refuses, and
 * memory that runs out. */
#include "algos/rollout.h"

#include <check.h>
#include <string.h>

#include "core/base/status.h"
#include "support/support.h"

Suite *marl__suite_algos_rollout(void);

static const marl__rollout_shape shape = {.steps = 5, .envs = 3, .agents = 2, .obs = 4, .actions = 6, .dims = 1,
                                          .controls = 2, .state = 7, .rewards = 2, .actor_hidden = 8,
                                          .critic_hidden = 9, .critic_rows = 1};

static marl__rollout *new_rollout(marl__heap *heap, const marl__rollout_shape *of) {
    marl__rollout *rollout = NULL;
    ck_assert_msg(marl__rollout_create(heap, of, &rollout) == MARL_OK, "%s", marl_last_error());
    return rollout;
}

/* Every number of an array is its own: written all over, each holds what was put there. */
START_TEST(rows_are_apart) {
    marl__heap heap;
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    marl__rollout_shape s = shape;
    s.state_per_agent = _i;
    marl__rollout *r = new_rollout(&heap, &s);
    for (int32_t t = 0; t <= s.steps; t++)
        for (int32_t e = 0; e < s.envs; e++)
            for (int32_t i = 0; i < s.agents; i++) {
                float number = (float)(t * 100 + e * 10 + i);
                for (int32_t c = 0; c < s.obs; c++) marl__rollout_obs(r, t, e, i)[c] = number + 0.1f * (float)c;
                for (int32_t c = 0; c < s.state; c++) marl__rollout_state(r, t, e, i)[c] = number;
                marl__rollout_avail(r, t, e, i)[s.actions - 1] = (uint8_t)(t + 10 * e + 40 * i);
                if (t == s.steps) continue;
                marl__rollout_actions(r, t, e, i)[0] = t * 100 + e * 10 + i;
                marl__rollout_controls(r, t, e, i)[1] = number;
            }
    for (int32_t t = 0; t <= s.steps; t++)
        for (int32_t e = 0; e < s.envs; e++)
            for (int32_t i = 0; i < s.agents; i++) {
                float number = (float)(t * 100 + e * 10 + i), last = (float)(t * 100 + e * 10 + s.agents - 1);
                ck_assert_float_eq(marl__rollout_obs(r, t, e, i)[3], number + 0.1f * 3.0f);
                ck_assert_float_eq(marl__rollout_state(r, t, e, i)[6], s.state_per_agent ? number : last);
                ck_assert_int_eq(marl__rollout_avail(r, t, e, i)[5], t + 10 * e + 40 * i);
                if (t == s.steps) continue;
                ck_assert_int_eq(marl__rollout_actions(r, t, e, i)[0], t * 100 + e * 10 + i);
                ck_assert_float_eq(marl__rollout_controls(r, t, e, i)[1], number);
            }
    ck_assert_uint_eq(marl__rollout_agent_row(r, 4, 2, 1), (4 * 3 + 2) * 2 + 1);
    marl__rollout_destroy(r);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

START_TEST(finals_are_found) {
    marl__heap heap;
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    marl__rollout_shape s = shape;
    s.finals = 4;
    marl__rollout *r = new_rollout(&heap, &s);
    static const int32_t steps[][2] = {{0, 2}, {1, 0}, {3, 1}, {4, 2}};
    int32_t at = 9;
    for (int32_t k = 0; k < 4; k++) {
        ck_assert_int_eq(marl__rollout_add_final(r, steps[k][0], steps[k][1], &at), MARL_OK);
        ck_assert_int_eq(at, k);
    }
    for (int32_t t = 0; t < s.steps; t++)
        for (int32_t e = 0; e < s.envs; e++) {
            int32_t want = -1;
            for (int32_t k = 0; k < 4; k++)
                if (steps[k][0] == t && steps[k][1] == e) want = k;
            ck_assert_int_eq(marl__rollout_find_final(r, t, e), want);
            ck_assert_int_eq(r->ended[marl__rollout_row(r, t, e)], want >= 0 ? MARL__TRUNCATED : MARL__GOES_ON);
        }
    ck_assert_int_eq(marl__rollout_add_final(r, 4, 2, &at), MARL_E_STATE);
    ck_assert_int_eq(at, -1);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "room for 4"));
    marl__rollout_destroy(r);
}
END_TEST

START_TEST(the_next_segment) {
    marl__heap heap;
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    marl__rollout *r = new_rollout(&heap, &shape);
    int32_t at = 0;
    uint64_t blocks = heap.allocation_count;
    marl__rollout_obs(r, 5, 2, 1)[3] = 7.0f;
    marl__rollout_state(r, 5, 2, 0)[6] = 8.0f;
    marl__rollout_avail(r, 5, 2, 1)[5] = 1;
    r->alive[marl__rollout_agent_row(r, 5, 2, 1)] = 1;
    r->first[marl__rollout_row(r, 5, 1)] = 1;
    ck_assert_int_eq(marl__rollout_add_final(r, 4, 1, &at), MARL_OK);
    marl__rollout_carry_on(r);
    ck_assert_float_eq(marl__rollout_obs(r, 0, 2, 1)[3], 7.0f);
    ck_assert_float_eq(marl__rollout_state(r, 0, 2, 0)[6], 8.0f);
    ck_assert_int_eq(marl__rollout_avail(r, 0, 2, 1)[5], 1);
    ck_assert_int_eq(r->alive[marl__rollout_agent_row(r, 0, 2, 1)], 1);
    ck_assert_int_eq(r->first[marl__rollout_row(r, 0, 1)], 1);
    ck_assert_int_eq(r->first[marl__rollout_row(r, 0, 2)], 0);
    ck_assert_int_eq(r->final_count, 0);
    ck_assert_int_eq(marl__rollout_find_final(r, 4, 1), -1);
    ck_assert_int_eq(r->ended[marl__rollout_row(r, 4, 1)], MARL__GOES_ON);
    ck_assert_uint_eq(heap.allocation_count, blocks);
    marl__rollout_destroy(r);
}
END_TEST

START_TEST(impossible_shapes) {
    static const marl__rollout_shape wrong[] = {
        {.steps = 0, .envs = 1, .agents = 1, .obs = 1, .rewards = 1, .critic_rows = 1},
        {.steps = 1, .envs = 0, .agents = 1, .obs = 1, .rewards = 1, .critic_rows = 1},
        {.steps = 1, .envs = 1, .agents = 3, .obs = 1, .rewards = 2, .critic_rows = 1},
        {.steps = 1, .envs = 1, .agents = 3, .obs = 1, .rewards = 1, .critic_rows = 2},
        {.steps = 1, .envs = 1, .agents = 3, .obs = 0, .rewards = 1, .critic_rows = 1},
        {.steps = 1 << 30, .envs = 1 << 30, .agents = 3, .obs = 1, .rewards = 1, .critic_rows = 1},
    };
    marl__heap heap;
    marl__rollout *rollout = NULL;
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(marl__rollout_create(&heap, &wrong[i], &rollout), MARL_E_SHAPE);
        ck_assert_ptr_null(rollout);
    }
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

/* What a rollout does not hold takes no memory. */
START_TEST(absent_arrays) {
    static const marl__rollout_shape bare = {.steps = 2, .envs = 1, .agents = 2, .obs = 1, .rewards = 1,
                                             .critic_rows = 2};
    marl__heap heap;
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    marl__rollout *r = new_rollout(&heap, &bare);
    ck_assert(!r->state && !r->avail && !r->actions && !r->controls && !r->actor_hidden && !r->critic_hidden);
    ck_assert(r->obs && r->alive && r->rewards && r->first && r->ended && r->final_row && r->final_obs);
    marl__rollout_carry_on(r);
    marl__rollout_destroy(r);
    marl__rollout_destroy(NULL);
}
END_TEST

START_TEST(no_memory) {
    for (uint64_t fail_at = 1, failed = 1; failed; fail_at++) {
        marl__test_memory memory = {.fail_at = fail_at};
        marl_host host;
        marl__heap heap;
        marl__rollout *rollout = NULL;
        marl__test_host(&memory, &host);
        ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_OK);
        marl_status status = marl__rollout_create(&heap, &shape, &rollout);
        failed = status != MARL_OK;
        ck_assert(failed ? status == MARL_E_NOMEM && !rollout : fail_at > 14);
        marl__rollout_destroy(rollout);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_eq(memory.faults, 0);
    }
}
END_TEST

Suite *marl__suite_algos_rollout(void) {
    Suite *suite = suite_create("algos/rollout");
    TCase *tests = tcase_create("rollout");
    tcase_add_loop_test(tests, rows_are_apart, 0, 2);
    tcase_add_test(tests, finals_are_found);
    tcase_add_test(tests, the_next_segment);
    tcase_add_test(tests, impossible_shapes);
    tcase_add_test(tests, absent_arrays);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
