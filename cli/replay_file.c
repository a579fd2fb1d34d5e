/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading replay files. The reader takes nothing for granted: the text is checked as JSON first, every
 * number's range is known, and memory grows with the rows that are there, not with the counts that are claimed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "out_file.h"
#include "replay.h"

enum { REPLAY_BYTES_MAX = 1 << 26, AGENTS_MAX = 65536, DIMS_MAX = 4096, STEPS_MAX = 1 << 22 };

static const char *const end_names[] = {"none", "won", "lost"};

/* The shortest decimal that reads back as the same float. */
static void write_float(FILE *stream, float value) {
    char text[32];

    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    fputs(text, stream);
}

enum cell { CELL_WHOLE, CELL_SINGLE, CELL_REAL };

static const size_t cell_bytes[] = {sizeof(int32_t), sizeof(float), sizeof(double)};

/* A table of numbers: a member of the file, its numbers a row and what they are. */
typedef struct table {
    const char *name;
    enum cell cell;
    size_t width;
} table;

static void write_cell(FILE *stream, enum cell cell, const void *block, size_t index) {
    if (cell == CELL_WHOLE) fprintf(stream, "%d", ((const int32_t *)block)[index]);
    else if (cell == CELL_SINGLE) write_float(stream, ((const float *)block)[index]);
    else json_write_number(stream, ((const double *)block)[index]);
}

static void write_table(FILE *stream, const table *table, const void *block, uint32_t count) {
    fprintf(stream, ",\n \"%s\": [", table->name);
    for (size_t row = 0; row < count; row++) {
        fputs(row == 0 ? "[" : row % 8 == 0 ? ",\n  [" : ",[", stream);
        for (size_t i = 0; i < table->width; i++) {
            if (i > 0) fputc(',', stream);
            write_cell(stream, table->cell, block, row * table->width + i);
        }
        fputc(']', stream);
    }
    fputc(']', stream);
}

/* The tables of a replay, in the order of its members. */
enum { TABLE_DISCRETE, TABLE_CONTINUOUS, TABLE_REWARDS, TABLE_COUNT };

static void describe_tables(const replay *replay, table out[TABLE_COUNT]) {
    size_t numbers = (size_t)replay->agents * replay->dims;

    out[TABLE_DISCRETE] = (table){"discrete", CELL_WHOLE, numbers};
    out[TABLE_CONTINUOUS] = (table){"continuous", CELL_SINGLE, numbers};
    out[TABLE_REWARDS] = (table){"rewards", CELL_REAL, replay->reward_count};
}

static void write_member(FILE *stream, const char *before, const char *text) {
    fputs(before, stream);
    json_write_text(stream, text);
}

static void write_all(FILE *stream, const replay *replay) {
    table tables[TABLE_COUNT];

    write_member(stream, "{\"marl_replay\": 1,\n \"env\": ", replay->env);
    write_member(stream, ", \"env_version\": ", replay->env_version);
    fprintf(stream, ", \"env_hash\": \"%016llx\",\n \"settings\": %s", (unsigned long long)replay->env_hash,
            replay->settings);
    fprintf(stream, ",\n \"seed\": \"%llu\", \"agents\": %u, \"action_dims\": %u, \"reward_count\": %u",
            (unsigned long long)replay->seed, replay->agents, replay->dims, replay->reward_count);
    write_member(stream, ",\n \"policy\": {\"path\": ", replay->policy);
    write_member(stream, ", \"algo\": ", replay->algo);
    fputs(", \"epsilon\": ", stream);
    json_write_number(stream, replay->epsilon);
    fprintf(stream, ", \"seed\": \"%llu\", \"episode\": %llu}", (unsigned long long)replay->play_seed,
            (unsigned long long)replay->episode);
    fprintf(stream, ",\n \"outcome\": \"%s\", \"truncated\": %s, \"steps\": %u, \"return\": ",
            end_names[replay->outcome], replay->is_truncated ? "true" : "false", replay->steps);
    json_write_number(stream, replay->total);
    describe_tables(replay, tables);
    if (replay->has_discrete) write_table(stream, &tables[TABLE_DISCRETE], replay->discrete, replay->steps);
    if (replay->has_continuous) write_table(stream, &tables[TABLE_CONTINUOUS], replay->continuous, replay->steps);
    write_table(stream, &tables[TABLE_REWARDS], replay->rewards, replay->steps);
    fputs("}\n", stream);
}

