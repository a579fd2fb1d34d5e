/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from tables of this file: defaults, setting and reading by type, what is refused and how it is said,
 * presets, copies, slices, JSON both ways, memory that fails. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "support/support.h"

static const marl__key train_keys[] = {
    MARL__KEY_REAL("lr", "5e-4", 0, 1, "learning rate"),
    MARL__KEY_INT("batch_size", "32", 1, 100000, "episodes in an update"),
    MARL__KEY_BOOL("double_q", "true", "actions of the target by the online net"),
    MARL__KEY_CHOICE("optimiser", "rmsprop", "adam|rmsprop|adamw", "which optimiser"),
    MARL__KEY_TEXT("label", "", "a name for the run"),
    MARL__KEY_INT("seed", "0", -9223372036854775808.0, 9223372036854775807.0, "seed"),
    MARL__KEY_REAL("huge", "0", -INFINITY, INFINITY, "any number"),
};
static const marl__key more_keys[] = {
    MARL__KEY_REAL("gamma", "0.99", 0, 1, "discount"),
    MARL__KEY_REAL("lr", "1", 0, 10, "a second declaration, which does not count"),
};
static const marl__key net_keys[] = {
    MARL__KEY_INT("hidden_dim", "64", 1, 4096, "width"),
    MARL__KEY_CHOICE("activation", "relu", "relu|tanh", "between layers"),
    MARL__KEY_TEXT("note", "a \"quoted\" note", "free text"),
    MARL__KEY_REAL("lr", "2", 0, 10, "not the run's lr: another prefix"),
};
static const marl__key_table train_table = MARL__KEY_TABLE(train_keys);
static const marl__key_table more_table = MARL__KEY_TABLE(more_keys);
static const marl__key_table net_table = MARL__KEY_TABLE(net_keys);
static const marl__config_part parts[] = {{"", &train_table}, {"", &more_table}, {"net.", &net_table}};

static const marl__preset_value quick_values[] = {
    {"lr", "1e-3"}, {"net.hidden_dim", "32"}, {"of_another_algorithm", "7"}, {"lr", "2e-3"}, {"optimiser", "adam"}};
static const marl__preset_value broken_values[] = {{"lr", "0.5"}, {"batch_size", "0"}};
static const marl__preset_value far_values[] = {{"lr", "0.25"}};
static const marl__preset_place places[] = {{"far:*", far_values, 1}, {"near:by", far_values, 1}};
static const marl__preset presets[] = {
    {.name = "quick", .values = quick_values, .count = 5, .places = places, .place_count = 2},
    {.name = "broken", .values = broken_values, .count = 2},
};

enum { KEY_COUNT = 7 + 1 + 4 };

static marl__test_memory memory;
static marl_config *config;

static marl_status create(const marl_host *host, marl_config **out) {
    return marl__config_new(host, "run/qmix", parts, 3, presets, 2, out);
}

static void set_up(void) {
    marl_host host;

    memory = (marl__test_memory){0};
    marl__test_host(&memory, &host);
    ck_assert_msg(create(&host, &config) == MARL_OK, "%s", marl_last_error());
}

static void tear_down(void) {
    marl_config_destroy(config);
    ck_assert_uint_eq(memory.live_blocks, 0);
    ck_assert_uint_eq(memory.faults, 0);
}

static void expect_text(const marl_config *of, const char *key, const char *expected) {
    char text[256];

    ck_assert_msg(marl_config_get(of, key, text, sizeof text) == MARL_OK, "%s", marl_last_error());
    ck_assert_str_eq(text, expected);
}

static void expect_set(const char *key, const char *value) {
    ck_assert_msg(marl_config_set(config, key, value) == MARL_OK, "%s", marl_last_error());
}

static void expect_refused(const char *key, const char *value, marl_status status, const char *sentence) {
    char before[256] = "", after[256] = "";

    marl_config_get(config, key, before, sizeof before);
    ck_assert_int_eq(marl_config_set(config, key, value), status);
    ck_assert_str_eq(marl_last_error(), sentence);
    marl_config_get(config, key, after, sizeof after);
    ck_assert_str_eq(before, after);
}

static int is_set(const marl_config *of, const char *key) {
    int32_t out = -1;

    ck_assert_int_eq(marl_config_is_set(of, key, &out), MARL_OK);
    return out;
}

