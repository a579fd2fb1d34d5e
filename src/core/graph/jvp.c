/* SPDX-License-Identifier: Apache-2.0 */
/* Forward mode, graph to graph: walks the nodes in order and asks each op how its output moves when its inputs do. A
 * value that stands still has no tangent, so nothing is computed for it and no zeros are written.
 *
 * graph->tangents holds, for the root of each value, its tangent, or STILL, or unknown(op): a tangent would be needed
 * there and that op cannot give it. Unknown spreads to what is computed from it and is an error only for who asks, so
 * forward mode may run over a graph that holds gradient nodes already. */
#include "core/base/status.h"
#include "core/graph/graph.h"
#include "core/ops/ops.h"

enum { STILL = -1 };

static marl__val unknown(int32_t op) {
    return -2 - op;
}

static int32_t op_of_unknown(marl__val tangent) {
    return -2 - tangent;
}

/* The value whose memory an alias shares; -1 if a derivative does not pass on the way. */
static marl__val moving_root(const marl__graph *g, marl__val value) {
    for (; g->values[value].alias >= 0; value = g->values[value].alias)
        if (g->values[value].is_stopped) return -1;
    return value;
}

/* Forgets an earlier call. */
static void begin(marl__graph *g) {
    void *array = NULL;
    marl__free(g->heap, g->tangents);
    g->tangents = NULL;
    g->tangent_count = 0;
    if (g->status != MARL_OK) return;
    g->status = marl__alloc_array(g->heap, (size_t)g->value_count, sizeof *g->tangents, &array);
    if (g->status != MARL_OK) return;
    g->tangents = array;
    g->tangent_count = g->value_count;
    for (int32_t i = 0; i < g->tangent_count; i++) g->tangents[i] = STILL;
}

/* Whether a tangent has the shape of a leaf. */
static int fits(const marl__graph *g, marl__val leaf, marl__val tangent) {
    const marl__value *a = &g->values[leaf], *b = &g->values[tangent];
    if (a->leaf != MARL__PARAM)
        return b->leaf != MARL__PARAM && a->type == MARL__F32 && b->type == MARL__F32 && a->space == b->space &&
               a->cols == b->cols;
    const marl__param *from = marl__param_of(g, leaf), *to = marl__param_of(g, tangent);
    return to && from->groups == to->groups && from->rows == to->rows && from->cols == to->cols &&
           from->is_weight == to->is_weight;
}

static void set_tangent(marl__graph *g, marl__val leaf, marl__val tangent) {
    if (!marl__check_value(g, "jvp", "a value", leaf) || !marl__check_value(g, "jvp", "a tangent", tangent)) return;
    const marl__value *value = &g->values[leaf];
    if (leaf >= g->tangent_count || value->leaf == MARL__NODE_OUTPUT || value->alias >= 0)
        marl__graph_error(g, MARL_E_ARGUMENT, "jvp: a tangent is given for a value that is no leaf of the graph");
    else if (!fits(g, leaf, tangent))
        marl__graph_error(g, MARL_E_SHAPE, "jvp: the tangent of \"%s\" has another shape or type", value->name);
    else if (g->tangents[leaf] != STILL)
        marl__graph_error(g, MARL_E_ARGUMENT, "jvp: \"%s\" has two tangents", value->name);
    else
        g->tangents[leaf] = tangent;
}

/* The tangent of any value in its own shape, STILL, or unknown. */
static marl__val look_up(marl__graph *g, marl__val value) {
    marl__val root = moving_root(g, value);
    if (root < 0 || root >= g->tangent_count) return STILL;
    marl__val tangent = g->tangents[root];
    if (tangent < 0 || value == root) return tangent;
    const marl__value shape = g->values[value];
    if (g->values[tangent].space == shape.space && g->values[tangent].cols == shape.cols) return tangent;
    if (value >= g->tangent_count) return marl__view(g, tangent, shape.space, shape.cols);
    if (g->tangents[value] < 0) g->tangents[value] = marl__view(g, tangent, shape.space, shape.cols);
    return g->tangents[value];
}

