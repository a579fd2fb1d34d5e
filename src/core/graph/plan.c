/* SPDX-License-Identifier: Apache-2.0 */
/* From graph to plan: which nodes live, where each value stands in the arena, how much scratch the kernels need.
 *
 * Lifetimes. A value lives from its node to its last reader. One that a later stage reads, a kept one and every leaf
 * live to the end, so a stage may be run again and again on what earlier stages left. Places are found greedily, the
 * largest value first, at the lowest offset free over its whole life. */
#include "core/graph/plan_internal.h"

#include <string.h>

#include "core/base/status.h"

static marl__val root_of(const marl__graph *g, marl__val value) {
    while (value >= 0 && g->values[value].alias >= 0) value = g->values[value].alias;
    return value;
}

/* A node without outputs works on gradients: it is what the graph is run for. */
static void mark_live(const marl__graph *g, uint8_t *live_node, uint8_t *live_value) {
    for (int32_t v = 0; v < g->value_count; v++)
        if (g->values[v].is_kept) live_value[root_of(g, v)] = 1;
    for (int32_t n = g->node_count - 1; n >= 0; n--) {
        const marl__node *node = &g->nodes[n];
        int live = node->out_count == 0;
        for (int32_t k = 0; k < node->out_count; k++) live |= live_value[node->out[k]];
        if (!live) continue;
        live_node[n] = 1;
        for (int32_t i = 0; i < node->in_count; i++)
            if (node->in[i] >= 0) live_value[root_of(g, node->in[i])] = 1;
        for (int32_t k = 0; k < node->out_count; k++)
            if (marl__op_get(node->op)->needed_outputs >> k & 1) live_value[node->out[k]] = 1;
    }
}

static size_t value_bytes(const marl__plan *plan, marl__val value) {
    const marl__value *v = &plan->graph->values[value];
    marl__seq full = {plan->capacity.slots, plan->capacity.batch, plan->capacity.rows, NULL, NULL};
    size_t rows = (size_t)marl__space_rows(plan->graph, v->space, &full);
    return marl__round64((rows ? rows : 1) * (size_t)v->cols * 4);
}

/* First and last position (index among live nodes) at which a root value is needed. */
static void find_lives(marl__plan *plan, const uint8_t *live_value) {
    const marl__graph *g = plan->graph;
    int32_t end = plan->node_count;
    for (int32_t v = 0; v < g->value_count; v++) {
        marl__place *place = &plan->places[v];
        const marl__value *value = &g->values[v];
        *place = (marl__place){.root = root_of(g, v), .first = -1, .last = -1};
        if (place->root != v || value->leaf == MARL__PARAM) continue;
        place->is_live = live_value[v] || value->leaf != MARL__NODE_OUTPUT;
        if (value->leaf != MARL__NODE_OUTPUT) place->last = end;
    }
    for (int32_t v = 0; v < g->value_count; v++)
        if (g->values[v].is_kept) plan->places[plan->places[v].root].last = end;
    for (int32_t p = 0; p < plan->node_count; p++) {
        const marl__node *node = &g->nodes[plan->nodes[p]];
        for (int32_t k = 0; k < node->out_count; k++) {
            marl__place *place = &plan->places[node->out[k]];
            place->first = p;
            if (place->last < p) place->last = p;
        }
        for (int32_t i = 0; i < node->in_count; i++) {
            if (node->in[i] < 0) continue;
            marl__val root = plan->places[node->in[i]].root;
            const marl__value *value = &g->values[root];
            if (value->leaf != MARL__NODE_OUTPUT) continue;
            int later_stage = g->nodes[value->node].stage != node->stage;
            int32_t until = later_stage ? end : p;
            if (plan->places[root].last < until) plan->places[root].last = until;
        }
    }
}

/* Values in order of falling size; ties by index, so the layout is the same everywhere. */
static int32_t sort_by_size(marl__plan *plan, int32_t *order) {
    int32_t count = 0;
    for (int32_t v = 0; v < plan->graph->value_count; v++) {
        if (!plan->places[v].is_live) continue;
        plan->places[v].bytes = value_bytes(plan, v);
        int32_t at = count++;
        for (; at > 0 && plan->places[order[at - 1]].bytes < plan->places[v].bytes; at--) order[at] = order[at - 1];
        order[at] = v;
    }
    return count;
}

