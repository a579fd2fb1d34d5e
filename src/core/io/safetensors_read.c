/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the tensors of an open safetensors file: as they are, or converted through a small buffer on the stack, with
 * the checksum taken on the way. Nothing here allocates. */
#include "core/io/safetensors_format.h"

#include <math.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/io/half.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are read as they lie in memory");

enum { CHUNK_BYTES = 16384 };

static marl_status check_crc(const marl__safetensors *file, const marl__tensor_info *info, uint32_t given) {
    uint32_t expected;
    char shown[80];
    if (!file->checksums) {
        return MARL_OK;
    }
    if (!marl__tensor_read_crc(file->checksums + 8 * (size_t)(info - file->tensors), &expected) || given != expected) {
        return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" is damaged: its checksum is %08x, expected %.8s",
                          file->reader.name, marl__tensor_show(info->name, shown), given,
                          file->checksums + 8 * (size_t)(info - file->tensors));
    }
    return MARL_OK;
}

static marl_status check_count(const marl__safetensors *file, const marl__tensor_info *info, uint64_t expected) {
    char shown[80], shape[128];
    if (info->element_count != expected) {
        return marl__fail(MARL_E_MISMATCH, "%s: tensor \"%s\" has the shape %s, %llu elements, expected %llu",
                          file->reader.name, marl__tensor_show(info->name, shown),
                          marl__tensor_show_shape(info->rank, info->shape, shape),
                          (unsigned long long)info->element_count, (unsigned long long)expected);
    }
    return MARL_OK;
}

static marl_status refuse_type(const marl__safetensors *file, const marl__tensor_info *info, const char *expected) {
    char shown[80];
    return marl__fail(MARL_E_MISMATCH, "%s: tensor \"%s\" is of type %s, expected %s", file->reader.name,
                      marl__tensor_show(info->name, shown), marl__tensor_type_name(info->type), expected);
}

/* Converts count elements, of which the first is element `first` of the tensor. */
typedef marl_status (*chunk_taker)(const marl__safetensors *file, const marl__tensor_info *info, const uint8_t *bytes,
                                   uint64_t first, size_t count, void *out);

static marl_status read_chunks(marl__safetensors *file, const marl__tensor_info *info, chunk_taker take, void *out) {
    uint8_t chunk[CHUNK_BYTES];
    uint32_t size = marl__tensor_type_bytes(info->type), crc = 0;
    for (uint64_t first = 0; first < info->element_count;) {
        uint64_t left = info->element_count - first;
        size_t count = left < CHUNK_BYTES / size ? (size_t)left : CHUNK_BYTES / size;
        marl_status status = marl__reader_read(&file->reader, info->offset + first * size, chunk, count * size);
        if (status != MARL_OK) {
            return status;
        }
        crc = marl__crc32c(crc, chunk, count * size);
        if (take && (status = take(file, info, chunk, first, count, out)) != MARL_OK) {
            return status;
        }
        first += count;
    }
    return check_crc(file, info, crc);
}

marl_status marl__safetensors_verify(marl__safetensors *file) {
    for (uint32_t i = 0; file->checksums && i < file->count; i++) {
        marl_status status = read_chunks(file, &file->tensors[i], NULL, NULL);
        if (status != MARL_OK) {
            return status;
        }
    }
    return MARL_OK;
}

marl_status marl__safetensors_read(marl__safetensors *file, const marl__tensor_info *info, void *buffer, size_t bytes) {
    char shown[80];
    if (info->byte_count != bytes) {
        return marl__fail(MARL_E_MISMATCH, "%s: tensor \"%s\" has %llu bytes, expected %zu", file->reader.name,
                          marl__tensor_show(info->name, shown), (unsigned long long)info->byte_count, bytes);
    }
    if (bytes > 0) {
        marl_status status = marl__reader_read(&file->reader, info->offset, buffer, bytes);
        if (status != MARL_OK) {
            return status;
        }
    }
    return check_crc(file, info, marl__crc32c(0, buffer, bytes));
}

