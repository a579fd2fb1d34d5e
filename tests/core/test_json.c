/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is refused, what is read, numbers to the last bit, hostile sizes, the writer, memory that fails. */
#include <check.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/status.h"
#include "support/support.h"

static marl__heap heap;

static void set_up(void) {
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
}

static void tear_down(void) {
    ck_assert_uint_eq(heap.current_bytes, 0);
}

static marl__json *parse(const char *text) {
    marl__json *json = NULL;
    char *exact = malloc(strlen(text) + 1); /* without the NUL, so that a sanitizer sees a read beyond the end */

    memcpy(exact, text, strlen(text));
    marl_status status = marl__json_parse(&heap, exact, strlen(text), "a test", &json);
    free(exact);
    ck_assert_msg(status == MARL_OK, "%s: %s", text, marl_last_error());
    return json;
}

/* ---- what is refused ---- */

static const char *const malformed[] = {
    "", " ", "\t\n", "{", "}", "[", "]", "{]", "[}", "{\"a\":1", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]",
    "[1]]", "[1] 2", "1 2", "{}{}", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
    "{\"a\"::1}", "{\"a\":1:2}", "{a:1}", "{1:2}", "{null:1}", "{[]:1}", "{{}:1}", "{\"a\":1,,\"b\":2}", "[\"a\":1]",
    ":", ",", "{\"a\":\"b\":\"c\"}",
    "tru", "True", "truefalse", "nul", "NULL", "falsee", "nan", "NaN", "inf", "Infinity",
    "-Infinity", "undefined", "'a'",
    "01", "-01", "00", "+1", "-", "--1", ".5", "5.", "-.5", "1.e5", "1e", "1e+", "1E-", "1e5.5", "0x10", "1_000",
    "1,5", "1f", "1.2.3", "1e1000", "-1e309", "1 000",
    "\"", "\"a", "\"a\\\"", "\"\\", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"", "\"\\U0041\"", "\"\\'\"",
    "\"\\u0000\"", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\x1f\"",
    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"",
    "\"\x80\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"",
    "\"\xf0\x80\x80\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "\"\xe2\x28\xa1\"",
    "\xef\xbb\xbf{}", "{\"\xff\":1}", "{}\xc2\xa0", "/* */1", "1 // one", "# 1",
    "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":2}", "[{\"x\":{\"k\":1,\"k\":1}}]",
    "{\"\":1,\"\":2}",
    "[[[[[[[[[1]]]]]]]]]", "{\"a\":[[[[[[[[]]]]]]]]}",
};

START_TEST(malformed_texts_are_refused) {
    ck_assert_uint_ge(sizeof malformed / sizeof malformed[0], 60);
    for (size_t index = 0; index < sizeof malformed / sizeof malformed[0]; ++index) {
        marl__json *json = (marl__json *)&heap;
        char *exact = malloc(strlen(malformed[index]) + 1);
        memcpy(exact, malformed[index], strlen(malformed[index]));
        marl_status status = marl__json_parse(&heap, exact, strlen(malformed[index]), "the header", &json);
        free(exact);
        ck_assert_msg(status == MARL_E_FORMAT, "%s was read", malformed[index]);
        ck_assert_ptr_null(json);
        ck_assert_int_eq(strncmp(marl_last_error(), "the header: ", 12), 0);
    }
}
END_TEST

START_TEST(every_beginning_is_refused) {
    static const char text[] = "{\"a\": [1, -2.5e-3, \"x\\u00e9\\ud83d\\ude00\"], \"b\": {\"c\": true, \"d\": null}}";

    for (size_t bytes = 0; bytes + 1 < sizeof text; ++bytes) {
        marl__json *json = NULL;
        char *exact = malloc(bytes + 1);
        memcpy(exact, text, bytes);
        marl_status status = marl__json_parse(&heap, exact, bytes, "cut", &json);
        free(exact);
        ck_assert_int_eq(status, MARL_E_FORMAT);
        ck_assert_ptr_null(json);
    }
    marl__json_destroy(parse(text));
}
END_TEST

START_TEST(embedded_nul_bytes) {
    static const char inside[] = "\"a\0b\"", behind[] = "1\0", before[] = "\0" "1";
    marl__json *json = NULL;

    ck_assert_int_eq(marl__json_parse(&heap, inside, sizeof inside - 1, "x", &json), MARL_E_FORMAT);
    ck_assert_int_eq(marl__json_parse(&heap, behind, sizeof behind - 1, "x", &json), MARL_E_FORMAT);
    ck_assert_int_eq(marl__json_parse(&heap, before, sizeof before - 1, "x", &json), MARL_E_FORMAT);
}
END_TEST

/* Any one byte changed: read or refused, never a crash, and never a leak. */
START_TEST(changed_bytes_do_no_harm) {
    static const char text[] = "{\"shape\":[2,3],\"x\":{\"data_offsets\":[0,24],\"t\":\"F\\u0033\\n\"},"
                               "\"y\":-1.5e3,\"z\":true}";
    marl__rng rng;
    int read = 0, refused = 0;

    marl__rng_init(&rng, 3, MARL__STREAM_TEST);
    for (int round = 0; round < 5000; ++round) {
        char changed[sizeof text];
        marl__json *json = NULL;
        memcpy(changed, text, sizeof text);
        for (uint32_t times = marl__rng_below(&rng, 3) + 1; times > 0; --times)
            changed[marl__rng_below(&rng, sizeof text - 1)] = (char)marl__rng_below(&rng, 256);
        if (marl__json_parse(&heap, changed, sizeof text - 1, "noise", &json) == MARL_OK) ++read;
        else ++refused;
        marl__json_destroy(json);
    }
    ck_assert_int_gt(read, 100);
    ck_assert_int_gt(refused, 100);
}
END_TEST

/* ---- hostile sizes ---- */

START_TEST(too_many_tokens) {
    const size_t bytes = 2 * (size_t)MARL__JSON_MAX_TOKENS + 1;
    char *text = malloc(bytes + 2);
    marl__json *json = NULL;

    /* [1,1,...]: one token for the array */
    memset(text, '1', bytes + 2);
    for (size_t at = 2; at < bytes; at += 2) text[at] = ',';
    text[0] = '[';
    text[2 * (MARL__JSON_MAX_TOKENS - 1)] = ']';
    ck_assert_int_eq(marl__json_parse(&heap, text, 2 * (MARL__JSON_MAX_TOKENS - 1) + 1, "many", &json), MARL_OK);
    ck_assert_uint_eq(marl__json_count(json, 0), MARL__JSON_MAX_TOKENS - 1);
    marl__json_destroy(json);
    text[2 * (MARL__JSON_MAX_TOKENS - 1)] = ',';
    text[2 * MARL__JSON_MAX_TOKENS] = ']';
    ck_assert_int_eq(marl__json_parse(&heap, text, bytes, "many", &json), MARL_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "more than 400000"));
    free(text);
    ck_assert_int_eq(marl__json_parse(&heap, "1", (size_t)MARL__JSON_MAX_BYTES + 1, "long", &json), MARL_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "at most 100000000"));
}
END_TEST