int replay_write(const replay *replay, const char *path) {
    out_file file;
    int status = out_file_open(&file, path);

    if (status) return status;
    write_all(file.stream, replay);
    return out_file_close(&file, true);
}

/* A file being read. The first thing wrong is said, everything after it is passed over. */
typedef struct reader {
    const char *path;
    json_slice object;
    bool is_bad;
} reader;

static void refuse(reader *reader, const char *name, const char *wanted) {
    if (!reader->is_bad) fail("%s is no replay that can be shown: \"%s\" is not %s", reader->path, name, wanted);
    reader->is_bad = true;
}

static json_slice member(reader *reader, const char *name) {
    json_slice value = {"", 0};

    if (!reader->is_bad && !json_find(reader->object, name, &value)) refuse(reader, name, "there");
    return reader->is_bad ? (json_slice){"", 0} : value;
}

static void read_name(reader *reader, const char *name, char *buffer, size_t bytes) {
    if (!json_text(member(reader, name), buffer, bytes) || strlen(buffer) + 1 >= bytes) {
        refuse(reader, name, "a text of the length it may have");
    }
}

/* A number of 64 bits, written as text. */
static uint64_t read_bits(reader *reader, const char *name, int base) {
    char text[32], *end = text;
    uint64_t bits = 0;

    if (json_text(member(reader, name), text, sizeof text) && strspn(text, "0123456789abcdef") == strlen(text)) {
        bits = strtoull(text, &end, base);
    }
    if (end == text || *end) refuse(reader, name, base == 16 ? "a text of hexadecimal digits" : "a text of digits");
    return bits;
}

static uint32_t read_count(reader *reader, const char *name, uint32_t most) {
    double value = 0.0;

    if (!json_number(member(reader, name), &value) || value < 1.0 || value > most || value != floor(value)) {
        char wanted[64];

        snprintf(wanted, sizeof wanted, "a whole number from 1 to %u", most);
        refuse(reader, name, wanted);
        return 1;
    }
    return (uint32_t)value;
}

/* One number of a row. */
static bool read_cell(json_slice text, enum cell cell, void *block, size_t index) {
    double value;

    if (!json_number(text, &value)) return false;
    if (cell == CELL_REAL) {
        ((double *)block)[index] = value;
    } else if (cell == CELL_SINGLE) {
        ((float *)block)[index] = strtof(text.text, NULL);    /* ends with the slice: no number goes on there */
        return isfinite(((float *)block)[index]);
    } else {
        if (value < INT32_MIN || value > INT32_MAX || value != floor(value)) return false;
        ((int32_t *)block)[index] = (int32_t)value;
    }
    return true;
}

/* Numbers read so far; room grows as they come. */
typedef struct block {
    void *numbers;
    size_t used, capacity;
} block;

static bool read_row(json_slice row, const table *table, block *block) {
    json_slice cells, cell;
    size_t width = 0;

    if (row.text[0] != '[' || !json_open(row, &cells)) return false;
    while (json_next(&cells, NULL, &cell)) {
        if (block->used == block->capacity) {
            size_t capacity = block->capacity ? block->capacity * 2 : 256;
            void *grown = realloc(block->numbers, capacity * cell_bytes[table->cell]);

            if (!grown) return false;
            block->numbers = grown;
            block->capacity = capacity;
        }
        if (width++ == table->width || !read_cell(cell, table->cell, block->numbers, block->used++)) return false;
    }
    return width == table->width;
}

/* Reads a table of `count` rows into fresh memory. */
static void *read_table(reader *reader, const table *table, uint32_t count) {
    block block = {NULL, 0, 0};
    json_slice list, row;
    uint32_t found = 0;
    char wanted[128];

    snprintf(wanted, sizeof wanted, "a list of %u steps with %zu numbers in range each", count, table->width);
    if (!json_open(member(reader, table->name), &list)) refuse(reader, table->name, wanted);
    while (!reader->is_bad && json_next(&list, NULL, &row)) {
        if (found++ == count || !read_row(row, table, &block)) refuse(reader, table->name, wanted);
    }
    if (!reader->is_bad && found != count) refuse(reader, table->name, wanted);
    return block.numbers;
}