START_TEST(defaults_stand) {
    ck_assert_str_eq(marl_config_component(config), "run/qmix");
    ck_assert_uint_eq(marl_config_key_count(config), KEY_COUNT);
    expect_text(config, "lr", "0.0005");
    expect_text(config, "batch_size", "32");
    expect_text(config, "double_q", "true");
    expect_text(config, "optimiser", "rmsprop");
    expect_text(config, "label", "");
    expect_text(config, "gamma", "0.99");
    expect_text(config, "net.hidden_dim", "64");
    expect_text(config, "net.note", "a \"quoted\" note");
    expect_text(config, "net.lr", "2");
    for (uint32_t index = 0; index < KEY_COUNT; ++index) {
        marl_key_info info = {.struct_size = sizeof info};
        ck_assert_int_eq(marl_config_key_info(config, index, &info), MARL_OK);
        ck_assert_int_eq(is_set(config, info.name), 0);
    }
}
END_TEST

START_TEST(keys_describe_themselves) {
    struct { marl_key_info info; unsigned char more[8]; } newer;
    marl_key_info info = {.struct_size = sizeof info};

    ck_assert_int_eq(marl_config_key_info(config, 3, &info), MARL_OK);
    ck_assert_str_eq(info.name, "optimiser");
    ck_assert_str_eq(info.help, "which optimiser");
    ck_assert_str_eq(info.default_text, "rmsprop");
    ck_assert_str_eq(info.choices, "adam|rmsprop|adamw");
    ck_assert_int_eq(info.type, MARL_KEY_CHOICE);
    ck_assert_int_eq(marl_config_key_info(config, 8, &info), MARL_OK);
    ck_assert_str_eq(info.name, "net.hidden_dim");
    ck_assert_ptr_null(info.choices);
    ck_assert(info.minimum == 1 && info.maximum == 4096);
    /* the first declaration of lr counts, and its place */
    ck_assert_int_eq(marl_config_key_info(config, 0, &info), MARL_OK);
    ck_assert(strcmp(info.name, "lr") == 0 && info.maximum == 1);

    ck_assert_int_eq(marl_config_key_info(config, KEY_COUNT, &info), MARL_E_ARGUMENT);
    ck_assert_str_eq(marl_last_error(), "key index is 12, run/qmix has 12 keys");
    ck_assert_ptr_null(info.name);
    ck_assert_uint_eq(info.struct_size, sizeof info);
    info.struct_size = 12;
    ck_assert_int_eq(marl_config_key_info(config, 0, &info), MARL_E_ARGUMENT);
    memset(&newer, 0xff, sizeof newer);
    newer.info.struct_size = sizeof newer;
    ck_assert_int_eq(marl_config_key_info(config, 0, &newer.info), MARL_OK);
    ck_assert_uint_eq(newer.info.struct_size, sizeof newer);
    ck_assert_uint_eq(newer.more[0], 0);
    ck_assert_int_eq(marl_config_key_info(config, 0, NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(values_from_text) {
    char longest[257];

    expect_set("lr", "1e-3");
    expect_text(config, "lr", "0.001");
    ck_assert_int_eq(is_set(config, "lr"), 1);
    ck_assert_int_eq(is_set(config, "net.lr"), 0);
    expect_set("lr", "0");
    expect_set("lr", "1");
    expect_set("batch_size", "128");
    expect_set("batch_size", "1e3");
    expect_text(config, "batch_size", "1000");
    expect_set("double_q", "0");
    expect_text(config, "double_q", "false");
    expect_set("double_q", "true");
    expect_set("optimiser", "adamw");
    expect_set("optimiser", "adam");
    expect_text(config, "optimiser", "adam");
    expect_set("seed", "-9223372036854775808");
    expect_text(config, "seed", "-9223372036854775808");
    expect_set("seed", "9223372036854775807");
    expect_text(config, "seed", "9223372036854775807");
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    expect_set("label", longest);
    expect_text(config, "label", longest);
    expect_set("label", "");
    expect_text(config, "label", "");
}
END_TEST

START_TEST(values_that_are_refused) {
    char longest[300];

    expect_refused("lr", "2", MARL_E_ARGUMENT, "key \"lr\" of run/qmix is 2, expected a real number from 0 to 1");
    expect_refused("lr", "-1e-9", MARL_E_ARGUMENT,
                   "key \"lr\" of run/qmix is -1e-9, expected a real number from 0 to 1");
    expect_refused("lr", "fast", MARL_E_ARGUMENT, "key \"lr\" of run/qmix is fast, expected a real number from 0 to 1");
    expect_refused("lr", "nan", MARL_E_ARGUMENT, "key \"lr\" of run/qmix is nan, expected a real number from 0 to 1");
    expect_refused("lr", "", MARL_E_ARGUMENT, "key \"lr\" of run/qmix is , expected a real number from 0 to 1");
    expect_refused("huge", "inf", MARL_E_ARGUMENT,
                   "key \"huge\" of run/qmix is inf, expected a real number from -inf to inf");
    expect_refused("batch_size", "0", MARL_E_ARGUMENT,
                   "key \"batch_size\" of run/qmix is 0, expected a whole number from 1 to 100000");
    expect_refused("batch_size", "1.5", MARL_E_ARGUMENT,
                   "key \"batch_size\" of run/qmix is 1.5, expected a whole number from 1 to 100000");
    expect_refused("batch_size", "99999999999999999999", MARL_E_ARGUMENT,
                   "key \"batch_size\" of run/qmix is 99999999999999999999, expected a whole number from 1 to 100000");
    expect_refused("double_q", "yes", MARL_E_ARGUMENT,
                   "key \"double_q\" of run/qmix is yes, expected true, false, 1 or 0");
    for (int which = 0; which < 6; ++which) {
        static const char *const words[] = {"", "ada", "adamx", "adam|rmsprop", "|", "rms"};
        char sentence[200];
        snprintf(sentence, sizeof sentence,
                 "key \"optimiser\" of run/qmix is \"%s\", expected one of adam|rmsprop|adamw", words[which]);
        expect_refused("optimiser", words[which], MARL_E_ARGUMENT, sentence);
    }
    memset(longest, 'x', 256);
    longest[256] = '\0';
    ck_assert_int_eq(marl_config_set(config, "label", longest), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "at most 255 bytes of UTF-8"));
    ck_assert_int_eq(marl_config_set(config, "label", "\xff"), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set(config, "lr", NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set(config, NULL, "1"), MARL_E_ARGUMENT);
    ck_assert_int_eq(is_set(config, "lr"), 0);
}
END_TEST

START_TEST(unknown_keys_get_a_suggestion) {
    ck_assert_int_eq(marl_config_set(config, "lrr", "1"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"lrr\" in run/qmix; did you mean \"lr\"?");
    ck_assert_int_eq(marl_config_set(config, "batch-size", "1"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"batch-size\" in run/qmix; did you mean \"batch_size\"?");
    ck_assert_int_eq(marl_config_set(config, "hidden_dim", "1"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"hidden_dim\" in run/qmix; did you mean \"net.hidden_dim\"?");
    ck_assert_int_eq(marl_config_set(config, "Optimiser", "adam"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"Optimiser\" in run/qmix; did you mean \"optimiser\"?");
    ck_assert_int_eq(marl_config_set(config, "temperature", "1"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"temperature\" in run/qmix");
    ck_assert_int_eq(marl_config_set(config, "", "1"), MARL_E_NAME);
}
END_TEST

START_TEST(nearest_names) {
    static const char *const names[] = {"qmix", "vdn", "iql", "hidden_dim"};
    char longest[2000];

    ck_assert_str_eq(marl__nearest_name("qmxi", names, 4), "qmix"); /* a swap is one fault */
    ck_assert_str_eq(marl__nearest_name("QMIX", names, 4), "qmix");
    ck_assert_str_eq(marl__nearest_name("vdnn", names, 4), "vdn");
    ck_assert_str_eq(marl__nearest_name("hiden_dmi", names, 4), "hidden_dim");
    ck_assert_str_eq(marl__nearest_name("vdn", names, 4), "vdn");
    ck_assert_ptr_null(marl__nearest_name("xyz", names, 4));
    ck_assert_ptr_null(marl__nearest_name("", names, 4));
    ck_assert_ptr_null(marl__nearest_name("vdn", names, 0));
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ck_assert_ptr_null(marl__nearest_name(longest, names, 4));
}
END_TEST

START_TEST(typed_setters_and_getters) {
    int64_t whole = 1;
    double real = 1;

    ck_assert_int_eq(marl_config_set_int(config, "batch_size", 7), MARL_OK);
    ck_assert_int_eq(marl_config_get_int(config, "batch_size", &whole), MARL_OK);
    ck_assert_int_eq(whole, 7);
    ck_assert_int_eq(marl_config_get_real(config, "batch_size", &real), MARL_OK);
    ck_assert(real == 7);
    ck_assert_int_eq(marl_config_set_int(config, "double_q", 0), MARL_OK);
    ck_assert_int_eq(marl_config_get_int(config, "double_q", &whole), MARL_OK);
    ck_assert_int_eq(whole, 0);
    ck_assert_int_eq(marl_config_set_int(config, "double_q", 2), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_int(config, "batch_size", -1), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_int(config, "lr", 1), MARL_E_SHAPE);
    ck_assert_str_eq(marl_last_error(), "key \"lr\" of run/qmix is a real number, not a whole number");
    ck_assert_int_eq(marl_config_set_int(config, "seed", INT64_MIN), MARL_OK);
    ck_assert_int_eq(marl_config_get_int(config, "seed", &whole), MARL_OK);
    ck_assert_int_eq(whole, INT64_MIN);

    ck_assert_int_eq(marl_config_set_real(config, "lr", 1.0 / 3), MARL_OK);
    ck_assert_int_eq(marl_config_get_real(config, "lr", &real), MARL_OK);
    ck_assert(real == 1.0 / 3);
    ck_assert_int_eq(marl_config_set_real(config, "batch_size", 64.0), MARL_OK);
    ck_assert_int_eq(marl_config_set_real(config, "batch_size", 64.5), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_real(config, "seed", 1e300), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_real(config, "lr", NAN), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_real(config, "huge", INFINITY), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_set_real(config, "double_q", 1), MARL_E_SHAPE);
    ck_assert_int_eq(marl_config_set_real(config, "label", 1), MARL_E_SHAPE);
    ck_assert_int_eq(marl_config_get_int(config, "lr", &whole), MARL_E_SHAPE);
    ck_assert_int_eq(whole, 0);
    ck_assert_int_eq(marl_config_get_real(config, "optimiser", &real), MARL_E_SHAPE);
    ck_assert_str_eq(marl_last_error(), "key \"optimiser\" of run/qmix is a word, not a number");
    ck_assert(real == 0);
    ck_assert_int_eq(marl_config_get_int(config, "nothing", &whole), MARL_E_NAME);
    ck_assert_int_eq(marl_config_get_int(config, "seed", NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_get_real(config, "lr", NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(reals_round_trip_as_text) {
    static const double values[] = {0.1, 1.0 / 3, 5e-324, 1e-5, DBL_MAX, -DBL_MIN, 1e22, 123456.789, -0.0};

    for (size_t index = 0; index < sizeof values / sizeof values[0]; ++index) {
        char text[256];
        double back = 1;
        ck_assert_int_eq(marl_config_set_real(config, "huge", values[index]), MARL_OK);
        ck_assert_int_eq(marl_config_get(config, "huge", text, sizeof text), MARL_OK);
        ck_assert_int_eq(marl_config_set(config, "huge", "7"), MARL_OK);
        ck_assert_int_eq(marl_config_set(config, "huge", text), MARL_OK);
        ck_assert_int_eq(marl_config_get_real(config, "huge", &back), MARL_OK);
        ck_assert(back == values[index] && signbit(back) == signbit(values[index]));
    }
}
END_TEST

START_TEST(small_buffers) {
    char text[256];

    ck_assert_int_eq(marl_config_get(config, "optimiser", text, 8), MARL_OK);
    ck_assert_int_eq(marl_config_get(config, "optimiser", text, 7), MARL_E_SHAPE);
    ck_assert_str_eq(marl_last_error(), "key \"optimiser\" takes 8 bytes, the buffer has 7");
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(marl_config_get(config, "optimiser", text, 0), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_get(config, "optimiser", NULL, 8), MARL_E_ARGUMENT);
}
END_TEST

/* What a preset sets for one environment comes after the rest, and nowhere else. */
START_TEST(presets_of_places) {
    static const struct { const char *component; int is_far; } cases[] = {
        {"run/qmix/far:away", 1}, {"run/qmix/far:", 1},    {"run/qmix/near:by", 1}, {"run/qmix/near:bye", 0},
        {"run/qmix/near", 0},     {"run/far:away", 0},     {"far:away", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        marl_config *here = NULL;
        double lr = 0;

        ck_assert_int_eq(marl__config_new(NULL, cases[i].component, parts, 3, presets, 2, &here), MARL_OK);
        ck_assert_int_eq(marl_config_preset(here, "quick"), MARL_OK);
        ck_assert_int_eq(marl_config_get_real(here, "lr", &lr), MARL_OK);
        if (cases[i].is_far) ck_assert_double_eq(lr, 0.25);
        else ck_assert_double_ne(lr, 0.25);
        marl_config_destroy(here);
    }
}
END_TEST

START_TEST(presets_apply_whole) {
    ck_assert_uint_eq(marl_config_preset_count(config), 2);
    ck_assert_str_eq(marl_config_preset_name(config, 0), "quick");
    ck_assert_ptr_null(marl_config_preset_name(config, 2));
    expect_set("batch_size", "8");
    ck_assert_int_eq(marl_config_preset(config, "quick"), MARL_OK);
    expect_text(config, "lr", "0.002"); /* named twice: the later counts */
    expect_text(config, "net.hidden_dim", "32");
    expect_text(config, "optimiser", "adam");
    expect_text(config, "batch_size", "8");
    ck_assert_int_eq(is_set(config, "lr"), 1);
    ck_assert_int_eq(is_set(config, "gamma"), 0);
    ck_assert_int_eq(marl_config_preset(config, "broken"), MARL_E_ARGUMENT);
    ck_assert_str_eq(marl_last_error(), "preset \"broken\": key \"batch_size\" of run/qmix is 0, expected a whole "
                                        "number from 1 to 100000");
    expect_text(config, "lr", "0.002"); /* nothing of it was applied */
    ck_assert_int_eq(marl_config_preset(config, "tuned"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no preset \"tuned\" in run/qmix; expected one of quick, broken");
    ck_assert_int_eq(marl_config_preset(config, NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(copies_are_their_own) {
    marl_config *copy = NULL;

    expect_set("label", "first");
    expect_set("lr", "0.25");
    ck_assert_int_eq(marl_config_copy(config, &copy), MARL_OK);
    ck_assert_str_eq(marl_config_component(copy), "run/qmix");
    expect_text(copy, "label", "first");
    ck_assert_int_eq(is_set(copy, "lr"), 1);
    ck_assert_int_eq(is_set(copy, "gamma"), 0);
    expect_set("label", "second");
    expect_text(copy, "label", "first");
    ck_assert_int_eq(marl_config_preset(copy, "quick"), MARL_OK);
    expect_text(config, "lr", "0.25");
    marl_config_destroy(copy);
    copy = config;
    ck_assert_int_eq(marl_config_copy(NULL, &copy), MARL_E_HANDLE);
    ck_assert_ptr_null(copy);
    ck_assert_int_eq(marl_config_copy(config, NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(slices_take_values_over) {
    static const marl__key wider_keys[] = {
        MARL__KEY_INT("hidden_dim", "16", 1, 50, "a narrower range"),
        MARL__KEY_TEXT("note", "", "free text"),
        MARL__KEY_BOOL("layer_norm", "false", "not in the whole"),
        MARL__KEY_REAL("lr", "3", 0, 10, "as in net."),
    };
    static const marl__key_table wider_table = MARL__KEY_TABLE(wider_keys);
    marl_config *slice = NULL;

    expect_set("net.hidden_dim", "50");
    ck_assert_int_eq(marl__config_slice(config, "net.", "net/gru", &net_table, &slice), MARL_OK);
    ck_assert_str_eq(marl_config_component(slice), "net/gru");
    ck_assert_uint_eq(marl_config_key_count(slice), 4);
    expect_text(slice, "hidden_dim", "50");
    expect_text(slice, "note", "a \"quoted\" note");
    ck_assert_int_eq(is_set(slice, "hidden_dim"), 1);
    ck_assert_int_eq(is_set(slice, "note"), 0);
    ck_assert_uint_eq(marl_config_preset_count(slice), 0);
    marl_config_destroy(slice);

    ck_assert_int_eq(marl__config_slice(config, "net.", "net/other", &wider_table, &slice), MARL_OK);
    expect_text(slice, "hidden_dim", "50");
    expect_text(slice, "lr", "2"); /* the whole's value, default or not */
    expect_text(slice, "layer_norm", "false");
    marl_config_destroy(slice);
    expect_set("net.hidden_dim", "51");
    slice = config;
    ck_assert_int_eq(marl__config_slice(config, "net.", "net/other", &wider_table, &slice), MARL_E_ARGUMENT);
    ck_assert_ptr_null(slice);
}
END_TEST

START_TEST(reading_inside_the_library) {
    ck_assert_int_eq(marl__config_int(config, "batch_size"), 32);
    ck_assert_int_eq(marl__config_int(config, "double_q"), 1);
    ck_assert(marl__config_real(config, "gamma") == 0.99);
    ck_assert(marl__config_real(config, "batch_size") == 32);
    ck_assert_str_eq(marl__config_text(config, "optimiser"), "rmsprop");
    ck_assert(marl__config_is(config, "net.activation", "relu"));
    ck_assert(!marl__config_is(config, "net.activation", "rel"));
    ck_assert(marl__config_has(config, "lr"));
    ck_assert(!marl__config_has(config, "hidden_dim"));
    ck_assert(!marl__config_was_set(config, "lr"));
    expect_set("lr", "0.0005"); /* set to its default is set */
    ck_assert(marl__config_was_set(config, "lr"));
    ck_assert(!marl__config_was_set(config, "no_such_key"));
}
END_TEST

/* ---- JSON ---- */

START_TEST(json_there_and_back) {
    char text[2048], again[2048];
    size_t bytes = 0, needed = 0;
    marl_config *other = NULL;

    expect_set("seed", "9223372036854775807"); /* more than a double holds */
    expect_set("label", "tab\t \"x\" \xc3\xa9");
    expect_set("lr", "0.1");
    expect_set("double_q", "false");
    ck_assert_int_eq(marl_config_to_json(config, NULL, 0, &needed), MARL_OK);
    ck_assert_int_eq(marl_config_to_json(config, text, sizeof text, &bytes), MARL_OK);
    ck_assert_uint_eq(bytes, needed);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_ptr_nonnull(strstr(text, "\"lr\":0.1,\"batch_size\":32,\"double_q\":false,\"optimiser\":\"rmsprop\""));
    ck_assert_ptr_nonnull(strstr(text, "\"seed\":9223372036854775807"));
    ck_assert_int_eq(marl_config_to_json(config, again, bytes, &needed), MARL_E_SHAPE);
    ck_assert_uint_eq(needed, bytes);
    ck_assert_str_eq(again, "");
    ck_assert_int_eq(marl_config_to_json(config, again, bytes + 1, &needed), MARL_OK);
    ck_assert_str_eq(again, text);
    ck_assert_int_eq(marl_config_to_json(config, again, sizeof again, NULL), MARL_E_ARGUMENT);

    ck_assert_int_eq(create(NULL, &other), MARL_OK);
    ck_assert_msg(marl_config_from_json(other, text, bytes) == MARL_OK, "%s", marl_last_error());
    ck_assert_int_eq(marl_config_to_json(other, again, sizeof again, &needed), MARL_OK);
    ck_assert_str_eq(again, text);
    ck_assert_int_eq(is_set(other, "gamma"), 1);
    marl_config_destroy(other);
}
END_TEST

START_TEST(json_is_all_or_nothing) {
    static const struct { const char *json; marl_status status; const char *part; } refused[] = {
        {"{\"lr\":0.5,\"batch_size\":0}", MARL_E_ARGUMENT, "batch_size"},
        {"{\"lr\":0.5,\"lrr\":1}", MARL_E_NAME, "did you mean \"lr\"?"},
        {"{\"lr\":0.5,\"lr\":0.25}", MARL_E_FORMAT, "twice"},
        {"{\"lr\":0.5,\"double_q\":\"true\"}", MARL_E_SHAPE, "not a text"},
        {"{\"lr\":0.5,\"gamma\":\"0.5\"}", MARL_E_SHAPE, "\"gamma\" of run/qmix is a real number, not a text"},
        {"{\"lr\":0.5,\"label\":3}", MARL_E_SHAPE, "not a number"},
        {"{\"lr\":0.5,\"batch_size\":true}", MARL_E_SHAPE, "not true or false"},
        {"{\"lr\":0.5,\"batch_size\":2.5}", MARL_E_ARGUMENT, "2.5"},
        {"{\"lr\":0.5,\"label\":null}", MARL_E_SHAPE, "not null"},
        {"{\"lr\":0.5,\"label\":[]}", MARL_E_SHAPE, "not an array"},
        {"{\"lr\":0.5,\"label\":{}}", MARL_E_SHAPE, "not an object"},
        {"{\"lr\":0.5,\"optimiser\":\"sgd\"}", MARL_E_ARGUMENT, "adam|rmsprop|adamw"},
        {"[]", MARL_E_FORMAT, "one JSON object"},
        {"{\"lr\":0.5", MARL_E_FORMAT, "byte 9"},
        {"", MARL_E_FORMAT, "config"},
    };

    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; ++index) {
        ck_assert_int_eq(marl_config_from_json(config, refused[index].json, strlen(refused[index].json)),
                         refused[index].status);
        ck_assert_msg(strstr(marl_last_error(), refused[index].part) != NULL, "%s", marl_last_error());
        expect_text(config, "lr", "0.0005");
        ck_assert_int_eq(is_set(config, "lr"), 0);
    }
    ck_assert_int_eq(marl_config_from_json(config, NULL, 0), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_config_from_json(config, "{}", 2), MARL_OK);
    static const char fine[] = " { \"lr\": 5E-1, \"double_q\": 0, \"net.activation\": \"tanh\", \"seed\": 1e3 } ";
    ck_assert_int_eq(marl_config_from_json(config, fine, sizeof fine - 1), MARL_OK);
    expect_text(config, "lr", "0.5");
    expect_text(config, "double_q", "false");
    expect_text(config, "net.activation", "tanh");
    expect_text(config, "seed", "1000");
}
END_TEST

/* ---- handles, tables, memory ---- */

START_TEST(handles_of_another_kind) {
    struct { uint32_t tag, rest[64]; } other = {MARL__TAG_DEVICE, {0}};
    marl_config *wrong = (marl_config *)&other;
    char text[256];
    int32_t flag = 1;
    size_t bytes = 1;
    marl_key_info info = {.struct_size = sizeof info};

    for (int round = 0; round < 2; ++round, wrong = NULL) {
        ck_assert_int_eq(marl_config_set(wrong, "lr", "1"), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_set_int(wrong, "lr", 1), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_set_real(wrong, "lr", 1), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_get(wrong, "lr", text, sizeof text), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_is_set(wrong, "lr", &flag), MARL_E_HANDLE);
        ck_assert_int_eq(flag, 0);
        ck_assert_int_eq(marl_config_preset(wrong, "quick"), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_key_info(wrong, 0, &info), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_from_json(wrong, "{}", 2), MARL_E_HANDLE);
        ck_assert_int_eq(marl_config_to_json(wrong, text, sizeof text, &bytes), MARL_E_HANDLE);
        ck_assert_uint_eq(bytes, 0);
        ck_assert_str_eq(marl_config_component(wrong), "");
        ck_assert_uint_eq(marl_config_key_count(wrong), 0);
        ck_assert_uint_eq(marl_config_preset_count(wrong), 0);
        ck_assert_ptr_null(marl_config_preset_name(wrong, 0));
        marl_config_destroy(wrong);
    }
}
END_TEST

START_TEST(tables_with_a_fault) {
    static const marl__key bad_default[] = {MARL__KEY_INT("n", "0", 1, 3, "")};
    static const marl__key bad_word[] = {MARL__KEY_CHOICE("c", "z", "x|y", "")};
    static const marl__key no_words[] = {{"c", MARL_KEY_CHOICE, "x", 0, 0, NULL, NULL}};
    static const marl__key_table tables[] = {MARL__KEY_TABLE(bad_default), MARL__KEY_TABLE(bad_word),
                                             MARL__KEY_TABLE(no_words)};
    marl_host host;
    marl_config *out = config;

    marl__test_host(&memory, &host);
    for (int which = 0; which < 3; ++which) {
        marl__config_part part = {"", &tables[which]};
        ck_assert_int_eq(marl__config_new(&host, "x", &part, 1, NULL, 0, &out), MARL_E_ARGUMENT);
        ck_assert_ptr_null(out);
        ck_assert_int_eq(strncmp(marl_last_error(), "default of key ", 15), 0);
    }
    ck_assert_uint_eq(memory.live_blocks, 1);
    ck_assert_int_eq(marl__config_new(&host, "empty", NULL, 0, NULL, 0, &out), MARL_OK);
    ck_assert_uint_eq(marl_config_key_count(out), 0);
    ck_assert_int_eq(marl_config_set(out, "lr", "1"), MARL_E_NAME);
    ck_assert_int_eq(marl_config_preset(out, "quick"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no preset \"quick\" in empty; it has none");
    marl_config_destroy(out);
    host.struct_size = 3;
    ck_assert_int_eq(create(&host, &out), MARL_E_ARGUMENT);
}
END_TEST

/* Tables need not outlive the call. */
START_TEST(tables_are_copied) {
    marl__key *keys = malloc(sizeof *keys);
    char *name = strdup("width"), *initial = strdup("wide"), *words = strdup("wide|thin"), *component = strdup("net/x");
    marl__key_table table = {keys, 1};
    marl__config_part part = {"net.", &table};
    marl_config *out = NULL;

    *keys = (marl__key)MARL__KEY_CHOICE(name, initial, words, "help");
    ck_assert_int_eq(marl__config_new(NULL, component, &part, 1, NULL, 0, &out), MARL_OK);
    free(name);
    free(initial);
    free(words);
    free(component);
    free(keys);
    ck_assert_int_eq(marl_config_set(out, "net.width", "thin"), MARL_OK);
    expect_text(out, "net.width", "thin");
    ck_assert_str_eq(marl_config_component(out), "net/x");
    marl_config_destroy(out);
}
END_TEST

static marl_status everything(const marl_host *host) {
    static const char json[] = "{\"lr\":0.5,\"net.note\":\"x\"}";
    char text[2048];
    size_t bytes = 0;
    marl_config *first = NULL, *copy = NULL, *slice = NULL;
    marl_status status = create(host, &first);

    if (status == MARL_OK) status = marl_config_copy(first, &copy);
    if (status == MARL_OK) status = marl__config_slice(copy, "net.", "net/gru", &net_table, &slice);
    if (status == MARL_OK) status = marl_config_preset(copy, "quick");
    if (status == MARL_OK) status = marl_config_from_json(first, json, sizeof json - 1);
    if (status == MARL_OK) status = marl_config_to_json(first, text, sizeof text, &bytes);
    marl_config_destroy(slice);
    marl_config_destroy(copy);
    marl_config_destroy(first);
    return status;
}

START_TEST(every_allocation_fails_once) {
    uint64_t failures = 0;

    for (uint64_t at = 1;; ++at) {
        marl__test_memory poor = {.fail_at = at};
        marl_host host;
        marl__test_host(&poor, &host);
        marl_status status = everything(&host);
        ck_assert_uint_eq(poor.live_blocks, 0);
        ck_assert_uint_eq(poor.faults, 0);
        if (poor.calls < at) {
            ck_assert_int_eq(status, MARL_OK);
            break;
        }
        ck_assert_int_eq(status, MARL_E_NOMEM);
        ++failures;
    }
    ck_assert_uint_eq(failures, 4 + 6 + 1 + 1); /* four configs, the parser's six, JSON's copy, the writer */
}
END_TEST

Suite *marl__suite_core_config(void) {
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, defaults_stand);
    tcase_add_test(tests, keys_describe_themselves);
    tcase_add_test(tests, values_from_text);
    tcase_add_test(tests, values_that_are_refused);
    tcase_add_test(tests, unknown_keys_get_a_suggestion);
    tcase_add_test(tests, nearest_names);
    tcase_add_test(tests, typed_setters_and_getters);
    tcase_add_test(tests, reals_round_trip_as_text);
    tcase_add_test(tests, small_buffers);
    tcase_add_test(tests, presets_of_places);
    tcase_add_test(tests, presets_apply_whole);
    tcase_add_test(tests, copies_are_their_own);
    tcase_add_test(tests, slices_take_values_over);
    tcase_add_test(tests, reading_inside_the_library);
    tcase_add_test(tests, json_there_and_back);
    tcase_add_test(tests, json_is_all_or_nothing);
    tcase_add_test(tests, handles_of_another_kind);
    tcase_add_test(tests, tables_with_a_fault);
    tcase_add_test(tests, tables_are_copied);
    tcase_add_test(tests, every_allocation_fails_once);
    suite_add_tcase(suite, tests);
    return suite;
}
