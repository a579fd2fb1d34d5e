/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded traces of other implementations: build/tests/traces DIR reads DIR/manifest.json and runs every file
 * it lists. One case is one file. A manifest lists files under "files", each with the word of its environment, or maps
 * of the combat environment under "maps", by name; a kind of environment is an adapter (tests/support/trace_*.c) that
 * turns what is said there into a name and keys of ours. Nothing about a single case is compiled in. Prints a line a
 * case and ends with "N passed, N failed, N skipped"; the exit status is 1 if any failed. */
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/status.h"
#include "support/trace.h"

#define MOST_MANIFEST_BYTES (64u << 20)

typedef struct adapter {
    const char *env; /* the manifest's word */
    marl_status (*run)(marl__heap *heap, const marl__json *json, int32_t entry, const char *name, const char *path,
                       uint32_t *steps);
} adapter;

static const adapter adapters[] = {
    {"lbforaging", marl__trace_lbf},
    {"combat", marl__trace_combat},
    {"bridge", marl__trace_bridge},
    {"simple_adversary", marl__trace_mpe},
    {"simple_reference", marl__trace_mpe},
    {"simple_speaker_listener", marl__trace_mpe},
    {"simple_spread", marl__trace_mpe},
    {"simple_tag", marl__trace_mpe},
};

/* The manifest's word is the adapter's, or that with a version behind it: simple_tag_v3. */
static int is_word_of(const char *env, const char *word) {
    size_t length = strlen(env);

    return strncmp(word, env, length) == 0 &&
           (word[length] == '\0' || (strncmp(word + length, "_v", 2) == 0 && word[length + 2] != '\0' &&
                                     strspn(word + length + 2, "0123456789") == strlen(word + length + 2)));
}

typedef struct tally {
    uint32_t passed, failed, skipped;
} tally;

/* env, name: as said beside the entry; NULL: the entry says it itself. */
static void run_case(marl__heap *heap, const marl__json *json, int32_t entry, const char *env, const char *name,
                     const char *dir, tally *counts) {
    const char *file = "?";
    char path[4096];
    uint32_t steps = 0;
    marl_status status = MARL_OK;

    if (marl__json_get_text(json, entry, "file", &file) != MARL_OK ||
        (!env && marl__json_get_text(json, entry, "env", &env) != MARL_OK)) {
        printf("%s: failed: %s\n", file ? file : "?", marl_last_error());
        counts->failed++;
        return;
    }
    for (size_t i = 0; i < sizeof adapters / sizeof adapters[0]; i++) {
        if (!is_word_of(adapters[i].env, env)) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", dir, file);
        status = adapters[i].run(heap, json, entry, name, path, &steps);
        if (status == MARL_OK) {
            printf("%s: passed, %u steps\n", file, steps);
            counts->passed++;
        } else {
            printf("%s: failed: %s: %s\n", file, marl_status_name(status), marl_last_error());
            counts->failed++;
        }
        return;
    }
    printf("%s: skipped: not built (%s)\n", file, env);
    counts->skipped++;
}

static void run_all(marl__heap *heap, const marl__json *json, const char *dir, tally *counts) {
    int32_t files = marl__json_find(json, 0, "files"), maps = marl__json_find(json, 0, "maps");

    for (int32_t entry = marl__json_first(json, files); entry >= 0; entry = marl__json_next(json, entry)) {
        run_case(heap, json, entry, NULL, NULL, dir, counts);
    }
    for (int32_t key = marl__json_first(json, maps); key >= 0; key = marl__json_next(json, key)) {
        run_case(heap, json, marl__json_of(json, key), "combat", marl__json_text(json, key), dir, counts);
    }
}

int main(int argc, char **argv) {
    char path[4096];
    char *text = NULL;
    size_t bytes = 0;
    marl__heap heap;
    marl__json *json = NULL;
    tally counts = {0, 0, 0};
    int result = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR (with DIR/manifest.json)\n", argv[0]);
        return 2;
    }
    snprintf(path, sizeof path, "%s/manifest.json", argv[1]);
    if (marl__heap_init(&heap, NULL) != MARL_OK ||
        marl__file_read_all(&heap, path, MOST_MANIFEST_BYTES, &text, &bytes) != MARL_OK ||
        marl__json_parse(&heap, text, bytes, path, &json) != MARL_OK) {
        fprintf(stderr, "%s\n", marl_last_error());
        goto done;
    }
    run_all(&heap, json, argv[1], &counts);
    if (counts.passed + counts.failed + counts.skipped == 0) {
        fprintf(stderr, "%s lists no files\n", path);
        goto done;
    }
    printf("%u passed, %u failed, %u skipped\n", counts.passed, counts.failed, counts.skipped);
    result = counts.failed > 0;
done:
    marl__json_destroy(json);
    marl__free(&heap, text);
    return result;
}
