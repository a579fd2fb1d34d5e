/* SPDX-License-Identifier: Apache-2.0 */
/* See svg.h. The background is drawn, so that the text stays readable in a dark viewer. Colours are those of Okabe and
 * Ito (2008), which people with any kind of colour vision tell apart, without their yellow, which is too faint on
 * white; from the eighth curve on they come again with dashes. The legend stands above the plot, where long names have
 * room; nobody measures text here, so its widths are estimates on the safe side. */
#include "svg.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

enum {
    WIDTH = 960, PLOT_HIGH = 400, LEFT = 84, RIGHT = 36, TITLE_HIGH = 78, LEGEND_ROW_HIGH = 24, BELOW_LEGEND = 14,
    BOTTOM = 66, LEGEND_GAP = 28, SWATCH_WIDE = 30, COLOR_COUNT = 7
};
static const double character_wide = 7.6;    /* of 14 px text */

static const char *const colors[COLOR_COUNT] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#E69F00", "#56B4E9", "#4D4D4D"};
static const char *const dashes[] = {"", "9 4", "2.5 4", "12 4 2.5 4"};
static const char ink[] = "#1F2328", pale_ink[] = "#57606A", grid_color[] = "#E3E6EA", axis_color[] = "#8C959F";
static const char band_opacity[] = "0.18";

/* Where values lie on the sheet. */
typedef struct frame {
    FILE *file;
    double x_low, x_high, y_low, y_high; /* values at the edges */
    double x_step, y_step;               /* between ticks */
    double top, bottom;                  /* of the plot, in pixels */
} frame;

static double x_at(const frame *frame, double x) {
    return LEFT + (x - frame->x_low) / (frame->x_high - frame->x_low) * (WIDTH - LEFT - RIGHT);
}

static double y_at(const frame *frame, double y) {
    double share = (y - frame->y_low) / (frame->y_high - frame->y_low);

    return frame->bottom - share * (frame->bottom - frame->top);
}

/* 1, 2 or 5 times a power of ten, at least `value`. */
static double nice_step(double value) {
    double power = pow(10.0, floor(log10(value))), part = value / power;

    return power * (part <= 1.0 ? 1.0 : part <= 2.0 ? 2.0 : part <= 5.0 ? 5.0 : 10.0);
}

/* Text in an element, with what XML reserves escaped and control characters left out. */
static void write_text(FILE *file, const char *text) {
    for (; *text; text++) {
        if (*text == '&') fputs("&amp;", file);
        else if (*text == '<') fputs("&lt;", file);
        else if (*text == '>') fputs("&gt;", file);
        else if ((unsigned char)*text >= 0x20) fputc(*text, file);
    }
}

/* A tick's label, with as many digits as the distance to the next tick asks for. */
static void write_tick(FILE *file, double value, double step, const char *unit) {
    int digits = (int)-floor(log10(step) + 1e-9);
    const char *minus = value < -0.5 * step ? "\xE2\x88\x92" : "";

    if (fabs(value) < 0.5 * step) fputs("0", file);
    else if (digits > 6 || step >= 1e6) fprintf(file, "%s%.3g%s", minus, fabs(value), unit);
    else fprintf(file, "%s%.*f%s", minus, digits > 0 ? digits : 0, fabs(value), unit);
}

/* Some room above and below the curves, so that a curve along an edge can be seen; an axis of positive values begins at
 * 0 if that does not waste much of the plot. */
static void choose_range(const svg_chart *chart, frame *frame) {
    double low = INFINITY, high = -INFINITY, span;

    frame->x_low = 0.0;
    frame->x_high = 0.0;
    for (size_t c = 0; c < chart->curve_count; c++) {
        const svg_curve *curve = &chart->curves[c];

        for (size_t i = 0; i < curve->count; i++) {
            frame->x_high = fmax(frame->x_high, curve->x[i]);
            low = fmin(low, curve->low ? fmin(curve->low[i], curve->y[i]) : curve->y[i]);
            high = fmax(high, curve->high ? fmax(curve->high[i], curve->y[i]) : curve->y[i]);
        }
    }
    if (frame->x_high <= 0.0) frame->x_high = 1.0;
    if (low > 0.0 && low < 0.7 * high) low = 0.0;
    span = high - low;
    if (!(span > 1e-9 * (1.0 + fabs(low)))) span = fmax(fabs(low), 1.0);
    frame->y_low = low - 0.04 * span;
    frame->y_high = low + 1.05 * span;
    frame->x_step = nice_step(frame->x_high / 7.0);
    frame->y_step = nice_step(span / 6.0);
}

