/* SPDX-License-Identifier: Apache-2.0 */
/* `marl info`: what a file or a run's directory holds. Files are safetensors: eight bytes of header length, a JSON
 * header that names every tensor and carries texts under "__metadata__". The header is read here, without a device, so
 * that files can be looked at which this build could not play. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "curve.h"
#include "json.h"
#include "run_config.h"
#include "terminal.h"

enum { HEADER_BYTES_MAX = 64 << 20, VALUE_SHOWN_MAX = 100, KEYS_SHOWN_MAX = 400 };

static const option_spec flags[] = {
    {NULL, NULL, NULL},
};

/* Reads the header of a safetensors file into fresh memory. NULL, after saying why, on failure. */
static char *read_header(const char *path, uint64_t *out_bytes, uint64_t *out_file_bytes) {
    unsigned char length[8];
    uint64_t bytes = 0;
    struct stat status;
    FILE *file = fopen(path, "rb");
    char *header = NULL;

    if (!file || fstat(fileno(file), &status) != 0) {
        fail("%s cannot be opened", path);
        goto done;
    }
    *out_file_bytes = (uint64_t)status.st_size;
    if (!S_ISREG(status.st_mode) || fread(length, 1, 8, file) != 8) {
        fail("%s is no safetensors file: it is shorter than eight bytes", path);
        goto done;
    }
    for (int i = 7; i >= 0; i--) bytes = bytes << 8 | length[i];
    if (bytes > HEADER_BYTES_MAX || bytes > *out_file_bytes - 8) {
        fail("%s is no safetensors file: its header would be %" PRIu64 " bytes of %" PRIu64, path, bytes,
             *out_file_bytes);
        goto done;
    }
    header = malloc(bytes + 1);
    if (!header || fread(header, 1, bytes, file) != bytes) {
        fail("the header of %s cannot be read", path);
        free(header);
        header = NULL;
        goto done;
    }
    header[bytes] = '\0';
    *out_bytes = bytes;
done:
    if (file) fclose(file);
    return header;
}

