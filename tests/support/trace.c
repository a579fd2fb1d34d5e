/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of recorded traces, see trace.h. */
#include "support/trace.h"

#include "core/base/status.h"

#define MOST_TRACE_BYTES (UINT64_C(1) << 32)

void *marl__trace_block(marl__trace *t, uint64_t count, size_t element_bytes) {
    void *block = NULL;

    if (t->status != MARL_OK) {
        return NULL;
    }
    if (t->block_count == sizeof t->blocks / sizeof t->blocks[0]) {
        t->status = marl__fail(MARL_E_STATE, "too many arrays in one case");
        return NULL;
    }
    t->status = marl__alloc_array(t->heap, count, element_bytes, &block);
    if (t->status == MARL_OK) {
        t->blocks[t->block_count++] = block;
    }
    return block;
}

static const marl__tensor_info *trace_info(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape) {
    const marl__tensor_info *info = NULL;

    if (t->status == MARL_OK) {
        t->status = marl__safetensors_expect(t->file, name, 0, rank, shape, &info);
    }
    return t->status == MARL_OK ? info : NULL;
}

int32_t *marl__trace_ints(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape) {
    const marl__tensor_info *info = trace_info(t, name, rank, shape);
    int32_t *out = info ? marl__trace_block(t, info->element_count, sizeof *out) : NULL;

    if (out) {
        t->status = marl__safetensors_read_i32(t->file, info, out, info->element_count);
    }
    return out;
}

float *marl__trace_floats(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape) {
    const marl__tensor_info *info = trace_info(t, name, rank, shape);
    float *out = info ? marl__trace_block(t, info->element_count, sizeof *out) : NULL;

    if (out) {
        t->status = marl__safetensors_read_f32(t->file, info, out, info->element_count);
    }
    return out;
}

double *marl__trace_doubles(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape) {
    const marl__tensor_info *info = trace_info(t, name, rank, shape);
    double *out = info ? marl__trace_block(t, info->element_count, sizeof *out) : NULL;

    if (out) {
        t->status = marl__safetensors_read_f64(t->file, info, out, info->element_count);
    }
    return out;
}

uint32_t marl__trace_first_dim(marl__trace *t, const char *name) {
    const marl__tensor_info *info = marl__safetensors_find(t->file, name);

    if (t->status == MARL_OK && (!info || info->rank < 1)) {
        t->status = marl__fail(MARL_E_FORMAT, "the trace has no array '%s'", name);
    }
    return t->status == MARL_OK ? info->shape[0] : 0;
}

void marl__trace_drop(marl__trace *t, uint32_t mark) {
    while (t->block_count > mark) {
        marl__free(t->heap, t->blocks[--t->block_count]);
    }
}

marl_status marl__trace_open(marl__trace *t, const char *path) {
    marl_source source;

    marl_source_init(&source, sizeof source);
    source.path = path;
    t->status = marl__safetensors_open(t->heap, &source, MOST_TRACE_BYTES, &t->file);
    return t->status;
}

void marl__trace_close(marl__trace *t) {
    marl__trace_drop(t, 0);
    marl__safetensors_close(t->file);
}