static void read_end(reader *reader, replay *out) {
    json_slice truncated = member(reader, "truncated");
    char name[16] = "";

    read_name(reader, "outcome", name, sizeof name);
    out->outcome = -1;
    for (int32_t i = 0; i < 3; i++) {
        if (strcmp(name, end_names[i]) == 0) out->outcome = i;
    }
    if (out->outcome < 0) refuse(reader, "outcome", "none, won or lost");
    out->is_truncated = truncated.bytes == 4 && memcmp(truncated.text, "true", 4) == 0;
    if (!out->is_truncated && !(truncated.bytes == 5 && memcmp(truncated.text, "false", 5) == 0)) {
        refuse(reader, "truncated", "true or false");
    }
}

/* Who played is for the reader's eyes only, so whatever of it is there will do. */
static void read_policy(reader *reader, replay *out) {
    json_slice policy, value;
    char seed[32];
    double episode = 0.0;

    if (reader->is_bad || !json_find(reader->object, "policy", &policy)) return;
    if (json_find(policy, "path", &value)) json_text(value, out->policy, sizeof out->policy);
    if (json_find(policy, "algo", &value)) json_text(value, out->algo, sizeof out->algo);
    if (json_find(policy, "epsilon", &value)) json_number(value, &out->epsilon);
    if (json_find(policy, "seed", &value) && json_text(value, seed, sizeof seed)) {
        out->play_seed = strtoull(seed, NULL, 10);
    }
    if (json_find(policy, "episode", &value) && json_number(value, &episode) && episode >= 0.0 && episode < 1e15) {
        out->episode = (uint64_t)episode;
    }
}

static void read_settings(reader *reader, replay *out) {
    json_slice value = member(reader, "settings");

    if (value.bytes == 0 || value.text[0] != '{') refuse(reader, "settings", "an object of keys and values");
    else if (!(out->settings = strndup(value.text, value.bytes))) refuse(reader, "settings", "small enough");
}

/* "marl_replay" tells that a file is meant to be one; a later form has a greater number. */
static int check_kind(const char *path, json_slice object) {
    json_slice value;
    double version = 0.0;

    if (!json_find(object, "marl_replay", &value) || !json_number(value, &version)) {
        return fail("%s is no replay: it has no \"marl_replay\"; marl play DIR --record FILE writes one", path);
    }
    return version == 1.0 ? 0 : fail("%s is a replay of version %g; this program reads version 1", path, version);
}

static int read_all(const char *path, json_slice object, replay *out) {
    reader reader = {.path = path, .object = object};
    table tables[TABLE_COUNT];
    json_slice value;
    int status = check_kind(path, object);

    if (status) return status;
    read_name(&reader, "env", out->env, sizeof out->env);
    read_name(&reader, "env_version", out->env_version, sizeof out->env_version);
    out->env_hash = read_bits(&reader, "env_hash", 16);
    out->seed = read_bits(&reader, "seed", 10);
    out->agents = read_count(&reader, "agents", AGENTS_MAX);
    out->dims = read_count(&reader, "action_dims", DIMS_MAX);
    out->reward_count = read_count(&reader, "reward_count", AGENTS_MAX);
    out->steps = out->capacity = read_count(&reader, "steps", STEPS_MAX);
    read_settings(&reader, out);
    read_end(&reader, out);
    read_policy(&reader, out);
    describe_tables(out, tables);
    out->has_discrete = json_find(object, "discrete", &value);
    out->has_continuous = json_find(object, "continuous", &value);
    if (!out->has_discrete && !out->has_continuous) refuse(&reader, "discrete", "there");
    if (out->has_discrete) out->discrete = read_table(&reader, &tables[TABLE_DISCRETE], out->steps);
    if (out->has_continuous) out->continuous = read_table(&reader, &tables[TABLE_CONTINUOUS], out->steps);
    out->rewards = read_table(&reader, &tables[TABLE_REWARDS], out->steps);
    for (uint32_t i = 0; !reader.is_bad && i < out->steps; i++) out->total += replay_reward(out, i);
    return reader.is_bad ? EXIT_FAILED : 0;
}

int replay_parse(const char *path, const char *text, size_t bytes, replay *out) {
    json_slice object = {text, bytes};
    int status;

    memset(out, 0, sizeof *out);
    if (!json_check_object(object, path, "replay")) return EXIT_FAILED;
    status = read_all(path, object, out);
    if (status) replay_free(out);
    return status;
}

int replay_read(const char *path, replay *out) {
    size_t bytes;
    char *text = read_text(path, REPLAY_BYTES_MAX, &bytes);
    int status = text ? replay_parse(path, text, bytes, out) : EXIT_FAILED;

    free(text);
    return status;
}
