/* SPDX-License-Identifier: Apache-2.0 */
/* `marl play`: shows a trained team at work, one picture a step. On a terminal each picture replaces the last;
 * elsewhere they follow one another without escape codes, so that an episode can be piped into a file. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play_env.h"
#include "terminal.h"

enum { PICTURE_BYTES = 1 << 16, LOOK_AT_RESULT = 4 /* delays to pause at the end of an episode */ };

static const option_spec flags[] = {
    {"episodes", "N", "episodes to show (default 3)"},
    {"delay", "MS", "milliseconds a picture (default 150 on a terminal, else 0)"},
    {"seed", "S", "of environment and random choices (default 1)"},
    {"epsilon", "E", "chance that an agent acts at random (default 0: greedy)"},
    {"env", "NAME", "play in another environment than the one trained in"},
    {"set", "env.KEY=VALUE", "change a parameter of the environment"},
    {NULL, NULL, NULL},
};

/* What stands on the screen. */
typedef struct screen {
    terminal terminal;
    uint64_t delay;
    int lines;    /* lines of the picture that the next one replaces */
    char picture[PICTURE_BYTES];
} screen;

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    is_interrupted = 1;
}

/* Prints a text line by line, so that what is left of an older, wider picture is wiped. Returns the lines. */
static int print_lines(const screen *screen, const char *text) {
    int lines = 0;

    while (*text) {
        size_t bytes = strcspn(text, "\n");

        printf("%.*s%s\n", (int)bytes, text, screen->terminal.is_terminal ? "\033[K" : "");
        text += bytes + (text[bytes] == '\n');
        lines++;
    }
    return lines;
}

static void show(screen *screen, stage *stage, uint64_t episode, uint32_t step, double reward, double total) {
    const terminal *terminal = &screen->terminal;
    char head[256];
    bool has_picture = marl_env_draw_text(stage->envs[0], screen->picture, sizeof screen->picture) == MARL_OK;

    if (terminal->is_terminal && screen->lines > 0) printf("\033[%dA\r", screen->lines);
    snprintf(head, sizeof head, "%sepisode %llu%s  step %u  reward %.3g  return %.3g",
             terminal_style(terminal, STYLE_BOLD), (unsigned long long)episode + 1,
             terminal_style(terminal, STYLE_PLAIN), step, reward, total);
    screen->lines = print_lines(screen, head);
    if (step > 0) {
        printf("actions");
        for (uint32_t i = 0; i < stage->agents; i++) printf(" %d", stage->actions[i]);
    } else {
        printf("actions -");
    }
    printf("%s\n", terminal->is_terminal ? "\033[K" : "");
    screen->lines++;
    if (has_picture) screen->lines += print_lines(screen, screen->picture);
    if (terminal->is_terminal) fputs("\033[J", stdout);
    else putchar('\n');
    fflush(stdout);
    sleep_milliseconds(screen->delay);
}

static void show_result(screen *screen, uint64_t episode, uint32_t steps, double total, const marl_step *step) {
    const char *outcome = step->outcome == MARL_OUTCOME_WON    ? ", won"
                          : step->outcome == MARL_OUTCOME_LOST ? ", lost"
                          : step->truncated                    ? ", out of time"
                                                               : "";

    printf("%sepisode %llu: return %.3f in %u steps%s%s\n\n", terminal_style(&screen->terminal, STYLE_GREEN),
           (unsigned long long)episode + 1, total, steps, outcome, terminal_style(&screen->terminal, STYLE_PLAIN));
    screen->lines = 0;
    fflush(stdout);
    sleep_milliseconds(LOOK_AT_RESULT * screen->delay);
}

static marl_status play_episode(screen *screen, stage *stage, uint64_t seed, uint64_t episode) {
    marl_step step = {.struct_size = sizeof step};
    double reward = 0.0, total = 0.0;
    uint32_t steps = 0;
    marl_status status = stage_begin(stage, 0, seed, episode);

    if (status == MARL_OK) show(screen, stage, episode, steps, reward, total);
    while (status == MARL_OK && !is_interrupted && !step.terminated && !step.truncated) {
        if ((status = stage_act(stage)) != MARL_OK) break;
        if ((status = stage_step(stage, 0, &step, &reward)) != MARL_OK) break;
        total += reward;
        show(screen, stage, episode, ++steps, reward, total);
    }
    if (status == MARL_OK && !is_interrupted) show_result(screen, episode, steps, total, &step);
    return status;
}

static int play(const options *options) {
    struct sigaction action = {.sa_handler = on_interrupt};
    uint64_t episodes = 3, seed = 1;
    screen *screen;
    double epsilon = 0.0;
    stage stage;
    int status;

    if ((status = options_whole(options, "episodes", 1, &episodes))) return status;
    if ((status = options_whole(options, "seed", 0, &seed))) return status;
    if ((status = options_real(options, "epsilon", 0.0, 1.0, &epsilon))) return status;
    if (!(screen = calloc(1, sizeof *screen))) return fail("no memory for a picture");
    terminal_init(&screen->terminal);
    screen->delay = screen->terminal.is_terminal ? 150 : 0;
    status = options_whole(options, "delay", 0, &screen->delay);
    if (!status) status = stage_open(options, options_positional(options, 0), 1, seed, epsilon, &stage);
    if (status) {
        free(screen);
        return status;
    }
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    for (uint64_t e = 0; e < episodes && !status && !is_interrupted; e++) {
        if (play_episode(screen, &stage, seed, e) != MARL_OK) status = fail_library();
    }
    stage_close(&stage);
    free(screen);
    return status ? status : is_interrupted ? EXIT_STOPPED : 0;
}

const command play_command = {
    .name = "play",
    .arguments = "DIR|FILE [FLAG...]",
    .summary = "watch a trained team play",
    .about = NULL,
    .positional_max = 1,
    .flags = flags,
    .run = play,
};
