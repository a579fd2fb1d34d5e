/* SPDX-License-Identifier: Apache-2.0 */
/* The checked handle and the registry, against an environment of the host's own that can be told to misbehave: wrong
 * specs, NaN, masks, padding, limits, failures, memory. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/env.h"

Suite *marl__suite_envs_env(void);

/* ---- an environment of the host's ---- */

/* Agent 0: 3 reals and 4 actions. Agent 1: 2 reals, actions of sizes 2 and 3. Agent 2: 4 bytes, one real in [-1, 2]. */
typedef struct toy {
    marl_env_spec spec;
    marl_agent_class classes[3];
    marl_obs_slice slice;
    marl_entity_group group;
    marl_action_target target;
    uint32_t of_agent[3], sizes[2];
    float low[1], high[1];
    const char *scalar[1];
    /* what to do wrong */
    float obs_value, state_value;
    double reward, scalar_value;
    uint8_t avail[3][5], alive[3];
    int writes_masks, terminated, truncated, outcome;
    marl_status reset_status, step_status, observe_status, restore_status;
    const char *sentence;
    uint32_t steps, seen_seed;
} toy;

static toy *current; /* what toy_create hands out: the tests run one after the other */
static int destroyed;

static marl_status toy_spec(void *env, marl_env_spec *out) {
    *out = ((toy *)env)->spec;
    return MARL_OK;
}

static marl_status toy_reset(void *env, uint64_t seed) {
    toy *t = env;

    t->steps = 0;
    t->seen_seed = (uint32_t)seed;
    return t->reset_status;
}

static marl_status toy_step(void *env, const marl_actions *actions, marl_step *out) {
    toy *t = env;

    (void)actions;
    if (t->step_status != MARL_OK) {
        return t->step_status;
    }
    t->steps++;
    for (uint32_t i = 0; i < 3; i++) {
        out->rewards[i] = i == 1 ? t->reward : 0;
    }
    out->terminated = t->terminated;
    out->truncated = t->truncated;
    out->outcome = t->outcome;
    if (out->scalars && (t->terminated || t->truncated)) {
        out->scalars[0] = t->scalar_value;
    }
    return MARL_OK;
}

static marl_status toy_observe(void *env, const marl_view *out) {
    toy *t = env;

    if (t->observe_status != MARL_OK) {
        return t->observe_status;
    }
    /* fills whole rows, also where its own sizes end */
    for (int i = 0; out->obs && i < 12; i++) {
        out->obs[i] = 5;
    }
    if (out->obs) {
        out->obs[4 + 1] = t->obs_value;
    }
    if (out->obs_u8) {
        memset(out->obs_u8, 7, 12);
    }
    for (int i = 0; out->state && i < 2; i++) {
        out->state[i] = i == 1 ? t->state_value : 0;
    }
    if (t->writes_masks) {
        memcpy(out->avail, t->avail, sizeof t->avail);
        memcpy(out->alive, t->alive, sizeof t->alive);
    }
    return MARL_OK;
}

static size_t toy_save_bytes(void *env) {
    (void)env;
    return 4;
}

static marl_status toy_save(void *env, void *bytes) {
    memcpy(bytes, &((toy *)env)->steps, 4);
    return MARL_OK;
}

static marl_status toy_restore(void *env, const void *bytes, size_t byte_count) {
    toy *t = env;

    if (t->restore_status != MARL_OK) {
        return t->restore_status;
    }
    memcpy(&t->steps, bytes, byte_count);
    return MARL_OK;
}

static const char *toy_error(void *env) {
    return ((toy *)env)->sentence;
}

static void toy_destroy(void *env) {
    (void)env;
    destroyed++;
}

static marl_status toy_create(void *user, uint32_t index, void **out) {
    *(uint32_t *)user = index;
    *out = current;
    return MARL_OK;
}

