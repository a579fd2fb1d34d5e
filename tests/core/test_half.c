/* SPDX-License-Identifier: Apache-2.0 */
/* Half precision: every half against its definition in double, and rounding at every boundary between two halves. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/io/half.h"

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What a finite half means. */
static double meaning(uint16_t half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -size : size;
}

static int is_nan_half(uint16_t half) {
    return (half & 0x7c00) == 0x7c00 && (half & 0x3ff);
}

START_TEST(all_halves_there_and_back) {
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t half = (uint16_t)i;
        float value = marl__f16_to_f32(half);
        if (is_nan_half(half)) {
            ck_assert(isnan(value));
            ck_assert_uint_eq(bits_of(value) >> 31, half >> 15);
            ck_assert_uint_eq(marl__f32_to_f16(value), half | 0x200); /* quiet, payload kept */
            continue;
        }
        if ((half & 0x7fff) == 0x7c00) {
            ck_assert(isinf(value) && (value < 0) == (half >> 15));
        } else {
            ck_assert_double_eq(value, meaning(half));
        }
        ck_assert_uint_eq(bits_of(value) >> 31, half >> 15); /* the sign of zero too */
        ck_assert_uint_eq(marl__f32_to_f16(value), half);
    }
}
END_TEST

/* Between two neighbours: the middle goes to the even one, one float below and above it to the nearer one. */
START_TEST(all_boundaries_round_to_nearest_even) {
    for (uint32_t i = 0; i < 0x7c00; i++) {
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            uint16_t low = (uint16_t)(i | sign), high = (uint16_t)((i + 1) | sign);
            double upper = i + 1 == 0x7c00 ? 65536.0 : fabs(meaning(high));
            float middle = (float)((fabs(meaning(low)) + upper) / 2); /* exact: 12 bits suffice */
            float below = nextafterf(middle, 0), above = nextafterf(middle, INFINITY);
            float flip = sign ? -1.0f : 1.0f;
            ck_assert_uint_eq(marl__f32_to_f16(flip * middle), i & 1 ? high : low);
            ck_assert_uint_eq(marl__f32_to_f16(flip * below), low);
            ck_assert_uint_eq(marl__f32_to_f16(flip * above), high);
        }
    }
}
END_TEST

/* Many at once are each as one alone, in blocks and in what is left over. */
START_TEST(many_are_as_one) {
    static uint16_t halves[65536], back[65536];
    static float reals[65536];
    for (uint32_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    for (size_t count = 65536; count >= 65519; count--) { /* up to a block less than all */
        memset(reals, 0x7f, sizeof reals);
        marl__f16_to_f32_all(count, halves + 65536 - count, reals);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(bits_of(reals[i]), bits_of(marl__f16_to_f32(halves[65536 - count + i])));
    }
    for (size_t count = 0; count < 40; count++) { /* nothing is written past the end */
        memset(reals, 0x7f, 41 * sizeof *reals);
        marl__f16_to_f32_all(count, halves + 20000, reals);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(bits_of(reals[i]), bits_of(marl__f16_to_f32(halves[20000 + i])));
        ck_assert_uint_eq(bits_of(reals[count]), 0x7f7f7f7f);
        marl__f32_to_f16_all(count, reals, back);
        ck_assert_mem_eq(back, halves + 20000, count * sizeof *back);
    }
    /* Floats of all sizes, and those at the middle between two halves and next to it. */
    for (uint32_t round = 0; round < 70; round++) {
        for (uint32_t i = 0; i < 65536; i++) {
            uint32_t middle = 0x33000000u + (i << 13) + 0xfffu + round, any = i << 16 ^ (round * 937u + i * 40503u);
            reals[i] = float_of(round < 3 ? middle : any);
        }
        marl__f32_to_f16_all(65536, reals, back);
        for (size_t i = 0; i < 65536; i++) ck_assert_uint_eq(back[i], marl__f32_to_f16(reals[i]));
    }
}
END_TEST

START_TEST(what_fits) {
    static const float bad[] = {65520.0f, -65520.0f, INFINITY, -INFINITY, NAN, 3e38f};
    float values[19];
    for (size_t i = 0; i < 19; i++) values[i] = i % 2 ? -65519.99f : 65504.0f;
    ck_assert(marl__fits_f16(19, values));
    ck_assert(marl__fits_f16(0, values));
    for (size_t at = 0; at < 19; at++) {
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            float kept = values[at];
            values[at] = bad[b];
            ck_assert(!marl__fits_f16(19, values));
            values[at] = kept;
        }
    }
}
END_TEST

START_TEST(extremes) {
    ck_assert_uint_eq(marl__f32_to_f16(0.0f), 0);
    ck_assert_uint_eq(marl__f32_to_f16(-0.0f), 0x8000);
    ck_assert_uint_eq(marl__f32_to_f16(1.0f), 0x3c00);
    ck_assert_uint_eq(marl__f32_to_f16(65504.0f), 0x7bff);
    ck_assert_uint_eq(marl__f32_to_f16(65520.0f), 0x7c00);
    ck_assert_uint_eq(marl__f32_to_f16(3.4e38f), 0x7c00);
    ck_assert_uint_eq(marl__f32_to_f16(-INFINITY), 0xfc00);
    ck_assert_uint_eq(marl__f32_to_f16(float_of(1)), 0);             /* the smallest float */
    ck_assert_uint_eq(marl__f32_to_f16(float_of(0x7f800001)), 0x7e00); /* a NaN whose payload is in the lost bits */
    ck_assert_uint_eq(marl__f32_to_f16(float_of(0xffffffff)), 0xffff);
}
END_TEST

Suite *marl__suite_core_half(void) {
    Suite *suite = suite_create("half");
    TCase *tests = tcase_create("half");
    tcase_add_test(tests, all_halves_there_and_back);
    tcase_add_test(tests, all_boundaries_round_to_nearest_even);
    tcase_add_test(tests, extremes);
    tcase_add_test(tests, many_are_as_one);
    tcase_add_test(tests, what_fits);
    suite_add_tcase(suite, tests);
    return suite;
}
