/* SPDX-License-Identifier: Apache-2.0 */
/* Which families of environments are built in, how "family:variant" finds one, and the small services that families
 * share. The table is constant: envs.def, expanded. */
#include "envs/env.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define MARL_ENV(name) &marl__env_family_##name,
static const marl__env_family *const families[] = {
#include "envs/envs.def"
};
#undef MARL_ENV

#define FAMILY_COUNT ((uint32_t)(sizeof families / sizeof families[0]))

static marl_status unknown_family(const char *name, size_t length) {
    const char *names[FAMILY_COUNT];
    const char *nearest = NULL;
    char given[64];

    snprintf(given, sizeof given, "%.*s", (int)(length < 60 ? length : 60), name);
    for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
        names[i] = families[i]->name;
    }
    nearest = marl__nearest_name(given, names, FAMILY_COUNT);
    if (!nearest) {
        return marl__fail(MARL_E_NAME, "no environment family '%s'; a name reads family:variant, for example '%s'",
                          given, families[FAMILY_COUNT - 1]->example);
    }
    for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(nearest, names[i]) == 0) {
            return marl__fail(MARL_E_NAME, "no environment family '%s'; did you mean '%s', as in '%s'?", given,
                              nearest, families[i]->example);
        }
    }
    return MARL_E_NAME;
}

marl_status marl__env_find(const char *name, const marl__env_family **family, const char **variant) {
    const char *colon = NULL;
    size_t length = 0;
    marl_status status = MARL_OK;

    *family = NULL;
    *variant = NULL;
    if (!name) {
        return marl__fail(MARL_E_ARGUMENT, "the environment's name is NULL");
    }
    if (strnlen(name, 201) > 200) {
        return marl__fail(MARL_E_NAME, "the environment's name is longer than 200 bytes");
    }
    for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
        if (families[i]->alias && strcmp(families[i]->alias, name) == 0) {
            *family = families[i];
            *variant = families[i]->alias_variant;
            return MARL_OK;
        }
    }
    colon = strchr(name, ':');
    length = colon ? (size_t)(colon - name) : strlen(name);
    for (uint32_t i = 0; i < FAMILY_COUNT; i++) {
        const marl__env_family *candidate = families[i];
        if (strlen(candidate->name) != length || memcmp(candidate->name, name, length) != 0) {
            continue;
        }
        if (!colon || colon[1] == '\0') {
            return marl__fail(MARL_E_NAME, "environment '%s' lacks its variant, %s; for example '%s'", name,
                              candidate->variants, candidate->example);
        }
        if ((status = candidate->check(colon + 1)) != MARL_OK) return status;
        *family = candidate;
        *variant = colon + 1;
        return MARL_OK;
    }
    return unknown_family(name, length);
}

marl_status marl__env_keys(const char *name, marl__key_table *out) {
    const marl__env_family *family = NULL;
    const char *variant = NULL;
    marl_status status = marl__env_find(name, &family, &variant);

    *out = (marl__key_table){NULL, 0};
    if (status == MARL_OK) {
        *out = *family->keys;
    }
    return status;
}

uint32_t marl_env_family_count(void) {
    return FAMILY_COUNT;
}

const char *marl_env_family_name(uint32_t index) {
    return index < FAMILY_COUNT ? families[index]->name : NULL;
}

const char *marl_env_family_variants(uint32_t index) {
    return index < FAMILY_COUNT ? families[index]->variants : NULL;
}

const char *marl_env_family_example(uint32_t index) {
    return index < FAMILY_COUNT ? families[index]->example : NULL;
}

/* ---- small services for the families ---- */

int64_t marl__env_read_int(marl__env_reader *reader, const char *key) {
    int64_t value = 0;

    if (reader->status == MARL_OK) {
        reader->status = marl_config_get_int(reader->config, key, &value);
    }
    return value;
}

double marl__env_read_real(marl__env_reader *reader, const char *key) {
    double value = 0;

    if (reader->status == MARL_OK) {
        reader->status = marl_config_get_real(reader->config, key, &value);
    }
    return value;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

uint64_t marl__env_hash_text(uint64_t hash, const char *text) {
    return hash_bytes(hash, text, strlen(text) + 1);
}

uint64_t marl__env_hash_int(uint64_t hash, int64_t value) {
    return hash_bytes(hash, &value, sizeof value);
}

uint64_t marl__env_hash_real(uint64_t hash, double value) {
    double positive = value + 0.0; /* -0 and 0 are one rule */

    return hash_bytes(hash, &positive, sizeof positive);
}
