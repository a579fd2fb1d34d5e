/* SPDX-License-Identifier: Apache-2.0 */
/* Files that must be refused, and for the right reason: each row names a part of the sentence it must give. The groups
 * follow the kinds of faults that model-file readers have had. Then what cannot be written by hand: every prefix, every
 * flipped bit, mutations, and headers that try to cost memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/safetensors.h"

/* A tensor's entry; shape and range are written without brackets. */
#define T(name, type, shape, range) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" range "]}"

typedef struct row {
    const char *header;
    uint32_t data_bytes;
    const char *reason; /* part of the sentence */
} row;

static const row refused[] = {
    /* no object, or none that ends */
    {"", 0, "expected '{'"},
    {" ", 0, "expected '{'"},
    {"{", 0, "name in quotes"},
    {"}", 0, "expected '{'"},
    {" {}", 0, "expected '{'"},
    {"\n{}", 0, "expected '{'"},
    {"[]", 0, "expected '{'"},
    {"null", 0, "expected '{'"},
    {"0", 0, "expected '{'"},
    {"\"a\"", 0, "expected '{'"},
    {"{}x", 0, "spaces only"},
    {"{}\n", 0, "spaces only"},
    {"{}\t", 0, "spaces only"},
    {"{} {}", 0, "spaces only"},
    {"{},", 0, "spaces only"},
    {"{}}", 0, "spaces only"},
    {"{,}", 0, "name in quotes"},
    {"{]", 0, "name in quotes"},
    {"{\"", 0, "end of a name"},
    {"{\"a", 0, "end of a name"},
    {"{\"a\\", 0, "end of a name"},
    {"{\"a\\\"", 0, "end of a name"},
    {"{\"a\"", 0, "':' and '{'"},
    {"{\"a\":", 0, "':' and '{'"},
    {"{\"a\":}", 0, "':' and '{'"},
    {"{\"a\" {}}", 0, "':' and '{'"},
    {"{\"a\"={}}", 0, "':' and '{'"},
    {"{a:{}}", 0, "name in quotes"},
    {"{'a':{}}", 0, "name in quotes"},
    {"{/**/}", 0, "name in quotes"},
    {"{\"a\":{", 0, "closing brace"},
    {"{\"a\":{\"", 0, "closing brace"},
    {"{\"a\":{\"}", 0, "closing brace"},
    {"{\"a\":{\"\\\"}}", 0, "closing brace"},
    {"{\"a\":{[}", 0, "closing brace"},
    {"{" T("a", "U8", "1", "0,1"), 1, "',' or '}'"},
    {"{" T("a", "U8", "1", "0,1") ",", 1, "name in quotes"},
    {"{" T("a", "U8", "1", "0,1") ",}", 1, "name in quotes"},
    {"{" T("a", "U8", "1", "0,1") T("b", "U8", "1", "1,2") "}", 2, "',' or '}'"},
    {"{" T("a", "U8", "1", "0,1") ";" T("b", "U8", "1", "1,2") "}", 2, "',' or '}'"},
    {"{" T("a", "U8", "1", "0,1") ",," T("b", "U8", "1", "1,2") "}", 2, "name in quotes"},
    {"{" T("a", "U8", "1", "0,1") "]", 1, "',' or '}'"},
    {"\xef\xbb\xbf{}", 0, "expected '{'"}, /* a byte order mark */

    /* an entry that is no object */
    {"{\"a\":[]}", 0, "':' and '{'"},
    {"{\"a\":1}", 0, "':' and '{'"},
    {"{\"a\":null}", 0, "':' and '{'"},
    {"{\"a\":\"b\"}", 0, "':' and '{'"},
    {"{\"a\":true}", 0, "':' and '{'"},

    /* JSON of the entry */
    {"{\"a\":{]}}", 0, "spaces only"}, /* the bracket ends the entry, a brace the header, and one is left */
    {"{\"a\":{\"dtype\" \"U8\"}}", 0, "header of memory"},
    {"{\"a\":{\"dtype\":\"U8\",}}", 0, "header of memory"},
    {"{\"a\":{\"dtype\":U8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "header of memory"},
    {"{\"a\":{\"dtype\":'U8',\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "header of memory"},
    {"{\"a\":{dtype:\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "header of memory"},
    {"{" T("a", "U8", "1,", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", ",1", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "1 1", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "01", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "+1", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "0x1", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", ".1", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "1.", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "1e", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "NaN", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "Infinity", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "TRUE", "0,1") "}", 1, "header of memory"},
    {"{" T("a", "U8", "1e999", "0,1") "}", 1, "header of memory"},
    {"{" T("a\\", "U8", "1", "0,1") "}", 1, "':' and '{'"}, /* the name's quote is escaped: it ends elsewhere */
    {"{" T("a\\x41", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\\u12", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\\u0000b", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\\ud800", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\\udc00\\ud800", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\x01", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\n", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\xff", "U8", "1", "0,1") "}", 1, "header of memory"},
    {"{" T("a\xc0\xaf", "U8", "1", "0,1") "}", 1, "header of memory"},         /* overlong */
    {"{" T("a\xed\xa0\x80", "U8", "1", "0,1") "}", 1, "header of memory"},     /* surrogate */
    {"{" T("a\xf4\x90\x80\x80", "U8", "1", "0,1") "}", 1, "header of memory"}, /* beyond Unicode */
    {"{" T("a\xe2\x82", "U8", "1", "0,1") "}", 1, "header of memory"},         /* torn */
    {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "stands twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"dt\\u0079pe\":\"F32\",\"data_offsets\":[0,1]}}", 1, "stands twice"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "stands twice"},
    {"{" T("a", "U8", "[[[[[[[[1]]]]]]]]", "0,1") "}", 1, "8 levels"},

    /* keys of the entry */
    {"{\"a\":{}}", 0, "other keys"},
    {"{\"a\":{\"dtype\":\"U8\"}}", 0, "other keys"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "other keys"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "other keys"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":0}}", 1, "other keys"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", 1, "no data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"DATA_OFFSETS\":[0,1]}}", 1, "no data_offsets"},
    {"{\"a\":{\"Dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype"},
    {"{\"a\":{\"dtype \":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"shapes\":[1],\"data_offsets\":[0,1]}}", 1, "no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"\":[1],\"data_offsets\":[0,1]}}", 1, "no shape"},

    /* type */
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype, a text"},
    {"{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype, a text"},
    {"{\"a\":{\"dtype\":[\"U8\"],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype, a text"},
    {"{\"a\":{\"dtype\":{\"U8\":1},\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "no dtype, a text"},
    {"{" T("a", "", "1", "0,1") "}", 1, "expected F32"},
    {"{" T("a", "u8", "1", "0,1") "}", 1, "is of type u8, expected F32"},
    {"{" T("a", "U8 ", "1", "0,1") "}", 1, "expected F32"},
    {"{" T("a", "I8", "1", "0,1") "}", 1, "is of type I8"},
    {"{" T("a", "BOOL", "1", "0,1") "}", 1, "is of type BOOL"},
    {"{" T("a", "U16", "1", "0,2") "}", 2, "is of type U16"},
    {"{" T("a", "U32", "1", "0,4") "}", 4, "is of type U32"},
    {"{" T("a", "U64", "1", "0,8") "}", 8, "is of type U64"},
    {"{" T("a", "BF16", "1", "0,2") "}", 2, "is of type BF16"},
    {"{" T("a", "F8_E4M3", "1", "0,1") "}", 1, "is of type F8_E4M3"},
    {"{" T("a", "F8_E5M2", "1", "0,1") "}", 1, "is of type F8_E5M2"},
    {"{" T("a", "F4", "2", "0,1") "}", 1, "is of type F4"},
    {"{" T("a", "F321", "1", "0,4") "}", 4, "is of type F321"},
    {"{" T("a", "\\u001b[31m", "1", "0,4") "}", 4, "is of type ?[31m"}, /* nothing reaches a terminal */

    /* the number of dimensions comes from the file */
    {"{" T("a", "U8", "1,1,1,1,1,1,1,1,1", "0,1") "}", 1, "more than 8 dimensions"},
    {"{" T("a", "U8", "0,0,0,0,0,0,0,0,0", "0,0") "}", 0, "more than 8 dimensions"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":null,\"data_offsets\":[0,1]}}", 1, "no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":\"1\",\"data_offsets\":[0,1]}}", 1, "no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":{\"0\":1},\"data_offsets\":[0,1]}}", 1, "no shape"},

    /* dimensions: signs, fractions, casts to 32 bits */
    {"{" T("a", "U8", "-1", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "-0", "0,0") "}", 0, "dimension"},
    {"{" T("a", "U8", "-1,-1", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "1.0", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "1.5", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "1e0", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "1E2", "0,100") "}", 100, "dimension"},
    {"{" T("a", "U8", "\\\"1\\\"", "0,1") "}", 1, "closing brace"},
    {"{" T("a", "U8", "\"1\"", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "true", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "null", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "[1]", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "{}", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "4294967296", "0,0") "}", 0, "dimension"},
    {"{" T("a", "U8", "4294967297", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "9007199254740992", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "9223372036854775807", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "9223372036854775808", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "18446744073709551615", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "18446744073709551617", "0,1") "}", 1, "dimension"},
    {"{" T("a", "U8", "99999999999999999999999999999999", "0,1") "}", 1, "dimension"},

    /* products that wrap */
    {"{" T("a", "F32", "4294967295,4294967295", "0,4") "}", 4, "overflows"},
    {"{" T("a", "U8", "4294967295,4294967295,2", "0,4") "}", 4, "overflows"},
    {"{" T("a", "F32", "2147483648,2147483648", "0,0") "}", 0, "overflows"},
    {"{" T("a", "F64", "2147483648,1073741824", "0,0") "}", 0, "overflows"},
    {"{" T("a", "U8", "65536,65536,65536,65536", "0,0") "}", 0, "overflows"},
    {"{" T("a", "F32", "1073741825,4294967295,3", "0,4") "}", 4, "overflows"},
    {"{" T("a", "F32", "4294967295,4294967295,0", "0,0") "}", 0, "overflows"}, /* hidden behind a zero */
    {"{" T("a", "F32", "0,4294967295,4294967295", "0,0") "}", 0, "overflows"},
    {"{" T("a", "I64", "16,16,16,4294967295,4294967295", "0,8") "}", 8, "overflows"},

    /* the declared shape against the range */
    {"{" T("a", "F32", "2", "0,4") "}", 4, "takes 8 bytes, its data_offsets 4"},
    {"{" T("a", "F32", "1", "0,8") "}", 8, "takes 4 bytes, its data_offsets 8"},
    {"{" T("a", "F32", "", "0,8") "}", 8, "takes 4 bytes"},
    {"{" T("a", "F32", "", "0,0") "}", 0, "takes 4 bytes"},
    {"{" T("a", "F32", "0", "0,4") "}", 4, "takes 0 bytes"},
    {"{" T("a", "F64", "1", "0,4") "}", 4, "takes 8 bytes"},
    {"{" T("a", "F16", "3", "0,3") "}", 3, "takes 6 bytes"},
    {"{" T("a", "U8", "2,3", "0,5") "}", 5, "takes 6 bytes"},
    {"{" T("a", "F32", "1000000,1000000", "0,4") "}", 4, "takes 4000000000000 bytes"},
    {"{" T("a", "U8", "4294967295,4294967295", "0,1") "}", 1, "takes 18446744065119617025 bytes"},
    {"{" T("a", "I32", "1,0,7", "0,28") "}", 28, "takes 0 bytes"},

    /* the range itself */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":0}}", 1, "no data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":\"0,1\"}}", 1, "no data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{\"0\":1,\"1\":1}}}", 1, "no data_offsets"},
    {"{" T("a", "U8", "1", "") "}", 1, "no data_offsets"},
    {"{" T("a", "U8", "1", "0") "}", 1, "no data_offsets"},
    {"{" T("a", "U8", "1", "0,1,2") "}", 1, "no data_offsets"},
    {"{" T("a", "U8", "1", "1,0") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "-1,0") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0,-1") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "0", "-0,0") "}", 0, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0,1.0") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0,1e0") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0.0,1") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0,\"1\"") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "null,1") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "[0],[1]") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "true,1") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "18446744073709551615,0") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "0,18446744073709551617") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "9223372036854775807,9223372036854775808") "}", 1, "0 <= begin <= end"},
    {"{" T("a", "U8", "1", "9223372036854775806,9223372036854775807") "}", 1, "but there are only 1"},
    {"{" T("a", "U8", "1", "0,2") "}", 1, "but there are only 1"},
    {"{" T("a", "U8", "1", "1,2") "}", 1, "but there are only 1"},
    {"{" T("a", "U8", "1", "0,1") "}", 0, "but there are only 0"},
    {"{" T("a", "U8", "4294967295", "0,4294967295") "}", 9, "but there are only 9"},

    /* ranges against each other and the file */
    {"{}", 1, "take 0 bytes of data, but there are 1"},
    {"{\"__metadata__\":{}}", 8, "take 0 bytes of data, but there are 8"},
    {"{" T("a", "U8", "1", "0,1") "}", 2, "take 1 bytes of data, but there are 2"},
    {"{" T("a", "U8", "1", "1,2") "}", 2, "begins at byte 1 of the data, expected 0"},
    {"{" T("a", "U8", "0", "1,1") "}", 1, "begins at byte 1 of the data, expected 0"},
    {"{" T("a", "U8", "1", "0,1") "," T("b", "U8", "1", "2,3") "}", 3, "byte 2 of the data, expected 1"},
    {"{" T("a", "U8", "2", "0,2") "," T("b", "U8", "2", "1,3") "}", 3, "byte 1 of the data, expected 2"},
    {"{" T("a", "U8", "2", "0,2") "," T("b", "U8", "2", "0,2") "}", 2, "byte 0 of the data, expected 2"},
    {"{" T("a", "U8", "4", "0,4") "," T("b", "U8", "1", "1,2") "}", 4, "byte 1 of the data, expected 4"},
    {"{" T("a", "U8", "1", "0,1") "," T("b", "U8", "1", "1,2") "}", 3, "take 2 bytes of data, but there are 3"},
    {"{" T("b", "U8", "1", "2,3") "," T("a", "U8", "1", "0,1") "}", 3, "\"b\" begins at byte 2"},
    {"{" T("a", "U8", "2", "0,2") "," T("b", "U8", "0", "1,1") "}", 2, "\"b\" begins at byte 1"}, /* empty, inside */

    /* names */
    {"{" T("", "U8", "1", "0,1") "}", 1, "is empty"},
    {"{" T("\\u0009", "U8", "1", "0,1") "}", 1, "\"?\" contains a control character"},
    {"{" T("a\\nb", "U8", "1", "0,1") "}", 1, "\"a?b\" contains a control character"},
    {"{" T("\x7f", "U8", "1", "0,1") "}", 1, "contains a control character"},
    {"{" T("\\u001b[2J", "U8", "1", "0,1") "}", 1, "contains a control character"},
    {"{" T("a", "U8", "1", "0,1") "," T("a", "U8", "1", "1,2") "}", 2, "\"a\" is there twice"},
    {"{" T("a", "U8", "1", "0,1") "," T("\\u0061", "U8", "1", "1,2") "}", 2, "\"a\" is there twice"},
    {"{" T("a", "U8", "0", "0,0") "," T("a", "U8", "0", "0,0") "}", 0, "\"a\" is there twice"},
    {"{" T("a", "U8", "1", "0,1") "," T("b", "U8", "1", "1,2") "," T("a", "U8", "1", "2,3") "}", 3, "is there twice"},
    {"{" T("\\/", "U8", "1", "0,1") "," T("/", "U8", "1", "1,2") "}", 2, "\"/\" is there twice"},

    /* metadata */
    {"{\"__metadata__\":[]}", 0, "':' and '{'"},
    {"{\"__metadata__\":\"a\"}", 0, "':' and '{'"},
    {"{\"__metadata__\":null}", 0, "':' and '{'"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "has a value that is no text"},
    {"{\"__metadata__\":{\"a\":null}}", 0, "has a value that is no text"},
    {"{\"__metadata__\":{\"a\":true}}", 0, "has a value that is no text"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "has a value that is no text"},
    {"{\"__metadata__\":{\"a\":[\"b\"]}}", 0, "has a value that is no text"},
    {"{\"__metadata__\":{\"a\":\"b\",\"c\":0}}", 0, "key \"c\" of __metadata__ has a value that is no text"},
    {"{\"__metadata__\":{\"\":\"b\"}}", 0, "is empty"},
    {"{\"__metadata__\":{\"a\\n\":\"b\"}}", 0, "contains a control character"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "stands twice"},
    {"{\"__metadata__\":{\"a\":\"b\",\"\\u0061\":\"c\"}}", 0, "stands twice"},
    {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "header of memory"},
    {"{\"__metadata__\":{\"a\"}}", 0, "header of memory"},
    {"{\"__metadata__\":{\"a\":\"b\" \"c\":\"d\"}}", 0, "header of memory"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "two entries named __metadata__"},
    {"{\"__metadata__\":{},\"\\u005f_metadata__\":{}}", 0, "two entries named __metadata__"},
    {"{" T("__metadata__", "U8", "1", "0,1") "}", 1, "has a value that is no text"},

    /* checksums */
    {"{\"__metadata__\":{\"marl.crc32c\":\"\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.header_crc32c\":\"00000000\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"\",\"marl.header_crc32c\":\"\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"\",\"marl.header_crc32c\":\"0000000\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"\",\"marl.header_crc32c\":\"000000000\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"\",\"marl.header_crc32c\":\"0000000g\"}}", 0, "checksums are damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"00000000\",\"marl.header_crc32c\":\"00000000\"}}", 0, "damaged"},
    {"{\"__metadata__\":{\"marl.crc32c\":\"\",\"marl.header_crc32c\":\"00000000\"}}", 0, "the header is damaged"},
};

