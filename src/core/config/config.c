/* SPDX-License-Identifier: Apache-2.0 */
/* Settings. A config is one block: the struct, its entries, its texts. Entries name their texts by offset, so a copy is
 * one memcpy, and "all or nothing" (JSON, presets) is: change a copy, then copy the block back.
 *
 * The tables' words are copied too, since only presets are promised to be static. A value is kept as parsed; TEXT and
 * CHOICE have a slot of their own as large as their longest value. */
#include "core/config/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/status.h"

#define TEXT_BYTES 256  /* of a TEXT value, with its NUL */
#define NAME_BYTES 128  /* of a key with its prefix, with its NUL */
#define MOST_KEYS 512

/* Whole numbers written as reals ("1e6") are taken up to where reals are exact. */
#define WHOLE_LIMIT 9007199254740992.0

/* Texts are offsets from the start of the config; 0 is none. */
typedef struct config_entry {
    uint32_t name, help, initial, choices;
    uint32_t slot; /* TEXT and CHOICE: the value */
    int32_t type;
    int32_t is_set; /* 0: at its default, 1: set by name, 2: set by a preset */
    int32_t reserved;
    double minimum, maximum;
    int64_t whole; /* BOOL and INT: the value */
    double real;   /* REAL: the value */
} config_entry;

struct marl_config {
    uint32_t tag;
    uint32_t count;
    uint32_t bytes; /* of the whole block */
    uint32_t component;
    const marl__preset *presets;
    uint32_t preset_count;
    marl__heap heap;
    config_entry entries[];
};

static const char *text_at(const marl_config *config, uint32_t offset) {
    return (const char *)config + offset;
}

static char *slot_at(marl_config *config, const config_entry *entry) {
    return (char *)config + entry->slot;
}

static const char *name_of(const marl_config *config, const config_entry *entry) {
    return text_at(config, entry->name);
}

static const char *component_of(const marl_config *config) {
    return text_at(config, config->component);
}

/* ---- finding a key ---- */

static const config_entry *look_up(const marl_config *config, const char *key) {
    for (uint32_t index = 0; index < config->count; ++index)
        if (strcmp(name_of(config, &config->entries[index]), key) == 0) return &config->entries[index];
    return NULL;
}

/* The nearest key; else one that is the same behind its prefix: "hidden_dim" is meant to be "net.hidden_dim". */
static const char *suggest_key(const marl_config *config, const char *key) {
    const char *names[MOST_KEYS];
    const char *nearest = NULL;

    for (uint32_t index = 0; index < config->count; ++index) {
        const char *name = name_of(config, &config->entries[index]);
        const char *point = strchr(name, '.');
        if (point && strcmp(point + 1, key) == 0) return name;
        names[index] = name;
    }
    nearest = marl__nearest_name(key, names, config->count);
    return nearest;
}

static marl_status no_such_key(const marl_config *config, const char *key) {
    const char *nearest = suggest_key(config, key);

    if (nearest)
        return marl__fail(MARL_E_NAME, "no key \"%.128s\" in %s; did you mean \"%s\"?", key, component_of(config),
                          nearest);
    return marl__fail(MARL_E_NAME, "no key \"%.128s\" in %s", key, component_of(config));
}

/* What every public call with a key checks first. */
static marl_status find_entry(const marl_config *config, const char *key, const config_entry **out) {
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");

    *out = NULL;
    if (status != MARL_OK) return status;
    if (!key) return marl__fail(MARL_E_ARGUMENT, "the key is NULL");
    *out = look_up(config, key);
    return *out ? MARL_OK : no_such_key(config, key);
}

static const char *type_text(int32_t type) {
    static const char *const texts[] = {"true or false", "a whole number", "a real number", "a text", "a word"};

    return type >= 0 && type <= MARL_KEY_CHOICE ? texts[type] : "of an unknown type";
}

static marl_status wrong_type(const marl_config *config, const config_entry *entry, const char *given) {
    return marl__fail(MARL_E_SHAPE, "key \"%s\" of %s is %s, not %s", name_of(config, entry), component_of(config),
                      type_text(entry->type), given);
}

/* ---- setting a value ---- */

