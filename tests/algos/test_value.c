/* SPDX-License-Identifier: Apache-2.0 */
/* The value family as a machine: the same bits however an update is run, nothing allocated, nothing lost to a NaN; and
 * targets and statistics against numbers worked out by hand. That its values and gradients are those of the published
 * learners is the business of tests/fixtures.c. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/params/optim.h"
#include "support/learners.h"
#include "support/support.h"

Suite *marl__suite_algos_value(void);

static const marl__team_shape team = {.agents = 3, .obs = 7, .actions = 5,
                                      .state = 11, .rewards = 1, .episode_limit = 9};
enum { EPISODES = 12 };
static const int32_t lengths[EPISODES] = {9, 2, 5, 9, 1, 7, 7, 3, 8, 9, 4, 6};
static const int32_t ended[EPISODES] = {0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1};

/* Small shards, so that a batch of this size has eight. */
#define SHARDED "net.hidden_dim=20 shards.rows=8 td_lambda=0.6 lr=0.01 target_interval=2 mixer.embed_dim=8 " \
                "mixer.hypernet_embed=12"
#define SHARDED_PLAIN "net.hidden_dim=20 shards.rows=8 n_step=3 lr=0.01 target_update=soft target_tau=0.1"

typedef struct variant { const char *algo, *settings; } variant;

#define SHARDED_JOINT "net.hidden_dim=20 shards.rows=8 td_lambda=0.6 lr=0.01 target_interval=2"

static const variant variants[] = {
    {"qmix", SHARDED " standardise_rewards=1"},
    {"qmix", SHARDED " net.recurrent=0 mixer.hypernet_layers=1 optimizer=rmsprop"},
    {"vdn", SHARDED_PLAIN " net.layer_norm=1 share=separate"},
    {"iql", SHARDED_PLAIN " net=mlp net.layers=1 agent_id=none last_action=0"},
    {"qplex", SHARDED_JOINT " q_lambda=1 mixer.hypernet_embed=12 mixer.kernels=3 mixer.adv_embed=8"},
    {"qplex", SHARDED_JOINT " double_q=0 mixer.adv_layers=1 mixer.weighted_head=0"},
    {"qtran", SHARDED_JOINT " mixer.qtran_embed=12"},
    {"qtran", SHARDED_PLAIN " net=mlp net.layers=1 mixer.qtran_arch=coma_critic mixer.qtran_size=big"},
};
enum { VARIANT_COUNT = sizeof variants / sizeof variants[0] };

static marl__test_batch random_batch(uint64_t seed) {
    marl__test_batch batch;
    marl__test_batch_fill(&batch, &team, lengths, ended, EPISODES, seed);
    return batch;
}

static void expect_ok(marl_status status) {
    ck_assert_msg(status == MARL_OK, "%s: %s", marl_status_name(status), marl_last_error());
}

static void update(marl__learner *learner, const marl__test_batch *batch) {
    expect_ok(marl__learner_update(learner, batch->list, batch->count, 100, 12, NULL));
}

/* ---- the same bits however it is run ---- */

static int32_t always(void *user) {
    _Atomic int32_t *asked = user;
    return ++*asked > 0;
}

/* Three updates, each left after every unit; how often it was left. */
static int32_t update_by_units(marl__learner *learner, const marl__test_batch *batch) {
    int32_t calls = 0;
    for (int32_t u = 0; u < 3; u++) {
        int32_t is_done = 0;
        expect_ok(marl__learner_begin(learner, batch->list, batch->count, 100, 12));
        while (!is_done) {
            _Atomic int32_t asked = 0;
            expect_ok(marl__learner_advance(learner, always, &asked, &is_done));
            calls++;
        }
    }
    return calls;
}

