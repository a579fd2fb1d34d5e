/* SPDX-License-Identifier: Apache-2.0 */
/* The machinery behind marl_config: tables of declared keys joined under prefixes. Which component has which tables is
 * known above (src/run/components.c), which implements marl_config_create. */
#ifndef MARL__CORE_CONFIG_CONFIG_H
#define MARL__CORE_CONFIG_CONFIG_H

#include "core/base/alloc.h"
#include "core/base/keys.h"

typedef struct marl__config_part {
    const char *prefix;          /* "" or "net." or "env." */
    const marl__key_table *table;
} marl__config_part;

/* A key that two parts declare with the same prefix is kept once (the first declaration counts). Presets are borrowed
 * and static. */
marl_status marl__config_new(const marl_host *host, const char *component, const marl__config_part *parts,
                             uint32_t part_count, const marl__preset *presets, uint32_t preset_count,
                             marl_config **out);

/* Reading inside the library, of keys known to exist: no status to check. */
int64_t marl__config_int(const marl_config *config, const char *key);
double marl__config_real(const marl_config *config, const char *key);
const char *marl__config_text(const marl_config *config, const char *key); /* borrowed; TEXT and CHOICE */
int marl__config_is(const marl_config *config, const char *key, const char *word);
int marl__config_has(const marl_config *config, const char *key); /* the key is declared */
int marl__config_was_set(const marl_config *config, const char *key); /* by name: a preset does not count */

/* A new config of `component` made of `parts`, taking over the values of the keys of `from` that begin with prefix
 * ("net."), without the prefix. */
marl_status marl__config_slice(const marl_config *from, const char *prefix, const char *component,
                               const marl__key_table *table, marl_config **out);

#endif