/* 40 000 keys, in order or nearly so; a quadratic search for duplicates would take minutes. */
START_TEST(many_keys_are_quick) {
    enum { count = 40000 };
    char *text = malloc((size_t)count * 24);
    size_t bytes = 0;
    marl__json *json = NULL;
    clock_t start = clock();

    text[bytes++] = '{';
    for (int key = 0; key < count; ++key)
        bytes += (size_t)sprintf(text + bytes, "%s\"key%07d\":%d", key ? "," : "", _i ? count - key : key, key);
    text[bytes++] = '}';
    ck_assert_int_eq(marl__json_parse(&heap, text, bytes, "keys", &json), MARL_OK);
    for (int key = 1; key < count; key += 7) {
        char name[32];
        int64_t value = -1;
        snprintf(name, sizeof name, "key%07d", key);
        ck_assert_int_eq(marl__json_get_int(json, 0, name, &value), MARL_OK);
        ck_assert_int_eq(value, _i ? count - key : key);
    }
    marl__json_destroy(json);
    memcpy(text + bytes - 1, ",\"key0000777\":0}", 16);
    ck_assert_int_eq(marl__json_parse(&heap, text, bytes + 15, "keys", &json), MARL_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "key0000777"));
    free(text);
    ck_assert_double_lt((double)(clock() - start) / CLOCKS_PER_SEC, 20.0);
}
END_TEST

