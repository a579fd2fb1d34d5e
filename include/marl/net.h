/* SPDX-License-Identifier: Apache-2.0 */
/** @file net.h
 * A network by itself: create it for given sizes, run it forward on the caller's memory, read and write its
 * parameters by name, save and load them.
 *
 * B rows side by side, I inputs, Y outputs, H hidden.
 *
 *     marl_config_create(NULL, "net/gru", &config);
 *     marl_net_create(device, config, 72, 12, 8, &net);       // I = 72, Y = 12, at most 8 rows
 *     marl_net_forward(net, 8, inputs, hidden, hidden, outputs);
 */
#ifndef MARL_NET_H
#define MARL_NET_H

#include "marl/device.h"
#include "marl/env.h"
#include "marl/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A network and its parameters. One thread at a time. */
typedef struct marl_net marl_net;

/** Creates a network of the config's kind ("net/mlp", "net/gru", "net/base"; kinds that look at entities need a spec:
 * marl_net_create_for). max_rows: greatest B of a forward. Parameters are initialised from the config's `seed`. */
MARL_API marl_status marl_net_create(marl_device *device, const marl_config *config, uint32_t inputs, uint32_t outputs,
                                     uint32_t max_rows, marl_net **out);

/** Creates a network of the config's kind for what agents of an environment see and do: I is the greatest observation
 * length, Y the greatest number of actions. Kinds that look at entities ("net/hpn", "net/hpn_gru") are created so; they
 * are MARL_E_UNSUPPORTED where the spec names no groups of entities. If agents differ by class, rows are whole teams:
 * row i is of agent i modulo N. spec: not kept. */
MARL_API marl_status marl_net_create_for(marl_device *device, const marl_config *config, const marl_env_spec *spec,
                                         uint32_t max_rows, marl_net **out);

/** Ends a network. NULL is fine. */
MARL_API void marl_net_destroy(marl_net *net);

/** Kind of the network ("gru"); borrowed. "" if net is no network. */
MARL_API const char *marl_net_kind(const marl_net *net);

/** H: length of a row's hidden state, 0 for a network without memory. */
MARL_API uint32_t marl_net_hidden_size(const marl_net *net);

/** One step. inputs: (rows, I). hidden: (rows, H) before the step, NULL: zeros. next_hidden: (rows, H) after it, may be
 * NULL or equal to hidden. outputs: (rows, Y). */
MARL_API marl_status marl_net_forward(marl_net *net, uint32_t rows, const float *inputs, const float *hidden,
                                      float *next_hidden, float *outputs);

/** Number of parameter tensors. */
MARL_API uint32_t marl_net_param_count(const marl_net *net);

/** Name of a parameter tensor ("fc1.weight"), NULL beyond the count; borrowed. */
MARL_API const char *marl_net_param_name(const marl_net *net, uint32_t index);

/** Shape of a parameter tensor: *out_rank at most 4, shape[0..rank). */
MARL_API marl_status marl_net_param_shape(const marl_net *net, uint32_t index, uint32_t shape[4], uint32_t *out_rank);

/** Copies a parameter tensor out. count: number of floats in values, must equal the tensor's. */
MARL_API marl_status marl_net_param_get(const marl_net *net, const char *name, float *values, uint64_t count);

/** Copies a parameter tensor in. MARL_E_NOT_FINITE for NaN or infinity. */
MARL_API marl_status marl_net_param_set(marl_net *net, const char *name, const float *values, uint64_t count);

/** Writes the parameters as safetensors, one named tensor each. */
MARL_API marl_status marl_net_save(const marl_net *net, const marl_sink *sink);

/** Reads the parameters; names and shapes must be the network's own. On failure nothing is changed. */
MARL_API marl_status marl_net_load(marl_net *net, const marl_source *source);

/** Number of network kinds. */
MARL_API uint32_t marl_net_kind_count(void);
/** Name of a network kind, NULL beyond the count. Static memory. */
MARL_API const char *marl_net_kind_name(uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
