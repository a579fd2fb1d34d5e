/* SPDX-License-Identifier: Apache-2.0 */
/* Building graphs: growing arrays of nodes and values behind a sticky error. Built once per role at create time, so
 * nothing here is fast; shapes are checked by the builders in src/core/ops, which call the helpers at the end. */
#include "core/graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

static void set_name(char *to, size_t bytes, const char *name) {
    snprintf(to, bytes, "%s", name ? name : "");
}

marl_status marl__graph_create(marl__heap *heap, int32_t agents, int32_t entities, marl__graph **out) {
    *out = NULL;
    if (agents < 1) return marl__fail(MARL_E_ARGUMENT, "a graph for %d agents; at least 1", (int)agents);
    marl__graph *graph = marl__alloc_zero(heap, sizeof *graph);
    if (!graph) return marl__no_memory(sizeof *graph);
    graph->heap = heap;
    graph->agents = agents;
    graph->entities = entities > 0 ? entities : 1;
    if (marl__graph_stage(graph, "main") < 0) {
        marl_status status = graph->status;
        marl__graph_destroy(graph);
        return status;
    }
    *out = graph;
    return MARL_OK;
}

void marl__graph_destroy(marl__graph *graph) {
    if (!graph) return;
    marl__heap *heap = graph->heap;
    marl__free(heap, graph->nodes);
    marl__free(heap, graph->values);
    marl__free(heap, graph->slots);
    marl__free(heap, graph->stages);
    marl__free(heap, graph->group_map);
    for (int32_t i = 0; i < graph->kept_map_count; i++) marl__free(heap, graph->kept_maps[i]);
    marl__free(heap, graph->kept_maps);
    marl__free(heap, graph->gradients);
    marl__free(heap, graph->tangents);
    marl__free(heap, graph);
}

marl_status marl__graph_status(const marl__graph *graph) {
    return graph->status;
}

marl__val marl__graph_error(marl__graph *g, marl_status status, const char *format, ...) {
    if (g->status != MARL_OK) return -1;
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    g->status = marl__fail(status, "%s", text);
    return -1;
}

void marl__graph_set_groups(marl__graph *graph, const int32_t *map) {
    void *copy = NULL;
    if (graph->status != MARL_OK) return;
    graph->status = marl__alloc_array(graph->heap, (size_t)graph->agents, sizeof *map, &copy);
    if (graph->status != MARL_OK) return;
    memcpy(copy, map, (size_t)graph->agents * sizeof *map);
    marl__free(graph->heap, graph->group_map);
    graph->group_map = copy;
}

const int32_t *marl__graph_keep_map(marl__graph *graph, const int32_t *map) {
    void *list = graph->kept_maps, *copy = NULL;
    size_t agents = (size_t)graph->agents;
    if (graph->status != MARL_OK) return NULL;
    for (int32_t i = 0; i < graph->kept_map_count; i++)
        if (!memcmp(graph->kept_maps[i], map, agents * sizeof *map)) return graph->kept_maps[i];
    graph->status = marl__grow_array(graph->heap, &list, graph->kept_map_count, &graph->kept_map_capacity,
                                     sizeof *graph->kept_maps);
    if (graph->status != MARL_OK) return NULL;
    graph->kept_maps = list;
    graph->status = marl__alloc_array(graph->heap, agents, sizeof *map, &copy);
    if (graph->status != MARL_OK) return NULL;
    memcpy(copy, map, agents * sizeof *map);
    graph->kept_maps[graph->kept_map_count] = copy;
    return graph->kept_maps[graph->kept_map_count++];
}

int32_t marl__graph_stage(marl__graph *graph, const char *name) {
    if (graph->status != MARL_OK) return -1;
    void *array = graph->stages;
    graph->status =
        marl__grow_array(graph->heap, &array, graph->stage_count, &graph->stage_capacity, sizeof *graph->stages);
    if (graph->status != MARL_OK) return -1;
    graph->stages = array;
    set_name(graph->stages[graph->stage_count], sizeof *graph->stages, name);
    return graph->stage_count++;
}

int32_t marl__graph_find_stage(const marl__graph *graph, const char *name) {
    for (int32_t i = 0; i < graph->stage_count; i++)
        if (!strcmp(graph->stages[i], name)) return i;
    return -1;
}

int32_t marl__graph_slot(marl__graph *graph, const char *name, const marl__params *params, int32_t range,
                         int32_t is_trained) {
    if (graph->status != MARL_OK) return -1;
    void *array = graph->slots;
    graph->status =
        marl__grow_array(graph->heap, &array, graph->slot_count, &graph->slot_capacity, sizeof *graph->slots);
    if (graph->status != MARL_OK) return -1;
    graph->slots = array;
    marl__slot *slot = &graph->slots[graph->slot_count];
    set_name(slot->name, sizeof slot->name, name);
    slot->params = params;
    slot->range = range;
    slot->is_trained = is_trained;
    return graph->slot_count++;
}

/* A new value with every link absent. */
static marl__val add_value(marl__graph *g, const char *name, int32_t leaf, int32_t space, int32_t cols, int32_t type) {
    if (g->status != MARL_OK) return -1;
    if (cols < 1 || space >= MARL__SPACE_COUNT)
        return marl__graph_error(g, MARL_E_SHAPE, "value \"%s\" with %d columns", name ? name : "", (int)cols);
    void *array = g->values;
    g->status = marl__grow_array(g->heap, &array, g->value_count, &g->value_capacity, sizeof *g->values);
    if (g->status != MARL_OK) return -1;
    g->values = array;
    marl__value *value = &g->values[g->value_count];
    *value = (marl__value){.leaf = leaf, .space = space, .cols = cols, .type = type, .node = -1, .alias = -1,
                           .slot = -1, .param = -1};
    set_name(value->name, sizeof value->name, name);
    return g->value_count++;
}

