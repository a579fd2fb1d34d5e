/* SPDX-License-Identifier: Apache-2.0 */
/* Playing: what a team decides does not depend on where it was loaded from, who plays beside it, or which thread asks;
 * refused calls leave no trace; hostile files and failing memory end in a status. Letters: N, O, A as in env.h. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/team_file.h"
#include "support/support.h"

Suite *marl__suite_run_policy(void);

enum { N = 3, O = 7, A = 5, TICKS = 12 };

static const char *const recurrent[] = {"net", "gru", NULL};
static const char *const forward[] = {"net", "gru", "net.recurrent", "0", NULL};
static const char *const plain_mlp[] = {"net", "mlp", "agent_id", "none", "last_action", "0", NULL};
static const char *const no_id[] = {"net", "gru", "agent_id", "none", NULL};
static const char *const no_memory_no_id[] = {"net", "gru", "agent_id", "none", "last_action", "0", NULL};
static const char *const own_nets[] = {"net", "gru", "share", "separate", NULL};
static const char *const *const kinds[] = {recurrent, forward, plain_mlp, own_nets};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static marl_device *device;

static void open_device(void) {
    CHECK(marl_device_open(NULL, "cpu", NULL, &device));
}

static void close_device(void) {
    marl_device_close(device);
    device = NULL;
}

static team_options usual(const char *const *keys) {
    return (team_options){.agents = N, .obs = O, .actions = A, .keys = keys, .seed = 5};
}

/* Observations that depend on team, tick, agent and entry, in about [-1, 1]. */
static void fill_obs(float *obs, int teams, int agents, int width, int first_team, int tick) {
    for (int b = 0; b < teams; b++)
        for (int i = 0; i < agents; i++)
            for (int k = 0; k < width; k++)
                obs[(b * agents + i) * width + k] =
                    (float)((((b + first_team) * 131 + tick * 71 + i * 37 + k * 17) % 97) / 48.5 - 1.0);
}

/* Masks that leave at least action 0. */
static void fill_avail(uint8_t *avail, int teams, int first_team, int tick) {
    for (int b = 0; b < teams; b++)
        for (int i = 0; i < N; i++)
            for (int a = 0; a < A; a++)
                avail[(b * N + i) * A + a] = a == 0 || ((b + first_team) * 5 + tick * 3 + i * 7 + a * 11) % 4 != 0;
}

/* Plays TICKS ticks with one team and records everything. */
typedef struct record {
    int32_t actions[TICKS][N];
    float values[TICKS][N][A];
} record;

static void play(const marl_policy *policy, uint64_t seed, double epsilon, int team, record *out) {
    marl_policy_state *state = NULL;

    CHECK(marl_policy_state_create(policy, 1, seed, &state));
    CHECK(marl_policy_state_set_epsilon(state, epsilon));
    for (int tick = 0; tick < TICKS; tick++) {
        float obs[N * O];
        uint8_t avail[N * A];
        fill_obs(obs, 1, N, O, team, tick);
        fill_avail(avail, 1, team, tick);
        CHECK(marl_policy_act_values(policy, state, obs, avail, NULL, out->actions[tick], &out->values[tick][0][0]));
    }
    marl_policy_state_destroy(state);
}

static void assert_same(const record *a, const record *b) {
    ck_assert_mem_eq(a->actions, b->actions, sizeof a->actions);
    ck_assert_mem_eq(a->values, b->values, sizeof a->values);
}

/* ---- loading and saving ---- */

static marl_status read_at(uint64_t offset, void *buffer, size_t bytes, void *user) {
    const byte_list *list = user;

    if (offset + bytes > list->count) return MARL_E_IO;
    memcpy(buffer, list->data + offset, bytes);
    return MARL_OK;
}

START_TEST(sources_agree) {
    team_options options = usual(kinds[_i]);
    byte_list list = team_bytes(device, &options);
    marl_source memory = source_of(list.data, list.count), callback, path;
    char dir[] = "/tmp/marl-policy-XXXXXX", file[64];
    marl_policy *policies[4] = {NULL};
    marl_sink sink;
    record records[4];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/policy.safetensors", dir);
    marl_sink_init(&sink, sizeof sink);
    sink.path = file;
    team_write(device, &options, &sink);
    marl_source_init(&callback, sizeof callback);
    callback.read = read_at;
    callback.user = &list;
    callback.byte_count = list.count;
    marl_source_init(&path, sizeof path);
    path.path = file;

    CHECK(marl_policy_load(device, &memory, NULL, &policies[0]));
    CHECK(marl_policy_load(device, &callback, NULL, &policies[1]));
    CHECK(marl_policy_load(device, &path, NULL, &policies[2]));
    CHECK(marl_policy_load_file(device, dir, NULL, &policies[3]));
    for (int i = 0; i < 4; i++) {
        play(policies[i], 9, 0.3, 0, &records[i]);
        assert_same(&records[0], &records[i]);
        marl_policy_destroy(policies[i]);
    }
    unlink(file);
    rmdir(dir);
    bytes_free(&list);
}
END_TEST

START_TEST(saved_again_gives_the_same_bytes) {
    float scale[N * O], shift[N * O];
    team_options options = usual(kinds[_i]);
    byte_list first, second = {NULL, 0, 0};
    marl_sink sink = sink_to(&second);
    marl_source source;
    marl_policy *policy = NULL;

    for (int i = 0; i < N * O; i++) {
        scale[i] = 0.5f + (float)i;
        shift[i] = -1.0f;
    }
    options.scale = scale;
    options.shift = shift;
    options.scale_rows = N;
    first = team_bytes(device, &options);
    source = source_of(first.data, first.count);
    CHECK(marl_policy_load(device, &source, NULL, &policy));
    CHECK(marl_policy_save(policy, &sink));
    ck_assert_uint_eq(first.count, second.count);
    ck_assert_mem_eq(first.data, second.data, first.count);
    ck_assert_uint_eq(marl_policy_agent_count(policy), N);
    ck_assert_uint_eq(marl_policy_obs_size(policy), O);
    ck_assert_uint_eq(marl_policy_action_count(policy), A);
    ck_assert_str_eq(marl_policy_algo(policy), "vdn");
    ck_assert_str_eq(marl_policy_env(policy), "lbf:5x5-2p-1f-coop");
    marl_policy_destroy(policy);
    bytes_free(&first);
    bytes_free(&second);
}
END_TEST

