/* SPDX-License-Identifier: Apache-2.0 */
/* `marl list`: what this build can do, all of it read off the library: algorithms, nets, environments, devices (with
 * the reason where one cannot be used) and the keys of each. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "keys.h"
#include "options.h"
#include "terminal.h"

static const option_spec flags[] = {
    {"json", NULL, "print one JSON object with every key"},
    {NULL, NULL, NULL},
};

static void print_title(const terminal *terminal, const char *title) {
    printf("%s%s%s\n", terminal_style(terminal, STYLE_BOLD), title, terminal_style(terminal, STYLE_PLAIN));
}

static void print_row(const terminal *terminal, const char *name, int width, const char *text) {
    printf("  %s%-*s%s  %s\n", terminal_style(terminal, STYLE_CYAN), width, name,
           terminal_style(terminal, STYLE_PLAIN), text ? text : "");
}

static int print_all(const terminal *terminal) {
    char text[512];

    print_title(terminal, "algorithms");
    for (uint32_t i = 0; i < marl_algo_count(); i++) print_row(terminal, marl_algo_name(i), 10, marl_algo_help(i));
    print_title(terminal, "\nnets");
    for (uint32_t i = 0; i < marl_net_kind_count(); i++) {
        snprintf(text, sizeof text, "keys: marl list net/%s", marl_net_kind_name(i));
        print_row(terminal, marl_net_kind_name(i), 10, text);
    }
    print_title(terminal, "\nenvironments");
    for (uint32_t i = 0; i < marl_env_family_count(); i++) {
        snprintf(text, sizeof text, "%s, such as %s", marl_env_family_variants(i), marl_env_family_example(i));
        print_row(terminal, marl_env_family_name(i), 10, text);
    }
    print_title(terminal, "\ndevices");
    for (uint32_t i = 0; i < marl_device_kind_count(); i++) {
        bool is_usable = marl_device_probe(marl_device_kind_name(i)) == MARL_OK;

        if (is_usable) snprintf(text, sizeof text, "ready");
        else snprintf(text, sizeof text, "not available: %s", marl_last_error());
        print_row(terminal, marl_device_kind_name(i), 10, text);
    }
    printf("\nThe keys of one: marl list algo/NAME, net/NAME, env/NAME, train, device.\n"
           "The keys of a run: marl train --help --algo NAME --env NAME.\n");
    return 0;
}

static void write_component(const char *prefix, const char *name) {
    char component[512];

    snprintf(component, sizeof component, "%s%s", prefix, name);
    keys_write_json(component);
}

static void write_named(uint32_t index, const char *label, const char *name) {
    printf("%s{\"%s\":", index > 0 ? "," : "", label);
    json_write_text(stdout, name);
    fputs(",", stdout);
}

static void write_member(const char *name, const char *text) {
    printf("\"%s\":", name);
    json_write_text(stdout, text);
    fputs(",", stdout);
}

static void write_devices(void) {
    for (uint32_t i = 0; i < marl_device_kind_count(); i++) {
        const char *name = marl_device_kind_name(i);
        bool is_usable = marl_device_probe(name) == MARL_OK;

        write_named(i, "name", name);
        printf("\"available\":%s,", is_usable ? "true" : "false");
        write_member("reason", is_usable ? NULL : marl_last_error());
        keys_write_json("device");
        fputs("}", stdout);
    }
}

static int write_all(void) {
    fputs("{", stdout);
    write_member("version", marl_version());
    fputs("\"algorithms\":[", stdout);
    for (uint32_t i = 0; i < marl_algo_count(); i++) {
        write_named(i, "name", marl_algo_name(i));
        write_member("help", marl_algo_help(i));
        write_component("algo/", marl_algo_name(i));
        fputs("}", stdout);
    }
    fputs("],\"nets\":[", stdout);
    for (uint32_t i = 0; i < marl_net_kind_count(); i++) {
        write_named(i, "name", marl_net_kind_name(i));
        write_component("net/", marl_net_kind_name(i));
        fputs("}", stdout);
    }
    fputs("],\"environments\":[", stdout);
    for (uint32_t i = 0; i < marl_env_family_count(); i++) {
        write_named(i, "name", marl_env_family_name(i));
        write_member("variants", marl_env_family_variants(i));
        write_member("example", marl_env_family_example(i));
        write_component("env/", marl_env_family_example(i));
        fputs("}", stdout);
    }
    fputs("],\"devices\":[", stdout);
    write_devices();
    fputs("],\"train\":{", stdout);
    keys_write_json("train");
    puts("}}");
    return 0;
}

static int list(const options *options) {
    const char *component = options_positional(options, 0);
    marl_config *config = NULL;
    terminal terminal;

    terminal_init(&terminal);
    if (!component) return options_get(options, "json") ? write_all() : print_all(&terminal);
    if (marl_config_create(NULL, component, &config) != MARL_OK) return fail_library();
    if (options_get(options, "json")) {
        fputs("{", stdout);
        write_member("component", component);
        keys_write_json(component);
        puts("}");
    } else {
        keys_print(config, &terminal);
    }
    marl_config_destroy(config);
    return 0;
}

const command list_command = {
    .name = "list",
    .arguments = "[COMPONENT] [--json]",
    .summary = "algorithms, nets, environments, devices, and the keys of each",
    .about = "COMPONENT shows the keys of one: algo/qmix, net/gru, env/lbf:8x8-2p-2f-coop, train, device.",
    .positional_max = 1,
    .flags = flags,
    .run = list,
};