/* ---- what is read ---- */

START_TEST(documents_are_walked) {
    marl__json *json = parse(" {\"a\":[1,[2,3],{}],\"b\":{\"a\":\"x\"} , \"c\":false,\"d\":null}\n");
    int32_t array = marl__json_find(json, 0, "a"), item = marl__json_first(json, array), key = 0, truth = 1;
    const char *expected[] = {"a", "b", "c", "d"};
    int keys = 0;

    ck_assert_int_eq(marl__json_type(json, 0), MARL__JSON_OBJECT);
    ck_assert_uint_eq(marl__json_count(json, 0), 4);
    for (key = marl__json_first(json, 0); key >= 0; key = marl__json_next(json, key))
        ck_assert_str_eq(marl__json_text(json, key), expected[keys++]);
    ck_assert_int_eq(keys, 4);
    ck_assert_uint_eq(marl__json_count(json, array), 3);
    ck_assert_int_eq(marl__json_type(json, item), MARL__JSON_NUMBER);
    ck_assert_str_eq(marl__json_spelling(json, item), "1");
    ck_assert_str_eq(marl__json_text(json, item), "");
    item = marl__json_next(json, item);
    ck_assert_uint_eq(marl__json_count(json, item), 2);
    item = marl__json_next(json, item);
    ck_assert_int_eq(marl__json_type(json, item), MARL__JSON_OBJECT);
    ck_assert_int_eq(marl__json_first(json, item), -1);
    ck_assert_int_eq(marl__json_next(json, item), -1);
    /* the inner "a" is not the outer one's */
    ck_assert_str_eq(marl__json_text(json, marl__json_find(json, marl__json_find(json, 0, "b"), "a")), "x");
    ck_assert_int_eq(marl__json_find(json, 0, "x"), -1);
    ck_assert_int_eq(marl__json_find(json, array, "a"), -1);
    ck_assert_int_eq(marl__json_find(json, -1, "a"), -1);
    ck_assert_int_eq(marl__json_bool(json, marl__json_find(json, 0, "c"), &truth), MARL_OK);
    ck_assert_int_eq(truth, 0);
    ck_assert_int_eq(marl__json_bool(json, marl__json_find(json, 0, "d"), &truth), MARL_E_FORMAT);
    ck_assert_int_eq(marl__json_of(json, array), -1);
    ck_assert_int_eq(marl__json_type(json, -1), MARL__JSON_NULL);
    ck_assert_int_eq(marl__json_type(json, 1000), MARL__JSON_NULL);
    marl__json_destroy(json);
    marl__json_destroy(NULL);
}
END_TEST

START_TEST(roots_of_every_type) {
    static const struct { const char *text; int32_t type; } roots[] = {
        {"null", MARL__JSON_NULL}, {"true", MARL__JSON_BOOL}, {" -0.5e1 ", MARL__JSON_NUMBER},
        {"\"\"", MARL__JSON_TEXT}, {"[]", MARL__JSON_ARRAY}, {"{ }", MARL__JSON_OBJECT},
        {"[[[[[[[[]]]]]]]]", MARL__JSON_ARRAY}, {"\"\xf0\x9f\x98\x80\"", MARL__JSON_TEXT}};

    for (size_t index = 0; index < sizeof roots / sizeof roots[0]; ++index) {
        marl__json *json = parse(roots[index].text);
        ck_assert_int_eq(marl__json_type(json, 0), roots[index].type);
        ck_assert_int_eq(marl__json_next(json, 0), -1);
        marl__json_destroy(json);
    }
}
END_TEST

START_TEST(escapes_are_decoded) {
    marl__json *json = parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\","
                             "\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\",\"\\u007f\\u0080\\u07ff\\uffff\"]");
    int32_t item = marl__json_first(json, 0);

    ck_assert_str_eq(marl__json_text(json, item), "\"\\/\b\f\n\r\t");
    item = marl__json_next(json, item);
    ck_assert_str_eq(marl__json_text(json, item), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    item = marl__json_next(json, item);
    ck_assert_str_eq(marl__json_text(json, item), "\x7f\xc2\x80\xdf\xbf\xef\xbf\xbf");
    marl__json_destroy(json);
}
END_TEST

