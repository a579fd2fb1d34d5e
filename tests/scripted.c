/* SPDX-License-Identifier: Apache-2.0 */
/* Plays scripted teams on combat maps and prints, as Markdown, what came of it beside the reference's rows:
 * build/tests/scripted [EPISODES [MAP [SCRIPT]]]. Without a map: every row of the reference; a script on a map that it
 * has no row for is played all the same. The last column is the greatest deviation of any figure, in standard errors
 * of the difference. The seed is fixed, so the table is the same wherever it is made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scripted.h"

enum { EPISODES = 1000, EPISODES_MOST = 10000000, SEED = 1 };

static void print_figure(const marl__scripted *s, int32_t figure, int digits) {
    if (figure == MARL__TIME_OUTS) {
        printf(" %.1f %% |", 100 * s->mean[figure]);
    } else if (s->error[figure] > 0 || figure != MARL__KILLS) {
        printf(" %.*f ± %.*f |", digits, s->mean[figure], digits, s->error[figure]);
    } else {
        printf(" %.*f |", digits, s->mean[figure]);
    }
}

static void print_all(const char *who, const marl__scripted *s) {
    printf(" %s | %u |", who, s->episodes);
    for (int32_t f = 0; f < MARL__FIGURES; f++) print_figure(s, f, f == MARL__LENGTH || f == MARL__KILLS ? 2 : 3);
}

/* reference: NULL if there is none. Returns whether it could be played. */
static int play(const char *map, int32_t script, uint32_t episodes, const marl__scripted *reference) {
    marl__scripted ours;
    double most = 0;
    int32_t at = 0;

    if (marl__scripted_play(map, script, episodes, SEED, &ours) != MARL_OK) {
        fprintf(stderr, "%s, %s: %s\n", map, marl__script_names[script], marl_last_error());
        return 0;
    }
    printf("| %s | %s |", map, marl__script_names[script]);
    print_all("libmarl", &ours);
    for (int32_t f = 0; reference && f < MARL__FIGURES; f++) {
        double deviation = marl__scripted_deviation(&ours, reference, f);
        if (deviation > most) {
            most = deviation;
            at = f;
        }
    }
    if (!reference) {
        printf(" |\n");
    } else {
        printf(most > 0 ? " %.1f (%s) |\n| | |" : " 0 |\n| | |", most, marl__figure_names[at]);
        print_all("reference", reference);
        printf(" |\n");
    }
    fflush(stdout);
    return 1;
}

static const marl__scripted *find_row(const char *map, int32_t script) {
    for (uint32_t i = 0; i < marl__scripted_row_count; i++) {
        const marl__scripted_row *row = &marl__scripted_rows[i];
        if (row->script == script && strcmp(row->map, map) == 0) return &row->reference;
    }
    return NULL;
}

int main(int argc, char **argv) {
    long episodes = argc > 1 ? strtol(argv[1], NULL, 10) : EPISODES;
    int is_good = 1, played = 0;

    if (argc > 4 || episodes < 2 || episodes > EPISODES_MOST) {
        fprintf(stderr, "usage: %s [EPISODES [MAP [SCRIPT]]]\n", argv[0]);
        return 2;
    }
    printf("| map | script | | episodes | win rate | return | length | kills | time-outs | deviation |\n"
           "|:--|:--|:--|--:|--:|--:|--:|--:|--:|--:|\n");
    for (uint32_t i = 0; argc <= 2 && i < marl__scripted_row_count; i++) {
        const marl__scripted_row *row = &marl__scripted_rows[i];
        is_good &= play(row->map, row->script, (uint32_t)episodes, &row->reference);
    }
    for (int32_t script = 0; argc > 2 && script < MARL__SCRIPTS; script++) {
        if (argc > 3 && strcmp(argv[3], marl__script_names[script]) != 0) continue;
        is_good &= play(argv[2], script, (uint32_t)episodes, find_row(argv[2], script));
        played++;
    }
    if (argc > 3 && played == 0) fprintf(stderr, "there is no script %s\n", argv[3]);
    return is_good && (argc <= 3 || played > 0) ? 0 : 1;
}