/* Values are printed as given, so that the sentence shows what the caller wrote. */
static marl_status refuse_value(const marl_config *config, const config_entry *entry, const char *value) {
    char least[32], most[32];

    if (entry->type == MARL_KEY_CHOICE)
        return marl__fail(MARL_E_ARGUMENT, "key \"%s\" of %s is \"%.128s\", expected one of %s", name_of(config, entry),
                          component_of(config), value, text_at(config, entry->choices));
    if (entry->type == MARL_KEY_BOOL)
        return marl__fail(MARL_E_ARGUMENT, "key \"%s\" of %s is %.128s, expected true, false, 1 or 0",
                          name_of(config, entry), component_of(config), value);
    if (entry->type == MARL_KEY_TEXT)
        return marl__fail(MARL_E_ARGUMENT, "key \"%s\" of %s is \"%.64s\", expected at most %d bytes of UTF-8",
                          name_of(config, entry), component_of(config), value, TEXT_BYTES - 1);
    marl__write_real(entry->minimum, least);
    marl__write_real(entry->maximum, most);
    return marl__fail(MARL_E_ARGUMENT, "key \"%s\" of %s is %.128s, expected %s from %s to %s", name_of(config, entry),
                      component_of(config), value, type_text(entry->type), least, most);
}

static int in_range(const config_entry *entry, double value) {
    return value >= entry->minimum && value <= entry->maximum;
}

static int has_word(const char *choices, const char *word) {
    size_t bytes = strlen(word);

    if (bytes == 0 || strchr(word, '|')) return 0;
    for (const char *at = choices; (at = strstr(at, word)) != NULL; at += bytes)
        if ((at == choices || at[-1] == '|') && (at[bytes] == '|' || at[bytes] == '\0')) return 1;
    return 0;
}

static int take_bool(config_entry *entry, const char *value) {
    int is_true = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

    if (!is_true && strcmp(value, "false") != 0 && strcmp(value, "0") != 0) return 0;
    entry->whole = is_true;
    return 1;
}

static int take_whole(config_entry *entry, const char *value) {
    int64_t whole = 0;
    double real = 0;

    if (!marl__read_int(value, &whole)) {
        if (!marl__read_real(value, &real) || real != floor(real) || fabs(real) >= WHOLE_LIMIT) return 0;
        whole = (int64_t)real;
    }
    if (!in_range(entry, (double)whole)) return 0;
    entry->whole = whole;
    return 1;
}

static int take_real(config_entry *entry, const char *value) {
    double real = 0;

    if (!marl__read_real(value, &real) || !in_range(entry, real)) return 0;
    entry->real = real;
    return 1;
}

/* The value may be the slot's own text. */
static int take_text(marl_config *config, config_entry *entry, const char *value) {
    size_t bytes = strlen(value);

    if (entry->type == MARL_KEY_CHOICE && !has_word(text_at(config, entry->choices), value)) return 0;
    if (bytes >= TEXT_BYTES || !marl__is_utf8(value, bytes)) return 0;
    memmove(slot_at(config, entry), value, bytes + 1);
    return 1;
}

/* Parses a value into an entry, which stays as it was if the value is refused. */
static marl_status take_value(marl_config *config, config_entry *entry, const char *value) {
    int is_taken = 0;

    switch (entry->type) {
    case MARL_KEY_BOOL: is_taken = take_bool(entry, value); break;
    case MARL_KEY_INT: is_taken = take_whole(entry, value); break;
    case MARL_KEY_REAL: is_taken = take_real(entry, value); break;
    default: is_taken = take_text(config, entry, value); break;
    }
    return is_taken ? MARL_OK : refuse_value(config, entry, value);
}

static marl_status set_entry(marl_config *config, const config_entry *entry, const char *value) {
    config_entry *own = &config->entries[entry - config->entries];
    marl_status status = take_value(config, own, value);

    if (status == MARL_OK) own->is_set = 1;
    return status;
}

