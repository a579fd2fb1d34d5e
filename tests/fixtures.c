/* SPDX-License-Identifier: Apache-2.0 */
/* Compares nets and learning steps with recorded results of other implementations: build/tests/fixtures DIR reads
 * DIR/manifest.json and runs every case it lists, on every CPU backend of this machine; a case passes when it passes on
 * all of them. Which adapter runs a case follows from its family; nothing about a single case is compiled in. Prints a
 * line a case and ends with "N passed, N failed, N skipped"; the exit status is 1 if any failed. */
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/status.h"
#include "support/golden.h"

#define MOST_MANIFEST_BYTES (100u << 20)

static int is_cut_short(const marl__golden *golden) {
    return marl__golden_is_cut_short(golden);
}

static const marl__golden_family families[] = {
    {"mlp", marl__golden_mlp_skip, marl__golden_mlp, NULL, NULL},
    {"mlp_base", marl__golden_mlp_base_skip, marl__golden_mlp_base, NULL, NULL},
    {"gae_returns", NULL, marl__golden_gae_returns, NULL, NULL},
    {"value_norm", NULL, marl__golden_value_norm, NULL, NULL},
    {"gru_agent", NULL, marl__golden_gru_agent, NULL, NULL},
    {"vdn_mixer", NULL, marl__golden_vdn_mixer, NULL, NULL},
    {"qmix_mixer", NULL, marl__golden_qmix_mixer, NULL, NULL},
    {"qmix_mixer_original", NULL, marl__golden_qmix_mixer, NULL, NULL},
    /* The key phantom_step trains the step past an early truncation as PyMARL2 does. */
    {"q_step", marl__golden_q_step_skip, marl__golden_q_step, NULL, is_cut_short},
    {"one_step_q_step", marl__golden_one_step_skip, marl__golden_one_step, NULL, NULL},
    {"td_lambda_targets", NULL, marl__golden_td_targets, NULL, is_cut_short},
    {"qplex_mixer", NULL, marl__golden_qplex_mixer, NULL, NULL},
    {"qplex_step_td_lambda", NULL, marl__golden_qplex_step, NULL, is_cut_short},
    {"qplex_step_original", NULL, marl__golden_qplex_original, NULL, NULL},
    {"hpn_agent", marl__golden_hpn_skip, marl__golden_hpn_agent, NULL, NULL},
    {"hpn_q_step", marl__golden_q_step_skip, marl__golden_hpn_step, NULL, is_cut_short},
    {"qtran_step", marl__golden_qtran_skip, NULL, NULL, NULL},
};

/* A way to compute: a device and how the batch is cut. One shard holds the recorded batches; with few rows a shard they
 * are cut into several, each on a thread of its own. */
typedef struct backend {
    const char *words, *device, *isa;
    int32_t threads, shard_rows;
    marl_device *opened; /* NULL: not on this machine */
} backend;

static backend backends[] = {
    {"cpu portable", "cpu", "portable", 1, 256, NULL}, {"cpu avx2", "cpu", "avx2", 1, 256, NULL},
    {"cpu avx512", "cpu", "avx512", 1, 256, NULL},     {"cpu in shards", "cpu", "auto", 2, 8, NULL},
    {"openblas", "openblas", "auto", 1, 256, NULL},
};
enum { BACKEND_COUNT = sizeof backends / sizeof backends[0] };

static marl_status open_backend(backend *b) {
    marl_config *config = NULL;
    marl_status status = marl_config_create(NULL, "device", &config);
    if (status == MARL_OK) status = marl_config_set(config, "isa", b->isa);
    if (status == MARL_OK) status = marl_config_set_int(config, "threads", b->threads);
    if (status == MARL_OK) status = marl_device_open(NULL, b->device, config, &b->opened);
    marl_config_destroy(config);
    return status;
}

/* A backend that this machine lacks is named; any other failure to open one ends the program. */
static int open_backends(void) {
    for (int32_t i = 0; i < BACKEND_COUNT; i++) {
        marl_status status = open_backend(&backends[i]);
        if (status == MARL_OK) continue;
        if (status != MARL_E_UNSUPPORTED) {
            fprintf(stderr, "%s: %s: %s\n", backends[i].words, marl_status_name(status), marl_last_error());
            return 0;
        }
        printf("not on this machine: %s (%s)\n", backends[i].words, marl_last_error());
    }
    return 1;
}

