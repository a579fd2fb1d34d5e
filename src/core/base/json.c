/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, read strictly; json_write.c writes it, number.c reads and prints its numbers.
 *
 * jsmn finds the tokens but lets much through ("[1 2]", "{1:}", "01", torn UTF-8), so a scanner of our own checks the
 * whole grammar of RFC 8259 first and counts the tokens; jsmn then fills an array of exactly that size. Each token
 * becomes a node (28 bytes) that knows its next sibling, and every text and number is copied, decoded, into one pool of
 * characters. Keys are sorted by (object, text): equal neighbours are duplicates, and a look-up is a binary search;
 * heapsort, because no choice of keys makes it slow and libc's qsort may allocate. */
#include "core/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/number.h"
#include "core/base/status.h"

#define JSMN_STATIC
#define JSMN_PARENT_LINKS /* without them jsmn looks for the parent by walking back, which is quadratic */
#include <jsmn.h>

/* Whole numbers beyond this are not exact in the doubles that most JSON readers use. */
#define WHOLE_LIMIT 9007199254740992.0

#define WHAT_BYTES 96

typedef struct json_node {
    int32_t type;
    int32_t next;   /* sibling, -1: last */
    int32_t value;  /* of a key; -1: no key */
    int32_t parent; /* of a key: its object */
    uint32_t count; /* of an array or object */
    uint32_t text;  /* offset into the pool, of texts, keys and numbers */
    uint32_t start; /* byte of the document */
} json_node;

struct marl__json {
    marl__heap *heap;
    json_node *nodes;
    int32_t *keys; /* all keys, sorted by (object, text) */
    char *pool;
    int32_t node_count, key_count;
    char what[WHAT_BYTES];
};

/* ---- UTF-8 ---- */

/* Length of the well-formed sequence at text, 0 if there is none (Unicode, table 3-7). */
static size_t utf8_length(const unsigned char *text, size_t bytes) {
    unsigned char first = text[0];
    unsigned char least = 0x80, most = 0xbf;
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

    if (length < 2) return length;
    if (length > bytes) return 0;
    if (first == 0xe0) least = 0xa0;
    if (first == 0xed) most = 0x9f;
    if (first == 0xf0) least = 0x90;
    if (first == 0xf4) most = 0x8f;
    if (text[1] < least || text[1] > most) return 0;
    for (size_t index = 2; index < length; ++index)
        if (text[index] < 0x80 || text[index] > 0xbf) return 0;
    return length;
}

bool marl__is_utf8(const char *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        size_t length = utf8_length((const unsigned char *)text + at, bytes - at);
        if (length == 0 || text[at] == '\0') return false;
        at += length;
    }
    return true;
}

