/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C, reflected polynomial 0x82f63b78. Two ways to the same number: the SSE 4.2 instruction (8 bytes in 3 cycles),
 * and tables that take 8 bytes a step, for every other CPU. The tables are written as the linear maps they are: the
 * entry of index i is the sum (exclusive or) of the entries of i's bits, so 8 numbers define a table of 256 and the
 * compiler builds it; nothing is computed, or written to, at run time. */
#include "core/base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are loaded as they lie in memory");

/* Entry i of the table whose entries of 1, 2, 4, ... 128 are a .. h. */
#define BIT(i, bit, entry) (((i) >> (bit)&1u) ? (entry) : 0u)
#define ENTRY(i, a, b, c, d, e, f, g, h) \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ \
     BIT(i, 7, h))
#define ENTRIES_4(i, ...) \
    ENTRY((i), __VA_ARGS__), ENTRY((i) + 1u, __VA_ARGS__), ENTRY((i) + 2u, __VA_ARGS__), ENTRY((i) + 3u, __VA_ARGS__)
#define ENTRIES_16(i, ...) \
    ENTRIES_4(i, __VA_ARGS__), ENTRIES_4((i) + 4u, __VA_ARGS__), ENTRIES_4((i) + 8u, __VA_ARGS__), \
    ENTRIES_4((i) + 12u, __VA_ARGS__)
#define ENTRIES_64(i, ...) \
    ENTRIES_16(i, __VA_ARGS__), ENTRIES_16((i) + 16u, __VA_ARGS__), ENTRIES_16((i) + 32u, __VA_ARGS__), \
    ENTRIES_16((i) + 48u, __VA_ARGS__)
#define TABLE(...) \
    {ENTRIES_64(0u, __VA_ARGS__), ENTRIES_64(64u, __VA_ARGS__), ENTRIES_64(128u, __VA_ARGS__), \
     ENTRIES_64(192u, __VA_ARGS__)}

/* tables[k][i]: the remainder of byte i followed by k zero bytes. */
static const uint32_t tables[8][256] = {
    TABLE(0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu, 0x417b1dbcu, 0x82f63b78u),
    TABLE(0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u, 0xff17c604u, 0xfbc3faf9u),
    TABLE(0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u, 0xc76580d9u, 0x8b277743u),
    TABLE(0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu, 0xaba65fe7u, 0x52a0c93fu),
    TABLE(0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u, 0x37516aaeu, 0x6ea2d55cu),
    TABLE(0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du, 0x0e045bebu, 0x1c08b7d6u),
    TABLE(0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu, 0x7ab7077au, 0xf56e0ef4u),
    TABLE(0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u, 0x1a00cb32u, 0x34019664u),
};

uint32_t marl__crc32c_portable(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *at = data;
    crc = ~crc;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (int k = 0; k < 8; k++) {
            crc ^= tables[7 - k][word >> 8 * k & 0xff];
        }
    }
    for (; bytes > 0; at++, bytes--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint64_t sum = (uint32_t)~crc;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    for (; bytes > 0; at++, bytes--) {
        sum = _mm_crc32_u8((uint32_t)sum, *at);
    }
    return ~(uint32_t)sum;
}

uint32_t marl__crc32c(uint32_t crc, const void *data, size_t bytes) {
    if (__builtin_cpu_supports("sse4.2")) {
        return crc32c_sse42(crc, data, bytes);
    }
    return marl__crc32c_portable(crc, data, bytes);
}

#else

uint32_t marl__crc32c(uint32_t crc, const void *data, size_t bytes) {
    return marl__crc32c_portable(crc, data, bytes);
}

#endif