static const struct { const char *header; uint32_t data_bytes; uint32_t count; } accepted[] = {
    {"{}", 0, 0},
    {"{}      ", 0, 0},
    {"{ \t\r\n}", 0, 0},
    {"{\"__metadata__\":{}}", 0, 0},
    {"{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "2,3", "0,24") "}   ", 24, 1},
    {"{" T("a", "F32", "", "0,4") "}", 4, 1},
    {"{" T("a", "F32", "0", "0,0") "}", 0, 1},
    {"{" T("a", "F32", "0,4294967295", "0,0") "}", 0, 1},
    {"{" T("a", "F16", "1,1,1,1,1,1,1,2", "0,4") "}", 4, 1},
    {"{" T("b", "U8", "1", "1,2") "," T("a", "U8", "1", "0,1") "}", 2, 2}, /* the header's order is free */
    {"{" T("a", "U8", "0", "0,0") "," T("b", "U8", "0", "0,0") "," T("c", "U8", "1", "0,1") "}", 1, 3},
    {"{" T("c", "U8", "1", "0,1") "," T("a", "U8", "0", "0,0") "," T("b", "U8", "0", "1,1") "}", 1, 3},
    {"{" T("\xc3\xa9.\\\"\\\\{}[],:", "I16", "1", "0,2") "}", 2, 1},
    {"{ \"a\" : { \"data_offsets\" : [ 0 , 1 ] , \"shape\" : [ 1 ] , \"dtype\" : \"U\\u0038\" } }", 1, 1},
    {"{" T("a", "U8", "1", "0,1") ",\"\\u005f_metadata__\":{\"k\":\"v\"}}", 1, 1},
};