/* buffer: TEXT_BYTES, for the types that are not kept as text. */
static const char *value_text(const marl_config *config, const config_entry *entry, char *buffer) {
    if (entry->type == MARL_KEY_TEXT || entry->type == MARL_KEY_CHOICE) return text_at(config, entry->slot);
    if (entry->type == MARL_KEY_REAL) marl__write_real(entry->real, buffer);
    else if (entry->type == MARL_KEY_BOOL) snprintf(buffer, TEXT_BYTES, "%s", entry->whole ? "true" : "false");
    else snprintf(buffer, TEXT_BYTES, "%lld", (long long)entry->whole);
    return buffer;
}

/* ---- create ---- */

typedef struct layout {
    marl_config *config; /* NULL while measuring */
    uint32_t count;
    size_t bytes; /* of texts so far while measuring; else where the next one goes */
} layout;

static uint32_t place_text(layout *to, const char *front, const char *text) {
    size_t offset = to->bytes;
    size_t front_bytes = strlen(front), bytes = text ? strlen(text) + 1 : 0;

    if (!text) return 0;
    to->bytes += front_bytes + bytes;
    if (to->config) {
        memcpy((char *)to->config + offset, front, front_bytes);
        memcpy((char *)to->config + offset + front_bytes, text, bytes);
    }
    return (uint32_t)offset;
}

static const char *words_of(const marl__key *key) {
    return key->choices ? key->choices : "";
}

static uint32_t place_slot(layout *to, const marl__key *key) {
    size_t offset = to->bytes;

    if (key->type == MARL_KEY_TEXT) to->bytes += TEXT_BYTES;
    else if (key->type == MARL_KEY_CHOICE) to->bytes += strlen(words_of(key)) + 1;
    else return 0;
    return (uint32_t)offset;
}

/* Whether a part before this one declares the key under the same full name. */
static int is_repeated(const marl__config_part *parts, uint32_t part, const char *prefix, const char *name) {
    for (uint32_t other = 0; other < part; ++other) {
        if (strcmp(parts[other].prefix, prefix) != 0) continue;
        for (uint32_t index = 0; index < parts[other].table->count; ++index)
            if (strcmp(parts[other].table->keys[index].name, name) == 0) return 1;
    }
    return 0;
}

static void place_key(layout *to, const char *prefix, const marl__key *key) {
    config_entry entry = {.type = key->type, .minimum = key->minimum, .maximum = key->maximum};

    entry.name = place_text(to, prefix, key->name);
    entry.help = place_text(to, "", key->help ? key->help : "");
    entry.initial = place_text(to, "", key->initial ? key->initial : "");
    entry.choices = place_text(to, "", key->type == MARL_KEY_CHOICE ? words_of(key) : NULL);
    entry.slot = place_slot(to, key);
    if (to->config) to->config->entries[to->count] = entry;
    ++to->count;
}

/* Walks the tables once to measure and once to fill. */
static void place_parts(layout *to, const char *component, const marl__config_part *parts, uint32_t part_count) {
    uint32_t component_at = place_text(to, "", component);

    if (to->config) to->config->component = component_at;
    for (uint32_t part = 0; part < part_count; ++part) {
        for (uint32_t index = 0; index < parts[part].table->count; ++index) {
            const marl__key *key = &parts[part].table->keys[index];
            if (!is_repeated(parts, part, parts[part].prefix, key->name)) place_key(to, parts[part].prefix, key);
        }
    }
}

static marl_status take_defaults(marl_config *config) {
    for (uint32_t index = 0; index < config->count; ++index) {
        config_entry *entry = &config->entries[index];
        marl_status status = MARL_OK;
        if (strlen(name_of(config, entry)) >= NAME_BYTES)
            return marl__fail(MARL_E_ARGUMENT, "the key \"%s\" is longer than %d bytes", name_of(config, entry),
                              NAME_BYTES - 1);
        status = take_value(config, entry, text_at(config, entry->initial));
        if (status != MARL_OK) return marl__fail_prefix(status, "default of ");
    }
    return MARL_OK;
}

/* The block is its own heap's: it counts itself there. */
static marl_status new_block(const marl_host *host, size_t bytes, marl_config **out) {
    marl__heap heap;
    marl_status status = marl__heap_init(&heap, host);

    *out = NULL;
    if (status != MARL_OK) return status;
    if (bytes > UINT32_MAX) return marl__fail(MARL_E_ARGUMENT, "the settings take %zu bytes", bytes);
    *out = marl__alloc_zero(&heap, bytes);
    if (!*out) return MARL_E_NOMEM;
    marl__heap_init(&(*out)->heap, &heap.host);
    (*out)->bytes = (uint32_t)bytes;
    (*out)->tag = MARL__TAG_CONFIG;
    return MARL_OK;
}

