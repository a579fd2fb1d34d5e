/* SPDX-License-Identifier: Apache-2.0 */
/* See run_config.h. A config file is either flat, {"lr": 5e-4, "component": "run/qmix/lbf:..."}, or the config.json of
 * a run, {"component": "...", "config": {...}}; the component may be left out when --algo and --env are given. */
#include "run_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* Flags that stand for a key of the run. */
static const char *const key_flags[] = {"seed", "envs", NULL};

bool join_path(char path[PATH_BYTES], const char *dir, const char *name) {
    size_t bytes = strlen(dir);

    while (bytes > 1 && dir[bytes - 1] == '/') bytes--;
    if (snprintf(path, PATH_BYTES, "%.*s/%s", (int)(bytes < PATH_BYTES ? bytes : 0), dir, name) < PATH_BYTES &&
        bytes < PATH_BYTES) {
        return true;
    }
    fail("the path %.60s... is too long", dir);
    return false;
}

bool dir_has(const char *dir, const char *name) {
    char path[PATH_BYTES];

    return join_path(path, dir, name) && access(path, F_OK) == 0;
}

void run_config_names(const marl_config *config, char *algo, char *env) {
    const char *component = marl_config_component(config), *slash;

    algo[0] = env[0] = '\0';
    if (strncmp(component, "run/", 4) != 0) return;
    component += 4;
    slash = strchr(component, '/');
    snprintf(algo, COMPONENT_BYTES, "%.*s", slash ? (int)(slash - component) : (int)strlen(component), component);
    if (slash) snprintf(env, COMPONENT_BYTES, "%s", slash + 1);
}

/* The file's own component, "" if it names none. */
static void file_component(json_slice file, char component[COMPONENT_BYTES]) {
    json_slice value;

    component[0] = '\0';
    if (json_find(file, "component", &value)) json_text(value, component, COMPONENT_BYTES);
}

/* Sets the keys of a file's text; "component" is no key, so a flat object is handed on without it. */
static int apply_file(marl_config *config, json_slice file) {
    json_slice rest, key, value;
    size_t used = 0;
    marl_status status;
    char *flat;

    if (json_find(file, "config", &value) && value.text[0] == '{') {
        return marl_config_from_json(config, value.text, value.bytes) == MARL_OK ? 0 : fail_library();
    }
    if (!json_find(file, "component", &value) || !json_open(file, &rest)) {
        return marl_config_from_json(config, file.text, file.bytes) == MARL_OK ? 0 : fail_library();
    }
    flat = malloc(file.bytes + 2);
    if (!flat) return fail("no memory for the config file");
    flat[used++] = '{';
    while (json_next(&rest, &key, &value)) {
        if (key.bytes == 11 && memcmp(key.text, "\"component\"", 11) == 0) continue;
        used += (size_t)sprintf(flat + used, "%s%.*s:%.*s", used > 1 ? "," : "", (int)key.bytes, key.text,
                                (int)value.bytes, value.text);
    }
    flat[used++] = '}';
    status = marl_config_from_json(config, flat, used);
    free(flat);
    return status == MARL_OK ? 0 : fail_library();
}

/* Sets what --set and the flags that stand for keys say. */
static int apply_flags(const options *options, marl_config *config) {
    const char *pair, *value;
    char key[128], number[32];
    uint64_t whole = 0;
    int cursor = 0, status;

    while ((pair = options_next(options, "set", &cursor))) {
        if (!(value = options_pair(pair, key))) return EXIT_USAGE;
        if (marl_config_set(config, key, value) != MARL_OK) return fail_library();
    }
    for (const char *const *name = key_flags; *name; name++) {
        if (!options_get(options, *name)) continue;
        if ((status = options_whole(options, *name, 0, &whole))) return status;
        snprintf(number, sizeof number, "%llu", (unsigned long long)whole);
        if (marl_config_set(config, *name, number) != MARL_OK) return fail_library();
    }
    return 0;
}

/* "run/ALGO/ENV" from the flags, and from the config file for the part that they do not name. */
static int choose_component(const options *options, json_slice file, char component[COMPONENT_BYTES]) {
    const char *algo = options_get(options, "algo"), *env = options_get(options, "env");
    char written[COMPONENT_BYTES];
    char *slash = NULL;

    file_component(file, written);
    if (strncmp(written, "run/", 4) == 0 && (slash = strchr(written + 4, '/'))) {
        *slash = '\0';
        if (!algo) algo = written + 4;
        if (!env) env = slash + 1;
    }
    if (!algo) return fail_usage(options->command, "which algorithm? --algo NAME (marl list shows them)");
    if (!env) return fail_usage(options->command, "which environment? --env NAME, such as lbf:8x8-2p-2f-coop");
    if (snprintf(component, COMPONENT_BYTES, "run/%s/%s", algo, env) >= COMPONENT_BYTES) {
        return fail("the names of algorithm and environment are too long");
    }
    return 0;
}

static int build(const options *options, json_slice file, marl_config **out) {
    const char *preset = options_get(options, "preset");
    char component[COMPONENT_BYTES];
    marl_config *config = NULL;
    int status = choose_component(options, file, component);

    if (status) return status;
    if (marl_config_create(NULL, component, &config) != MARL_OK) return fail_library();
    if (preset && marl_config_preset(config, preset) != MARL_OK) status = fail_library();
    if (!status && file.bytes > 0) status = apply_file(config, file);
    if (!status) status = apply_flags(options, config);
    if (status) {
        marl_config_destroy(config);
        config = NULL;
    }
    *out = config;
    return status;
}