typedef struct image { uint8_t *bytes; size_t byte_count; } image;

static marl__heap heap;

static void set_up(void) {
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
}

static void tear_down(void) {
    ck_assert_uint_eq(heap.current_bytes, 0);
}

static image build(const char *header, size_t header_bytes, uint32_t data_bytes) {
    image built = {.byte_count = 8 + header_bytes + data_bytes};
    uint64_t length = header_bytes;
    built.bytes = malloc(built.byte_count);
    ck_assert_ptr_nonnull(built.bytes);
    memcpy(built.bytes, &length, 8);
    memcpy(built.bytes + 8, header, header_bytes);
    memset(built.bytes + 8 + header_bytes, 0x5a, data_bytes);
    return built;
}

static marl_status open_bytes(const void *bytes, size_t byte_count, marl__safetensors **out) {
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.bytes = bytes;
    source.byte_count = byte_count;
    return marl__safetensors_open(&heap, &source, UINT64_MAX, out);
}

static void check_refused(const void *bytes, size_t byte_count, const char *header, const char *reason) {
    marl__safetensors *file = (marl__safetensors *)&heap;
    marl_status status = open_bytes(bytes, byte_count, &file);
    ck_assert_msg(status == MARL_E_FORMAT, "%.200s: %s, %s", header, marl_status_name(status), marl_last_error());
    ck_assert_ptr_null(file);
    ck_assert_msg(strstr(marl_last_error(), reason), "%.200s: \"%s\" lacks \"%s\"", header, marl_last_error(), reason);
    ck_assert_msg(strstr(marl_last_error(), "memory"), "the file is not named: %s", marl_last_error());
    ck_assert_uint_eq(heap.current_bytes, 0);
}