START_TEST(scaled_observations) {
    float scale[N * O], shift[N * O], obs[N * O], scaled[N * O], values[2][N * A];
    team_options plain = usual(forward), options = plain;
    marl_policy *policies[2];
    marl_policy_state *states[2];
    int32_t actions[N];

    for (int rows = 1; rows <= N; rows += N - 1) {
        for (int i = 0; i < N * O; i++) {
            scale[i] = 0.25f + 0.125f * (float)(i % (rows * O));
            shift[i] = 0.5f - 0.0625f * (float)(i % (rows * O));
        }
        options.scale = scale;
        options.shift = shift;
        options.scale_rows = rows;
        policies[0] = team_policy(device, &options);
        policies[1] = team_policy(device, &plain);
        fill_obs(obs, 1, N, O, 0, 0);
        for (int i = 0; i < N * O; i++) {
            scaled[i] = obs[i] * scale[i];
            scaled[i] += shift[i];
        }
        for (int p = 0; p < 2; p++) {
            CHECK(marl_policy_state_create(policies[p], 1, 0, &states[p]));
            CHECK(marl_policy_act_values(policies[p], states[p], p ? scaled : obs, NULL, NULL, actions, values[p]));
        }
        ck_assert_mem_eq(values[0], values[1], sizeof values[0]);
        for (int p = 0; p < 2; p++) {
            marl_policy_state_destroy(states[p]);
            marl_policy_destroy(policies[p]);
        }
    }
}
END_TEST

/* ---- independence ---- */

START_TEST(batch_equals_single) {
    enum { TEAMS = 5 };
    team_options options = usual(kinds[_i]);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *state = NULL;
    record alone[TEAMS];

    for (int team = 0; team < TEAMS; team++) play(policy, 4, 0, team, &alone[team]);
    CHECK(marl_policy_state_create(policy, TEAMS, 4, &state));
    for (int tick = 0; tick < TICKS; tick++) {
        float obs[TEAMS * N * O], values[TEAMS][N][A];
        uint8_t avail[TEAMS * N * A];
        int32_t actions[TEAMS][N];
        fill_obs(obs, TEAMS, N, O, 0, tick);
        fill_avail(avail, TEAMS, 0, tick);
        CHECK(marl_policy_act_values(policy, state, obs, avail, NULL, &actions[0][0], &values[0][0][0]));
        for (int team = 0; team < TEAMS; team++) {
            ck_assert_mem_eq(actions[team], alone[team].actions[tick], sizeof actions[team]);
            ck_assert_mem_eq(values[team], alone[team].values[tick], sizeof values[team]);
        }
    }
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

typedef struct player {
    const marl_policy *policy;
    int team;
    record result;
} player;

static void *run_player(void *user) {
    player *own = user;

    for (int i = 0; i < 20; i++) play(own->policy, 11, 0.25, own->team, &own->result);
    return NULL;
}

START_TEST(two_threads_on_one_policy) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    player players[2] = {{.policy = policy, .team = 0}, {.policy = policy, .team = 1}};
    pthread_t threads[2];
    record alone;

    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, run_player, &players[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        play(policy, 11, 0.25, i, &alone);
        assert_same(&alone, &players[i].result);
    }
    marl_policy_destroy(policy);
}
END_TEST

/* ---- what is remembered ---- */

static void tick_values(const marl_policy *policy, marl_policy_state *state, int tick, int32_t *actions,
                        float *values) {
    float obs[N * O];

    fill_obs(obs, 1, N, O, 0, tick);
    CHECK(marl_policy_act_values(policy, state, obs, NULL, NULL, actions, values));
}

START_TEST(reset_forgets) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *state = NULL;
    int32_t actions[N];
    float first[N * A], second[N * A], again[N * A];

    CHECK(marl_policy_state_create(policy, 1, 0, &state));
    tick_values(policy, state, 0, actions, first);
    tick_values(policy, state, 0, actions, second);
    ck_assert_mem_ne(first, second, sizeof first); /* the same observation, another past */
    CHECK(marl_policy_state_reset(state, 0));
    tick_values(policy, state, 0, actions, again);
    ck_assert_mem_eq(first, again, sizeof first);
    ck_assert_int_eq(marl_policy_state_reset(state, 1), MARL_E_ARGUMENT);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

/* The net of a team's file, without the team. */
static marl_net *bare_net(const byte_list *list, const char *hidden_dim, uint32_t inputs) {
    marl_source source = source_of(list->data, list->count);
    marl__safetensors *file = NULL;
    marl_config *config = NULL;
    marl_net *net = NULL;

    CHECK(marl_config_create(NULL, "net/gru", &config));
    CHECK(marl_config_set(config, "hidden_dim", hidden_dim));
    CHECK(marl_net_create(device, config, inputs, A, N, &net));
    CHECK(marl__safetensors_open(&device->heap, &source, 1 << 20, &file));
    ck_assert_uint_eq(marl__safetensors_count(file), marl_net_param_count(net));
    for (uint32_t i = 0; i < marl_net_param_count(net); i++) {
        const marl__tensor_info *info = NULL;
        char name[100];
        float *values = NULL;
        snprintf(name, sizeof name, "agent.%s", marl_net_param_name(net, i));
        info = marl__safetensors_find(file, name);
        ck_assert_ptr_nonnull(info);
        values = malloc(info->byte_count);
        CHECK(marl__safetensors_read_f32(file, info, values, info->element_count));
        CHECK(marl_net_param_set(net, marl_net_param_name(net, i), values, info->element_count));
        free(values);
    }
    marl__safetensors_close(file);
    marl_config_destroy(config);
    return net;
}

