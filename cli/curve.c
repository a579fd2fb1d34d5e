/* SPDX-License-Identifier: Apache-2.0 */
/* See curve.h. The curve is read back from the file, not collected while training, so a resumed run shows its whole
 * history and `marl info DIR` can draw it too.
 *
 * A character cell is a braille pattern of 2 x 4 dots, so 64 x 12 cells give 128 x 48 points; without UTF-8 a cell is
 * one point. Records that fall on the same column are averaged. */
#include "curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

enum { CELLS_WIDE_MAX = 72, CELLS_WIDE_MIN = 16, CELLS_HIGH = 12, DOTS_WIDE = 2, DOTS_HIGH = 4 };
enum { METRICS_BYTES_MAX = 256 << 20 };

typedef struct point {
    double steps;
    double value;
} point;

/* Points of one kind, in the order of the file. */
typedef struct series {
    point *points;
    size_t count;
    size_t capacity;
} series;

typedef struct canvas {
    const terminal *terminal;
    int wide, high;                                  /* cells */
    double steps_max, low, high_value, tick;
    unsigned char dots[CELLS_HIGH][CELLS_WIDE_MAX];  /* braille bits; without UTF-8: 1 */
    unsigned char marks[CELLS_HIGH][CELLS_WIDE_MAX]; /* 1: an evaluation */
} canvas;

static void series_add(series *series, double steps, double value) {
    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? 2 * series->capacity : 256;
        point *grown = realloc(series->points, capacity * sizeof *grown);

        if (!grown) return;    /* a shorter curve is better than none */
        series->points = grown;
        series->capacity = capacity;
    }
    series->points[series->count++] = (point){steps, value};
}

/* An evaluation that repeats the last one is no new point: records carry the last evaluation along. */
static void read_record(json_slice record, series *train, series *eval) {
    json_slice slice;
    double steps, value, flag;

    if (!json_find(record, "steps", &slice) || !json_number(slice, &steps)) return;
    if (json_find(record, "return_mean", &slice) && json_number(slice, &value)) series_add(train, steps, value);
    if (!json_find(record, "eval_return_mean", &slice) || !json_number(slice, &value)) return;
    if (json_find(record, "is_evaluation", &slice) && json_number(slice, &flag) && flag == 0.0) return;
    series_add(eval, steps, value);
}

static void read_metrics(const char *dir, series *train, series *eval) {
    char path[4096];
    char *text, *line, *end;
    size_t bytes;

    if (snprintf(path, sizeof path, "%s/metrics.jsonl", dir) >= (int)sizeof path || access(path, R_OK) != 0) return;
    text = read_text(path, METRICS_BYTES_MAX, &bytes);
    for (line = text; line && *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        read_record((json_slice){line, (size_t)(end - line)}, train, eval);
    }
    free(text);
}

/* 1, 2 or 5 times a power of ten, at least `value`. */
static double nice_number(double value) {
    double power = pow(10.0, floor(log10(value))), part = value / power;

    return power * (part <= 1.0 ? 1.0 : part <= 2.0 ? 2.0 : part <= 5.0 ? 5.0 : 10.0);
}

static void widen(const series *series, canvas *canvas) {
    for (size_t i = 0; i < series->count; i++) {
        const point *point = &series->points[i];

        canvas->steps_max = fmax(canvas->steps_max, point->steps);
        canvas->low = fmin(canvas->low, point->value);
        canvas->high_value = fmax(canvas->high_value, point->value);
    }
}

static void choose_range(canvas *canvas) {
    double span, part;

    if (canvas->low > 0.0 && canvas->low < 0.7 * canvas->high_value) canvas->low = 0.0;
    span = canvas->high_value - canvas->low;
    if (span <= 0.0) span = fabs(canvas->low) > 0.0 ? fabs(canvas->low) : 1.0;
    canvas->tick = nice_number(span / 4.0);
    part = canvas->tick / 5.0;    /* the edges need not carry a label */
    canvas->high_value = ceil((canvas->low + span) / part - 1e-9) * part;
    canvas->low = floor(canvas->low / part + 1e-9) * part;
}

/* Height of a value in dots, 0 at the bottom. */
static int dot_of(const canvas *canvas, double value, int dots) {
    double share = (value - canvas->low) / (canvas->high_value - canvas->low);

    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    return (int)(share * (dots - 1) + 0.5);
}

static int column_of(const canvas *canvas, double steps, int columns) {
    int column = (int)(steps / canvas->steps_max * (columns - 1) + 0.5);

    return column < 0 ? 0 : column >= columns ? columns - 1 : column;
}

static void set_dot(canvas *canvas, int x, int y) {
    static const unsigned char bits[DOTS_HIGH][DOTS_WIDE] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int from_top;

    if (!canvas->terminal->has_utf8) {
        canvas->dots[canvas->high - 1 - y][x] = 1;
        return;
    }
    from_top = canvas->high * DOTS_HIGH - 1 - y;
    canvas->dots[from_top / DOTS_HIGH][x / DOTS_WIDE] |= bits[from_top % DOTS_HIGH][x % DOTS_WIDE];
}

/* A line through the column means: the gap between two columns is bridged by interpolation, a jump by a vertical run
 * that meets in the middle. */