static void write_y_axis(const frame *frame, const char *name) {
    FILE *file = frame->file;
    double middle = 0.5 * (frame->top + frame->bottom);

    for (double k = ceil(frame->y_low / frame->y_step); k * frame->y_step <= frame->y_high; k++) {
        double y = y_at(frame, k * frame->y_step);

        fprintf(file, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\"/>\n", LEFT, y, WIDTH - RIGHT, y,
                grid_color);
        fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">", LEFT - 10, y + 4.8, pale_ink);
        write_tick(file, k * frame->y_step, frame->y_step, "");
        fputs("</text>\n", file);
    }
    fprintf(file, "<text transform=\"translate(24 %.1f) rotate(-90)\" text-anchor=\"middle\" fill=\"%s\">", middle,
            ink);
    write_text(file, name);
    fputs("</text>\n", file);
}

static void write_x_axis(const frame *frame, const char *name) {
    FILE *file = frame->file;
    double unit = frame->x_high >= 1e6 ? 1e6 : frame->x_high >= 1e4 ? 1e3 : 1.0;
    const char *unit_name = unit == 1e6 ? "M" : unit == 1e3 ? "k" : "";

    for (double k = 0.0; k * frame->x_step <= frame->x_high * (1.0 + 1e-9); k++) {
        double x = x_at(frame, k * frame->x_step);

        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x, frame->bottom, x,
                frame->bottom + 6.0, axis_color);
        fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"%s\">", x, frame->bottom + 23.0,
                pale_ink);
        write_tick(file, k * frame->x_step / unit, frame->x_step / unit, unit_name);
        fputs("</text>\n", file);
    }
    fprintf(file, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\"/>\n", LEFT, frame->bottom,
            WIDTH - RIGHT, frame->bottom, axis_color);
    fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\" fill=\"%s\">", (LEFT + WIDTH - RIGHT) / 2,
            frame->bottom + 50.0, ink);
    write_text(file, name);
    fputs("</text>\n", file);
}

static void write_stroke(FILE *file, size_t index) {
    const char *dash = dashes[index / COLOR_COUNT % (sizeof dashes / sizeof dashes[0])];

    fprintf(file, " stroke=\"%s\" stroke-width=\"2.4\"", colors[index % COLOR_COUNT]);
    if (dash[0]) fprintf(file, " stroke-dasharray=\"%s\"", dash);
}

/* Entries stand in columns of one width, that of the longest label. */
static double legend_entry_wide(const svg_chart *chart) {
    size_t longest = 0;

    for (size_t c = 0; c < chart->curve_count; c++) {
        size_t bytes = strlen(chart->curves[c].label);

        longest = bytes > longest ? bytes : longest;
    }
    return SWATCH_WIDE + 8.0 + character_wide * (double)longest + LEGEND_GAP;
}

static size_t legend_columns(const svg_chart *chart) {
    double columns = floor((WIDTH - LEFT - RIGHT + LEGEND_GAP) / legend_entry_wide(chart));

    return columns < 1.0 ? 1 : (size_t)columns;
}

static double legend_high(const svg_chart *chart) {
    size_t columns = legend_columns(chart);

    return (double)((chart->curve_count + columns - 1) / columns) * LEGEND_ROW_HIGH;
}