/* Observation, previous action and agent number side by side, hidden states carried by hand: the same bits. */
START_TEST(a_team_is_its_net_in_a_loop) {
    enum { INPUTS = O + A + N, H = 8 };
    team_options options = usual(recurrent);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    marl_net *net = bare_net(&list, "8", INPUTS);
    marl_policy *policy = NULL;
    marl_policy_state *state = NULL;
    float hidden[N * H] = {0};
    int32_t actions[N] = {-1, -1, -1};

    CHECK(marl_policy_load(device, &source, NULL, &policy));
    CHECK(marl_policy_state_create(policy, 1, 0, &state));
    for (int tick = 0; tick < TICKS; tick++) {
        float obs[N * O], inputs[N][INPUTS] = {{0}}, expected[N * A], values[N * A];
        fill_obs(obs, 1, N, O, 0, tick);
        for (int i = 0; i < N; i++) {
            memcpy(inputs[i], obs + i * O, O * sizeof(float));
            if (actions[i] >= 0) inputs[i][O + actions[i]] = 1;
            inputs[i][O + A + i] = 1;
        }
        CHECK(marl_net_forward(net, N, &inputs[0][0], hidden, hidden, expected));
        CHECK(marl_policy_act_values(policy, state, obs, NULL, NULL, actions, values));
        ck_assert_mem_eq(values, expected, sizeof values);
    }
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
    marl_net_destroy(net);
    bytes_free(&list);
}
END_TEST