static toy good_toy(void) {
    toy t;

    memset(&t, 0, sizeof t);
    marl_env_spec_init(&t.spec, sizeof t.spec);
    for (int i = 0; i < 3; i++) {
        marl_agent_class_init(&t.classes[i], sizeof t.classes[i]);
    }
    t.spec.agent_count = 3;
    t.spec.name = "toy:1";
    t.spec.version = "1";
    t.spec.hash = 42;
    t.spec.class_count = 3;
    t.spec.state_size = 2;
    t.spec.reward_per_agent = 1;
    t.spec.episode_limit = 5;
    t.spec.scalar_count = 1;
    t.classes[0].obs_shape[0] = 3;
    t.classes[0].action_count = 4;
    t.classes[0].slice_count = 1;
    t.classes[0].entity_group_count = 1;
    t.classes[0].action_target_count = 1;
    t.slice = (marl_obs_slice){0, 3, MARL_SLICE_REAL, 0, 1};
    t.group = (marl_entity_group){"thing", MARL_ROLE_ENEMY, 0, 1, 3};
    t.target = (marl_action_target){3, 1, 0, 0};
    t.classes[1].obs_shape[0] = 2;
    t.classes[1].action_kind = MARL_ACTION_MULTI_DISCRETE;
    t.classes[1].action_dims = 2;
    t.classes[1].action_count = 5;
    t.sizes[0] = 2;
    t.sizes[1] = 3;
    t.classes[2].obs_type = MARL_OBS_U8;
    t.classes[2].obs_shape[0] = 4;
    t.classes[2].action_kind = MARL_ACTION_BOX;
    t.low[0] = -1;
    t.high[0] = 2;
    t.of_agent[1] = 1;
    t.of_agent[2] = 2;
    t.scalar[0] = "luck";
    memset(t.avail, 1, sizeof t.avail);
    memset(t.alive, 1, sizeof t.alive);
    return t;
}

/* Pointers into the toy itself, set when it lies where it will stay. */
static void link_toy(toy *t) {
    t->spec.classes = t->classes;
    t->spec.agent_class = t->of_agent;
    t->spec.scalar_names = t->scalar;
    t->classes[0].slices = &t->slice;
    t->classes[0].entity_groups = &t->group;
    t->classes[0].action_targets = &t->target;
    t->classes[1].action_sizes = t->sizes;
    t->classes[2].action_low = t->low;
    t->classes[2].action_high = t->high;
    current = t;
}

static marl_env_vtable toy_vtable(void) {
    marl_env_vtable v;

    marl_env_vtable_init(&v, sizeof v);
    v.spec = toy_spec;
    v.reset = toy_reset;
    v.step = toy_step;
    v.observe = toy_observe;
    v.save_bytes = toy_save_bytes;
    v.save = toy_save;
    v.restore = toy_restore;
    v.error = toy_error;
    v.destroy = toy_destroy;
    return v;
}

static marl_status try_toy(const marl_host *host, toy *t, marl_env **out) {
    static uint32_t index;
    static marl_env_vtable v;
    marl_env_type type;

    v = toy_vtable();
    link_toy(t);
    marl_env_type_init(&type, sizeof type);
    type.create = toy_create;
    type.vtable = &v;
    type.user = &index;
    return marl_env_create_custom(host, &type, 3, out);
}

static marl_env *open_toy(toy *t) {
    marl_env *env = NULL;

    *t = good_toy();
    ck_assert_msg(try_toy(NULL, t, &env) == MARL_OK, "%s", marl_last_error());
    ck_assert_int_eq(marl_env_reset(env, 9), MARL_OK);
    return env;
}

static int32_t discrete[6] = {0, 0, 0, 0, 0, 0}; /* (3,2) */
static float continuous[6];
static double rewards[3], scalars[1];

static marl_status step_toy(marl_env *env, marl_step *out) {
    marl_actions actions = {sizeof actions, 0, discrete, continuous};

    *out = (marl_step){sizeof *out, 0, 0, 0, rewards, scalars};
    return marl_env_step(env, &actions, out);
}

static void fails_with(marl_status given, marl_status expected, const char *words) {
    ck_assert_msg(given == expected, "%s, not %s: %s", marl_status_name(given), marl_status_name(expected),
                  marl_last_error());
    ck_assert_msg(strstr(marl_last_error(), words) != NULL, "'%s' lacks '%s'", marl_last_error(), words);
}

/* ---- specs ---- */

#define WRONG(number, change, status, words)                                                       \
    case number:                                                                                   \
        change;                                                                                    \
        *expected = status;                                                                        \
        return words;

