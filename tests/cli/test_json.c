/* SPDX-License-Identifier: Apache-2.0 */
/* What the command takes for JSON, case by case. */
#include <check.h>
#include <string.h>

#include "json.h"

static bool is_valid(const char *text, size_t *out_line) {
    return json_is_valid((json_slice){text, strlen(text)}, out_line);
}

START_TEST(good_and_bad_texts) {
    static const char *const good[] = {"{}", "[]", " {\"a\": 1} \n", "[1,2.5,-3e-7,0,0.1,1E+9]", "\"a\\n\\u00e9\\\"b\"",
                                       "true", "null", "-0", "{\"a\":{\"b\":[{},[],[[]]]},\"c\":\"\"}",
                                       "[{\"a\":[1,{\"b\":false}],\"c\":2},3]"};
    static const char *const bad[] = {
        "", " ", "{", "[", "]", "}", "{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "[,1]", "[1 2]",
        "{\"a\" 1}", "{a:1}", "{\"a\":1 \"b\":2}", "[1,,2]", "01", "1.", ".5", "+1", "1e", "--1", "0x10", "nan",
        "tru", "truee",
        "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "{} {}", "[1]]", "{\"a\":1}}", "'a'", "{\"a\":[1}", "[{\"a\":1]"};
    size_t line;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) ck_assert_msg(is_valid(good[i], &line), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert_msg(!is_valid(bad[i], &line), "%s", bad[i]);
}
END_TEST

START_TEST(lines_and_depth) {
    char deep[200];
    size_t line;

    ck_assert(!is_valid("{\n \"a\": 1,\n}", &line));
    ck_assert_uint_eq(line, 3);
    for (size_t depth = 64; depth <= 65; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = '\0';
        ck_assert_int_eq(is_valid(deep, &line), depth == 64);
    }
    ck_assert(!json_is_valid((json_slice){"[1]\0", 4}, &line));
}
END_TEST

Suite *marl__suite_cli_json(void);
Suite *marl__suite_cli_json(void) {
    Suite *suite = suite_create("cli/json");
    TCase *tests = tcase_create("json");

    tcase_add_test(tests, good_and_bad_texts);
    tcase_add_test(tests, lines_and_depth);
    suite_add_tcase(suite, tests);
    return suite;
}
