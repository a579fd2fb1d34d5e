/* SPDX-License-Identifier: Apache-2.0 */
/* Writing safetensors files. The checksums stand in the header, before the data, and a sink cannot be rewound: so the
 * data are read twice, once for the checksums and once to be written, and never copied. Before the first byte goes out
 * the header is opened with our own reader: what it refuses is not written, and no rule exists twice. */
#include "core/io/safetensors_format.h"

#include <string.h>

#include "core/base/crc32c.h"

enum { LENGTH_BYTES = 8, CHUNK_BYTES = 65536 };

typedef struct entry {
    marl__tensor_info info;         /* its name is owned */
    const void *data;               /* NULL: the producer's, or none */
    marl__tensor_producer producer;
    uint32_t index;                 /* of declaration */
    uint32_t crc;
} entry;

typedef struct owned_text { char *key, *text; } owned_text;

struct marl__safetensors_writer {
    marl__heap *heap;
    marl_status status; /* sticky */
    entry *entries;
    uint32_t count, capacity;
    owned_text *texts;
    uint32_t text_count, text_capacity;
};

/* What one finish needs. image: header length, header, padding. */
typedef struct output {
    marl__tensor_text *texts; /* sorted, with the checksums */
    uint32_t text_count;
    char *checksums;
    char header_crc[9];
    uint8_t *chunk;
    uint8_t *image;
    size_t image_bytes;
    uint64_t file_bytes;
    marl__json_writer json;
} output;

/* ---- declarations ---- */

marl_status marl__safetensors_writer_create(marl__heap *heap, marl__safetensors_writer **out) {
    *out = marl__alloc_zero(heap, sizeof **out);
    if (!*out) {
        return MARL_E_NOMEM;
    }
    (*out)->heap = heap;
    return MARL_OK;
}

void marl__safetensors_writer_destroy(marl__safetensors_writer *writer) {
    if (!writer) {
        return;
    }
    for (uint32_t i = 0; i < writer->count; i++) {
        marl__free(writer->heap, (char *)writer->entries[i].info.name);
    }
    for (uint32_t i = 0; i < writer->text_count; i++) {
        marl__free(writer->heap, writer->texts[i].key);
        marl__free(writer->heap, writer->texts[i].text);
    }
    marl__free(writer->heap, writer->entries);
    marl__free(writer->heap, writer->texts);
    marl__free(writer->heap, writer);
}

/* Makes room for one more element; *array may move. */
static marl_status grow(marl__heap *heap, void **array, uint32_t count, uint32_t *capacity, size_t element_bytes) {
    void *grown;
    if (count < *capacity) {
        return MARL_OK;
    }
    uint32_t more = *capacity ? 2 * *capacity : 16; /* callers cap the count */
    marl_status status = marl__alloc_array(heap, more, element_bytes, &grown);
    if (status != MARL_OK) {
        return status;
    }
    if (count > 0) {
        memcpy(grown, *array, count * element_bytes);
    }
    marl__free(heap, *array);
    *array = grown;
    *capacity = more;
    return MARL_OK;
}

static marl_status check_declaration(const marl__safetensors_writer *writer, const marl__tensor_info *info) {
    char shown[80];
    const char *fault = marl__tensor_name_fault(info->name);
    if (!fault && strcmp(info->name, MARL__TENSOR_METADATA) == 0) {
        fault = "is reserved";
    }
    if (fault) {
        return marl__fail(MARL_E_ARGUMENT, "the tensor name \"%s\" %s", marl__tensor_show(info->name, shown), fault);
    }
    if (!marl__tensor_type_bytes(info->type)) {
        return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\": %d is no tensor type", marl__tensor_show(info->name, shown),
                          (int)info->type);
    }
    if (writer->count == MARL__TENSOR_COUNT_MAX) {
        return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\": a file holds at most %d tensors",
                          marl__tensor_show(info->name, shown), MARL__TENSOR_COUNT_MAX);
    }
    return MARL_OK;
}

