/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading safetensors files: round trips through memory, paths and callbacks, the exact bytes, conversions,
 * and every failure of memory and of the file system. Hostile files have a test of their own. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/io/half.h"
#include "core/io/safetensors.h"
#include "support/support.h"

static marl__heap heap;

static void set_up(void) {
    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
}

static void tear_down(void) {
    ck_assert_uint_eq(heap.current_bytes, 0);
}

/* ---- a sink in memory ---- */

typedef struct memory { uint8_t *bytes; size_t count, capacity, limit; } memory;

static marl_status take_bytes(const void *data, size_t bytes, void *user) {
    memory *to = user;
    if (to->limit && to->count + bytes > to->limit) {
        return MARL_E_STATE;
    }
    if (to->count + bytes > to->capacity) {
        to->capacity = 2 * (to->count + bytes);
        to->bytes = realloc(to->bytes, to->capacity);
        ck_assert_ptr_nonnull(to->bytes);
    }
    memcpy(to->bytes + to->count, data, bytes);
    to->count += bytes;
    return MARL_OK;
}

static marl_status give_bytes(uint64_t offset, void *buffer, size_t bytes, void *user) {
    const memory *from = user;
    if (offset + bytes > from->count) {
        return MARL_E_STATE;
    }
    memcpy(buffer, from->bytes + offset, bytes);
    return MARL_OK;
}

static marl_sink sink_of(memory *to) {
    marl_sink sink;
    marl_sink_init(&sink, sizeof sink);
    sink.write = take_bytes;
    sink.user = to;
    return sink;
}

static marl_sink sink_path(const char *path) {
    marl_sink sink;
    marl_sink_init(&sink, sizeof sink);
    sink.path = path;
    return sink;
}

static marl_source source_of(const memory *from) {
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.bytes = from->bytes;
    source.byte_count = from->count;
    return source;
}

static marl_source source_path(const char *path) {
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.path = path;
    return source;
}

/* ---- what is written ---- */

static const float floats[6] = {1, -2.5f, 0, 1e-40f, 3.4e38f, -0.0f};
static const double doubles[2] = {0.1, -1e30};
static const uint16_t halves[4] = {0x3c00, 0x0001, 0xfbff, 0x8000};
static const int32_t words[3] = {INT32_MIN, -1, INT32_MAX};
static const int64_t longs[3] = {INT32_MIN, 7, INT32_MAX};
static const int16_t shorts[2] = {INT16_MIN, INT16_MAX};
static const uint8_t octets[5] = {0, 1, 127, 128, 255};

static const struct sample {
    const char *name;
    int32_t type;
    uint32_t rank, shape[8];
    const void *data;
} samples[] = { /* deliberately not in the order of their sizes */
    {"octets", MARL__TENSOR_U8, 1, {5}, octets},
    {"floats", MARL__TENSOR_F32, 2, {2, 3}, floats},
    {"shorts", MARL__TENSOR_I16, 1, {2}, shorts},
    {"doubles", MARL__TENSOR_F64, 1, {2}, doubles},
    {"scalar", MARL__TENSOR_F32, 0, {0}, floats},
    {"words", MARL__TENSOR_I32, 3, {1, 3, 1}, words},
    {"halves", MARL__TENSOR_F16, 2, {4, 1}, halves},
    {"longs", MARL__TENSOR_I64, 1, {3}, longs},
    {"none", MARL__TENSOR_F32, 2, {0, 4}, NULL},
    {"deep", MARL__TENSOR_U8, 8, {1, 1, 5, 1, 1, 1, 1, 1}, octets},
};

enum { SAMPLE_COUNT = sizeof samples / sizeof samples[0] };

/* Declares the samples; failures stick and show at finish. */
static void declare(marl__safetensors_writer *writer, int with_texts) {
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        marl__safetensors_add(writer, samples[i].name, samples[i].type, samples[i].rank, samples[i].shape,
                              samples[i].data);
    }
    if (with_texts) {
        marl__safetensors_add_metadata(writer, "schema", "1");
        marl__safetensors_add_metadata(writer, "config", "{\"net\":\"gru\",\n\t\"title\":\"\xc3\xa9\\\"}");
    }
}

static marl_status write_samples(marl__heap *from, const marl_sink *sink) {
    marl__safetensors_writer *writer = NULL;
    marl_status status = marl__safetensors_writer_create(from, &writer);
    if (status == MARL_OK) {
        declare(writer, 1);
        status = marl__safetensors_finish(writer, sink);
    }
    marl__safetensors_writer_destroy(writer);
    return status;
}

static memory samples_in_memory(void) {
    memory file = {0};
    marl_sink sink = sink_of(&file);
    ck_assert_msg(write_samples(&heap, &sink) == MARL_OK, "%s", marl_last_error());
    return file;
}

