/* SPDX-License-Identifier: Apache-2.0 */
/* Dealing episodes to shards and packing their rows: properties that hold for any lengths, and the contents of rows. */
#include <check.h>
#include <string.h>

#include "algos/value_batch.h"
#include "support/learners.h"

Suite *marl__suite_algos_batch(void);

enum { SLOTS = 11, MOST = 40, AGENTS = 2, OBS = 3, ACTIONS = 4, STATE = 5 };

static const marl__team_shape team = {.agents = AGENTS, .obs = OBS, .actions = ACTIONS,
                                      .state = STATE, .rewards = 1, .episode_limit = SLOTS - 1};

static marl__batch_shape shape_of(int32_t batch, int32_t shard_rows, int32_t phantom) {
    return (marl__batch_shape){.agents = AGENTS, .obs = OBS, .actions = ACTIONS, .state = STATE, .rewards = 1,
                               .slots = SLOTS, .batch = batch, .shard_rows = shard_rows, .shard_max = 8,
                               .phantom_step = phantom};
}

static void expect_ok(marl_status status) {
    ck_assert_msg(status == MARL_OK, "%s: %s", marl_status_name(status), marl_last_error());
}

static marl__batch *new_batch(marl__heap *heap, int32_t batch, int32_t shard_rows, int32_t phantom) {
    marl__batch *out = NULL;
    marl__batch_shape shape = shape_of(batch, shard_rows, phantom);
    expect_ok(marl__heap_init(heap, NULL));
    expect_ok(marl__batch_create(heap, &shape, &out));
    return out;
}

/* Each shard is sorted, its counts follow from its lengths, and every episode stands in exactly one place. */
static void check_dealing(const marl__batch *batch, const marl__episode *list, int32_t count) {
    int32_t seen[MOST] = {0}, most = 0, least = MOST;
    for (int32_t s = 0; s < batch->shard_count; s++) {
        const marl__shard *shard = &batch->shards[s];
        const marl__seq *seq = &shard->seq;
        ck_assert_int_eq(seq->rows, seq->offset[seq->slots]);
        ck_assert_int_eq(seq->offset[0], 0);
        if (seq->batch > most) most = seq->batch;
        if (seq->batch < least) least = seq->batch;
        for (int32_t place = 0; place < seq->batch; place++) {
            int32_t e = shard->episodes[place];
            seen[e]++;
            ck_assert_int_eq(batch->shard_of[e], s);
            ck_assert_int_eq(batch->place_of[e], place);
            if (place > 0) ck_assert_int_ge(list[shard->episodes[place - 1]].length, list[e].length);
        }
        ck_assert_int_eq(seq->slots, seq->batch ? list[shard->episodes[0]].length + 1 : 0);
        for (int32_t t = 0; t < seq->slots; t++) {
            int32_t active = 0;
            for (int32_t place = 0; place < seq->batch; place++) active += list[shard->episodes[place]].length >= t;
            ck_assert_int_eq(seq->active[t], active);
            ck_assert_int_eq(seq->offset[t + 1], seq->offset[t] + active);
        }
    }
    for (int32_t e = 0; e < count; e++) ck_assert_int_eq(seen[e], 1);
    ck_assert_int_le(most - least, 1);
    ck_assert_int_le(most, batch->shard_batch);
}

START_TEST(test_dealing) {
    marl__rng rng;
    marl__heap heap;
    marl__rng_init(&rng, 1, marl__stream(MARL__STREAM_TEST, 1));
    for (int32_t trial = 0; trial < 300; trial++) {
        marl__episode list[MOST] = {{0}};
        int32_t count = 1 + (int32_t)marl__rng_below(&rng, MOST), steps = 0;
        marl__batch *batch = new_batch(&heap, MOST, 1 + (int32_t)marl__rng_below(&rng, 200), 0);
        for (int32_t e = 0; e < count; e++) {
            list[e].length = 1 + (int32_t)marl__rng_below(&rng, SLOTS - 1);
            steps += list[e].length;
        }
        expect_ok(marl__batch_set(batch, list, count));
        check_dealing(batch, list, count);
        ck_assert_int_eq(batch->mask_sum, steps);
        ck_assert_int_le(batch->shard_count, 8);
        marl__capacity capacity = marl__batch_capacity(batch);
        for (int32_t s = 0; s < batch->shard_count; s++) {
            ck_assert_int_le(batch->shards[s].seq.rows, capacity.rows);
            ck_assert_int_le(batch->shards[s].seq.slots, capacity.slots);
        }
        marl__batch_destroy(batch);
        ck_assert_uint_eq(heap.current_bytes, 0);
    }
}
END_TEST

