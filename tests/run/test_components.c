/* SPDX-License-Identifier: Apache-2.0 */
/* Which component has which keys, what unknown names suggest, and keys of nets that a run does not use. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "algos/learner.h"
#include "core/config/config.h"
#include "marl/marl.h"
#include "run/components.h"
#include "support/support.h"

Suite *marl__suite_run_components(void);

static marl_config *create(const char *component) {
    marl_config *config = NULL;
    marl_status status = marl_config_create(NULL, component, &config);

    ck_assert_msg(status == MARL_OK, "%s: %s: %s", component, marl_status_name(status), marl_last_error());
    ck_assert_str_eq(marl_config_component(config), component);
    return config;
}

static void assert_refused(const char *component, const char *sentence) {
    marl_config *config = NULL;

    ck_assert_int_eq(marl_config_create(NULL, component, &config), MARL_E_NAME);
    ck_assert_ptr_null(config);
    ck_assert_msg(strstr(marl_last_error(), sentence) != NULL, "%s: \"%s\" lacks \"%s\"", component, marl_last_error(),
                  sentence);
}

START_TEST(every_component_exists) {
    char name[300];

    marl_config_destroy(create("device"));
    marl_config_destroy(create("train"));
    for (uint32_t i = 0; i < marl_algo_count(); i++) {
        snprintf(name, sizeof name, "algo/%s", marl_algo_name(i));
        marl_config_destroy(create(name));
        snprintf(name, sizeof name, "run/%s", marl_algo_name(i));
        marl_config_destroy(create(name));
        ck_assert_ptr_nonnull(marl_algo_help(i));
        for (uint32_t e = 0; e < marl_env_family_count(); e++) {
            snprintf(name, sizeof name, "run/%s/%s", marl_algo_name(i), marl_env_family_example(e));
            marl_config_destroy(create(name));
        }
    }
    for (uint32_t i = 0; i < marl_net_kind_count(); i++) {
        snprintf(name, sizeof name, "net/%s", marl_net_kind_name(i));
        marl_config_destroy(create(name));
    }
    for (uint32_t e = 0; e < marl_env_family_count(); e++) {
        snprintf(name, sizeof name, "env/%s", marl_env_family_example(e));
        marl_config_destroy(create(name));
    }
    ck_assert_ptr_null(marl_algo_name(marl_algo_count()));
    ck_assert_ptr_null(marl_algo_help(marl_algo_count()));
    ck_assert_ptr_null(marl_net_kind_name(marl_net_kind_count()));
}
END_TEST

START_TEST(a_run_joins_its_parts) {
    static const char *const keys[] = {"seed", "envs", "lr", "gamma", "net", "share", "agent_id", "net.hidden_dim",
                                       "net.recurrent", "net.layers", "mixer.embed_dim"};
    marl_config *run = create("run/qmix/lbf:5x5-2p-1f-coop"), *env = create("env/lbf:5x5-2p-1f-coop");

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        ck_assert_msg(marl__config_has(run, keys[i]), "%s", keys[i]);
    ck_assert_uint_gt(marl_config_key_count(env), 0);
    for (uint32_t i = 0; i < marl_config_key_count(env); i++) {
        marl_key_info info = {.struct_size = sizeof info};
        char name[200];
        ck_assert_int_eq(marl_config_key_info(env, i, &info), MARL_OK);
        snprintf(name, sizeof name, "env.%s", info.name);
        ck_assert_msg(marl__config_has(run, name), "%s", name);
    }
    marl_config_destroy(run);
    run = create("run/qplex");
    ck_assert(marl__config_has(run, "mixer.kernels") && !marl__config_has(run, "mixer.embed_dim"));
    ck_assert(!marl__config_has(run, "lambda_opt"));
    marl_config_destroy(run);
    run = create("run/qtran");
    ck_assert(marl__config_has(run, "mixer.qtran_arch") && marl__config_has(run, "lambda_opt"));
    marl_config_destroy(run);
    run = create("run/vdn");
    ck_assert(!marl__config_has(run, "mixer.embed_dim"));
    for (uint32_t i = 0; i < marl_config_key_count(run); i++) {
        marl_key_info info = {.struct_size = sizeof info};
        ck_assert_int_eq(marl_config_key_info(run, i, &info), MARL_OK);
        ck_assert_int_ne(strncmp(info.name, "env.", 4), 0);
    }
    marl_config_destroy(run);
    marl_config_destroy(env);
}
END_TEST

/* The key "net" offers exactly the nets there are, with the algorithm's own as default. */
START_TEST(the_key_net) {
    for (uint32_t i = 0; i < marl__algo_type_count(); i++) {
        char name[100];
        marl_config *config = NULL;
        snprintf(name, sizeof name, "algo/%s", marl__algo_type_at(i)->name);
        config = create(name);
        ck_assert_str_eq(marl__config_text(config, "net"), marl__algo_type_at(i)->net);
        for (uint32_t n = 0; n < marl_net_kind_count(); n++)
            ck_assert_int_eq(marl_config_set(config, "net", marl_net_kind_name(n)), MARL_OK);
        ck_assert_int_eq(marl_config_set(config, "net", "no_such_net"), MARL_E_ARGUMENT);
        marl_config_destroy(config);
    }
}
END_TEST