static void check_samples(const marl_source *source) {
    marl__safetensors *file;
    ck_assert_msg(marl__safetensors_open(&heap, source, 1 << 20, &file) == MARL_OK, "%s", marl_last_error());
    ck_assert_uint_eq(marl__safetensors_count(file), SAMPLE_COUNT);
    ck_assert_int_eq(marl__safetensors_require_crc(file), MARL_OK);
    ck_assert_int_eq(marl__safetensors_verify(file), MARL_OK);
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        const marl__tensor_info *info = marl__safetensors_find(file, samples[i].name), *again;
        uint8_t buffer[64];
        ck_assert_ptr_nonnull(info);
        ck_assert_str_eq(info->name, samples[i].name);
        ck_assert_int_eq(info->type, samples[i].type);
        ck_assert_uint_eq(info->rank, samples[i].rank);
        ck_assert_mem_eq(info->shape, samples[i].shape, 4 * samples[i].rank);
        ck_assert_uint_eq(info->offset % marl__tensor_type_bytes(info->type), 0);
        ck_assert_int_eq(marl__safetensors_read(file, info, buffer, (size_t)info->byte_count), MARL_OK);
        if (info->byte_count > 0) {
            ck_assert_mem_eq(buffer, samples[i].data, (size_t)info->byte_count);
        }
        ck_assert_int_eq(marl__safetensors_expect(file, info->name, info->type, info->rank, info->shape, &again),
                         MARL_OK);
        ck_assert_ptr_eq(again, info);
    }
    ck_assert_str_eq(marl__safetensors_metadata(file, "schema"), "1");
    ck_assert_str_eq(marl__safetensors_metadata(file, "config"), "{\"net\":\"gru\",\n\t\"title\":\"\xc3\xa9\\\"}");
    ck_assert_ptr_null(marl__safetensors_metadata(file, "schem"));
    ck_assert_ptr_null(marl__safetensors_metadata(file, ""));
    ck_assert_ptr_null(marl__safetensors_find(file, "float"));
    ck_assert_ptr_null(marl__safetensors_find(file, "zzz"));
    ck_assert_ptr_null(marl__safetensors_info(file, SAMPLE_COUNT));
    marl__safetensors_close(file);
}

START_TEST(round_trip_through_memory) {
    memory file = samples_in_memory();
    marl_source source = source_of(&file);
    check_samples(&source);
    free(file.bytes);
}
END_TEST

START_TEST(round_trip_through_callbacks) {
    memory file = samples_in_memory();
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.read = give_bytes;
    source.byte_count = file.count;
    source.user = &file;
    check_samples(&source);
    free(file.bytes);
}
END_TEST

START_TEST(round_trip_through_a_path) {
    char dir[] = "/tmp/marl-test-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    marl_sink sink = sink_path(path);
    marl_source source = source_path(path);
    ck_assert_msg(write_samples(&heap, &sink) == MARL_OK, "%s", marl_last_error());
    check_samples(&source);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* fails if a temporary was left behind */
}
END_TEST

/* The format itself; the checksums were computed by another program from the description in safetensors.h. */
START_TEST(exact_bytes) {
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"x\\ty\",\"marl.crc32c\":\"46891f81bc837142000000002acf889d\","
        "\"marl.header_crc32c\":\"9ee3e7d9\",\"schema\":\"1\"},"
        "\"wide\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"half\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[8,12]},"
        "\"none\":{\"dtype\":\"I16\",\"shape\":[0,3],\"data_offsets\":[12,12]},"
        "\"byte\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]}}";
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 0x00, 0x3c, 0x00, 0xc0, 9};
    int64_t wide;
    memory file = {0};
    marl_sink sink = sink_of(&file);
    marl__safetensors_writer *writer;
    memcpy(&wide, data, 8);
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add_metadata(writer, "schema", "1");
    marl__safetensors_add(writer, "byte", MARL__TENSOR_U8, 0, NULL, data + 12);
    marl__safetensors_add(writer, "half", MARL__TENSOR_F16, 2, (uint32_t[]){1, 2}, data + 8);
    marl__safetensors_add(writer, "none", MARL__TENSOR_I16, 2, (uint32_t[]){0, 3}, NULL);
    marl__safetensors_add_metadata(writer, "a", "x\ty");
    marl__safetensors_add(writer, "wide", MARL__TENSOR_I64, 1, (uint32_t[]){1}, &wide);
    ck_assert_msg(marl__safetensors_finish(writer, &sink) == MARL_OK, "%s", marl_last_error());
    size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    ck_assert_uint_eq(file.count, 8 + padded + sizeof data);
    ck_assert_uint_eq(file.bytes[0] | (size_t)file.bytes[1] << 8, padded);
    ck_assert_mem_eq(file.bytes + 2, "\0\0\0\0\0\0", 6);
    ck_assert_msg(memcmp(file.bytes + 8, header, sizeof header - 1) == 0, "%.*s", (int)padded, file.bytes + 8);
    for (size_t i = sizeof header - 1; i < padded; i++) {
        ck_assert_uint_eq(file.bytes[8 + i], ' ');
    }
    ck_assert_mem_eq(file.bytes + 8 + padded, data, sizeof data);
    marl__safetensors_writer_destroy(writer);
    free(file.bytes);
}
END_TEST

START_TEST(equal_declarations_give_equal_bytes) {
    memory first = samples_in_memory(), second = {0}, third = {0};
    marl_sink sink = sink_of(&second);
    marl__safetensors_writer *writer;
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    /* texts in another order, and the same writer twice */
    marl__safetensors_add_metadata(writer, "config", "{\"net\":\"gru\",\n\t\"title\":\"\xc3\xa9\\\"}");
    declare(writer, 0);
    marl__safetensors_add_metadata(writer, "schema", "1");
    ck_assert_int_eq(marl__safetensors_finish(writer, &sink), MARL_OK);
    sink = sink_of(&third);
    ck_assert_int_eq(marl__safetensors_finish(writer, &sink), MARL_OK);
    marl__safetensors_writer_destroy(writer);
    ck_assert_uint_eq(first.count, second.count);
    ck_assert_mem_eq(first.bytes, second.bytes, first.count);
    ck_assert_uint_eq(first.count, third.count);
    ck_assert_mem_eq(first.bytes, third.bytes, first.count);
    free(first.bytes);
    free(second.bytes);
    free(third.bytes);
}
END_TEST

