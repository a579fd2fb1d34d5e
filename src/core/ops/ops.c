/* SPDX-License-Identifier: Apache-2.0 */
/* The table of op declarations and the checks they share. */
#include "core/ops/ops.h"

static const marl__op *const table[MARL__OP_COUNT] = {
#define MARL_OP(name) [MARL__OP_##name] = &marl__op_##name,
#include "core/graph/ops.def"
#undef MARL_OP
};

const marl__op *marl__op_get(int32_t op) {
    return table[op];
}

void marl__constant_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout) {
    (void)g;
    (void)node;
    (void)din;
    dout[0] = -1;
}

int marl__check_value(marl__graph *g, const char *op, const char *what, marl__val value) {
    if (g->status != MARL_OK) return 0;
    if (value >= 0 && value < g->value_count) return 1;
    marl__graph_error(g, MARL_E_ARGUMENT, "%s: %s is missing", op, what);
    return 0;
}

int marl__check_cols(marl__graph *g, const char *op, const char *what, marl__val value, int32_t cols) {
    if (!marl__check_value(g, op, what, value)) return 0;
    const marl__value *v = &g->values[value];
    if (v->leaf == MARL__PARAM || v->type != MARL__F32) {
        marl__graph_error(g, MARL_E_SHAPE, "%s: %s must be a row value of floats", op, what);
        return 0;
    }
    if (cols < 1 || v->cols == cols) return 1;
    marl__graph_error(g, MARL_E_SHAPE, "%s: %s has %d columns, expected %d", op, what, (int)v->cols, (int)cols);
    return 0;
}

int marl__check_like(marl__graph *g, const char *op, const char *what, marl__val value, int32_t space, int32_t cols) {
    if (!marl__check_cols(g, op, what, value, cols)) return 0;
    if (g->values[value].space == space) return 1;
    marl__graph_error(g, MARL_E_SHAPE, "%s: %s is in row space %d, expected %d", op, what,
                      (int)g->values[value].space, (int)space);
    return 0;
}

int marl__check_index(marl__graph *g, const char *op, const char *what, marl__val value, int32_t space) {
    if (!marl__check_value(g, op, what, value)) return 0;
    const marl__value *v = &g->values[value];
    if (v->leaf != MARL__PARAM && v->type == MARL__I32 && v->cols == 1 && (space < 0 || v->space == space)) return 1;
    marl__graph_error(g, MARL_E_SHAPE, "%s: %s must be one column of indices in row space %d", op, what, (int)space);
    return 0;
}

const marl__param *marl__param_of(const marl__graph *g, marl__val value) {
    if (value < 0 || g->values[value].leaf != MARL__PARAM) return NULL;
    return &g->slots[g->values[value].slot].params->list[g->values[value].param];
}

int marl__check_param(marl__graph *g, const char *op, const char *what, marl__val value, int32_t rows, int32_t cols,
                      int32_t space) {
    if (!marl__check_value(g, op, what, value)) return 0;
    const marl__param *param = marl__param_of(g, value);
    if (!param || (rows > 0 && param->rows != rows) || param->cols != cols) {
        marl__graph_error(g, MARL_E_SHAPE, "%s: %s \"%s\" is %d x %d a group, expected %d x %d", op, what,
                          param ? param->name : "(no parameter)", param ? (int)param->rows : 0,
                          param ? (int)param->cols : 0, (int)rows, (int)cols);
        return 0;
    }
    if (param->groups > 1 && space != MARL__AGENT) {
        marl__graph_error(g, MARL_E_SHAPE, "%s: %s \"%s\" has %d groups, which needs agent rows", op, what,
                          param->name, (int)param->groups);
        return 0;
    }
    return 1;
}

/* The identity map is made on demand, so that kernels need no special case. */
static void need_map(marl__graph *g, int32_t groups) {
    if (g->group_map || g->status != MARL_OK) return;
    void *map = NULL;
    g->status = marl__alloc_array(g->heap, (size_t)g->agents, sizeof(int32_t), &map);
    if (g->status != MARL_OK) return;
    g->group_map = map;
    for (int32_t i = 0; i < g->agents; i++) g->group_map[i] = i < groups ? i : groups - 1;
}

void marl__set_groups_from(marl__graph *g, marl__node *node, marl__val param) {
    const marl__param *entry = marl__param_of(g, param);
    if (!node || !entry || entry->groups <= 1) return;
    need_map(g, entry->groups);
    node->groups = entry->groups;
    node->group_map = g->group_map;
    for (int32_t i = 0; g->status == MARL_OK && i < g->agents; i++)
        if (g->group_map[i] < 0 || g->group_map[i] >= entry->groups)
            marl__graph_error(g, MARL_E_ARGUMENT, "agent %d is in group %d of %d", (int)i, (int)g->group_map[i],
                              (int)entry->groups);
}
