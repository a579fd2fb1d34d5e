/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the environments: what a built-in family declares, how a name finds its family, and the private table by
 * which recorded traces are put into an environment. A family is one .c file and one line in envs.def. Environments
 * see include/marl and core/base only, so whoever joins them with algorithms does it through marl_env_spec. */
#ifndef MARL__ENVS_ENV_H
#define MARL__ENVS_ENV_H

#include "core/base/alloc.h"
#include "core/base/keys.h"
#include "marl/env.h"

/* One named array of a recorded state: whole numbers, row-major; or reals as the bits of doubles, two words each. */
typedef struct marl__env_array {
    const char *name;
    const int32_t *values;
    uint32_t count;
} marl__env_array;

/* For traces and tests only. Required members: both. */
typedef struct marl__env_inject {
    /* Starts an episode from a recorded state instead of a random one. Refuses, unchanged, arrays that are missing,
     * of another size or out of range. */
    marl_status (*set_state)(void *env, const marl__env_array *arrays, uint32_t array_count);
    /* Copies one named array of the present state out; MARL_E_NAME if there is none, MARL_E_SHAPE for another size. */
    marl_status (*get_array)(void *env, const char *name, int32_t *values, uint32_t count);
} marl__env_inject;

/* A built-in family. Every member but inject, explain and the alias is required. The vtable's functions report their
 * own sentences with marl__fail, may rely on checked arguments, and are never called with another family's
 * environment. */
typedef struct marl__env_family {
    const char *name;            /* "lbf" */
    const char *variants;        /* one line on what may stand after the colon */
    const char *example;         /* a whole name that works */
    const char *alias, *alias_variant; /* a further whole name, and the variant it means; NULL: none */
    const marl__key_table *keys; /* of every variant; their defaults mean "as the variant's name says" */
    /* MARL_OK, or MARL_E_NAME with a sentence that suggests a variant. */
    marl_status (*check)(const char *variant);
    /* name: "family:variant", copied. config: of "env/NAME". The heap outlives the environment. */
    marl_status (*create)(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                          void **out);
    const marl_env_vtable *vtable;
    const marl__env_inject *inject; /* NULL: no traces */
    /* Why an action of a living agent is not available now, as the end of a sentence; NULL: it goes without saying. */
    void (*explain)(void *env, uint32_t agent, int32_t action, char *buffer, size_t bytes);
} marl__env_family;

#define MARL_ENV(name) extern const marl__env_family marl__env_family_##name;
#include "envs/envs.def"
#undef MARL_ENV

/* Finds the family of "family:variant" and checks the variant. *variant points into name or is an alias's.
 * MARL_E_NAME suggests the nearest family or variant. */
marl_status marl__env_find(const char *name, const marl__env_family **family, const char **variant);

/* The keys of "family:variant": what "env/NAME" declares. */
marl_status marl__env_keys(const char *name, marl__key_table *out);

/* As a family's inject, on a checked handle: the episode begins with this state. MARL_E_UNSUPPORTED without. */
marl_status marl__env_set_state(marl_env *env, const marl__env_array *arrays, uint32_t array_count);
marl_status marl__env_get_array(marl_env *env, const char *name, int32_t *values, uint32_t count);

/* Checks a spec whose classes and agent_class are in place: sizes, ranges, pointers. MARL_E_ARGUMENT or MARL_E_SHAPE
 * name the class and the member. (spec.c) */
marl_status marl__env_spec_check(const marl_env_spec *spec);

/* Length of an observation of a class that passed the check. (spec.c) */
uint32_t marl__env_class_obs_size(const marl_agent_class *agent_class);

/* Reading keys in a row with one check at the end: after the first failure every call returns 0. */
typedef struct marl__env_reader {
    const marl_config *config;
    marl_status status;
} marl__env_reader;

int64_t marl__env_read_int(marl__env_reader *reader, const char *key);
double marl__env_read_real(marl__env_reader *reader, const char *key);

/* FNV-1a over the values that make up an environment's rules, for marl_env_spec.hash. Start from MARL__ENV_HASH. */
#define MARL__ENV_HASH UINT64_C(14695981039346656037)
uint64_t marl__env_hash_text(uint64_t hash, const char *text);
uint64_t marl__env_hash_int(uint64_t hash, int64_t value);
uint64_t marl__env_hash_real(uint64_t hash, double value);

#endif