START_TEST(no_tensors) {
    memory file = {0};
    marl_sink sink = sink_of(&file);
    marl__safetensors_writer *writer;
    marl__safetensors *opened;
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    ck_assert_int_eq(marl__safetensors_finish(writer, &sink), MARL_OK);
    marl__safetensors_writer_destroy(writer);
    marl_source source = source_of(&file);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 1000, &opened), MARL_OK);
    ck_assert_uint_eq(marl__safetensors_count(opened), 0);
    ck_assert_int_eq(marl__safetensors_require_crc(opened), MARL_OK);
    ck_assert_int_eq(marl__safetensors_verify(opened), MARL_OK);
    ck_assert_ptr_null(marl__safetensors_find(opened, "a"));
    marl__safetensors_close(opened);
    free(file.bytes);
}
END_TEST

/* ---- data that is produced in pieces ---- */

typedef struct sequence { uint64_t asked, total; uint8_t salt, drift; marl_status status; } sequence;

static marl_status produce(uint64_t offset, void *buffer, size_t bytes, void *user) {
    sequence *from = user;
    uint8_t *to = buffer;
    ck_assert_uint_le(bytes, 65536);
    ck_assert_uint_eq(offset, from->asked % from->total); /* in order, twice */
    from->asked += bytes;
    if (from->asked > from->total) {
        from->salt += from->drift;
    }
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)((offset + i) * 131 >> 3 ^ from->salt);
    }
    return from->status;
}

static marl_status write_sequence(sequence *from, const marl_sink *sink) {
    marl__safetensors_writer *writer;
    marl__tensor_producer producer = {produce, from};
    uint32_t shape = (uint32_t)from->total;
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add_produced(writer, "long", MARL__TENSOR_U8, 1, &shape, &producer);
    marl_status status = marl__safetensors_finish(writer, sink);
    marl__safetensors_writer_destroy(writer);
    return status;
}

START_TEST(produced_data) {
    memory file = {0};
    marl_sink sink = sink_of(&file);
    sequence from = {.total = 200003, .salt = 1};
    ck_assert_msg(write_sequence(&from, &sink) == MARL_OK, "%s", marl_last_error());
    ck_assert_uint_eq(from.asked, 2 * from.total);
    marl_source source = source_of(&file);
    marl__safetensors *opened;
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, UINT64_MAX, &opened), MARL_OK);
    const marl__tensor_info *info = marl__safetensors_info(opened, 0);
    uint8_t *read = malloc(200003);
    ck_assert_int_eq(marl__safetensors_read(opened, info, read, 200003), MARL_OK);
    for (uint32_t i = 0; i < 200003; i++) {
        ck_assert_uint_eq(read[i], (uint8_t)(i * 131 >> 3 ^ 1));
    }
    /* reading allocates nothing, and a converted tensor comes in several pieces */
    uint64_t allocations = heap.allocation_count;
    int32_t *wide = malloc(200003 * sizeof *wide);
    ck_assert_int_eq(marl__safetensors_read_i32(opened, info, wide, 200003), MARL_OK);
    for (uint32_t i = 0; i < 200003; i++) {
        ck_assert_int_eq(wide[i], read[i]);
    }
    ck_assert_uint_eq(heap.allocation_count, allocations);
    marl__safetensors_close(opened);
    free(wide);
    free(read);
    free(file.bytes);
}
END_TEST

START_TEST(data_that_changes_is_not_saved) {
    char dir[] = "/tmp/marl-test-XXXXXX", path[64];
    sequence from = {.total = 100000, .drift = 1};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    marl_sink sink = sink_path(path);
    ck_assert_int_eq(write_sequence(&from, &sink), MARL_E_STATE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "\"long\" changed"));
    from = (sequence){.total = 100000, .status = MARL_E_ENV};
    ck_assert_int_eq(write_sequence(&from, &sink), MARL_E_ENV);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* ---- conversions and mismatches ---- */

typedef struct opened { memory bytes; marl__safetensors *file; } opened;

static opened open_samples(void) {
    opened result = {.bytes = samples_in_memory()};
    marl_source source = source_of(&result.bytes);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 1 << 20, &result.file), MARL_OK);
    return result;
}

static void close_samples(opened *samples_file) {
    marl__safetensors_close(samples_file->file);
    free(samples_file->bytes.bytes);
}

START_TEST(reads_as_f32) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    float out[6];
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "floats"), out, 6), MARL_OK);
    ck_assert_mem_eq(out, floats, sizeof floats);
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "doubles"), out, 2), MARL_OK);
    ck_assert_float_eq(out[0], 0.1f);
    ck_assert_float_eq(out[1], -1e30f);
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "halves"), out, 4), MARL_OK);
    for (int i = 0; i < 4; i++) {
        ck_assert_float_eq(out[i], marl__f16_to_f32(halves[i]));
    }
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "scalar"), out, 1), MARL_OK);
    ck_assert_float_eq(out[0], 1);
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "none"), NULL, 0), MARL_OK);
    close_samples(&with);
}
END_TEST