START_TEST(test_stopped_after_every_unit) {
    const variant *v = &variants[_i];
    marl__test_batch batch = random_batch(1);
    marl_device *one = marl__test_device("cpu", "auto", 1);
    marl__learner *straight = marl__test_learner(one, v->algo, v->settings, &team, EPISODES, 5, 0);
    for (int32_t u = 0; u < 3; u++) update(straight, &batch);
    for (int32_t threads = 1; threads <= 4; threads++) {
        marl_device *device = marl__test_device("cpu", "auto", threads);
        marl__learner *whole = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
        marl__learner *stopped = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
        ck_assert(!marl__test_same_state(straight, whole));
        for (int32_t u = 0; u < 3; u++) update(whole, &batch);
        ck_assert(marl__test_same_state(straight, whole));
        /* With more threads several units may end before all have noticed the stop. */
        ck_assert_int_gt(update_by_units(stopped, &batch), 300 / threads);
        ck_assert(marl__test_same_state(straight, stopped));
        marl__learner_destroy(whole);
        marl__learner_destroy(stopped);
        marl_device_close(device);
    }
    marl__learner_destroy(straight);
    marl_device_close(one);
    marl__test_batch_free(&batch);
}
END_TEST

/* A host that runs tasks one after the other, the last first. */
static void backwards(int32_t count, marl_task task, void *ctx, void *user) {
    (void)user;
    while (count-- > 0) task(count, ctx);
}

START_TEST(test_hosts_parallel_for) {
    marl__test_batch batch = random_batch(2);
    marl_host host;
    marl_config *config = NULL;
    marl_device *one = marl__test_device("cpu", "auto", 1), *lent = NULL;
    marl_host_init(&host, sizeof host);
    host.parallel_for = backwards;
    expect_ok(marl_config_create(NULL, "device", &config));
    expect_ok(marl_config_set(config, "threads", "3"));
    expect_ok(marl_device_open(&host, "cpu", config, &lent));
    marl__learner *a = marl__test_learner(one, "qmix", variants[0].settings, &team, EPISODES, 5, 0);
    marl__learner *b = marl__test_learner(lent, "qmix", variants[0].settings, &team, EPISODES, 5, 0);
    update(a, &batch);
    update(b, &batch);
    ck_assert(marl__test_same_state(a, b));
    marl__learner_destroy(a);
    marl__learner_destroy(b);
    marl_config_destroy(config);
    marl_device_close(one);
    marl_device_close(lent);
    marl__test_batch_free(&batch);
}
END_TEST

START_TEST(test_avx2_and_avx512_agree) {
    const variant *v = &variants[_i];
    marl__test_batch batch = random_batch(3);
    marl_device *a = marl__test_device("cpu", "avx2", 1), *b = marl__test_device("cpu", "avx512", 2);
    if (!a || !b) {
        marl__test_skip("this CPU lacks AVX2 or AVX-512");
    } else {
        marl__learner *x = marl__test_learner(a, v->algo, v->settings, &team, EPISODES, 5, 0);
        marl__learner *y = marl__test_learner(b, v->algo, v->settings, &team, EPISODES, 5, 0);
        for (int32_t u = 0; u < 3; u++) {
            update(x, &batch);
            update(y, &batch);
        }
        ck_assert(marl__test_same_state(x, y));
        marl__learner_destroy(x);
        marl__learner_destroy(y);
    }
    marl_device_close(a);
    marl_device_close(b);
    marl__test_batch_free(&batch);
}
END_TEST

/* Parameters after an update, as far as two ways to compute may differ. Adam's first step has the size of lr whatever
 * the gradient's, so gradients are compared instead of what it makes of them. */
static void expect_close_gradients(const marl__learner *a, const marl__learner *b) {
    const marl__params *params = marl__learner_params(a);
    for (int32_t i = 0; i < params->count; i++) {
        const float *x = marl__learner_gradient(a, i), *y = marl__learner_gradient(b, i);
        for (size_t k = 0; k < params->list[i].count; k++)
            ck_assert_float_eq_tol(x[k], y[k], 2e-6f + 1e-4f * fabsf(x[k]));
    }
}