START_TEST(teams_draw_from_streams_of_their_own) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *state = NULL;
    float obs[2 * N * O] = {0};
    int32_t actions[2][N];
    int differ = 0;

    CHECK(marl_policy_state_create(policy, 2, 3, &state));
    CHECK(marl_policy_state_set_epsilon(state, 1));
    for (int tick = 0; tick < 20; tick++) {
        CHECK(marl_policy_act(policy, state, obs, NULL, NULL, actions[0]));
        differ += memcmp(actions[0], actions[1], sizeof actions[0]) != 0;
    }
    ck_assert_int_gt(differ, 15); /* 19.8 expected */
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(reset_of_one_team_leaves_the_others) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *states[2];
    float obs[3 * N * O], values[2][3][N * A];
    int32_t actions[3 * N];

    for (int s = 0; s < 2; s++) CHECK(marl_policy_state_create(policy, 3, 0, &states[s]));
    fill_obs(obs, 3, N, O, 0, 0);
    for (int s = 0; s < 2; s++) CHECK(marl_policy_act(policy, states[s], obs, NULL, NULL, actions));
    CHECK(marl_policy_state_reset(states[1], 1));
    for (int s = 0; s < 2; s++)
        CHECK(marl_policy_act_values(policy, states[s], obs, NULL, NULL, actions, values[s][0]));
    ck_assert_mem_eq(values[0][0], values[1][0], sizeof values[0][0]);
    ck_assert_mem_ne(values[0][1], values[1][1], sizeof values[0][1]);
    ck_assert_mem_eq(values[0][2], values[1][2], sizeof values[0][2]);
    for (int s = 0; s < 2; s++) marl_policy_state_destroy(states[s]);
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(snapshots) {
    team_options options = usual(kinds[_i]), other_options = options;
    marl_policy *policy = team_policy(device, &options), *other = NULL;
    marl_policy_state *state = NULL, *stranger = NULL;
    int32_t expected[TICKS][N], actions[N];
    float expected_values[TICKS][N * A], values[N * A];
    size_t bytes = 0;
    unsigned char *room = NULL, *snapshot = NULL;

    CHECK(marl_policy_state_create(policy, 1, 21, &state));
    CHECK(marl_policy_state_set_epsilon(state, 0.5));
    bytes = marl_policy_state_snapshot_bytes(state);
    ck_assert_uint_gt(bytes, 0);
    room = malloc(bytes + 1);
    ck_assert_ptr_nonnull(room);
    snapshot = room + 1; /* no alignment is promised */
    for (int tick = 0; tick < 4; tick++) tick_values(policy, state, tick, actions, values);
    CHECK(marl_policy_state_snapshot(state, snapshot, bytes));
    for (int tick = 0; tick < TICKS; tick++) tick_values(policy, state, tick, expected[tick], expected_values[tick]);
    CHECK(marl_policy_state_restore(state, snapshot, bytes));
    for (int tick = 0; tick < TICKS; tick++) {
        tick_values(policy, state, tick, actions, values);
        ck_assert_mem_eq(actions, expected[tick], sizeof actions);
        ck_assert_mem_eq(values, expected_values[tick], sizeof values);
    }

    ck_assert_int_eq(marl_policy_state_snapshot(state, snapshot, bytes - 1), MARL_E_SHAPE);
    ck_assert_int_eq(marl_policy_state_restore(state, snapshot, bytes - 1), MARL_E_SHAPE);
    ck_assert_int_eq(marl_policy_state_restore(state, NULL, bytes), MARL_E_ARGUMENT);
    other_options.seed++;
    other = team_policy(device, &other_options);
    CHECK(marl_policy_state_create(other, 1, 21, &stranger));
    ck_assert_int_eq(marl_policy_state_restore(stranger, snapshot, bytes), MARL_E_MISMATCH);
    marl_policy_state_destroy(stranger);
    marl_policy_destroy(other);
    free(room);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

/* Whatever byte is turned, restore refuses or takes a state that plays on without a fault. */
START_TEST(damaged_snapshots) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *state = NULL;
    unsigned char snapshot[1024];
    int32_t actions[N];
    float values[N * A];
    size_t bytes = 0;
    int refused = 0;

    CHECK(marl_policy_state_create(policy, 1, 21, &state));
    tick_values(policy, state, 0, actions, values);
    bytes = marl_policy_state_snapshot_bytes(state);
    ck_assert_uint_le(bytes, sizeof snapshot);
    for (size_t i = 0; i < bytes; i++) {
        CHECK(marl_policy_state_snapshot(state, snapshot, bytes));
        snapshot[i] ^= 0xff;
        if (marl_policy_state_restore(state, snapshot, bytes) != MARL_OK) {
            refused++;
            continue;
        }
        tick_values(policy, state, 1, actions, values);
        for (int k = 0; k < N; k++) ck_assert(actions[k] >= 0 && actions[k] < A);
    }
    ck_assert_int_ge(refused, 16); /* magic, fingerprint, teams, hidden at the least */
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

/* ---- choosing ---- */

START_TEST(greedy_takes_the_best_available) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    record r;

    play(policy, 1, 0, 3, &r);
    for (int tick = 0; tick < TICKS; tick++) {
        uint8_t avail[N * A];
        fill_avail(avail, 1, 3, tick);
        for (int i = 0; i < N; i++) {
            int best = -1;
            for (int a = 0; a < A; a++)
                if (avail[i * A + a] && (best < 0 || r.values[tick][i][a] > r.values[tick][i][best])) best = a;
            ck_assert_int_eq(r.actions[tick][i], best);
        }
    }
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(random_actions_are_available_and_reach_all) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *states[2];
    float obs[N * O];
    uint8_t avail[N * A];
    int seen[N][A] = {{0}};

    fill_obs(obs, 1, N, O, 0, 0);
    fill_avail(avail, 1, 0, 1);
    for (int s = 0; s < 2; s++) {
        CHECK(marl_policy_state_create(policy, 1, 33, &states[s]));
        CHECK(marl_policy_state_set_epsilon(states[s], 1));
    }
    for (int tick = 0; tick < 400; tick++) {
        int32_t actions[2][N];
        for (int s = 0; s < 2; s++) CHECK(marl_policy_act(policy, states[s], obs, avail, NULL, actions[s]));
        ck_assert_mem_eq(actions[0], actions[1], sizeof actions[0]); /* one seed, one stream */
        for (int i = 0; i < N; i++) {
            ck_assert(avail[i * A + actions[0][i]]);
            seen[i][actions[0][i]]++;
        }
    }
    for (int i = 0; i < N; i++)
        for (int a = 0; a < A; a++)
            if (avail[i * A + a]) ck_assert_int_gt(seen[i][a], 30); /* 80 expected with 5 actions */
    ck_assert_int_eq(marl_policy_state_set_epsilon(states[0], 1.5), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_state_set_epsilon(states[0], NAN), MARL_E_ARGUMENT);
    for (int s = 0; s < 2; s++) marl_policy_state_destroy(states[s]);
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(the_dead_do_nothing) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *state = NULL;
    float obs[N * O];
    uint8_t avail[N * A], alive[N] = {1, 0, 1};
    int32_t actions[N] = {-7, -7, -7};

    fill_obs(obs, 1, N, O, 0, 0);
    memset(avail, 0, sizeof avail);
    avail[0 * A + 3] = avail[2 * A + 4] = 1; /* nothing for the dead */
    CHECK(marl_policy_state_create(policy, 1, 0, &state));
    CHECK(marl_policy_act(policy, state, obs, avail, alive, actions));
    ck_assert_int_eq(actions[0], 3);
    ck_assert_int_eq(actions[1], 0);
    ck_assert_int_eq(actions[2], 4);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(refused_calls_leave_no_trace) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options);
    marl_policy_state *states[2];
    float obs[2 * N * O], values[2][2 * N * A];
    uint8_t avail[2 * N * A];
    int32_t actions[2 * N];

    memset(avail, 1, sizeof avail);
    for (int s = 0; s < 2; s++) {
        CHECK(marl_policy_state_create(policy, 2, 3, &states[s]));
        CHECK(marl_policy_state_set_epsilon(states[s], 0.5));
    }
    fill_obs(obs, 2, N, O, 0, 0);
    obs[(1 * N + 2) * O + 4] = NAN;
    ck_assert_int_eq(marl_policy_act(policy, states[0], obs, avail, NULL, actions), MARL_E_NOT_FINITE);
    ck_assert_str_eq(marl_last_error(), "team 1, agent 2: observation 4 is NaN");
    obs[(1 * N + 2) * O + 4] = -INFINITY;
    ck_assert_int_eq(marl_policy_act(policy, states[0], obs, avail, NULL, actions), MARL_E_NOT_FINITE);
    fill_obs(obs, 2, N, O, 0, 0);
    memset(avail + (1 * N + 0) * A, 0, A);
    ck_assert_int_eq(marl_policy_act(policy, states[0], obs, avail, NULL, actions), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "team 1, agent 0"));
    memset(avail, 1, sizeof avail);
    for (int i = 0; i < 2 * N * O; i++) obs[i] = 3e38f; /* finite, but no net can bear it */
    if (marl_policy_act(policy, states[0], obs, avail, NULL, actions) != MARL_OK)
        ck_assert_ptr_nonnull(strstr(marl_last_error(), "value of action"));
    else CHECK(marl_policy_act(policy, states[1], obs, avail, NULL, actions));
    for (int tick = 0; tick < 3; tick++) {
        fill_obs(obs, 2, N, O, 0, tick);
        for (int s = 0; s < 2; s++)
            CHECK(marl_policy_act_values(policy, states[s], obs, avail, NULL, actions, values[s]));
        ck_assert_mem_eq(values[0], values[1], sizeof values[0]);
    }
    for (int s = 0; s < 2; s++) marl_policy_state_destroy(states[s]);
    marl_policy_destroy(policy);
}
END_TEST

