/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses, the thread's error sentence, the version. The sentence lives in a fixed thread-local buffer: reporting
 * "no memory" must not ask for memory, and two threads must not see each other's faults. A sentence is formatted on the
 * stack first, because its arguments may point into the present one. */
#include "core/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Long enough for a path of ordinary length, a key, a value and its range; longer sentences lose their end. */
#define SENTENCE_BYTES 1024

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

static _Thread_local char sentence[SENTENCE_BYTES];

/* A cut may fall inside a UTF-8 sequence; bindings decode the sentence strictly, so the torn rest goes too. */
static size_t whole_characters(const char *text, size_t bytes) {
    size_t start = bytes;
    size_t want = 1;

    while (start > 0 && bytes - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        if (byte < 0x80) return bytes;
        if (byte < 0xc0) continue;
        want = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return bytes - start < want ? start : bytes;
    }
    return bytes;
}

static void format_text(char *text, const char *format, va_list arguments) {
    int bytes = vsnprintf(text, SENTENCE_BYTES, format, arguments);

    if (bytes < 0) text[0] = '\0';
    if (bytes >= SENTENCE_BYTES) text[whole_characters(text, SENTENCE_BYTES - 1)] = '\0';
}

marl_status marl__fail(marl_status status, const char *format, ...) {
    char text[SENTENCE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    memcpy(sentence, text, strlen(text) + 1);
    return status;
}

marl_status marl__no_memory(size_t bytes) {
    return marl__fail(MARL_E_NOMEM, "no memory for %zu bytes", bytes);
}

marl_status marl__fail_prefix(marl_status status, const char *format, ...) {
    char text[SENTENCE_BYTES];
    va_list arguments;
    size_t front, back;

    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    front = strlen(text);
    back = strlen(sentence);
    if (back > SENTENCE_BYTES - 1 - front) back = whole_characters(sentence, SENTENCE_BYTES - 1 - front);
    memmove(sentence + front, sentence, back);
    memcpy(sentence, text, front);
    sentence[front + back] = '\0';
    return status;
}

int marl__is_handle(const void *handle, uint32_t tag) {
    uint32_t found = 0;

    if (!handle) return 0;
    memcpy(&found, handle, sizeof found);
    return found == tag;
}

marl_status marl__check_handle(const void *handle, uint32_t tag, const char *what) {
    if (marl__is_handle(handle, tag)) return MARL_OK;
    if (!handle) return marl__fail(MARL_E_HANDLE, "expected a %s handle, got NULL", what);
    return marl__fail(MARL_E_HANDLE, "expected a %s handle, got a handle of another kind or one already ended", what);
}

marl_status marl__take_struct(void *out, size_t size, const void *in, size_t least, const char *what) {
    const unsigned char *bytes = in;
    uint32_t given = 0;

    memset(out, 0, size);
    if (!in) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", what);
    memcpy(&given, in, sizeof given);
    if (given < least)
        return marl__fail(MARL_E_ARGUMENT, "%s.struct_size is %u, expected at least %zu: set it with the init function",
                          what, given, least);
    for (size_t index = size; index < given; ++index) {
        if (bytes[index] != 0)
            return marl__fail(MARL_E_VERSION, "%s sets byte %zu, but this library (%s) knows only %zu bytes of it",
                              what, index, marl_version(), size);
    }
    memcpy(out, in, given < size ? given : size);
    given = (uint32_t)size;
    memcpy(out, &given, sizeof given);
    return MARL_OK;
}

const char *marl_version(void) {
    return VERSION_TEXT(MARL_VERSION_MAJOR, MARL_VERSION_MINOR, MARL_VERSION_PATCH);
}

uint32_t marl_version_number(void) {
    return MARL_VERSION_MAJOR * 10000 + MARL_VERSION_MINOR * 100 + MARL_VERSION_PATCH;
}

const char *marl_last_error(void) {
    return sentence;
}

/* Codes, names and texts in the list's order, so that an index names the same status in all three. */
#define LIST_CODE(name, number, text) number,
#define LIST_NAME(name, number, text) "MARL_" #name,
#define LIST_TEXT(name, number, text) text,
static const marl_status status_codes[] = {MARL_STATUS_LIST(LIST_CODE)};
static const char *const status_names[] = {MARL_STATUS_LIST(LIST_NAME)};
static const char *const status_texts[] = {MARL_STATUS_LIST(LIST_TEXT)};

static uint32_t status_index(marl_status status) {
    uint32_t index = 0;

    while (index < marl_status_count() && status_codes[index] != status) ++index;
    return index;
}

const char *marl_status_name(marl_status status) {
    uint32_t index = status_index(status);

    return index < marl_status_count() ? status_names[index] : "MARL_E_?";
}

const char *marl_status_text(marl_status status) {
    uint32_t index = status_index(status);

    return index < marl_status_count() ? status_texts[index] : "not a status of this library";
}

uint32_t marl_status_count(void) {
    return (uint32_t)(sizeof status_codes / sizeof status_codes[0]);
}

marl_status marl_status_at(uint32_t index) {
    return index < marl_status_count() ? status_codes[index] : MARL_E_ARGUMENT;
}