START_TEST(table_of_refused) {
    ck_assert_uint_ge(sizeof refused / sizeof refused[0], 150);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        image file = build(refused[i].header, strlen(refused[i].header), refused[i].data_bytes);
        check_refused(file.bytes, file.byte_count, refused[i].header, refused[i].reason);
        free(file.bytes);
    }
}
END_TEST

/* What a reader may rely on once open has returned. */
static void check_sound(marl__safetensors *file, size_t byte_count) {
    static uint8_t buffer[65536];
    uint64_t end = 0;
    ck_assert_uint_lt(byte_count, sizeof buffer);
    for (uint32_t i = 0; i < marl__safetensors_count(file); i++) {
        const marl__tensor_info *info = marl__safetensors_info(file, i);
        uint64_t elements = 1;
        ck_assert_uint_le(info->rank, 8);
        for (uint32_t k = 0; k < info->rank; k++) {
            elements *= info->shape[k];
        }
        ck_assert_uint_eq(info->element_count, elements);
        ck_assert_uint_eq(info->byte_count, elements * marl__tensor_type_bytes(info->type));
        ck_assert_uint_ge(info->offset, i ? end : 8);
        end = info->offset + info->byte_count;
        ck_assert_uint_le(end, byte_count);
        ck_assert_ptr_eq(marl__safetensors_find(file, info->name), info);
        ck_assert_int_ge(marl__safetensors_read(file, info, buffer, (size_t)info->byte_count), MARL_E_FORMAT);
    }
    ck_assert(marl__safetensors_count(file) == 0 || end == byte_count);
}