START_TEST(wrong_handles) {
    team_options options = usual(recurrent);
    marl_policy *policy = team_policy(device, &options), *other = team_policy(device, &options), *none = NULL;
    marl_policy_state *state = NULL, *no_state = NULL;
    float obs[N * O] = {0};
    int32_t actions[N];
    marl_source source = source_of("x", 1);

    CHECK(marl_policy_state_create(policy, 1, 0, &state));
    ck_assert_int_eq(marl_policy_act(NULL, state, obs, NULL, NULL, actions), MARL_E_HANDLE);
    ck_assert_int_eq(marl_policy_act(policy, NULL, obs, NULL, NULL, actions), MARL_E_HANDLE);
    ck_assert_int_eq(marl_policy_act((marl_policy *)(void *)state, state, obs, NULL, NULL, actions), MARL_E_HANDLE);
    ck_assert_int_eq(marl_policy_act(other, state, obs, NULL, NULL, actions), MARL_E_MISMATCH);
    ck_assert_int_eq(marl_policy_act(policy, state, NULL, NULL, NULL, actions), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_act(policy, state, obs, NULL, NULL, NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_state_create(policy, 0, 0, &no_state), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_state_create(policy, UINT32_MAX, 0, &no_state), MARL_E_ARGUMENT);
    ck_assert_ptr_null(no_state);
    ck_assert_int_eq(marl_policy_load(NULL, &source, NULL, &none), MARL_E_HANDLE);
    ck_assert_int_eq(marl_policy_load(device, NULL, NULL, &none), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_load_file(device, NULL, NULL, &none), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_policy_load_file(device, "tests/no-such-policy", NULL, &none), MARL_E_IO);
    ck_assert_int_eq(marl_policy_save(NULL, NULL), MARL_E_HANDLE);
    ck_assert_uint_eq(marl_policy_agent_count(NULL), 0);
    ck_assert_str_eq(marl_policy_algo(NULL), "");
    ck_assert_uint_eq(marl_policy_state_snapshot_bytes(NULL), 0);
    marl_policy_state_destroy(NULL);
    marl_policy_destroy(NULL);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
    marl_policy_destroy(other);
}
END_TEST

START_TEST(acting_allocates_nothing) {
    marl__test_memory memory = {0};
    marl_host host;
    marl_device *own = NULL;
    float scale[O], shift[O] = {0}, obs[4 * N * O];
    int32_t actions[4 * N];
    uint8_t avail[4 * N * A], alive[4 * N];
    uint64_t calls = 0;

    for (int k = 0; k < O; k++) scale[k] = 0.5f;
    marl__test_host(&memory, &host);
    CHECK(marl_device_open(&host, "cpu", NULL, &own));
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        team_options options = usual(kinds[kind]);
        marl_policy_state *state = NULL;
        marl_policy *policy = NULL;
        options.scale = scale;
        options.shift = shift;
        options.scale_rows = 1;
        policy = team_policy(own, &options);
        CHECK(marl_policy_state_create(policy, 4, 0, &state));
        CHECK(marl_policy_state_set_epsilon(state, 0.5));
        fill_obs(obs, 4, N, O, 0, 0);
        fill_avail(avail, 4, 0, 0);
        memset(alive, 1, sizeof alive);
        calls = atomic_load(&memory.calls);
        marl__malloc_count_start();
        for (int tick = 0; tick < 50; tick++) {
            marl_policy_act(policy, state, obs, avail, alive, actions);
            marl_policy_state_reset(state, (uint32_t)tick % 4);
        }
        ck_assert_uint_eq(marl__malloc_count_stop(), 0);
        ck_assert_uint_eq(atomic_load(&memory.calls), calls);
        marl_policy_state_destroy(state);
        marl_policy_destroy(policy);
    }
    marl_device_close(own);
    ck_assert_uint_eq(atomic_load(&memory.live_blocks), 0);
}
END_TEST

/* ---- other environments ---- */

typedef struct world {
    marl_env_spec spec;
    marl_agent_class agent_class;
} world;

static const marl_env_spec *world_of(world *w, uint32_t agents, uint32_t obs, uint32_t actions) {
    marl_env_spec_init(&w->spec, sizeof w->spec);
    marl_agent_class_init(&w->agent_class, sizeof w->agent_class);
    w->agent_class.obs_shape[0] = obs;
    w->agent_class.action_count = actions;
    w->spec.agent_count = agents;
    w->spec.name = "test:world";
    w->spec.version = "1";
    w->spec.class_count = 1;
    w->spec.classes = &w->agent_class;
    w->spec.episode_limit = 10;
    return &w->spec;
}

static void assert_unfit(const char *const *keys, const marl_env_spec *spec, const char *sentence) {
    team_options options = usual(keys);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    marl_policy *policy = NULL;

    ck_assert_int_eq(marl_policy_load(device, &source, spec, &policy), MARL_E_MISMATCH);
    ck_assert_ptr_null(policy);
    ck_assert_msg(strstr(marl_last_error(), sentence) != NULL, "\"%s\" lacks \"%s\"", marl_last_error(), sentence);
    bytes_free(&list);
}

START_TEST(unfit_environments) {
    world w;

    assert_unfit(no_id, world_of(&w, N, O + 1, A), "observes 7 numbers an agent, test:world gives 8");
    assert_unfit(no_id, world_of(&w, N, O, A + 1), "knows 5 actions, test:world has 6");
    assert_unfit(recurrent, world_of(&w, N + 1, O, A), "agent_id=none");
    assert_unfit(recurrent, world_of(&w, N - 1, O, A), "agent_id=none");
    assert_unfit(own_nets, world_of(&w, N + 1, O, A), "share=shared");
}
END_TEST

START_TEST(a_fitting_spec_changes_nothing) {
    team_options options = usual(kinds[_i]);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    marl_policy *policies[2];
    record records[2];
    world w;

    for (int i = 0; i < 2; i++) {
        CHECK(marl_policy_load(device, &source, i ? world_of(&w, N, O, A) : NULL, &policies[i]));
        play(policies[i], 2, 0.2, 1, &records[i]);
        marl_policy_destroy(policies[i]);
    }
    assert_same(&records[0], &records[1]);
    bytes_free(&list);
}
END_TEST

/* Without ids an agent's values do not depend on how many others there are. */
START_TEST(other_agent_counts) {
    enum { MOST = 7 };
    team_options options = usual(_i ? no_memory_no_id : no_id);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    float obs[MOST * O], reference[MOST * A], values[MOST * A];
    int32_t actions[MOST];
    world w;

    fill_obs(obs, 1, MOST, O, 0, 0);
    for (uint32_t agents = MOST; agents >= 1; agents--) {
        marl_policy *policy = NULL;
        marl_policy_state *state = NULL;
        CHECK(marl_policy_load(device, &source, world_of(&w, agents, O, A), &policy));
        ck_assert_uint_eq(marl_policy_agent_count(policy), agents);
        CHECK(marl_policy_state_create(policy, 1, 0, &state));
        for (int tick = 0; tick < 2; tick++)
            CHECK(marl_policy_act_values(policy, state, obs, NULL, NULL, actions, values));
        if (agents == MOST) memcpy(reference, values, sizeof reference);
        ck_assert_mem_eq(reference, values, agents * A * sizeof(float));
        marl_policy_state_destroy(state);
        marl_policy_destroy(policy);
    }
    bytes_free(&list);
}
END_TEST