START_TEST(members_of_a_type) {
    marl__json *json = parse("{\"t\":\"x\",\"n\":2.5,\"i\":9007199254740991,"
                             "\"big\":9007199254740992,\"e\":-1e3,\"l\":[]}");
    const char *text = NULL;
    int64_t whole = 1;
    double real = 1;

    ck_assert_int_eq(marl__json_get_text(json, 0, "t", &text), MARL_OK);
    ck_assert_str_eq(text, "x");
    ck_assert_int_eq(marl__json_get_text(json, 0, "n", &text), MARL_E_FORMAT);
    ck_assert_str_eq(marl_last_error(), "a test: \"n\" is a number, expected a text");
    ck_assert_ptr_null(text);
    ck_assert_int_eq(marl__json_get_real(json, 0, "n", &real), MARL_OK);
    ck_assert(real == 2.5);
    ck_assert_int_eq(marl__json_get_int(json, 0, "n", &whole), MARL_E_FORMAT);
    ck_assert_str_eq(marl_last_error(), "a test: \"n\" is 2.5, expected a whole number below 2^53");
    ck_assert_int_eq(whole, 0);
    ck_assert_int_eq(marl__json_get_int(json, 0, "i", &whole), MARL_OK);
    ck_assert_int_eq(whole, INT64_C(9007199254740991));
    ck_assert_int_eq(marl__json_get_int(json, 0, "big", &whole), MARL_E_FORMAT);
    ck_assert_int_eq(marl__json_get_int(json, 0, "e", &whole), MARL_OK);
    ck_assert_int_eq(whole, -1000);
    ck_assert_int_eq(marl__json_get_int(json, 0, "missing", &whole), MARL_E_FORMAT);
    ck_assert_str_eq(marl_last_error(), "a test: the key \"missing\" is missing");
    ck_assert_int_eq(marl__json_get_real(json, 0, "l", &real), MARL_E_FORMAT);
    ck_assert_int_eq(marl__json_real(json, -1, &real), MARL_E_FORMAT);
    marl__json_destroy(json);
}
END_TEST

/* ---- numbers ---- */

static uint64_t bits_of(double value) {
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

START_TEST(reals_agree_with_libc) {
    static const char *const texts[] = {
        "0", "-0", "1", "0.1", "-2.5e-3", "123456789012345678901234567890", "9007199254740993",
        "9007199254740993.0000001", "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324", "1.7976931348623157e308", "1.7976931348623158e308", "0.000000000000000000000000001",
        "1e-400", "0e999999999999", "0.0000e-99999", "1e23", "8.5e22", "179769313486231570000e288", "5e-1", "00012.50",
        "1000000000000000000000000000000000000000000000000000000000000e-60"};

    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; ++index) {
        double value = 1;
        ck_assert_int_eq(marl__read_real(texts[index], &value), 1);
        ck_assert_msg(bits_of(value) == bits_of(strtod(texts[index], NULL)), "%s", texts[index]);
    }
}
END_TEST

/* 1 + 2^-53 lies between 1 and its neighbour; a digit a thousand places further on decides. */
START_TEST(digits_far_behind_decide) {
    char text[2000] = "1.00000000000000011102230246251565404236316680908203125";
    size_t bytes = strlen(text);
    double value = 0;

    ck_assert_int_eq(marl__read_real(text, &value), 1);
    ck_assert(value == 1.0);
    memset(text + bytes, '0', 1500);
    ck_assert_int_eq(marl__read_real(text, &value), 1);
    ck_assert(value == 1.0);
    text[bytes + 1499] = '1';
    ck_assert_int_eq(marl__read_real(text, &value), 1);
    ck_assert(value == 1.0 + DBL_EPSILON);
    /* zeros in front and the exponent make up for one another */
    memset(text, '0', sizeof text);
    text[1] = '.';
    strcpy(text + 1500, "25e1499");
    ck_assert_int_eq(marl__read_real(text, &value), 1);
    ck_assert(value == 2.5);
    memset(text, '7', 1200);
    strcpy(text + 1200, "e-1199");
    ck_assert_int_eq(marl__read_real(text, &value), 1);
    ck_assert(value == 7.777777777777777777777);
}
END_TEST