START_TEST(reads_as_f64) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    double out[6];
    ck_assert_int_eq(marl__safetensors_read_f64(file, marl__safetensors_find(file, "doubles"), out, 2), MARL_OK);
    ck_assert_mem_eq(out, doubles, sizeof doubles);
    ck_assert_int_eq(marl__safetensors_read_f64(file, marl__safetensors_find(file, "floats"), out, 6), MARL_OK);
    for (int i = 0; i < 6; i++) {
        ck_assert_double_eq(out[i], floats[i]);
    }
    ck_assert_int_eq(marl__safetensors_read_f64(file, marl__safetensors_find(file, "halves"), out, 4), MARL_OK);
    ck_assert_double_eq(out[1], 0x1p-24);
    close_samples(&with);
}
END_TEST

START_TEST(reads_as_i32) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    int32_t out[5];
    ck_assert_int_eq(marl__safetensors_read_i32(file, marl__safetensors_find(file, "words"), out, 3), MARL_OK);
    ck_assert_mem_eq(out, words, sizeof words);
    ck_assert_int_eq(marl__safetensors_read_i32(file, marl__safetensors_find(file, "longs"), out, 3), MARL_OK);
    ck_assert_int_eq(out[0], INT32_MIN);
    ck_assert_int_eq(out[2], INT32_MAX);
    ck_assert_int_eq(marl__safetensors_read_i32(file, marl__safetensors_find(file, "shorts"), out, 2), MARL_OK);
    ck_assert_int_eq(out[0], INT16_MIN);
    ck_assert_int_eq(out[1], INT16_MAX);
    ck_assert_int_eq(marl__safetensors_read_i32(file, marl__safetensors_find(file, "octets"), out, 5), MARL_OK);
    ck_assert_int_eq(out[3], 128);
    ck_assert_int_eq(out[4], 255);
    close_samples(&with);
}
END_TEST

static void check_says(marl_status given, marl_status expected, const char *part) {
    ck_assert_int_eq(given, expected);
    ck_assert_msg(strstr(marl_last_error(), part), "\"%s\" lacks \"%s\"", marl_last_error(), part);
}

START_TEST(wrong_type_or_size) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    const marl__tensor_info *real = marl__safetensors_find(file, "floats");
    const marl__tensor_info *whole = marl__safetensors_find(file, "words");
    float f[8];
    double d[8];
    int32_t w[8];
    check_says(marl__safetensors_read_f32(file, whole, f, 3), MARL_E_MISMATCH, "\"words\" is of type I32");
    check_says(marl__safetensors_read_f64(file, whole, d, 3), MARL_E_MISMATCH, "\"words\" is of type I32");
    check_says(marl__safetensors_read_i32(file, real, w, 6), MARL_E_MISMATCH, "type F32, expected I32, I64");
    check_says(marl__safetensors_read_f32(file, real, f, 5), MARL_E_MISMATCH, "(2, 3), 6 elements, expected 5");
    check_says(marl__safetensors_read_f64(file, real, d, 7), MARL_E_MISMATCH, "6 elements, expected 7");
    check_says(marl__safetensors_read_i32(file, whole, w, 0), MARL_E_MISMATCH, "3 elements, expected 0");
    check_says(marl__safetensors_read(file, whole, w, 11), MARL_E_MISMATCH, "has 12 bytes, expected 11");
    close_samples(&with);
}
END_TEST

START_TEST(expectations) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    const marl__tensor_info *info = (const marl__tensor_info *)&heap;
    check_says(marl__safetensors_expect(file, "absent", 0, 2, (uint32_t[]){2, 3}, &info), MARL_E_MISMATCH,
               "memory: has no tensor \"absent\", expected with shape (2, 3)");
    ck_assert_ptr_null(info);
    check_says(marl__safetensors_expect(file, "floats", MARL__TENSOR_F32, 2, (uint32_t[]){3, 2}, &info),
               MARL_E_MISMATCH, "\"floats\" is F32 (2, 3), expected F32 (3, 2)");
    check_says(marl__safetensors_expect(file, "floats", 0, 1, (uint32_t[]){2}, &info), MARL_E_MISMATCH,
               "is F32 (2, 3), expected (2)");
    check_says(marl__safetensors_expect(file, "floats", MARL__TENSOR_F64, 2, (uint32_t[]){2, 3}, &info),
               MARL_E_MISMATCH, "is F32 (2, 3), expected F64 (2, 3)");
    check_says(marl__safetensors_expect(file, "scalar", 0, 1, (uint32_t[]){1}, &info), MARL_E_MISMATCH,
               "is F32 (), expected (1)");
    ck_assert_int_eq(marl__safetensors_expect(file, "scalar", 0, 0, NULL, &info), MARL_OK);
    ck_assert_str_eq(info->name, "scalar");
    close_samples(&with);
}
END_TEST

