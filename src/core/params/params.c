/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter table and its sets of values. */
#include "core/params/params.h"

#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

marl_status marl__params_create(marl_device *device, marl__params **out) {
    *out = NULL;
    marl__params *params = marl__alloc_zero(&device->heap, sizeof *params);
    if (!params) return marl__no_memory(sizeof *params);
    params->heap = &device->heap;
    params->products = device->table.products;
    *out = params;
    return MARL_OK;
}

void marl__params_destroy(marl__params *params) {
    if (!params) return;
    marl__free(params->heap, params->list);
    marl__free(params->heap, params->ranges);
    marl__free(params->heap, params);
}

int32_t marl__params_range(marl__params *params, const char *name, int32_t group) {
    if (params->status != MARL_OK) return -1;
    void *list = params->ranges;
    params->status =
        marl__grow_array(params->heap, &list, params->range_count, &params->range_capacity, sizeof(marl__range));
    if (params->status != MARL_OK) return -1;
    params->ranges = list;
    marl__range *range = &params->ranges[params->range_count];
    snprintf(range->name, sizeof range->name, "%s", name);
    range->first_param = params->count;
    range->group = group;
    if (group >= params->group_count) params->group_count = group + 1;
    return params->range_count++;
}

static size_t round16(size_t floats) {
    return (floats + 15) & ~(size_t)15;
}

/* Sizes of the packed forms of a weight, for all its groups. */
static void place_packed(marl__params *params, marl__param *param) {
    if (!param->is_weight) return;
    param->packed_stride = round16(params->products->packed_floats(param->rows, param->cols));
    param->packed_backward_stride = round16(params->products->packed_floats(param->cols, param->rows));
    param->packed = params->packed_floats;
    params->packed_floats += param->packed_stride * (size_t)param->groups;
    param->packed_backward = params->packed_floats;
    params->packed_floats += param->packed_backward_stride * (size_t)param->groups;
}

int32_t marl__params_add(marl__params *params, const char *name, int32_t groups, int32_t rank, int32_t rows,
                         int32_t cols, int32_t init, float init_value) {
    if (params->status != MARL_OK) return -1;
    if (params->range_count == 0) marl__params_range(params, "", 0);
    size_t count = 0;
    if (groups < 1 || rows < 1 || cols < 1 || (rank != 1 && rank != 2) ||
        !marl__mul_size((size_t)rows, (size_t)cols, &count) || !marl__mul_size(count, (size_t)groups, &count) ||
        count > ((size_t)1 << 30)) {
        params->status = marl__fail(MARL_E_SHAPE, "parameter \"%s\" of %d x %d x %d is impossible", name, (int)groups,
                                    (int)rows, (int)cols);
        return -1;
    }
    void *list = params->list;
    params->status = marl__grow_array(params->heap, &list, params->count, &params->capacity, sizeof(marl__param));
    if (params->status != MARL_OK) return -1;
    params->list = list;
    marl__param *param = &params->list[params->count];
    marl__range *range = &params->ranges[params->range_count - 1];
    int32_t shape_at = 0;
    *param = (marl__param){.groups = groups, .rows = rows, .cols = rank == 2 ? cols : 1, .is_weight = rank == 2,
                           .init = init, .init_value = init_value, .count = count, .offset = params->floats,
                           .range = params->range_count - 1};
    snprintf(param->name, sizeof param->name, "%s%s%s", range->name, range->name[0] ? "." : "", name);
    if (groups > 1) param->shape[shape_at++] = groups;
    param->shape[shape_at++] = rows;
    if (rank == 2) param->shape[shape_at++] = cols;
    param->rank = shape_at;
    if (range->param_count++ == 0) range->offset = params->floats;
    params->floats += round16(count);
    range->count = params->floats - range->offset;
    place_packed(params, param);
    return params->count++;
}

marl_status marl__params_freeze(marl__params *params) {
    if (params->status == MARL_OK) params->is_frozen = 1;
    return params->status;
}

int32_t marl__params_find(const marl__params *params, const char *name) {
    for (int32_t i = 0; i < params->count; i++)
        if (!strcmp(params->list[i].name, name)) return i;
    return -1;
}

marl_status marl__version_create(const marl__params *params, marl__version *out) {
    void *flat = NULL, *packed = NULL;
    *out = (marl__version){NULL, NULL};
    marl_status status = marl__alloc_array(params->heap, params->floats + 16, sizeof(float), &flat);
    if (status != MARL_OK) return status;
    status = marl__alloc_array(params->heap, params->packed_floats + 16, sizeof(float), &packed);
    if (status != MARL_OK) {
        marl__free(params->heap, flat);
        return status;
    }
    out->flat = flat;
    out->packed = packed;
    return MARL_OK;
}

void marl__version_destroy(const marl__params *params, marl__version *version) {
    if (!params) return;
    marl__free(params->heap, version->flat);
    marl__free(params->heap, version->packed);
    *version = (marl__version){NULL, NULL};
}

void marl__version_pack(const marl__params *params, marl__version *version, int32_t index) {
    const marl__param *param = &params->list[index];
    if (!param->is_weight) return;
    for (int32_t k = 0; k < param->groups; k++) {
        const float *weight = version->flat + param->offset + (size_t)k * (size_t)param->rows * (size_t)param->cols;
        params->products->pack_forward(param->rows, param->cols, weight,
                                       version->packed + param->packed + (size_t)k * param->packed_stride);
        params->products->pack_backward(
            param->cols, param->rows, weight,
            version->packed + param->packed_backward + (size_t)k * param->packed_backward_stride);
    }
}

void marl__version_pack_all(const marl__params *params, marl__version *version) {
    for (int32_t i = 0; i < params->count; i++) marl__version_pack(params, version, i);
}