START_TEST(texts_that_are_no_numbers) {
    static const char *const reals[] = {"", " ", "-", "+", ".", "-.", "e5", "1e", "1e+", "1 ", " 1", "1x", "0x10",
                                        "nan", "inf", "-inf", "1,5", "1.5.2", "1e400", "-1e400", "1e5e5", "--1",
                                        "1e99999999999"};
    static const char *const wholes[] = {"", "-", "+", "1.0", "1e3", " 1", "1 ", "x", "9223372036854775808",
                                         "-9223372036854775809", "99999999999999999999999", "0x1", "--1", "+-1"};

    for (size_t index = 0; index < sizeof reals / sizeof reals[0]; ++index) {
        double value = 1;
        ck_assert_msg(marl__read_real(reals[index], &value) == 0, "%s", reals[index]);
        ck_assert(value == 0);
    }
    for (size_t index = 0; index < sizeof wholes / sizeof wholes[0]; ++index) {
        int64_t value = 1;
        ck_assert_msg(marl__read_int(wholes[index], &value) == 0, "%s", wholes[index]);
        ck_assert_int_eq(value, 0);
    }
}
END_TEST

START_TEST(wholes_to_their_limits) {
    int64_t value = 0;

    ck_assert(marl__read_int("9223372036854775807", &value) && value == INT64_MAX);
    ck_assert(marl__read_int("-9223372036854775808", &value) && value == INT64_MIN);
    ck_assert(marl__read_int("+17", &value) && value == 17);
    ck_assert(marl__read_int("-0", &value) && value == 0);
    ck_assert(marl__read_int("007", &value) && value == 7);
    double real = 0;
    ck_assert(marl__read_real("+.5", &real) && real == 0.5);
    ck_assert(marl__read_real("5.", &real) && real == 5);
}
END_TEST

static void expect_round_trip(double value) {
    char text[32];
    double back = 0;

    marl__write_real(value, text);
    ck_assert_msg(marl__read_real(text, &back) == 1, "%s", text);
    ck_assert_msg(bits_of(back) == bits_of(value), "%s", text);
}

START_TEST(reals_are_written_shortly) {
    static const struct { double value; const char *text; } known[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {5e-4, "0.0005"}, {-2.5, "-2.5"}, {1e22, "1e+22"},
        {100000, "100000"},
        {1.0 / 3, "0.3333333333333333"}, {0.1 + 0.2, "0.30000000000000004"}, {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "5e-324"}, {1e-5, "1e-05"}, {9007199254740993.0, "9007199254740992"}, {0.15, "0.15"}};

    for (size_t index = 0; index < sizeof known / sizeof known[0]; ++index) {
        char text[32];
        marl__write_real(known[index].value, text);
        ck_assert_str_eq(text, known[index].text);
        expect_round_trip(known[index].value);
    }
}
END_TEST

START_TEST(reals_of_any_bits_round_trip) {
    marl__rng rng;

    marl__rng_init(&rng, 11, MARL__STREAM_TEST);
    for (int round = 0; round < 10000; ++round) {
        uint64_t bits = marl__rng_u64(&rng);
        double value = 0;
        if (round % 4 == 0) bits &= ~(UINT64_C(0x7ff) << 52); /* subnormal */
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) expect_round_trip(value);
        expect_round_trip((double)marl__rng_below(&rng, 100000) / 1000);
        expect_round_trip((double)(float)marl__rng_real(&rng));
    }
}
END_TEST

START_TEST(locale_with_a_comma) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE", "fr_FR"};
    const char *set = NULL;
    char text[32];
    double value = 0;

    for (size_t index = 0; index < sizeof names / sizeof names[0] && !set; ++index)
        set = setlocale(LC_ALL, names[index]);
    if (!set) {
        marl__test_skip("no locale with a decimal comma is installed");
        return;
    }
    marl__write_real(-1234.5e-10, text);
    int is_read = marl__read_real("-1234.5e-10", &value);
    setlocale(LC_ALL, "C");
    ck_assert_str_eq(text, "-1.2345e-07");
    ck_assert_int_eq(is_read, 1);
    ck_assert(value == -1234.5e-10);
}
END_TEST

