/* SPDX-License-Identifier: Apache-2.0 */
/* From an environment's spec to the sizes of a team and the scaling of what it sees. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "marl/marl.h"
#include "run/team.h"
#include "support/support.h"

Suite *marl__suite_run_team(void);

/* Two scouts that see 5 numbers and have 6 actions, one carrier that sees 4 and has 7. */
typedef struct world {
    marl_env_spec spec;
    marl_agent_class classes[2];
    marl_obs_slice slices[3];
    uint32_t of_agent[3];
} world;

static void make_world(world *w) {
    memset(w, 0, sizeof *w);
    marl_env_spec_init(&w->spec, sizeof w->spec);
    for (int i = 0; i < 2; i++) marl_agent_class_init(&w->classes[i], sizeof w->classes[i]);
    w->slices[0] = (marl_obs_slice){.offset = 0, .count = 2, .kind = MARL_SLICE_REAL, .low = -1, .high = 7};
    w->slices[1] = (marl_obs_slice){.offset = 2, .count = 1, .kind = MARL_SLICE_BINARY, .low = 0, .high = 1};
    w->slices[2] = (marl_obs_slice){.offset = 3, .count = 1, .kind = MARL_SLICE_REAL, .low = 3, .high = 3};
    w->classes[0].obs_shape[0] = 5;
    w->classes[0].action_count = 6;
    w->classes[0].slices = w->slices;
    w->classes[0].slice_count = 3;
    w->classes[1].obs_rank = 3;
    w->classes[1].obs_shape[0] = w->classes[1].obs_shape[1] = 2;
    w->classes[1].obs_shape[2] = 1;
    w->classes[1].action_count = 7;
    w->of_agent[2] = 1;
    w->spec.name = "test:world";
    w->spec.version = "1";
    w->spec.agent_count = 3;
    w->spec.class_count = 2;
    w->spec.classes = w->classes;
    w->spec.agent_class = w->of_agent;
    w->spec.state_size = 11;
    w->spec.episode_limit = 40;
}

START_TEST(sizes) {
    marl__team_shape shape;
    world w;

    make_world(&w);
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_OK);
    ck_assert_int_eq(shape.agents, 3);
    ck_assert_int_eq(shape.obs, 5);
    ck_assert_int_eq(shape.actions, 7);
    ck_assert_int_eq(shape.state, 11);
    ck_assert_int_eq(shape.rewards, 1);
    ck_assert_int_eq(shape.episode_limit, 40);
    w.spec.state_per_agent = w.spec.reward_per_agent = 1;
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_OK);
    ck_assert_int_eq(shape.state, 33);
    ck_assert_int_eq(shape.rewards, 3);
    w.spec.agent_class = NULL; /* all of class 0 */
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_OK);
    ck_assert_int_eq(shape.actions, 6);
}
END_TEST

START_TEST(what_cannot_be_learnt) {
    marl__team_shape shape;
    world w;

    make_world(&w);
    w.classes[1].action_kind = MARL_ACTION_MULTI_DISCRETE;
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 2"));
    w.classes[1].action_kind = MARL_ACTION_BOX;
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "continuous"));
    ck_assert_int_eq(shape.agents, 0);
    make_world(&w);
    w.classes[1].obs_type = MARL_OBS_U8;
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "different types"));
    make_world(&w);
    w.spec.agent_count = 65536;
    w.spec.agent_class = NULL;
    w.classes[0].obs_shape[0] = 1 << 26;
    ck_assert_int_eq(marl__team_shape_of(&w.spec, &shape), MARL_E_SHAPE);
}
END_TEST

START_TEST(scaling) {
    float scale[15], shift[15], x[5] = {-1, 7, 1, 3, 9}, y[5];
    world w;

    make_world(&w);
    marl__team_obs_scaling(&w.spec, 5, scale, shift);
    marl__scale_obs(5, x, scale, shift, y);
    ck_assert_float_eq(y[0], -1);
    ck_assert_float_eq(y[1], 1);
    for (int k = 2; k < 5; k++) ck_assert_float_eq(y[k], x[k]); /* a flag, an unknown range, no slice */
    ck_assert_mem_eq(scale, scale + 5, 5 * sizeof *scale);
    for (int k = 10; k < 15; k++) {
        ck_assert_float_eq(scale[k], 1);
        ck_assert_float_eq(shift[k], 0);
    }
    marl__scale_obs(5, x, scale, shift, x); /* in place */
    ck_assert_mem_eq(x, y, sizeof x);
}
END_TEST

START_TEST(taking_specs) {
    marl_agent_class *classes = NULL;
    marl__heap heap;
    marl_env_spec own;
    world w;

    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    make_world(&w);
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_OK);
    ck_assert_ptr_eq(own.classes, classes);
    ck_assert_ptr_ne(own.classes, w.classes);
    ck_assert_uint_eq(own.classes[1].action_count, 7);
    marl__free(&heap, classes);
    w.classes[1].struct_size += 8;
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_E_ARGUMENT);
    ck_assert_ptr_null(classes);
    make_world(&w);
    w.of_agent[1] = 2;
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 1"));
    w.spec.struct_size = 8;
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl__spec_take(&heap, NULL, &own, &classes), MARL_E_ARGUMENT);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

/* Specs of other releases have longer classes; what we do not know must be zero. */
START_TEST(longer_classes) {
    struct {
        marl_agent_class known;
        uint64_t unknown;
    } longer[2];
    marl_agent_class *classes = NULL;
    marl__heap heap;
    marl_env_spec own;
    world w;

    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    make_world(&w);
    memset(longer, 0, sizeof longer);
    for (int i = 0; i < 2; i++) {
        longer[i].known = w.classes[i];
        longer[i].known.struct_size = sizeof longer[i];
    }
    w.spec.classes = &longer[0].known;
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_OK);
    ck_assert_uint_eq(own.classes[1].action_count, 7);
    marl__free(&heap, classes);
    longer[1].unknown = 1;
    ck_assert_int_eq(marl__spec_take(&heap, &w.spec, &own, &classes), MARL_E_VERSION);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

Suite *marl__suite_run_team(void) {
    Suite *suite = suite_create("team");
    TCase *tcase = tcase_create("team");

    tcase_add_test(tcase, sizes);
    tcase_add_test(tcase, what_cannot_be_learnt);
    tcase_add_test(tcase, scaling);
    tcase_add_test(tcase, taking_specs);
    tcase_add_test(tcase, longer_classes);
    suite_add_tcase(suite, tcase);
    return suite;
}
