/* SPDX-License-Identifier: Apache-2.0 */
/* A net is a recipe: it declares parameters in a table and appends nodes to a graph. It holds no values. The same
 * recipe serves acting (one slot), learning (packed sequences) and the public marl_net. */
#ifndef MARL__NETS_NET_H
#define MARL__NETS_NET_H

#include "core/base/keys.h"
#include "core/graph/graph.h"
#include "nets/entities.h"

/* What a net is built for. */
typedef struct marl__net_shape {
    int32_t inputs, outputs; /* columns a row */
    int32_t groups;          /* K parameter groups: 1 shared, agents separate */
} marl__net_shape;

/* What nets that see entities are built for besides. */
typedef struct marl__net_team {
    marl__entities entities;
    int32_t ids, last_actions; /* agents to tell apart, actions to remember: added embeddings; 0: none */
} marl__net_team;

enum { MARL__NET_PARAMS = 128, MARL__NET_LAYERS = 16, MARL__NET_WIDTH = 65536 };

/* Initial weights: uniform within 1/sqrt(inputs), as the field's default has it, biases too; orthogonal, or uniform
 * within gain sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010), both with biases 0. */
enum marl__net_init { MARL__NET_DEFAULT, MARL__NET_ORTHOGONAL, MARL__NET_XAVIER };

/* A declared net: the recipe with its settings and where its parameters stand in the table. Plain data. */
typedef struct marl__net {
    const struct marl__net_type *type;
    marl__net_shape shape;
    int32_t hidden;       /* H of the memory, 0: none */
    int32_t features;     /* columns of marl__net_values.features */
    int32_t width;        /* of hidden layers */
    int32_t layer_count;  /* mlp, base: hidden layers */
    int32_t widths[MARL__NET_LAYERS]; /* mlp, base: of each */
    int32_t activation, final_activation;
    int32_t feature_norm, layer_norm, recurrent;
    int32_t init;         /* marl__net_init */
    float init_gain, output_gain;
    marl__net_team team;  /* hpn: what it sees */
    int32_t heads, hyper, is_shared, plain; /* hpn: see hpn.c */
    int32_t param_count, params[MARL__NET_PARAMS]; /* indices into the table, in the order declared */
} marl__net;

/* Values in and out of a built net. x: (space, inputs). h0: (FIRST, H) or -1 (zeros); reset: one column or -1. */
typedef struct marl__net_values {
    marl__val x, h0, reset;
    marl__val id, last; /* nets that see entities: one-hots of the agent and of its last action; where team says so */
    marl__val out; /* (space, outputs) */
    marl__val h;   /* (space, H) after each slot; -1 without memory */
    marl__val features; /* (space, features): what the agent made of its inputs, before the output layer and any norm;
                           the memory where there is one */
} marl__net_values;

typedef struct marl__net_type {
    const char *name, *help;
    marl__key_table keys;
    int32_t sees_entities; /* 1: its input is the observation alone, and it needs the team's entities */
    /* Reads the settings of a "net/NAME" config, or of a run's config with prefix "net.". */
    marl_status (*configure)(marl__net *net, const marl_config *config, const char *prefix);
    /* Adds the parameters to the table's present range. */
    void (*declare)(marl__net *net, marl__params *params);
    void (*build)(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values);
} marl__net_type;

uint32_t marl__net_type_count(void);
const marl__net_type *marl__net_type_at(uint32_t index);       /* NULL beyond the count */
marl_status marl__net_type_find(const char *name, const marl__net_type **out); /* MARL_E_NAME with the nearest */

/* Finds the type, reads its settings, declares its parameters. config: NULL for defaults is not allowed. */
marl_status marl__net_declare(const char *kind, const marl_config *config, const char *prefix, marl__net_shape shape,
                              marl__params *params, marl__net *out);
/* The same of a net that may see entities. team: copied; NULL: there are none. */
marl_status marl__net_declare_for(const char *kind, const marl_config *config, const char *prefix,
                                  marl__net_shape shape, const marl__net_team *team, marl__params *params,
                                  marl__net *out);
/* The same with a gain of the output layer in place of the one configured: a critic's is 1. 0: as configured. */
marl_status marl__net_declare_gain(const char *kind, const marl_config *config, const char *prefix,
                                   marl__net_shape shape, float output_gain, marl__params *params, marl__net *out);
void marl__net_build(const marl__net *net, marl__graph *graph, int32_t slot, marl__net_values *values);

/* Mixers: from the agents' values to the team's. */
enum marl__mixer_kind {
    MARL__MIXER_NONE, MARL__MIXER_VDN, MARL__MIXER_QMIX, MARL__MIXER_QPLEX, MARL__MIXER_QTRAN
};
enum { MARL__MIXER_KERNELS = 16, MARL__MIXER_PARAMS = 32 };