START_TEST(scaling_and_other_agent_counts) {
    float scale[N * O], shift[N * O] = {0};
    team_options options = usual(no_id);
    marl_policy *policy = NULL;
    marl_source source;
    byte_list list;
    world w;

    for (int i = 0; i < N * O; i++) scale[i] = 1.0f + (float)(i % O);
    options.scale = scale;
    options.shift = shift;
    options.scale_rows = N; /* equal rows: kept once */
    list = team_bytes(device, &options);
    source = source_of(list.data, list.count);
    CHECK(marl_policy_load(device, &source, world_of(&w, N + 2, O, A), &policy));
    marl_policy_destroy(policy);
    bytes_free(&list);
    scale[N * O - 1] = 99;
    list = team_bytes(device, &options);
    source = source_of(list.data, list.count);
    ck_assert_int_eq(marl_policy_load(device, &source, world_of(&w, N + 2, O, A), &policy), MARL_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "one by one"));
    bytes_free(&list);
}
END_TEST

START_TEST(specs_beyond_value_learners) {
    static const float low[] = {-1}, high[] = {1};
    team_options options = usual(recurrent);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    marl_policy *policy = NULL;
    world w;

    world_of(&w, N, O, A);
    w.agent_class.action_kind = MARL_ACTION_BOX;
    w.agent_class.action_count = 0;
    w.agent_class.action_low = low;
    w.agent_class.action_high = high;
    ck_assert_int_eq(marl_policy_load(device, &source, &w.spec, &policy), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 0"));
    world_of(&w, N, O, A);
    w.spec.struct_size = 4;
    ck_assert_int_eq(marl_policy_load(device, &source, &w.spec, &policy), MARL_E_ARGUMENT);
    world_of(&w, 0, O, A);
    ck_assert_int_eq(marl_policy_load(device, &source, &w.spec, &policy), MARL_E_ARGUMENT);
    world_of(&w, N, O, A);
    w.spec.classes = NULL;
    ck_assert_int_eq(marl_policy_load(device, &source, &w.spec, &policy), MARL_E_ARGUMENT);
    bytes_free(&list);
}
END_TEST

/* ---- hostile files ---- */

START_TEST(truncated_files) {
    team_options options = usual(recurrent);
    byte_list list = team_bytes(device, &options);

    for (size_t count = 0; count < list.count; count++) {
        unsigned char *exact = malloc(count ? count : 1); /* so that a sanitizer sees a byte too far */
        marl_source source = source_of(exact, count);
        marl_policy *policy = NULL;
        memcpy(exact, list.data, count);
        ck_assert_int_ne(marl_policy_load(device, &source, NULL, &policy), MARL_OK);
        ck_assert_ptr_null(policy);
        free(exact);
    }
    bytes_free(&list);
}
END_TEST

/* A turned bit is refused, or was of no meaning: then the team is the same. */
START_TEST(damaged_files) {
    team_options options = usual(recurrent);
    byte_list list = team_bytes(device, &options);
    int accepted = 0;

    for (size_t i = 0; i < list.count; i++) {
        marl_source source = source_of(list.data, list.count);
        marl_policy *policy = NULL;
        list.data[i] ^= (unsigned char)(1u << i % 8);
        if (marl_policy_load(device, &source, NULL, &policy) == MARL_OK) {
            byte_list again = {NULL, 0, 0};
            marl_sink sink = sink_to(&again);
            accepted++;
            CHECK(marl_policy_save(policy, &sink));
            list.data[i] ^= (unsigned char)(1u << i % 8);
            ck_assert_uint_eq(again.count, list.count);
            ck_assert_mem_eq(again.data, list.data, list.count);
            list.data[i] ^= (unsigned char)(1u << i % 8);
            bytes_free(&again);
        }
        marl_policy_destroy(policy);
        list.data[i] ^= (unsigned char)(1u << i % 8);
    }
    ck_assert_int_lt(accepted, 16);
    bytes_free(&list);
}
END_TEST

/* A file whose checksums are right and whose content is not. */
typedef struct forgery {
    const char *policy, *agent;  /* metadata; NULL: left out */
    const char *extra;           /* name of one more tensor */
    int has_nan;
    const char *left_out;        /* name of a tensor */
    const char *sentence;        /* the error names this */
    marl_status status;
} forgery;

#define GOOD_ENV "\"env\":{\"name\":\"e\",\"version\":\"1\",\"hash\":\"0123456789abcdef\"}"
#define GOOD_SIZES "\"agents\":3,\"obs\":7,\"actions\":5,\"rewards\":1"
#define GOOD_HEAD "\"schema\":1,\"algo\":\"vdn\",\"component\":\"run/vdn\"," GOOD_ENV
#define GOOD_POLICY "{" GOOD_HEAD "," GOOD_SIZES "}"
#define GOOD_AGENT                                                                                                     \
    "{\"net\":\"mlp\",\"share\":\"shared\",\"agent_id\":\"none\",\"last_action\":false,\"net.layers\":1,"              \
    "\"net.hidden_dim\":4}"
#define AGENT_WITH(key, value)                                                                                         \
    "{\"net\":\"mlp\",\"agent_id\":\"none\",\"last_action\":false,\"net.layers\":1,\"" key "\":" value "}"

static const forgery forgeries[] = {
    {GOOD_POLICY, GOOD_AGENT, NULL, 0, NULL, NULL, MARL_OK},
    {NULL, GOOD_AGENT, NULL, 0, NULL, "marl.policy", MARL_E_FORMAT},
    {GOOD_POLICY, NULL, NULL, 0, NULL, "marl.agent", MARL_E_FORMAT},
    {"[]", GOOD_AGENT, NULL, 0, NULL, "schema", MARL_E_FORMAT},
    {"{", GOOD_AGENT, NULL, 0, NULL, "metadata", MARL_E_FORMAT},
    {"{\"schema\":2}", GOOD_AGENT, NULL, 0, NULL, "schema 2", MARL_E_VERSION},
    {"{\"schema\":1}", GOOD_AGENT, NULL, 0, NULL, "algo", MARL_E_FORMAT},
    {"{\"schema\":1,\"algo\":\"qmxi\",\"component\":\"c\"," GOOD_ENV "," GOOD_SIZES "}", GOOD_AGENT, NULL, 0, NULL,
     "qmix", MARL_E_NAME},
    {"{\"schema\":1,\"algo\":\"vdn/x\",\"component\":\"c\"," GOOD_ENV "," GOOD_SIZES "}", GOOD_AGENT, NULL, 0, NULL,
     "no name", MARL_E_FORMAT},
    {"{\"schema\":1,\"algo\":\"\",\"component\":\"c\"," GOOD_ENV "," GOOD_SIZES "}", GOOD_AGENT, NULL, 0, NULL, "algo",
     MARL_E_FORMAT},
    {"{\"schema\":1,\"algo\":\"vdn\",\"component\":\"c\"," GOOD_SIZES "}", GOOD_AGENT, NULL, 0, NULL, "env",
     MARL_E_FORMAT},
    {"{\"schema\":1,\"algo\":\"vdn\",\"component\":\"c\",\"env\":{\"name\":\"e\",\"version\":\"1\",\"hash\":\"g\"},"
     GOOD_SIZES "}", GOOD_AGENT, NULL, 0, NULL, "hash", MARL_E_FORMAT},
    {"{" GOOD_HEAD ",\"agents\":0,\"obs\":7,\"actions\":5,\"rewards\":1}", GOOD_AGENT, NULL, 0, NULL, "agents",
     MARL_E_FORMAT},
    {"{" GOOD_HEAD ",\"agents\":3,\"obs\":-7,\"actions\":5,\"rewards\":1}", GOOD_AGENT, NULL, 0, NULL, "obs",
     MARL_E_FORMAT},
    {"{" GOOD_HEAD ",\"agents\":3,\"obs\":7,\"actions\":2000000000,\"rewards\":1}", GOOD_AGENT, NULL, 0, NULL,
     "actions", MARL_E_FORMAT},
    {"{" GOOD_HEAD ",\"agents\":3,\"obs\":7,\"actions\":5,\"rewards\":2}", GOOD_AGENT, NULL, 0, NULL, "rewards",
     MARL_E_FORMAT},
    {"{" GOOD_HEAD ",\"agents\":3,\"obs\":67108864,\"actions\":5,\"rewards\":1}", GOOD_AGENT, NULL, 0, NULL, "fc1",
     MARL_E_MISMATCH},
    {GOOD_POLICY, AGENT_WITH("net.hidden_dim", "65536"), NULL, 0, NULL, "65536", MARL_E_MISMATCH},
    {GOOD_POLICY, AGENT_WITH("net.hidden_dim", "1e9"), NULL, 0, NULL, "hidden_dim", MARL_E_ARGUMENT},
    {GOOD_POLICY, AGENT_WITH("no_such_key", "1"), NULL, 0, NULL, "no_such_key", MARL_E_NAME},
    {GOOD_POLICY, "7", NULL, 0, NULL, NULL, MARL_E_FORMAT},
    {GOOD_POLICY, GOOD_AGENT, "agent.fc9.weight", 0, NULL, "agent.fc9.weight", MARL_E_MISMATCH},
    {GOOD_POLICY, GOOD_AGENT, "obs.shift", 0, NULL, "obs.shift", MARL_E_MISMATCH},
    {GOOD_POLICY, GOOD_AGENT, "obs.scale", 0, NULL, "obs.scale", MARL_E_FORMAT},
    {GOOD_POLICY, GOOD_AGENT, NULL, 1, NULL, "agent.fc2.bias", MARL_E_NOT_FINITE},
    {GOOD_POLICY, GOOD_AGENT, NULL, 0, "agent.fc1.bias", "agent.fc1.bias", MARL_E_MISMATCH},
};

static void add_values(marl__safetensors_writer *writer, const forgery *f, const char *name, uint32_t rank,
                       uint32_t first, uint32_t second, const float *data) {
    const uint32_t shape[2] = {first, second};

    if (f->left_out && strcmp(f->left_out, name) == 0) return;
    CHECK(marl__safetensors_add(writer, name, MARL__TENSOR_F32, rank, shape, data));
}

static void load_forgery(int index) {
    const forgery *f = &forgeries[index];
    float values[64] = {0}, last[5] = {0};
    marl__safetensors_writer *writer = NULL;
    byte_list list = {NULL, 0, 0};
    marl_sink sink = sink_to(&list);
    marl_source source;
    marl_policy *policy = NULL;
    marl_status status;

    if (f->has_nan) last[3] = NAN;
    CHECK(marl__safetensors_writer_create(&device->heap, &writer));
    add_values(writer, f, "agent.fc1.weight", 2, 4, O, values);
    add_values(writer, f, "agent.fc1.bias", 1, 4, 0, values);
    add_values(writer, f, "agent.fc2.weight", 2, A, 4, values);
    add_values(writer, f, "agent.fc2.bias", 1, A, 0, last);
    if (f->extra) add_values(writer, f, f->extra, 1, 3, 0, values);
    if (f->policy) CHECK(marl__safetensors_add_metadata(writer, "marl.policy", f->policy));
    if (f->agent) CHECK(marl__safetensors_add_metadata(writer, "marl.agent", f->agent));
    CHECK(marl__safetensors_finish(writer, &sink));
    marl__safetensors_writer_destroy(writer);
    source = source_of(list.data, list.count);
    status = marl_policy_load(device, &source, NULL, &policy);
    ck_assert_msg(status == f->status, "forgery %d: %s: %s", index, marl_status_name(status), marl_last_error());
    ck_assert((policy != NULL) == (f->status == MARL_OK));
    if (f->sentence)
        ck_assert_msg(strstr(marl_last_error(), f->sentence) != NULL, "forgery %d: \"%s\" lacks \"%s\"", index,
                      marl_last_error(), f->sentence);
    marl_policy_destroy(policy);
    bytes_free(&list);
}

START_TEST(forged_files) {
    load_forgery(_i);
}
END_TEST

START_TEST(files_without_checksums) {
    static const char *const keys[] = {"marl.crc32c", "marl.header_crc32c"};
    team_options options = usual(recurrent);
    byte_list list = team_bytes(device, &options);
    marl_source source = source_of(list.data, list.count);
    marl_policy *policy = NULL;

    for (int i = 0; i < 2; i++) {
        unsigned char *at = memmem(list.data, list.count, keys[i], strlen(keys[i]));
        ck_assert_ptr_nonnull(at);
        *at = 'x';
    }
    ck_assert_int_eq(marl_policy_load(device, &source, NULL, &policy), MARL_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "checksum"));
    bytes_free(&list);
}
END_TEST

