/* SPDX-License-Identifier: Apache-2.0 */
/* See keys.h. The keys of a run come in three parts by their prefix (none, "net.", "env."); each gets its own title
 * and column widths, so that one long name does not push everything to the right. */
#include "keys.h"

#include <math.h>
#include <string.h>

#include "json.h"

enum { RANGE_BYTES = 160 };

static const char *const type_names[] = {"bool", "int", "real", "text", "choice"};

static void format_bound(double bound, char buffer[32]) {
    if (fabs(bound) >= 1e15) snprintf(buffer, 32, "%.3g", bound);
    else snprintf(buffer, 32, "%.10g", bound);
}

/* What the key takes: "0 or 1", "0..1", ">= 1", "a|b|c". Bounds beyond 1e15 mean none. */
static void format_range(const marl_key_info *info, char buffer[RANGE_BYTES]) {
    const char *word = info->type == MARL_KEY_INT ? "whole" : "number";
    char low[32], high[32];

    format_bound(info->minimum, low);
    format_bound(info->maximum, high);
    if (info->type == MARL_KEY_BOOL) snprintf(buffer, RANGE_BYTES, "0 or 1");
    else if (info->type == MARL_KEY_TEXT) snprintf(buffer, RANGE_BYTES, "text");
    else if (info->type == MARL_KEY_CHOICE) snprintf(buffer, RANGE_BYTES, "%s", info->choices ? info->choices : "");
    else if (info->minimum > -1e15 && info->maximum < 1e15) snprintf(buffer, RANGE_BYTES, "%s..%s", low, high);
    else if (info->minimum > -1e15) snprintf(buffer, RANGE_BYTES, ">= %s", low);
    else if (info->maximum < 1e15) snprintf(buffer, RANGE_BYTES, "<= %s", high);
    else snprintf(buffer, RANGE_BYTES, "%s", word);
}

/* 0: the run's and the algorithm's, 1: the net's, 2: the environment's. */
static int part_of(const char *key) {
    return strncmp(key, "net.", 4) == 0 ? 1 : strncmp(key, "env.", 4) == 0 ? 2 : 0;
}

static bool key_at(const marl_config *config, uint32_t index, marl_key_info *info) {
    *info = (marl_key_info){.struct_size = sizeof *info};
    return marl_config_key_info(config, index, info) == MARL_OK;
}

static int at_least(int width, size_t bytes, int greatest) {
    return (int)bytes > width ? ((int)bytes < greatest ? (int)bytes : greatest) : width;
}

/* An empty default would look like a missing column. */
static const char *shown_default(const marl_key_info *info) {
    return info->default_text && info->default_text[0] ? info->default_text : "\"\"";
}

static void print_part(const marl_config *config, int part, const char *title, const terminal *terminal) {
    int key_width = 3, default_width = 7, range_width = 5;
    char range[RANGE_BYTES];
    marl_key_info info;
    bool is_titled = false;

    for (uint32_t i = 0; key_at(config, i, &info); i++) {
        if (part_of(info.name) != part) continue;
        format_range(&info, range);
        key_width = at_least(key_width, strlen(info.name), 32);
        default_width = at_least(default_width, strlen(shown_default(&info)), 16);
        range_width = at_least(range_width, strlen(range), 24);
    }
    for (uint32_t i = 0; key_at(config, i, &info); i++) {
        if (part_of(info.name) != part) continue;
        if (!is_titled) {
            printf("\n%s%s%s\n  %s%-*s  %-*s  %-*s%s\n", terminal_style(terminal, STYLE_BOLD), title,
                   terminal_style(terminal, STYLE_PLAIN), terminal_style(terminal, STYLE_DIM), key_width, "key",
                   default_width, "default", range_width, "takes", terminal_style(terminal, STYLE_PLAIN));
        }
        is_titled = true;
        format_range(&info, range);
        printf("  %s%-*s%s  %-*s  %-*s  %s\n", terminal_style(terminal, STYLE_CYAN), key_width, info.name,
               terminal_style(terminal, STYLE_PLAIN), default_width, shown_default(&info), range_width, range,
               info.help ? info.help : "");
    }
}

void keys_print(const marl_config *config, const terminal *terminal) {
    const char *component = marl_config_component(config);
    bool is_run = strncmp(component, "run/", 4) == 0;
    char title[320];

    snprintf(title, sizeof title, "keys of %s", component);
    print_part(config, 0, is_run ? "keys of the run and the algorithm" : title, terminal);
    print_part(config, 1, "keys of the net", terminal);
    print_part(config, 2, "keys of the environment", terminal);
    if (marl_config_key_count(config) == 0) printf("\n%s has no keys\n", component);
    if (marl_config_preset_count(config) == 0) return;
    printf("\n%spresets%s ", terminal_style(terminal, STYLE_BOLD), terminal_style(terminal, STYLE_PLAIN));
    for (uint32_t i = 0; i < marl_config_preset_count(config); i++) printf(" %s", marl_config_preset_name(config, i));
    putchar('\n');
}

static void write_key(const marl_key_info *info) {
    fputs("{\"name\":", stdout);
    json_write_text(stdout, info->name);
    printf(",\"type\":\"%s\",\"default\":", info->type >= 0 && info->type < 5 ? type_names[info->type] : "?");
    json_write_text(stdout, info->default_text);
    if (info->type == MARL_KEY_INT || info->type == MARL_KEY_REAL) {
        fputs(",\"minimum\":", stdout);
        json_write_number(stdout, info->minimum);
        fputs(",\"maximum\":", stdout);
        json_write_number(stdout, info->maximum);
    }
    if (info->choices) {
        fputs(",\"choices\":", stdout);
        json_write_text(stdout, info->choices);
    }
    fputs(",\"help\":", stdout);
    json_write_text(stdout, info->help);
    fputs("}", stdout);
}

bool keys_write_json(const char *component) {
    marl_config *config = NULL;
    marl_key_info info;
    bool exists = marl_config_create(NULL, component, &config) == MARL_OK;

    fputs("\"keys\":[", stdout);
    for (uint32_t i = 0; exists && key_at(config, i, &info); i++) {
        if (i > 0) fputs(",", stdout);
        write_key(&info);
    }
    fputs("],\"presets\":[", stdout);
    for (uint32_t i = 0; exists && i < marl_config_preset_count(config); i++) {
        if (i > 0) fputs(",", stdout);
        json_write_text(stdout, marl_config_preset_name(config, i));
    }
    fputs("]", stdout);
    marl_config_destroy(config);
    return exists;
}