/* Spoils one thing of a good toy; gives the words its error must have, NULL beyond the last. */
static const char *spoil(toy *t, int number, marl_status *expected) {
    switch (number) {
        WRONG(0, t->spec.agent_count = 0, MARL_E_ARGUMENT, "agent_count")
        WRONG(1, t->spec.class_count = 0, MARL_E_ARGUMENT, "classes")
        WRONG(2, t->spec.name = NULL, MARL_E_ARGUMENT, "name")
        WRONG(3, t->spec.version = "", MARL_E_ARGUMENT, "version")
        WRONG(4, t->spec.episode_limit = 0, MARL_E_ARGUMENT, "episode_limit")
        WRONG(5, t->spec.state_per_agent = 2, MARL_E_ARGUMENT, "state_per_agent")
        WRONG(6, t->spec.reward_per_agent = 3, MARL_E_ARGUMENT, "reward_per_agent")
        WRONG(7, t->of_agent[1] = 3, MARL_E_ARGUMENT, "agent 1")
        WRONG(8, t->classes[1].struct_size = 12, MARL_E_ARGUMENT, "struct_size")
        WRONG(9, t->classes[0].obs_rank = 2, MARL_E_SHAPE, "obs_rank 2")
        WRONG(10, t->classes[2].obs_shape[0] = 0, MARL_E_SHAPE, "class 2")
        WRONG(11, t->classes[0].obs_shape[0] = UINT32_MAX, MARL_E_SHAPE, "obs_shape[0]")
        WRONG(12, t->classes[1].obs_type = 5, MARL_E_ARGUMENT, "obs_type 5")
        WRONG(13, t->slice.count = 4, MARL_E_SHAPE, "slice 0")
        WRONG(14, t->slice.offset = UINT32_MAX, MARL_E_SHAPE, "slice 0")
        WRONG(15, t->slice.kind = 9, MARL_E_ARGUMENT, "kind 9")
        WRONG(16, t->slice.low = 2, MARL_E_ARGUMENT, "slice 0")
        WRONG(17, t->slice.high = NAN, MARL_E_ARGUMENT, "slice 0")
        WRONG(18, t->group.offset = 1, MARL_E_SHAPE, "'thing'")
        WRONG(19, (t->group.count = 65536, t->group.feature_count = 65536), MARL_E_SHAPE, "'thing'")
        WRONG(20, t->group.name = NULL, MARL_E_ARGUMENT, "no name")
        WRONG(21, t->group.role = -1, MARL_E_ARGUMENT, "role -1")
        WRONG(22, t->target.first_action = 4, MARL_E_SHAPE, "action target 0")
        WRONG(23, t->target.group = 1, MARL_E_SHAPE, "group 1")
        WRONG(24, (t->target.count = 2, t->target.first_action = 0), MARL_E_SHAPE, "2 entities")
        WRONG(25, t->classes[0].action_count = 0, MARL_E_SHAPE, "DISCRETE")
        WRONG(26, t->classes[0].action_dims = 0, MARL_E_SHAPE, "action_dims")
        WRONG(27, t->classes[0].action_kind = 7, MARL_E_ARGUMENT, "action_kind 7")
        WRONG(28, t->sizes[1] = 0, MARL_E_ARGUMENT, "action_sizes[1]")
        WRONG(29, t->classes[1].action_count = 6, MARL_E_SHAPE, "sum of action_sizes, 5")
        WRONG(30, t->high[0] = -1, MARL_E_ARGUMENT, "class 2: action dimension 0")
        WRONG(31, t->low[0] = -INFINITY, MARL_E_ARGUMENT, "class 2: action dimension 0")
        WRONG(32, t->classes[2].action_count = 3, MARL_E_SHAPE, "BOX")
        WRONG(33, t->spec.state_size = UINT32_MAX, MARL_E_SHAPE, "state_size")
        WRONG(34, t->scalar[0] = NULL, MARL_E_ARGUMENT, "scalar name")
        WRONG(35, t->spec.struct_size = 8, MARL_E_ARGUMENT, "marl_env_spec")
        WRONG(36, t->spec.deterministic = 9, MARL_E_ARGUMENT, "deterministic")
        WRONG(37, t->classes[0].action_count = UINT32_MAX, MARL_E_SHAPE, "action_count")
        WRONG(38, t->spec.agent_count = UINT32_MAX, MARL_E_ARGUMENT, "agent_count")
        WRONG(39, t->spec.class_count = UINT32_MAX, MARL_E_ARGUMENT, "class_count")
    default:
        return NULL;
    }
}

START_TEST(test_wrong_specs) {
    marl_status expected = MARL_OK;
    int tried = 0;

    for (;; tried++) {
        toy t = good_toy();
        marl_env *env = (marl_env *)&t;
        const char *words = spoil(&t, tried, &expected);
        marl_status given = MARL_OK;
        if (!words) {
            break;
        }
        destroyed = 0;
        given = try_toy(NULL, &t, &env);
        ck_assert_msg(given == expected, "case %d: %s: %s", tried, marl_status_name(given), marl_last_error());
        ck_assert_msg(strstr(marl_last_error(), words) != NULL, "case %d: '%s' lacks '%s'", tried, marl_last_error(),
                      words);
        ck_assert_ptr_null(env);
        ck_assert_int_eq(destroyed, 1);
    }
    ck_assert_int_eq(tried, 40);
}
END_TEST

