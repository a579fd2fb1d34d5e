/* SPDX-License-Identifier: Apache-2.0 */
/* Reverse mode, graph to graph: walks the nodes backwards, asks each op for the gradients of its inputs and adds up
 * where a value was read more than once. Gradient nodes land in the stage that is open when vjp is called. */
#include "core/base/status.h"
#include "core/graph/graph.h"

/* The value whose memory an alias shares: gradients are collected there, in its shape. */
static marl__val root_of(const marl__graph *g, marl__val value) {
    while (g->values[value].alias >= 0) value = g->values[value].alias;
    return value;
}

/* Whether gradients pass from value down to its root: every alias on the way must let them. */
static int passes(const marl__graph *g, marl__val value) {
    for (; g->values[value].alias >= 0; value = g->values[value].alias)
        if (!g->values[value].wants_grad) return 0;
    return g->values[value].wants_grad;
}

static void accumulate(marl__graph *g, marl__val value, marl__val gradient) {
    if (g->status != MARL_OK || gradient < 0 || !passes(g, value)) return;
    marl__val root = root_of(g, value);
    const marl__value shape = g->values[root];
    if (g->values[gradient].space != shape.space || g->values[gradient].cols != shape.cols)
        gradient = marl__view(g, gradient, shape.space, shape.cols);
    if (gradient < 0) return;
    marl__val sum = g->gradients[root];
    g->gradients[root] = sum < 0 ? gradient : marl__binary(g, MARL__ADD, sum, gradient);
}

/* Forgets the gradients of an earlier call and makes room for the values there are now. */
static void reset_gradients(marl__graph *g, int32_t value_count) {
    marl__free(g->heap, g->gradients);
    g->gradients = NULL;
    void *array = NULL;
    g->status = marl__alloc_array(g->heap, (size_t)value_count, sizeof *g->gradients, &array);
    if (g->status != MARL_OK) return;
    g->gradients = array;
    for (int32_t i = 0; i < value_count; i++) g->gradients[i] = -1;
}

/* Gradients of a node's outputs; returns whether any flows. */
static int gather(const marl__graph *g, const marl__node *node, marl__val *dout) {
    int any = 0;
    for (int32_t k = 0; k < MARL__MAX_OUT; k++) {
        dout[k] = k < node->out_count && node->out[k] >= 0 ? g->gradients[node->out[k]] : -1;
        any |= dout[k] >= 0;
    }
    return any;
}

void marl__graph_vjp(marl__graph *g, const marl__val *values, const marl__val *seeds, int32_t count) {
    if (g->status != MARL_OK) return;
    int32_t node_count = g->node_count;
    reset_gradients(g, g->value_count);
    for (int32_t i = 0; i < count; i++) accumulate(g, values[i], seeds[i]);
    for (int32_t n = node_count - 1; n >= 0 && g->status == MARL_OK; n--) {
        marl__val dout[MARL__MAX_OUT], din[MARL__MAX_IN];
        const marl__node node = g->nodes[n]; /* a copy: appending moves the array */
        if (!gather(g, &node, dout)) continue;
        const marl__op *op = marl__op_get(node.op);
        if (!op->vjp) {
            marl__graph_error(g, MARL_E_UNSUPPORTED, "op %s has no gradient", op->name);
            return;
        }
        for (int32_t i = 0; i < MARL__MAX_IN; i++) din[i] = -1;
        op->vjp(g, &node, dout, din);
        for (int32_t i = 0; i < node.in_count; i++)
            if (node.in[i] >= 0) accumulate(g, node.in[i], din[i]);
    }
}

marl__val marl__gradient(const marl__graph *g, marl__val value) {
    return g->status == MARL_OK && g->gradients && value >= 0 ? g->gradients[root_of(g, value)] : -1;
}