START_TEST(test_shards_and_kernels_agree_within_rounding) {
    const variant *v = &variants[_i];
    char one_shard[256];
    marl__update_result whole, cut;
    marl__test_batch batch = random_batch(4);
    marl_device *a = marl__test_device("cpu", "auto", 1), *b = marl__test_device("cpu", "portable", 1);
    snprintf(one_shard, sizeof one_shard, "%s shards.rows=1000", v->settings);
    marl__learner *x = marl__test_learner(a, v->algo, one_shard, &team, EPISODES, 5, 0);
    marl__learner *y = marl__test_learner(b, v->algo, v->settings, &team, EPISODES, 5, 0);
    expect_ok(marl__learner_update(x, batch.list, batch.count, 0, 0, &whole));
    expect_ok(marl__learner_update(y, batch.list, batch.count, 0, 0, &cut));
    ck_assert_double_eq_tol(whole.loss, cut.loss, 1e-5 * fabs(whole.loss));
    ck_assert_double_eq_tol(whole.grad_norm, cut.grad_norm, 1e-4 * whole.grad_norm);
    ck_assert_double_eq_tol(whole.td_abs, cut.td_abs, 1e-5);
    ck_assert_double_eq_tol(whole.q_mean, cut.q_mean, 1e-5);
    ck_assert_double_eq_tol(whole.target_mean, cut.target_mean, 1e-5);
    expect_close_gradients(x, y);
    marl__learner_destroy(x);
    marl__learner_destroy(y);
    marl_device_close(a);
    marl_device_close(b);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- what it costs, and what a NaN does ---- */

START_TEST(test_updates_allocate_nothing) {
    const variant *v = &variants[_i];
    marl__test_batch batch = random_batch(5);
    marl_device *device = marl__test_device("cpu", "auto", 2);
    marl__learner *learner = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    uint64_t before = atomic_load(&device->heap.allocation_count);
    marl__malloc_count_start();
    for (int32_t u = 0; u < 3; u++) marl__learner_update(learner, batch.list, batch.count, 100, 12, NULL);
    uint64_t calls = marl__malloc_count_stop();
    ck_assert_uint_eq(calls, 0);
    ck_assert_uint_eq(atomic_load(&device->heap.allocation_count), before);
    if (!marl__malloc_count_works()) marl__test_skip("libc's allocations cannot be counted in this build");
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* A number of one episode is spoilt; everything is as before, and learning goes on as if nothing had been tried. */
static void expect_untouched(const variant *v, float *spot, float value) {
    marl_device *device = marl__test_device("cpu", "auto", 2);
    marl__test_batch batch = random_batch(6), bad = random_batch(7);
    marl__learner *learner = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    marl__learner *other = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    update(learner, &batch);
    update(other, &batch);
    float good = *spot;
    *spot = value;
    marl__test_batch spoilt = bad;
    marl__episode list[EPISODES];
    memcpy(list, bad.list, sizeof list);
    list[3].rewards = spot; /* an episode of 9 steps borrows the caller's numbers */
    spoilt.list = list;
    ck_assert_int_eq(marl__learner_update(learner, spoilt.list, spoilt.count, 100, 12, NULL), MARL_E_NOT_FINITE);
    ck_assert(marl__test_same_state(learner, other));
    *spot = good;
    for (int32_t u = 0; u < 3; u++) {
        update(learner, &batch);
        update(other, &batch);
    }
    ck_assert(marl__test_same_state(learner, other));
    marl__learner_destroy(learner);
    marl__learner_destroy(other);
    marl_device_close(device);
    marl__test_batch_free(&batch);
    marl__test_batch_free(&bad);
}

START_TEST(test_a_reward_that_is_no_number) {
    float rewards[10] = {0};
    expect_untouched(&variants[_i], rewards, NAN);
    expect_untouched(&variants[_i], rewards, INFINITY);
}
END_TEST

START_TEST(test_an_observation_that_is_no_number) {
    const variant *v = &variants[_i];
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(8);
    marl__learner *learner = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    marl__learner *other = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    float *obs = batch.blocks[0];
    float good = obs[40];
    obs[40] = NAN;
    ck_assert_int_eq(marl__learner_update(learner, batch.list, batch.count, 0, 0, NULL), MARL_E_NOT_FINITE);
    ck_assert(marl__test_same_state(learner, other));
    obs[40] = good;
    update(learner, &batch);
    update(other, &batch);
    ck_assert(marl__test_same_state(learner, other));
    marl__learner_destroy(learner);
    marl__learner_destroy(other);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- numbers worked out by hand ---- */

enum { MOST = 8 };
typedef struct targets_case {
    int32_t length, kind, n, terminated;
    double reward[MOST], q[MOST + 1], expected[MOST];
} targets_case;

/* gamma .99, lambda .6. */
static const targets_case targets_cases[] = {
    {4, MARL__TD_LAMBDA, 0, 1, {1, 0, 2, 3}, {5, 6, 7, 8, 9}, {7.474778, 6.9003, 6.95, 3.0}},
    {4, MARL__TD_LAMBDA, 0, 0, {1, 0, 2, 3}, {5, 6, 7, 8, 9}, {9.342177, 10.044069, 12.24254, 11.91}},
    {2, MARL__TD_LAMBDA, 0, 1, {1, 2}, {5, 6, 7}, {4.564, 2.0}},
    {4, MARL__TD_N_STEP, 2, 0, {1, 0, 2, 3}, {5, 6, 7, 8, 9}, {7.8607, 9.8208, 13.7909, 11.91}},
    {4, MARL__TD_N_STEP, 2, 1, {1, 0, 2, 3}, {5, 6, 7, 8, 9}, {7.8607, 9.8208, 4.97, 3.0}},
    {2, MARL__TD_N_STEP, 5, 1, {1, 2}, {5, 6, 7}, {2.98, 2.0}},
    {2, MARL__TD_N_STEP, 1, 0, {1, 2}, {5, 6, 7}, {6.94, 8.93}},
};

START_TEST(test_targets) {
    const targets_case *c = &targets_cases[_i];
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__graph *g = NULL;
    marl__plan *plan = NULL;
    marl__exec *exec = NULL;
    expect_ok(marl__graph_create(&device->heap, 1, 1, &g));
    marl__val in[4];
    for (int32_t i = 0; i < 4; i++) in[i] = marl__input(g, "in", MARL__TEAM, 1, MARL__F32);
    marl__val out = marl__td_target(g, in[0], in[1], in[2], in[3], c->kind, c->n, 0.99f, 0.6f);
    marl__keep(g, out, "targets");
    int32_t active[MOST + 1], offset[MOST + 2] = {0}, slots = c->length + 1;
    marl__capacity capacity = {slots, 1, slots};
    expect_ok(marl__plan_create(device, g, capacity, &plan));
    expect_ok(marl__exec_create(plan, &exec));
    for (int32_t t = 0; t < slots; t++) {
        float row[] = {(float)c->q[t], (float)c->reward[t], t == c->length - 1 && c->terminated ? 1.0f : 0.0f,
                       t < c->length ? 1.0f : 0.0f};
        for (int32_t i = 0; i < 4; i++) ((float *)marl__exec_data(exec, in[i]))[t] = row[i];
        active[t] = 1;
        offset[t + 1] = t + 1;
    }
    marl__seq seq = {slots, 1, slots, active, offset};
    marl__exec_set_seq(exec, &seq);
    marl__exec_run(exec, 0);
    const float *targets = marl__exec_data(exec, out);
    for (int32_t t = 0; t < c->length; t++) ck_assert_float_eq_tol(targets[t], (float)c->expected[t], 2e-6f);
    ck_assert_float_eq(targets[c->length], 0.0f);
    marl__exec_destroy(exec);
    marl__plan_destroy(plan);
    marl__graph_destroy(g);
    marl_device_close(device);
}
END_TEST

static double state_number(marl__learner *learner, const char *name, size_t at) {
    marl__state_item item;
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++)
        if (!strcmp(item.name, name)) return item.f64 ? item.f64[at] : (double)item.f32[at];
    ck_abort_msg("no state %s", name);
    return 0.0;
}

START_TEST(test_running_reward_statistics) {
    const int32_t four = 4;
    const marl__team_shape small = {.agents = 2, .obs = 3, .actions = 2, .state = 1, .rewards = 1, .episode_limit = 4};
    const float first[] = {0, 0, 1, 1}, second[] = {2, 0, 0, 0};
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch;
    marl__test_batch_fill(&batch, &small, &four, NULL, 1, 1);
    marl__learner *learner = marl__test_learner(device, "vdn", "standardise_rewards=1", &small, 1, 1, 0);
    batch.list[0].rewards = first;
    update(learner, &batch);
    batch.list[0].rewards = second;
    update(learner, &batch);
    ck_assert_double_eq_tol(state_number(learner, "reward_stats", 0), .49999375, 5e-9);
    ck_assert_double_eq_tol(state_number(learner, "reward_stats", 1), .66667396, 5e-9);
    ck_assert_double_eq_tol(state_number(learner, "reward_stats", 2), 8.0001, 1e-9);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- masks ---- */

static double mask_sum(const marl__learner *learner, const int32_t *length, int32_t count, int32_t slots) {
    double sum = 0.0;
    (void)length;
    for (int32_t e = 0; e < count; e++)
        for (int32_t t = 0; t < slots; t++) {
            const float *mask = marl__learner_probe(learner, "mask", e, t);
            sum += mask ? (double)*mask : 0.0;
        }
    return sum;
}

/* The step that PyMARL2 trains past an early truncation: exactly one more a truncated episode, and none for one that
 * terminated or is the longest. Its target is the discounted value of a slot of zeros. */
START_TEST(test_phantom_step) {
    const int32_t spans[] = {9, 4, 6, 9}, over[] = {0, 0, 1, 1};
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch;
    marl__test_batch_fill(&batch, &team, spans, over, 4, 9);
    marl__learner *right = marl__test_learner(device, "qmix", SHARDED, &team, 4, 5, 1);
    marl__learner *legacy = marl__test_learner(device, "qmix", SHARDED " phantom_step=1", &team, 4, 5, 1);
    update(right, &batch);
    update(legacy, &batch);
    ck_assert_double_eq(mask_sum(right, spans, 4, 10), 28.0);
    ck_assert_double_eq(mask_sum(legacy, spans, 4, 10), 29.0);
    ck_assert_float_eq(*(const float *)marl__learner_probe(legacy, "mask", 1, 4), 1.0f);
    ck_assert_float_eq(*(const float *)marl__learner_probe(right, "mask", 1, 4), 0.0f);
    ck_assert_ptr_null(marl__learner_probe(right, "mask", 1, 5));
    double after = *(const float *)marl__learner_probe(legacy, "targets", 1, 5);
    double q = *(const float *)marl__learner_probe(legacy, "target_q_tot", 1, 5);
    double phantom = *(const float *)marl__learner_probe(legacy, "targets", 1, 4);
    ck_assert_double_eq_tol(phantom, 0.6 * 0.99 * after + 0.4 * 0.99 * q, 1e-6);
    ck_assert(!marl__test_same_state(right, legacy));
    marl__learner_destroy(right);
    marl__learner_destroy(legacy);
    marl__test_batch_free(&batch);

    const int32_t whole[] = {9, 9}, none[] = {0, 1};
    marl__test_batch_fill(&batch, &team, whole, none, 2, 9);
    right = marl__test_learner(device, "qmix", SHARDED, &team, 2, 5, 0);
    legacy = marl__test_learner(device, "qmix", SHARDED " phantom_step=1", &team, 2, 5, 0);
    update(right, &batch);
    update(legacy, &batch);
    ck_assert(marl__test_same_state(right, legacy));
    marl__learner_destroy(right);
    marl__learner_destroy(legacy);
    marl__test_batch_free(&batch);
    marl_device_close(device);
}
END_TEST

/* What stands in slots that no transition leads to or from, and in the actions of slot L, changes nothing. */
START_TEST(test_final_action_is_not_learnt_from) {
    const variant *v = &variants[_i];
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(10);
    marl__learner *a = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    marl__learner *b = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    update(a, &batch);
    for (int32_t e = 0; e < EPISODES; e++) batch.list[e].final_action = 1;
    update(b, &batch);
    ck_assert(marl__test_same_state(a, b));
    marl__learner_destroy(a);
    marl__learner_destroy(b);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- targets and learning rate over time ---- */

static const float *state_floats(marl__learner *learner, const char *name) {
    marl__state_item item;
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++)
        if (!strcmp(item.name, name)) return item.f32;
    return NULL;
}

static int target_is_online(marl__learner *learner) {
    size_t bytes = marl__learner_params(learner)->floats * sizeof(float);
    return !memcmp(state_floats(learner, "params"), state_floats(learner, "target"), bytes);
}

START_TEST(test_hard_copies) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(11);
    marl__learner *by_updates = marl__test_learner(device, "vdn", "target_interval=3", &team, EPISODES, 5, 0);
    marl__learner *by_episodes =
        marl__test_learner(device, "vdn", "target_interval=20 target_unit=episodes", &team, EPISODES, 5, 0);
    ck_assert(target_is_online(by_updates));
    for (uint64_t u = 1; u <= 7; u++) {
        expect_ok(marl__learner_update(by_updates, batch.list, batch.count, 0, 0, NULL));
        ck_assert_int_eq(target_is_online(by_updates), u % 3 == 0);
        /* 8 episodes an update: due at 24 and then at 48. */
        expect_ok(marl__learner_update(by_episodes, batch.list, batch.count, 0, 8 * u, NULL));
        ck_assert_int_eq(target_is_online(by_episodes), u % 3 == 0);
    }
    marl__learner_destroy(by_updates);
    marl__learner_destroy(by_episodes);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

START_TEST(test_soft_updates) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(12);
    marl__learner *learner =
        marl__test_learner(device, "vdn", "target_update=soft target_tau=0.25", &team, EPISODES, 5, 0);
    size_t floats = marl__learner_params(learner)->floats;
    float *before = malloc(floats * sizeof *before);
    ck_assert_ptr_nonnull(before);
    memcpy(before, state_floats(learner, "target"), floats * sizeof *before);
    update(learner, &batch);
    const float *online = state_floats(learner, "params"), *target = state_floats(learner, "target");
    for (size_t i = 0; i < floats; i++)
        ck_assert_float_eq_tol(target[i], 0.75f * before[i] + 0.25f * online[i], 1e-6f);
    free(before);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

START_TEST(test_learning_rate_falls_over_the_horizon) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(13);
    marl__learner *learner =
        marl__test_learner(device, "vdn", "lr=0.01 lr_decay=linear horizon=1000", &team, EPISODES, 5, 0);
    marl__learner *half = marl__test_learner(device, "vdn", "lr=0.005", &team, EPISODES, 5, 0);
    size_t bytes = marl__learner_params(learner)->floats * sizeof(float);
    expect_ok(marl__learner_update(learner, batch.list, batch.count, 500, 0, NULL));
    expect_ok(marl__learner_update(half, batch.list, batch.count, 500, 0, NULL));
    ck_assert_mem_eq(state_floats(learner, "params"), state_floats(half, "params"), bytes);
    expect_ok(marl__learner_update(learner, batch.list, batch.count, 1000, 0, NULL));
    ck_assert_mem_eq(state_floats(learner, "params"), state_floats(half, "params"), bytes);
    marl__learner_destroy(learner);
    marl__learner_destroy(half);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- state ---- */

/* A learner whose state is written into another one goes on with the same bits. */
START_TEST(test_state_can_be_carried_over) {
    const variant *v = &variants[_i];
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(14);
    marl__learner *a = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 5, 0);
    marl__learner *b = marl__test_learner(device, v->algo, v->settings, &team, EPISODES, 99, 0);
    for (int32_t u = 0; u < 3; u++) update(a, &batch);
    marl__state_item from, to;
    for (int32_t i = 0; marl__learner_state(a, i, &from); i++) {
        ck_assert(marl__learner_state(b, i, &to));
        ck_assert_str_eq(from.name, to.name);
        ck_assert_uint_eq(from.count, to.count);
        if (from.f32) memcpy(to.f32, from.f32, from.count * sizeof(float));
        if (from.f64) memcpy(to.f64, from.f64, from.count * sizeof(double));
        if (from.i64) memcpy(to.i64, from.i64, from.count * sizeof(int64_t));
    }
    expect_ok(marl__learner_restored(b));
    for (int32_t u = 0; u < 3; u++) {
        update(a, &batch);
        update(b, &batch);
    }
    ck_assert(marl__test_same_state(a, b));
    marl__learner_destroy(a);
    marl__learner_destroy(b);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* An update writes the next version beside the published one: actors may read that until the update is done. */
START_TEST(test_published_version_stays_while_learning) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(15);
    marl__learner *learner = marl__test_learner(device, "qmix", SHARDED, &team, EPISODES, 5, 0);
    const marl__params *params = marl__learner_params(learner);
    const marl__version *version = marl__learner_version(learner);
    size_t flat = params->floats * sizeof(float), packed = params->packed_floats * sizeof(float);
    char *copy = malloc(flat + packed);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, version->flat, flat);
    memcpy(copy + flat, version->packed, packed);
    int32_t is_done = 0;
    expect_ok(marl__learner_begin(learner, batch.list, batch.count, 0, 0));
    while (!is_done) {
        ck_assert_ptr_eq(marl__learner_version(learner), version);
        ck_assert_mem_eq(version->flat, copy, flat);
        ck_assert_mem_eq(version->packed, copy + flat, packed);
        _Atomic int32_t asked = 0;
        expect_ok(marl__learner_advance(learner, always, &asked, &is_done));
    }
    ck_assert_ptr_ne(marl__learner_version(learner), version);
    ck_assert(memcmp(marl__learner_version(learner)->flat, copy, flat) != 0);
    free(copy);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* ---- refusals ---- */

static marl_status try_create_with(marl_device *device, const char *algo, const char *settings,
                                   const marl__team_shape *shape, int32_t batch) {
    const marl__algo_type *type = NULL;
    marl__learner *learner = NULL;
    marl_config *config = marl__test_config(algo, settings);
    expect_ok(marl__algo_type_find(algo, &type));
    marl_status status = type->create(device, type, config, shape, batch, 1, 0, &learner);
    ck_assert((status == MARL_OK) == (learner != NULL));
    marl__learner_destroy(learner);
    marl_config_destroy(config);
    return status;
}

static marl_status try_create(marl_device *device, const char *algo, const marl__team_shape *shape, int32_t batch) {
    return try_create_with(device, algo, "", shape, batch);
}

START_TEST(test_refusals) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch = random_batch(16);
    marl__team_shape shape = team;
    const marl__algo_type *type = NULL;
    shape.rewards = 3;
    ck_assert_int_eq(try_create(device, "qmix", &shape, 4), MARL_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "qmix"));
    ck_assert_int_eq(try_create(device, "iql", &shape, 4), MARL_OK);
    shape = team;
    shape.state = 0;
    ck_assert_int_eq(try_create(device, "qmix", &shape, 4), MARL_E_MISMATCH);
    ck_assert_int_eq(try_create(device, "vdn", &shape, 4), MARL_OK);
    ck_assert_int_eq(try_create(device, "vdn", &team, 0), MARL_E_ARGUMENT);
    ck_assert_int_eq(try_create_with(device, "vdn", "q_lambda=1 n_step=3", &team, 4), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "n_step"));
    shape.obs = 0;
    ck_assert_int_eq(try_create(device, "vdn", &shape, 4), MARL_E_SHAPE);
    ck_assert_int_eq(marl__algo_type_find("qmx", &type), MARL_E_NAME);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "qmix"));
    ck_assert_ptr_null(type);

    marl__learner *learner = marl__test_learner(device, "vdn", "", &team, 4, 5, 0);
    ck_assert_int_eq(marl__learner_update(learner, batch.list, 5, 0, 0, NULL), MARL_E_SHAPE);
    ck_assert_int_eq(marl__learner_update(learner, batch.list, 0, 0, 0, NULL), MARL_E_SHAPE);
    batch.list[1].length = 10;
    ck_assert_int_eq(marl__learner_update(learner, batch.list, 4, 0, 0, NULL), MARL_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "episode 1"));
    ck_assert_int_eq(marl__learner_set_param(learner, "agent.nothing", batch.blocks[0], 1), MARL_E_NAME);
    ck_assert_int_eq(marl__learner_set_param(learner, "agent.fc1.bias", batch.blocks[0], 1), MARL_E_SHAPE);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* A reward an agent: iql learns each agent's own. */