START_TEST(test_null_pointers) {
    marl_env *env = NULL;
    toy t = good_toy();

    for (int k = 0; k < 7; k++) {
        static uint32_t index;
        marl_env_vtable v = toy_vtable();
        marl_env_type type;
        t = good_toy();
        link_toy(&t);
        marl_env_type_init(&type, sizeof type);
        type.create = toy_create;
        type.vtable = &v;
        type.user = &index;
        switch (k) {
        case 0: t.spec.classes = NULL; break;
        case 1: t.classes[0].slices = NULL; break;
        case 2: t.classes[0].entity_groups = NULL; break;
        case 3: t.classes[0].action_targets = NULL; break;
        case 4: t.classes[1].action_sizes = NULL; break;
        case 5: t.classes[2].action_low = NULL; break;
        default: t.spec.scalar_names = NULL; break;
        }
        ck_assert_int_eq(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT);
    }
    /* no agent_class: everybody is of class 0 */
    t = good_toy();
    {
        static uint32_t index;
        marl_env_vtable v = toy_vtable();
        marl_env_type type;
        link_toy(&t);
        t.spec.agent_class = NULL;
        marl_env_type_init(&type, sizeof type);
        type.create = toy_create;
        type.vtable = &v;
        type.user = &index;
        ck_assert_int_eq(marl_env_create_custom(NULL, &type, 0, &env), MARL_OK);
        for (int i = 0; i < 3; i++) {
            ck_assert_uint_eq(marl_env_get_spec(env)->agent_class[i], 0);
        }
        marl_env_destroy(env);
    }
}
END_TEST

static marl_status create_nothing(void *user, uint32_t index, void **out) {
    (void)index;
    *out = NULL;
    return user ? -77 : MARL_OK;
}

START_TEST(test_wrong_types) {
    marl_env_type type;
    marl_env_vtable v = toy_vtable();
    marl_env *env = NULL;
    int flag = 0;

    fails_with(marl_env_create_custom(NULL, NULL, 0, &env), MARL_E_ARGUMENT, "NULL");
    marl_env_type_init(&type, sizeof type);
    fails_with(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT, "create");
    type.create = create_nothing;
    fails_with(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT, "vtable");
    type.vtable = &v;
    fails_with(marl_env_create_custom(NULL, &type, 6, &env), MARL_E_ENV, "environment 6");
    type.user = &flag;
    fails_with(marl_env_create_custom(NULL, &type, 6, &env), MARL_E_ENV, "-77");
    v.restore = NULL;
    fails_with(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT, "together");
    v = toy_vtable();
    v.observe = NULL;
    fails_with(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT, "observe");
    v.struct_size = 4;
    ck_assert_int_eq(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT);
    type.struct_size = 0;
    ck_assert_int_eq(marl_env_create_custom(NULL, &type, 0, &env), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_create_custom(NULL, &type, 0, NULL), MARL_E_ARGUMENT);
}
END_TEST

/* ---- observe ---- */

START_TEST(test_shapes_and_padding) {
    toy t;
    marl_env *env = open_toy(&t);
    float obs[12], state[2];
    uint8_t bytes[12], avail[15], alive[3];
    marl_view view = {sizeof view, 0, obs, bytes, state, avail, alive};
    const float expected[12] = {5, 5, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t expected_bytes[12] = {0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7};
    const uint8_t expected_avail[15] = {1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0};

    ck_assert_uint_eq(marl_env_obs_size(env), 4);
    ck_assert_uint_eq(marl_env_action_count(env), 5);
    ck_assert_ptr_ne(marl_env_get_spec(env)->classes, t.classes);
    ck_assert_uint_eq(t.seen_seed, 9);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    for (int i = 0; i < 12; i++) {
        ck_assert_msg(obs[i] == expected[i], "obs[%d] is %g", i, (double)obs[i]);
    }
    ck_assert_mem_eq(bytes, expected_bytes, 12);
    ck_assert_mem_eq(avail, expected_avail, 15);
    ck_assert(alive[0] == 1 && alive[1] == 1 && alive[2] == 1);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_not_finite_views) {
    toy t;
    marl_env *env = open_toy(&t);
    float obs[12], state[2];
    marl_view view = {sizeof view, 0, obs, NULL, state, NULL, NULL};
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const float fine[] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN / 4, 1};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.obs_value = bad[i];
        fails_with(marl_env_observe(env, &view), MARL_E_NOT_FINITE, "agent 1: entry 1 of the observation");
        t.obs_value = 0;
        t.state_value = bad[i];
        fails_with(marl_env_observe(env, &view), MARL_E_NOT_FINITE, "entry 1 of the state");
        t.state_value = 0;
    }
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        t.obs_value = t.state_value = fine[i];
        ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_masks) {
    toy t;
    marl_env *env = open_toy(&t);
    uint8_t avail[15], alive[3];
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, avail, alive};
    marl_step step;

    t.writes_masks = 1;
    memset(t.avail[0], 0, 5);
    fails_with(marl_env_observe(env, &view), MARL_E_ARGUMENT, "agent 0: it is alive");
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 0: it is alive");
    t.alive[0] = 0;
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    ck_assert_uint_eq(alive[0], 0);
    /* the second dimension of agent 1 has nothing left */
    memset(t.avail[1] + 2, 0, 3);
    fails_with(marl_env_observe(env, &view), MARL_E_ARGUMENT, "agent 1: it is alive");
    t.avail[1][3] = 2;
    fails_with(marl_env_observe(env, &view), MARL_E_ARGUMENT, "agent 1: its availability");
    t.avail[1][3] = 1;
    t.alive[2] = 3;
    fails_with(marl_env_observe(env, &view), MARL_E_ARGUMENT, "agent 2: its alive flag is 3");
    t.alive[2] = 1;
    /* only number 1 of the second dimension is open; agent 0 is dead and may be given anything in range */
    discrete[0] = 3;
    discrete[3] = 0;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 1: action 0 in its dimension 1 is not available");
    discrete[3] = 3;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 1: action 3 in its dimension 1 is not from 0 to 2");
    discrete[3] = 1;
    discrete[0] = 4;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 0: action 4 is not from 0 to 3");
    discrete[0] = -2147483647 - 1;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 0");
    discrete[0] = 3;
    ck_assert_uint_eq(t.steps, 0);
    ck_assert_msg(step_toy(env, &step) == MARL_OK, "%s", marl_last_error());
    ck_assert_uint_eq(t.steps, 1);
    memset(discrete, 0, sizeof discrete);
    marl_env_destroy(env);
}
END_TEST

