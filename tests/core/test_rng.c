/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against the known answers published with Random123, streams, bounds and moments. */
#include <check.h>
#include <math.h>
#include <stdint.h>

#include "core/base/rng.h"

typedef struct known_answer { uint32_t counter[4], key[2], block[4]; } known_answer;

static const known_answer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static uint64_t joined(const uint32_t *low_high) {
    return (uint64_t)low_high[1] << 32 | low_high[0];
}

START_TEST(known_answers_of_philox) {
    const known_answer *known = &known_answers[_i];
    uint32_t block[4];

    marl__philox(joined(known->key), joined(known->counter + 2), joined(known->counter), block);
    for (int word = 0; word < 4; ++word) ck_assert_uint_eq(block[word], known->block[word]);
}
END_TEST

START_TEST(words_come_from_blocks_in_order) {
    marl__rng rng;
    uint32_t block[4];

    marl__rng_init(&rng, 0x123456789abcdefu, marl__stream(MARL__STREAM_TEST, 5));
    for (uint64_t word = 0; word < 41; ++word) {
        marl__philox(rng.seed, rng.stream, word / 4, block);
        ck_assert_uint_eq(rng.counter, word);
        ck_assert_uint_eq(marl__rng_u32(&rng), block[word % 4]);
    }
}
END_TEST

START_TEST(long_words_are_two_words) {
    for (uint64_t start = 0; start < 8; ++start) {
        marl__rng two, one;
        marl__rng_init(&two, 9, 3);
        marl__rng_init(&one, 9, 3);
        two.counter = one.counter = start;
        uint64_t low = marl__rng_u32(&two), high = marl__rng_u32(&two);
        ck_assert_uint_eq(marl__rng_u64(&one), high << 32 | low);
        ck_assert_uint_eq(one.counter, two.counter);
    }
}
END_TEST

START_TEST(streams_differ) {
    marl__rng rng;
    uint64_t first[6];
    const uint64_t streams[6] = {
        marl__stream(MARL__STREAM_ENV, 0), marl__stream(MARL__STREAM_ENV, 1), marl__stream(MARL__STREAM_EXPLORE, 0),
        marl__stream(MARL__STREAM_EXPLORE, 1), marl__stream(MARL__STREAM_INIT, 0),
        marl__stream(MARL__STREAM_ENV, 1u << 31)};

    for (int index = 0; index < 6; ++index) {
        marl__rng_init(&rng, 1, streams[index]);
        ck_assert_uint_eq(rng.counter, 0);
        first[index] = marl__rng_u64(&rng);
        for (int other = 0; other < index; ++other) {
            ck_assert_uint_ne(streams[index], streams[other]);
            ck_assert_uint_ne(first[index], first[other]);
        }
    }
    ck_assert_uint_eq(marl__stream(7, 3), (uint64_t)3 << 32 | 7);
}
END_TEST

START_TEST(bounded_numbers_are_uniform) {
    static const uint32_t bounds[] = {1, 2, 3, 6, 7, 10};
    const uint32_t bound = bounds[_i];
    const int draws = 60000;
    int counts[10] = {0};
    double statistic = 0;
    marl__rng rng;

    marl__rng_init(&rng, 77, marl__stream(MARL__STREAM_TEST, bound));
    for (int draw = 0; draw < draws; ++draw) {
        uint32_t number = marl__rng_below(&rng, bound);
        ck_assert_uint_lt(number, bound);
        counts[number]++;
    }
    for (uint32_t number = 0; number < bound; ++number) {
        double expected = (double)draws / bound, gap = counts[number] - expected;
        statistic += gap * gap / expected;
    }
    /* chi-square with at most 9 degrees of freedom: 33.7 is passed once in 10 000 seeds */
    ck_assert_double_lt(statistic, 33.7);
}
END_TEST

START_TEST(large_bounds_are_unbiased) {
    /* multiply-and-shift without rejection would give the lower third twice as often as fair */
    const uint32_t bound = UINT32_C(0xc0000000);
    uint32_t in_third[3] = {0};
    marl__rng rng;

    marl__rng_init(&rng, 5, 5);
    for (int draw = 0; draw < 30000; ++draw) {
        uint32_t number = marl__rng_below(&rng, bound);
        ck_assert_uint_lt(number, bound);
        in_third[number % 3]++;
    }
    for (int third = 0; third < 3; ++third) {
        ck_assert_uint_gt(in_third[third], 9600);
        ck_assert_uint_lt(in_third[third], 10400);
    }
    ck_assert_uint_gt(rng.counter, 36000); /* a quarter of the words is drawn again */
    for (int draw = 0; draw < 100; ++draw) ck_assert_uint_lt(marl__rng_below(&rng, UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(reals_lie_in_their_interval) {
    double sum = 0, square = 0;
    float least = 1, most = 0;
    marl__rng rng;

    marl__rng_init(&rng, 42, 1);
    for (int draw = 0; draw < 100000; ++draw) {
        double real = marl__rng_real(&rng);
        float real32 = marl__rng_real32(&rng);
        ck_assert(real >= 0 && real < 1);
        ck_assert(real32 >= 0 && real32 < 1);
        ck_assert(real * 0x1p53 == floor(real * 0x1p53));
        ck_assert(real32 * 0x1p24f == floorf(real32 * 0x1p24f));
        sum += real;
        square += real * real;
        least = real32 < least ? real32 : least;
        most = real32 > most ? real32 : most;
    }
    ck_assert_double_lt(fabs(sum / 100000 - 0.5), 0.005);
    ck_assert_double_lt(fabs(square / 100000 - 1.0 / 3), 0.005);
    ck_assert(least < 0.001f && most > 0.999f);
}
END_TEST

Suite *marl__suite_core_rng(void) {
    Suite *suite = suite_create("rng");
    TCase *tests = tcase_create("rng");

    tcase_add_loop_test(tests, known_answers_of_philox, 0, 3);
    tcase_add_test(tests, words_come_from_blocks_in_order);
    tcase_add_test(tests, long_words_are_two_words);
    tcase_add_test(tests, streams_differ);
    tcase_add_loop_test(tests, bounded_numbers_are_uniform, 0, 6);
    tcase_add_test(tests, large_bounds_are_unbiased);
    tcase_add_test(tests, reals_lie_in_their_interval);
    suite_add_tcase(suite, tests);
    return suite;
}