static void draw_line(canvas *canvas, const series *series) {
    int columns = canvas->terminal->has_utf8 ? canvas->wide * DOTS_WIDE : canvas->wide;
    int dots = canvas->terminal->has_utf8 ? canvas->high * DOTS_HIGH : canvas->high;
    int x_before = -1, y_before = 0;

    for (size_t i = 0; i < series->count;) {
        int x = column_of(canvas, series->points[i].steps, columns), y;
        double sum = 0.0;
        size_t first = i;

        while (i < series->count && column_of(canvas, series->points[i].steps, columns) == x) {
            sum += series->points[i++].value;
        }
        y = dot_of(canvas, sum / (double)(i - first), dots);
        for (int c = x_before + 1; x_before >= 0 && c < x; c++) {
            set_dot(canvas, c, y_before + (y - y_before) * (c - x_before) / (x - x_before));
        }
        for (int d = y_before; x_before == x - 1 && x_before >= 0 && d != y; d += y > d ? 1 : -1) {
            set_dot(canvas, abs(d - y_before) * 2 < abs(y - y_before) ? x_before : x, d);
        }
        set_dot(canvas, x, y);
        x_before = x;
        y_before = y;
    }
}

static void draw_marks(canvas *canvas, const series *series) {
    for (size_t i = 0; i < series->count; i++) {
        int x = column_of(canvas, series->points[i].steps, canvas->wide);

        canvas->marks[canvas->high - 1 - dot_of(canvas, series->points[i].value, canvas->high)][x] = 1;
    }
}

static void print_cell(const canvas *canvas, int row, int column) {
    const terminal *terminal = canvas->terminal;
    unsigned char dots = canvas->dots[row][column];

    if (canvas->marks[row][column]) {
        printf("%s%s%s", terminal_style(terminal, STYLE_GREEN), terminal->has_utf8 ? "●" : "o",
               terminal_style(terminal, STYLE_PLAIN));
    } else if (!dots) {
        putchar(' ');
    } else if (terminal->has_utf8) {    /* U+2800 + dots */
        printf("%s\xE2%c%c%s", terminal_style(terminal, STYLE_CYAN), 0xA0 | dots >> 6, 0x80 | (dots & 0x3F),
               terminal_style(terminal, STYLE_PLAIN));
    } else {
        putchar('.');
    }
}

static void print_axis_label(const canvas *canvas, int row) {
    double per_row = (canvas->high_value - canvas->low) / (canvas->high - 1);
    double value = canvas->low + per_row * (canvas->high - 1 - row);
    double tick = round(value / canvas->tick) * canvas->tick;
    double off = (value - tick) / per_row;    /* of two rows equally near, the upper one gets the label */
    bool is_labelled = off > -0.5 + 1e-6 && off < 0.5 + 1e-6;
    const char *edge = canvas->terminal->has_utf8 ? (is_labelled ? "┤" : "│") : is_labelled ? "+" : "|";

    printf("%s", terminal_style(canvas->terminal, STYLE_DIM));
    if (is_labelled) printf("%9.4g %s", fabs(tick) < 1e-9 * canvas->tick ? 0.0 : tick, edge);
    else printf("%9s %s", "", edge);
    printf("%s", terminal_style(canvas->terminal, STYLE_PLAIN));
}

static void print_steps_axis(const canvas *canvas) {
    const terminal *terminal = canvas->terminal;
    char last[16], half[16];

    printf("%s%9s %s", terminal_style(terminal, STYLE_DIM), "", terminal->has_utf8 ? "└" : "+");
    for (int i = 0; i < canvas->wide; i++) fputs(terminal->has_utf8 ? "─" : "-", stdout);
    format_short(canvas->steps_max, last);
    format_short(canvas->steps_max / 2.0, half);
    printf("\n%10s %-*s%-*s%s steps%s\n", "", canvas->wide / 2 - 1, "0", canvas->wide - canvas->wide / 2 - 6, half,
           last, terminal_style(terminal, STYLE_PLAIN));
}

static void print_canvas(const canvas *canvas, bool has_train, bool has_eval) {
    const terminal *terminal = canvas->terminal;

    printf("%10s return", "");
    if (has_train) {
        printf("   %s%s%s training", terminal_style(terminal, STYLE_CYAN), terminal->has_utf8 ? "⠤⠤" : "..",
               terminal_style(terminal, STYLE_PLAIN));
    }
    if (has_eval) {
        printf("   %s%s%s evaluation", terminal_style(terminal, STYLE_GREEN), terminal->has_utf8 ? "●" : "o",
               terminal_style(terminal, STYLE_PLAIN));
    }
    putchar('\n');
    for (int row = 0; row < canvas->high; row++) {
        print_axis_label(canvas, row);
        for (int column = 0; column < canvas->wide; column++) print_cell(canvas, row, column);
        putchar('\n');
    }
    print_steps_axis(canvas);
}

void curve_draw(const char *dir, const terminal *terminal) {
    series train = {0}, eval = {0};
    canvas canvas = {.terminal = terminal, .high = CELLS_HIGH, .low = INFINITY, .high_value = -INFINITY};

    canvas.wide = terminal_width(terminal) - 16;
    canvas.wide = canvas.wide > CELLS_WIDE_MAX ? CELLS_WIDE_MAX : canvas.wide;
    read_metrics(dir, &train, &eval);
    widen(&train, &canvas);
    widen(&eval, &canvas);
    if ((train.count > 1 || eval.count > 1) && canvas.steps_max > 0.0 && canvas.wide >= CELLS_WIDE_MIN) {
        choose_range(&canvas);
        draw_line(&canvas, &train);
        draw_marks(&canvas, &eval);
        print_canvas(&canvas, train.count > 0, eval.count > 0);
    }
    free(train.points);
    free(eval.points);
}
