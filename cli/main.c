/* SPDX-License-Identifier: Apache-2.0 */
/* The command-line program: finds the command, shows help, and leaves the work to the command's file. It is written
 * against the public headers only, like any other program that uses the library. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "terminal.h"

static const command *const commands[] = {
    &train_command, &eval_command, &play_command, &plot_command,
    &info_command,  &list_command, &bench_command, NULL,
};

static const command *find_command(const char *name) {
    for (const command *const *command = commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0) return *command;
    }
    return NULL;
}

static int print_overview(void) {
    terminal terminal;

    terminal_init(&terminal);
    printf("%smarl %s%s  teams that learn to cooperate\n\nusage: marl COMMAND [ARGUMENT...]\n\n",
           terminal_style(&terminal, STYLE_BOLD), marl_version(), terminal_style(&terminal, STYLE_PLAIN));
    for (const command *const *command = commands; *command; command++) {
        printf("  %s%-6s%s  %s\n", terminal_style(&terminal, STYLE_CYAN), (*command)->name,
               terminal_style(&terminal, STYLE_PLAIN), (*command)->summary);
    }
    printf("  %s%-6s%s  %s\n\n", terminal_style(&terminal, STYLE_CYAN), "help", terminal_style(&terminal, STYLE_PLAIN),
           "all about one command: marl help COMMAND");
    printf("A first team, in about a minute:\n"
           "  marl train --algo vdn --env lbf:5x5-2p-1f-coop --preset quick --steps 250k --out runs/first\n"
           "  marl play runs/first\n");
    return 0;
}

static int print_command_help(const options *options) {
    const command *command = options->command;
    terminal terminal;
    int width = 0;

    terminal_init(&terminal);
    printf("%smarl %s%s: %s\n\nusage: marl %s %s\n", terminal_style(&terminal, STYLE_BOLD), command->name,
           terminal_style(&terminal, STYLE_PLAIN), command->summary, command->name, command->arguments);
    if (command->about) printf("\n%s\n", command->about);
    for (const option_spec *flag = command->flags; flag && flag->name; flag++) {
        int bytes = (int)(strlen(flag->name) + (flag->value ? strlen(flag->value) + 1 : 0));

        if (bytes > width) width = bytes;
    }
    putchar('\n');
    for (const option_spec *flag = command->flags; flag && flag->name; flag++) {
        char shown[64];

        snprintf(shown, sizeof shown, "%s%s%s", flag->name, flag->value ? " " : "", flag->value ? flag->value : "");
        printf("  %s--%-*s%s  %s\n", terminal_style(&terminal, STYLE_CYAN), width, shown,
               terminal_style(&terminal, STYLE_PLAIN), flag->help);
    }
    return command->help ? command->help(options) : 0;
}

static int refuse_command(const char *name) {
    const char *names[16], *nearest;
    size_t count = 0;

    for (const command *const *command = commands; *command; command++) names[count++] = (*command)->name;
    names[count++] = "help";
    names[count] = NULL;
    nearest = nearest_word(name, names);
    if (nearest) return fail_usage(NULL, "there is no command \"%s\"; did you mean %s?", name, nearest);
    return fail_usage(NULL, "there is no command \"%s\"", name);
}

static int print_version(void) {
    printf("marl %s\n", marl_version());
    return 0;
}

static int run_command(const char *program, const char *name, int argc, char **argv, bool is_help) {
    options options = {.command = find_command(name), .program = program, .argc = argc, .argv = argv};
    int status;

    if (!options.command) return refuse_command(name);
    if ((status = options_check(&options))) return status;
    if (is_help || options_get(&options, "help")) return print_command_help(&options);
    return options.command->run(&options);
}

int main(int argc, char **argv) {
    int status;

    if (argc < 2) {
        print_overview();
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) status = print_version();
    else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) status = print_overview();
    else if (strcmp(argv[1], "help") != 0) status = run_command(argv[0], argv[1], argc - 2, argv + 2, false);
    else if (argc == 2) status = print_overview();
    else status = run_command(argv[0], argv[2], argc - 3, argv + 3, true);
    if (fflush(stdout) != 0 || ferror(stdout)) return fail("the output could not be written");
    return status;
}
