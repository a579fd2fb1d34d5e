/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written shortly: an append buffer that puts commas and keys by itself and remembers its first error, so that a
 * caller asks once, at the end. Texts are checked to be UTF-8, since the reader would refuse what is not. */
#include "core/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

marl_status marl__json_writer_init(marl__json_writer *writer, marl__heap *heap, size_t reserve) {
    memset(writer, 0, sizeof *writer);
    writer->heap = heap;
    writer->capacity = reserve > 64 ? reserve : 64;
    writer->text = marl__alloc(heap, writer->capacity);
    if (!writer->text) {
        writer->capacity = 0;
        return writer->status = MARL_E_NOMEM;
    }
    writer->text[0] = '\0';
    return MARL_OK;
}

void marl__json_writer_reset(marl__json_writer *writer) {
    writer->bytes = 0;
    writer->depth = 0;
    writer->has_item[0] = 0;
    writer->status = writer->text ? MARL_OK : MARL_E_NOMEM;
    if (writer->text) writer->text[0] = '\0';
}

void marl__json_writer_free(marl__json_writer *writer) {
    if (writer->heap) marl__free(writer->heap, writer->text);
    memset(writer, 0, sizeof *writer);
    writer->status = MARL_E_STATE;
}

/* Room for `bytes` more and the NUL. */
static int make_room(marl__json_writer *writer, size_t bytes) {
    size_t need = 0;
    char *grown;

    if (writer->status != MARL_OK) return 0;
    if (!marl__add_size(writer->bytes + 1, bytes, &need) || need > SIZE_MAX / 2) {
        writer->status = marl__no_memory(bytes);
        return 0;
    }
    if (need <= writer->capacity) return 1;
    if (need < writer->capacity * 2) need = writer->capacity * 2;
    grown = marl__alloc(writer->heap, need);
    if (!grown) {
        writer->status = MARL_E_NOMEM;
        return 0;
    }
    memcpy(grown, writer->text, writer->bytes + 1);
    marl__free(writer->heap, writer->text);
    writer->text = grown;
    writer->capacity = need;
    return 1;
}

static void append(marl__json_writer *writer, const char *text, size_t bytes) {
    if (!make_room(writer, bytes)) return;
    memcpy(writer->text + writer->bytes, text, bytes);
    writer->bytes += bytes;
    writer->text[writer->bytes] = '\0';
}

static void append_text(marl__json_writer *writer, const char *text) {
    size_t bytes = strlen(text);

    if (writer->status == MARL_OK && !marl__is_utf8(text, bytes)) {
        writer->status = marl__fail(MARL_E_FORMAT, "the text \"%.64s\" is not UTF-8 and cannot stand in JSON", text);
        return;
    }
    append(writer, "\"", 1);
    for (const char *run = text; *run;) {
        size_t plain = 0;
        char escape[8];
        while ((unsigned char)run[plain] >= 0x20 && run[plain] != '"' && run[plain] != '\\') ++plain;
        append(writer, run, plain);
        run += plain;
        if (*run == '\0') break;
        if (*run == '"' || *run == '\\') snprintf(escape, sizeof escape, "\\%c", *run);
        else if (*run == '\n') snprintf(escape, sizeof escape, "\\n");
        else if (*run == '\t') snprintf(escape, sizeof escape, "\\t");
        else snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*run);
        append(writer, escape, strlen(escape));
        ++run;
    }
    append(writer, "\"", 1);
}

/* What stands before a value: a comma after the one before, and its key. */
static void begin_value(marl__json_writer *writer, const char *key) {
    if (writer->status != MARL_OK) return;
    if (writer->has_item[writer->depth]) append(writer, ",", 1);
    writer->has_item[writer->depth] = 1;
    if (!key) return;
    append_text(writer, key);
    append(writer, ":", 1);
}

static void open_level(marl__json_writer *writer, const char *key, const char *bracket) {
    begin_value(writer, key);
    if (writer->status != MARL_OK) return;
    if (writer->depth + 1 >= sizeof writer->has_item) {
        writer->status = marl__fail(MARL_E_STATE, "JSON nested deeper than %zu", sizeof writer->has_item - 1);
        return;
    }
    append(writer, bracket, 1);
    writer->has_item[++writer->depth] = 0;
}

static void close_level(marl__json_writer *writer, const char *bracket) {
    if (writer->status != MARL_OK) return;
    if (writer->depth == 0) {
        writer->status = marl__fail(MARL_E_STATE, "JSON closed more often than opened");
        return;
    }
    --writer->depth;
    append(writer, bracket, 1);
}

void marl__json_open_object(marl__json_writer *writer, const char *key) {
    open_level(writer, key, "{");
}

void marl__json_close_object(marl__json_writer *writer) {
    close_level(writer, "}");
}

void marl__json_open_array(marl__json_writer *writer, const char *key) {
    open_level(writer, key, "[");
}

void marl__json_close_array(marl__json_writer *writer) {
    close_level(writer, "]");
}

void marl__json_write_text(marl__json_writer *writer, const char *key, const char *value) {
    begin_value(writer, key);
    append_text(writer, value);
}

void marl__json_write_raw(marl__json_writer *writer, const char *key, const char *json) {
    begin_value(writer, key);
    append(writer, json, strlen(json));
}

void marl__json_write_int(marl__json_writer *writer, const char *key, int64_t value) {
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)value);
    marl__json_write_raw(writer, key, text);
}

void marl__json_write_real(marl__json_writer *writer, const char *key, double value) {
    char text[32];

    marl__write_real(value, text);
    marl__json_write_raw(writer, key, isfinite(value) ? text : "null");
}

void marl__json_write_bool(marl__json_writer *writer, const char *key, int32_t value) {
    marl__json_write_raw(writer, key, value ? "true" : "false");
}