static marl_status add(marl__safetensors_writer *writer, entry *added, const uint32_t *shape) {
    char shown[80];
    void *entries = writer->entries;
    marl__tensor_info *info = &added->info;
    marl_status status = check_declaration(writer, info);
    if (status != MARL_OK) {
        return status;
    }
    if (info->rank > MARL__TENSOR_RANK_MAX) {
        return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\" has %u dimensions, at most %d are expected",
                          marl__tensor_show(info->name, shown), info->rank, MARL__TENSOR_RANK_MAX);
    }
    if (info->rank > 0) {
        memcpy(info->shape, shape, info->rank * sizeof *shape);
    }
    if (!marl__tensor_measure(info)) {
        return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\": its size in bytes overflows",
                          marl__tensor_show(info->name, shown));
    }
    if (info->byte_count > 0 && !added->data && !added->producer.produce) {
        return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\" has %llu bytes, but its data is NULL",
                          marl__tensor_show(info->name, shown), (unsigned long long)info->byte_count);
    }
    status = grow(writer->heap, &entries, writer->count, &writer->capacity, sizeof *added);
    writer->entries = entries;
    if (status != MARL_OK) {
        return status;
    }
    char *name;
    if ((status = marl__copy_text(writer->heap, info->name, &name)) != MARL_OK) {
        return status;
    }
    info->name = name;
    added->index = writer->count;
    writer->entries[writer->count++] = *added;
    return MARL_OK;
}

marl_status marl__safetensors_add(marl__safetensors_writer *writer, const char *name, int32_t type, uint32_t rank,
                                  const uint32_t *shape, const void *data) {
    entry added = {.info = {.name = name, .type = type, .rank = rank}, .data = data};
    if (writer->status == MARL_OK) {
        writer->status = add(writer, &added, shape);
    }
    return writer->status;
}

marl_status marl__safetensors_add_produced(marl__safetensors_writer *writer, const char *name, int32_t type,
                                           uint32_t rank, const uint32_t *shape,
                                           const marl__tensor_producer *producer) {
    entry added = {.info = {.name = name, .type = type, .rank = rank}, .producer = *producer};
    if (writer->status == MARL_OK) {
        writer->status = add(writer, &added, shape);
    }
    return writer->status;
}

/* Other control characters are spelt in hexadecimal by JSON, where the case of a digit would be damage without effect,
 * which no checksum of the meaning could see. */
static const char *text_fault(const char *text) {
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char letter = (unsigned char)text[i];
        if ((letter < 0x20 && letter != '\t' && letter != '\n') || letter == 0x7f) {
            return "contains a control character";
        }
    }
    return marl__is_utf8(text, bytes) ? NULL : "is not UTF-8";
}

static marl_status add_text(marl__safetensors_writer *writer, const char *key, const char *text) {
    char shown[80];
    void *texts = writer->texts;
    owned_text added;
    const char *fault = marl__tensor_name_fault(key);
    if (!fault && (strcmp(key, MARL__TENSOR_CRC_KEY) == 0 || strcmp(key, MARL__TENSOR_HEADER_CRC_KEY) == 0)) {
        fault = "is reserved";
    }
    if (!fault && writer->text_count >= MARL__TENSOR_TEXT_COUNT_MAX - 2) {
        fault = "is one too many";
    }
    if (fault) {
        return marl__fail(MARL_E_ARGUMENT, "the metadata key \"%s\" %s", marl__tensor_show(key, shown), fault);
    }
    if ((fault = text_fault(text)) != NULL) {
        return marl__fail(MARL_E_ARGUMENT, "the text of the metadata key \"%s\" %s", marl__tensor_show(key, shown),
                          fault);
    }
    marl_status status = grow(writer->heap, &texts, writer->text_count, &writer->text_capacity, sizeof added);
    writer->texts = texts;
    if (status != MARL_OK || (status = marl__copy_text(writer->heap, key, &added.key)) != MARL_OK) {
        return status;
    }
    if ((status = marl__copy_text(writer->heap, text, &added.text)) != MARL_OK) {
        marl__free(writer->heap, added.key);
        return status;
    }
    writer->texts[writer->text_count++] = added;
    return MARL_OK;
}

marl_status marl__safetensors_add_metadata(marl__safetensors_writer *writer, const char *key, const char *text) {
    if (writer->status == MARL_OK) {
        writer->status = add_text(writer, key, text);
    }
    return writer->status;
}

/* ---- the data ---- */

/* Goes over a tensor's bytes; to: where they are written, NULL: nowhere. */
static marl_status pass_over(const entry *tensor, uint8_t *chunk, marl__writer *to, uint32_t *out_crc) {
    uint32_t crc = 0;
    for (uint64_t offset = 0; offset < tensor->info.byte_count;) {
        uint64_t left = tensor->info.byte_count - offset;
        size_t bytes = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        const uint8_t *piece = tensor->data ? (const uint8_t *)tensor->data + offset : chunk;
        marl_status status = MARL_OK;
        if (!tensor->data) {
            status = tensor->producer.produce(offset, chunk, bytes, tensor->producer.user);
        }
        if (status == MARL_OK && to) {
            status = marl__writer_write(to, piece, bytes);
        }
        if (status != MARL_OK) {
            return status;
        }
        crc = marl__crc32c(crc, piece, bytes);
        offset += bytes;
    }
    *out_crc = crc;
    return MARL_OK;
}

