/* SPDX-License-Identifier: Apache-2.0 */
/* An episode in the terminal, one picture a step. On a terminal each picture replaces the last; elsewhere they follow
 * one another without escape codes, so that an episode can be piped into a file. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "options.h"
#include "terminal.h"

typedef struct screen {
    terminal terminal;
    uint64_t delay;    /* milliseconds a picture */
    int lines;         /* that the next picture replaces */
    char *picture;
    size_t picture_bytes;
    uint8_t *alive;    /* (N) */
} screen;

/* What stands above a picture. */
typedef struct screen_head {
    uint64_t episode;           /* from 1 */
    uint32_t step, step_limit;
    double reward, total;
    const marl_actions *actions; /* NULL before the first step */
} screen_head;

/* Reads --delay and --fps, looks at the terminal. An exit status; screen_close is due in any case. */
int screen_open(screen *screen, const options *options, const marl_env_spec *spec);

void screen_close(screen *screen);

/* Shows what an environment draws as text, if it does, and waits. An exit status. */
int screen_show(screen *screen, marl_env *env, const screen_head *head);

/* The line that ends an episode, and a longer wait. outcome: marl_outcome. */
void screen_result(screen *screen, const screen_head *head, int32_t outcome, bool is_truncated);

#endif