/* ---- the writer ---- */

START_TEST(what_is_written_reads_back) {
    marl__json_writer writer;
    static const char expected[] = "{\"t\":\"a\\\"\\\\\\n\\t\\u0001\\u001f\x7f\xc3\xa9/\","
                                   "\"i\":-9223372036854775808,\"r\":0.1,"
                                   "\"nan\":null,\"inf\":null,\"b\":true,"
                                   "\"list\":[1,[],{},\"x\",false,{\"k\":2}],\"raw\":[1,2],"
                                   "\"q\\\"\":0}";

    ck_assert_int_eq(marl__json_writer_init(&writer, &heap, 0), MARL_OK);
    marl__json_open_object(&writer, NULL);
    marl__json_write_text(&writer, "t", "a\"\\\n\t\x01\x1f\x7f\xc3\xa9/");
    marl__json_write_int(&writer, "i", INT64_MIN);
    marl__json_write_real(&writer, "r", 0.1);
    marl__json_write_real(&writer, "nan", NAN);
    marl__json_write_real(&writer, "inf", -INFINITY);
    marl__json_write_bool(&writer, "b", 5);
    marl__json_open_array(&writer, "list");
    marl__json_write_int(&writer, NULL, 1);
    marl__json_open_array(&writer, NULL);
    marl__json_close_array(&writer);
    marl__json_open_object(&writer, NULL);
    marl__json_close_object(&writer);
    marl__json_write_text(&writer, NULL, "x");
    marl__json_write_bool(&writer, NULL, 0);
    marl__json_open_object(&writer, NULL);
    marl__json_write_int(&writer, "k", 2);
    marl__json_close_object(&writer);
    marl__json_close_array(&writer);
    marl__json_write_raw(&writer, "raw", "[1,2]");
    marl__json_write_int(&writer, "q\"", 0);
    marl__json_close_object(&writer);
    ck_assert_int_eq(writer.status, MARL_OK);
    ck_assert_str_eq(writer.text, expected);
    ck_assert_uint_eq(writer.bytes, strlen(expected));
    marl__json *json = parse(writer.text);
    ck_assert_str_eq(marl__json_text(json, marl__json_find(json, 0, "t")), "a\"\\\n\t\x01\x1f\x7f\xc3\xa9/");
    ck_assert_uint_eq(marl__json_count(json, marl__json_find(json, 0, "list")), 6);
    marl__json_destroy(json);
    marl__json_writer_free(&writer);
    marl__json_writer_free(&writer);
}
END_TEST

START_TEST(a_reused_writer_allocates_nothing) {
    marl__json_writer writer;

    ck_assert_int_eq(marl__json_writer_init(&writer, &heap, 4096), MARL_OK);
    uint64_t before = heap.allocation_count;
    if (marl__malloc_count_works()) marl__malloc_count_start();
    for (int round = 0; round < 100; ++round) {
        marl__json_writer_reset(&writer);
        marl__json_open_object(&writer, NULL);
        for (int key = 0; key < 20; ++key) marl__json_write_real(&writer, "loss", 1.0 / (round + key + 1) * 1e-300);
        marl__json_write_int(&writer, "steps", round);
        marl__json_write_text(&writer, "env", "lbf:8x8-2p-2f-coop");
        marl__json_close_object(&writer);
    }
    if (marl__malloc_count_works()) ck_assert_uint_eq(marl__malloc_count_stop(), 0);
    ck_assert_int_eq(writer.status, MARL_OK);
    ck_assert_uint_eq(heap.allocation_count, before);
    marl__json_writer_free(&writer);
}
END_TEST

START_TEST(faults_of_the_writer_stay) {
    marl__json_writer writer;

    marl__json_writer_init(&writer, &heap, 0);
    for (int depth = 0; depth < 40; ++depth) marl__json_open_array(&writer, NULL);
    ck_assert_int_eq(writer.status, MARL_E_STATE);
    marl__json_writer_reset(&writer);
    marl__json_close_array(&writer);
    ck_assert_int_eq(writer.status, MARL_E_STATE);
    marl__json_writer_reset(&writer);
    marl__json_write_text(&writer, NULL, "\xff");
    marl__json_write_int(&writer, NULL, 1);
    ck_assert_int_eq(writer.status, MARL_E_FORMAT);
    marl__json_writer_reset(&writer);
    marl__json_write_int(&writer, NULL, 1);
    ck_assert_int_eq(writer.status, MARL_OK);
    ck_assert_str_eq(writer.text, "1");
    marl__json_writer_free(&writer);
    marl__json_write_int(&writer, NULL, 1);
    ck_assert_int_eq(writer.status, MARL_E_STATE);
}
END_TEST

