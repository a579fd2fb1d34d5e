/* SPDX-License-Identifier: Apache-2.0 */
/* The progress display. On a terminal two lines are drawn in place at most ten times a second: a bar with the rate and
 * the time left, and below it what the team has learnt and where the time goes. Elsewhere a line is printed for every
 * tenth of the run and for every evaluation, so that a log file stays readable.
 *
 * UTF-8 is read off the locale's variables, not asked from setlocale: a terminal reached over ssh often has a locale
 * that the machine does not have installed, and can show the characters all the same. */
#include "terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double redraw_seconds = 0.1;
static const double rate_seconds = 4.0;    /* time constant of the smoothed rate */

enum { BAR_MIN = 8, BAR_MAX = 48, LINE_BYTES = 512 };

void terminal_init(terminal *terminal) {
    const char *locale = getenv("LC_ALL"), *kind = getenv("TERM"), *no_color = getenv("NO_COLOR");

    if (!locale || !locale[0]) locale = getenv("LC_CTYPE");
    if (!locale || !locale[0]) locale = getenv("LANG");
    terminal->is_terminal = isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0;
    terminal->has_color = terminal->is_terminal && !(no_color && no_color[0]);
    terminal->has_utf8 = locale && (strcasestr(locale, "UTF-8") || strcasestr(locale, "UTF8"));
}