static void write_legend(FILE *file, const svg_chart *chart) {
    size_t columns = legend_columns(chart);

    for (size_t c = 0; c < chart->curve_count; c++) {
        double x = LEFT + (double)(c % columns) * legend_entry_wide(chart);
        double y = TITLE_HIGH + 14.0 + (double)(c / columns) * LEGEND_ROW_HIGH;

        if (chart->curves[c].low) {
            fprintf(file, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"12\" fill=\"%s\" fill-opacity=\"%s\"/>\n",
                    x, y - 11.0, SWATCH_WIDE, colors[c % COLOR_COUNT], band_opacity);
        }
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"", x, y - 5.0, x + SWATCH_WIDE, y - 5.0);
        write_stroke(file, c);
        fprintf(file, "/>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">", x + SWATCH_WIDE + 8.0, y, ink);
        write_text(file, chart->curves[c].label);
        fputs("</text>\n", file);
    }
}

static void write_band(const frame *frame, const svg_curve *curve, size_t index) {
    fputs("<path d=\"", frame->file);
    for (size_t i = 0; i < curve->count; i++) {
        fprintf(frame->file, "%s%.1f %.1f", i ? "L" : "M", x_at(frame, curve->x[i]), y_at(frame, curve->high[i]));
    }
    for (size_t i = curve->count; i-- > 0;) {
        fprintf(frame->file, "L%.1f %.1f", x_at(frame, curve->x[i]), y_at(frame, curve->low[i]));
    }
    fprintf(frame->file, "Z\" fill=\"%s\" fill-opacity=\"%s\"/>\n", colors[index % COLOR_COUNT], band_opacity);
}

/* A dot at the end says which curve ends where; a curve of one point is nothing but its dot. */
static void write_line(const frame *frame, const svg_curve *curve, size_t index) {
    size_t last = curve->count - 1;

    fputs("<path fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\"", frame->file);
    write_stroke(frame->file, index);
    fputs(" d=\"", frame->file);
    for (size_t i = 0; i < curve->count; i++) {
        fprintf(frame->file, "%s%.1f %.1f", i ? "L" : "M", x_at(frame, curve->x[i]), y_at(frame, curve->y[i]));
    }
    fprintf(frame->file, "\"/>\n<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\" stroke=\"#FFFFFF\"/>\n",
            x_at(frame, curve->x[last]), y_at(frame, curve->y[last]), colors[index % COLOR_COUNT]);
}

static void write_head(const frame *frame, const svg_chart *chart) {
    FILE *file = frame->file;
    double high = frame->bottom + BOTTOM;

    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
                  "role=\"img\" font-size=\"14\" font-family=\"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, "
                  "'DejaVu Sans', sans-serif\">\n<title>", WIDTH, high, WIDTH, high);
    write_text(file, chart->title);
    fputs("</title>\n<desc>", file);
    write_text(file, chart->subtitle);
    fprintf(file, "</desc>\n<rect width=\"%d\" height=\"%.0f\" fill=\"#FFFFFF\"/>\n", WIDTH, high);
    fprintf(file, "<text x=\"%d\" y=\"36\" font-size=\"20\" font-weight=\"600\" fill=\"%s\">", LEFT, ink);
    write_text(file, chart->title);
    fprintf(file, "</text>\n<text x=\"%d\" y=\"60\" fill=\"%s\">", LEFT, pale_ink);
    write_text(file, chart->subtitle);
    fputs("</text>\n", file);
}

int svg_write(const char *path, const svg_chart *chart) {
    frame frame = {.top = TITLE_HIGH + legend_high(chart) + BELOW_LEGEND};
    bool is_bad;

    frame.bottom = frame.top + PLOT_HIGH;
    choose_range(chart, &frame);
    frame.file = fopen(path, "wb");
    if (!frame.file) return fail("%s cannot be written: %s", path, strerror(errno));
    write_head(&frame, chart);
    write_legend(frame.file, chart);
    write_y_axis(&frame, chart->y_name);
    write_x_axis(&frame, chart->x_name);
    for (size_t c = 0; c < chart->curve_count; c++) {
        if (chart->curves[c].low && chart->curves[c].count > 1) write_band(&frame, &chart->curves[c], c);
    }
    for (size_t c = 0; c < chart->curve_count; c++) write_line(&frame, &chart->curves[c], c);
    fputs("</svg>\n", frame.file);
    is_bad = ferror(frame.file) != 0;
    is_bad |= fclose(frame.file) != 0;
    return is_bad ? fail("%s could not be written whole", path) : 0;
}