static size_t put_utf8(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

uint32_t marl__line_of(const char *text, size_t bytes) {
    uint32_t line = 1;

    for (size_t at = 0; at < bytes; ++at) line += text[at] == '\n';
    return line;
}

/* ---- the scanner: the whole grammar, nothing stored ---- */

typedef struct scanner {
    const char *text, *at, *end;
    const char *what;
    uint32_t tokens;
} scanner;

static marl_status refuse(const scanner *scan, const char *reason) {
    return marl__fail(MARL_E_FORMAT, "%s: %s at byte %zu, line %u", scan->what, reason,
                      (size_t)(scan->at - scan->text), marl__line_of(scan->text, (size_t)(scan->at - scan->text)));
}

static void skip_space(scanner *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        ++scan->at;
}

static char peek(const scanner *scan) {
    return scan->at < scan->end ? *scan->at : '\0';
}

/* Four hexadecimal digits; 0x10000 if they are not. */
static uint32_t hex4(const char *text, const char *end) {
    uint32_t code = 0;

    if (end - text < 4) return 0x10000;
    for (int index = 0; index < 4; ++index) {
        char letter = text[index];
        uint32_t digit = marl__is_digit(letter) ? (uint32_t)(letter - '0')
                         : letter >= 'a' && letter <= 'f' ? (uint32_t)(letter - 'a' + 10)
                         : letter >= 'A' && letter <= 'F' ? (uint32_t)(letter - 'A' + 10)
                                                          : 16;
        if (digit == 16) return 0x10000;
        code = code * 16 + digit;
    }
    return code;
}

/* The character of an escape whose backslash is at text, *bytes its length; 0 if it is none: an embedded NUL would end
 * the text early for every C reader, and half a surrogate pair is no character. */
static uint32_t take_escape(const char *text, const char *end, size_t *bytes) {
    static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    const char *found = end - text >= 2 && text[1] != '\0' ? strchr(letters, text[1]) : NULL;
    uint32_t high, low;

    *bytes = 2;
    if (found) return (uint32_t)codes[found - letters];
    if (end - text < 2 || text[1] != 'u') return 0;
    *bytes = 6;
    high = hex4(text + 2, end);
    if (high < 0xd800 || high > 0xdfff) return high < 0x10000 ? high : 0;
    if (high > 0xdbff || end - text < 12 || text[6] != '\\' || text[7] != 'u') return 0;
    *bytes = 12;
    low = hex4(text + 8, end);
    return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : 0;
}

static marl_status scan_text(scanner *scan) {
    ++scan->at;
    while (scan->at < scan->end && *scan->at != '"') {
        unsigned char byte = (unsigned char)*scan->at;
        size_t bytes = 0;
        if (byte < 0x20) return refuse(scan, "a control character in a text (it must be escaped)");
        if (byte == '\\') {
            if (take_escape(scan->at, scan->end, &bytes) == 0) return refuse(scan, "a wrong escape, or one for NUL,");
        } else {
            bytes = utf8_length((const unsigned char *)scan->at, (size_t)(scan->end - scan->at));
            if (bytes == 0) return refuse(scan, "text that is not UTF-8");
        }
        scan->at += bytes;
    }
    if (scan->at == scan->end) return refuse(scan, "a text without its closing quote");
    ++scan->at;
    return MARL_OK;
}

static int scan_digits(scanner *scan) {
    const char *start = scan->at;

    while (marl__is_digit(peek(scan))) ++scan->at;
    return scan->at > start;
}

static marl_status scan_number(scanner *scan) {
    if (peek(scan) == '-') ++scan->at;
    if (peek(scan) == '0') ++scan->at;
    else if (!scan_digits(scan)) return refuse(scan, "no JSON value");
    if (peek(scan) == '.') {
        ++scan->at;
        if (!scan_digits(scan)) return refuse(scan, "a number without digits after its point");
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        ++scan->at;
        if (peek(scan) == '+' || peek(scan) == '-') ++scan->at;
        if (!scan_digits(scan)) return refuse(scan, "a number without digits in its exponent");
    }
    return MARL_OK;
}

static marl_status scan_word(scanner *scan, const char *word) {
    size_t bytes = strlen(word);

    if ((size_t)(scan->end - scan->at) < bytes || memcmp(scan->at, word, bytes) != 0)
        return refuse(scan, "no JSON value");
    scan->at += bytes;
    return MARL_OK;
}

static marl_status count_token(scanner *scan) {
    if (++scan->tokens <= MARL__JSON_MAX_TOKENS) return MARL_OK;
    return marl__fail(MARL_E_FORMAT, "%s: more than %u values and keys", scan->what, MARL__JSON_MAX_TOKENS);
}

static marl_status scan_value(scanner *scan, uint32_t depth);

static marl_status scan_key(scanner *scan) {
    marl_status status;

    if (peek(scan) != '"') return refuse(scan, "a key is missing");
    if ((status = count_token(scan)) != MARL_OK) return status;
    if ((status = scan_text(scan)) != MARL_OK) return status;
    skip_space(scan);
    if (peek(scan) != ':') return refuse(scan, "':' is missing");
    ++scan->at;
    return MARL_OK;
}

static marl_status scan_items(scanner *scan, uint32_t depth, char close) {
    marl_status status;

    if (depth > MARL__JSON_MAX_DEPTH) return refuse(scan, "more than 8 levels of arrays and objects");
    ++scan->at;
    skip_space(scan);
    if (peek(scan) == close) return ++scan->at, MARL_OK;
    for (;;) {
        skip_space(scan);
        if (close == '}' && (status = scan_key(scan)) != MARL_OK) return status;
        if ((status = scan_value(scan, depth)) != MARL_OK) return status;
        skip_space(scan);
        if (peek(scan) == close) return ++scan->at, MARL_OK;
        if (peek(scan) != ',') return refuse(scan, close == '}' ? "',' or '}' is missing" : "',' or ']' is missing");
        ++scan->at;
    }
}

/* depth: arrays and objects around the value. Recursion ends at MARL__JSON_MAX_DEPTH. */
static marl_status scan_value(scanner *scan, uint32_t depth) {
    marl_status status;

    skip_space(scan);
    if ((status = count_token(scan)) != MARL_OK) return status;
    switch (peek(scan)) {
    case '{': return scan_items(scan, depth + 1, '}');
    case '[': return scan_items(scan, depth + 1, ']');
    case '"': return scan_text(scan);
    case 't': return scan_word(scan, "true");
    case 'f': return scan_word(scan, "false");
    case 'n': return scan_word(scan, "null");
    default: return scan_number(scan);
    }
}

static marl_status scan_document(scanner *scan) {
    marl_status status = scan_value(scan, 0);

    if (status != MARL_OK) return status;
    skip_space(scan);
    return scan->at == scan->end ? MARL_OK : refuse(scan, "something after the value");
}

/* ---- nodes ---- */

static uint32_t decode_text(const char *text, const char *end, char *out) {
    char *to = out;

    while (text < end) {
        size_t bytes = 1;
        if (*text == '\\') to += put_utf8(take_escape(text, end, &bytes), to);
        else *to++ = *text;
        text += bytes;
    }
    *to++ = '\0';
    return (uint32_t)(to - out);
}

static int32_t node_type(const jsmntok_t *token, char first) {
    if (token->type == JSMN_OBJECT) return MARL__JSON_OBJECT;
    if (token->type == JSMN_ARRAY) return MARL__JSON_ARRAY;
    if (token->type == JSMN_STRING) return MARL__JSON_TEXT;
    return first == 'n' ? MARL__JSON_NULL : first == 't' || first == 'f' ? MARL__JSON_BOOL : MARL__JSON_NUMBER;
}

/* Texts and numbers go to the pool; a bool keeps its truth in count. Numbers too large for a double are refused. */
static marl_status fill_node(marl__json *json, int32_t index, const jsmntok_t *token, const char *text,
                             uint32_t *pool_bytes) {
    json_node *node = &json->nodes[index];
    const char *start = text + token->start, *end = text + token->end;
    double value;

    *node = (json_node){.next = -1, .value = -1, .parent = token->parent, .start = (uint32_t)token->start};
    node->type = node_type(token, *start);
    if (node->type == MARL__JSON_OBJECT || node->type == MARL__JSON_ARRAY) {
        node->count = (uint32_t)token->size;
        return MARL_OK;
    }
    node->text = *pool_bytes;
    *pool_bytes += decode_text(start, end, json->pool + *pool_bytes);
    if (node->type == MARL__JSON_BOOL) node->count = *start == 't';
    if (node->type == MARL__JSON_NUMBER && !marl__read_real(json->pool + node->text, &value))
        return marl__fail(MARL_E_FORMAT, "%s: the number %.40s is too large", json->what, json->pool + node->text);
    return MARL_OK;
}

/* Tokens stand in reading order, so walking back meets the next sibling first. A key's only child is its value. */
static void link_nodes(marl__json *json, int32_t *nearest_child) {
    for (int32_t index = 0; index < json->node_count; ++index) nearest_child[index] = -1;
    for (int32_t index = json->node_count - 1; index > 0; --index) {
        int32_t parent = json->nodes[index].parent;
        json->nodes[index].next = nearest_child[parent];
        nearest_child[parent] = index;
        if (json->nodes[parent].type == MARL__JSON_TEXT) json->nodes[parent].value = index;
    }
    for (int32_t index = 0; index < json->node_count; ++index)
        if (json->nodes[index].value >= 0) json->keys[json->key_count++] = index;
}

static int compare_key(const marl__json *json, int32_t key, int32_t object, const char *text) {
    const json_node *node = &json->nodes[key];

    if (node->parent != object) return node->parent < object ? -1 : 1;
    return strcmp(json->pool + node->text, text);
}

static int key_order(const marl__json *json, int32_t a, int32_t b) {
    return compare_key(json, a, json->nodes[b].parent, json->pool + json->nodes[b].text);
}

static void sift_key(marl__json *json, int32_t root, int32_t count) {
    int32_t *keys = json->keys;
    int32_t moved = keys[root];

    for (int32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && key_order(json, keys[child], keys[child + 1]) < 0) ++child;
        if (key_order(json, moved, keys[child]) >= 0) break;
        keys[root] = keys[child];
    }
    keys[root] = moved;
}