START_TEST(values_out_of_range) {
    static const double large[] = {1, -3.5e38}, infinite[] = {INFINITY, NAN};
    static const int64_t beyond[] = {0, INT64_C(2147483648)}, below[] = {INT64_C(-2147483649), 0};
    memory bytes = {0};
    marl_sink sink = sink_of(&bytes);
    marl__safetensors_writer *writer;
    marl__safetensors *file;
    float f[2];
    int32_t w[2];
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add(writer, "large", MARL__TENSOR_F64, 1, (uint32_t[]){2}, large);
    marl__safetensors_add(writer, "infinite", MARL__TENSOR_F64, 1, (uint32_t[]){2}, infinite);
    marl__safetensors_add(writer, "beyond", MARL__TENSOR_I64, 1, (uint32_t[]){2}, beyond);
    marl__safetensors_add(writer, "below", MARL__TENSOR_I64, 1, (uint32_t[]){2}, below);
    ck_assert_int_eq(marl__safetensors_finish(writer, &sink), MARL_OK);
    marl__safetensors_writer_destroy(writer);
    marl_source source = source_of(&bytes);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, 10000, &file), MARL_OK);
    check_says(marl__safetensors_read_f32(file, marl__safetensors_find(file, "large"), f, 2), MARL_E_FORMAT,
               "\"large\": element 1 is too large for F32");
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "infinite"), f, 2), MARL_OK);
    ck_assert(isinf(f[0]) && isnan(f[1])); /* whether they are welcome is for the caller to say */
    check_says(marl__safetensors_read_i32(file, marl__safetensors_find(file, "beyond"), w, 2), MARL_E_FORMAT,
               "element 1 is 2147483648");
    check_says(marl__safetensors_read_i32(file, marl__safetensors_find(file, "below"), w, 2), MARL_E_FORMAT,
               "element 0 is -2147483649");
    marl__safetensors_close(file);
    free(bytes.bytes);
}
END_TEST

START_TEST(damage_shows_at_each_kind_of_read) {
    opened with = open_samples();
    marl__safetensors *file = with.file;
    const marl__tensor_info *longs_info = marl__safetensors_find(file, "longs");
    const marl__tensor_info *doubles_info = marl__safetensors_find(file, "doubles");
    int32_t w[3];
    int64_t l[3];
    float f[6];
    double d[2];
    with.bytes.bytes[longs_info->offset + 8] ^= 1;
    check_says(marl__safetensors_read_i32(file, longs_info, w, 3), MARL_E_FORMAT, "tensor \"longs\" is damaged");
    check_says(marl__safetensors_read(file, longs_info, l, sizeof l), MARL_E_FORMAT, "\"longs\" is damaged");
    check_says(marl__safetensors_verify(file), MARL_E_FORMAT, "\"longs\" is damaged");
    ck_assert_int_eq(marl__safetensors_read_f32(file, marl__safetensors_find(file, "floats"), f, 6), MARL_OK);
    with.bytes.bytes[doubles_info->offset] ^= 1;
    check_says(marl__safetensors_read_f32(file, doubles_info, f, 2), MARL_E_FORMAT, "\"doubles\" is damaged");
    check_says(marl__safetensors_read_f64(file, doubles_info, d, 2), MARL_E_FORMAT, "\"doubles\" is damaged");
    close_samples(&with);
}
END_TEST

/* ---- what the writer refuses ---- */

/* One declaration on a fresh writer, and that its failure sticks. */
static void check_declaration(const char *name, int32_t type, uint32_t rank, const uint32_t *shape, const void *data,
                              const char *part) {
    marl__safetensors_writer *writer;
    memory bytes = {0};
    marl_sink sink = sink_of(&bytes);
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    check_says(marl__safetensors_add(writer, name, type, rank, shape, data), MARL_E_ARGUMENT, part);
    ck_assert_int_eq(marl__safetensors_add(writer, "fine", MARL__TENSOR_F32, 0, NULL, floats), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl__safetensors_add_metadata(writer, "a", "b"), MARL_E_ARGUMENT);
    check_says(marl__safetensors_finish(writer, &sink), MARL_E_ARGUMENT, part);
    ck_assert_uint_eq(bytes.count, 0);
    marl__safetensors_writer_destroy(writer);
}

