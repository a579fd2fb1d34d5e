/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers: the moments, the norms and the corrections; the passes themselves are the device's flat kernels. */
#include "core/params/optim.h"

#include <math.h>

#include "core/base/status.h"

static marl_status cut_blocks(marl__optim *optim, const marl__params *params) {
    int32_t count = 0;
    for (int32_t r = 0; r < params->range_count; r++)
        count += (int32_t)((params->ranges[r].count + MARL__FLAT_BLOCK - 1) / MARL__FLAT_BLOCK);
    void *array = NULL;
    marl_status status = marl__alloc_array(optim->heap, (size_t)count, sizeof(marl__block), &array);
    if (status != MARL_OK) return status;
    optim->blocks = array;
    for (int32_t r = 0; r < params->range_count; r++) {
        const marl__range *range = &params->ranges[r];
        for (size_t at = 0; at < range->count; at += MARL__FLAT_BLOCK) {
            size_t left = range->count - at;
            optim->blocks[optim->block_count++] = (marl__block){
                range->offset + at, (int32_t)(left < MARL__FLAT_BLOCK ? left : MARL__FLAT_BLOCK), range->group};
        }
    }
    return MARL_OK;
}

marl_status marl__optim_create(marl_device *device, const marl__params *params, const marl__optim_group *groups,
                               int32_t group_count, marl__optim **out) {
    marl_status status = MARL_OK;
    marl__optim *optim = NULL;
    void *array = NULL;
    int32_t uses_adam = 0;

    *out = NULL;
    MARL_ASSERT(group_count >= params->group_count);
    optim = marl__alloc_zero(&device->heap, sizeof *optim);
    if (!optim) {
        status = marl__no_memory(sizeof *optim);
        goto done;
    }
    optim->heap = &device->heap;
    optim->flat = device->table.flat;
    optim->floats = params->floats;
    if ((status = marl__alloc_array(optim->heap, (size_t)group_count, sizeof *groups, &array)) != MARL_OK) goto done;
    optim->groups = array;
    optim->group_count = group_count;
    for (int32_t i = 0; i < group_count; i++) {
        optim->groups[i] = groups[i];
        optim->groups[i].step = 0;
        optim->groups[i].power1 = optim->groups[i].power2 = 1.0;
        uses_adam |= groups[i].kind == MARL__ADAM;
    }
    if ((status = marl__alloc_array(optim->heap, optim->floats, sizeof(float), &array)) != MARL_OK) goto done;
    optim->moment2 = array;
    if (uses_adam) {
        if ((status = marl__alloc_array(optim->heap, optim->floats, sizeof(float), &array)) != MARL_OK) goto done;
        optim->moment1 = array;
    }
    if ((status = cut_blocks(optim, params)) != MARL_OK) goto done;
    status = marl__alloc_array(optim->heap, (size_t)optim->block_count, sizeof(double), &array);
    if (status != MARL_OK) goto done;
    optim->square_sums = array;
    *out = optim;
    optim = NULL;
done:
    marl__optim_destroy(optim);
    return status;
}

void marl__optim_destroy(marl__optim *optim) {
    if (!optim) return;
    marl__free(optim->heap, optim->groups);
    marl__free(optim->heap, optim->moment1);
    marl__free(optim->heap, optim->moment2);
    marl__free(optim->heap, optim->blocks);
    marl__free(optim->heap, optim->square_sums);
    marl__free(optim->heap, optim);
}

void marl__optim_sum_shards(marl__optim *optim, int32_t block, float *const *shards, int32_t shard_count,
                            float *gradient) {
    const marl__block *at = &optim->blocks[block];
    float *moved[64];
    MARL_ASSERT(shard_count <= 64);
    for (int32_t s = 0; s < shard_count; s++) moved[s] = shards[s] + at->offset;
    optim->flat->sum_tree(at->count, moved, shard_count, gradient + at->offset);
    optim->square_sums[block] = optim->flat->square_sum(at->count, gradient + at->offset);
}

marl_status marl__optim_norms(marl__optim *optim) {
    for (int32_t g = 0; g < optim->group_count; g++) {
        double sum = 0.0;
        for (int32_t b = 0; b < optim->block_count; b++)
            if (optim->blocks[b].group == g) sum += optim->square_sums[b];
        if (!isfinite(sum))
            return marl__fail(MARL_E_NOT_FINITE, "the gradient is not finite; the parameters are as they were");
        optim->groups[g].norm = sqrt(sum);
    }
    for (int32_t g = 0; g < optim->group_count; g++) {
        marl__optim_group *group = &optim->groups[g];
        double factor = group->clip > 0.0 ? group->clip / (group->norm + 1e-6) : 1.0;
        group->scale = factor < 1.0 ? (float)factor : 1.0f;
        group->step++;
        group->power1 *= group->beta1;
        group->power2 *= group->beta2;
    }
    return MARL_OK;
}

/* Adam: p - lr m^ / (sqrt(v^) + eps) with m^ = m / (1 - b1^t), v^ = v / (1 - b2^t); the corrections are taken out of
 * the loop as a step size and a factor of the root. */
void marl__optim_apply(marl__optim *optim, int32_t block, const float *params, const float *gradient, float *out) {
    const marl__block *at = &optim->blocks[block];
    const marl__optim_group *group = &optim->groups[at->group];
    const float *p = params + at->offset, *g = gradient + at->offset;
    float *v = optim->moment2 + at->offset, *to = out + at->offset;
    if (group->kind == MARL__ADAM) {
        float step = (float)(group->lr / (1.0 - group->power1)), root = (float)(1.0 / sqrt(1.0 - group->power2));
        optim->flat->adam(at->count, p, g, group->scale, optim->moment1 + at->offset, v, step, group->beta1,
                          group->beta2, root, (float)group->eps, to);
    } else {
        optim->flat->rmsprop(at->count, p, g, group->scale, v, (float)group->lr, group->alpha,
                             (float)group->eps, to);
    }
}