static marl_status sort_keys(marl__json *json) {
    for (int32_t root = json->key_count / 2 - 1; root >= 0; --root) sift_key(json, root, json->key_count);
    for (int32_t last = json->key_count - 1; last > 0; --last) {
        int32_t largest = json->keys[0];
        json->keys[0] = json->keys[last];
        json->keys[last] = largest;
        sift_key(json, 0, last);
    }
    for (int32_t index = 1; index < json->key_count; ++index) {
        int32_t key = json->keys[index];
        if (key_order(json, json->keys[index - 1], key) == 0)
            return marl__fail(MARL_E_FORMAT, "%s: the key \"%.64s\" stands twice in one object", json->what,
                              json->pool + json->nodes[key].text);
    }
    return MARL_OK;
}

static marl_status build_nodes(marl__json *json, const char *text, const jsmntok_t *tokens, int32_t *scratch) {
    uint32_t pool_bytes = 1; /* offset 0 is "" for nodes without text */
    marl_status status;

    json->pool[0] = '\0';
    for (int32_t index = 0; index < json->node_count; ++index)
        if ((status = fill_node(json, index, &tokens[index], text, &pool_bytes)) != MARL_OK) return status;
    link_nodes(json, scratch);
    return sort_keys(json);
}

marl_status marl__json_parse(marl__heap *heap, const char *text, size_t bytes, const char *what, marl__json **out) {
    marl_status status = MARL_OK;
    scanner scan = {.text = text, .at = text, .end = text + bytes, .what = what};
    marl__json *json = NULL;
    jsmntok_t *tokens = NULL;
    int32_t *scratch = NULL;
    jsmn_parser parser;

    *out = NULL;
    if (bytes > MARL__JSON_MAX_BYTES)
        return marl__fail(MARL_E_FORMAT, "%s: %zu bytes of JSON, at most %u are read", what, bytes,
                          MARL__JSON_MAX_BYTES);
    if ((status = scan_document(&scan)) != MARL_OK) return status;

    /* The counts are bounded above, so none of these products can overflow. */
    json = marl__alloc_zero(heap, sizeof *json);
    if (!json) return MARL_E_NOMEM;
    json->heap = heap;
    json->node_count = (int32_t)scan.tokens;
    snprintf(json->what, sizeof json->what, "%s", what);
    status = MARL_E_NOMEM;
    if (!(json->nodes = marl__alloc(heap, scan.tokens * sizeof *json->nodes))) goto done;
    if (!(json->keys = marl__alloc(heap, scan.tokens * sizeof *json->keys))) goto done;
    if (!(json->pool = marl__alloc(heap, bytes + scan.tokens + 1))) goto done;
    if (!(scratch = marl__alloc(heap, scan.tokens * sizeof *scratch))) goto done;
    if (!(tokens = marl__alloc(heap, scan.tokens * sizeof *tokens))) goto done;

    jsmn_init(&parser);
    if (jsmn_parse(&parser, text, bytes, tokens, scan.tokens) != json->node_count) {
        status = marl__fail(MARL_E_FORMAT, "%s: not understood as JSON at byte %u", what, parser.pos);
        goto done;
    }
    if ((status = build_nodes(json, text, tokens, scratch)) != MARL_OK) goto done;
    *out = json;
    json = NULL;
done:
    marl__free(heap, tokens);
    marl__free(heap, scratch);
    marl__json_destroy(json);
    return status;
}

