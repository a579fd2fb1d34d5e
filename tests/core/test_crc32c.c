/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C against the published values (RFC 3720 B.4), bit by bit, and the two implementations against each other. */
#include <check.h>
#include <string.h>

#include "core/base/crc32c.h"

/* The definition: one bit at a time. */
static uint32_t crc_by_bits(uint32_t crc, const uint8_t *data, size_t bytes) {
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1u ? 0x82f63b78u : 0u);
        }
    }
    return ~crc;
}

static void fill(uint8_t *data, size_t bytes, uint32_t seed) {
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
}

START_TEST(published_values) {
    uint8_t data[32];
    ck_assert_uint_eq(marl__crc32c(0, "123456789", 9), 0xe3069283u);
    memset(data, 0, sizeof data);
    ck_assert_uint_eq(marl__crc32c(0, data, sizeof data), 0x8a9136aau);
    memset(data, 0xff, sizeof data);
    ck_assert_uint_eq(marl__crc32c(0, data, sizeof data), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++) {
        data[i] = i;
    }
    ck_assert_uint_eq(marl__crc32c(0, data, sizeof data), 0x46dd794eu);
    ck_assert_uint_eq(marl__crc32c(0, NULL, 0), 0);
    ck_assert_uint_eq(marl__crc32c(77, NULL, 0), 77);
}
END_TEST

START_TEST(every_length_and_alignment) {
    uint8_t data[300];
    fill(data, sizeof data, 1);
    for (size_t start = 0; start < 9; start++) {
        for (size_t bytes = 0; start + bytes <= sizeof data; bytes++) {
            uint32_t expected = crc_by_bits(0x1234, data + start, bytes);
            ck_assert_uint_eq(marl__crc32c_portable(0x1234, data + start, bytes), expected);
            ck_assert_uint_eq(marl__crc32c(0x1234, data + start, bytes), expected);
        }
    }
}
END_TEST

START_TEST(every_byte_value_at_every_lane) {
    for (int lane = 0; lane < 8; lane++) {
        for (int value = 0; value < 256; value++) {
            uint8_t data[8] = {0};
            data[lane] = (uint8_t)value;
            ck_assert_uint_eq(marl__crc32c_portable(0, data, 8), crc_by_bits(0, data, 8));
        }
    }
}
END_TEST

START_TEST(pieces_add_up) {
    uint8_t data[257];
    fill(data, sizeof data, 2);
    uint32_t whole = marl__crc32c(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        uint32_t first = marl__crc32c(0, data, cut);
        ck_assert_uint_eq(marl__crc32c(first, data + cut, sizeof data - cut), whole);
        ck_assert_uint_eq(marl__crc32c_portable(first, data + cut, sizeof data - cut), whole);
    }
}
END_TEST

Suite *marl__suite_core_crc32c(void) {
    Suite *suite = suite_create("crc32c");
    TCase *tests = tcase_create("crc32c");
    tcase_add_test(tests, published_values);
    tcase_add_test(tests, every_length_and_alignment);
    tcase_add_test(tests, every_byte_value_at_every_lane);
    tcase_add_test(tests, pieces_add_up);
    suite_add_tcase(suite, tests);
    return suite;
}
