/* SPDX-License-Identifier: Apache-2.0 */
/* What the program draws: the progress of a run, in place on a terminal and as plain lines elsewhere, and numbers in
 * a form that people read. The learning curve is in curve.h. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "marl/marl.h"

/* What standard output can show. Escape codes go out only if is_terminal. */
typedef struct terminal {
    bool is_terminal;
    bool has_color; /* a terminal, and neither NO_COLOR nor TERM=dumb says otherwise */
    bool has_utf8;  /* the locale's variables name UTF-8 */
} terminal;

enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GREEN, STYLE_CYAN, STYLE_YELLOW };

/* Looks at standard output and the environment. */
void terminal_init(terminal *terminal);

/* Columns now; 80 if there is no telling. */
int terminal_width(const terminal *terminal);

/* Lines now; 24 if there is no telling. */
int terminal_height(const terminal *terminal);

/* The escape code of a style, "" without colour. */
const char *terminal_style(const terminal *terminal, enum style style);

/* Seconds of a clock that only goes forward. */
double clock_seconds(void);

/* Milliseconds to sleep; an interrupt ends it early. */
void sleep_milliseconds(uint64_t milliseconds);

/* "950", "12.3k", "1.2M". Returns buffer. */
const char *format_short(double value, char buffer[16]);

/* "0:07", "12:30", "3:05:00". Returns buffer. */
const char *format_duration(double seconds, char buffer[24]);

/* "250,000". Returns buffer. */
const char *format_count(uint64_t count, char buffer[32]);

/* The progress of one marl_trainer_run. */
typedef struct progress_view {
    terminal terminal;
    uint64_t first_steps; /* where the run began */
    uint64_t last_steps;  /* at the last drawing */
    double last_time;     /* clock_seconds then */
    double rate;          /* steps a second, smoothed over some seconds; 0: not known yet */
    double recent_steps, recent_seconds; /* what it is made of, fading */
    double last_share;    /* plain lines: how much was done at the last one */
    double return_mean;   /* last values that were numbers, so that a field never flickers away */
    double loss;
    bool is_drawn;
} progress_view;

void progress_begin(progress_view *view, const terminal *terminal, uint64_t steps);

/* Shows how the run stands, if it is time to; is_last: in any case. */
void progress_update(progress_view *view, const marl_progress *progress, bool is_last);

/* Wipes the bar so that a message can be printed; the next update draws it anew. */
void progress_hide(progress_view *view);

/* Ends the drawing, leaving the last state on the screen. */
void progress_end(progress_view *view);

#endif