START_TEST(test_a_reward_for_each_agent) {
    marl__team_shape own = team;
    const int32_t one = 1;
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch;
    own.rewards = 3;
    marl__test_batch_fill(&batch, &own, &one, NULL, 1, 3);
    marl__learner *learner = marl__test_learner(device, "iql", "", &own, 1, 1, 1);
    update(learner, &batch);
    const float *targets = marl__learner_probe(learner, "targets", 0, 0);
    for (int32_t i = 0; i < 3; i++) ck_assert_float_eq(targets[i], batch.list[0].rewards[i]);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* Every allocation of create fails once: an error each time, and nothing is left behind. */
START_TEST(test_create_without_memory) {
    for (uint64_t fail_at = 1;; fail_at++) {
        marl__test_memory memory = {.fail_at = 0};
        marl_host host;
        marl_device *device = NULL;
        const marl__algo_type *type = NULL;
        marl__learner *learner = NULL;
        marl__test_host(&memory, &host);
        expect_ok(marl_device_open(&host, "cpu", NULL, &device));
        marl_config *config = marl__test_config(variants[_i].algo, variants[_i].settings);
        expect_ok(marl__algo_type_find(variants[_i].algo, &type));
        memory.fail_at = memory.calls + fail_at;
        marl_status status = type->create(device, type, config, &team, EPISODES, 1, 0, &learner);
        memory.fail_at = 0;
        ck_assert(status == MARL_OK || status == MARL_E_NOMEM);
        ck_assert((status == MARL_OK) == (learner != NULL));
        marl__learner_destroy(learner);
        marl_device_close(device);
        marl_config_destroy(config);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_eq(memory.faults, 0);
        if (status == MARL_OK) {
            ck_assert_uint_gt(fail_at, 20);
            return;
        }
    }
}
END_TEST

Suite *marl__suite_algos_value(void) {
    Suite *suite = suite_create("algos/value");
    TCase *bits = tcase_create("the same bits");
    tcase_add_loop_test(bits, test_stopped_after_every_unit, 0, VARIANT_COUNT);
    tcase_add_test(bits, test_hosts_parallel_for);
    tcase_add_loop_test(bits, test_avx2_and_avx512_agree, 0, VARIANT_COUNT);
    tcase_add_loop_test(bits, test_shards_and_kernels_agree_within_rounding, 0, VARIANT_COUNT);
    tcase_add_loop_test(bits, test_state_can_be_carried_over, 0, VARIANT_COUNT);
    tcase_add_test(bits, test_published_version_stays_while_learning);
    suite_add_tcase(suite, bits);
    TCase *safety = tcase_create("memory and numbers that are none");
    tcase_add_loop_test(safety, test_updates_allocate_nothing, 0, VARIANT_COUNT);
    tcase_add_loop_test(safety, test_a_reward_that_is_no_number, 0, VARIANT_COUNT);
    tcase_add_loop_test(safety, test_an_observation_that_is_no_number, 0, VARIANT_COUNT);
    tcase_add_test(safety, test_refusals);
    tcase_add_loop_test(safety, test_create_without_memory, 0, VARIANT_COUNT);
    suite_add_tcase(suite, safety);
    TCase *numbers = tcase_create("targets");
    tcase_add_loop_test(numbers, test_targets, 0, (int)(sizeof targets_cases / sizeof targets_cases[0]));
    tcase_add_test(numbers, test_running_reward_statistics);
    tcase_add_test(numbers, test_phantom_step);
    tcase_add_loop_test(numbers, test_final_action_is_not_learnt_from, 0, VARIANT_COUNT);
    tcase_add_test(numbers, test_hard_copies);
    tcase_add_test(numbers, test_soft_updates);
    tcase_add_test(numbers, test_learning_rate_falls_over_the_horizon);
    tcase_add_test(numbers, test_a_reward_for_each_agent);
    suite_add_tcase(suite, numbers);
    return suite;
}
