/* SPDX-License-Identifier: Apache-2.0 */
/* See runs.h. Settings are compared as the texts that the library wrote: equal settings have equal texts. */
#include "runs.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CONFIG_BYTES_MAX = 1 << 20, NAMES_MAX = 512, NAME_BYTES = 64, VALUE_BYTES = 256 };

/* Settings that do not make another experiment: the seed, and how often something is written down. */
static const char *const ignored[] = {"seed", "metrics.every", "progress.every", "checkpoint.every",
                                      "checkpoint.replay", NULL};

/* Names of settings, each once. */
typedef struct name_list {
    char names[NAMES_MAX][NAME_BYTES];
    size_t count;
} name_list;

static bool is_directory(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Reads a run's config.json, dir being where it lies. */
static int read_config(const char *dir, run *run) {
    char path[PATH_BYTES], component[COMPONENT_BYTES] = "";
    json_slice file = {NULL, 0}, value;
    char *slash;

    if (!join_path(path, dir, "config.json")) return EXIT_FAILED;
    run->text = read_text(path, CONFIG_BYTES_MAX, &file.bytes);
    if (!run->text) return EXIT_FAILED;
    file.text = run->text;
    if (json_find(file, "component", &value)) json_text(value, component, sizeof component);
    if (!json_find(file, "config", &run->keys) || strncmp(component, "run/", 4) != 0 ||
        !(slash = strchr(component + 4, '/'))) {
        return fail("%s is not the config.json of a run", path);
    }
    *slash = '\0';
    snprintf(run->algo, sizeof run->algo, "%s", component + 4);
    snprintf(run->env, sizeof run->env, "%s", slash + 1);
    if (json_find(file, "device", &value)) json_text(value, run->device, sizeof run->device);
    return 0;
}

/* Adds a run. is_required: it must have a config.json. */
static int add_run(run_list *list, const char *path, bool is_required) {
    run *grown = realloc(list->runs, (list->count + 1) * sizeof *grown), *run;
    const char *slash = strrchr(path, '/');
    char dir[PATH_BYTES];

    if (!grown) return fail("no memory for %zu runs", list->count + 1);
    list->runs = grown;
    run = &grown[list->count++];
    memset(run, 0, sizeof *run);
    run->policy = "";
    if (snprintf(run->path, sizeof run->path, "%s", path) >= (int)sizeof run->path) {
        return fail("the path %.60s... is too long", path);
    }
    if (is_directory(path)) {
        snprintf(dir, sizeof dir, "%s", path);
    } else {
        snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
        run->policy = slash ? slash + 1 : path;    /* argv outlives the list */
    }
    return is_required || dir_has(dir, "config.json") ? read_config(dir, run) : 0;
}

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* Adds the runs in a directory, in the order of their names. */
static int add_runs_in(run_list *list, const char *dir) {
    struct dirent **entries = NULL;
    char path[PATH_BYTES];
    size_t before = list->count;
    int status = 0, count = scandir(dir, &entries, is_visible, alphasort);

    for (int i = 0; i < count; i++) {
        if (!status && !join_path(path, dir, entries[i]->d_name)) status = EXIT_FAILED;
        if (!status && is_directory(path) && dir_has(path, "config.json")) status = add_run(list, path, true);
        free(entries[i]);
    }
    free(entries);
    if (status || list->count > before) return status;
    return fail("%s is no run: it has no config.json, and no directory in it has one", dir);
}

static int add_argument(run_list *list, const char *path, bool are_policies) {
    bool is_dir = is_directory(path);

    if (is_dir && dir_has(path, "config.json")) return add_run(list, path, true);
    if (are_policies && (!is_dir || dir_has(path, "policy.safetensors"))) return add_run(list, path, false);
    if (is_dir) return add_runs_in(list, path);
    return fail("%s is not the directory of a run", path);
}

int run_list_open(const options *options, bool are_policies, run_list *out) {
    const char *path;
    int status = 0;

    memset(out, 0, sizeof *out);
    for (int i = 0; !status && (path = options_positional(options, i)); i++) {
        status = add_argument(out, path, are_policies);
    }
    if (status) run_list_close(out);
    return status;
}

void run_list_close(run_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->runs[i].text);
    free(list->runs);
    free(list->groups);
    memset(list, 0, sizeof *list);
}