/* What a file claims must not make us take memory that it does not itself have. */
START_TEST(claims_take_no_memory) {
    marl_memory before = {.struct_size = sizeof before}, after = before;

    CHECK(marl_device_memory(device, &before));
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++)
        if (forgeries[i].sentence && strcmp(forgeries[i].sentence, "65536") == 0) load_forgery((int)i);
    CHECK(marl_device_memory(device, &after));
    ck_assert_uint_lt(after.peak_bytes, before.peak_bytes + 400000);
    ck_assert_uint_eq(after.current_bytes, before.current_bytes);
}
END_TEST

/* ---- failing memory ---- */

/* Load, play a tick, save: everything a game does. */
static marl_status use_policy(marl_device *own, const byte_list *list, const marl_env_spec *spec, byte_list *saved) {
    marl_source source = source_of(list->data, list->count);
    marl_policy *policy = NULL;
    marl_policy_state *state = NULL;
    marl_sink sink = sink_to(saved);
    marl_status status = marl_policy_load(own, &source, spec, &policy);
    float obs[N * O];
    int32_t actions[N];

    fill_obs(obs, 1, N, O, 0, 0);
    if (status == MARL_OK) status = marl_policy_state_create(policy, 1, 0, &state);
    if (status == MARL_OK) status = marl_policy_act(policy, state, obs, NULL, NULL, actions);
    if (status == MARL_OK) status = marl_policy_save(policy, &sink);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
    return status;
}