marl__val marl__input(marl__graph *graph, const char *name, int32_t space, int32_t cols, int32_t type) {
    return add_value(graph, name, MARL__INPUT, space, cols, type);
}

marl__val marl__state(marl__graph *graph, const char *name, int32_t space, int32_t cols) {
    return add_value(graph, name, MARL__STATE, space, cols, MARL__F32);
}

marl__val marl__param_leaf(marl__graph *graph, int32_t slot, int32_t param) {
    if (graph->status != MARL_OK) return -1;
    if (slot < 0 || slot >= graph->slot_count || param < 0 || param >= graph->slots[slot].params->count)
        return marl__graph_error(graph, MARL_E_ARGUMENT, "parameter %d of slot %d does not exist", (int)param,
                                 (int)slot);
    for (int32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].leaf == MARL__PARAM && graph->values[i].slot == slot && graph->values[i].param == param)
            return i;
    const marl__param *entry = &graph->slots[slot].params->list[param];
    marl__val value = add_value(graph, entry->name, MARL__PARAM, -1, (int32_t)entry->count, MARL__F32);
    if (value < 0) return -1;
    graph->values[value].slot = slot;
    graph->values[value].param = param;
    graph->values[value].wants_grad = (int8_t)(graph->slots[slot].is_trained != 0);
    return value;
}

void marl__want_grad(marl__graph *graph, marl__val input) {
    if (graph->status == MARL_OK && input >= 0) graph->values[input].wants_grad = 1;
}

void marl__keep(marl__graph *graph, marl__val value, const char *name) {
    if (graph->status != MARL_OK || value < 0) return;
    set_name(graph->values[value].name, sizeof graph->values[value].name, name);
    graph->values[value].is_kept = 1;
}

marl__val marl__find_value(const marl__graph *graph, const char *name) {
    for (int32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].leaf != MARL__PARAM && !strcmp(graph->values[i].name, name)) return i;
    return -1;
}

/* A second name for memory that exists. */
static marl__val add_alias(marl__graph *g, marl__val x, int32_t space, int32_t cols, int8_t wants_grad) {
    marl__val value = add_value(g, NULL, g->values[x].leaf, space, cols, g->values[x].type);
    if (value < 0) return -1;
    g->values[value].alias = x;
    g->values[value].node = g->values[x].node;
    g->values[value].output = g->values[x].output;
    g->values[value].wants_grad = wants_grad;
    return value;
}

/* Rows per team of a space: only spaces of the (t, b) family may be viewed as each other. */
static int32_t team_multiple(const marl__graph *g, int32_t space) {
    if (space == MARL__TEAM) return 1;
    if (space == MARL__AGENT) return g->agents;
    if (space == MARL__ENTITY) return g->agents * g->entities;
    return 0;
}

marl__val marl__view(marl__graph *g, marl__val x, int32_t space, int32_t cols) {
    if (g->status != MARL_OK || x < 0) return -1;
    const marl__value from = g->values[x];
    int64_t before = (int64_t)team_multiple(g, from.space) * from.cols, after = (int64_t)team_multiple(g, space) * cols;
    if (before == 0 || before != after)
        return marl__graph_error(g, MARL_E_SHAPE, "view: %d columns in space %d cannot be seen as %d in space %d",
                                 (int)from.cols, (int)from.space, (int)cols, (int)space);
    return add_alias(g, x, space, cols, from.wants_grad);
}

marl__val marl__stop_gradient(marl__graph *g, marl__val x) {
    if (g->status != MARL_OK || x < 0) return -1;
    marl__val value = add_alias(g, x, g->values[x].space, g->values[x].cols, 0);
    if (value >= 0) g->values[value].is_stopped = 1;
    return value;
}

marl__node *marl__add_node(marl__graph *g, int32_t op, const marl__val *in, int32_t in_count) {
    if (g->status != MARL_OK) return NULL;
    void *array = g->nodes;
    g->status = marl__grow_array(g->heap, &array, g->node_count, &g->node_capacity, sizeof *g->nodes);
    if (g->status != MARL_OK) return NULL;
    g->nodes = array;
    marl__node *node = &g->nodes[g->node_count++];
    *node = (marl__node){.op = op, .stage = g->stage_count - 1, .in_count = in_count, .groups = 1};
    for (int32_t i = 0; i < MARL__MAX_IN; i++) node->in[i] = i < in_count ? in[i] : -1;
    for (int32_t i = 0; i < MARL__MAX_OUT; i++) node->out[i] = -1;
    return node;
}

marl__val marl__add_output(marl__graph *g, marl__node *node, int32_t space, int32_t cols, int32_t type) {
    marl__val value = add_value(g, NULL, MARL__NODE_OUTPUT, space, cols, type);
    if (value < 0) return -1;
    g->values[value].node = (int32_t)(node - g->nodes);
    g->values[value].output = node->out_count;
    if (type == MARL__F32)
        for (int32_t i = 0; i < node->in_count; i++)
            if (node->in[i] >= 0 && g->values[node->in[i]].wants_grad) g->values[value].wants_grad = 1;
    node->out[node->out_count++] = value;
    return value;
}

int32_t marl__space_rows(const marl__graph *g, int32_t space, const marl__seq *seq) {
    switch (space) {
    case MARL__TEAM: return seq->rows;
    case MARL__AGENT: return seq->rows * g->agents;
    case MARL__ENTITY: return seq->rows * g->agents * g->entities;
    case MARL__FIRST: return seq->batch * g->agents;
    case MARL__BATCH: return seq->batch;
    default: return 1;
    }
}