marl_status marl__config_new(const marl_host *host, const char *component, const marl__config_part *parts,
                             uint32_t part_count, const marl__preset *presets, uint32_t preset_count,
                             marl_config **out) {
    layout need = {0};
    layout fill = {0};
    marl_config *config = NULL;
    marl_status status = MARL_OK;
    size_t head = 0;

    *out = NULL;
    place_parts(&need, component, parts, part_count);
    if (need.count > MOST_KEYS)
        return marl__fail(MARL_E_ARGUMENT, "%s has %u keys, at most %d work", component, need.count, MOST_KEYS);
    head = sizeof *config + need.count * sizeof config->entries[0];
    if ((status = new_block(host, head + need.bytes, &config)) != MARL_OK) return status;
    config->count = need.count;
    config->presets = presets;
    config->preset_count = preset_count;
    fill.config = config;
    fill.bytes = head;
    place_parts(&fill, component, parts, part_count);
    if ((status = take_defaults(config)) != MARL_OK) {
        marl_config_destroy(config);
        return status;
    }
    *out = config;
    return MARL_OK;
}

/* Everything behind the heap, which each block keeps for itself. */
static void copy_values(marl_config *to, const marl_config *from) {
    memcpy(to->entries, from->entries, from->bytes - sizeof *from);
}

marl_status marl_config_copy(const marl_config *config, marl_config **out) {
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__check_handle(config, MARL__TAG_CONFIG, "config")) != MARL_OK) return status;
    if ((status = new_block(&config->heap.host, config->bytes, out)) != MARL_OK) return status;
    (*out)->count = config->count;
    (*out)->component = config->component;
    (*out)->presets = config->presets;
    (*out)->preset_count = config->preset_count;
    copy_values(*out, config);
    return MARL_OK;
}

/* The heap lies in the block it frees, so it is copied out first. */
void marl_config_destroy(marl_config *config) {
    marl__heap heap;

    if (!marl__is_handle(config, MARL__TAG_CONFIG)) return;
    config->tag = 0;
    marl__heap_init(&heap, &config->heap.host);
    marl__free(&heap, config);
}

marl_status marl__config_slice(const marl_config *from, const char *prefix, const char *component,
                               const marl__key_table *table, marl_config **out) {
    const marl__config_part part = {"", table};
    size_t prefix_bytes = strlen(prefix);
    marl_config *config = NULL;
    marl_status status = marl__config_new(&from->heap.host, component, &part, 1, NULL, 0, &config);

    *out = NULL;
    if (status != MARL_OK) return status;
    for (uint32_t index = 0; index < from->count; ++index) {
        const config_entry *source = &from->entries[index];
        const char *name = name_of(from, source);
        const config_entry *target = NULL;
        char buffer[TEXT_BYTES];
        if (strncmp(name, prefix, prefix_bytes) != 0) continue;
        target = look_up(config, name + prefix_bytes);
        if (!target) continue;
        if ((status = set_entry(config, target, value_text(from, source, buffer))) != MARL_OK) goto done;
        config->entries[target - config->entries].is_set = source->is_set;
    }
    *out = config;
    config = NULL;
done:
    marl_config_destroy(config);
    return status;
}

const char *marl_config_component(const marl_config *config) {
    return marl__is_handle(config, MARL__TAG_CONFIG) ? component_of(config) : "";
}

/* ---- presets ---- */

static marl_status apply_values(marl_config *config, const char *preset, const marl__preset_value *values,
                                uint32_t count) {
    for (uint32_t index = 0; index < count; ++index) {
        const config_entry *entry = look_up(config, values[index].key);
        marl_status status = entry ? set_entry(config, entry, values[index].value) : MARL_OK;
        if (status != MARL_OK) return marl__fail_prefix(status, "preset \"%s\": ", preset);
        if (entry) config->entries[entry - config->entries].is_set = 2;
    }
    return MARL_OK;
}