/* The mask that counts is that of the present state, also if nobody asked for it. */
START_TEST(test_mask_follows_state) {
    toy t;
    marl_env *env = open_toy(&t);
    marl_step step;

    t.writes_masks = 1;
    ck_assert_int_eq(step_toy(env, &step), MARL_OK);
    t.avail[0][0] = 0;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "step 1, agent 0: action 0 is not available");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "step 0, agent 0");
    marl_env_destroy(env);
}
END_TEST

/* ---- step ---- */

START_TEST(test_box_actions) {
    toy t;
    marl_env *env = open_toy(&t);
    marl_step step;
    marl_actions actions = {sizeof actions, 0, discrete, NULL};

    continuous[4] = 2.25f;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "agent 2: dimension 0 of the action is 2.25, not from -1 to 2");
    continuous[4] = NAN;
    fails_with(step_toy(env, &step), MARL_E_NOT_FINITE, "agent 2: dimension 0");
    continuous[4] = 2;
    ck_assert_int_eq(step_toy(env, &step), MARL_OK);
    continuous[4] = 0;
    step = (marl_step){sizeof step, 0, 0, 0, rewards, NULL};
    fails_with(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT, "continuous");
    actions = (marl_actions){sizeof actions, 0, NULL, continuous};
    fails_with(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT, "discrete");
    ck_assert_uint_eq(t.steps, 1);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_wrong_results) {
    toy t;
    marl_env *env = open_toy(&t);
    marl_step step;

    t.reward = NAN;
    fails_with(step_toy(env, &step), MARL_E_NOT_FINITE, "step 1, agent 1: its reward is");
    /* the step cannot be undone: the episode is over */
    fails_with(step_toy(env, &step), MARL_E_STATE, "over");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    t.reward = -INFINITY;
    fails_with(step_toy(env, &step), MARL_E_NOT_FINITE, "agent 1");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    t.reward = 0;
    t.terminated = 2;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "terminated 2");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    t.terminated = 1;
    t.outcome = 5;
    fails_with(step_toy(env, &step), MARL_E_ARGUMENT, "outcome 5");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    t.outcome = MARL_OUTCOME_WON;
    t.scalar_value = NAN;
    fails_with(step_toy(env, &step), MARL_E_NOT_FINITE, "'luck'");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    t.scalar_value = 0.5;
    ck_assert_int_eq(step_toy(env, &step), MARL_OK);
    ck_assert(step.terminated == 1 && step.outcome == MARL_OUTCOME_WON && scalars[0] == 0.5);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_episode_limit) {
    toy t;
    marl_env *env = open_toy(&t);
    marl_step step;

    t.outcome = MARL_OUTCOME_LOST;
    for (int k = 1; k <= 5; k++) {
        scalars[0] = 3;
        ck_assert_int_eq(step_toy(env, &step), MARL_OK);
        ck_assert_int_eq(step.truncated, k == 5);
        ck_assert_int_eq(step.terminated, 0);
        ck_assert_int_eq(step.outcome, k == 5 ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE);
        ck_assert_double_eq(scalars[0], 0);
    }
    fails_with(step_toy(env, &step), MARL_E_STATE, "reset begins the next");
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_states_and_structs) {
    toy t = good_toy();
    marl_env *env = NULL;
    marl_step step;
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, NULL, NULL};
    marl_actions actions = {sizeof actions, 0, discrete, continuous};
    struct { marl_step known; uint64_t later; } longer;

    ck_assert_int_eq(try_toy(NULL, &t, &env), MARL_OK);
    fails_with(step_toy(env, &step), MARL_E_STATE, "never reset");
    fails_with(marl_env_observe(env, &view), MARL_E_STATE, "never reset");
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    view.struct_size = 8;
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_observe(env, NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_step(env, NULL, &step), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_step(env, &actions, NULL), MARL_E_ARGUMENT);
    step = (marl_step){sizeof step, 0, 0, 0, NULL, NULL};
    fails_with(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT, "rewards");
    /* structs of a later release: fine while what we do not know is zero */
    memset(&longer, 0, sizeof longer);
    longer.known = (marl_step){sizeof longer, 0, 0, 0, rewards, NULL};
    ck_assert_int_eq(marl_env_step(env, &actions, &longer.known), MARL_OK);
    longer.later = 1;
    ck_assert_int_eq(marl_env_step(env, &actions, &longer.known), MARL_E_VERSION);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_failing_functions) {
    toy t;
    marl_env *env = open_toy(&t);
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, NULL, NULL};
    marl_step step;
    unsigned char bytes[64];

    t.sentence = "the engine is paused";
    t.step_status = -3;
    fails_with(step_toy(env, &step), MARL_E_ENV, "the engine is paused");
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "step failed with status -3"));
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "toy:1"));
    t.step_status = MARL_OK;
    ck_assert_int_eq(step_toy(env, &step), MARL_OK); /* a failed step changed nothing */
    t.observe_status = 12;
    fails_with(marl_env_observe(env, &view), MARL_E_ENV, "observe failed with status 12");
    t.observe_status = MARL_OK;
    ck_assert_int_eq(marl_env_save(env, bytes, marl_env_save_bytes(env)), MARL_OK);
    t.restore_status = -1;
    fails_with(marl_env_restore(env, bytes, marl_env_save_bytes(env)), MARL_E_ENV, "restore failed");
    t.sentence = NULL;
    t.reset_status = -1;
    fails_with(marl_env_reset(env, 0), MARL_E_ENV, "reset failed");
    fails_with(step_toy(env, &step), MARL_E_STATE, "never reset");
    marl_env_destroy(env);
}
END_TEST

