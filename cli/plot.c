/* SPDX-License-Identifier: Apache-2.0 */
/* `marl plot`: learning curves of several runs as an SVG picture and a table. (A replay is drawn in film.c.)
 *
 * Runs that differ in the seed alone are one curve, the interquartile mean over the seeds at the same number of
 * environment steps. Its band is the 95 % bootstrap interval over runs, with the same resamples at every point: what is
 * drawn anew is which seeds there are, not their values step by step. A curve ends where the shortest of its runs does,
 * since beyond that point it would be another set of seeds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "film.h"
#include "metrics.h"
#include "runs.h"
#include "statistics.h"
#include "svg.h"
#include "terminal.h"

enum { RUNS_MAX = 1000, POINTS_MAX = 400, LAST_COUNT = 5, LABEL_BYTES = RUN_LABEL_BYTES + 32 };
static const uint64_t interval_seed = 1;

static const option_spec flags[] = {
    {"out", "FILE", "the picture (default curves.svg, of a replay replay.gif)"},
    {"metric", "NAME", "eval (default): return of evaluations; return: of training; win: share of episodes won; loss"},
    {"group", "KEY,KEY", "what tells curves apart: algo, env, device or keys; default: everything but the seed"},
    {"smooth", "N", "draw the mean of the last N records of a run (default 1)"},
    {"title", "TEXT", "heading of the picture; default: the environment"},
    {"replay", "FILE", "draw a recorded episode instead, as an animated GIF"},
    {"fps", "N", "of a replay: steps a second (default 8)"},
    {"scale", "N", "of a replay: enlarge its pictures N times (default: to about 512 pixels)"},
    {"no-caption", NULL, "of a replay: the environment's pictures alone"},
    {NULL, NULL, NULL},
};

/* What can be drawn. */
typedef struct metric {
    const char *name;
    const char *column;
    const char *title;      /* of the axis */
    bool of_evaluations;
    bool is_better_high;    /* so that "steps to reach" means something */
} metric;

static const metric metrics[] = {
    {"eval", "eval_return_mean", "evaluation return", true, true},
    {"return", "return_mean", "training return", false, true},
    {"win", "eval_win_rate", "share of evaluation episodes won", true, true},
    {"loss", "loss", "loss", false, false},
};

/* The curve of a group and what the table says of it. */
typedef struct curve {
    char label[LABEL_BYTES];
    double *x, *y, *low, *high; /* (count); one allocation, which begins at x */
    size_t count;
    size_t runs;
    double last;                /* over the seeds, of each one's mean over its last records */
} curve;

typedef struct plot {
    run_list list;
    const metric *metric;
    metric_series *series;      /* (list.count) */
    double *last;               /* (list.count), mean over the last records that count */
    curve *curves;              /* (list.group_count) */
    uint64_t smooth;
} plot;

static int choose_metric(const options *options, const metric **out) {
    const char *name = options_get(options, "metric"), *nearest;
    const char *names[sizeof metrics / sizeof metrics[0] + 1] = {NULL};

    *out = &metrics[0];
    for (size_t i = 0; name && i < sizeof metrics / sizeof metrics[0]; i++) {
        names[i] = metrics[i].name;
        if (strcmp(name, metrics[i].name) != 0) continue;
        *out = &metrics[i];
        return 0;
    }
    if (!name) return 0;
    nearest = nearest_word(name, names);
    return fail_usage(options->command, "there is no metric \"%s\"%s%s; there are eval, return, win and loss", name,
                      nearest ? ", did you mean " : "", nearest ? nearest : "");
}

