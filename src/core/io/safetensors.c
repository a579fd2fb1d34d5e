/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a safetensors file: an 8-byte header length, a JSON header, the data. The header is cut into its entries, one
 * per tensor, and each goes through the strict JSON reader by itself: so a header of thousands of entries needs the
 * tokens of one of them, and memory stays within a small multiple of the file whatever it contains. An entry that is
 * cut wrongly is no JSON value and is refused, so the cutting need not be strict itself. Decoded names take the place
 * of the spelt ones in the header's text, which is kept. */
#include "core/io/safetensors_format.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_BYTES = 8 };

static marl_status count_entries(marl__tensor_cutter *cut, uint32_t *out) {
    bool is_end = false;
    while (!is_end) {
        marl_status status = marl__tensor_cut_next(cut, &is_end);
        if (status != MARL_OK) {
            return status;
        }
    }
    *out = cut->count;
    return MARL_OK;
}

static marl_status refuse(const marl__safetensors *file, const char *tensor, const char *fault) {
    char shown[80];
    marl__tensor_show(tensor, shown);
    return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" %s", file->reader.name, shown, fault);
}

static marl_status take_type(const marl__safetensors *file, const marl__json *json, int32_t entry,
                             marl__tensor_info *info) {
    int32_t dtype = marl__json_find(json, entry, "dtype");
    if (dtype < 0 || marl__json_type(json, dtype) != MARL__JSON_TEXT) {
        return refuse(file, info->name, "has no dtype, a text");
    }
    const char *name = marl__json_text(json, dtype);
    info->type = marl__tensor_type_find(name);
    if (!info->type) {
        char tensor[80], type[80];
        return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" is of type %.24s, expected F32, F64, F16, I32, I64, I16 or "
                          "U8", file->reader.name, marl__tensor_show(info->name, tensor),
                          marl__tensor_show(name, type));
    }
    return MARL_OK;
}

/* A number spelt as digits alone: what other readers take 1.0, 1e3 or -0 for is not certain. */
static bool take_whole(const marl__json *json, int32_t value, int64_t most, int64_t *out) {
    const char *spelling = marl__json_spelling(json, value);
    return spelling[0] != '-' && marl__read_int(spelling, out) && *out <= most;
}

static marl_status take_shape(const marl__safetensors *file, const marl__json *json, int32_t entry,
                              marl__tensor_info *info) {
    int32_t shape = marl__json_find(json, entry, "shape");
    if (shape < 0 || marl__json_type(json, shape) != MARL__JSON_ARRAY) {
        return refuse(file, info->name, "has no shape, an array of whole numbers");
    }
    if (marl__json_count(json, shape) > MARL__TENSOR_RANK_MAX) {
        return refuse(file, info->name, "has more than 8 dimensions");
    }
    info->rank = marl__json_count(json, shape);
    int32_t element = marl__json_first(json, shape);
    for (uint32_t i = 0; i < info->rank; i++, element = marl__json_next(json, element)) {
        int64_t dimension;
        if (!take_whole(json, element, UINT32_MAX, &dimension)) {
            return refuse(file, info->name, "has a dimension that is no whole number from 0 to 4294967295");
        }
        info->shape[i] = (uint32_t)dimension;
    }
    if (!marl__tensor_measure(info)) {
        return refuse(file, info->name, "has a shape whose size in bytes overflows");
    }
    return MARL_OK;
}