/* ---- save and restore ---- */

START_TEST(test_save_wrapper) {
    toy t, u;
    marl_env *env = open_toy(&t), *fresh = NULL, *other = NULL;
    marl_step step;
    unsigned char bytes[64], none[64];
    size_t size = marl_env_save_bytes(env);

    /* before the first reset there is nothing to save; restoring that forgets the episode */
    u = good_toy();
    ck_assert_int_eq(try_toy(NULL, &u, &fresh), MARL_OK);
    ck_assert_int_eq(marl_env_save(fresh, none, size), MARL_OK);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(step_toy(env, &step), MARL_OK);
    }
    ck_assert_int_eq(marl_env_save(env, bytes, size), MARL_OK);
    ck_assert_int_eq(marl_env_restore(fresh, bytes, size), MARL_OK);
    ck_assert_uint_eq(u.steps, 4);
    /* the handle's own count went along: the limit of 5 comes with the next step */
    ck_assert_int_eq(step_toy(fresh, &step), MARL_OK);
    ck_assert_int_eq(step.truncated, 1);
    ck_assert_int_eq(marl_env_save(fresh, bytes, size), MARL_OK);
    ck_assert_int_eq(marl_env_restore(env, bytes, size), MARL_OK);
    fails_with(step_toy(env, &step), MARL_E_STATE, "over");
    ck_assert_int_eq(marl_env_restore(env, none, size), MARL_OK);
    fails_with(step_toy(env, &step), MARL_E_STATE, "never reset");

    ck_assert_int_eq(marl_env_restore(env, bytes, size + 1), MARL_E_SHAPE);
    ck_assert_int_eq(marl_env_save(env, bytes, size - 1), MARL_E_SHAPE);
    t = good_toy();
    t.spec.hash = 43;
    ck_assert_int_eq(try_toy(NULL, &t, &other), MARL_OK);
    ck_assert_int_eq(marl_env_restore(other, bytes, size), MARL_E_MISMATCH);
    marl_env_destroy(env);
    marl_env_destroy(fresh);
    marl_env_destroy(other);
}
END_TEST