typedef struct tally {
    int32_t passed, failed, skipped;
} tally;

static void skip(tally *counts, const char *name, const char *why, const char *family) {
    printf("%s: skipped: %s (%s)\n", name, why, family);
    counts->skipped++;
}

/* Whether the case is left out by a rule. */
static int is_skipped(const marl__golden *golden, const marl__golden_family *family, tally *counts) {
    int32_t defect = marl__json_find(golden->json, golden->entry, "rests_on_defect");
    const char *why = family->skip ? family->skip(golden) : NULL;
    if (!why && defect >= 0 && !(family->matches_defect && family->matches_defect(golden)))
        why = marl__json_text(golden->json, defect);
    if (why) skip(counts, golden->name, why, family->name);
    return why != NULL;
}

static void run_case(marl__heap *heap, const marl__golden *described, const marl__golden_family *family,
                     const char *dir, tally *counts) {
    char worst_name[96] = "";
    double worst = -1.0;
    int64_t numbers = 0;
    int32_t runs = 0;
    for (int32_t i = 0; i < BACKEND_COUNT; i++) {
        if (!backends[i].opened) continue;
        marl__golden golden = *described;
        marl__golden_open(&golden, heap, dir);
        if (!golden.fault[0]) family->run(&golden, backends[i].opened, backends[i].shard_rows);
        if (!golden.fault[0]) marl__golden_finish(&golden);
        marl__golden_close(&golden);
        if (golden.fault[0]) {
            printf("%s: failed on %s: %s\n", golden.name, backends[i].words, golden.fault);
            counts->failed++;
            return;
        }
        if (golden.worst > worst) {
            worst = golden.worst;
            snprintf(worst_name, sizeof worst_name, "%s", golden.worst_name);
        }
        numbers = golden.numbers;
        runs++;
    }
    printf("%s: passed, %lld numbers on %d backends, at worst %.2f of a tolerance (%s)%s%s\n", described->name,
           (long long)numbers, (int)runs, worst, worst_name, family->left_out ? "; " : "",
           family->left_out ? family->left_out : "");
    counts->passed++;
}

static void dispatch(marl__heap *heap, const marl__json *json, int32_t key, const char *dir, tally *counts) {
    marl__golden described;
    const char *family = "";
    marl__golden_describe(json, marl__json_of(json, key), marl__json_text(json, key), &described);
    if (marl__json_get_text(json, described.entry, "family", &family) != MARL_OK) {
        printf("%s: failed: %s\n", described.name, marl_last_error());
        counts->failed++;
        return;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (!strcmp(families[i].name, family)) {
            if (!is_skipped(&described, &families[i], counts)) run_case(heap, &described, &families[i], dir, counts);
            return;
        }
    skip(counts, described.name, "not built", family);
}

static int run_all(marl__heap *heap, const marl__json *json, const char *dir) {
    tally counts = {0, 0, 0};
    int32_t cases = marl__json_find(json, 0, "cases");
    if (marl__json_type(json, cases) != MARL__JSON_OBJECT || marl__json_count(json, cases) == 0) {
        fprintf(stderr, "%s/manifest.json lists no cases\n", dir);
        return 1;
    }
    for (int32_t key = marl__json_first(json, cases); key >= 0; key = marl__json_next(json, key))
        dispatch(heap, json, key, dir, &counts);
    printf("%d passed, %d failed, %d skipped\n", (int)counts.passed, (int)counts.failed, (int)counts.skipped);
    return counts.failed > 0;
}

int main(int argc, char **argv) {
    char path[4096];
    char *text = NULL;
    size_t bytes = 0;
    marl__heap heap;
    marl__json *json = NULL;
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
    if (open_backends()) result = run_all(&heap, json, argv[1]);
done:
    for (int32_t i = 0; i < BACKEND_COUNT; i++) marl_device_close(backends[i].opened);
    marl__json_destroy(json);
    marl__free(&heap, text);
    return result;
}