static int lives_meet(const marl__place *a, const marl__place *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which value order[at] meets none of those placed before. */
static size_t find_place(const marl__plan *plan, const int32_t *order, int32_t at) {
    const marl__place *mine = &plan->places[order[at]];
    size_t offset = 0;
    for (int again = 1; again;) {
        again = 0;
        for (int32_t i = 0; i < at; i++) {
            const marl__place *other = &plan->places[order[i]];
            if (!lives_meet(mine, other)) continue;
            if (offset < other->offset + other->bytes && other->offset < offset + mine->bytes) {
                offset = other->offset + other->bytes;
                again = 1;
            }
        }
    }
    return offset;
}

static marl_status place_values(marl__plan *plan) {
    void *memory = NULL;
    marl_status status = marl__alloc_array(plan->heap, (size_t)plan->graph->value_count, sizeof(int32_t), &memory);
    if (status != MARL_OK) return status;
    int32_t *order = memory;
    int32_t count = sort_by_size(plan, order);
    for (int32_t at = 0; at < count; at++) {
        marl__place *place = &plan->places[order[at]];
        place->offset = find_place(plan, order, at);
        if (plan->arena_bytes < place->offset + place->bytes) plan->arena_bytes = place->offset + place->bytes;
    }
    marl__free(plan->heap, order);
    return MARL_OK;
}

/* Resolves kernels and the greatest scratch any of them asks for at capacity. */
static marl_status resolve(marl__plan *plan) {
    const marl__graph *g = plan->graph;
    marl__seq full = {plan->capacity.slots, plan->capacity.batch, plan->capacity.rows, NULL, NULL};
    for (int32_t p = 0; p < plan->node_count; p++) {
        const marl__node *node = &g->nodes[plan->nodes[p]];
        const marl__kernel *kernel = &plan->device->table.kernels[node->op];
        if (!kernel->run)
            return marl__fail(MARL_E_UNSUPPORTED, "op %s has no kernel on device %s (%s)", marl__op_get(node->op)->name,
                              plan->device->name, plan->device->table.name);
        if (!kernel->scratch) continue;
        marl__call call;
        marl__plan_describe(plan, node, &full, &call);
        size_t bytes = marl__round64(kernel->scratch(&call));
        if (plan->scratch_bytes < bytes) plan->scratch_bytes = bytes;
    }
    return MARL_OK;
}

void marl__plan_describe(const marl__plan *plan, const marl__node *node, const marl__seq *seq, marl__call *call) {
    const marl__graph *g = plan->graph;
    memset(call, 0, sizeof *call);
    call->node = node;
    call->seq = seq;
    call->products = plan->device->table.products;
    call->agents = g->agents;
    call->entities = g->entities;
    call->in_count = node->in_count;
    for (int32_t i = 0; i < node->in_count + node->out_count; i++) {
        int is_in = i < node->in_count;
        marl__val v = is_in ? node->in[i] : node->out[i - node->in_count];
        marl__tensor *tensor = is_in ? &call->in[i] : &call->out[i - node->in_count];
        if (v < 0) continue;
        const marl__value *value = &g->values[v];
        int is_param = value->leaf == MARL__PARAM;
        *tensor = (marl__tensor){NULL, is_param ? 1 : marl__space_rows(g, value->space, seq), value->cols, value->type,
                                 value->space};
    }
}

static marl_status list_live_nodes(marl__plan *plan, uint8_t *live) {
    const marl__graph *g = plan->graph;
    uint8_t *live_value = live + g->node_count;
    mark_live(g, live, live_value);
    for (int32_t n = 0; n < g->node_count; n++)
        if (live[n]) plan->nodes[plan->node_count++] = n;
    for (int32_t s = 0, p = 0; s < g->stage_count; s++) {
        plan->stage_first[s] = p;
        while (p < plan->node_count && g->nodes[plan->nodes[p]].stage == s) p++;
        plan->stage_first[s + 1] = p;
    }
    find_lives(plan, live_value);
    return MARL_OK;
}

/* Every count of rows the plan can meet must fit 32 bits. */
static marl_status check_capacity(const marl__graph *g, marl__capacity capacity) {
    size_t most = 0;
    if (capacity.slots < 1 || capacity.batch < 1 || capacity.rows < 1)
        return marl__fail(MARL_E_ARGUMENT, "a plan for %d slots, %d teams, %d rows; each at least 1",
                          (int)capacity.slots, (int)capacity.batch, (int)capacity.rows);
    if (!marl__mul_size((size_t)capacity.rows, (size_t)g->agents, &most) ||
        !marl__mul_size(most, (size_t)g->entities, &most) || most > (size_t)INT32_MAX / 2)
        return marl__fail(MARL_E_ARGUMENT, "a plan for %d rows of %d agents is too large", (int)capacity.rows,
                          (int)g->agents);
    return MARL_OK;
}

marl_status marl__plan_create(marl_device *device, const marl__graph *graph, marl__capacity capacity,
                              marl__plan **out) {
    marl_status status = MARL_OK;
    marl__plan *plan = NULL;
    void *live = NULL, *array = NULL;

    *out = NULL;
    if ((status = graph->status) != MARL_OK) goto done;
    if ((status = check_capacity(graph, capacity)) != MARL_OK) goto done;
    plan = marl__alloc_zero(&device->heap, sizeof *plan);
    if (!plan) {
        status = marl__no_memory(sizeof *plan);
        goto done;
    }
    plan->device = device;
    plan->heap = &device->heap;
    plan->graph = graph;
    plan->capacity = capacity;
    status = marl__alloc_array(plan->heap, (size_t)(graph->value_count + graph->node_count), 1, &live);
    if (status != MARL_OK) goto done;
    status = marl__alloc_array(plan->heap, (size_t)graph->value_count, sizeof(marl__place), &array);
    if (status != MARL_OK) goto done;
    plan->places = array;
    size_t indices = (size_t)(graph->node_count + graph->stage_count + 1);
    status = marl__alloc_array(plan->heap, indices, sizeof(int32_t), &array);
    if (status != MARL_OK) goto done;
    plan->nodes = array;
    plan->stage_first = plan->nodes + graph->node_count;
    if ((status = list_live_nodes(plan, live)) != MARL_OK) goto done;
    if ((status = place_values(plan)) != MARL_OK) goto done;
    if ((status = resolve(plan)) != MARL_OK) goto done;
    *out = plan;
    plan = NULL;
done:
    marl__free(&device->heap, live);
    marl__plan_destroy(plan);
    return status;
}

void marl__plan_destroy(marl__plan *plan) {
    if (!plan) return;
    marl__free(plan->heap, plan->nodes);
    marl__free(plan->heap, plan->places);
    marl__free(plan->heap, plan);
}

size_t marl__plan_arena_bytes(const marl__plan *plan) {
    return plan->arena_bytes + plan->scratch_bytes;
}

int32_t marl__plan_node_count(const marl__plan *plan) {
    return plan->node_count;
}

int32_t marl__primary_rows(const marl__plan *plan, const marl__node *node, const marl__seq *seq) {
    int32_t primary = marl__op_get(node->op)->primary;
    marl__val value = primary >= 0 ? node->out[primary] : node->in[-1 - primary];
    return marl__space_rows(plan->graph, plan->graph->values[value].space, seq);
}

double marl__plan_flops(const marl__plan *plan, int32_t stage, const marl__seq *seq) {
    double sum = 0.0;
    for (int32_t p = 0; p < plan->node_count; p++) {
        const marl__node *node = &plan->graph->nodes[plan->nodes[p]];
        const marl__op *op = marl__op_get(node->op);
        if ((stage >= 0 && node->stage != stage) || !op->flops) continue;
        sum += op->flops(plan->graph, node) * marl__primary_rows(plan, node, seq);
    }
    return sum;
}