START_TEST(failing_allocations) {
    float scale[N * O], shift[N * O] = {0};
    team_options options = usual(kinds[_i]);
    byte_list list;
    marl_status status = MARL_E_NOMEM;
    world w;

    for (int i = 0; i < N * O; i++) scale[i] = 1.0f + (float)i;
    options.scale = scale;
    options.shift = shift;
    options.scale_rows = N;
    list = team_bytes(device, &options);
    for (uint64_t at = 1; status != MARL_OK; at++) {
        marl__test_memory memory = {0};
        byte_list saved = {NULL, 0, 0};
        marl_device *own = NULL;
        marl_host host;
        uint64_t live = 0;
        marl__test_host(&memory, &host);
        CHECK(marl_device_open(&host, "cpu", NULL, &own));
        live = atomic_load(&memory.live_blocks);
        memory.fail_at = atomic_load(&memory.calls) + at;
        status = use_policy(own, &list, world_of(&w, N, O, A), &saved);
        ck_assert_msg(status == MARL_OK || status == MARL_E_NOMEM, "allocation %d: %s: %s", (int)at,
                      marl_status_name(status), marl_last_error());
        ck_assert_uint_eq(atomic_load(&memory.live_blocks), live);
        ck_assert_uint_eq(atomic_load(&memory.faults), 0);
        ck_assert_uint_lt(at, 2000);
        if (status == MARL_OK) ck_assert_uint_eq(saved.count, list.count);
        marl_device_close(own);
        bytes_free(&saved);
    }
    bytes_free(&list);
}
END_TEST

Suite *marl__suite_run_policy(void) {
    Suite *suite = suite_create("policy");
    TCase *tcase = tcase_create("policy");

    tcase_add_unchecked_fixture(tcase, open_device, close_device);
    tcase_add_loop_test(tcase, sources_agree, 0, KIND_COUNT);
    tcase_add_loop_test(tcase, saved_again_gives_the_same_bytes, 0, KIND_COUNT);
    tcase_add_test(tcase, scaled_observations);
    tcase_add_loop_test(tcase, batch_equals_single, 0, KIND_COUNT);
    tcase_add_test(tcase, two_threads_on_one_policy);
    tcase_add_test(tcase, reset_forgets);
    tcase_add_test(tcase, a_team_is_its_net_in_a_loop);
    tcase_add_test(tcase, teams_draw_from_streams_of_their_own);
    tcase_add_test(tcase, reset_of_one_team_leaves_the_others);
    tcase_add_loop_test(tcase, snapshots, 0, KIND_COUNT);
    tcase_add_test(tcase, damaged_snapshots);
    tcase_add_test(tcase, greedy_takes_the_best_available);
    tcase_add_test(tcase, random_actions_are_available_and_reach_all);
    tcase_add_test(tcase, the_dead_do_nothing);
    tcase_add_test(tcase, refused_calls_leave_no_trace);
    tcase_add_test(tcase, wrong_handles);
    tcase_add_test(tcase, acting_allocates_nothing);
    tcase_add_test(tcase, unfit_environments);
    tcase_add_loop_test(tcase, a_fitting_spec_changes_nothing, 0, KIND_COUNT);
    tcase_add_loop_test(tcase, other_agent_counts, 0, 2);
    tcase_add_test(tcase, scaling_and_other_agent_counts);
    tcase_add_test(tcase, specs_beyond_value_learners);
    tcase_add_test(tcase, truncated_files);
    tcase_add_test(tcase, damaged_files);
    tcase_add_loop_test(tcase, forged_files, 0, sizeof forgeries / sizeof forgeries[0]);
    tcase_add_test(tcase, files_without_checksums);
    tcase_add_test(tcase, claims_take_no_memory);
    tcase_add_loop_test(tcase, failing_allocations, 0, KIND_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
