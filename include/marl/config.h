/* SPDX-License-Identifier: Apache-2.0 */
/** @file config.h
 * Settings: typed, declared keys with a default, a range and one line of help.
 *
 * A config belongs to a component: "device", "train", "algo/qmix", "net/gru", "env/lbf:8x8-2p-2f-coop", or a whole
 * run, "run/qmix/lbf:8x8-2p-2f-coop", which holds the keys of its parts together: training and algorithm keys as they
 * are, the net's as "net.KEY", the environment's as "env.KEY". "run/qmix" is a run on an environment of the host's.
 * An unknown name or key is MARL_E_NAME and the message suggests the nearest one.
 *
 *     marl_config *config;
 *     marl_config_create(NULL, "run/qmix/lbf:5x5-2p-1f-coop", &config);
 *     marl_config_preset(config, "tuned");
 *     marl_config_set(config, "lr", "5e-4");
 *     marl_config_set(config, "net.hidden_dim", "128");
 */
#ifndef MARL_CONFIG_H
#define MARL_CONFIG_H

#include "marl/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The settings of one component. One thread at a time. */
typedef struct marl_config marl_config;

/** Type of a key's value. */
enum marl_key_type {
    MARL_KEY_BOOL = 0,   /**< 0 or 1; also "true" and "false" */
    MARL_KEY_INT = 1,    /**< whole number, int64 */
    MARL_KEY_REAL = 2,   /**< double */
    MARL_KEY_TEXT = 3,   /**< text of at most 255 bytes */
    MARL_KEY_CHOICE = 4  /**< one of a list of words */
};

/** One declared key, for introspection. Texts are static or live as long as the config. */
typedef struct marl_key_info {
    uint32_t struct_size;      /**< sizeof(marl_key_info) of the caller */
    int32_t type;              /**< marl_key_type */
    const char *name;          /**< the key */
    const char *help;          /**< one line */
    const char *default_text;  /**< default, as marl_config_set takes it */
    const char *choices;       /**< MARL_KEY_CHOICE: the words, separated by '|'; else NULL */
    double minimum;            /**< INT and REAL: least value allowed */
    double maximum;            /**< INT and REAL: greatest value allowed */
} marl_key_info;

/** Creates the settings of a component with every key at its default. out: owned by the caller. */
MARL_API marl_status marl_config_create(const marl_host *host, const char *component, marl_config **out);

/** A new config with the same component and values. */
MARL_API marl_status marl_config_copy(const marl_config *config, marl_config **out);

/** Ends a config. NULL is fine. */
MARL_API void marl_config_destroy(marl_config *config);

/** Name the config was created by; borrowed. "" if config is no config. */
MARL_API const char *marl_config_component(const marl_config *config);

/** Applies a named set of values ("pymarl", "epymarl", "tuned", "quick"); keys set before are overwritten where the
 * preset names them. MARL_E_NAME if the component has no such preset. */
MARL_API marl_status marl_config_preset(marl_config *config, const char *preset);

/** Number of presets of the component. */
MARL_API uint32_t marl_config_preset_count(const marl_config *config);

/** Name of a preset, NULL beyond the count. Static memory. */
MARL_API const char *marl_config_preset_name(const marl_config *config, uint32_t index);

/** Sets a key from text. Numbers are read in the C locale. A refused value leaves the key as it was. */
MARL_API marl_status marl_config_set(marl_config *config, const char *key, const char *value);

/** Sets a BOOL or INT key. */
MARL_API marl_status marl_config_set_int(marl_config *config, const char *key, int64_t value);

/** Sets a REAL key, or an INT key to a whole number. */
MARL_API marl_status marl_config_set_real(marl_config *config, const char *key, double value);

/** Reads a BOOL or INT key. */
MARL_API marl_status marl_config_get_int(const marl_config *config, const char *key, int64_t *out);

/** Reads a REAL, INT or BOOL key. */
MARL_API marl_status marl_config_get_real(const marl_config *config, const char *key, double *out);

/** Reads a key of any type as text, written to buffer (NUL-terminated). MARL_E_SHAPE if it does not fit; 256 bytes
 * always do. */
MARL_API marl_status marl_config_get(const marl_config *config, const char *key, char *buffer, size_t buffer_bytes);

/** Whether a key was set since create (1) or stands at its default (0). */
MARL_API marl_status marl_config_is_set(const marl_config *config, const char *key, int32_t *out);

/** Number of keys. 0 if config is no config. */
MARL_API uint32_t marl_config_key_count(const marl_config *config);

/** Describes the key at an index. out->struct_size must be set. */
MARL_API marl_status marl_config_key_info(const marl_config *config, uint32_t index, marl_key_info *out);

/** Sets every key named in a flat JSON object {"key": value, ...}. Nothing is changed if any is refused. */
MARL_API marl_status marl_config_from_json(marl_config *config, const char *json, size_t json_bytes);

/** Writes every key and value as a flat JSON object, NUL-terminated. *out_bytes is what it takes without the NUL;
 * with buffer NULL only that is computed. MARL_E_SHAPE if it does not fit. */
MARL_API marl_status marl_config_to_json(const marl_config *config, char *buffer, size_t buffer_bytes,
                                         size_t *out_bytes);

#ifdef __cplusplus
}
#endif
#endif
