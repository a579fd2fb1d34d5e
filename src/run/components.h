/* SPDX-License-Identifier: Apache-2.0 */
/* Which component has which keys: here the tables of all folders are joined into configs. marl_config_create and the
 * list of algorithms are implemented beside it. */
#ifndef MARL__RUN_COMPONENTS_H
#define MARL__RUN_COMPONENTS_H

#include "core/config/config.h"

/* A run's config holds the keys of every net, since the kind of net is a key itself. MARL_E_ARGUMENT if a key that only
 * other nets than the chosen one have was given a value other than its default ("net.layers belongs to net mlp, the run
 * uses gru"), MARL_E_NAME if there is no such net. Values that a preset gave to such keys go back to the default, so
 * that the config says what the run does. Whoever builds a run asks this first. */
marl_status marl__run_config_check(marl_config *config);

/* Cuts "run/ALGO" or "run/ALGO/ENV"; env is NULL without ENV and points into component. MARL_E_NAME for another
 * component, or an ALGO that does not fit. */
marl_status marl__run_component_cut(const char *component, char *algo, size_t algo_bytes, const char **env);

#endif