START_TEST(table_of_accepted) {
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        image bytes = build(accepted[i].header, strlen(accepted[i].header), accepted[i].data_bytes);
        marl__safetensors *file;
        marl_status status = open_bytes(bytes.bytes, bytes.byte_count, &file);
        ck_assert_msg(status == MARL_OK, "%s: %s", accepted[i].header, marl_last_error());
        ck_assert_uint_eq(marl__safetensors_count(file), accepted[i].count);
        check_sound(file, bytes.byte_count);
        ck_assert_int_eq(marl__safetensors_require_crc(file), MARL_E_FORMAT);
        marl__safetensors_close(file);
        free(bytes.bytes);
    }
}
END_TEST

/* ---- the length in front, and files cut off ---- */

START_TEST(lengths) {
    static const struct { uint64_t length; size_t byte_count; const char *reason; } rows[] = {
        {0, 8, "expected '{'"}, {1, 8, "a header of 1 bytes in a file of 8"}, {2, 9, "a header of 2 bytes"},
        {3, 10, "a header of 3 bytes"}, {1, 10, "name in quotes"}, {0, 10, "expected '{'"},
        {(8 << 20) + 1, 10, "a header of 8388609 bytes"}, {UINT32_MAX, 10, "a header of 4294967295 bytes"},
        {UINT64_C(1) << 32 | 2, 10, "a header of 4294967298 bytes"}, {INT64_MAX, 10, "a header of"},
        {UINT64_C(1) << 63 | 2, 10, "a header of"}, {UINT64_MAX, 10, "a header of 18446744073709551615 bytes"},
        {UINT64_MAX - 7, 10, "a header of"}, {UINT64_MAX - 8, 10, "a header of"}, {2, 0, "too few"},
        {2, 1, "too few"}, {2, 7, "too few"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
        memcpy(bytes, &rows[i].length, 8);
        check_refused(bytes, rows[i].byte_count, "length", rows[i].reason);
    }
}
END_TEST

START_TEST(larger_than_allowed) {
    marl__safetensors *file;
    marl_source source;
    image bytes = build("{}", 2, 0);
    marl_source_init(&source, sizeof source);
    source.bytes = bytes.bytes;
    source.byte_count = bytes.byte_count;
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 9, &file), MARL_E_FORMAT);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 10, &file), MARL_OK);
    marl__safetensors_close(file);
    free(bytes.bytes);
}
END_TEST

