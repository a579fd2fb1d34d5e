/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs, and which of them are the same experiment: runs whose settings agree in everything but the seed form a
 * group, and a group is called by what sets it apart from the others. Shared by plot and eval. */
#ifndef CLI_RUNS_H
#define CLI_RUNS_H

#include "json.h"
#include "options.h"
#include "run_config.h"

enum { RUN_LABEL_BYTES = 256 };

typedef struct run {
    char path[PATH_BYTES];              /* as it was given */
    char algo[COMPONENT_BYTES], env[COMPONENT_BYTES];
    char device[64];
    const char *policy;                 /* name of the policy file if that was given, else "" */
    char *text;                         /* config.json; NULL: there is none */
    json_slice keys;                    /* the settings in it */
    size_t group;
} run;

typedef struct run_group {
    char label[RUN_LABEL_BYTES];
    size_t first;                       /* a run of it; its settings are the group's */
    size_t run_count;
    size_t number;                      /* its place among the groups */
} run_group;

typedef struct run_list {
    run *runs;
    size_t count;
    run_group *groups;                  /* in the order of their labels, numbers by their value */
    size_t group_count;
} run_list;

/* Reads config.json of every run that the arguments name. An argument that is no run but holds some, one level down,
 * stands for those. are_policies: arguments may be policy files too, and a policy need not have a config.json; its algo
 * and env then stay empty. An exit status. */
int run_list_open(const options *options, bool are_policies, run_list *out);

void run_list_close(run_list *list);

/* Makes the groups and their labels. by: NULL, or the names that alone tell groups apart, with commas between them:
 * algo, env, device or keys such as lr and net.hidden_dim. An exit status. */
int run_list_group(run_list *list, const char *by);

/* Names of settings in which groups differ without the labels saying so, with commas between them; "" if there are
 * none. So it is with keys that go with the algorithm, whose name is label enough. */
void run_list_untold(const run_list *list, char *buffer, size_t buffer_bytes);

/* A setting of a run as text: algo, env, device or a key. false if it has none of that name. */
bool run_setting(const run *run, const char *name, char *buffer, size_t buffer_bytes);

#endif