/* Whether a config of "run/ALGO/ENV" is for an environment; pattern: a name, or the beginning of one and '*'. */
static int is_for(const marl_config *config, const char *pattern) {
    const char *env = strchr(component_of(config), '/');
    size_t length = strlen(pattern);

    env = env ? strchr(env + 1, '/') : NULL;
    if (!env) return 0;
    if (length > 0 && pattern[length - 1] == '*') return strncmp(env + 1, pattern, length - 1) == 0;
    return strcmp(env + 1, pattern) == 0;
}

static marl_status apply_preset(marl_config *config, const marl__preset *preset) {
    marl_status status = apply_values(config, preset->name, preset->values, preset->count);

    for (uint32_t index = 0; status == MARL_OK && index < preset->place_count; ++index) {
        const marl__preset_place *place = &preset->places[index];
        if (is_for(config, place->env)) status = apply_values(config, preset->name, place->values, place->count);
    }
    return status;
}

static marl_status no_such_preset(const marl_config *config, const char *preset) {
    char known[256] = "it has none";
    size_t used = 0;

    for (uint32_t index = 0; index < config->preset_count && used < sizeof known; ++index)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", index == 0 ? "expected one of " : ", ",
                                 config->presets[index].name);
    return marl__fail(MARL_E_NAME, "no preset \"%.128s\" in %s; %s", preset, component_of(config), known);
}

marl_status marl_config_preset(marl_config *config, const char *preset) {
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");
    const marl__preset *found = NULL;
    marl_config *changed = NULL;

    if (status != MARL_OK) return status;
    if (!preset) return marl__fail(MARL_E_ARGUMENT, "the preset is NULL");
    for (uint32_t index = 0; index < config->preset_count; ++index)
        if (strcmp(config->presets[index].name, preset) == 0) found = &config->presets[index];
    if (!found) return no_such_preset(config, preset);
    if ((status = marl_config_copy(config, &changed)) != MARL_OK) return status;
    if ((status = apply_preset(changed, found)) == MARL_OK) copy_values(config, changed);
    marl_config_destroy(changed);
    return status;
}

uint32_t marl_config_preset_count(const marl_config *config) {
    return marl__is_handle(config, MARL__TAG_CONFIG) ? config->preset_count : 0;
}

const char *marl_config_preset_name(const marl_config *config, uint32_t index) {
    return index < marl_config_preset_count(config) ? config->presets[index].name : NULL;
}

/* ---- one key ---- */

marl_status marl_config_set(marl_config *config, const char *key, const char *value) {
    const config_entry *entry = NULL;
    marl_status status = find_entry(config, key, &entry);

    if (status != MARL_OK) return status;
    if (!value) return marl__fail(MARL_E_ARGUMENT, "the value for key \"%s\" is NULL", key);
    return set_entry(config, entry, value);
}

marl_status marl_config_set_int(marl_config *config, const char *key, int64_t value) {
    const config_entry *entry = NULL;
    marl_status status = find_entry(config, key, &entry);
    char text[32];

    if (status != MARL_OK) return status;
    if (entry->type != MARL_KEY_BOOL && entry->type != MARL_KEY_INT) return wrong_type(config, entry, "a whole number");
    snprintf(text, sizeof text, "%lld", (long long)value);
    return set_entry(config, entry, text);
}

marl_status marl_config_set_real(marl_config *config, const char *key, double value) {
    const config_entry *entry = NULL;
    marl_status status = find_entry(config, key, &entry);
    char text[32];

    if (status != MARL_OK) return status;
    if (entry->type != MARL_KEY_REAL && entry->type != MARL_KEY_INT) return wrong_type(config, entry, "a real number");
    marl__write_real(value, text); /* NaN and infinity become words that no number key takes */
    return set_entry(config, entry, text);
}

marl_status marl_config_get_int(const marl_config *config, const char *key, int64_t *out) {
    const config_entry *entry = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = 0;
    if ((status = find_entry(config, key, &entry)) != MARL_OK) return status;
    if (entry->type != MARL_KEY_BOOL && entry->type != MARL_KEY_INT) return wrong_type(config, entry, "a whole number");
    *out = entry->whole;
    return MARL_OK;
}

