/* SPDX-License-Identifier: Apache-2.0 */
/* From flags and files to the settings of a run, and to a device. */
#ifndef CLI_RUN_CONFIG_H
#define CLI_RUN_CONFIG_H

#include "options.h"

enum { PATH_BYTES = 4096, COMPONENT_BYTES = 512 };

/* The settings of a fresh run: defaults, then --preset, then --config, then --set and the flags. An exit status. */
int run_config_fresh(const options *options, marl_config **out);

/* The settings a run's directory was trained with, after checking that every flag of the call agrees with them; one
 * that differs is refused by name. An exit status. */
int run_config_resumed(const options *options, const char *dir, marl_config **out);

/* Sets what --algo, --env, --preset, --config and --set say on a config that only serves to show keys. */
int run_config_for_help(const options *options, marl_config **out);

/* Splits "run/ALGO/ENV"; both are buffers of COMPONENT_BYTES. */
void run_config_names(const marl_config *config, char *algo, char *env);

/* Opens a device. threads: value of --threads, NULL: the device's default. An exit status. */
int open_device(const marl_host *host, const char *name, const char *threads, marl_device **out);

/* Writes "DIR/NAME"; false, after saying so, if that is too long. */
bool join_path(char path[PATH_BYTES], const char *dir, const char *name);

/* Whether there is a file of that name in a directory. */
bool dir_has(const char *dir, const char *name);

#endif
