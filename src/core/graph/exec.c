/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan, unit by unit. The cut of a node follows from its rows and the graph alone, never from who runs it:
 * row tiles of at most 20 MFLOP or 1 MB, one slot of a sequence, one chain of a weight gradient. */
#include <string.h>

#include "core/base/status.h"
#include "core/graph/plan_internal.h"

typedef struct binding {
    const marl__version *version;
    float *gradient;
    int32_t range; /* -1: the slot's own */
} binding;

struct marl__exec {
    const marl__plan *plan;
    uint8_t *arena;
    void *scratch;
    void **data;       /* of each value; aliases resolved */
    binding *bindings; /* of each slot */
    marl__seq seq;
    /* the cursor */
    int32_t position, end;   /* live nodes of the stage still to run */
    int32_t unit, unit_count;
    int32_t tile, rows;
    marl__call call;
};

static const int32_t no_rows[2] = {0, 0};

marl_status marl__exec_create(const marl__plan *plan, marl__exec **out) {
    marl_status status = MARL_OK;
    marl__exec *exec = NULL;
    void *array = NULL;
    const marl__graph *g = plan->graph;

    *out = NULL;
    exec = marl__alloc_zero(plan->heap, sizeof *exec);
    if (!exec) {
        status = marl__no_memory(sizeof *exec);
        goto done;
    }
    exec->plan = plan;
    status = marl__alloc_array(plan->heap, plan->arena_bytes + plan->scratch_bytes + 64, 1, &array);
    if (status != MARL_OK) goto done;
    exec->arena = array;
    exec->scratch = exec->arena + plan->arena_bytes;
    status = marl__alloc_array(plan->heap, (size_t)g->value_count, sizeof(void *), &array);
    if (status != MARL_OK) goto done;
    exec->data = array;
    status = marl__alloc_array(plan->heap, (size_t)g->slot_count, sizeof(binding), &array);
    if (status != MARL_OK) goto done;
    exec->bindings = array;
    for (int32_t s = 0; s < g->slot_count; s++) exec->bindings[s].range = -1;
    for (int32_t v = 0; v < g->value_count; v++) {
        const marl__place *root = &plan->places[plan->places[v].root];
        exec->data[v] = root->is_live ? exec->arena + root->offset : NULL;
    }
    exec->seq = (marl__seq){0, 0, 0, no_rows, no_rows};
    *out = exec;
    exec = NULL;
done:
    marl__exec_destroy(exec);
    return status;
}

void marl__exec_destroy(marl__exec *exec) {
    if (!exec) return;
    marl__heap *heap = exec->plan->heap;
    marl__free(heap, exec->arena);
    marl__free(heap, exec->data);
    marl__free(heap, exec->bindings);
    marl__free(heap, exec);
}

void marl__exec_set_seq(marl__exec *exec, const marl__seq *seq) {
    MARL_ASSERT(seq->rows <= exec->plan->capacity.rows && seq->batch <= exec->plan->capacity.batch &&
                seq->slots <= exec->plan->capacity.slots);
    exec->seq = *seq;
}

const marl__seq *marl__exec_seq(const marl__exec *exec) {
    return &exec->seq;
}

void *marl__exec_data(const marl__exec *exec, marl__val value) {
    return value >= 0 ? exec->data[value] : NULL;
}

int32_t marl__exec_rows(const marl__exec *exec, marl__val value) {
    return marl__space_rows(exec->plan->graph, exec->plan->graph->values[value].space, &exec->seq);
}

void marl__exec_bind(marl__exec *exec, marl__val value, void *data) {
    marl__val root = exec->plan->places[value].root;
    for (int32_t v = 0; v < exec->plan->graph->value_count; v++)
        if (exec->plan->places[v].root == root) exec->data[v] = data;
}

void marl__exec_bind_slot(marl__exec *exec, int32_t slot, const marl__version *version, int32_t range) {
    exec->bindings[slot].version = version;
    exec->bindings[slot].range = range;
}

void marl__exec_bind_grad(marl__exec *exec, int32_t slot, float *gradient) {
    exec->bindings[slot].gradient = gradient;
}

/* The table's entry that a leaf stands for under the present binding of its slot. */
static const marl__param *bound_param(const marl__exec *exec, const marl__value *leaf) {
    const marl__slot *slot = &exec->plan->graph->slots[leaf->slot];
    const marl__params *params = slot->params;
    int32_t index = leaf->param, bound = exec->bindings[leaf->slot].range;
    if (bound >= 0 && slot->range >= 0)
        index += params->ranges[bound].first_param - params->ranges[slot->range].first_param;
    return &params->list[index];
}