int run_config_fresh(const options *options, marl_config **out) {
    const char *path = options_get(options, "config");
    json_slice file = {"", 0};
    char *text = NULL;
    int status;

    *out = NULL;
    if (path && !(text = read_object(path, CONFIG_BYTES_MAX, "file of settings", &file))) return EXIT_FAILED;
    status = build(options, file, out);
    free(text);
    return status;
}

int run_config_for_help(const options *options, marl_config **out) {
    const char *algo = options_get(options, "algo"), *env = options_get(options, "env");
    char component[COMPONENT_BYTES];

    *out = NULL;
    if (options_get(options, "config")) return run_config_fresh(options, out);
    if (algo && env) snprintf(component, sizeof component, "run/%s/%s", algo, env);
    else if (algo) snprintf(component, sizeof component, "run/%s", algo);
    else snprintf(component, sizeof component, "env/%s", env ? env : "");
    return marl_config_create(NULL, component, out) == MARL_OK ? 0 : fail_library();
}

/* The first key in which two configs differ; false if they are equal. */
static bool first_difference(const marl_config *a, const marl_config *b, char key[128], char was[256], char is[256]) {
    for (uint32_t i = 0; i < marl_config_key_count(a); i++) {
        marl_key_info info = {.struct_size = sizeof info};

        if (marl_config_key_info(a, i, &info) != MARL_OK) continue;
        if (marl_config_get(a, info.name, was, 256) != MARL_OK) continue;
        if (marl_config_get(b, info.name, is, 256) != MARL_OK || strcmp(was, is) != 0) {
            snprintf(key, 128, "%s", info.name);
            return true;
        }
    }
    return false;
}

static int check_name(const char *flag, const char *given, const char *trained) {
    if (!given || strcmp(given, trained) == 0) return 0;
    return fail("--%s %s cannot be changed on resume: this run has %s", flag, given, trained);
}

/* What `flag` does to a copy of the run's config must do nothing. */
static int check_same(const options *options, const char *flag, const marl_config *config,
                      int (*apply)(const struct options *options, marl_config *config)) {
    char key[128], was[256], is[256];
    marl_config *changed = NULL;
    int status;

    if (marl_config_copy(config, &changed) != MARL_OK) return fail_library();
    status = apply(options, changed);
    if (!status && first_difference(config, changed, key, was, is)) {
        bool is_key_flag = strcmp(flag, "set") == 0 && (strcmp(key, "seed") == 0 || strcmp(key, "envs") == 0) &&
                           options_get(options, key);

        if (is_key_flag) status = fail("--%s %s cannot be changed on resume: this run has %s", key, is, was);
        else status = fail("--%s: %s=%s cannot be changed on resume: this run has %s", flag, key, is, was);
    }
    marl_config_destroy(changed);
    return status;
}

static int apply_preset(const options *options, marl_config *config) {
    return marl_config_preset(config, options_get(options, "preset")) == MARL_OK ? 0 : fail_library();
}

static int apply_config_file(const options *options, marl_config *config) {
    char component[COMPONENT_BYTES];
    json_slice file = {NULL, 0};
    char *text = read_object(options_get(options, "config"), CONFIG_BYTES_MAX, "file of settings", &file);
    int status = EXIT_FAILED;

    if (!text) return status;
    file_component(file, component);
    if (component[0] && strcmp(component, marl_config_component(config)) != 0) {
        status = fail("--config is of %s and cannot be changed on resume: this run is %s", component,
                      marl_config_component(config));
    } else {
        status = apply_file(config, file);
    }
    free(text);
    return status;
}

static int check_flags(const options *options, const char *dir, const marl_config *config) {
    char algo[COMPONENT_BYTES], env[COMPONENT_BYTES];
    const char *out = options_get(options, "out");
    int status;

    run_config_names(config, algo, env);
    if ((status = check_name("algo", options_get(options, "algo"), algo))) return status;
    if ((status = check_name("env", options_get(options, "env"), env))) return status;
    if (out && strcmp(out, dir) != 0) return fail("--out %s cannot be changed on resume: this run is in %s", out, dir);
    if (options_get(options, "init")) return fail("--init cannot be used on resume: the run has its own parameters");
    if (options_get(options, "force")) return fail("--force cannot be used on resume: it starts a run anew");
    if (options_get(options, "preset") && (status = check_same(options, "preset", config, apply_preset))) return status;
    if (options_get(options, "config") && (status = check_same(options, "config", config, apply_config_file))) {
        return status;
    }
    return check_same(options, "set", config, apply_flags);
}

int run_config_resumed(const options *options, const char *dir, marl_config **out) {
    marl_config *config = NULL;
    int status;

    *out = NULL;
    if (marl_trainer_dir_config(NULL, dir, &config) != MARL_OK) return fail_library();
    if ((status = check_flags(options, dir, config))) {
        marl_config_destroy(config);
        return status;
    }
    *out = config;
    return 0;
}

int open_device(const marl_host *host, const char *name, const char *threads, marl_device **out) {
    marl_config *config = NULL;
    int status = 0;

    *out = NULL;
    if (marl_config_create(host, "device", &config) != MARL_OK) return fail_library();
    if (threads && marl_config_set(config, "threads", threads) != MARL_OK) status = fail_library();
    if (!status && marl_device_open(host, name, config, out) != MARL_OK) status = fail_library();
    marl_config_destroy(config);
    return status;
}