START_TEST(refused_tensors) {
    static const uint32_t shape[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, huge[3] = {UINT32_MAX, UINT32_MAX, 2};
    char name[257];
    memset(name, 'a', 256);
    name[256] = '\0';
    check_declaration("", MARL__TENSOR_F32, 1, shape, floats, "is empty");
    check_declaration(name, MARL__TENSOR_F32, 1, shape, floats, "longer than 255 bytes");
    check_declaration("a\n", MARL__TENSOR_F32, 1, shape, floats, "\"a?\" contains a control character");
    check_declaration("__metadata__", MARL__TENSOR_F32, 1, shape, floats, "is reserved");
    check_declaration("a", 0, 1, shape, floats, "0 is no tensor type");
    check_declaration("a", MARL__TENSOR_U8 + 1, 1, shape, floats, "8 is no tensor type");
    check_declaration("a", -1, 1, shape, floats, "-1 is no tensor type");
    check_declaration("a", MARL__TENSOR_F32, 9, shape, floats, "has 9 dimensions, at most 8");
    check_declaration("a", MARL__TENSOR_F32, 3, huge, floats, "overflows");
    check_declaration("a", MARL__TENSOR_F32, 1, shape, NULL, "has 4 bytes, but its data is NULL");
}
END_TEST

static void check_text(const char *key, const char *text, const char *part) {
    marl__safetensors_writer *writer;
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    check_says(marl__safetensors_add_metadata(writer, key, text), MARL_E_ARGUMENT, part);
    marl__safetensors_writer_destroy(writer);
}

START_TEST(refused_texts) {
    check_text("", "a", "is empty");
    check_text("a\t", "a", "contains a control character");
    check_text("marl.crc32c", "a", "is reserved");
    check_text("marl.header_crc32c", "a", "is reserved");
    check_text("a", "b\r\n", "contains a control character");
    check_text("a", "\x1b", "contains a control character");
    check_text("a", "\xff", "is not UTF-8");
}
END_TEST

/* What shows only when everything is declared. */
static void check_finish(marl__safetensors_writer *writer, const char *part) {
    memory bytes = {0};
    marl_sink sink = sink_of(&bytes);
    marl_status status = marl__safetensors_finish(writer, &sink);
    ck_assert_int_ne(status, MARL_OK);
    ck_assert_msg(strstr(marl_last_error(), part), "\"%s\" lacks \"%s\"", marl_last_error(), part);
    ck_assert_uint_eq(bytes.count, 0);
    marl__safetensors_writer_destroy(writer);
}

static marl_status must_not_be_asked(uint64_t offset, void *buffer, size_t bytes, void *user) {
    (void)offset, (void)buffer, (void)bytes, (void)user;
    ck_abort_msg("asked for data of a file that cannot be");
    return MARL_E_STATE;
}

START_TEST(refused_as_a_whole) {
    marl__safetensors_writer *writer;
    char *text = malloc((8 << 20) + 1);
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add(writer, "a", MARL__TENSOR_F32, 0, NULL, floats);
    marl__safetensors_add(writer, "a", MARL__TENSOR_F64, 0, NULL, doubles);
    check_finish(writer, "\"a\" is there twice");

    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add_metadata(writer, "a", "1");
    marl__safetensors_add_metadata(writer, "a", "1");
    check_finish(writer, "stands twice");

    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add(writer, "a\xff", MARL__TENSOR_F32, 0, NULL, floats);
    check_finish(writer, "not UTF-8");

    const marl__tensor_producer never = {must_not_be_asked, NULL};
    const uint32_t half_of_all[] = {UINT32_MAX, UINT32_MAX};
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add_produced(writer, "a", MARL__TENSOR_U8, 2, half_of_all, &never);
    marl__safetensors_add_produced(writer, "b", MARL__TENSOR_U8, 2, half_of_all, &never);
    check_finish(writer, "\"b\": the size of the file overflows");

    memset(text, 'x', 8 << 20);
    text[8 << 20] = '\0';
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    marl__safetensors_add_metadata(writer, "a", text);
    check_finish(writer, "at most 8388608 are allowed");
    free(text);
}
END_TEST

START_TEST(as_many_as_allowed) {
    marl__safetensors_writer *writer;
    memory bytes = {0};
    marl_sink sink = sink_of(&bytes);
    marl__safetensors *file;
    char name[16];
    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    for (int i = 0; i < MARL__TENSOR_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "t%d", i * 7919 % MARL__TENSOR_COUNT_MAX);
        marl__safetensors_add(writer, name, MARL__TENSOR_U8, 0, NULL, &octets[i % 5]);
    }
    ck_assert_msg(marl__safetensors_finish(writer, &sink) == MARL_OK, "%s", marl_last_error());
    check_says(marl__safetensors_add(writer, "more", MARL__TENSOR_U8, 0, NULL, octets), MARL_E_ARGUMENT,
               "at most 16384 tensors");
    marl__safetensors_writer_destroy(writer);
    marl_source source = source_of(&bytes);
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, UINT64_MAX, &file), MARL_OK);
    for (int i = 0; i < MARL__TENSOR_COUNT_MAX; i++) {
        uint8_t value;
        snprintf(name, sizeof name, "t%d", i * 7919 % MARL__TENSOR_COUNT_MAX);
        const marl__tensor_info *info = marl__safetensors_find(file, name);
        ck_assert_ptr_eq(info, marl__safetensors_info(file, (uint32_t)i)); /* in the order of declaration */
        ck_assert_int_eq(marl__safetensors_read(file, info, &value, 1), MARL_OK);
        ck_assert_uint_eq(value, octets[i % 5]);
    }
    marl__safetensors_close(file);

    ck_assert_int_eq(marl__safetensors_writer_create(&heap, &writer), MARL_OK);
    for (int i = 0; i < 4094; i++) {
        snprintf(name, sizeof name, "k%d", i);
        ck_assert_int_eq(marl__safetensors_add_metadata(writer, name, ""), MARL_OK);
    }
    bytes.count = 0;
    ck_assert_msg(marl__safetensors_finish(writer, &sink) == MARL_OK, "%s", marl_last_error());
    check_says(marl__safetensors_add_metadata(writer, "more", ""), MARL_E_ARGUMENT, "is one too many");
    marl__safetensors_writer_destroy(writer);
    free(bytes.bytes);
}
END_TEST

/* ---- failures of memory ---- */

