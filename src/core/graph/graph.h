/* SPDX-License-Identifier: Apache-2.0 */
/* A graph: nodes in the order they run, values with a row space and columns. Building has a sticky error: after the
 * first fault every call returns -1 and marl__graph_status reports it, so network code stays a list of layers. */
#ifndef MARL__CORE_GRAPH_GRAPH_H
#define MARL__CORE_GRAPH_GRAPH_H

#include "core/graph/kernel.h"
#include "core/params/params.h"

typedef int32_t marl__val; /* index of a value; -1: none, or a failed graph */

enum marl__leaf { MARL__NODE_OUTPUT, MARL__INPUT, MARL__STATE, MARL__PARAM };

typedef struct marl__value {
    char name[40];        /* of leaves and kept values; "" otherwise */
    int32_t leaf;         /* marl__leaf */
    int32_t space, cols, type;
    int32_t node, output; /* producer of a NODE_OUTPUT */
    marl__val alias;      /* same memory as that value (view, stop_gradient); -1: own memory */
    int32_t slot, param;  /* of a PARAM: index into graph->slots, entry of the table */
    int8_t wants_grad;    /* a gradient flows to it */
    int8_t is_kept;       /* stays alive to the end of the plan's last stage */
    int8_t is_stopped;    /* an alias that lets no derivative through, in either direction */
} marl__value;

typedef struct marl__node {
    int32_t op, stage;
    int32_t in_count, out_count;
    marl__val in[MARL__MAX_IN];  /* -1: optional input absent */
    marl__val out[MARL__MAX_OUT];
    int32_t ints[MARL__ATTR_INTS];
    float reals[MARL__ATTR_REALS];
    int32_t groups;              /* K of its parameters; 1: shared */
    const int32_t *group_map;    /* agent -> group, when groups > 1 */
} marl__node;

/* Where parameters come from at run time: bound to a version at the offset of a range. */
typedef struct marl__slot {
    char name[32];
    const marl__params *params;
    int32_t range;               /* the range its leaves are addressed in; any range of equal layout may be bound; -1:
                                    the whole table */
    int32_t is_trained;          /* gradients flow to its leaves */
} marl__slot;

typedef struct marl__graph {
    marl__heap *heap;
    int32_t agents, entities;    /* per team; per agent */
    marl__node *nodes;
    marl__value *values;
    marl__slot *slots;
    char (*stages)[32];
    int32_t node_count, node_capacity, value_count, value_capacity, slot_count, slot_capacity, stage_count,
        stage_capacity;
    int32_t *group_map;          /* agent -> group of the params in use; NULL: identity */
    int32_t **kept_maps;         /* other maps of the agents, see marl__graph_keep_map */
    int32_t kept_map_count, kept_map_capacity;
    marl__val *gradients;        /* during and after marl__graph_vjp: gradient of each value, -1: none */
    marl__val *tangents;         /* during and after marl__graph_jvp, see jvp.c */
    int32_t tangent_count;       /* values there were when it was called */
    marl_status status;
} marl__graph;

marl_status marl__graph_create(marl__heap *heap, int32_t agents, int32_t entities, marl__graph **out);
void marl__graph_destroy(marl__graph *graph);
marl_status marl__graph_status(const marl__graph *graph);
/* Agent -> group of grouped parameters; copied. Default: agent i uses group i. */
void marl__graph_set_groups(marl__graph *graph, const int32_t *map);
/* A copy of a number for each agent that lives as long as the graph; NULL: the graph has failed. */
const int32_t *marl__graph_keep_map(marl__graph *graph, const int32_t *map);
/* Nodes added from now on belong to a new stage. The first stage, "main", exists from the start. */
int32_t marl__graph_stage(marl__graph *graph, const char *name);
int32_t marl__graph_find_stage(const marl__graph *graph, const char *name);
int32_t marl__graph_slot(marl__graph *graph, const char *name, const marl__params *params, int32_t range,
                         int32_t is_trained);

/* Leaves. An input or state has memory in the plan unless bound to the caller's. */
marl__val marl__input(marl__graph *graph, const char *name, int32_t space, int32_t cols, int32_t type);
marl__val marl__state(marl__graph *graph, const char *name, int32_t space, int32_t cols);
marl__val marl__param_leaf(marl__graph *graph, int32_t slot, int32_t param);
void marl__want_grad(marl__graph *graph, marl__val input); /* an input whose gradient is asked for */
/* Names a value and keeps it to the end, so that it can be read after a run. */
void marl__keep(marl__graph *graph, marl__val value, const char *name);
marl__val marl__find_value(const marl__graph *graph, const char *name); /* leaf or kept; -1 */

