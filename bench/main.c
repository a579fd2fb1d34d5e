/* SPDX-License-Identifier: Apache-2.0 */
/* marl-bench: what updates, acting, environments and training cost. Prints one JSON line a measurement:
 * {"case","metric","median","min","max","n","threads"}; compare.py sets these beside a peer's.
 *
 *     marl-bench [--threads N] [--seconds S] [--repeats N] [--device NAME] [--isa NAME] [--lengths FILE] [--list]
 *                [CASE...]
 *
 * A CASE is a name or the beginning of some ("update/qmix/5m_vs_6m"), with a $ behind it only a name; none: all but the
 * large ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

enum { WARM_UPS = 2, LENGTHS_MAX = 1 << 16 };

static int found; /* cases that were wanted */

static double now(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static int is_asked(const char *name, const char *wanted) {
    size_t length = strlen(wanted);
    if (length > 0 && wanted[length - 1] == '$')
        return strlen(name) == length - 1 && strncmp(name, wanted, length - 1) == 0;
    return strncmp(name, wanted, length) == 0;
}

int bench_wants(bench *bench, const char *name, int is_large) {
    int is_wanted = bench->wanted_count == 0 && !is_large;
    for (int i = 0; i < bench->wanted_count; i++) is_wanted |= is_asked(name, bench->wanted[i]);
    found += is_wanted;
    if (is_wanted && bench->is_list) printf("%s\n", name);
    return is_wanted && !bench->is_list;
}

const bench_times *bench_measure(bench *bench, bench_work run, void *work) {
    static bench_times times;
    double begun;

    for (int i = 0; i < WARM_UPS; i++)
        if (run(work) != MARL_OK) return NULL;
    begun = now(CLOCK_MONOTONIC);
    for (times.count = 0; times.count < BENCH_SAMPLES_MAX; times.count++) {
        double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        if (times.count >= bench->repeats && wall - begun >= bench->seconds) break;
        if (run(work) != MARL_OK) return NULL;
        times.cpu[times.count] = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        times.wall[times.count] = now(CLOCK_MONOTONIC) - wall;
    }
    return &times;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_report(const bench *bench, const char *name, const char *metric, const double *values, int count) {
    static double sorted[BENCH_SAMPLES_MAX];
    int middle = count / 2;

    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    double median = count % 2 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
    printf("{\"case\":\"%s\",\"metric\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"n\":%d,\"threads\":%d}\n",
           name, metric, median, sorted[0], sorted[count - 1], count, (int)bench->threads);
    fflush(stdout);
}

void bench_report_times(const bench *bench, const char *name, const char *metric, const double *times, int count,
                        double factor, int is_rate) {
    static double values[BENCH_SAMPLES_MAX];
    for (int i = 0; i < count; i++) values[i] = is_rate ? factor / times[i] : factor * times[i];
    bench_report(bench, name, metric, values, count);
}

void bench_report_one(const bench *bench, const char *name, const char *metric, double value) {
    bench_report(bench, name, metric, &value, 1);
}

void bench_fail(bench *bench, const char *name) {
    fprintf(stderr, "marl-bench: %s: %s\n", name, marl_last_error());
    bench->failures++;
}

uint32_t bench_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

float bench_random_real(uint64_t *state) {
    return (float)bench_random(state) * 0x1p-31f - 1.0f;
}

/* ---- the command line ---- */

static int fail_usage(const char *what, const char *word) {
    fprintf(stderr, "marl-bench: %s \"%s\"\n"
            "usage: marl-bench [--threads N] [--seconds S] [--repeats N] [--device NAME] [--isa NAME]\n"
            "                  [--lengths FILE] [--list] [CASE...]\n", what, word);
    return 2;
}

static int compare_lengths(const void *a, const void *b) {
    return *(const int32_t *)a - *(const int32_t *)b;
}

/* Numbers with spaces between, lines that begin with # aside; sorted. How many, 0 if the file holds anything else. */
static int read_lengths(const char *path, int32_t *lengths) {
    static char line[1 << 16];
    FILE *file = fopen(path, "r");
    int count = 0, is_good = file != NULL;

    while (is_good && fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        for (char *word = strtok(line, " \t\r\n"); word && is_good; word = strtok(NULL, " \t\r\n")) {
            char *end;
            long length = strtol(word, &end, 10);
            is_good = *end == '\0' && length >= 1 && length <= 100000 && count < LENGTHS_MAX;
            if (is_good) lengths[count++] = (int32_t)length;
        }
    }
    if (file) fclose(file);
    qsort(lengths, (size_t)count, sizeof *lengths, compare_lengths);
    return is_good ? count : 0;
}

/* A flag and its value; 0: taken, else an exit status. */
static int take_flag(bench *bench, const char *flag, const char *value) {
    static int32_t lengths[LENGTHS_MAX];

    if (!strcmp(flag, "--threads")) return (bench->threads = (int32_t)atoi(value)) >= 1 ? 0 : fail_usage(flag, value);
    if (!strcmp(flag, "--seconds")) return (bench->seconds = atof(value)) >= 0 ? 0 : fail_usage(flag, value);
    if (!strcmp(flag, "--repeats")) return (bench->repeats = atoi(value)) >= 1 ? 0 : fail_usage(flag, value);
    if (!strcmp(flag, "--device")) return bench->device_name = value, 0;
    if (!strcmp(flag, "--isa")) return bench->isa = value, 0;
    if (strcmp(flag, "--lengths") != 0) return fail_usage("there is no flag", flag);
    bench->lengths = lengths;
    bench->length_count = read_lengths(value, lengths);
    return bench->length_count > 0 ? 0 : fail_usage("--lengths takes a file of numbers (bench/lengths), not", value);
}

static marl_status open_device(bench *bench) {
    char threads[16];
    marl_config *config = NULL;
    marl_status status = marl_config_create(NULL, "device", &config);

    snprintf(threads, sizeof threads, "%d", (int)bench->threads);
    if (status == MARL_OK) status = marl_config_set(config, "threads", threads);
    if (status == MARL_OK && bench->isa) status = marl_config_set(config, "isa", bench->isa);
    if (status == MARL_OK) status = marl_device_open(NULL, bench->device_name, config, &bench->device);
    marl_config_destroy(config);
    return status;
}

int main(int argc, char **argv) {
    static const char *wanted[256];
    bench bench = {.wanted = wanted, .threads = 1, .seconds = 2.0, .repeats = 7, .device_name = "cpu"};

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) {
            bench.is_list = 1;
        } else if (argv[i][0] == '-') {
            int status = i + 1 < argc ? take_flag(&bench, argv[i], argv[i + 1]) : fail_usage("no value for", argv[i]);
            if (status) return status;
            i++;
        } else if (bench.wanted_count < (int)(sizeof wanted / sizeof wanted[0])) {
            wanted[bench.wanted_count++] = argv[i];
        }
    }
    if (open_device(&bench) != MARL_OK) {
        fprintf(stderr, "marl-bench: %s\n", marl_last_error());
        return 1;
    }
#define BENCH(family) bench_##family(&bench);
#include "bench.def"
#undef BENCH
    marl_device_close(bench.device);
    if (found == 0) {
        fprintf(stderr, "marl-bench: no case begins with \"%s\"; see marl-bench --list\n", bench.wanted[0]);
        return 2;
    }
    return bench.failures > 0;
}