bool run_setting(const run *run, const char *name, char *buffer, size_t buffer_bytes) {
    const char *own = strcmp(name, "algo") == 0     ? run->algo
                      : strcmp(name, "env") == 0    ? run->env
                      : strcmp(name, "device") == 0 ? run->device
                      : strcmp(name, "policy") == 0 ? run->policy
                                                    : NULL;
    json_slice value;

    buffer[0] = '\0';
    if (own) snprintf(buffer, buffer_bytes, "%s", own);
    if (own) return own[0] != '\0';
    if (!run->text || !json_find(run->keys, name, &value)) return false;
    if (!json_text(value, buffer, buffer_bytes)) {
        snprintf(buffer, buffer_bytes, "%.*s", (int)value.bytes, value.text);
    }
    return true;
}

static bool is_same(const run *a, const run *b, const char *name) {
    char mine[VALUE_BYTES], theirs[VALUE_BYTES];
    bool have = run_setting(a, name, mine, sizeof mine);

    return run_setting(b, name, theirs, sizeof theirs) == have && strcmp(mine, theirs) == 0;
}

static void add_name(name_list *list, const char *name) {
    for (const char *const *word = ignored; *word; word++) {
        if (strcmp(*word, name) == 0) return;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) return;
    }
    if (list->count < NAMES_MAX) snprintf(list->names[list->count++], NAME_BYTES, "%s", name);
}

/* Every setting of any run. */
static void all_names(const run_list *list, name_list *names) {
    json_slice rest, key, value;
    char name[NAME_BYTES];

    names->count = 0;
    add_name(names, "algo");
    add_name(names, "env");
    add_name(names, "device");
    add_name(names, "policy");
    for (size_t i = 0; i < list->count; i++) {
        if (!list->runs[i].text || !json_open(list->runs[i].keys, &rest)) continue;
        while (json_next(&rest, &key, &value)) {
            if (json_text(key, name, sizeof name)) add_name(names, name);
        }
    }
}

/* The names that the user gave, each of which some run must have. */
static int given_names(const run_list *list, const char *by, name_list *names) {
    char name[NAME_BYTES], value[VALUE_BYTES];
    bool is_known;

    for (names->count = 0; *by; by += strcspn(by, ","), by += *by == ',') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(by, ","), by);
        is_known = false;
        for (size_t i = 0; i < list->count; i++) is_known |= run_setting(&list->runs[i], name, value, sizeof value);
        if (!is_known) return fail("no run has the setting \"%s\" to group by", name);
        if (names->count < NAMES_MAX) snprintf(names->names[names->count++], NAME_BYTES, "%s", name);
    }
    return 0;
}

/* Whether the label of a group must say this setting: another group differs in it. Under is_within only groups of equal
 * algorithm and environment count, since others are told apart by those names. */
static bool is_telling(const run_list *list, size_t group, const char *name, bool is_within) {
    const run *mine = &list->runs[list->groups[group].first];

    for (size_t g = 0; g < list->group_count; g++) {
        const run *other = &list->runs[list->groups[g].first];

        if (is_within && (!is_same(mine, other, "algo") || !is_same(mine, other, "env"))) continue;
        if (!is_same(mine, other, name)) return true;
    }
    return false;
}

static void add_to_label(char *label, const char *name, const char *value) {
    size_t used = strlen(label);
    bool is_plain = strcmp(name, "algo") == 0 || strcmp(name, "env") == 0 || strcmp(name, "policy") == 0;

    snprintf(label + used, RUN_LABEL_BYTES - used, "%s%s%s%s", used ? " " : "", is_plain ? "" : name,
             is_plain ? "" : "=", value);
}