START_TEST(test_without_optional_functions) {
    static uint32_t index;
    marl_env_vtable v = toy_vtable();
    marl_env_type type;
    marl_env *env = NULL;
    toy t = good_toy();
    char text[8];
    unsigned char bytes[8];
    marl_image image = {sizeof image, 0, 0, 0, NULL};

    v.save = NULL;
    v.restore = NULL;
    v.save_bytes = NULL;
    v.error = NULL;
    link_toy(&t);
    marl_env_type_init(&type, sizeof type);
    type.create = toy_create;
    type.vtable = &v;
    type.user = &index;
    ck_assert_int_eq(marl_env_create_custom(NULL, &type, 11, &env), MARL_OK);
    ck_assert_uint_eq(index, 11);
    ck_assert_uint_eq(marl_env_save_bytes(env), 0);
    fails_with(marl_env_save(env, bytes, 8), MARL_E_UNSUPPORTED, "save");
    fails_with(marl_env_restore(env, bytes, 8), MARL_E_UNSUPPORTED, "save");
    fails_with(marl_env_render(env, &image), MARL_E_UNSUPPORTED, "pictures");
    fails_with(marl_env_draw_text(env, text, sizeof text), MARL_E_UNSUPPORTED, "text");
    fails_with(marl__env_set_state(env, NULL, 0), MARL_E_UNSUPPORTED, "recorded");
    marl_env_destroy(env);
}
END_TEST

/* ---- handles, registry, memory ---- */

START_TEST(test_handles) {
    marl_config *config = NULL;
    marl_env *wrong = NULL, *env = NULL;
    marl_step step = {sizeof step, 0, 0, 0, rewards, NULL};
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, NULL, NULL};
    marl_actions actions = {sizeof actions, 0, discrete, NULL};
    unsigned char bytes[8];
    char text[8];
    marl_image image = {sizeof image, 0, 0, 0, NULL};

    ck_assert_int_eq(marl_config_create(NULL, "env/matrix:xor", &config), MARL_OK);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(marl_env_reset(wrong, 0), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_step(wrong, &actions, &step), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_observe(wrong, &view), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_save(wrong, bytes, 8), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_restore(wrong, bytes, 8), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_render(wrong, &image), MARL_E_HANDLE);
        ck_assert_int_eq(marl_env_draw_text(wrong, text, 8), MARL_E_HANDLE);
        ck_assert_ptr_null(marl_env_get_spec(wrong));
        ck_assert(marl_env_obs_size(wrong) == 0 && marl_env_action_count(wrong) == 0);
        ck_assert_uint_eq(marl_env_save_bytes(wrong), 0);
        marl_env_destroy(wrong);
        wrong = (marl_env *)config;
    }
    ck_assert_int_eq(marl_env_create(NULL, NULL, NULL, &env), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_create(NULL, "matrix:xor", NULL, NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_create(NULL, "matrix:xor", config, &env), MARL_OK);
    ck_assert_int_eq(marl_env_create(NULL, "matrix:xor", (marl_config *)env, &wrong), MARL_E_HANDLE);
    ck_assert_ptr_null(wrong);
    marl_env_destroy(env);
    marl_config_destroy(config);
}
END_TEST

START_TEST(test_registry) {
    uint32_t count = marl_env_family_count();

    ck_assert_uint_ge(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        const marl__env_family *family = NULL;
        const char *variant = NULL;
        marl__key_table table;
        marl_env *env = NULL;
        ck_assert_int_eq(marl__env_find(marl_env_family_example(i), &family, &variant), MARL_OK);
        ck_assert_str_eq(family->name, marl_env_family_name(i));
        ck_assert_uint_gt(strlen(marl_env_family_variants(i)), 0);
        ck_assert_int_eq(marl__env_keys(marl_env_family_example(i), &table), MARL_OK);
        ck_assert_uint_gt(table.count, 0);
        ck_assert_int_eq(marl_env_create(NULL, marl_env_family_example(i), NULL, &env), MARL_OK);
        ck_assert_str_eq(marl_env_get_spec(env)->name, marl_env_family_example(i));
        marl_env_destroy(env);
    }
    ck_assert_ptr_null(marl_env_family_name(count));
    ck_assert_ptr_null(marl_env_family_variants(count));
    ck_assert_ptr_null(marl_env_family_example(count));
}
END_TEST

START_TEST(test_init_functions) {
    marl_env_spec spec;
    marl_agent_class c;

    memset(&spec, 0xaa, sizeof spec);
    marl_env_spec_init(&spec, sizeof spec);
    ck_assert(spec.struct_size == sizeof spec && spec.agent_count == 0 && spec.classes == NULL);
    marl_agent_class_init(&c, sizeof c);
    ck_assert(c.obs_rank == 1 && c.action_dims == 1 && c.action_kind == MARL_ACTION_DISCRETE);
    memset(&spec, 0xaa, sizeof spec);
    marl_env_spec_init(&spec, 3);
    ck_assert_uint_eq(spec.agent_count, 0xaaaaaaaau);
    marl_env_spec_init(NULL, sizeof spec);
    marl_env_vtable_init(NULL, 0);
    marl_env_type_init(NULL, 0);
    marl_agent_class_init(NULL, 0);
}
END_TEST