static bool entry_before(const void *a, const void *b, const void *ctx) {
    const entry *first = a, *second = b;
    uint32_t first_bytes = marl__tensor_type_bytes(first->info.type);
    uint32_t second_bytes = marl__tensor_type_bytes(second->info.type);
    (void)ctx;
    return first_bytes != second_bytes ? first_bytes > second_bytes : first->index < second->index;
}

/* Orders the tensors and places them from 0 on. */
static marl_status lay_out(marl__safetensors_writer *writer, output *result) {
    char shown[80];
    size_t end = 0;
    marl__tensor_sort(writer->entries, writer->count, sizeof *writer->entries, entry_before, NULL);
    for (uint32_t i = 0; i < writer->count; i++) {
        marl__tensor_info *info = &writer->entries[i].info;
        info->offset = end;
        if (!marl__add_size(end, (size_t)info->byte_count, &end)) {
            return marl__fail(MARL_E_ARGUMENT, "tensor \"%s\": the size of the file overflows",
                              marl__tensor_show(info->name, shown));
        }
    }
    result->file_bytes = end; /* the image's bytes are added when they are known */
    return MARL_OK;
}

static marl_status take_checksums(marl__safetensors_writer *writer, output *result) {
    for (uint32_t i = 0; i < writer->count; i++) {
        entry *tensor = &writer->entries[i];
        marl_status status = pass_over(tensor, result->chunk, NULL, &tensor->crc);
        if (status != MARL_OK) {
            return status;
        }
        marl__tensor_write_crc(tensor->crc, result->checksums + 8 * (size_t)i);
    }
    return MARL_OK;
}

/* ---- the header ---- */

static void collect_texts(const marl__safetensors_writer *writer, output *result) {
    uint32_t count = 0, crc = 0;
    for (; count < writer->text_count; count++) {
        result->texts[count] = (marl__tensor_text){writer->texts[count].key, writer->texts[count].text};
    }
    result->texts[count++] = (marl__tensor_text){MARL__TENSOR_CRC_KEY, result->checksums};
    result->texts[count++] = (marl__tensor_text){MARL__TENSOR_HEADER_CRC_KEY, result->header_crc};
    result->text_count = count;
    marl__tensor_sort(result->texts, count, sizeof *result->texts, marl__tensor_text_before, NULL);
    for (uint32_t i = 0; i < writer->count; i++) {
        crc = marl__tensor_digest(crc, &writer->entries[i].info, 0);
    }
    marl__tensor_write_crc(marl__tensor_digest_texts(crc, result->texts, count), result->header_crc);
}

static void write_entry(marl__json_writer *json, const marl__tensor_info *info) {
    marl__json_open_object(json, info->name);
    marl__json_write_text(json, "dtype", marl__tensor_type_name(info->type));
    marl__json_open_array(json, "shape");
    for (uint32_t i = 0; i < info->rank; i++) {
        marl__json_write_int(json, NULL, info->shape[i]);
    }
    marl__json_close_array(json);
    marl__json_open_array(json, "data_offsets");
    marl__json_write_int(json, NULL, (int64_t)info->offset);
    marl__json_write_int(json, NULL, (int64_t)(info->offset + info->byte_count));
    marl__json_close_array(json);
    marl__json_close_object(json);
}

static marl_status write_header(const marl__safetensors_writer *writer, output *result) {
    marl__json_writer *json = &result->json;
    marl_status status = marl__json_writer_init(json, writer->heap, 4096);
    if (status != MARL_OK) {
        return status;
    }
    marl__json_open_object(json, NULL);
    marl__json_open_object(json, MARL__TENSOR_METADATA);
    for (uint32_t i = 0; i < result->text_count; i++) {
        marl__json_write_text(json, result->texts[i].key, result->texts[i].text);
    }
    marl__json_close_object(json);
    for (uint32_t i = 0; i < writer->count; i++) {
        write_entry(json, &writer->entries[i].info);
    }
    marl__json_close_object(json);
    return json->status;
}

