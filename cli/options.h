/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, their flags and the errors about them.
 *
 * A command is one constant table entry: what it is called, which flags it takes, what runs it. The flags of a call
 * stay where they are, in argv: options_check walks them once and refuses what the command does not know; afterwards
 * options_get walks again, so nothing is copied and nothing can disagree. The last of two equal flags counts. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "marl/marl.h"

/* Exit statuses. 130 is what a shell reports for a program that ended by Ctrl-C. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_STOPPED = 130 };

typedef struct option_spec {
    const char *name;  /* without the dashes; NULL ends a list */
    const char *value; /* what stands after it ("N"), NULL for a switch */
    const char *help;
} option_spec;

typedef struct command command;

/* The arguments of one call, those after the command's name. */
typedef struct options {
    const command *command;
    const char *program; /* argv[0], for the commands that messages suggest */
    int argc;
    char **argv;
} options;

struct command {
    const char *name;
    const char *arguments; /* "DIR [--episodes N]", for the usage line */
    const char *summary;   /* one line */
    const char *about;     /* paragraphs for `marl help NAME`, may be NULL */
    int positional_max;    /* arguments that are no flags */
    const option_spec *flags;
    int (*run)(const options *options);  /* an exit status */
    int (*help)(const options *options); /* what --help adds to the flags; may be NULL */
};

extern const command train_command, eval_command, play_command, info_command, list_command, bench_command,
    plot_command;

/* Refuses unknown flags (with the nearest known one), missing values and surplus arguments: EXIT_USAGE, else 0. */
int options_check(const options *options);

/* Value of a flag; "" for a switch that is given; NULL if it is not. */
const char *options_get(const options *options, const char *name);

/* The next value of a flag that may stand several times; *cursor starts at 0. NULL: no more. */
const char *options_next(const options *options, const char *name, int *cursor);

/* The argument at an index among those that are no flags, NULL beyond. */
const char *options_positional(const options *options, int index);

/* Reads a whole number such as 250000, 250k, 2M or 1e6. The out-parameter keeps its value if the flag is absent.
 * EXIT_USAGE, after saying so, for anything else; else 0. */
int options_whole(const options *options, const char *name, uint64_t least, uint64_t *out);

/* Reads a real number between two bounds, in the same way. */
int options_real(const options *options, const char *name, double least, double greatest, double *out);

/* Splits KEY=VALUE; key is a buffer of 128 bytes. NULL, after saying so, if there is no '=' or no key. */
const char *options_pair(const char *pair, char key[128]);

/* Of a NULL-ended list, the word nearest to `word`, or NULL if none is near. */
const char *nearest_word(const char *word, const char *const *words);

/* Prints "marl: ..." on stderr and returns EXIT_FAILED. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fail() with the library's last error. */
int fail_library(void);

/* Prints "marl: ..." and where the help is, and returns EXIT_USAGE. command may be NULL. */
int fail_usage(const command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