/* Ops. -1 stands for an absent optional input. */
marl__val marl__linear(marl__graph *g, marl__val x, marl__val weight, marl__val bias, int32_t activation);
marl__val marl__gru(marl__graph *g, marl__val gates, marl__val weight, marl__val bias, marl__val h0, marl__val reset);
marl__val marl__shift_time(marl__graph *g, marl__val x, marl__val x0, marl__val reset);
marl__val marl__layer_norm(marl__graph *g, marl__val x, marl__val scale, marl__val shift, float eps);
marl__val marl__unary(marl__graph *g, int32_t kind, marl__val x);
marl__val marl__affine(marl__graph *g, marl__val x, float factor, float shift);
marl__val marl__binary(marl__graph *g, int32_t kind, marl__val a, marl__val b);
marl__val marl__spread(marl__graph *g, marl__val x);
marl__val marl__sum_agents(marl__graph *g, marl__val x);
marl__val marl__concat(marl__graph *g, const marl__val *values, int32_t count);
marl__val marl__slice(marl__graph *g, marl__val x, int32_t first, int32_t cols);
marl__val marl__pad(marl__graph *g, marl__val x, int32_t first, int32_t cols);
marl__val marl__one_hot(marl__graph *g, marl__val index, int32_t cols);
marl__val marl__agent_id(marl__graph *g);
marl__val marl__select(marl__graph *g, marl__val x, marl__val index);
marl__val marl__argmax(marl__graph *g, marl__val x, marl__val mask);
marl__val marl__sum_rows(marl__graph *g, marl__val x);
marl__val marl__spread_rows(marl__graph *g, marl__val x, int32_t space);
marl__val marl__qmix_mix(marl__graph *g, marl__val q, marl__val w1, marl__val b1, marl__val w2, marl__val b2);
/* Entities are rows of k features side by side in obs: entity e of `count` has the columns from first + e k on. Its
 * hidden layer is z_e = act(w x_e + b), w (K,d,k). A row of zeros is an absent entity; see hpn_embed.c, hpn_score.c.
 * hpn_embed: (AGENT, k d + k), the sum of the outer products x_e z_e^T (k rows of d), behind it the sum of x_e.
 * hpn_score: (AGENT, count), z_e . v + c for v (AGENT, d) and c (AGENT, 1); c may be -1. */
marl__val marl__hpn_embed(marl__graph *g, marl__val obs, marl__val w, marl__val b, int32_t first, int32_t count,
                          int32_t activation);
marl__val marl__hpn_score(marl__graph *g, marl__val obs, marl__val w, marl__val b, marl__val v, marl__val c,
                          int32_t first, int32_t count, int32_t activation);
enum { MARL__HEADS = 16 };
/* z: heads blocks of columns; p: a parameter of a number for each head, or for each head and column. See heads.c. */
marl__val marl__merge_heads(marl__graph *g, marl__val z, marl__val p, int32_t heads);
/* AGENT rows: agent i's from values[choice[i]], of equal columns; -1: zeros. choice is copied. */
marl__val marl__by_agent(marl__graph *g, const marl__val *values, int32_t count, const int32_t *choice);
enum marl__td_kind { MARL__TD_LAMBDA, MARL__TD_N_STEP };
marl__val marl__td_target(marl__graph *g, marl__val q, marl__val reward, marl__val terminated, marl__val mask,
                          int32_t kind, int32_t n, float gamma, float lambda);
marl__val marl__td_loss(marl__graph *g, marl__val q, marl__val target, marl__val mask, marl__val scale);
/* No copies: the same memory seen as another shape (TEAM agents*c <-> AGENT c), or without a gradient. */
marl__val marl__view(marl__graph *g, marl__val x, int32_t space, int32_t cols);
marl__val marl__stop_gradient(marl__graph *g, marl__val x);

/* Reverse mode: appends nodes that compute the gradient of sum(value * seed) over the pairs, into parameters' gradient
 * buffers (gradient ops) and, for inputs that want one, into graph->gradients[input]. */
void marl__graph_vjp(marl__graph *g, const marl__val *values, const marl__val *seeds, int32_t count);
marl__val marl__gradient(const marl__graph *g, marl__val value); /* after vjp; -1: none flows */

/* Forward mode: appends nodes, to the stage that is open, that compute how every value there is now changes when leaves
 * change in given directions. tangents[i] belongs to values[i]: of an input or state it is a value of its shape, of a
 * parameter one of its shape, in practice the same entry through another slot, bound to a version that holds the
 * direction. A leaf without a tangent stands still. Tangents that nobody uses are dropped by the plan. */
void marl__graph_jvp(marl__graph *g, const marl__val *values, const marl__val *tangents, int32_t count);
/* The same for all parameters that the graph reads through slot; their directions are the entries of direction_slot. */
void marl__graph_jvp_slots(marl__graph *g, int32_t slot, int32_t direction_slot);
/* After jvp; -1: the value stands still. Fails the graph for a value that no forward mode leads to: outputs of gradient
 * ops (there are no second derivatives) and working memory such as gru's gates. May append an alias. */
marl__val marl__tangent(marl__graph *g, marl__val value);

/* For op declarations. */
marl__node *marl__add_node(marl__graph *g, int32_t op, const marl__val *in, int32_t in_count);
marl__val marl__add_output(marl__graph *g, marl__node *node, int32_t space, int32_t cols, int32_t type);
marl__val marl__graph_error(marl__graph *g, marl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

typedef struct marl__op {
    const char *name;
    int32_t cut;     /* marl__cut */
    int32_t primary; /* the value whose rows are cut: out[primary], or in[-1 - primary] when negative */
    /* Appends gradient nodes; din[i] is set to the gradient of in[i] (left -1: none). dout[k] -1: none flows. */
    void (*vjp)(marl__graph *g, const marl__node *node, const marl__val *dout, marl__val *din);
    /* Appends tangent nodes; din[i] is the tangent of in[i] (-1: it stands still, but not all do); dout[0] is set to
     * that of out[0] (left -1: it stands still). NULL: the op has no forward mode. */
    void (*jvp)(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout);
    double (*flops)(const marl__graph *g, const marl__node *node); /* per primary row; NULL: few */
    uint32_t needed_outputs; /* bit k: out[k] has memory even when nobody reads it (working memory of the op) */
} marl__op;

const marl__op *marl__op_get(int32_t op);

/* Rows of a space for given counts. */
int32_t marl__space_rows(const marl__graph *g, int32_t space, const marl__seq *seq);

#endif