static void point_param(const marl__exec *exec, const marl__value *leaf, int32_t at, marl__call *call) {
    const binding *bound = &exec->bindings[leaf->slot];
    const marl__param *param = bound_param(exec, leaf);
    MARL_ASSERT(bound->version != NULL);
    call->in[at].data = bound->version->flat + param->offset;
    if (param->is_weight) {
        call->packed[at] = bound->version->packed + param->packed;
        call->packed_backward[at] = bound->version->packed + param->packed_backward;
    }
    if (bound->gradient) call->grad[at] = bound->gradient + param->offset;
}

/* Bytes a row of every operand takes, for the size of a tile. */
static int64_t row_bytes(const marl__call *call, int32_t out_count) {
    int64_t bytes = 4;
    for (int32_t i = 0; i < call->in_count; i++)
        if (call->in[i].space >= 0) bytes += 4 * (int64_t)call->in[i].cols;
    for (int32_t k = 0; k < out_count; k++) bytes += 4 * (int64_t)call->out[k].cols;
    return bytes;
}

static int32_t tile_rows(const marl__exec *exec, const marl__node *node, const marl__op *op) {
    const marl__graph *g = exec->plan->graph;
    double flops = op->flops ? op->flops(g, node) : 1.0;
    int64_t tile = (1 << 20) / row_bytes(&exec->call, node->out_count);
    int64_t by_flops = (int64_t)(20e6 / (flops < 1.0 ? 1.0 : flops));
    if (by_flops < tile) tile = by_flops;
    if (tile < 16) tile = 16;
    int64_t multiple = (int64_t)g->agents * g->entities * 8; /* whole teams, and whole blocks of rows of a product */
    tile = (tile + multiple - 1) / multiple * multiple;
    return tile > INT32_MAX / 2 ? INT32_MAX / 2 : (int32_t)tile;
}

/* Prepares the node at the cursor. */
static void begin_node(marl__exec *exec) {
    const marl__plan *plan = exec->plan;
    const marl__graph *g = plan->graph;
    const marl__node *node = &g->nodes[plan->nodes[exec->position]];
    const marl__op *op = marl__op_get(node->op);
    marl__plan_describe(plan, node, &exec->seq, &exec->call);
    exec->call.scratch = exec->scratch;
    for (int32_t i = 0; i < node->in_count; i++) {
        if (node->in[i] < 0) continue;
        const marl__value *value = &g->values[node->in[i]];
        if (value->leaf == MARL__PARAM) point_param(exec, value, i, &exec->call);
        else exec->call.in[i].data = exec->data[node->in[i]];
    }
    for (int32_t k = 0; k < node->out_count; k++) exec->call.out[k].data = exec->data[node->out[k]];
    exec->rows = op->cut == MARL__WHOLE ? 1 : marl__primary_rows(plan, node, &exec->seq);
    exec->unit = 0;
    switch (op->cut) {
    case MARL__STEPS:
    case MARL__STEPS_BACK:
        exec->unit_count = exec->seq.slots;
        return;
    case MARL__WHOLE:
        exec->unit_count = 1;
        return;
    case MARL__CHAINS:
        exec->tile = node->groups > 1 ? MARL__CHAIN_ROWS * g->agents : MARL__CHAIN_ROWS;
        break;
    default:
        exec->tile = tile_rows(exec, node, op);
    }
    exec->unit_count = (int32_t)(((int64_t)exec->rows + exec->tile - 1) / exec->tile);
}

void marl__exec_begin(marl__exec *exec, int32_t stage) {
    exec->position = exec->plan->stage_first[stage];
    exec->end = exec->plan->stage_first[stage + 1];
    exec->unit = exec->unit_count = 0;
    if (exec->position < exec->end) begin_node(exec);
}

static void run_unit(marl__exec *exec) {
    const marl__node *node = exec->call.node;
    const marl__kernel *kernel = &exec->plan->device->table.kernels[node->op];
    int32_t unit = exec->unit++;
    switch (marl__op_get(node->op)->cut) {
    case MARL__STEPS:
        kernel->run(&exec->call, unit, 1);
        break;
    case MARL__STEPS_BACK:
        kernel->run(&exec->call, exec->seq.slots - 1 - unit, 1);
        break;
    case MARL__WHOLE:
        kernel->run(&exec->call, 0, 1);
        break;
    default: {
        int32_t first = unit * exec->tile, left = exec->rows - first;
        kernel->run(&exec->call, first, left < exec->tile ? left : exec->tile);
    }
    }
}

int32_t marl__exec_step(marl__exec *exec) {
    while (exec->unit == exec->unit_count) {
        if (exec->position >= exec->end || ++exec->position >= exec->end) return 0;
        begin_node(exec);
    }
    run_unit(exec);
    return 1;
}

void marl__exec_run(marl__exec *exec, int32_t stage) {
    marl__exec_begin(exec, stage);
    while (marl__exec_step(exec)) {
    }
}