/* ---- memory that fails ---- */

START_TEST(parsing_with_an_allocation_failing) {
    static const char text[] = "{\"a\":[1,2,{\"b\":\"x\"}]}";
    int failures = 0;

    for (uint64_t at = 1;; ++at) {
        marl__test_memory memory = {.fail_at = at};
        marl_host host;
        marl__heap poor;
        marl__json *json = NULL;
        marl__test_host(&memory, &host);
        marl__heap_init(&poor, &host);
        marl_status status = marl__json_parse(&poor, text, sizeof text - 1, "x", &json);
        if (status == MARL_OK) marl__json_destroy(json);
        else ck_assert_ptr_null(json);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_eq(memory.faults, 0);
        if (status == MARL_OK) break;
        ck_assert_int_eq(status, MARL_E_NOMEM);
        ++failures;
    }
    ck_assert_int_eq(failures, 6);
}
END_TEST

START_TEST(writing_with_an_allocation_failing) {
    int failures = 0;

    for (uint64_t at = 1;; ++at) {
        marl__test_memory memory = {.fail_at = at};
        marl_host host;
        marl__heap poor;
        marl__json_writer writer;
        marl__test_host(&memory, &host);
        marl__heap_init(&poor, &host);
        marl__json_writer_init(&writer, &poor, 0);
        marl__json_open_array(&writer, NULL);
        for (int item = 0; item < 100; ++item) marl__json_write_text(&writer, NULL, "twelve bytes");
        marl__json_close_array(&writer);
        marl_status status = writer.status;
        marl__json_writer_free(&writer);
        ck_assert_uint_eq(memory.live_blocks, 0);
        if (status == MARL_OK) break;
        ck_assert_int_eq(status, MARL_E_NOMEM);
        ++failures;
    }
    ck_assert_int_ge(failures, 5);
}
END_TEST

START_TEST(utf8_is_recognised) {
    ck_assert(marl__is_utf8("", 0));
    ck_assert(marl__is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
    ck_assert(!marl__is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9));
    ck_assert(!marl__is_utf8("a\0b", 3));
    ck_assert(!marl__is_utf8("\xed\xa0\x80", 3));
    ck_assert(marl__is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10));
}
END_TEST

Suite *marl__suite_core_json(void) {
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, malformed_texts_are_refused);
    tcase_add_test(tests, every_beginning_is_refused);
    tcase_add_test(tests, embedded_nul_bytes);
    tcase_add_test(tests, changed_bytes_do_no_harm);
    tcase_add_test(tests, too_many_tokens);
    tcase_add_loop_test(tests, many_keys_are_quick, 0, 2);
    tcase_add_test(tests, documents_are_walked);
    tcase_add_test(tests, roots_of_every_type);
    tcase_add_test(tests, escapes_are_decoded);
    tcase_add_test(tests, members_of_a_type);
    tcase_add_test(tests, reals_agree_with_libc);
    tcase_add_test(tests, digits_far_behind_decide);
    tcase_add_test(tests, texts_that_are_no_numbers);
    tcase_add_test(tests, wholes_to_their_limits);
    tcase_add_test(tests, reals_are_written_shortly);
    tcase_add_test(tests, reals_of_any_bits_round_trip);
    tcase_add_test(tests, locale_with_a_comma);
    tcase_add_test(tests, what_is_written_reads_back);
    tcase_add_test(tests, a_reused_writer_allocates_nothing);
    tcase_add_test(tests, faults_of_the_writer_stay);
    tcase_add_test(tests, parsing_with_an_allocation_failing);
    tcase_add_test(tests, writing_with_an_allocation_failing);
    tcase_add_test(tests, utf8_is_recognised);
    suite_add_tcase(suite, tests);
    return suite;
}
