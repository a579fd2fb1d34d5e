/* SPDX-License-Identifier: Apache-2.0 */
/* Components and their keys. A run is joined of tables in a fixed order: training, kind of net, algorithm, nets, mixer,
 * environment; of a key that several nets declare the one of the algorithm's default net counts. */
#include "run/components.h"

#include <stdio.h>
#include <string.h>

#include "algos/learner.h"
#include "backends/backends.h"
#include "core/base/json.h"
#include "core/base/status.h"
#include "envs/env.h"
#include "marl/trainer.h"
#include "run/trainer_keys.h"

/* "|mlp|gru": the words of the key "net" from the second byte on. */
static const char net_words[] =
#define MARL_NET(name) "|" #name
#include "nets/nets.def"
#undef MARL_NET
    ;

enum {
    NET_COUNT = 0
#define MARL_NET(name) +1
#include "nets/nets.def"
#undef MARL_NET
    , PARTS_MAX = NET_COUNT + 6, ALGO_BYTES = 64
};

/* Of "net/NAME" alone: in a run the seed is the run's. */
static const marl__key seed_keys[] = {
    MARL__KEY_INT("seed", "1", 0, 9007199254740991.0, "of the initial parameters"),
};
static const marl__key_table seed_table = MARL__KEY_TABLE(seed_keys);

/* Tables gathered for one config. */
typedef struct gathering {
    marl__config_part parts[PARTS_MAX];
    uint32_t count;
    marl__key net_key;        /* "net" with the algorithm's default */
    marl__key_table net_table, env_table;
} gathering;

static void add_part(gathering *to, const char *prefix, const marl__key_table *table) {
    to->parts[to->count++] = (marl__config_part){prefix, table};
}

static void add_algo(gathering *to, const marl__algo_type *type) {
    to->net_key = (marl__key)MARL__KEY_CHOICE("net", type->net, &net_words[1], "kind of the agents' network");
    to->net_table = (marl__key_table){&to->net_key, 1};
    add_part(to, "", &to->net_table); /* first: its words are those of the registry */
    add_part(to, "", &type->keys);
    if (type->own_keys.count) add_part(to, "", &type->own_keys);
}

static void add_nets(gathering *to, const marl__algo_type *type) {
    for (uint32_t i = 0; i < marl__net_type_count(); i++)
        if (!strcmp(marl__net_type_at(i)->name, type->net)) add_part(to, "net.", &marl__net_type_at(i)->keys);
    for (uint32_t i = 0; i < marl__net_type_count(); i++)
        if (strcmp(marl__net_type_at(i)->name, type->net) != 0) add_part(to, "net.", &marl__net_type_at(i)->keys);
}

static marl_status unknown_component(const char *component) {
    static const char *const forms[] = {"device", "train", "algo/", "net/", "env/", "run/"};
    const char *slash = strchr(component, '/'), *near = NULL;
    char head[16];

    snprintf(head, sizeof head, "%.*s", slash ? (int)(slash - component < 15 ? slash - component : 15) + 1 : 15,
             component);
    near = marl__nearest_name(head, forms, sizeof forms / sizeof forms[0]);
    if (near)
        return marl__fail(MARL_E_NAME, "no component \"%.128s\"; did you mean \"%s\"?", component, near);
    return marl__fail(MARL_E_NAME, "no component \"%.128s\"; expected device, train, algo/NAME, net/NAME, env/NAME, "
                      "run/ALGO or run/ALGO/ENV", component);
}

static marl_status create_plain(const marl_host *host, const char *component, const marl__key_table *table,
                                marl_config **out) {
    const marl__config_part part = {"", table};

    return marl__config_new(host, component, &part, 1, NULL, 0, out);
}

static marl_status create_algo(const marl_host *host, const char *component, const char *name, marl_config **out) {
    const marl__algo_type *type = NULL;
    const marl__preset *presets = NULL;
    uint32_t preset_count = 0;
    gathering all = {.count = 0};
    marl_status status = marl__algo_type_find(name, &type);

    if (status != MARL_OK) return status;
    presets = marl__algo_presets(type, &preset_count);
    add_algo(&all, type);
    return marl__config_new(host, component, all.parts, all.count, presets, preset_count, out);
}

static marl_status create_net(const marl_host *host, const char *component, const char *name, marl_config **out) {
    const marl__net_type *type = NULL;
    gathering all = {.count = 0};
    marl_status status = marl__net_type_find(name, &type);

    if (status != MARL_OK) return status;
    add_part(&all, "", &type->keys);
    add_part(&all, "", &seed_table);
    return marl__config_new(host, component, all.parts, all.count, NULL, 0, out);
}

static marl_status create_env(const marl_host *host, const char *component, const char *name, marl_config **out) {
    marl__key_table table = {NULL, 0};
    marl_status status = marl__env_keys(name, &table);

    return status == MARL_OK ? create_plain(host, component, &table, out) : status;
}