/* Numbers of shards follow from capacities alone. */
START_TEST(test_number_of_shards) {
    static const struct { int32_t batch, rows, shards; } cases[] = {
        {1, 1, 1}, {32, 256, 1}, {32, 176, 2}, {32, 100, 3}, {32, 1, 8}, {5, 1, 5}, {40, 1000000, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        marl__heap heap;
        marl__episode one = {.length = 1};
        marl__batch *batch = new_batch(&heap, cases[i].batch, cases[i].rows, 0);
        ck_assert_int_eq(batch->shard_capacity, cases[i].shards);
        expect_ok(marl__batch_set(batch, &one, 1)); /* the other shards are empty */
        ck_assert_int_eq(batch->shard_count, cases[i].shards);
        check_dealing(batch, &one, 1);
        marl__batch_destroy(batch);
    }
}
END_TEST

/* Memory for all rows of a shard. */
typedef struct row_memory {
    float obs[SLOTS * MOST * AGENTS * OBS], avail[SLOTS * MOST * AGENTS * ACTIONS], state[SLOTS * MOST * STATE];
    float reward[SLOTS * MOST], terminated[SLOTS * MOST], mask[SLOTS * MOST];
    int32_t last[SLOTS * MOST * AGENTS], action[SLOTS * MOST * AGENTS], taken[SLOTS * MOST * AGENTS];
} row_memory;

static row_memory memory;

static void load_shard(const marl__batch *batch, int32_t shard) {
    marl__batch_rows rows = {memory.obs, memory.avail, memory.state, memory.reward, memory.terminated, memory.mask,
                             memory.last, memory.action, memory.taken};
    memset(&memory, 0x7f, sizeof memory);
    for (int32_t place = 0; place < batch->shards[shard].seq.batch; place++)
        marl__batch_load(batch, shard, place, &rows);
}

/* One row against the episode it comes from; phantom: what stands past its end is read too. */
static void check_row(const marl__episode *e, int32_t t, size_t row, int32_t is_phantom) {
    size_t slot = (size_t)t;
    int32_t in_episode = t <= e->length, counts = t < e->length;
    for (size_t i = 0; i < AGENTS * OBS; i++)
        ck_assert_float_eq(memory.obs[row * AGENTS * OBS + i], in_episode ? e->obs[slot * AGENTS * OBS + i] : 0.0f);
    for (size_t i = 0; i < STATE; i++)
        ck_assert_float_eq(memory.state[row * STATE + i], in_episode ? e->state[slot * STATE + i] : 0.0f);
    for (size_t i = 0; i < AGENTS * ACTIONS; i++)
        ck_assert_float_eq(memory.avail[row * AGENTS * ACTIONS + i],
                           in_episode ? (float)e->avail[slot * AGENTS * ACTIONS + i] : 0.0f);
    for (size_t i = 0; i < AGENTS; i++) {
        int32_t has_last = t >= 1 && t - 1 < e->length;
        ck_assert_int_eq(memory.last[row * AGENTS + i], has_last ? e->actions[(slot - 1) * AGENTS + i] : -1);
        ck_assert_int_eq(memory.action[row * AGENTS + i], counts ? e->actions[slot * AGENTS + i] : 0);
        ck_assert_int_eq(memory.taken[row * AGENTS + i], counts ? e->actions[slot * AGENTS + i] : -1);
    }
    ck_assert_float_eq(memory.reward[row], counts ? e->rewards[slot] : 0.0f);
    ck_assert_float_eq(memory.mask[row], counts || (is_phantom && t == e->length) ? 1.0f : 0.0f);
    ck_assert_float_eq(memory.terminated[row], t == e->length - 1 && e->terminated ? 1.0f : 0.0f);
}

START_TEST(test_rows) {
    static const int32_t lengths[] = {3, 10, 1, 7, 7, 10}, ended[] = {1, 0, 1, 0, 1, 1};
    int32_t phantoms = 0;
    marl__heap heap;
    marl__test_batch episodes;
    marl__test_batch_fill(&episodes, &team, lengths, ended, 6, 2);
    marl__batch *batch = new_batch(&heap, 6, 22, _i);
    expect_ok(marl__batch_set(batch, episodes.list, 6));
    ck_assert_int_eq(batch->shard_count, 3);
    for (int32_t s = 0; s < batch->shard_count; s++) {
        load_shard(batch, s);
        for (int32_t place = 0; place < batch->shards[s].seq.batch; place++) {
            const marl__episode *e = &episodes.list[batch->shards[s].episodes[place]];
            int32_t is_phantom = _i && !e->terminated && e->length < 10, span = is_phantom ? 10 : e->length;
            phantoms += is_phantom;
            for (int32_t t = 0; t <= span; t++)
                check_row(e, t, (size_t)(batch->shards[s].offset[t] + place), is_phantom);
        }
    }
    ck_assert_int_eq(phantoms, _i);
    ck_assert_int_eq(batch->mask_sum, 38 + phantoms);
    marl__batch_destroy(batch);
    marl__test_batch_free(&episodes);
}
END_TEST

START_TEST(test_rewards_are_shifted_and_scaled) {
    static const int32_t lengths[] = {3};
    marl__heap heap;
    marl__test_batch episodes;
    marl__test_batch_fill(&episodes, &team, lengths, NULL, 1, 2);
    marl__batch *batch = new_batch(&heap, 1, 22, 0);
    expect_ok(marl__batch_set(batch, episodes.list, 1));
    batch->reward_shift = 0.5f;
    batch->reward_scale = 2.0f;
    load_shard(batch, 0);
    for (int32_t t = 0; t < 3; t++)
        ck_assert_float_eq(memory.reward[t], (episodes.list[0].rewards[t] - 0.5f) * 2.0f);
    marl__batch_destroy(batch);
    marl__test_batch_free(&episodes);
}
END_TEST

/* Rewards 1 2 3 | 4: mean 2.5, unbiased variance 5/3; with padding 1 2 3 | 4 0 0: 10/6 and 2.6667. */
START_TEST(test_reward_moments) {
    static const float rewards[] = {1, 2, 3, 4};
    marl__episode list[] = {{.length = 3, .rewards = rewards}, {.length = 1, .rewards = rewards + 3}};
    double mean = 0.0, variance = 0.0;
    marl__heap heap;
    marl__batch *batch = new_batch(&heap, 2, 22, 0);
    expect_ok(marl__batch_set(batch, list, 2));
    ck_assert_double_eq(marl__batch_reward_moments(batch, 1, 0, &mean, &variance), 4.0);
    ck_assert_double_eq_tol(mean, 2.5, 1e-12);
    ck_assert_double_eq_tol(variance, 5.0 / 3.0, 1e-12);
    ck_assert_double_eq(marl__batch_reward_moments(batch, 1, 1, &mean, &variance), 6.0);
    ck_assert_double_eq_tol(mean, 10.0 / 6.0, 1e-12);
    ck_assert_double_eq_tol(variance, (30.0 - 100.0 / 6.0) / 5.0, 1e-12);
    marl__batch_destroy(batch);
}
END_TEST

START_TEST(test_refusals) {
    marl__heap heap;
    marl__episode list[3] = {{.length = 1}, {.length = SLOTS}, {.length = 0}};
    marl__batch *batch = new_batch(&heap, 2, 22, 0), *huge = NULL;
    ck_assert_int_eq(marl__batch_set(batch, list, 0), MARL_E_SHAPE);
    ck_assert_int_eq(marl__batch_set(batch, list, 3), MARL_E_SHAPE);
    ck_assert_int_eq(marl__batch_set(batch, list, 2), MARL_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "episode 1"));
    ck_assert_int_eq(marl__batch_set(batch, list + 2, 1), MARL_E_SHAPE);
    expect_ok(marl__batch_set(batch, list, 1));
    marl__batch_shape shape = shape_of(1 << 24, 256, 0);
    shape.slots = 1 << 10;
    ck_assert_int_eq(marl__batch_create(&heap, &shape, &huge), MARL_E_ARGUMENT);
    ck_assert_ptr_null(huge);
    marl__batch_destroy(batch);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

Suite *marl__suite_algos_batch(void) {
    Suite *suite = suite_create("algos/batch");
    TCase *tests = tcase_create("batch");
    tcase_add_test(tests, test_dealing);
    tcase_add_test(tests, test_number_of_shards);
    tcase_add_loop_test(tests, test_rows, 0, 2);
    tcase_add_test(tests, test_rewards_are_shifted_and_scaled);
    tcase_add_test(tests, test_reward_moments);
    tcase_add_test(tests, test_refusals);
    suite_add_tcase(suite, tests);
    return suite;
}
