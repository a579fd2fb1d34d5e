/* SPDX-License-Identifier: Apache-2.0 */
/* See json.h. A value is skipped by counting brackets outside strings, so depth costs nothing. */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

char *read_text(const char *path, size_t limit, size_t *out_bytes) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t bytes = 0, capacity = 0;

    if (!file) {
        fail("%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    for (;;) {
        if (bytes + 1 >= capacity) {
            char *grown = realloc(text, capacity = capacity ? capacity * 2 : 65536);

            if (!grown) {
                free(text);
                text = NULL;
                break;
            }
            text = grown;
        }
        size_t got = fread(text + bytes, 1, capacity - 1 - bytes, file);
        bytes += got;
        if (got == 0 || bytes > limit) break;
    }
    if (!text || ferror(file) || bytes > limit) {
        fail(bytes > limit ? "%s is too large to be what it is named" : "%s cannot be read", path);
        free(text);
        text = NULL;
    } else {
        text[bytes] = '\0';
    }
    fclose(file);
    *out_bytes = text ? bytes : 0;
    return text;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':';
}

bool json_check_object(json_slice text, const char *path, const char *what) {
    const char *first = text.text;
    size_t line;

    if (!json_is_valid(text, &line)) {
        fail("%s is no %s: line %zu is no JSON, or the file is cut off there", path, what, line);
        return false;
    }
    while (is_space(*first)) first++;
    if (*first != '{') fail("%s is no %s: it is no JSON object", path, what);
    return *first == '{';
}

char *read_object(const char *path, size_t limit, const char *what, json_slice *out) {
    char *text = read_text(path, limit, &out->bytes);

    out->text = text;
    if (!text || json_check_object(*out, path, what)) return text;
    free(text);
    return NULL;
}

/* Bytes of the string that begins at text, quotes included; 0 if it does not end. */
static size_t string_bytes(const char *text, size_t bytes) {
    for (size_t i = 1; i < bytes; i++) {
        if (text[i] == '\\') i++;
        else if (text[i] == '"') return i + 1;
    }
    return 0;
}

/* Bytes of the value that begins at text; 0 if it is broken. */
static size_t value_bytes(const char *text, size_t bytes) {
    size_t depth = 0, i = 0;

    if (bytes == 0) return 0;
    if (text[0] == '"') return string_bytes(text, bytes);
    if (text[0] != '{' && text[0] != '[') {
        while (i < bytes && !is_space(text[i]) && text[i] != '}' && text[i] != ']') i++;
        return i;
    }
    while (i < bytes) {
        if (text[i] == '"') {
            size_t skipped = string_bytes(text + i, bytes - i);

            if (skipped == 0) return 0;
            i += skipped;
            continue;
        }
        if (text[i] == '{' || text[i] == '[') depth++;
        if ((text[i] == '}' || text[i] == ']') && --depth == 0) return i + 1;
        i++;
    }
    return 0;
}

static void advance(json_slice *rest, size_t bytes) {
    rest->text += bytes;
    rest->bytes -= bytes;
    while (rest->bytes > 0 && is_space(rest->text[0])) {
        rest->text++;
        rest->bytes--;
    }
}

static bool take_value(json_slice *rest, json_slice *value) {
    size_t bytes = value_bytes(rest->text, rest->bytes);

    if (bytes == 0) return false;
    *value = (json_slice){rest->text, bytes};
    advance(rest, bytes);
    return true;
}

bool json_open(json_slice value, json_slice *rest) {
    *rest = value;
    advance(rest, 0);
    while (rest->bytes > 0 && is_space(rest->text[rest->bytes - 1])) rest->bytes--;
    if (rest->bytes < 2 || (rest->text[0] != '{' && rest->text[0] != '[')) return false;
    if (value_bytes(rest->text, rest->bytes) != rest->bytes) return false;
    rest->bytes--;
    advance(rest, 1);
    return true;
}

bool json_next(json_slice *rest, json_slice *key, json_slice *value) {
    if (key && (rest->bytes == 0 || rest->text[0] != '"' || !take_value(rest, key))) return false;
    return take_value(rest, value);
}

bool json_find(json_slice object, const char *name, json_slice *out) {
    size_t name_bytes = strlen(name);
    json_slice rest, key;

    if (!json_open(object, &rest)) return false;
    while (json_next(&rest, &key, out)) {
        if (key.bytes == name_bytes + 2 && memcmp(key.text + 1, name, name_bytes) == 0) return true;
    }
    return false;
}

bool json_text(json_slice value, char *buffer, size_t buffer_bytes) {
    static const char escapes[] = "n\nt\tr\rb\bf\f";
    size_t used = 0;

    buffer[0] = '\0';
    if (value.bytes < 2 || value.text[0] != '"') return false;
    for (size_t i = 1; i + 1 < value.bytes && used + 1 < buffer_bytes; i++) {
        char c = value.text[i];

        if (c == '\\' && i + 2 < value.bytes) {
            const char *escape = strchr(escapes, c = value.text[++i]);

            if (c == 'u') c = '?', i += 4;
            else if (escape && (escape - escapes) % 2 == 0) c = escape[1];
        }
        buffer[used++] = c;
    }
    buffer[used] = '\0';
    return true;
}

bool json_number(json_slice value, double *out) {
    char text[64], *end;

    if (value.bytes == 0 || value.bytes >= sizeof text) return false;
    memcpy(text, value.text, value.bytes);
    text[value.bytes] = '\0';
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

void json_write_text(FILE *stream, const char *text) {
    if (!text) {
        fputs("null", stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') fprintf(stream, "\\%c", c);
        else if (c < 0x20) fprintf(stream, "\\u%04x", c);
        else fputc(c, stream);
    }
    fputc('"', stream);
}

void json_write_number(FILE *stream, double value) {
    char text[32];

    if (!isfinite(value)) {
        fputs("null", stream);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, stream);
}
