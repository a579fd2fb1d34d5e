/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters: one flat f32 vector with a table of names and shapes. Gradient, moments and copies share its layout, so
 * clipping, target updates and checkpoints are single passes. Entries belong to a range (contiguous, 64-byte aligned:
 * what a slot binds) and ranges to an optimiser group. A version is one immutable set of values, flat and packed. */
#ifndef MARL__CORE_PARAMS_PARAMS_H
#define MARL__CORE_PARAMS_PARAMS_H

#include "core/device.h"

enum marl__init { MARL__INIT_UNIFORM /* [-a, a] */, MARL__INIT_CONSTANT /* a */, MARL__INIT_ORTHOGONAL /* gain a */,
                  MARL__INIT_NORMAL /* standard deviation a */ };

typedef struct marl__param {
    char name[96];
    int32_t rank;
    int32_t shape[4];      /* as it is in files; with groups > 1 the first is the group */
    int32_t groups;        /* K; 1 when shared */
    int32_t rows, cols;    /* of one group's matrix (out, in); a vector has rows = its length, cols = 1 */
    int32_t is_weight;     /* 1: used in products, so it is packed */
    int32_t init;          /* marl__init */
    float init_value;
    size_t offset, count;  /* floats in the flat vector; offset is a multiple of 16 */
    size_t packed, packed_backward; /* floats in the packed vector, group 0; groups follow at packed_stride */
    size_t packed_stride, packed_backward_stride;
    int32_t range;
} marl__param;

typedef struct marl__range {
    char name[32];         /* "agent", "mixer", "actor3" */
    size_t offset, count;  /* floats, padding included */
    int32_t first_param, param_count;
    int32_t group;         /* optimiser group */
} marl__range;

/* The table: built by nets (marl__params_add), then frozen (offsets fixed). Owns no values. */
typedef struct marl__params {
    marl__heap *heap;
    const marl__products *products; /* of the device: sizes of packed weights */
    marl__param *list;
    int32_t count, capacity;
    marl__range *ranges;
    int32_t range_count, range_capacity;
    int32_t group_count;
    size_t floats;         /* of the flat vector, padding included (padding is 0 and stays 0) */
    size_t packed_floats;
    int32_t is_frozen;
    marl_status status;    /* sticky */
} marl__params;

marl_status marl__params_create(marl_device *device, marl__params **out);
void marl__params_destroy(marl__params *params);

/* Begins a range; following adds belong to it. name: prefix of file names ("agent"). */
int32_t marl__params_range(marl__params *params, const char *name, int32_t group);
/* groups 1: shape as given; groups K > 1: (K, shape...). Returns the index, -1 on failure (sticky). rank 1 or 2.
 * A rank-2 entry is a product weight (out, in). */
int32_t marl__params_add(marl__params *params, const char *name, int32_t groups, int32_t rank, int32_t rows,
                         int32_t cols, int32_t init, float init_value);
marl_status marl__params_freeze(marl__params *params);
int32_t marl__params_find(const marl__params *params, const char *name); /* -1: none */

/* One set of values. */
typedef struct marl__version {
    float *flat, *packed;
} marl__version;
marl_status marl__version_create(const marl__params *params, marl__version *out); /* zeroed */
void marl__version_destroy(const marl__params *params, marl__version *version);
/* Initial values: Philox stream INIT, one a parameter, so that no parameter depends on another's size. */
void marl__params_init(const marl__params *params, uint64_t seed, float *flat);
/* Packs one parameter of a version from its flat values; a unit of the learner's pack phase. */
void marl__version_pack(const marl__params *params, marl__version *version, int32_t index);
void marl__version_pack_all(const marl__params *params, marl__version *version);

#endif