static marl_status take_range(const marl__safetensors *file, const marl__json *json, int32_t entry,
                              marl__tensor_info *info) {
    int32_t range = marl__json_find(json, entry, "data_offsets");
    int64_t begin, end;
    if (range < 0 || marl__json_type(json, range) != MARL__JSON_ARRAY || marl__json_count(json, range) != 2) {
        return refuse(file, info->name, "has no data_offsets, an array of begin and end");
    }
    int32_t first = marl__json_first(json, range);
    if (!take_whole(json, marl__json_next(json, first), INT64_MAX, &end) || !take_whole(json, first, end, &begin)) {
        return refuse(file, info->name, "has data_offsets that are no whole numbers with 0 <= begin <= end");
    }
    char shown[80], shape[128];
    uint64_t data_bytes = file->reader.byte_count - file->begin;
    if ((uint64_t)end > data_bytes) {
        return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" ends at byte %lld of the data, but there are only %llu",
                          file->reader.name, marl__tensor_show(info->name, shown), (long long)end,
                          (unsigned long long)data_bytes);
    }
    if ((uint64_t)(end - begin) != info->byte_count) {
        return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" of type %s and shape %s takes %llu bytes, its data_offsets "
                          "%lld", file->reader.name, marl__tensor_show(info->name, shown),
                          marl__tensor_type_name(info->type),
                          marl__tensor_show_shape(info->rank, info->shape, shape),
                          (unsigned long long)info->byte_count, (long long)(end - begin));
    }
    info->offset = file->begin + (uint64_t)begin;
    return MARL_OK;
}

/* place: where the decoded name may lie; it is no longer than the spelt one. */
static marl_status take_tensor(marl__safetensors *file, const marl__json *json, int32_t key, char *place) {
    const char *name = marl__json_text(json, key);
    int32_t entry = marl__json_of(json, key);
    marl__tensor_info info = {.name = place};
    marl_status status;

    const char *fault = marl__tensor_name_fault(name);
    if (fault) {
        char shown[80];
        return marl__fail(MARL_E_FORMAT, "%s: the tensor name \"%s\" %s", file->reader.name,
                          marl__tensor_show(name, shown), fault);
    }
    if (file->count == MARL__TENSOR_COUNT_MAX) {
        return marl__fail(MARL_E_FORMAT, "%s: more than %d tensors", file->reader.name, MARL__TENSOR_COUNT_MAX);
    }
    memcpy(place, name, strlen(name) + 1);
    if (marl__json_count(json, entry) != 3) {
        return refuse(file, name, "has other keys than dtype, shape and data_offsets");
    }
    if ((status = take_type(file, json, entry, &info)) != MARL_OK ||
        (status = take_shape(file, json, entry, &info)) != MARL_OK ||
        (status = take_range(file, json, entry, &info)) != MARL_OK) {
        return status;
    }
    file->tensors[file->count++] = info;
    return MARL_OK;
}

/* The texts point into json, which the file keeps from here on. */
static marl_status take_metadata(marl__safetensors *file, const marl__json *json, int32_t key) {
    int32_t object = marl__json_of(json, key);
    uint32_t count = marl__json_count(json, object);
    void *texts;
    marl_status status = marl__alloc_array(file->heap, count, sizeof *file->texts, &texts);
    if (status != MARL_OK) {
        return status;
    }
    file->texts = texts;
    int32_t next = marl__json_first(json, object);
    for (uint32_t i = 0; i < count; i++, next = marl__json_next(json, next)) {
        char shown[80];
        int32_t value = marl__json_of(json, next);
        marl__tensor_text text = {marl__json_text(json, next), marl__json_text(json, value)};
        const char *fault = marl__tensor_name_fault(text.key);
        if (!fault && marl__json_type(json, value) != MARL__JSON_TEXT) {
            fault = "has a value that is no text";
        }
        if (fault) {
            return marl__fail(MARL_E_FORMAT, "%s: the key \"%s\" of " MARL__TENSOR_METADATA " %s", file->reader.name,
                              marl__tensor_show(text.key, shown), fault);
        }
        file->texts[i] = text;
    }
    file->text_count = count;
    marl__tensor_sort(file->texts, count, sizeof *file->texts, marl__tensor_text_before, NULL);
    return MARL_OK;
}