int terminal_width(const terminal *terminal) {
    struct winsize size;

    if (!terminal->is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

int terminal_height(const terminal *terminal) {
    struct winsize size;

    if (!terminal->is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
    return size.ws_row;
}

const char *terminal_style(const terminal *terminal, enum style style) {
    static const char *const codes[] = {
        [STYLE_PLAIN] = "\033[0m",  [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GREEN] = "\033[32m", [STYLE_CYAN] = "\033[36m", [STYLE_YELLOW] = "\033[33m",
    };

    return terminal->has_color ? codes[style] : "";
}

double clock_seconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void sleep_milliseconds(uint64_t milliseconds) {
    struct timespec duration = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};

    nanosleep(&duration, NULL);
}

const char *format_short(double value, char buffer[16]) {
    if (value < 999.5) snprintf(buffer, 16, "%.0f", value);
    else if (value < 99950.0) snprintf(buffer, 16, "%.1fk", value / 1e3);
    else if (value < 999500.0) snprintf(buffer, 16, "%.0fk", value / 1e3);
    else if (value < 1e13) snprintf(buffer, 16, "%.4gM", value / 1e6);
    else snprintf(buffer, 16, "%.3g", value);
    return buffer;
}

const char *format_duration(double seconds, char buffer[24]) {
    long whole = seconds >= 0.0 && seconds < 3.6e7 ? lround(seconds) : 0;

    if (whole >= 3600) snprintf(buffer, 24, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else snprintf(buffer, 24, "%ld:%02ld", whole / 60, whole % 60);
    return buffer;
}

const char *format_count(uint64_t count, char buffer[32]) {
    char digits[24];
    size_t used = 0;
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) buffer[used++] = ',';
        buffer[used++] = digits[i];
    }
    buffer[used] = '\0';
    return buffer;
}

/* A line that never grows wider than the terminal: a field that does not fit is left out. */
typedef struct line {
    char text[LINE_BYTES];
    size_t bytes;
    int columns;
    int width;
} line;

static void line_add(line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line_add(line *line, const char *format, ...) {
    char field[128];
    int bytes, columns = 0;
    va_list arguments;

    va_start(arguments, format);
    bytes = vsnprintf(field, sizeof field, format, arguments);
    va_end(arguments);
    if (bytes < 0 || bytes >= (int)sizeof field || line->bytes + (size_t)bytes >= sizeof line->text) return;
    for (int i = 0; i < bytes; i++) columns += ((unsigned char)field[i] & 0xC0) != 0x80;
    if (line->columns + columns > line->width) return;
    memcpy(line->text + line->bytes, field, (size_t)bytes + 1);
    line->bytes += (size_t)bytes;
    line->columns += columns;
}

static void add_pace(line *line, const progress_view *view, const marl_progress *progress) {
    char done[16], target[16], rate[16], left[24];
    double missing = progress->target_steps > progress->steps ? (double)(progress->target_steps - progress->steps) : 0;

    line_add(line, "  %s/%s", format_short((double)progress->steps, done),
             format_short((double)progress->target_steps, target));
    if (view->rate <= 0.0) return;
    line_add(line, "  %s steps/s", format_short(view->rate, rate));
    if (missing > 0.0) line_add(line, "  %s left", format_duration(missing / view->rate, left));
}

static void add_learning(line *line, const progress_view *view, const marl_progress *progress) {
    double busy = progress->env_seconds + progress->act_seconds + progress->learn_seconds;

    if (!isnan(view->return_mean)) line_add(line, "  return %.3f", view->return_mean);
    if (!isnan(progress->eval_return_mean)) line_add(line, "  eval %.3f", progress->eval_return_mean);
    if (!isnan(view->loss)) line_add(line, "  loss %.3g", view->loss);
    line_add(line, "  %s %.2f", view->terminal.has_utf8 ? "ε" : "epsilon", progress->epsilon);
    if (busy <= 0.0) return;
    line_add(line, "  env %.0f%% act %.0f%% learn %.0f%%", 100.0 * progress->env_seconds / busy,
             100.0 * progress->act_seconds / busy, 100.0 * progress->learn_seconds / busy);
}

static double done_share(const marl_progress *progress) {
    double whole = (double)progress->target_steps, share = whole > 0.0 ? (double)progress->steps / whole : 1.0;

    return share > 1.0 ? 1.0 : share;
}

static void print_bar(const progress_view *view, double share, int width) {
    const terminal *terminal = &view->terminal;
    int halves = (int)(share * 2.0 * width), full = halves / 2;

    fputs(terminal_style(terminal, STYLE_GREEN), stdout);
    for (int i = 0; i < full; i++) fputs(terminal->has_utf8 ? "━" : "=", stdout);
    if (full < width && halves % 2) fputs(terminal->has_utf8 ? "╸" : "-", stdout);
    fputs(terminal_style(terminal, STYLE_PLAIN), stdout);
    fputs(terminal_style(terminal, STYLE_DIM), stdout);
    for (int i = full + halves % 2; i < width; i++) fputs(terminal->has_utf8 ? "─" : ".", stdout);
    fputs(terminal_style(terminal, STYLE_PLAIN), stdout);
}

static void draw(progress_view *view, const marl_progress *progress) {
    int width = terminal_width(&view->terminal) - 1, bar;
    line pace = {.width = width - 6 - BAR_MIN}, learning = {.width = width - 4};
    double share = done_share(progress);

    add_pace(&pace, view, progress);
    add_learning(&learning, view, progress);
    bar = width - 6 - pace.columns;
    bar = bar > BAR_MAX ? BAR_MAX : bar;
    if (view->is_drawn) fputs("\r\033[1A", stdout);
    printf("\r\033[K%s%4.0f%%%s ", terminal_style(&view->terminal, STYLE_BOLD), floor(100.0 * share),
           terminal_style(&view->terminal, STYLE_PLAIN));
    if (bar > 0) print_bar(view, share, bar);
    printf("%s\n\r\033[K    %s", pace.text, learning.text);
    fflush(stdout);
    view->is_drawn = true;
}

static void print_plain(progress_view *view, const marl_progress *progress) {
    line line = {.width = LINE_BYTES};

    line_add(&line, "%3.0f%%", floor(100.0 * done_share(progress)));
    add_pace(&line, view, progress);
    add_learning(&line, view, progress);
    printf("%s\n", line.text);
    fflush(stdout);
}

void progress_begin(progress_view *view, const terminal *terminal, uint64_t steps) {
    *view = (progress_view){.terminal = *terminal, .first_steps = steps, .last_steps = steps};
    view->last_time = clock_seconds();
    view->return_mean = view->loss = NAN;
    view->last_share = -1.0;
}

/* Steps and seconds are forgotten at the same pace, so the first fast moments (learning has not begun) weigh no more
 * than the time they took. */
static void update_rate(progress_view *view, const marl_progress *progress, double now) {
    double elapsed = now - view->last_time, keep = exp(-elapsed / rate_seconds);

    if (elapsed <= 0.0 || progress->steps <= view->last_steps) return;
    view->recent_steps = keep * view->recent_steps + (double)(progress->steps - view->last_steps);
    view->recent_seconds = keep * view->recent_seconds + elapsed;
    view->rate = view->recent_steps / view->recent_seconds;
    view->last_steps = progress->steps;
    view->last_time = now;
}

void progress_update(progress_view *view, const marl_progress *progress, bool is_last) {
    double now = clock_seconds();
    double share = done_share(progress);

    if (!isnan(progress->return_mean)) view->return_mean = progress->return_mean;
    if (!isnan(progress->loss)) view->loss = progress->loss;
    if (!view->terminal.is_terminal) {
        if (!is_last && !progress->is_evaluation && share < view->last_share + 0.1) return;
        if (is_last && view->last_share >= share) return;
        update_rate(view, progress, now);
        view->last_share = share;
        print_plain(view, progress);
        return;
    }
    if (!is_last && view->is_drawn && now - view->last_time < redraw_seconds) return;
    update_rate(view, progress, now);
    draw(view, progress);
}

void progress_hide(progress_view *view) {
    if (view->is_drawn) fputs("\r\033[K\033[1A\r\033[K", stdout);
    fflush(stdout);
    view->is_drawn = false;
}

void progress_end(progress_view *view) {
    if (view->is_drawn) fputs("\n", stdout);
    fflush(stdout);
    view->is_drawn = false;
}