/* In a run nets share their keys by name, so a key must be the same thing in all of them; its default is that of the
 * algorithm's own net. */
START_TEST(keys_of_equal_name_are_equal) {
    for (uint32_t a = 0; a < marl__net_type_count(); a++)
        for (uint32_t b = 0; b < a; b++) {
            const marl__key_table *first = &marl__net_type_at(a)->keys, *second = &marl__net_type_at(b)->keys;
            for (uint32_t i = 0; i < first->count; i++)
                for (uint32_t k = 0; k < second->count; k++) {
                    if (strcmp(first->keys[i].name, second->keys[k].name) != 0) continue;
                    ck_assert_int_eq(first->keys[i].type, second->keys[k].type);
                    ck_assert_str_eq(first->keys[i].choices ? first->keys[i].choices : "",
                                     second->keys[k].choices ? second->keys[k].choices : "");
                    ck_assert_double_eq(first->keys[i].minimum, second->keys[k].minimum);
                    ck_assert_double_eq(first->keys[i].maximum, second->keys[k].maximum);
                }
        }
}
END_TEST

START_TEST(unknown_names) {
    marl_config *config = NULL;

    assert_refused("algo/qmxi", "qmix");
    assert_refused("run/qmxi/lbf:5x5-2p-1f-coop", "qmix");
    assert_refused("run/qmix/lbff:5x5-2p-1f-coop", "lbf");
    assert_refused("run/qmix/lbf", "variant");
    assert_refused("run/qmix/", "");
    assert_refused("run/", "names no algorithm");
    assert_refused("run//lbf:5x5-2p-1f-coop", "names no algorithm");
    assert_refused("net/grru", "gru");
    assert_refused("net/", "no net");
    assert_refused("env/lbff:8x8-2p-2f", "lbf");
    assert_refused("devise", "device");
    assert_refused("trian", "train");
    assert_refused("nets/gru", "net/");
    assert_refused("algos/qmix", "algo/");
    assert_refused("qmix", "run/ALGO");
    assert_refused("", "run/ALGO");
    ck_assert_int_eq(marl_config_create(NULL, NULL, &config), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_create(NULL, "device", NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(every_preset_fits_every_algorithm) {
    for (uint32_t i = 0; i < marl_algo_count(); i++) {
        char name[100];
        snprintf(name, sizeof name, "run/%s/lbf:5x5-2p-1f-coop", marl_algo_name(i));
        marl_config *probe = create(name);
        ck_assert_uint_ge(marl_config_preset_count(probe), 3);
        for (uint32_t p = 0; p < marl_config_preset_count(probe); p++) {
            marl_config *config = create(name);
            marl_status status = marl_config_preset(config, marl_config_preset_name(probe, p));
            ck_assert_msg(status == MARL_OK, "%s %s: %s", name, marl_config_preset_name(probe, p), marl_last_error());
            ck_assert_int_eq(marl__run_config_check(config), MARL_OK);
            marl_config_destroy(config);
        }
        ck_assert_int_eq(marl_config_preset(probe, "no_such_preset"), MARL_E_NAME);
        marl_config_destroy(probe);
    }
}
END_TEST

/* A preset that names a key which no run has would silently do less than it says. */
START_TEST(presets_name_keys_that_exist) {
    for (uint32_t i = 0; i < marl__algo_type_count(); i++) {
        uint32_t count = 0;
        const marl__preset *presets = marl__algo_presets(marl__algo_type_at(i), &count);
        char name[100];
        snprintf(name, sizeof name, "run/%s", marl__algo_type_at(i)->name);
        marl_config *qmix = create("run/qmix"), *own = create(name); /* iql and vdn use presets that speak of a mixer */
        for (uint32_t p = 0; p < count; p++)
            for (uint32_t v = 0; v < presets[p].count; v++) {
                const char *key = presets[p].values[v].key;
                if (strncmp(key, "env.", 4) == 0) continue;
                ck_assert_msg(marl__config_has(own, key) || marl__config_has(qmix, key), "preset %s: %s",
                              presets[p].name, key);
            }
        for (uint32_t p = 0; p < count; p++)
            for (uint32_t place = 0; place < presets[p].place_count; place++)
                for (uint32_t v = 0; v < presets[p].places[place].count; v++)
                    ck_assert(marl__config_has(own, presets[p].places[place].values[v].key));
        marl_config_destroy(qmix);
        marl_config_destroy(own);
    }
}
END_TEST

START_TEST(keys_of_other_nets) {
    marl_config *config = create("run/qmix");
    char json[16384];
    size_t bytes = 0;

    ck_assert_int_eq(marl_config_set(config, "net.layers", "3"), MARL_OK);
    ck_assert_int_eq(marl__run_config_check(config), MARL_E_ARGUMENT);
    ck_assert_str_eq(marl_last_error(), "net.layers belongs to net mlp and base, the run uses gru");
    ck_assert_int_eq(marl_config_set(config, "net", "mlp"), MARL_OK);
    ck_assert_int_eq(marl__run_config_check(config), MARL_OK);
    ck_assert_int_eq(marl_config_set(config, "net.recurrent", "0"), MARL_OK);
    ck_assert_int_eq(marl__run_config_check(config), MARL_E_ARGUMENT);
    ck_assert_str_eq(marl_last_error(), "net.recurrent belongs to net gru and base, the run uses mlp");
    marl_config_destroy(config);

    /* Every key of a config read back is set, at its default where nobody chose: that is no offence. */
    config = create("run/qmix");
    ck_assert_int_eq(marl_config_to_json(config, json, sizeof json, &bytes), MARL_OK);
    ck_assert_int_eq(marl_config_from_json(config, json, bytes), MARL_OK);
    ck_assert_int_eq(marl__run_config_check(config), MARL_OK);
    ck_assert_int_eq(marl_config_set(config, "net", "mlp"), MARL_OK);
    ck_assert_int_eq(marl__run_config_check(config), MARL_OK);
    marl_config_destroy(config);
}
END_TEST

START_TEST(cutting_components) {
    const char *env = NULL;
    char algo[8];

    ck_assert_int_eq(marl__run_component_cut("run/qmix", algo, sizeof algo, &env), MARL_OK);
    ck_assert_str_eq(algo, "qmix");
    ck_assert_ptr_null(env);
    ck_assert_int_eq(marl__run_component_cut("run/qmix/lbf:a/b", algo, sizeof algo, &env), MARL_OK);
    ck_assert_str_eq(env, "lbf:a/b");
    ck_assert_int_eq(marl__run_component_cut("run/12345678", algo, sizeof algo, &env), MARL_E_NAME);
    ck_assert_int_eq(marl__run_component_cut("algo/qmix", algo, sizeof algo, &env), MARL_E_NAME);
    ck_assert_int_eq(marl__run_component_cut("", algo, sizeof algo, &env), MARL_E_NAME);
}
END_TEST

START_TEST(failing_allocations) {
    marl_status status = MARL_E_NOMEM;

    for (uint64_t at = 1; status != MARL_OK; at++) {
        marl__test_memory memory = {.fail_at = at};
        marl_config *config = NULL;
        marl_host host;
        marl__test_host(&memory, &host);
        status = marl_config_create(&host, "run/qmix/lbf:5x5-2p-1f-coop", &config);
        ck_assert(status == MARL_OK || status == MARL_E_NOMEM);
        ck_assert((config != NULL) == (status == MARL_OK));
        marl_config_destroy(config);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_lt(at, 100);
    }
}
END_TEST

Suite *marl__suite_run_components(void) {
    Suite *suite = suite_create("components");
    TCase *tcase = tcase_create("components");

    tcase_add_test(tcase, every_component_exists);
    tcase_add_test(tcase, a_run_joins_its_parts);
    tcase_add_test(tcase, the_key_net);
    tcase_add_test(tcase, keys_of_equal_name_are_equal);
    tcase_add_test(tcase, unknown_names);
    tcase_add_test(tcase, every_preset_fits_every_algorithm);
    tcase_add_test(tcase, presets_name_keys_that_exist);
    tcase_add_test(tcase, keys_of_other_nets);
    tcase_add_test(tcase, cutting_components);
    tcase_add_test(tcase, failing_allocations);
    suite_add_tcase(suite, tcase);
    return suite;
}