/* Fails allocation 1, 2, ... of an operation until it succeeds: never a crash, a leak or another status. */
static void fail_each_allocation(marl_status (*operation)(marl__heap *from, void *user), void *user, int from_there) {
    uint64_t fail_at = 0;
    marl_status status;
    do {
        marl__test_memory counted = {.fail_at = ++fail_at, .fail_from_there = from_there};
        marl_host host;
        marl__heap failing;
        marl__test_host(&counted, &host);
        ck_assert_int_eq(marl__heap_init(&failing, &host), MARL_OK);
        status = operation(&failing, user);
        ck_assert_msg(status == MARL_OK || status == MARL_E_NOMEM, "allocation %llu: %s",
                      (unsigned long long)fail_at, marl_last_error());
        ck_assert_uint_eq(counted.live_blocks, 0);
        ck_assert_uint_eq(counted.faults, 0);
        ck_assert_uint_eq(failing.current_bytes, 0);
        ck_assert_int_eq(status == MARL_OK, counted.calls < fail_at);
    } while (status != MARL_OK);
    ck_assert_uint_gt(fail_at, 5);
}

static marl_status open_and_close(marl__heap *from, void *user) {
    marl__safetensors *file = (marl__safetensors *)&heap;
    marl_source source = source_of(user);
    marl_status status = marl__safetensors_open(from, &source, UINT64_MAX, &file);
    ck_assert((status == MARL_OK) == (file != NULL));
    marl__safetensors_close(file);
    return status;
}

START_TEST(no_memory_to_open) {
    memory file = samples_in_memory();
    fail_each_allocation(open_and_close, &file, 0);
    fail_each_allocation(open_and_close, &file, 1);
    free(file.bytes);
}
END_TEST

static marl_status write_to_path(marl__heap *from, void *user) {
    marl_sink sink = sink_path(user);
    return write_samples(from, &sink);
}

/* A file that is there already, to see that a failed save leaves it alone. */
typedef struct saved { char dir[32], path[64]; } saved;

static saved save_old(void) {
    saved place = {.dir = "/tmp/marl-test-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.dir));
    snprintf(place.path, sizeof place.path, "%s/a.safetensors", place.dir);
    ck_assert_int_eq(marl__file_write_all(place.path, "old", 3), MARL_OK);
    return place;
}

static int is_old(const saved *place) {
    char *text;
    size_t bytes;
    ck_assert_int_eq(marl__file_read_all(&heap, place->path, 1 << 20, &text, &bytes), MARL_OK);
    int old = bytes == 3 && memcmp(text, "old", 3) == 0;
    marl__free(&heap, text);
    return old;
}

static void remove_saved(const saved *place) {
    ck_assert_int_eq(unlink(place->path), 0);
    ck_assert_int_eq(rmdir(place->dir), 0); /* no temporary is left */
}

START_TEST(no_memory_to_save) {
    for (int from_there = 0; from_there < 2; from_there++) {
        saved place = save_old();
        fail_each_allocation(write_to_path, place.path, from_there);
        ck_assert(!is_old(&place));
        remove_saved(&place);
    }
}
END_TEST

/* ---- failures of the file system ---- */

typedef struct fault { int fail_at, calls, error; const char *name; } fault;

static int inject(const char *name, void *user) {
    fault *with = user;
    if (++with->calls != with->fail_at) {
        return 0;
    }
    with->name = name;
    return with->error;
}

/* Fails system call 1, 2, ... of a save until it succeeds: the old file stays whole, or the new one is there. */
static int fail_each_call(int error) {
    fault with = {.error = error};
    int failed_count = 0;
    for (;;) {
        saved place = save_old();
        marl_sink sink = sink_path(place.path);
        with.calls = 0;
        with.fail_at++;
        with.name = NULL;
        marl__file_set_fault(inject, &with);
        marl_status status = write_samples(&heap, &sink);
        marl__file_set_fault(NULL, NULL);
        if (status == MARL_OK || !is_old(&place)) {
            marl_source source = source_path(place.path);
            check_samples(&source);
        }
        if (status != MARL_OK) {
            ck_assert_int_eq(status, MARL_E_IO);
            ck_assert_msg(strstr(marl_last_error(), place.dir), "%s", marl_last_error());
            /* only the last sync comes after the new file is in place, and says so */
            ck_assert(is_old(&place) || strstr(marl_last_error(), "is written whole"));
            failed_count++;
        }
        remove_saved(&place);
        if (!with.name) {
            return failed_count;
        }
    }
}

START_TEST(full_disk_while_saving) {
    ck_assert_int_ge(fail_each_call(ENOSPC), 6); /* open, writes, sync, close, rename, directory */
    ck_assert_int_ge(fail_each_call(EIO), 6);
}
END_TEST

/* Half of what was to be written is no failure: the rest follows. */
static int halve_writes(const char *name, void *user) {
    *(int *)user += strcmp(name, "write") == 0;
    return strcmp(name, "write") == 0 ? -1 : 0;
}

START_TEST(short_writes) {
    saved place = save_old();
    marl_sink sink = sink_path(place.path);
    marl_source source = source_path(place.path);
    int writes = 0;
    marl__file_set_fault(halve_writes, &writes);
    marl_status status = write_samples(&heap, &sink);
    marl__file_set_fault(NULL, NULL);
    ck_assert_msg(status == MARL_OK, "%s", marl_last_error());
    ck_assert_int_gt(writes, 20);
    check_samples(&source);
    remove_saved(&place);
}
END_TEST

START_TEST(sink_that_fails) {
    memory whole = samples_in_memory();
    for (size_t limit = 1; limit < whole.count; limit += 3) {
        memory file = {.limit = limit};
        marl_sink sink = sink_of(&file);
        ck_assert_int_eq(write_samples(&heap, &sink), MARL_E_CALLBACK);
        free(file.bytes);
    }
    marl_sink neither;
    marl_sink_init(&neither, sizeof neither);
    ck_assert_int_eq(write_samples(&heap, &neither), MARL_E_ARGUMENT);
    free(whole.bytes);
}
END_TEST

START_TEST(source_that_fails) {
    memory whole = samples_in_memory(), part = whole;
    marl__safetensors *file;
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.read = give_bytes;
    source.byte_count = whole.count;
    source.user = &part;
    for (part.count = 0; part.count < 200; part.count += 7) { /* inside the header */
        ck_assert_int_eq(marl__safetensors_open(&heap, &source, UINT64_MAX, &file), MARL_E_CALLBACK);
        ck_assert_ptr_null(file);
    }
    part.count = whole.count - 1; /* inside the last tensor */
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, UINT64_MAX, &file), MARL_OK);
    ck_assert_int_eq(marl__safetensors_verify(file), MARL_E_CALLBACK);
    const marl__tensor_info *last = marl__safetensors_info(file, SAMPLE_COUNT - 1);
    uint8_t buffer[8];
    ck_assert_int_eq(marl__safetensors_read(file, last, buffer, (size_t)last->byte_count), MARL_E_CALLBACK);
    marl__safetensors_close(file);
    free(whole.bytes);
}
END_TEST