/* Whether the entry may be parsed: what bounds its memory. */
static marl_status check_entry_size(const marl__tensor_cutter *cut) {
    const char *quoted = "\"" MARL__TENSOR_METADATA "\"";
    if (strncmp(cut->text + cut->key, quoted, strlen(quoted)) != 0) {
        if (cut->end - cut->key > MARL__TENSOR_ENTRY_MAX) {
            return marl__fail(MARL_E_FORMAT, "%s: the entry at byte %zu of the header is %zu bytes long, at most %d "
                              "are expected", cut->name, cut->key, cut->end - cut->key, MARL__TENSOR_ENTRY_MAX);
        }
    } else if (cut->mark_count > 2 * MARL__TENSOR_TEXT_COUNT_MAX) {
        return marl__fail(MARL_E_FORMAT, "%s: " MARL__TENSOR_METADATA " has more than %d texts", cut->name,
                          MARL__TENSOR_TEXT_COUNT_MAX);
    }
    return MARL_OK;
}

/* Parses the present entry as an object of one key: the letters before and behind it become braces for the moment. */
static marl_status parse_entry(marl__safetensors *file, const marl__tensor_cutter *cut, marl__json **out) {
    char what[300];
    char *before = file->header + cut->key - 1, *behind = file->header + cut->end;
    char kept_before = *before, kept_behind = *behind;
    snprintf(what, sizeof what, "header of %s", file->reader.name);
    *before = '{';
    *behind = '}';
    marl_status status = marl__json_parse(file->heap, before, (size_t)(behind - before) + 1, what, out);
    *before = kept_before;
    *behind = kept_behind;
    return status;
}

static marl_status take_entry(marl__safetensors *file, const marl__tensor_cutter *cut) {
    marl__json *json = NULL;
    marl_status status;
    if ((status = check_entry_size(cut)) != MARL_OK) goto done;
    if ((status = parse_entry(file, cut, &json)) != MARL_OK) goto done;
    int32_t key = marl__json_first(json, 0);
    if (strcmp(marl__json_text(json, key), MARL__TENSOR_METADATA) != 0) {
        status = take_tensor(file, json, key, file->header + cut->key);
    } else if (file->metadata) {
        status = marl__fail(MARL_E_FORMAT, "%s: two entries named " MARL__TENSOR_METADATA, file->reader.name);
    } else {
        file->metadata = json;
        json = NULL;
        status = take_metadata(file, file->metadata, key);
    }
done:
    marl__json_destroy(json);
    return status;
}

/* ---- the header as a whole ---- */

static marl_status read_header(marl__safetensors *file, size_t *out_bytes) {
    uint8_t length[LENGTH_BYTES];
    uint64_t bytes, file_bytes = file->reader.byte_count;
    if (file_bytes < LENGTH_BYTES) {
        return marl__fail(MARL_E_FORMAT, "%s: %llu bytes are too few for a safetensors file", file->reader.name,
                          (unsigned long long)file_bytes);
    }
    marl_status status = marl__reader_read(&file->reader, 0, length, LENGTH_BYTES);
    if (status != MARL_OK) {
        return status;
    }
    memcpy(&bytes, length, sizeof bytes);
    if (bytes > MARL__TENSOR_HEADER_MAX || bytes > file_bytes - LENGTH_BYTES) {
        return marl__fail(MARL_E_FORMAT, "%s: no safetensors file, or cut off: a header of %llu bytes in a file of "
                          "%llu (at most %d are expected)", file->reader.name, (unsigned long long)bytes,
                          (unsigned long long)file_bytes, MARL__TENSOR_HEADER_MAX);
    }
    file->header = marl__alloc(file->heap, (size_t)bytes + 1); /* one more: a closing brace may be put behind it */
    if (!file->header) {
        return MARL_E_NOMEM;
    }
    file->begin = LENGTH_BYTES + bytes;
    *out_bytes = (size_t)bytes;
    return marl__reader_read(&file->reader, LENGTH_BYTES, file->header, (size_t)bytes);
}

