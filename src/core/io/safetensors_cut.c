/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a safetensors header. This looks for quotes and brackets only: whether an entry is JSON is for the strict
 * JSON reader to say, which gets each of them. What is checked here is what lies between the entries. */
#include "core/io/safetensors_format.h"

#include <string.h>

static marl_status malformed(const marl__tensor_cutter *cut, const char *expected) {
    return marl__fail(MARL_E_FORMAT, "%s: the header is malformed at its byte %zu: expected %s", cut->name, cut->at,
                      expected);
}

static void skip_space(marl__tensor_cutter *cut) {
    while (cut->at < cut->bytes && strchr(" \t\r\n", cut->text[cut->at]) && cut->text[cut->at]) {
        cut->at++;
    }
}

static bool skip_letter(marl__tensor_cutter *cut, char letter) {
    skip_space(cut);
    if (cut->at >= cut->bytes || cut->text[cut->at] != letter) {
        return false;
    }
    cut->at++;
    return true;
}

/* Goes on behind the closing quote; `at` stands behind the opening one. */
static bool skip_text(marl__tensor_cutter *cut) {
    while (cut->at < cut->bytes) {
        char letter = cut->text[cut->at++];
        if (letter == '"') {
            return true;
        }
        cut->at += letter == '\\';
    }
    return false;
}

/* Goes on behind the brace or bracket that closes the one before `at`. */
static bool skip_nested(marl__tensor_cutter *cut) {
    size_t depth = 1;
    while (depth > 0) {
        if (cut->at >= cut->bytes) {
            return false;
        }
        char letter = cut->text[cut->at++];
        depth += letter == '{' || letter == '[';
        depth -= letter == '}' || letter == ']';
        cut->mark_count += letter == ',' || letter == ':' || letter == '{' || letter == '[';
        if (letter == '"' && !skip_text(cut)) {
            return false;
        }
    }
    return true;
}

/* Only spaces may follow the header's object. */
static marl_status check_padding(marl__tensor_cutter *cut) {
    for (; cut->at < cut->bytes; cut->at++) {
        if (cut->text[cut->at] != ' ') {
            return malformed(cut, "spaces only behind the last brace");
        }
    }
    return MARL_OK;
}

marl_status marl__tensor_cut_next(marl__tensor_cutter *cut, bool *is_end) {
    *is_end = false;
    if (cut->at == 0) {
        if (cut->bytes == 0 || cut->text[0] != '{') {
            return malformed(cut, "'{'");
        }
        cut->at = 1;
    }
    if (skip_letter(cut, '}')) {
        *is_end = true;
        return check_padding(cut);
    }
    if (cut->count > 0 && !skip_letter(cut, ',')) {
        return malformed(cut, "',' or '}'");
    }
    if (!skip_letter(cut, '"')) {
        return malformed(cut, "a name in quotes");
    }
    cut->key = cut->at - 1;
    cut->mark_count = 0;
    if (!skip_text(cut)) {
        return malformed(cut, "the end of a name");
    }
    if (!skip_letter(cut, ':') || !skip_letter(cut, '{')) {
        return malformed(cut, "a name's ':' and '{'");
    }
    if (!skip_nested(cut)) {
        return malformed(cut, "a closing brace");
    }
    cut->end = cut->at;
    if (cut->count++ == MARL__TENSOR_COUNT_MAX + 1) { /* one is __metadata__ */
        return marl__fail(MARL_E_FORMAT, "%s: more than %d tensors", cut->name, MARL__TENSOR_COUNT_MAX);
    }
    return MARL_OK;
}
