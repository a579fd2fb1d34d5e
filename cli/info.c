/* SPDX-License-Identifier: Apache-2.0 */
/* `marl info`: what a file or a run's directory holds. A file is a replay, which is JSON, or safetensors: eight bytes
 * of header length, a JSON header that names every tensor and carries texts under "__metadata__". The header is read
 * here, without a device, so that files can be looked at which this build could not play. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "curve.h"
#include "json.h"
#include "replay.h"
#include "run_config.h"
#include "terminal.h"

enum { HEADER_BYTES_MAX = 64 << 20, VALUE_SHOWN_MAX = 100, KEYS_SHOWN_MAX = 400, LENGTHS_A_LINE = 30 };

static const option_spec flags[] = {
    {"lengths", NULL, "of a checkpoint: the lengths of the episodes in its replay, as marl-bench reads them"},
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

/* Of the environment's settings those that differ from what its name says. */
static void print_replay_keys(const terminal *terminal, const replay *replay) {
    char component[COMPONENT_BYTES + 8];
    marl_config *config = NULL;

    snprintf(component, sizeof component, "env/%s", replay->env);
    if (marl_config_create(NULL, component, &config) != MARL_OK ||
        marl_config_from_json(config, replay->settings, strlen(replay->settings)) != MARL_OK) {
        print_row(terminal, "settings", marl_last_error());
    } else {
        print_changed_keys(terminal, config);
    }
    marl_config_destroy(config);
}

static int info_replay(const terminal *terminal, const char *path) {
    char text[PATH_BYTES + COMPONENT_BYTES + 128];
    replay replay;
    int status = replay_read(path, &replay);

    if (status) return status;
    printf("%s%s%s  a replay\n", terminal_style(terminal, STYLE_BOLD), path, terminal_style(terminal, STYLE_PLAIN));
    snprintf(text, sizeof text, "%s, version %s, %u agents", replay.env, replay.env_version, replay.agents);
    print_row(terminal, "environment", text);
    print_replay_keys(terminal, &replay);
    snprintf(text, sizeof text, "%" PRIu64, replay.seed);
    print_row(terminal, "seed", text);
    snprintf(text, sizeof text, "%s, epsilon %g, from %s", replay.algo, replay.epsilon, replay.policy);
    print_row(terminal, "played by", text);
    snprintf(text, sizeof text, "%" PRIu64 " of those with seed %" PRIu64, replay.episode, replay.play_seed);
    print_row(terminal, "episode", text);
    snprintf(text, sizeof text, "%u", replay.steps);
    print_row(terminal, "steps", text);
    snprintf(text, sizeof text, "%.6g", replay.total);
    print_row(terminal, "return", text);
    print_row(terminal, "outcome", outcome_text(replay.outcome, replay.is_truncated));
    replay_free(&replay);
    return 0;
}

/* Where a tensor of a checkpoint lies, and how many numbers it has; false if there is none of that type. */
static bool find_tensor(json_slice header, const char *name, const char *type, uint64_t *out_at, uint64_t *out_count) {
    json_slice tensor, value, rest, begin;
    char found[16];
    double at;

    if (!json_find(header, name, &tensor) || !json_find(tensor, "dtype", &value)) return false;
    if (!json_text(value, found, sizeof found) || strcmp(found, type) != 0) return false;
    if (!json_find(tensor, "data_offsets", &value) || !json_open(value, &rest)) return false;
    if (!json_next(&rest, NULL, &begin) || !json_number(begin, &at) || at < 0.0 || at > 1e15) return false;
    *out_at = (uint64_t)at;
    return json_find(tensor, "shape", &value) && (*out_count = element_count(value)) > 0;
}