marl_status marl__run_component_cut(const char *component, char *algo, size_t algo_bytes, const char **env) {
    const char *name = component + 4, *slash = NULL;
    size_t bytes = 0;

    *env = NULL;
    algo[0] = '\0';
    if (strncmp(component, "run/", 4) != 0)
        return marl__fail(MARL_E_NAME, "the component is \"%.128s\", expected run/ALGO or run/ALGO/ENV", component);
    slash = strchr(name, '/');
    bytes = slash ? (size_t)(slash - name) : strlen(name);
    if (bytes == 0 || bytes >= algo_bytes)
        return marl__fail(MARL_E_NAME, "the component \"%.128s\" names no algorithm", component);
    memcpy(algo, name, bytes);
    algo[bytes] = '\0';
    if (slash) *env = slash + 1;
    return MARL_OK;
}

static marl_status create_run(const marl_host *host, const char *component, marl_config **out) {
    const marl__algo_type *type = NULL;
    const marl__preset *presets = NULL;
    const char *env = NULL;
    uint32_t preset_count = 0;
    gathering all = {.count = 0};
    char algo[ALGO_BYTES];
    marl_status status = marl__run_component_cut(component, algo, sizeof algo, &env);

    if (status != MARL_OK) return status;
    if ((status = marl__algo_type_find(algo, &type)) != MARL_OK) return status;
    if (env && (status = marl__env_keys(env, &all.env_table)) != MARL_OK) return status;
    presets = marl__algo_presets(type, &preset_count);
    add_part(&all, "", &marl__train_keys);
    add_algo(&all, type);
    add_nets(&all, type);
    if (marl__mixer_keys(type->mixer)) add_part(&all, "mixer.", marl__mixer_keys(type->mixer));
    if (env) add_part(&all, "env.", &all.env_table);
    return marl__config_new(host, component, all.parts, all.count, presets, preset_count, out);
}

marl_status marl_config_create(const marl_host *host, const char *component, marl_config **out) {
    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if (!component) return marl__fail(MARL_E_ARGUMENT, "the component is NULL");
    if (!strcmp(component, "device")) return create_plain(host, component, &marl__device_keys, out);
    if (!strcmp(component, "train")) return create_plain(host, component, &marl__train_keys, out);
    if (!strncmp(component, "algo/", 5)) return create_algo(host, component, component + 5, out);
    if (!strncmp(component, "net/", 4)) return create_net(host, component, component + 4, out);
    if (!strncmp(component, "env/", 4)) return create_env(host, component, component + 4, out);
    if (!strncmp(component, "run/", 4)) return create_run(host, component, out);
    return unknown_component(component);
}

/* ---- keys of nets that are not in use ---- */

static int has_key(const marl__net_type *type, const char *name) {
    for (uint32_t i = 0; i < type->keys.count; i++)
        if (!strcmp(type->keys.keys[i].name, name)) return 1;
    return 0;
}

/* Whether a key was set to something else than its default: a config read back from its own JSON has every key set. */
static int is_changed(const marl_config *config, const marl_key_info *info) {
    double initial = 0;

    if (!marl__config_was_set(config, info->name)) return 0;
    if (info->type == MARL_KEY_TEXT || info->type == MARL_KEY_CHOICE)
        return !marl__config_is(config, info->name, info->default_text);
    if (!strcmp(info->default_text, "true")) initial = 1;
    else if (!marl__read_real(info->default_text, &initial)) initial = 0; /* "false" */
    return marl__config_real(config, info->name) != initial;
}

static marl_status refuse_net_key(const char *key, const char *net) {
    char owners[128] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < marl__net_type_count() && used < sizeof owners; i++)
        if (has_key(marl__net_type_at(i), key))
            used += (size_t)snprintf(owners + used, sizeof owners - used, "%s%s", used ? " and " : "",
                                     marl__net_type_at(i)->name);
    return marl__fail(MARL_E_ARGUMENT, "net.%s belongs to net %s, the run uses %s", key, owners, net);
}

marl_status marl__run_config_check(marl_config *config) {
    const marl__net_type *type = NULL;
    marl_status status = marl__net_type_find(marl__config_text(config, "net"), &type);

    for (uint32_t i = 0; status == MARL_OK && i < marl_config_key_count(config); i++) {
        marl_key_info info = {.struct_size = sizeof info};
        status = marl_config_key_info(config, i, &info);
        if (status != MARL_OK || strncmp(info.name, "net.", 4) != 0 || has_key(type, info.name + 4)) continue;
        status = is_changed(config, &info) ? refuse_net_key(info.name + 4, type->name)
                                           : marl_config_set(config, info.name, info.default_text);
    }
    return status;
}

/* ---- the list of algorithms ---- */

uint32_t marl_algo_count(void) {
    return marl__algo_type_count();
}

const char *marl_algo_name(uint32_t index) {
    const marl__algo_type *type = marl__algo_type_at(index);

    return type ? type->name : NULL;
}

const char *marl_algo_help(uint32_t index) {
    const marl__algo_type *type = marl__algo_type_at(index);

    return type ? type->help : NULL;
}