marl_status marl_config_get_real(const marl_config *config, const char *key, double *out) {
    const config_entry *entry = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = 0;
    if ((status = find_entry(config, key, &entry)) != MARL_OK) return status;
    if (entry->type == MARL_KEY_TEXT || entry->type == MARL_KEY_CHOICE) return wrong_type(config, entry, "a number");
    *out = entry->type == MARL_KEY_REAL ? entry->real : (double)entry->whole;
    return MARL_OK;
}

marl_status marl_config_get(const marl_config *config, const char *key, char *buffer, size_t buffer_bytes) {
    const config_entry *entry = NULL;
    char own[TEXT_BYTES];
    const char *text = NULL;
    size_t bytes = 0;
    marl_status status = MARL_OK;

    if (!buffer || buffer_bytes == 0) return marl__fail(MARL_E_ARGUMENT, "the buffer is NULL or has no byte");
    buffer[0] = '\0';
    if ((status = find_entry(config, key, &entry)) != MARL_OK) return status;
    text = value_text(config, entry, own);
    bytes = strlen(text) + 1;
    if (bytes > buffer_bytes)
        return marl__fail(MARL_E_SHAPE, "key \"%s\" takes %zu bytes, the buffer has %zu", key, bytes, buffer_bytes);
    memcpy(buffer, text, bytes);
    return MARL_OK;
}

marl_status marl_config_is_set(const marl_config *config, const char *key, int32_t *out) {
    const config_entry *entry = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = 0;
    if ((status = find_entry(config, key, &entry)) != MARL_OK) return status;
    *out = entry->is_set != 0;
    return MARL_OK;
}

uint32_t marl_config_key_count(const marl_config *config) {
    return marl__is_handle(config, MARL__TAG_CONFIG) ? config->count : 0;
}

marl_status marl_config_key_info(const marl_config *config, uint32_t index, marl_key_info *out) {
    const config_entry *entry = NULL;
    marl_key_info info = {0};
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    if (out->struct_size < sizeof info)
        return marl__fail(MARL_E_ARGUMENT, "marl_key_info.struct_size is %u, expected at least %zu", out->struct_size,
                          sizeof info);
    info.struct_size = out->struct_size;
    memset(out, 0, info.struct_size);
    memcpy(out, &info, sizeof info);
    if (status != MARL_OK) return status;
    if (index >= config->count)
        return marl__fail(MARL_E_ARGUMENT, "key index is %u, %s has %u keys", index, component_of(config),
                          config->count);
    entry = &config->entries[index];
    info.type = entry->type;
    info.name = name_of(config, entry);
    info.help = text_at(config, entry->help);
    info.default_text = text_at(config, entry->initial);
    info.choices = entry->choices ? text_at(config, entry->choices) : NULL;
    info.minimum = entry->minimum;
    info.maximum = entry->maximum;
    memcpy(out, &info, sizeof info);
    return MARL_OK;
}

/* ---- JSON ---- */

/* Numbers go by their spelling, so an INT of more than 2^53 comes back as it was written. */
static marl_status set_from_json(marl_config *config, const marl__json *json, int32_t key) {
    static const char *const given[] = {"null", "true or false", "a number", "a text", "an array", "an object"};
    const config_entry *entry = look_up(config, marl__json_text(json, key));
    int32_t value = marl__json_of(json, key);
    int32_t type = marl__json_type(json, value);
    int32_t truth = 0;

    if (!entry) return no_such_key(config, marl__json_text(json, key));
    if (type == MARL__JSON_BOOL && entry->type == MARL_KEY_BOOL) {
        marl__json_bool(json, value, &truth);
        return set_entry(config, entry, truth ? "true" : "false");
    }
    if (type == MARL__JSON_NUMBER && entry->type <= MARL_KEY_REAL)
        return set_entry(config, entry, marl__json_spelling(json, value));
    if (type == MARL__JSON_TEXT && entry->type >= MARL_KEY_TEXT)
        return set_entry(config, entry, marl__json_text(json, value));
    return wrong_type(config, entry, given[type]);
}