static void make_labels(run_list *list, const name_list *names, bool is_given) {
    char value[VALUE_BYTES];

    for (size_t n = 0; n < names->count; n++) {
        const char *name = names->names[n];
        bool is_within = !is_given && strcmp(name, "algo") != 0 && strcmp(name, "env") != 0;

        for (size_t g = 0; g < list->group_count; g++) {
            if (!is_telling(list, g, name, is_within)) continue;
            if (!run_setting(&list->runs[list->groups[g].first], name, value, sizeof value)) continue;
            add_to_label(list->groups[g].label, name, value);
        }
    }
    for (size_t g = 0; g < list->group_count; g++) {
        const run *first = &list->runs[list->groups[g].first];

        if (!list->groups[g].label[0]) add_to_label(list->groups[g].label, "algo", first->algo);
    }
}

static bool is_member(const run *a, const run *b, const name_list *names) {
    for (size_t n = 0; n < names->count; n++) {
        if (!is_same(a, b, names->names[n])) return false;
    }
    return true;
}

static int compare_labels(const void *a, const void *b) {
    const run_group *x = a, *y = b;
    int order = strverscmp(x->label, y->label);

    return order ? order : (x->number > y->number) - (x->number < y->number);
}

int run_list_group(run_list *list, const char *by) {
    static name_list names;
    int status = 0;

    if (by) status = given_names(list, by, &names);
    else all_names(list, &names);
    if (status) return status;
    list->group_count = 0;
    free(list->groups);
    list->groups = calloc(list->count + 1, sizeof *list->groups);
    if (!list->groups) return fail("no memory for %zu groups", list->count);
    for (size_t i = 0; i < list->count; i++) {
        size_t g = 0;

        while (g < list->group_count && !is_member(&list->runs[list->groups[g].first], &list->runs[i], &names)) g++;
        if (g == list->group_count) {
            list->groups[g].first = i;
            list->groups[g].number = g;
            list->group_count++;
        }
        list->groups[g].run_count++;
        list->runs[i].group = g;
    }
    make_labels(list, &names, by != NULL);
    qsort(list->groups, list->group_count, sizeof *list->groups, compare_labels);
    for (size_t i = 0; i < list->count; i++) {
        size_t g = 0;

        while (list->groups[g].number != list->runs[i].group) g++;
        list->runs[i].group = g;
    }
    for (size_t g = 0; g < list->group_count; g++) list->groups[g].number = g;
    return 0;
}

/* Whether two groups have different values of a setting that both have. */
static bool is_different(const run_list *list, const char *name) {
    char before[VALUE_BYTES] = "", value[VALUE_BYTES];
    bool has_before = false;

    for (size_t g = 0; g < list->group_count; g++) {
        if (!run_setting(&list->runs[list->groups[g].first], name, value, sizeof value)) continue;
        if (has_before && strcmp(before, value) != 0) return true;
        snprintf(before, sizeof before, "%s", value);
        has_before = true;
    }
    return false;
}

void run_list_untold(const run_list *list, char *buffer, size_t buffer_bytes) {
    static name_list names;
    size_t used = 0;

    buffer[0] = '\0';
    all_names(list, &names);
    for (size_t n = 0; n < names.count && used + 1 < buffer_bytes; n++) {
        const char *name = names.names[n];
        bool is_told = false;

        if (strcmp(name, "algo") == 0 || strcmp(name, "env") == 0) continue;
        for (size_t g = 0; !is_told && g < list->group_count; g++) is_told = is_telling(list, g, name, true);
        if (is_told || !is_different(list, name)) continue;
        used += (size_t)snprintf(buffer + used, buffer_bytes - used, "%s%s", used ? ", " : "", name);
    }
}