/* A number out of one of the metadata's texts, which are JSON themselves; 0 if it is not there. */
static double metadata_number(json_slice header, const char *key, const char *member, char *name, size_t name_bytes) {
    json_slice metadata, text, inner, value;
    char decoded[VALUE_SHOWN_MAX * 40];
    double number = 0.0;

    if (!json_find(header, "__metadata__", &metadata) || !json_find(metadata, key, &text)) return 0.0;
    if (!json_text(text, decoded, sizeof decoded)) return 0.0;
    inner = (json_slice){decoded, strlen(decoded)};
    if (name && json_find(inner, "name", &value)) json_text(value, name, name_bytes);
    return json_find(inner, member, &value) && json_number(value, &number) ? number : 0.0;
}

static void print_lengths(json_slice header, const int32_t *lengths, uint64_t count) {
    char env[COMPONENT_BYTES] = "?";
    double limit = metadata_number(header, "marl.env", "episode limit", env, sizeof env), sum = 0.0;

    for (uint64_t i = 0; i < count; i++) sum += lengths[i];
    printf("# %s, trained for %.0f steps: the lengths of the %" PRIu64 " episodes in the replay, the oldest first\n"
           "# mean length %.2f of at most %.0f: a fill of %.3f", env,
           metadata_number(header, "marl.counters", "steps", NULL, 0), count, sum / (double)count, limit,
           limit > 0.0 ? sum / (double)count / limit : 0.0);
    for (uint64_t i = 0; i < count; i++) printf("%s%d", i % LENGTHS_A_LINE == 0 ? "\n" : " ", lengths[i]);
    putchar('\n');
}

static int info_lengths(const char *path) {
    uint64_t bytes = 0, file_bytes = 0, at = 0, count = 0;
    char *text = read_header(path, &bytes, &file_bytes);
    uint64_t data_bytes = text ? file_bytes - 8 - bytes : 0;
    json_slice header = {text, (size_t)bytes};
    int32_t *lengths = NULL;
    FILE *file = NULL;
    int status = 0;

    if (!text) return EXIT_FAILED;
    if (!find_tensor(header, "replay.lengths", "I32", &at, &count)) {
        status = fail("%s holds no episodes; a checkpoint does, unless checkpoint.replay is none", path);
    } else if (count > data_bytes / sizeof *lengths || at > data_bytes - count * sizeof *lengths) {
        status = fail("%s ends before the lengths that its header promises", path);
    } else if (!(lengths = malloc(count * sizeof *lengths)) || !(file = fopen(path, "rb")) ||
               fseeko(file, (off_t)(8 + bytes + at), SEEK_SET) != 0 ||
               fread(lengths, sizeof *lengths, count, file) != count) {
        status = fail("the lengths in %s cannot be read", path);
    } else {
        print_lengths(header, lengths, count);
    }
    if (file) fclose(file);
    free(lengths);
    free(text);
    return status;
}

/* A safetensors file begins with the length of its header, whose upper bytes are zero; no text has such a byte. */
static bool is_json(const char *path) {
    char head[8] = "";
    FILE *file = fopen(path, "rb");
    size_t bytes = file ? fread(head, 1, sizeof head, file) : 0;

    if (file) fclose(file);
    return bytes == sizeof head && head[0] == '{' && head[7] != '\0';
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

    if (!path) return fail_usage(options->command, "about what? a run's directory, a policy, a checkpoint or a replay");
    if (stat(path, &status) != 0) return fail("there is no file or directory %s", path);
    if (options_get(options, "lengths")) {
        if (!S_ISDIR(status.st_mode)) return info_lengths(path);
        return fail_usage(options->command, "--lengths is for a checkpoint, not for a directory");
    }
    terminal_init(&terminal);
    if (S_ISDIR(status.st_mode)) return info_dir(&terminal, path);
    return S_ISREG(status.st_mode) && is_json(path) ? info_replay(&terminal, path) : info_file(&terminal, path);
}

const command info_command = {
    .name = "info",
    .arguments = "DIR|FILE",
    .summary = "what a run's directory, a policy, a checkpoint or a replay holds",
    .about = NULL,
    .positional_max = 1,
    .flags = flags,
    .run = info,
};
