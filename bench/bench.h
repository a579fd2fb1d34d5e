/* SPDX-License-Identifier: Apache-2.0 */
/* Timing for marl-bench. A family of cases is one file and one line in bench.def; its function is called once and asks
 * for each of its cases whether it is wanted, so names live where the work is.
 *
 * Each repetition is timed by the clock and by the processor time of the whole process: on a machine that does other
 * things beside, only the latter tells what the work costs (with one thread; waiting threads spin). */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

#include "marl/marl.h"

enum { BENCH_SAMPLES_MAX = 20000 };

typedef struct bench {
    const char *const *wanted; /* names of cases or beginnings of names; none: all but the large ones */
    int wanted_count;
    int is_list;               /* only names are printed */
    int32_t threads;
    double seconds;            /* a measurement lasts at least so long, ... */
    int repeats;               /* ... and has at least so many repetitions */
    const char *device_name, *isa;
    marl_device *device;
    const int32_t *lengths;    /* of episodes of cases named .../mixed, ascending; NULL: an even spread */
    int length_count;
    int failures;
} bench;

/* Times of one measurement: of each repetition, in seconds. */
typedef struct bench_times {
    int count;
    double wall[BENCH_SAMPLES_MAX], cpu[BENCH_SAMPLES_MAX];
} bench_times;

/* One repetition. A failure ends the case. */
typedef marl_status (*bench_work)(void *work);

/* Whether to run a case. is_large: takes minutes, or gigabytes; runs only when asked for by name. */
int bench_wants(bench *bench, const char *name, int is_large);
/* Runs work twice unmeasured, then times it; NULL if it failed, which has been said and counted. The times are those of
 * the latest call only. */
const bench_times *bench_measure(bench *bench, bench_work run, void *work);
/* Prints one JSON line: median, least and greatest of values. */
void bench_report(const bench *bench, const char *name, const char *metric, const double *values, int count);
/* The same for factor / times[i] (is_rate) or factor * times[i]. */
void bench_report_times(const bench *bench, const char *name, const char *metric, const double *times, int count,
                        double factor, int is_rate);
void bench_report_one(const bench *bench, const char *name, const char *metric, double value);
/* Says that a case failed, with the library's sentence. */
void bench_fail(bench *bench, const char *name);

/* Multiply-adds of one core in GFLOP/s of processor time, from registers, in the widest vectors this processor has; 0
 * where we do not know how to ask. Takes about a tenth of a second; clocks drift, so it is measured anew each time. */
double bench_fma_peak(void);

/* Numbers that need not be good. */
uint32_t bench_random(uint64_t *state);
float bench_random_real(uint64_t *state); /* -1 to 1 */

#define BENCH(family) void bench_##family(bench *bench);
#include "bench.def"
#undef BENCH

#endif