static marl_status take_entries(marl__safetensors *file, size_t header_bytes) {
    marl__tensor_cutter cut = {.name = file->reader.name, .text = file->header, .bytes = header_bytes};
    marl__tensor_cutter counter = cut;
    uint32_t entry_count;
    void *tensors, *by_name;
    bool is_end;
    marl_status status = count_entries(&counter, &entry_count);
    if (status != MARL_OK) {
        return status;
    }
    if ((status = marl__alloc_array(file->heap, entry_count, sizeof *file->tensors, &tensors)) != MARL_OK) {
        return status;
    }
    file->tensors = tensors;
    if ((status = marl__alloc_array(file->heap, entry_count, sizeof *file->by_name, &by_name)) != MARL_OK) {
        return status;
    }
    file->by_name = by_name;
    while ((status = marl__tensor_cut_next(&cut, &is_end)) == MARL_OK && !is_end) {
        if ((status = take_entry(file, &cut)) != MARL_OK) {
            return status;
        }
    }
    return status;
}

/* By place; empty tensors may share one, then in the order of the header, where the names lie. */
static bool data_before(const void *a, const void *b, const void *ctx) {
    const marl__tensor_info *first = a, *second = b;
    (void)ctx;
    if (first->offset != second->offset) {
        return first->offset < second->offset;
    }
    if (first->byte_count != second->byte_count) {
        return first->byte_count < second->byte_count;
    }
    return first->name < second->name;
}

static bool name_before(const void *a, const void *b, const void *ctx) {
    const marl__tensor_info *tensors = ctx;
    return strcmp(tensors[*(const uint32_t *)a].name, tensors[*(const uint32_t *)b].name) < 0;
}

/* The ranges must follow each other without gap or overlap, to the end of the file. */
static marl_status check_ranges(marl__safetensors *file) {
    uint64_t end = file->begin;
    char shown[80];
    marl__tensor_sort(file->tensors, file->count, sizeof *file->tensors, data_before, NULL);
    for (uint32_t i = 0; i < file->count; i++) {
        const marl__tensor_info *info = &file->tensors[i];
        if (info->offset != end) {
            return marl__fail(MARL_E_FORMAT, "%s: tensor \"%s\" begins at byte %llu of the data, expected %llu, where "
                              "the one before it ends", file->reader.name, marl__tensor_show(info->name, shown),
                              (unsigned long long)(info->offset - file->begin),
                              (unsigned long long)(end - file->begin));
        }
        end += info->byte_count; /* cannot overflow: it is within the file */
    }
    if (end != file->reader.byte_count) {
        return marl__fail(MARL_E_FORMAT, "%s: the tensors take %llu bytes of data, but there are %llu",
                          file->reader.name, (unsigned long long)(end - file->begin),
                          (unsigned long long)(file->reader.byte_count - file->begin));
    }
    return MARL_OK;
}

static marl_status check_names(marl__safetensors *file) {
    for (uint32_t i = 0; i < file->count; i++) {
        file->by_name[i] = i;
    }
    marl__tensor_sort(file->by_name, file->count, sizeof *file->by_name, name_before, file->tensors);
    for (uint32_t i = 1; i < file->count; i++) {
        const char *name = file->tensors[file->by_name[i]].name;
        if (strcmp(file->tensors[file->by_name[i - 1]].name, name) == 0) {
            return refuse(file, name, "is there twice");
        }
    }
    return MARL_OK;
}

static marl_status check_checksums(marl__safetensors *file) {
    const char *tensors = marl__safetensors_metadata(file, MARL__TENSOR_CRC_KEY);
    const char *header = marl__safetensors_metadata(file, MARL__TENSOR_HEADER_CRC_KEY);
    uint32_t expected, given = 0;
    if (!tensors && !header) {
        return MARL_OK;
    }
    if (!tensors || !header || strlen(header) != 8 || !marl__tensor_read_crc(header, &expected) ||
        strlen(tensors) != 8 * (size_t)file->count) {
        return marl__fail(MARL_E_FORMAT, "%s: the checksums are damaged: expected " MARL__TENSOR_HEADER_CRC_KEY
                          " with 8 digits and " MARL__TENSOR_CRC_KEY " with %u", file->reader.name, 8 * file->count);
    }
    for (uint32_t i = 0; i < file->count; i++) {
        given = marl__tensor_digest(given, &file->tensors[i], file->begin);
    }
    given = marl__tensor_digest_texts(given, file->texts, file->text_count);
    if (given != expected) {
        return marl__fail(MARL_E_FORMAT, "%s: the header is damaged: its checksum is %08x, expected %08x",
                          file->reader.name, given, expected);
    }
    file->checksums = tensors;
    return MARL_OK;
}

