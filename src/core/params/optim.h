/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers over the flat vector: RMSprop and Adam as PyTorch computes them (eps outside the root), the norm clipped
 * per optimiser group. Work is cut into blocks of at most MARL__FLAT_BLOCK elements, so it can be spread over threads
 * and stopped between blocks; the state is plain arrays for checkpoints. */
#ifndef MARL__CORE_PARAMS_OPTIM_H
#define MARL__CORE_PARAMS_OPTIM_H

#include "core/params/params.h"

enum marl__optim_kind { MARL__RMSPROP, MARL__ADAM };

typedef struct marl__optim_group {
    int32_t kind;
    double lr, clip;            /* clip 0: none */
    double alpha, beta1, beta2, eps;
    int64_t step;               /* updates done */
    double power1, power2;      /* beta1^step, beta2^step */
    /* of the update in hand */
    double norm;                /* before clipping */
    float scale;                /* that clipping multiplies gradients with */
} marl__optim_group;

typedef struct marl__block { size_t offset; int32_t count, group; } marl__block;

typedef struct marl__optim {
    marl__heap *heap;
    const marl__flat_kernels *flat;
    marl__optim_group *groups;
    int32_t group_count;
    float *moment1, *moment2;   /* layout of the parameters; moment1 only for Adam */
    size_t floats;
    marl__block *blocks;
    int32_t block_count;
    double *square_sums;        /* of each block, of the update in hand */
} marl__optim;

/* One group of settings for each optimiser group of the table; moments zero. */
marl_status marl__optim_create(marl_device *device, const marl__params *params, const marl__optim_group *groups,
                               int32_t group_count, marl__optim **out);
void marl__optim_destroy(marl__optim *optim);

/* An update: sum_shards on every block, norms once, apply on every block, finish once. */
void marl__optim_sum_shards(marl__optim *optim, int32_t block, float *const *shards, int32_t shard_count,
                            float *gradient);
/* Norms and clipping of all groups; MARL_E_NOT_FINITE when a gradient is NaN or infinite (nothing has changed). */
marl_status marl__optim_norms(marl__optim *optim);
void marl__optim_apply(marl__optim *optim, int32_t block, const float *params, const float *gradient, float *out);

#endif