static double real_at(int32_t type, const uint8_t *bytes, size_t i) {
    if (type == MARL__TENSOR_F64) {
        double value;
        memcpy(&value, bytes + 8 * i, sizeof value);
        return value;
    }
    if (type == MARL__TENSOR_F32) {
        float value;
        memcpy(&value, bytes + 4 * i, sizeof value);
        return value;
    }
    uint16_t half;
    memcpy(&half, bytes + 2 * i, sizeof half);
    return marl__f16_to_f32(half);
}

static marl_status take_f32(const marl__safetensors *file, const marl__tensor_info *info, const uint8_t *bytes,
                            uint64_t first, size_t count, void *out) {
    char shown[80];
    float *to = (float *)out + first;
    for (size_t i = 0; i < count; i++) {
        double value = real_at(info->type, bytes, i);
        to[i] = (float)value;
        if (isinf(to[i]) && !isinf(value)) {
            return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\": element %llu is too large for F32", file->reader.name,
                              marl__tensor_show(info->name, shown), (unsigned long long)(first + i));
        }
    }
    return MARL_OK;
}

static marl_status take_f64(const marl__safetensors *file, const marl__tensor_info *info, const uint8_t *bytes,
                            uint64_t first, size_t count, void *out) {
    double *to = (double *)out + first;
    (void)file;
    for (size_t i = 0; i < count; i++) {
        to[i] = real_at(info->type, bytes, i);
    }
    return MARL_OK;
}

static int64_t whole_at(int32_t type, const uint8_t *bytes, size_t i) {
    int64_t wide;
    int32_t word;
    int16_t small;
    switch (type) {
    case MARL__TENSOR_I64: memcpy(&wide, bytes + 8 * i, sizeof wide); return wide;
    case MARL__TENSOR_I32: memcpy(&word, bytes + 4 * i, sizeof word); return word;
    case MARL__TENSOR_I16: memcpy(&small, bytes + 2 * i, sizeof small); return small;
    default: return bytes[i];
    }
}

static marl_status take_i32(const marl__safetensors *file, const marl__tensor_info *info, const uint8_t *bytes,
                            uint64_t first, size_t count, void *out) {
    char shown[80];
    int32_t *to = (int32_t *)out + first;
    for (size_t i = 0; i < count; i++) {
        int64_t value = whole_at(info->type, bytes, i);
        if (value < INT32_MIN || value > INT32_MAX) {
            return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\": element %llu is %lld, which does not fit 32 bits",
                              file->reader.name, marl__tensor_show(info->name, shown),
                              (unsigned long long)(first + i), (long long)value);
        }
        to[i] = (int32_t)value;
    }
    return MARL_OK;
}

static bool is_real(int32_t type) {
    return type == MARL__TENSOR_F32 || type == MARL__TENSOR_F64 || type == MARL__TENSOR_F16;
}

marl_status marl__safetensors_read_f32(marl__safetensors *file, const marl__tensor_info *info, float *out,
                                       uint64_t element_count) {
    marl_status status = check_count(file, info, element_count);
    if (status != MARL_OK) {
        return status;
    }
    if (!is_real(info->type)) {
        return refuse_type(file, info, "F32, F64 or F16");
    }
    if (info->type == MARL__TENSOR_F32) { /* as it is: a signalling NaN keeps its bits */
        return marl__safetensors_read(file, info, out, (size_t)info->byte_count);
    }
    return read_chunks(file, info, take_f32, out);
}

marl_status marl__safetensors_read_f64(marl__safetensors *file, const marl__tensor_info *info, double *out,
                                       uint64_t element_count) {
    marl_status status = check_count(file, info, element_count);
    if (status != MARL_OK) {
        return status;
    }
    if (!is_real(info->type)) {
        return refuse_type(file, info, "F32, F64 or F16");
    }
    return read_chunks(file, info, take_f64, out);
}

marl_status marl__safetensors_read_i32(marl__safetensors *file, const marl__tensor_info *info, int32_t *out,
                                       uint64_t element_count) {
    marl_status status = check_count(file, info, element_count);
    if (status != MARL_OK) {
        return status;
    }
    if (is_real(info->type)) {
        return refuse_type(file, info, "I32, I64, I16 or U8");
    }
    return read_chunks(file, info, take_i32, out);
}
