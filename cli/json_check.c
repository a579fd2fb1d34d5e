/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a text is one JSON value: what json.h walks is checked here once, since walking alone takes a comma for a
 * space and does not see an end that comes too early. The open brackets stand on a small stack of bits. */
#include <string.h>

#include "json.h"

enum { DEPTH_MAX = 64 };

typedef struct cursor {
    const char *at, *end;
    uint64_t is_object;    /* bit d: what is open at depth d is an object */
    unsigned depth;
} cursor;

static void skip_space(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

static bool take(cursor *c, char byte) {
    if (c->at == c->end || *c->at != byte) return false;
    c->at++;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool take_digits(cursor *c) {
    const char *first = c->at;

    while (c->at < c->end && is_digit(*c->at)) c->at++;
    return c->at > first;
}

static bool take_number(cursor *c) {
    take(c, '-');
    if (!take(c, '0') && !take_digits(c)) return false;
    if (take(c, '.') && !take_digits(c)) return false;
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+')) take(c, '-');
        return take_digits(c);
    }
    return true;
}

static bool take_escape(cursor *c) {
    if (c->at == c->end) return false;
    if (*c->at != 'u') return strchr("\"\\/bfnrt", *c->at) && *c->at && c->at++;
    c->at++;
    for (int i = 0; i < 4; i++, c->at++) {
        if (c->at == c->end || !*c->at || !strchr("0123456789abcdefABCDEF", *c->at)) return false;
    }
    return true;
}

static bool take_string(cursor *c) {
    if (!take(c, '"')) return false;
    while (c->at < c->end && (unsigned char)*c->at >= 0x20) {
        char byte = *c->at++;

        if (byte == '"') return true;
        if (byte == '\\' && !take_escape(c)) return false;
    }
    return false;
}

static bool take_word(cursor *c, const char *word) {
    size_t bytes = strlen(word);

    if ((size_t)(c->end - c->at) < bytes || memcmp(c->at, word, bytes) != 0) return false;
    c->at += bytes;
    return true;
}

static bool take_plain(cursor *c) {
    if (c->at == c->end) return false;
    if (*c->at == '"') return take_string(c);
    if (*c->at == '-' || is_digit(*c->at)) return take_number(c);
    return take_word(c, "true") || take_word(c, "false") || take_word(c, "null");
}

static bool is_in_object(const cursor *c) {
    return c->depth > 0 && c->is_object >> (c->depth - 1) & 1u;
}

/* "name": before a member's value. */
static bool take_name(cursor *c) {
    skip_space(c);
    if (!take_string(c)) return false;
    skip_space(c);
    return take(c, ':');
}

/* From one value's beginning to the next one's: opens brackets, or takes a plain value and what closes after it. */
static bool take_until_next(cursor *c) {
    bool is_object, is_empty;

    skip_space(c);
    if (c->at < c->end && (*c->at == '{' || *c->at == '[')) {
        if (c->depth == DEPTH_MAX) return false;
        is_object = *c->at++ == '{';
        skip_space(c);
        is_empty = take(c, is_object ? '}' : ']');
        if (!is_empty) {
            c->is_object = (c->is_object & ~(UINT64_C(1) << c->depth)) | (uint64_t)is_object << c->depth;
            c->depth++;
            return !is_object || take_name(c);
        }
    } else if (!take_plain(c)) {
        return false;
    }
    for (skip_space(c); c->depth > 0; skip_space(c)) {
        if (take(c, ',')) return !is_in_object(c) || take_name(c);
        if (!take(c, is_in_object(c) ? '}' : ']')) return false;
        c->depth--;
    }
    return true;
}

bool json_is_valid(json_slice text, size_t *out_line) {
    cursor c = {.at = text.text, .end = text.text + text.bytes};
    bool is_valid = true;

    do is_valid = take_until_next(&c); while (is_valid && c.depth > 0);
    *out_line = 1;
    for (const char *p = text.text; p < c.at; p++) *out_line += *p == '\n';
    return is_valid && c.at == c.end;
}