START_TEST(file_system_fails_while_reading) {
    saved place = save_old();
    marl_sink sink = sink_path(place.path);
    marl_source source = source_path(place.path);
    marl__safetensors *file;
    fault with = {.error = EIO};
    ck_assert_int_eq(write_samples(&heap, &sink), MARL_OK);
    for (with.fail_at = 1; with.fail_at <= 4; with.fail_at++) { /* open, fstat, read of the length, of the header */
        with.calls = 0;
        marl__file_set_fault(inject, &with);
        marl_status status = marl__safetensors_open(&heap, &source, UINT64_MAX, &file);
        marl__file_set_fault(NULL, NULL);
        ck_assert_int_eq(status, MARL_E_IO);
        ck_assert_ptr_null(file);
    }
    ck_assert_int_eq(marl__safetensors_open(&heap, &source, UINT64_MAX, &file), MARL_OK);
    ck_assert_ptr_nonnull(strstr(marl__safetensors_name(file), "a.safetensors"));
    with = (fault){.error = EIO, .fail_at = 2};
    marl__file_set_fault(inject, &with);
    ck_assert_int_eq(marl__safetensors_verify(file), MARL_E_IO);
    marl__file_set_fault(NULL, NULL);
    ck_assert_int_eq(marl__safetensors_verify(file), MARL_OK);
    marl__safetensors_close(file);
    remove_saved(&place);
}
END_TEST

START_TEST(type_names) {
    ck_assert_str_eq(marl__tensor_type_name(MARL__TENSOR_F16), "F16");
    ck_assert_str_eq(marl__tensor_type_name(0), "?");
    ck_assert_str_eq(marl__tensor_type_name(99), "?");
    ck_assert_str_eq(marl__tensor_type_name(-1), "?");
    ck_assert_uint_eq(marl__tensor_type_bytes(MARL__TENSOR_I64), 8);
    ck_assert_uint_eq(marl__tensor_type_bytes(MARL__TENSOR_I16), 2);
    ck_assert_uint_eq(marl__tensor_type_bytes(0), 0);
    ck_assert_uint_eq(marl__tensor_type_bytes(-5), 0);
    marl__safetensors_close(NULL);
    marl__safetensors_writer_destroy(NULL);
}
END_TEST

Suite *marl__suite_core_safetensors(void) {
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, round_trip_through_memory);
    tcase_add_test(tests, round_trip_through_callbacks);
    tcase_add_test(tests, round_trip_through_a_path);
    tcase_add_test(tests, exact_bytes);
    tcase_add_test(tests, equal_declarations_give_equal_bytes);
    tcase_add_test(tests, no_tensors);
    tcase_add_test(tests, produced_data);
    tcase_add_test(tests, data_that_changes_is_not_saved);
    tcase_add_test(tests, reads_as_f32);
    tcase_add_test(tests, reads_as_f64);
    tcase_add_test(tests, reads_as_i32);
    tcase_add_test(tests, wrong_type_or_size);
    tcase_add_test(tests, expectations);
    tcase_add_test(tests, values_out_of_range);
    tcase_add_test(tests, damage_shows_at_each_kind_of_read);
    tcase_add_test(tests, refused_tensors);
    tcase_add_test(tests, refused_texts);
    tcase_add_test(tests, refused_as_a_whole);
    tcase_add_test(tests, as_many_as_allowed);
    tcase_add_test(tests, no_memory_to_open);
    tcase_add_test(tests, no_memory_to_save);
    tcase_add_test(tests, full_disk_while_saving);
    tcase_add_test(tests, short_writes);
    tcase_add_test(tests, sink_that_fails);
    tcase_add_test(tests, source_that_fails);
    tcase_add_test(tests, file_system_fails_while_reading);
    tcase_add_test(tests, type_names);
    suite_add_tcase(suite, tests);
    return suite;
}