START_TEST(no_file) {
    marl__safetensors *file = (marl__safetensors *)&heap;
    marl_source source;
    marl_source_init(&source, sizeof source);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 100, &file), MARL_E_ARGUMENT);
    ck_assert_ptr_null(file);
    source.path = "tests/core/there-is-no-such.safetensors";
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 100, &file), MARL_E_IO);
    ck_assert_ptr_null(file);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "there-is-no-such"));
}
END_TEST

/* ---- every damage to a small file ---- */

typedef struct collected { uint8_t bytes[4096]; size_t count; } collected;

static marl_status collect(const void *data, size_t bytes, void *user) {
    collected *to = user;
    ck_assert_uint_le(to->count + bytes, sizeof to->bytes);
    memcpy(to->bytes + to->count, data, bytes);
    to->count += bytes;
    return MARL_OK;
}

/* A file of ours with one tensor of each kind, and texts with everything that JSON must escape. */
static void write_small(collected *out) {
    static const uint32_t shape[] = {2, 3};
    static const uint8_t data[48] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 32, 32, 32, 32};
    marl__safetensors_writer *writer;
    marl_sink sink;
    marl_sink_init(&sink, sizeof sink);
    sink.write = collect;
    sink.user = out;
    out->count = 0;
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    for (int32_t type = MARL__TENSOR_F32; type <= MARL__TENSOR_U8; type++) {
        marl__safetensors_add(writer, marl__tensor_type_name(type), type, 2, shape, data);
    }
    marl__safetensors_add(writer, "empty", MARL__TENSOR_F32, 1, (uint32_t[]){0}, NULL);
    marl__safetensors_add(writer, "nothing", MARL__TENSOR_F32, 1, (uint32_t[]){0}, NULL);
    marl__safetensors_add_metadata(writer, "config", "{\"lr\": 5e-4,\n\t\"name\": \"\\\xc3\xa9/\"}");
    ck_assert_msg(marl__safetensors_finish(writer, &sink) == MARL_OK, "%s", marl_last_error());
    marl__safetensors_writer_destroy(writer);
}