/* Texts of other programs may hold anything; a terminal gets printable characters only. */
static void print_clean(const char *text) {
    for (; *text; text++) putchar((unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text);
}

static void print_row(const terminal *terminal, const char *name, const char *text) {
    printf("  %s", terminal_style(terminal, STYLE_CYAN));
    print_clean(name);
    printf("%s%*s  ", terminal_style(terminal, STYLE_PLAIN), strlen(name) < 24 ? 24 - (int)strlen(name) : 0, "");
    print_clean(text);
    putchar('\n');
}

static void print_metadata(const terminal *terminal, json_slice metadata) {
    json_slice rest, key, value;
    char name[64], text[VALUE_SHOWN_MAX + 1], shown[VALUE_SHOWN_MAX + 64];

    if (!json_open(metadata, &rest)) return;
    while (json_next(&rest, &key, &value)) {
        if (!json_text(key, name, sizeof name)) continue;
        if (!json_text(value, text, sizeof text)) snprintf(text, sizeof text, "%.*s", (int)value.bytes, value.text);
        if (value.bytes > VALUE_SHOWN_MAX) snprintf(shown, sizeof shown, "%s... (%zu bytes)", text, value.bytes);
        else snprintf(shown, sizeof shown, "%s", text);
        print_row(terminal, name, shown);
    }
}

static uint64_t element_count(json_slice shape) {
    json_slice rest, length;
    uint64_t count = 1;
    double number;

    if (!json_open(shape, &rest)) return 0;
    while (json_next(&rest, NULL, &length)) {
        count *= json_number(length, &number) && number >= 0.0 && number < 1e12 ? (uint64_t)number : 0;
    }
    return count;
}

static void print_tensors(const terminal *terminal, json_slice header) {
    json_slice rest, key, value, dtype, shape;
    char name[128], type[16], text[256], count[32];
    uint64_t tensors = 0, elements = 0;

    if (!json_open(header, &rest)) return;
    while (json_next(&rest, &key, &value)) {
        if (!json_text(key, name, sizeof name) || strcmp(name, "__metadata__") == 0) continue;
        if (!json_find(value, "dtype", &dtype) || !json_text(dtype, type, sizeof type)) continue;
        if (!json_find(value, "shape", &shape)) continue;
        snprintf(text, sizeof text, "%-4s %.*s", type, shape.bytes < 200 ? (int)shape.bytes : 200, shape.text);
        print_row(terminal, name, text);
        tensors++;
        elements += element_count(shape);
    }
    printf("  %" PRIu64 " tensors, %s numbers\n", tensors, format_count(elements, count));
}

static void print_policy(const terminal *terminal, const char *path) {
    marl_device *device = NULL;
    marl_policy *policy = NULL;
    char text[256];

    if (marl_device_open(NULL, "cpu", NULL, &device) == MARL_OK &&
        marl_policy_load_file(device, path, NULL, &policy) == MARL_OK) {
        snprintf(text, sizeof text, "%s, trained in %s", marl_policy_algo(policy), marl_policy_env(policy));
        print_row(terminal, "team", text);
        snprintf(text, sizeof text, "%u agents, each sees %u numbers and has %u actions",
                 marl_policy_agent_count(policy), marl_policy_obs_size(policy), marl_policy_action_count(policy));
        print_row(terminal, "sizes", text);
    } else {
        print_row(terminal, "team", marl_last_error());
    }
    marl_policy_destroy(policy);
    marl_device_close(device);
}

static int info_file(const terminal *terminal, const char *path) {
    uint64_t bytes = 0, file_bytes = 0;
    char *text = read_header(path, &bytes, &file_bytes), count[32];
    json_slice header = {text, (size_t)bytes}, metadata, rest;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    if (!text) return EXIT_FAILED;
    if (!json_open(header, &rest)) {
        free(text);
        return fail("%s is no safetensors file: its header is no JSON object", path);
    }
    printf("%s%s%s  %s bytes\n", terminal_style(terminal, STYLE_BOLD), path, terminal_style(terminal, STYLE_PLAIN),
           format_count(file_bytes, count));
    if (strncmp(name, "policy", 6) == 0) print_policy(terminal, path);
    if (json_find(header, "__metadata__", &metadata)) print_metadata(terminal, metadata);
    print_tensors(terminal, header);
    free(text);
    return 0;
}

/* The keys that differ from their defaults say what is special about a run. Both sides are read as text from a config,
 * since one value has many spellings. */
static void print_changed_keys(const terminal *terminal, const marl_config *config) {
    char value[256], standard[256];
    marl_config *defaults = NULL;

    if (marl_config_create(NULL, marl_config_component(config), &defaults) != MARL_OK) return;
    for (uint32_t i = 0; i < marl_config_key_count(config) && i < KEYS_SHOWN_MAX; i++) {
        marl_key_info info = {.struct_size = sizeof info};

        if (marl_config_key_info(config, i, &info) != MARL_OK) continue;
        if (marl_config_get(config, info.name, value, sizeof value) != MARL_OK) continue;
        if (marl_config_get(defaults, info.name, standard, sizeof standard) != MARL_OK) continue;
        if (strcmp(value, standard) != 0) print_row(terminal, info.name, value);
    }
    marl_config_destroy(defaults);
}

static int info_dir(const terminal *terminal, const char *dir) {
    static const char *const files[] = {"checkpoint.safetensors", "policy.safetensors", "policy-best.safetensors",
                                        "metrics.jsonl", "metrics.csv"};
    char path[PATH_BYTES], algo[COMPONENT_BYTES], env[COMPONENT_BYTES], text[64], count[32];
    marl_config *config = NULL;
    struct stat status;

    if (marl_trainer_dir_config(NULL, dir, &config) != MARL_OK) return fail_library();
    run_config_names(config, algo, env);
    printf("%s%s%s  %s on %s\n", terminal_style(terminal, STYLE_BOLD), dir, terminal_style(terminal, STYLE_PLAIN), algo,
           env);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!join_path(path, dir, files[i]) || stat(path, &status) != 0) continue;
        snprintf(text, sizeof text, "%s bytes", format_count((uint64_t)status.st_size, count));
        print_row(terminal, files[i], text);
    }
    if (join_path(path, dir, "policy.safetensors") && stat(path, &status) == 0) print_policy(terminal, path);
    printf("keys that differ from their defaults\n");
    print_changed_keys(terminal, config);
    marl_config_destroy(config);
    putchar('\n');
    curve_draw(dir, terminal);
    return 0;
}

static int info(const options *options) {
    const char *path = options_positional(options, 0);
    struct stat status;
    terminal terminal;

    if (!path) return fail_usage(options->command, "about what? a run's directory, a policy or a checkpoint");
    if (stat(path, &status) != 0) return fail("there is no file or directory %s", path);
    terminal_init(&terminal);
    return S_ISDIR(status.st_mode) ? info_dir(&terminal, path) : info_file(&terminal, path);
}

const command info_command = {
    .name = "info",
    .arguments = "DIR|FILE",
    .summary = "what a run's directory, a policy or a checkpoint holds",
    .about = NULL,
    .positional_max = 1,
    .flags = flags,
    .run = info,
};