static marl_status build_image(const marl__safetensors_writer *writer, output *result) {
    marl_status status = write_header(writer, result);
    if (status != MARL_OK) {
        return status;
    }
    uint64_t padded = (result->json.bytes + 7) / 8 * 8;
    if (padded > MARL__TENSOR_HEADER_MAX) {
        return marl__fail(MARL_E_ARGUMENT, "names and metadata make a header of %llu bytes, at most %d are allowed",
                          (unsigned long long)padded, MARL__TENSOR_HEADER_MAX);
    }
    result->image_bytes = LENGTH_BYTES + (size_t)padded;
    result->file_bytes += result->image_bytes;
    result->image = marl__alloc(writer->heap, result->image_bytes);
    if (!result->image) {
        return MARL_E_NOMEM;
    }
    memset(result->image, ' ', result->image_bytes);
    for (int i = 0; i < LENGTH_BYTES; i++) {
        result->image[i] = (uint8_t)(padded >> 8 * i);
    }
    memcpy(result->image + LENGTH_BYTES, result->json.text, result->json.bytes);
    return MARL_OK;
}

/* A source that has the header only: opening reads no further. */
static marl_status read_image(uint64_t offset, void *buffer, size_t bytes, void *user) {
    const output *result = user;
    MARL_ASSERT(offset + bytes <= result->image_bytes);
    memcpy(buffer, result->image + offset, bytes);
    return MARL_OK;
}

static marl_status check_image(const marl__safetensors_writer *writer, output *result) {
    marl_source source;
    marl__safetensors *file;
    marl_source_init(&source, sizeof source);
    source.read = read_image;
    source.byte_count = result->file_bytes;
    source.user = result;
    marl_status status = marl__safetensors_open(writer->heap, &source, UINT64_MAX, &file);
    marl__safetensors_close(file);
    return status == MARL_OK ? status : marl__fail_prefix(status, "the file would not be readable: ");
}

/* ---- finish ---- */

static marl_status write_file(const marl__safetensors_writer *writer, const output *result, const marl_sink *sink) {
    marl__writer *to = marl__alloc(writer->heap, sizeof *to); /* holds two paths: too large for a small stack */
    char shown[80];
    if (!to) {
        return MARL_E_NOMEM;
    }
    marl_status status = marl__writer_open(sink, to);
    if (status != MARL_OK) {
        marl__free(writer->heap, to);
        return status;
    }
    if ((status = marl__writer_write(to, result->image, result->image_bytes)) != MARL_OK) goto done;
    for (uint32_t i = 0; i < writer->count; i++) {
        const entry *tensor = &writer->entries[i];
        uint32_t crc;
        if ((status = pass_over(tensor, result->chunk, to, &crc)) != MARL_OK) goto done;
        if (crc != tensor->crc) {
            status = marl__fail(MARL_E_STATE, "tensor \"%s\" changed while it was being written",
                                marl__tensor_show(tensor->info.name, shown));
            goto done;
        }
    }
    status = marl__writer_commit(to);
done:
    marl__writer_abort(to);
    marl__free(writer->heap, to);
    return status;
}

static marl_status allocate(const marl__safetensors_writer *writer, output *result) {
    void *texts;
    marl_status status = marl__alloc_array(writer->heap, writer->text_count + 2, sizeof *result->texts, &texts);
    if (status != MARL_OK) {
        return status;
    }
    result->texts = texts;
    result->checksums = marl__alloc_zero(writer->heap, 8 * (size_t)writer->count + 1);
    if (!result->checksums) {
        return MARL_E_NOMEM;
    }
    result->chunk = marl__alloc(writer->heap, CHUNK_BYTES);
    return result->chunk ? MARL_OK : MARL_E_NOMEM;
}

marl_status marl__safetensors_finish(marl__safetensors_writer *writer, const marl_sink *sink) {
    output result = {0};
    marl_status status;

    if ((status = writer->status) != MARL_OK) goto done;
    if ((status = allocate(writer, &result)) != MARL_OK) goto done;
    if ((status = lay_out(writer, &result)) != MARL_OK) goto done;
    if ((status = take_checksums(writer, &result)) != MARL_OK) goto done;
    collect_texts(writer, &result);
    if ((status = build_image(writer, &result)) != MARL_OK) goto done;
    if ((status = check_image(writer, &result)) != MARL_OK) goto done;
    status = write_file(writer, &result, sink);
done:
    marl__json_writer_free(&result.json);
    marl__free(writer->heap, result.image);
    marl__free(writer->heap, result.chunk);
    marl__free(writer->heap, result.checksums);
    marl__free(writer->heap, result.texts);
    return status;
}
