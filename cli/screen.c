/* SPDX-License-Identifier: Apache-2.0 */
/* See screen.h. To be replaced, a picture must not scroll or wrap: lines are clipped to the terminal's width and the
 * picture to its height. A frame leaves the program in one piece, so it does not flicker. */
#include "screen.h"

#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum { PICTURE_BYTES = 1 << 14, PICTURE_BYTES_MAX = 1 << 22, HEAD_BYTES = 4096, LOOK_AT_RESULT = 4 /* delays */ };
static const uint64_t terminal_delay = 150;

int screen_open(screen *screen, const options *options, const marl_env_spec *spec) {
    double fps = 0.0;
    int status;

    memset(screen, 0, sizeof *screen);
    terminal_init(&screen->terminal);
    screen->delay = screen->terminal.is_terminal ? terminal_delay : 0;
    if ((status = options_whole(options, "delay", 0, &screen->delay))) return status;
    if ((status = options_real(options, "fps", 0.1, 1000.0, &fps))) return status;
    if (fps > 0.0 && options_get(options, "delay")) {
        return fail_usage(options->command, "--fps and --delay say the same; give one of them");
    }
    if (fps > 0.0) screen->delay = (uint64_t)(1000.0 / fps + 0.5);
    screen->picture = calloc(1, screen->picture_bytes = PICTURE_BYTES);
    screen->alive = calloc(spec->agent_count, 1);
    if (!screen->picture || !screen->alive) return fail("no memory for a picture");
    if (screen->terminal.is_terminal) {
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        fputs("\033[?25l", stdout);    /* no cursor running along */
    }
    return 0;
}

void screen_close(screen *screen) {
    if (screen->terminal.is_terminal && screen->alive) fputs("\033[?25h", stdout);
    fflush(stdout);
    free(screen->picture);
    free(screen->alive);
    memset(screen, 0, sizeof *screen);
}

/* Prints at most `width` columns of a line. Escape codes take no column; without colours they are left out. */
static void print_clipped(const screen *screen, const char *text, size_t bytes, int width) {
    bool has_style = false;
    size_t i = 0;

    while (i < bytes) {
        size_t code = 1;

        if (text[i] == '\033') {
            code += strcspn(text + i + 1, "@ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz~\n");
            code += i + code < bytes;    /* the letter that ends it */
            if (screen->terminal.has_color) fwrite(text + i, 1, code, stdout);
            has_style = screen->terminal.has_color;
        } else {
            if (((unsigned char)text[i] & 0xC0) != 0x80 && width-- == 0) break;
            putchar(text[i]);
        }
        i += code;
    }
    if (has_style) fputs(terminal_style(&screen->terminal, STYLE_PLAIN), stdout);
    fputs(screen->terminal.is_terminal ? "\033[K\n" : "\n", stdout);
}

static void print_lines(screen *screen, const char *text) {
    static const char more[] = "... more lines than the terminal has";
    bool is_terminal = screen->terminal.is_terminal;
    int width = is_terminal ? terminal_width(&screen->terminal) : INT32_MAX;
    int height = is_terminal ? terminal_height(&screen->terminal) - 1 : INT32_MAX;

    while (*text && screen->lines < height) {
        size_t bytes = strcspn(text, "\n");
        const char *next = text + bytes + (text[bytes] == '\n');

        if (screen->lines == height - 1 && *next) print_clipped(screen, more, sizeof more - 1, width);
        else print_clipped(screen, text, bytes, width);
        text = next;
        screen->lines++;
    }
}

/* The environment's picture; "" if it draws none. The buffer grows until it fits. */
static int draw(screen *screen, marl_env *env) {
    for (;;) {
        marl_status status = marl_env_draw_text(env, screen->picture, screen->picture_bytes);
        char *grown;

        if (status == MARL_OK) return 0;
        screen->picture[0] = '\0';
        if (status == MARL_E_UNSUPPORTED) return 0;
        if (status != MARL_E_SHAPE || screen->picture_bytes >= PICTURE_BYTES_MAX) return fail_library();
        if (!(grown = realloc(screen->picture, 2 * screen->picture_bytes))) return fail("no memory for a picture");
        screen->picture = grown;
        screen->picture_bytes *= 2;
    }
}

static size_t add_actions(char *text, size_t bytes, const marl_env_spec *spec, const marl_actions *actions) {
    uint32_t dims = 1;
    size_t used = (size_t)snprintf(text, bytes, "actions");

    for (uint32_t c = 0; c < spec->class_count; c++) {
        dims = spec->classes[c].action_dims > dims ? spec->classes[c].action_dims : dims;
    }
    for (uint32_t i = 0; i < spec->agent_count; i++) {
        const marl_agent_class *agent = &spec->classes[spec->agent_class ? spec->agent_class[i] : 0];

        for (uint32_t d = 0; d < agent->action_dims && used + 32 < bytes; d++) {
            size_t at = (size_t)i * dims + d;
            const char *before = d > 0 ? "," : " ";

            if (!actions) used += (size_t)snprintf(text + used, bytes - used, "%s-", before);
            else if (agent->action_kind == MARL_ACTION_BOX) {
                used += (size_t)snprintf(text + used, bytes - used, "%s%.2g", before, (double)actions->continuous[at]);
            } else {
                used += (size_t)snprintf(text + used, bytes - used, "%s%d", before, actions->discrete[at]);
            }
        }
    }
    return used;
}

/* Agents that still act. Nobody can be asked about them after an end that leaves no action open: then as before. */
static uint32_t count_alive(screen *screen, marl_env *env) {
    marl_view view = {.struct_size = sizeof view, .alive = screen->alive};
    uint32_t count = 0;

    (void)marl_env_observe(env, &view);
    for (uint32_t i = 0; i < marl_env_get_spec(env)->agent_count; i++) count += screen->alive[i];
    return count;
}

int screen_show(screen *screen, marl_env *env, const screen_head *head) {
    const terminal *terminal = &screen->terminal;
    const marl_env_spec *spec = marl_env_get_spec(env);
    char text[HEAD_BYTES];
    size_t used;
    int status = draw(screen, env);

    if (status) return status;
    if (terminal->is_terminal && screen->lines > 0) printf("\033[%dA\r", screen->lines);
    screen->lines = 0;
    used = (size_t)snprintf(text, sizeof text, "%sepisode %llu%s  step %u of %u  return %.4g  alive %u of %u  "
                            "reward %.3g\n", terminal_style(terminal, STYLE_BOLD), (unsigned long long)head->episode,
                            terminal_style(terminal, STYLE_PLAIN), head->step, head->step_limit, head->total,
                            count_alive(screen, env), spec->agent_count, head->reward);
    used += add_actions(text + used, sizeof text - used, spec, head->actions);
    print_lines(screen, text);
    print_lines(screen, screen->picture);
    fputs(terminal->is_terminal ? "\033[J" : "\n", stdout);
    fflush(stdout);
    sleep_milliseconds(screen->delay);
    return 0;
}

void screen_result(screen *screen, const screen_head *head, int32_t outcome, bool is_truncated) {
    enum style style = outcome == MARL_OUTCOME_LOST ? STYLE_YELLOW : STYLE_GREEN;

    printf("%sepisode %llu: return %.3f in %u steps, %s%s\n\n", terminal_style(&screen->terminal, style),
           (unsigned long long)head->episode, head->total, head->step, outcome_text(outcome, is_truncated),
           terminal_style(&screen->terminal, STYLE_PLAIN));
    screen->lines = 0;
    fflush(stdout);
    sleep_milliseconds(LOOK_AT_RESULT * screen->delay);
}
