/* SPDX-License-Identifier: Apache-2.0 */
/* Walking argv by a command's table of flags, and the errors about what is found there. `--name value` and
 * `--name=value` are the same. A value is whatever stands after its flag, so `--min-return -5` needs no quoting. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest word that is compared for a suggestion; longer ones are no typing errors. */
enum { WORD_MAX = 40 };

/* Every command understands these without listing them. */
static const option_spec common_flags[] = {
    {"help", NULL, "show this help"},
    {NULL, NULL, NULL},
};

int fail(const char *format, ...) {
    va_list arguments;

    fflush(stdout);
    fputs("marl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int fail_library(void) {
    const char *text = marl_last_error();

    return fail("%s", text[0] ? text : "the library gave no reason");
}

int fail_usage(const command *command, const char *format, ...) {
    va_list arguments;

    fflush(stdout);
    fputs("marl: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nmarl: see marl help%s%s\n", command ? " " : "", command ? command->name : "");
    return EXIT_USAGE;
}

/* Number of insertions, deletions, replacements and swaps of neighbours between two words. */
static size_t word_distance(const char *a, const char *b) {
    size_t rows[3][WORD_MAX + 1] = {{0}};
    size_t a_count = strlen(a), b_count = strlen(b);

    if (a_count > WORD_MAX || b_count > WORD_MAX) return WORD_MAX;
    for (size_t j = 0; j <= b_count; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_count; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_count; j++) {
            size_t best = before[j - 1] + (a[i - 1] != b[j - 1]);

            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && twice[j - 2] + 1 < best) {
                best = twice[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return rows[a_count % 3][b_count];
}

const char *nearest_word(const char *word, const char *const *words) {
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 2;    /* further away is another word, not a slip */

    for (; *words; words++) {
        size_t distance = word_distance(word, *words);

        if (distance < least) {
            least = distance;
            nearest = *words;
        }
    }
    return nearest;
}

static const option_spec *find_flag(const option_spec *flags, const char *name, size_t name_bytes) {
    for (; flags && flags->name; flags++) {
        if (strlen(flags->name) == name_bytes && strncmp(flags->name, name, name_bytes) == 0) return flags;
    }
    return NULL;
}

/* One item of a call: a flag with its value, or an argument that is no flag. */
typedef struct item {
    const option_spec *flag; /* NULL: no flag, or an unknown one (then text begins with dashes) */
    const char *text;        /* as it stands in argv */
    const char *value;       /* NULL: a switch, or the value is missing */
} item;

static bool next_item(const options *options, int *index, item *out) {
    const char *name, *equals;
    size_t name_bytes;

    if (*index >= options->argc) return false;
    *out = (item){.text = options->argv[(*index)++]};
    if (strcmp(out->text, "-h") == 0) out->flag = &common_flags[0];
    if (out->flag || out->text[0] != '-' || out->text[1] != '-') return true;
    name = out->text + 2;
    equals = strchr(name, '=');
    name_bytes = equals ? (size_t)(equals - name) : strlen(name);
    out->flag = find_flag(options->command->flags, name, name_bytes);
    if (!out->flag) out->flag = find_flag(common_flags, name, name_bytes);
    if (equals) out->value = equals + 1;
    else if (out->flag && out->flag->value && *index < options->argc) out->value = options->argv[(*index)++];
    return true;
}

static int refuse_flag(const options *options, const char *text) {
    const char *names[64];
    const char *nearest;
    char word[64];
    size_t count = 0;

    for (const option_spec *flag = options->command->flags; flag && flag->name && count < 62; flag++) {
        names[count++] = flag->name;
    }
    names[count++] = common_flags[0].name;
    names[count] = NULL;
    snprintf(word, sizeof word, "%.*s", (int)strcspn(text + strspn(text, "-"), "="), text + strspn(text, "-"));
    nearest = nearest_word(word, names);
    if (!nearest) return fail_usage(options->command, "%s has no flag %s", options->command->name, text);
    return fail_usage(options->command, "%s has no flag %s; did you mean --%s?", options->command->name, text, nearest);
}

int options_check(const options *options) {
    int index = 0, positionals = 0;
    item item;

    while (next_item(options, &index, &item)) {
        if (!item.flag) {
            if (item.text[0] == '-' && item.text[1]) return refuse_flag(options, item.text);
            if (++positionals > options->command->positional_max) {
                return fail_usage(options->command, "%s does not know what to do with \"%s\"", options->command->name,
                                  item.text);
            }
        } else if (item.flag->value && !item.value) {
            return fail_usage(options->command, "--%s needs a value: --%s %s", item.flag->name, item.flag->name,
                              item.flag->value);
        } else if (!item.flag->value && item.value) {
            return fail_usage(options->command, "--%s takes no value", item.flag->name);
        }
    }
    return 0;
}

const char *options_next(const options *options, const char *name, int *cursor) {
    item item;

    while (next_item(options, cursor, &item)) {
        if (item.flag && strcmp(item.flag->name, name) == 0) return item.value ? item.value : "";
    }
    return NULL;
}

const char *options_get(const options *options, const char *name) {
    const char *value, *last = NULL;
    int cursor = 0;

    while ((value = options_next(options, name, &cursor))) last = value;
    return last;
}

const char *options_positional(const options *options, int index) {
    int cursor = 0;
    item item;

    while (next_item(options, &cursor, &item)) {
        if (!item.flag && index-- == 0) return item.text;
    }
    return NULL;
}

/* Digits alone are read as an integer, so that every 64-bit seed survives; k, M and 1e6 go through a double. */
static bool read_whole(const char *text, uint64_t *out) {
    char *end;
    double number, scale = 1.0;

    if (text[0] == '\0' || text[0] == '-' || text[0] == ' ') return false;
    if (strspn(text, "0123456789") == strlen(text)) {
        errno = 0;
        *out = strtoull(text, NULL, 10);
        return errno == 0;
    }
    number = strtod(text, &end);
    if (*end == 'k' || *end == 'K') scale = 1e3;
    if (*end == 'm' || *end == 'M') scale = 1e6;
    number *= scale;
    if (end == text || end[scale > 1.0] != '\0') return false;
    if (!(number >= 0.0 && number <= 9e15) || number != floor(number)) return false;
    *out = (uint64_t)number;
    return true;
}

int options_whole(const options *options, const char *name, uint64_t least, uint64_t *out) {
    const char *text = options_get(options, name);
    uint64_t value;

    if (!text) return 0;
    if (!read_whole(text, &value) || value < least) {
        return fail_usage(options->command, "--%s \"%s\" is not a whole number from %llu on", name, text,
                          (unsigned long long)least);
    }
    *out = value;
    return 0;
}

int options_real(const options *options, const char *name, double least, double greatest, double *out) {
    const char *text = options_get(options, name);
    char *end;
    double value;

    if (!text) return 0;
    value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < least || value > greatest) {
        if (greatest < 1e300) {
            return fail_usage(options->command, "--%s \"%s\" is not a number from %g to %g", name, text, least,
                              greatest);
        }
        return fail_usage(options->command, "--%s \"%s\" is not a number", name, text);
    }
    *out = value;
    return 0;
}

const char *options_pair(const char *pair, char key[128]) {
    const char *equals = strchr(pair, '=');
    size_t bytes = equals ? (size_t)(equals - pair) : 0;

    if (bytes == 0 || bytes >= 128) {
        fail("--set \"%s\" is not KEY=VALUE", pair);
        return NULL;
    }
    memcpy(key, pair, bytes);
    key[bytes] = '\0';
    return equals + 1;
}