static int read_all(plot *plot) {
    int status = 0;

    plot->series = calloc(plot->list.count, sizeof *plot->series);
    plot->last = calloc(plot->list.count, sizeof *plot->last);
    if (!plot->series || !plot->last) return fail("no memory for %zu runs", plot->list.count);
    for (size_t i = 0; !status && i < plot->list.count; i++) {
        const char *path = plot->list.runs[i].path;

        status = metric_series_read(path, plot->metric->column, plot->metric->of_evaluations, &plot->series[i]);
        if (!status && plot->series[i].count == 0) {
            status = fail("%s has no %s yet", path, plot->metric->title);
        }
        if (!status) metric_series_smooth(&plot->series[i], plot->smooth);
    }
    return status;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double mean_of_last(const metric_series *series) {
    size_t count = series->count < LAST_COUNT ? series->count : LAST_COUNT;

    return statistics_mean(series->values + series->count - count, count);
}

/* The steps at which any run of a group has a point, up to the end that all of them reach. */
static int make_grid(plot *plot, size_t group, curve *curve) {
    double end = INFINITY;
    size_t total = 0;

    for (size_t i = 0; i < plot->list.count; i++) {
        const metric_series *series = &plot->series[i];

        if (plot->list.runs[i].group == group) end = fmin(end, series->steps[series->count - 1]);
    }
    for (size_t i = 0; i < plot->list.count; i++) {
        if (plot->list.runs[i].group != group) continue;
        metric_series_trim(&plot->series[i], end);
        if (plot->series[i].count == 0) {
            return fail("%s begins after another run of its group has ended", plot->list.runs[i].path);
        }
        plot->last[i] = mean_of_last(&plot->series[i]);
        metric_series_thin(&plot->series[i], end, POINTS_MAX);
        total += plot->series[i].count;
    }
    curve->x = calloc(4 * total, sizeof *curve->x);
    if (!curve->x) return fail("no memory for a curve of %zu points", total);
    for (size_t i = 0; i < plot->list.count; i++) {
        const metric_series *series = &plot->series[i];

        if (plot->list.runs[i].group != group) continue;
        memcpy(curve->x + curve->count, series->steps, series->count * sizeof *series->steps);
        curve->count += series->count;
    }
    qsort(curve->x, curve->count, sizeof *curve->x, compare);
    total = curve->count;
    curve->count = 0;
    for (size_t i = 0; i < total; i++) {
        if (curve->count == 0 || curve->x[i] > curve->x[curve->count - 1]) curve->x[curve->count++] = curve->x[i];
    }
    curve->y = curve->x + total;
    curve->low = curve->y + total;
    curve->high = curve->low + total;
    return 0;
}

static int make_curve(plot *plot, size_t group) {
    curve *curve = &plot->curves[group];
    double values[RUNS_MAX], scratch[RUNS_MAX];
    int status = make_grid(plot, group, curve);

    if (status) return status;
    curve->runs = plot->list.groups[group].run_count;
    snprintf(curve->label, sizeof curve->label, "%s (%zu seed%s)", plot->list.groups[group].label, curve->runs,
             curve->runs == 1 ? "" : "s");
    for (size_t p = 0; p < curve->count; p++) {
        size_t k = 0;

        for (size_t i = 0; i < plot->list.count; i++) {
            if (plot->list.runs[i].group == group) values[k++] = metric_series_at(&plot->series[i], curve->x[p]);
        }
        statistics_interval(values, k, statistics_iqm, interval_seed, scratch, &curve->low[p], &curve->high[p]);
        curve->y[p] = statistics_iqm(values, k);
    }
    for (size_t i = 0, k = 0; i < plot->list.count; i++) {
        if (plot->list.runs[i].group == group) values[k++] = plot->last[i];
    }
    curve->last = statistics_iqm(values, curve->runs);
    return 0;
}

/* The highest point of all curves in the environment of a group, which the steps to reach a share of it refer to. */
static double best_of(const plot *plot, size_t group) {
    const run_list *list = &plot->list;
    double best = -INFINITY;

    for (size_t g = 0; g < list->group_count; g++) {
        if (strcmp(list->runs[list->groups[g].first].env, list->runs[list->groups[group].first].env) != 0) continue;
        for (size_t p = 0; p < plot->curves[g].count; p++) best = fmax(best, plot->curves[g].y[p]);
    }
    return best;
}

static void print_reached(const plot *plot, size_t group, double share) {
    const curve *curve = &plot->curves[group];
    double best = best_of(plot, group);
    char count[32];

    for (size_t p = 0; best > 0.0 && p < curve->count; p++) {
        if (curve->y[p] < share * best) continue;
        printf(" %14s |", format_count((uint64_t)curve->x[p], count));
        return;
    }
    printf(" %14s |", "-");
}

static void print_table(const plot *plot) {
    const run_list *list = &plot->list;
    bool has_reached = plot->metric->is_better_high;
    int width = 5, digits = has_reached ? 3 : 5;    /* losses are small */
    char count[32], interval[64], untold[1024];

    for (size_t g = 0; g < list->group_count; g++) {
        int bytes = (int)strlen(list->groups[g].label);

        width = bytes > width ? bytes : width;
    }
    printf("| %-*s | seeds |        steps | last IQM | 95 %% interval  | mean of last %d |%s\n|:", width, "group",
           LAST_COUNT, has_reached ? " to 0.5 of best | to 0.9 of best |" : "");
    for (int i = 0; i <= width; i++) putchar('-');
    printf("|------:|-------------:|---------:|:--------------:|---------------:|%s\n",
           has_reached ? "---------------:|---------------:|" : "");
    for (size_t g = 0; g < list->group_count; g++) {
        const curve *curve = &plot->curves[g];
        size_t last = curve->count - 1;

        snprintf(interval, sizeof interval, "one seed");
        if (curve->runs > 1) {
            snprintf(interval, sizeof interval, "%.*f to %.*f", digits, curve->low[last], digits, curve->high[last]);
        }
        printf("| %-*s | %5zu | %12s | %8.*f | %14s | %14.*f |", width, list->groups[g].label, curve->runs,
               format_count((uint64_t)curve->x[last], count), digits, curve->y[last], interval, digits, curve->last);
        if (has_reached) print_reached(plot, g, 0.5);
        if (has_reached) print_reached(plot, g, 0.9);
        putchar('\n');
    }
    run_list_untold(list, untold, sizeof untold);
    if (untold[0]) printf("\nBetween the algorithms or environments these differ too: %s.\n", untold);
}

/* "IQM of 3 seeds", or without a number if the groups have different ones. */
static void describe(const plot *plot, char *text, size_t bytes) {
    size_t least = SIZE_MAX, most = 0;
    char smooth[64] = "";

    for (size_t g = 0; g < plot->list.group_count; g++) {
        least = plot->curves[g].runs < least ? plot->curves[g].runs : least;
        most = plot->curves[g].runs > most ? plot->curves[g].runs : most;
    }
    if (plot->smooth > 1) {
        snprintf(smooth, sizeof smooth, "; means of the last %llu records", (unsigned long long)plot->smooth);
    }
    if (most == 1) snprintf(text, bytes, "one seed each%s", smooth);
    else if (least == most) snprintf(text, bytes, "interquartile mean of %zu seeds, 95 %% bootstrap interval%s", most,
                                     smooth);
    else snprintf(text, bytes, "interquartile mean over seeds, 95 %% bootstrap interval where there are several%s",
                  smooth);
}

static int draw(const options *options, const plot *plot) {
    const char *out = options_get(options, "out"), *title = options_get(options, "title");
    const run_list *list = &plot->list;
    char subtitle[256];
    svg_curve *curves = calloc(list->group_count, sizeof *curves);
    svg_chart chart = {.title = title, .subtitle = subtitle, .x_name = "environment steps",
                       .y_name = plot->metric->title, .curves = curves, .curve_count = list->group_count};
    int status;

    if (!curves) return fail("no memory for the picture");
    for (size_t g = 0; g < list->group_count; g++) {
        const curve *curve = &plot->curves[g];
        bool has_band = curve->runs > 1;

        curves[g] = (svg_curve){curve->label, curve->x, curve->y, has_band ? curve->low : NULL,
                                has_band ? curve->high : NULL, curve->count};
    }
    if (!title) {
        chart.title = list->runs[0].env;
        for (size_t i = 1; i < list->count; i++) {
            if (strcmp(list->runs[i].env, list->runs[0].env) != 0) chart.title = "Learning curves";
        }
    }
    describe(plot, subtitle, sizeof subtitle);
    status = svg_write(out ? out : "curves.svg", &chart);
    if (!status) printf("\n%s shows it.\n", out ? out : "curves.svg");
    free(curves);
    return status;
}

static int plot_all(const options *options, plot *plot) {
    int status = choose_metric(options, &plot->metric);

    if (status) return status;
    if ((status = options_whole(options, "smooth", 1, &plot->smooth))) return status;
    if (!options_positional(options, 0)) return fail_usage(options->command, "which runs? give their directories");
    if ((status = run_list_open(options, false, &plot->list))) return status;
    if (plot->list.count > RUNS_MAX) return fail("%zu runs are too many, %d at most", plot->list.count, RUNS_MAX);
    if ((status = run_list_group(&plot->list, options_get(options, "group")))) return status;
    if ((status = read_all(plot))) return status;
    plot->curves = calloc(plot->list.group_count, sizeof *plot->curves);
    if (!plot->curves) return fail("no memory for %zu curves", plot->list.group_count);
    for (size_t g = 0; !status && g < plot->list.group_count; g++) status = make_curve(plot, g);
    if (status) return status;
    print_table(plot);
    return draw(options, plot);
}

/* The flags of curves and those of replays do not go together. */
static int check_kind(const options *options, bool is_replay) {
    static const char *const of_curves[] = {"metric", "group", "smooth", "title", NULL};
    static const char *const of_replays[] = {"fps", "scale", "no-caption", NULL};

    for (const char *const *name = is_replay ? of_curves : of_replays; *name; name++) {
        if (!options_get(options, *name)) continue;
        return fail_usage(options->command, "--%s %s --replay FILE", *name, is_replay ? "does not go with" : "needs");
    }
    if (is_replay && options_positional(options, 0)) {
        return fail_usage(options->command, "--replay draws a file, not the curves of %s",
                          options_positional(options, 0));
    }
    return 0;
}

static int plot_command_run(const options *options) {
    plot plot = {.smooth = 1};
    bool is_replay = options_get(options, "replay") != NULL;
    int status = check_kind(options, is_replay);

    if (status) return status;
    if (is_replay) return film_replay(options);
    status = plot_all(options, &plot);
    for (size_t i = 0; plot.series && i < plot.list.count; i++) metric_series_free(&plot.series[i]);
    for (size_t g = 0; plot.curves && g < plot.list.group_count; g++) free(plot.curves[g].x);
    free(plot.series);
    free(plot.last);
    free(plot.curves);
    run_list_close(&plot.list);
    return status;
}

const command plot_command = {
    .name = "plot",
    .arguments = "DIR...|--replay FILE [FLAG...]",
    .summary = "draw learning curves of several runs, or a recorded episode",
    .about = "DIR is a run's directory, or one that holds such directories. Runs that differ only in the seed are one\n"
             "curve: the interquartile mean over seeds with a 95 % bootstrap interval. A table goes to standard\n"
             "output; best in it is the highest point of any curve in the same environment.\n\n"
             "With --replay FILE, which marl play DIR --record FILE writes, it draws that episode as an animated GIF.",
    .positional_max = 1000,
    .flags = flags,
    .run = plot_command_run,
};