void marl__json_destroy(marl__json *json) {
    if (!json) return;
    marl__free(json->heap, json->nodes);
    marl__free(json->heap, json->keys);
    marl__free(json->heap, json->pool);
    marl__free(json->heap, json);
}

/* ---- looking things up ---- */

static const json_node *node_at(const marl__json *json, int32_t value) {
    return value >= 0 && value < json->node_count ? &json->nodes[value] : NULL;
}

int32_t marl__json_type(const marl__json *json, int32_t value) {
    const json_node *node = node_at(json, value);

    return node ? node->type : MARL__JSON_NULL;
}

uint32_t marl__json_count(const marl__json *json, int32_t value) {
    const json_node *node = node_at(json, value);

    return node && (node->type == MARL__JSON_ARRAY || node->type == MARL__JSON_OBJECT) ? node->count : 0;
}

int32_t marl__json_first(const marl__json *json, int32_t value) {
    return marl__json_count(json, value) > 0 ? value + 1 : -1;
}

int32_t marl__json_next(const marl__json *json, int32_t value) {
    const json_node *node = node_at(json, value);

    return node ? node->next : -1;
}

int32_t marl__json_of(const marl__json *json, int32_t key) {
    const json_node *node = node_at(json, key);

    return node ? node->value : -1;
}