/* Allocations so far, those still held, and which one is to fail (-1: none). */
typedef struct counter {
    int64_t made, held, fail_at;
} counter;

static void *counted_alloc(size_t bytes, size_t alignment, void *user) {
    counter *c = user;
    void *block = NULL;

    if (c->made++ == c->fail_at || posix_memalign(&block, alignment < 64 ? 64 : alignment, bytes) != 0) {
        return NULL;
    }
    c->held++;
    return block;
}

static void counted_free(void *block, size_t bytes, void *user) {
    (void)bytes;
    ((counter *)user)->held--;
    free(block);
}

START_TEST(test_memory) {
    static const char *const names[] = {"lbf:8x8-2p-2f-coop", "matrix:two_step", "mpe:simple_tag", "matrix:bridge"};
    counter count = {0, 0, -1};
    marl_host host;

    marl_host_init(&host, sizeof host);
    host.alloc = counted_alloc;
    host.free = counted_free;
    host.user = &count;
    for (int k = 0; k < 5; k++) {
        marl_env *env = NULL;
        int64_t needed = 0;
        toy t = good_toy();
        count = (counter){0, 0, -1};
        ck_assert_int_eq(k < 4 ? marl_env_create(&host, names[k], NULL, &env) : try_toy(&host, &t, &env), MARL_OK);
        needed = count.made;
        ck_assert_int_gt(needed, 2);
        marl_env_destroy(env);
        ck_assert_int_eq(count.held, 0);
        for (int64_t at = 0; at < needed; at++) {
            count = (counter){0, 0, at};
            ck_assert_int_eq(k < 4 ? marl_env_create(&host, names[k], NULL, &env) : try_toy(&host, &t, &env),
                             MARL_E_NOMEM);
            ck_assert_ptr_null(env);
            ck_assert_int_eq(count.held, 0);
        }
    }
}
END_TEST

START_TEST(test_no_allocation_after_create) {
    counter count = {0, 0, -1};
    marl_host host;
    marl_env *env = NULL;
    float obs[24], state[24];
    uint8_t avail[12], alive[2], bytes[512];
    marl_view view = {sizeof view, 0, obs, NULL, state, avail, alive};
    int64_t made = 0;

    marl_host_init(&host, sizeof host);
    host.alloc = counted_alloc;
    host.free = counted_free;
    host.user = &count;
    ck_assert_int_eq(marl_env_create(&host, "lbf:8x8-2p-2f-coop", NULL, &env), MARL_OK);
    made = count.made;
    for (uint64_t seed = 0; seed < 20; seed++) {
        marl_step step = {sizeof step, 0, 0, 0, rewards, scalars};
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        while (!step.terminated && !step.truncated) {
            int32_t choice[2] = {(int32_t)(seed % 6), 5};
            marl_actions actions = {sizeof actions, 0, choice, NULL};
            ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
            ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_OK);
            ck_assert_int_eq(marl_env_save(env, bytes, marl_env_save_bytes(env)), MARL_OK);
            ck_assert_int_eq(marl_env_restore(env, bytes, marl_env_save_bytes(env)), MARL_OK);
        }
    }
    ck_assert_int_eq(count.made, made);
    marl_env_destroy(env);
    ck_assert_int_eq(count.held, 0);
}
END_TEST

Suite *marl__suite_envs_env(void) {
    Suite *suite = suite_create("envs/env");
    TCase *tc = tcase_create("env");

    tcase_add_test(tc, test_wrong_specs);
    tcase_add_test(tc, test_null_pointers);
    tcase_add_test(tc, test_wrong_types);
    tcase_add_test(tc, test_shapes_and_padding);
    tcase_add_test(tc, test_not_finite_views);
    tcase_add_test(tc, test_masks);
    tcase_add_test(tc, test_mask_follows_state);
    tcase_add_test(tc, test_box_actions);
    tcase_add_test(tc, test_wrong_results);
    tcase_add_test(tc, test_episode_limit);
    tcase_add_test(tc, test_states_and_structs);
    tcase_add_test(tc, test_failing_functions);
    tcase_add_test(tc, test_save_wrapper);
    tcase_add_test(tc, test_without_optional_functions);
    tcase_add_test(tc, test_handles);
    tcase_add_test(tc, test_registry);
    tcase_add_test(tc, test_init_functions);
    tcase_add_test(tc, test_memory);
    tcase_add_test(tc, test_no_allocation_after_create);
    suite_add_tcase(suite, tc);
    return suite;
}