/* Whether the way a checkpoint is opened lets the bytes through. */
static int is_trusted(const uint8_t *bytes, size_t byte_count) {
    marl__safetensors *file;
    int trusted = open_bytes(bytes, byte_count, &file) == MARL_OK &&
                  marl__safetensors_require_crc(file) == MARL_OK && marl__safetensors_verify(file) == MARL_OK;
    marl__safetensors_close(file);
    return trusted;
}

START_TEST(every_prefix_is_refused) {
    collected file;
    write_small(&file);
    ck_assert(is_trusted(file.bytes, file.count));
    for (size_t bytes = 0; bytes < file.count; bytes++) {
        uint8_t *copy = malloc(bytes + 1); /* of its own size, so that a read beyond is seen by a sanitizer */
        memcpy(copy, file.bytes, bytes);
        marl__safetensors *opened;
        ck_assert_int_eq(open_bytes(copy, bytes, &opened), MARL_E_FORMAT);
        ck_assert_ptr_null(opened);
        free(copy);
    }
    file.bytes[file.count] = 0;
    ck_assert(!is_trusted(file.bytes, file.count + 1));
}
END_TEST

START_TEST(every_flipped_bit_is_refused) {
    collected file;
    write_small(&file);
    for (size_t bit = 0; bit < 8 * file.count; bit++) {
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_msg(!is_trusted(file.bytes, file.count), "bit %zu of byte %zu", bit % 8, bit / 8);
        file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert(is_trusted(file.bytes, file.count));
}
END_TEST

START_TEST(every_changed_byte_of_the_data_is_refused) {
    collected file;
    uint64_t header_bytes;
    write_small(&file);
    memcpy(&header_bytes, file.bytes, 8);
    for (size_t i = 8 + header_bytes; i < file.count; i++) {
        uint8_t kept = file.bytes[i];
        for (int change = 1; change < 256; change++) {
            file.bytes[i] = (uint8_t)(kept + change);
            ck_assert(!is_trusted(file.bytes, file.count));
        }
        file.bytes[i] = kept;
    }
}
END_TEST

static uint32_t draw(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Damage to a foreign file may go unseen, but what is accepted must be sound. */
START_TEST(mutations_of_a_foreign_file) {
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "2,3", "0,24") ","
                                 T("b\\u00e9", "I64", "1", "24,32") "," T("c", "U8", "0", "32,32") "}  ";
    static const char letters[] = "{}[]\",:\\0123456789eE+-. \n\tabcdefFIUu8_\x00\x7f\x80\xff";
    uint32_t state = 1, opened_count = 0;
    for (int round = 0; round < 30000; round++) {
        char text[sizeof header];
        memcpy(text, header, sizeof header);
        for (uint32_t k = draw(&state) % 3 + 1; k > 0; k--) {
            text[draw(&state) % (sizeof header - 1)] = letters[draw(&state) % (sizeof letters - 1)];
        }
        image bytes = build(text, sizeof header - 1, 32);
        marl__safetensors *file;
        marl_status status = open_bytes(bytes.bytes, bytes.byte_count, &file);
        ck_assert(status == MARL_OK || status == MARL_E_FORMAT);
        if (status == MARL_OK) {
            check_sound(file, bytes.byte_count);
            opened_count++;
        }
        marl__safetensors_close(file);
        free(bytes.bytes);
    }
    ck_assert_uint_gt(opened_count, 100); /* otherwise this would test the first check only */
}
END_TEST

/* ---- limits and memory ---- */

typedef struct text { char *at; size_t bytes, capacity; } text;

static void append(text *to, const char *format, unsigned number) {
    if (to->capacity - to->bytes < 512) {
        to->capacity = to->capacity * 2 + 4096;
        to->at = realloc(to->at, to->capacity);
        ck_assert_ptr_nonnull(to->at);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    to->bytes += (size_t)snprintf(to->at + to->bytes, 512, format, number);
#pragma GCC diagnostic pop
}

static void append_many(text *to, const char *piece, size_t count) {
    for (size_t i = 0; i < count; i++) {
        append(to, piece, 0);
    }
}

/* Opens the header (freed) over no data and checks the memory it took at its peak; reason NULL: it is accepted. */
static void check_limit(text *header, const char *reason) {
    marl__safetensors *file;
    image bytes = build(header->at, header->bytes, 0);
    set_up();
    if (reason) {
        check_refused(bytes.bytes, bytes.byte_count, "long", reason);
    } else {
        ck_assert_msg(open_bytes(bytes.bytes, bytes.byte_count, &file) == MARL_OK, "%s", marl_last_error());
        marl__safetensors_close(file);
    }
    ck_assert_msg(heap.peak_bytes <= 2 * bytes.byte_count + (1 << 20), "%llu bytes for a file of %zu (%s)",
                  (unsigned long long)heap.peak_bytes, bytes.byte_count, reason ? reason : "accepted");
    free(bytes.bytes);
    free(header->at);
}

static text tensors(unsigned count) {
    text header = {0};
    append(&header, "{", 0);
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            append(&header, ",", 0);
        }
        append(&header, T("%x", "U8", "0", "0,0"), i);
    }
    append(&header, "}", 0);
    return header;
}