typedef struct marl__mixer_shape {
    int32_t agents, actions, state; /* N, A, S */
    int32_t features;               /* of the agents' net; qtran */
} marl__mixer_shape;

typedef struct marl__mixer {
    int32_t kind;
    marl__mixer_shape shape;
    int32_t embed, hyper, hyper_layers;             /* widths; qmix: layers, 1 or 2 */
    int32_t kernels, adv_layers, adv_embed;         /* qplex */
    int32_t weighted_head, minus_one;
    int32_t encodes_agents, joint_layers;           /* qtran */
    int32_t params[MARL__MIXER_PARAMS];
} marl__mixer;

/* What goes into a mixer and what comes out; everything of a team. */
typedef struct marl__mixer_values {
    marl__val q;     /* (TEAM, N): of the actions chosen */
    marl__val state; /* (TEAM, S) */
    marl__val best;  /* qplex: (TEAM, N), each agent's greatest value, without gradient */
    marl__val joint; /* qplex: (TEAM, N A), the actions chosen as one-hots */
    marl__val total; /* (TEAM, 1) */
    marl__val sum, advantage, weights; /* qplex: the parts of total, and lambda (AGENT, 1) */
} marl__mixer_values;

const marl__key_table *marl__mixer_keys(int32_t kind); /* NULL: it has none */
marl_status marl__mixer_declare(int32_t kind, const marl_config *config, const char *prefix, marl__mixer_shape shape,
                                marl__params *params, marl__mixer *out);
/* Returns values->total. Not for qtran, which is no function of the agents' values. */
marl__val marl__mixer_build(const marl__mixer *mixer, marl__graph *graph, int32_t slot, marl__mixer_values *values);

/* QTRAN's networks. features: (AGENT, features); joint: (AGENT, A) one-hots -> (TEAM, 1). */
marl__val marl__qtran_joint(const marl__mixer *mixer, marl__graph *graph, int32_t slot, marl__val state,
                            marl__val features, marl__val joint);
marl__val marl__qtran_value(const marl__mixer *mixer, marl__graph *graph, int32_t slot, marl__val state);

/* The longer kinds, each in a file of its own. */
extern const marl__key_table marl__qplex_keys, marl__qtran_keys;
void marl__qplex_declare(const marl_config *config, const char *prefix, marl__params *params, marl__mixer *mixer);
void marl__qplex_build(const marl__mixer *mixer, marl__graph *graph, int32_t slot, marl__mixer_values *values);
void marl__qtran_declare(const marl_config *config, const char *prefix, marl__params *params, marl__mixer *mixer);
int32_t marl__mixer_int(const marl_config *config, const char *prefix, const char *key);

/* Shared by the recipes: a linear layer's parameters, and its node. gain: of orthogonal and Xavier weights. */
void marl__declare_linear_init(marl__params *params, const char *name, int32_t groups, int32_t in, int32_t out,
                               int32_t init, float gain, int32_t *weight, int32_t *bias);
/* With the field's default initialisation (MARL__GAIN_DEFAULT), or orthogonal. */
enum { MARL__GAIN_DEFAULT = 0 };
void marl__declare_linear(marl__params *params, const char *name, int32_t groups, int32_t in, int32_t out,
                          float orthogonal_gain, int32_t *weight, int32_t *bias);
/* A GRU cell of equal inputs and memory; at: weight_ih, bias_ih, weight_hh, bias_hh. */
void marl__declare_gru(marl__params *params, const char *name, int32_t groups, int32_t width, int32_t at[4]);
/* Scale and shift of a layer norm, "name.weight" and "name.bias", at at[0] and at[1]; and its node. */
void marl__declare_norm(marl__params *params, const char *name, int32_t groups, int32_t cols, int32_t *at);
marl__val marl__build_norm(marl__graph *graph, int32_t slot, marl__val x, const int32_t *at);
/* Keys that recipes share: "init", and layers, hidden_dim and hidden_sizes as widths ("128,64", or layers x
 * hidden_dim where that is empty). */
int32_t marl__net_init_of(const marl_config *config, const char *prefix);
marl_status marl__net_widths(marl__net *net, const marl_config *config, const char *prefix);
marl__val marl__build_linear(marl__graph *graph, int32_t slot, marl__val x, int32_t weight, int32_t bias,
                             int32_t activation);
int32_t marl__activation_find(const char *name); /* "relu" ... -> marl__unary */
extern const char marl__activation_names[];      /* "identity|relu|..." for key tables */

#endif