/* ---- open, close, look up ---- */

marl_status marl__safetensors_open(marl__heap *heap, const marl_source *source, uint64_t max_bytes,
                                   marl__safetensors **out) {
    marl_status status;
    size_t header_bytes = 0;
    marl__safetensors *file;

    *out = NULL;
    file = marl__alloc_zero(heap, sizeof *file);
    if (!file) {
        return MARL_E_NOMEM;
    }
    file->heap = heap;
    if ((status = marl__reader_open(source, max_bytes, &file->reader)) != MARL_OK) {
        marl__free(heap, file);
        return status;
    }
    if ((status = read_header(file, &header_bytes)) != MARL_OK) goto done;
    if ((status = take_entries(file, header_bytes)) != MARL_OK) goto done;
    if ((status = check_ranges(file)) != MARL_OK) goto done;
    if ((status = check_names(file)) != MARL_OK) goto done;
    if ((status = check_checksums(file)) != MARL_OK) goto done;
    *out = file;
    file = NULL;
done:
    marl__safetensors_close(file);
    return status;
}

void marl__safetensors_close(marl__safetensors *file) {
    if (!file) {
        return;
    }
    marl__free(file->heap, file->texts);
    marl__json_destroy(file->metadata);
    marl__free(file->heap, file->by_name);
    marl__free(file->heap, file->tensors);
    marl__free(file->heap, file->header);
    marl__reader_close(&file->reader);
    marl__free(file->heap, file);
}

marl_status marl__safetensors_require_crc(const marl__safetensors *file) {
    if (!file->checksums) {
        return marl__fail(MARL_E_FORMAT, "%s: has no checksums (" MARL__TENSOR_CRC_KEY "), so libmarl did not write "
                          "it, or it is damaged", file->reader.name);
    }
    return MARL_OK;
}

const char *marl__safetensors_name(const marl__safetensors *file) {
    return file->reader.name;
}

uint32_t marl__safetensors_count(const marl__safetensors *file) {
    return file->count;
}

const marl__tensor_info *marl__safetensors_info(const marl__safetensors *file, uint32_t index) {
    return index < file->count ? &file->tensors[index] : NULL;
}

const marl__tensor_info *marl__safetensors_find(const marl__safetensors *file, const char *name) {
    uint32_t low = 0, high = file->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const marl__tensor_info *info = &file->tensors[file->by_name[middle]];
        int order = strcmp(name, info->name);
        if (order == 0) {
            return info;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

marl_status marl__safetensors_expect(const marl__safetensors *file, const char *name, int32_t type, uint32_t rank,
                                     const uint32_t *shape, const marl__tensor_info **out) {
    const marl__tensor_info *info = marl__safetensors_find(file, name);
    char shown[80], expected[128], given[128];
    *out = NULL;
    marl__tensor_show(name, shown);
    marl__tensor_show_shape(rank, shape, expected);
    if (!info) {
        return marl__fail(MARL_E_MISMATCH, "%s: has no tensor \"%s\", expected with shape %s", file->reader.name, shown,
                          expected);
    }
    if ((type && type != info->type) || rank != info->rank ||
        (rank > 0 && memcmp(shape, info->shape, rank * sizeof *shape) != 0)) {
        return marl__fail(MARL_E_MISMATCH, "%s: tensor \"%s\" is %s %s, expected %s%s%s", file->reader.name, shown,
                          marl__tensor_type_name(info->type), marl__tensor_show_shape(info->rank, info->shape, given),
                          type ? marl__tensor_type_name(type) : "", type ? " " : "", expected);
    }
    *out = info;
    return MARL_OK;
}

const char *marl__safetensors_metadata(const marl__safetensors *file, const char *key) {
    uint32_t low = 0, high = file->text_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(key, file->texts[middle].key);
        if (order == 0) {
            return file->texts[middle].text;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