/* Tangents of a node's inputs. Returns whether one moves; *blocked: the first unknown one, STILL if there is none. */
static int gather(marl__graph *g, const marl__node *node, marl__val *din, marl__val *blocked) {
    int any = 0;
    *blocked = STILL;
    for (int32_t i = 0; i < MARL__MAX_IN; i++) {
        din[i] = i < node->in_count && node->in[i] >= 0 ? look_up(g, node->in[i]) : STILL;
        any |= din[i] >= 0;
        if (din[i] < STILL && *blocked == STILL) *blocked = din[i];
    }
    return any;
}

static void visit(marl__graph *g, const marl__node *node) {
    marl__val din[MARL__MAX_IN], dout[MARL__MAX_OUT], blocked;
    int any = gather(g, node, din, &blocked);
    if (g->status != MARL_OK || (!any && blocked == STILL)) return;
    const marl__op *op = marl__op_get(node->op);
    if (blocked == STILL && !op->jvp) blocked = unknown(node->op);
    for (int32_t k = 0; k < MARL__MAX_OUT; k++) dout[k] = blocked != STILL ? blocked : k ? unknown(node->op) : STILL;
    if (blocked == STILL) op->jvp(g, node, din, dout);
    if (g->status != MARL_OK) return;
    for (int32_t k = 0; k < node->out_count; k++)
        if (node->out[k] >= 0 && g->values[node->out[k]].type == MARL__F32) g->tangents[node->out[k]] = dout[k];
}

static void walk(marl__graph *g, int32_t node_count) {
    for (int32_t n = 0; n < node_count && g->status == MARL_OK; n++) {
        const marl__node node = g->nodes[n]; /* a copy: appending moves the array */
        visit(g, &node);
    }
}

void marl__graph_jvp(marl__graph *g, const marl__val *values, const marl__val *tangents, int32_t count) {
    int32_t node_count = g->node_count;
    begin(g);
    for (int32_t i = 0; i < count; i++) set_tangent(g, values[i], tangents[i]);
    walk(g, node_count);
}

void marl__graph_jvp_slots(marl__graph *g, int32_t slot, int32_t direction_slot) {
    int32_t node_count = g->node_count, value_count = g->value_count;
    if (g->status != MARL_OK) return;
    if (slot < 0 || slot >= g->slot_count || direction_slot < 0 || direction_slot >= g->slot_count ||
        slot == direction_slot || g->slots[slot].params != g->slots[direction_slot].params ||
        g->slots[slot].range != g->slots[direction_slot].range) {
        marl__graph_error(g, MARL_E_ARGUMENT, "jvp: slots %d and %d must be two over one range of one table",
                          (int)slot, (int)direction_slot);
        return;
    }
    begin(g);
    for (int32_t v = 0; v < value_count && g->status == MARL_OK; v++) {
        if (g->values[v].leaf != MARL__PARAM || g->values[v].slot != slot) continue;
        marl__val direction = marl__param_leaf(g, direction_slot, g->values[v].param);
        if (direction >= 0) set_tangent(g, v, direction);
    }
    walk(g, node_count);
}

marl__val marl__tangent(marl__graph *g, marl__val value) {
    if (g->status != MARL_OK || value < 0) return -1;
    marl__val root = moving_root(g, value);
    if (root >= g->tangent_count && g->values[root].leaf == MARL__NODE_OUTPUT)
        return marl__graph_error(g, MARL_E_STATE, "jvp: the value was added after forward mode had run");
    marl__val tangent = look_up(g, value);
    if (tangent >= STILL) return tangent;
    return marl__graph_error(g, MARL_E_UNSUPPORTED, "op %s has no forward mode for this value",
                             marl__op_get(op_of_unknown(tangent))->name);
}