marl_status marl_config_from_json(marl_config *config, const char *json, size_t json_bytes) {
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");
    marl__heap heap;
    marl__json *parsed = NULL;
    marl_config *changed = NULL;

    if (status != MARL_OK) return status;
    if (!json) return marl__fail(MARL_E_ARGUMENT, "the JSON text is NULL");
    marl__heap_init(&heap, &config->heap.host);
    if ((status = marl__json_parse(&heap, json, json_bytes, "config", &parsed)) != MARL_OK) goto done;
    if (marl__json_type(parsed, 0) != MARL__JSON_OBJECT) {
        status = marl__fail(MARL_E_FORMAT, "config: expected one JSON object of keys and values");
        goto done;
    }
    if ((status = marl_config_copy(config, &changed)) != MARL_OK) goto done;
    for (int32_t key = marl__json_first(parsed, 0); key >= 0; key = marl__json_next(parsed, key))
        if ((status = set_from_json(changed, parsed, key)) != MARL_OK) goto done;
    copy_values(config, changed);
done:
    marl_config_destroy(changed);
    marl__json_destroy(parsed);
    return status;
}

static void write_entry(marl__json_writer *writer, const marl_config *config, const config_entry *entry) {
    const char *name = name_of(config, entry);

    switch (entry->type) {
    case MARL_KEY_BOOL: marl__json_write_bool(writer, name, (int32_t)entry->whole); break;
    case MARL_KEY_INT: marl__json_write_int(writer, name, entry->whole); break;
    case MARL_KEY_REAL: marl__json_write_real(writer, name, entry->real); break;
    default: marl__json_write_text(writer, name, text_at(config, entry->slot)); break;
    }
}

marl_status marl_config_to_json(const marl_config *config, char *buffer, size_t buffer_bytes, size_t *out_bytes) {
    marl_status status = marl__check_handle(config, MARL__TAG_CONFIG, "config");
    marl__heap heap;
    marl__json_writer writer;

    if (!out_bytes) return marl__fail(MARL_E_ARGUMENT, "out_bytes is NULL");
    *out_bytes = 0;
    if (status != MARL_OK) return status;
    if (buffer && buffer_bytes > 0) buffer[0] = '\0';
    marl__heap_init(&heap, &config->heap.host);
    marl__json_writer_init(&writer, &heap, config->bytes);
    marl__json_open_object(&writer, NULL);
    for (uint32_t index = 0; index < config->count; ++index) write_entry(&writer, config, &config->entries[index]);
    marl__json_close_object(&writer);
    if ((status = writer.status) != MARL_OK) goto done;
    *out_bytes = writer.bytes;
    if (!buffer) goto done;
    if (writer.bytes >= buffer_bytes) {
        status = marl__fail(MARL_E_SHAPE, "the JSON takes %zu bytes, the buffer has %zu", writer.bytes + 1,
                            buffer_bytes);
        goto done;
    }
    memcpy(buffer, writer.text, writer.bytes + 1);
done:
    marl__json_writer_free(&writer);
    return status;
}

/* ---- reading inside the library ---- */

int64_t marl__config_int(const marl_config *config, const char *key) {
    const config_entry *entry = look_up(config, key);

    MARL_ASSERT(entry && (entry->type == MARL_KEY_INT || entry->type == MARL_KEY_BOOL));
    return entry ? entry->whole : 0;
}

double marl__config_real(const marl_config *config, const char *key) {
    const config_entry *entry = look_up(config, key);

    MARL_ASSERT(entry && entry->type <= MARL_KEY_REAL);
    if (!entry) return 0;
    return entry->type == MARL_KEY_REAL ? entry->real : (double)entry->whole;
}

const char *marl__config_text(const marl_config *config, const char *key) {
    const config_entry *entry = look_up(config, key);

    MARL_ASSERT(entry && entry->type >= MARL_KEY_TEXT);
    return entry && entry->slot ? text_at(config, entry->slot) : "";
}

int marl__config_is(const marl_config *config, const char *key, const char *word) {
    return strcmp(marl__config_text(config, key), word) == 0;
}

int marl__config_has(const marl_config *config, const char *key) {
    return look_up(config, key) != NULL;
}

int marl__config_was_set(const marl_config *config, const char *key) {
    const config_entry *entry = look_up(config, key);

    return entry && entry->is_set == 1;
}