START_TEST(number_of_tensors) {
    text header = tensors(16384);
    check_limit(&header, NULL);
    header = tensors(16385);
    check_limit(&header, "more than 16384 tensors");
    header = tensors(100000);
    check_limit(&header, "more than 16384 tensors");
}
END_TEST

static text metadata(unsigned count, const char *value) {
    text header = {0};
    append(&header, "{\"__metadata__\":{", 0);
    for (unsigned i = 0; i < count; i++) {
        append(&header, i > 0 ? ",\"%x\":" : "\"%x\":", i);
        append(&header, value, 0);
    }
    append(&header, "}}", 0);
    return header;
}

START_TEST(number_of_texts) {
    text header = metadata(4096, "\"\"");
    check_limit(&header, NULL);
    header = metadata(5000, "\"\"");
    check_limit(&header, "more than 4096 texts");
    header = metadata(4000, "[[]]");
    check_limit(&header, "more than 4096 texts");
}
END_TEST

START_TEST(length_of_names) {
    for (size_t length = 255; length <= 256; length++) {
        for (int escaped = 0; escaped < 2; escaped++) {
            text header = {0};
            append(&header, "{\"", 0);
            append_many(&header, escaped ? "\\u0061" : "a", length);
            append(&header, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0);
            check_limit(&header, length > 255 ? "longer than 255 bytes" : NULL);
        }
    }
}
END_TEST

START_TEST(headers_that_cost_memory) {
    text header = {0};
    append(&header, "{\"a\":{\"shape\":[0", 0);
    append_many(&header, ",0", 1000000);
    append(&header, "]}}", 0);
    check_limit(&header, "at most 4096 are expected");

    header = (text){0};
    append(&header, "{\"a\":{", 0);
    append_many(&header, "[", 1000000);
    check_limit(&header, "closing brace");

    header = (text){0};
    append(&header, "{\"__metadata__\":{\"a\":", 0);
    append_many(&header, "[", 100000);
    append_many(&header, "]", 100000);
    append(&header, "}}", 0);
    check_limit(&header, "more than 4096 texts");

    header = (text){0};
    append(&header, "{\"__metadata__\":{\"a\":", 0);
    append_many(&header, "1 ", 1000000);
    append(&header, "}}", 0);
    check_limit(&header, "header of memory");

    header = (text){0};
    append(&header, "{\"__metadata__\":{\"a\":\"", 0);
    append_many(&header, "long", 2000000);
    append(&header, "\"}}", 0);
    check_limit(&header, NULL);

    header = (text){0};
    append(&header, "{\"__metadata__\":{\"a\":\"", 0);
    append_many(&header, "x", (8 << 20) - 25);
    append(&header, "\"}}", 0); /* 8 MB + 1 in all would be one more */
    ck_assert_uint_eq(header.bytes, 8 << 20);
    check_limit(&header, NULL);

    header = (text){0};
    append_many(&header, " ", (8 << 20) + 1);
    check_limit(&header, "a header of 8388609 bytes");

    header = (text){0};
    append(&header, "{\"a\":{\"dtype\":\"U8\",\"shape\":[", 0);
    append_many(&header, " ", 5000);
    append(&header, "0],\"data_offsets\":[0,0]}}", 0);
    check_limit(&header, "at most 4096 are expected");
}
END_TEST

Suite *marl__suite_core_safetensors_hostile(void) {
    Suite *suite = suite_create("safetensors_hostile");
    TCase *tests = tcase_create("safetensors_hostile");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, table_of_refused);
    tcase_add_test(tests, table_of_accepted);
    tcase_add_test(tests, lengths);
    tcase_add_test(tests, larger_than_allowed);
    tcase_add_test(tests, no_file);
    tcase_add_test(tests, every_prefix_is_refused);
    tcase_add_test(tests, every_flipped_bit_is_refused);
    tcase_add_test(tests, every_changed_byte_of_the_data_is_refused);
    tcase_add_test(tests, mutations_of_a_foreign_file);
    tcase_add_test(tests, number_of_tensors);
    tcase_add_test(tests, number_of_texts);
    tcase_add_test(tests, length_of_names);
    tcase_add_test(tests, headers_that_cost_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