int32_t marl__json_find(const marl__json *json, int32_t object, const char *key) {
    int32_t low = 0, high = json->key_count;

    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = compare_key(json, json->keys[middle], object, key);
        if (order == 0) return json->nodes[json->keys[middle]].value;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}

size_t marl__json_start(const marl__json *json, int32_t value) {
    const json_node *node = node_at(json, value);

    return node ? node->start : 0;
}

static const char *pool_text(const marl__json *json, int32_t value, int32_t type) {
    const json_node *node = node_at(json, value);

    return node && node->type == type ? json->pool + node->text : "";
}

const char *marl__json_text(const marl__json *json, int32_t value) {
    return pool_text(json, value, MARL__JSON_TEXT);
}

const char *marl__json_spelling(const marl__json *json, int32_t value) {
    return pool_text(json, value, MARL__JSON_NUMBER);
}

marl_status marl__json_real(const marl__json *json, int32_t value, double *out) {
    *out = 0;
    if (marl__json_type(json, value) == MARL__JSON_NUMBER && marl__read_real(marl__json_spelling(json, value), out))
        return MARL_OK;
    return marl__fail(MARL_E_FORMAT, "%s: a value is no number", json->what);
}

marl_status marl__json_int(const marl__json *json, int32_t value, int64_t *out) {
    double real = 0;
    marl_status status = marl__json_real(json, value, &real);

    *out = 0;
    if (status != MARL_OK) return status;
    if (real != floor(real) || fabs(real) >= WHOLE_LIMIT)
        return marl__fail(MARL_E_FORMAT, "%s: %.40s is no whole number below 2^53", json->what,
                          marl__json_spelling(json, value));
    *out = (int64_t)real;
    return MARL_OK;
}

marl_status marl__json_bool(const marl__json *json, int32_t value, int32_t *out) {
    *out = 0;
    if (marl__json_type(json, value) != MARL__JSON_BOOL)
        return marl__fail(MARL_E_FORMAT, "%s: a value is neither true nor false", json->what);
    *out = (int32_t)json->nodes[value].count;
    return MARL_OK;
}

/* The value of a key that must be there and of a type. */
static marl_status member_of(const marl__json *json, int32_t object, const char *key, int32_t type, int32_t *out) {
    static const char *const type_names[] = {"null", "true or false", "a number", "a text", "an array", "an object"};

    *out = marl__json_find(json, object, key);
    if (*out < 0) return marl__fail(MARL_E_FORMAT, "%s: the key \"%s\" is missing", json->what, key);
    if (marl__json_type(json, *out) == type) return MARL_OK;
    return marl__fail(MARL_E_FORMAT, "%s: \"%s\" is %s, expected %s", json->what, key,
                      type_names[marl__json_type(json, *out)], type_names[type]);
}

marl_status marl__json_get_text(const marl__json *json, int32_t object, const char *key, const char **out) {
    int32_t value;
    marl_status status = member_of(json, object, key, MARL__JSON_TEXT, &value);

    *out = NULL;
    if (status == MARL_OK) *out = marl__json_text(json, value);
    return status;
}

marl_status marl__json_get_int(const marl__json *json, int32_t object, const char *key, int64_t *out) {
    int32_t value;
    marl_status status = member_of(json, object, key, MARL__JSON_NUMBER, &value);

    *out = 0;
    if (status != MARL_OK) return status;
    if (marl__json_int(json, value, out) == MARL_OK) return MARL_OK;
    return marl__fail(MARL_E_FORMAT, "%s: \"%s\" is %.40s, expected a whole number below 2^53", json->what, key,
                      marl__json_spelling(json, value));
}

marl_status marl__json_get_real(const marl__json *json, int32_t object, const char *key, double *out) {
    int32_t value;
    marl_status status = member_of(json, object, key, MARL__JSON_NUMBER, &value);

    *out = 0;
    return status == MARL_OK ? marl__json_real(json, value, out) : status;
}
