/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that the reader and the writer of safetensors files share, so that they cannot drift apart. */
#include "core/io/safetensors_format.h"

#include <stdio.h>
#include <string.h>

#include "core/base/crc32c.h"

static const struct { const char *name; uint32_t bytes; } types[] = {
    [MARL__TENSOR_F32] = {"F32", 4}, [MARL__TENSOR_F64] = {"F64", 8}, [MARL__TENSOR_F16] = {"F16", 2},
    [MARL__TENSOR_I32] = {"I32", 4}, [MARL__TENSOR_I64] = {"I64", 8}, [MARL__TENSOR_I16] = {"I16", 2},
    [MARL__TENSOR_U8] = {"U8", 1},
};

enum { TYPE_END = sizeof types / sizeof types[0] };

const char *marl__tensor_type_name(int32_t type) {
    return type > 0 && type < TYPE_END ? types[type].name : "?";
}

uint32_t marl__tensor_type_bytes(int32_t type) {
    return type > 0 && type < TYPE_END ? types[type].bytes : 0;
}

int32_t marl__tensor_type_find(const char *name) {
    for (int32_t type = 1; type < TYPE_END; type++) {
        if (strcmp(types[type].name, name) == 0) {
            return type;
        }
    }
    return 0;
}

const char *marl__tensor_name_fault(const char *name) {
    size_t length = strlen(name);
    if (length == 0) {
        return "is empty";
    }
    if (length > MARL__TENSOR_NAME_MAX) {
        return "is longer than 255 bytes";
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char letter = (unsigned char)name[i];
        if (letter < 0x20 || letter == 0x7f) {
            return "contains a control character";
        }
    }
    return NULL;
}

const char *marl__tensor_show(const char *text, char buffer[80]) {
    size_t i = 0;
    for (; i < 79 && text[i] != '\0'; i++) {
        buffer[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
    }
    buffer[i] = '\0';
    return buffer;
}

const char *marl__tensor_show_shape(uint32_t rank, const uint32_t *shape, char buffer[128]) {
    int length = snprintf(buffer, 128, "(");
    for (uint32_t i = 0; i < rank && length < 110; i++) {
        length += snprintf(buffer + length, 128 - (size_t)length, "%s%u", i ? ", " : "", shape[i]);
    }
    snprintf(buffer + length, 128 - (size_t)length, ")");
    return buffer;
}

bool marl__tensor_measure(marl__tensor_info *info) {
    size_t bytes = marl__tensor_type_bytes(info->type);
    bool is_empty = false;
    for (uint32_t i = 0; i < info->rank; i++) {
        is_empty |= info->shape[i] == 0;
        if (info->shape[i] > 0 && !marl__mul_size(bytes, info->shape[i], &bytes)) {
            return false;
        }
    }
    info->byte_count = is_empty ? 0 : bytes;
    info->element_count = info->byte_count / marl__tensor_type_bytes(info->type);
    return true;
}

static uint32_t digest_number(uint32_t crc, uint64_t value, uint32_t bytes) {
    uint8_t little[8];
    for (uint32_t i = 0; i < bytes; i++) {
        little[i] = (uint8_t)(value >> 8 * i);
    }
    return marl__crc32c(crc, little, bytes);
}

uint32_t marl__tensor_digest(uint32_t crc, const marl__tensor_info *info, uint64_t begin) {
    crc = marl__crc32c(crc, info->name, strlen(info->name) + 1);
    crc = digest_number(crc, (uint64_t)info->type, 1);
    crc = digest_number(crc, info->rank, 1);
    for (uint32_t i = 0; i < info->rank; i++) {
        crc = digest_number(crc, info->shape[i], 4);
    }
    crc = digest_number(crc, info->offset - begin, 8);
    return digest_number(crc, info->offset - begin + info->byte_count, 8);
}

uint32_t marl__tensor_digest_texts(uint32_t crc, const marl__tensor_text *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(texts[i].key, MARL__TENSOR_HEADER_CRC_KEY) != 0) {
            crc = marl__crc32c(crc, texts[i].key, strlen(texts[i].key) + 1);
            crc = marl__crc32c(crc, texts[i].text, strlen(texts[i].text) + 1);
        }
    }
    return crc;
}

void marl__tensor_write_crc(uint32_t crc, char digits[8]) {
    for (int i = 0; i < 8; i++) {
        digits[i] = "0123456789abcdef"[crc >> (28 - 4 * i) & 15];
    }
}

bool marl__tensor_read_crc(const char *digits, uint32_t *out) {
    uint32_t crc = 0;
    for (int i = 0; i < 8; i++) {
        char digit = digits[i];
        if (digit >= '0' && digit <= '9') {
            crc = crc << 4 | (uint32_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            crc = crc << 4 | (uint32_t)(digit - 'a' + 10);
        } else {
            return false;
        }
    }
    *out = crc;
    return true;
}

static void swap(char *a, char *b, size_t bytes) {
    char kept[128];
    memcpy(kept, a, bytes);
    memcpy(a, b, bytes);
    memcpy(b, kept, bytes);
}

/* Restores the heap below `parent`: no child stands behind its parent. */
static void sift(char *base, size_t parent, size_t count, size_t bytes, marl__tensor_before before, const void *ctx) {
    for (size_t child = 2 * parent + 1; child < count; child = 2 * parent + 1) {
        if (child + 1 < count && before(base + child * bytes, base + (child + 1) * bytes, ctx)) {
            child++;
        }
        if (!before(base + parent * bytes, base + child * bytes, ctx)) {
            return;
        }
        swap(base + parent * bytes, base + child * bytes, bytes);
        parent = child;
    }
}

void marl__tensor_sort(void *base, size_t count, size_t element_bytes, marl__tensor_before before, const void *ctx) {
    MARL_ASSERT(element_bytes <= 128);
    for (size_t parent = count / 2; parent > 0; parent--) {
        sift(base, parent - 1, count, element_bytes, before, ctx);
    }
    for (size_t last = count; last > 1; last--) {
        swap(base, (char *)base + (last - 1) * element_bytes, element_bytes);
        sift(base, 0, last - 1, element_bytes, before, ctx);
    }
}

bool marl__tensor_text_before(const void *a, const void *b, const void *ctx) {
    (void)ctx;
    return strcmp(((const marl__tensor_text *)a)->key, ((const marl__tensor_text *)b)->key) < 0;
}
