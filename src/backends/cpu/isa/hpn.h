/* SPDX-License-Identifier: Apache-2.0 */
/* What hpn_embed.c and hpn_score.c share: entities in the columns of an observation and the hidden layer
 * z = act(W x + b) they pass through, a panel of 16 of its d columns at a time. */
#ifndef MARL__BACKENDS_CPU_ISA_HPN_H
#define MARL__BACKENDS_CPU_ISA_HPN_H

#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

/* The hidden layer of all groups, as a unit of work sees it. */
typedef struct layer {
    int32_t first, count, kind;       /* of the node */
    int32_t k, d, panels, groups;
    const float *w, *b;               /* packed: panel, feature, 16 columns; b padded with zeros to whole panels */
    size_t w_stride, b_stride;        /* from group to group */
} layer;

static inline size_t whole_panels(int32_t d) { return ((size_t)d + 15) / 16 * 16; }

static inline int32_t layer_d(const marl__call *call, int32_t bias) { return call->in[bias].cols / call->node->groups; }

static inline int32_t layer_k(const marl__call *call, int32_t weight, int32_t bias) {
    return call->in[weight].cols / call->in[bias].cols;
}

/* Floats of scratch that one weight and one bias may take: see pack_layer. */
static inline size_t layer_floats(const marl__call *call, int32_t weight, int32_t bias) {
    const size_t d = whole_panels(layer_d(call, bias));
    return (size_t)call->node->groups * d * ((size_t)layer_k(call, weight, bias) + 1);
}

/* A unit's scratch: marl__scratch_hpn has room for it. */
typedef struct room {
    layer at, moving;   /* the layer, and in forward mode its tangents */
    int32_t *list;      /* (count) columns of entities in a row */
    float *z, *u;       /* (d) of one entity, in whole panels */
    float *sums;        /* (panel, k + 1, 16) */
} room;

/* Lays the bias out in whole panels and, on a device whose products pack nothing, the weight. *scratch moves on. An
 * absent tangent (b or w NULL) is zero. */
static inline layer pack_layer(const marl__call *call, int32_t weight, int32_t bias, int32_t like, float **scratch) {
    const int32_t *ints = call->node->ints, groups = call->node->groups;
    const int32_t d = layer_d(call, like + 1), k = layer_k(call, like, like + 1);
    const size_t padded = whole_panels(d), floats = padded * (size_t)k;
    const float *plain = call->in[weight].data, *from = call->in[bias].data;
    layer l = {.first = ints[0], .count = ints[1], .kind = ints[2], .k = k, .d = d, .panels = (int32_t)(padded / 16),
               .groups = groups, .w = call->packed[weight], .b = *scratch, .w_stride = floats, .b_stride = padded};

    memset(*scratch, 0, (size_t)groups * padded * sizeof **scratch);
    for (int32_t g = 0; from && g < groups; g++)
        memcpy(*scratch + (size_t)g * padded, from + (ptrdiff_t)g * d, (size_t)d * sizeof *from);
    *scratch += (size_t)groups * padded;
    if (plain && call->products->packed_floats(d, k) > 0) return l;
    l.w = *scratch;
    memset(*scratch, 0, (size_t)groups * floats * sizeof **scratch);
    for (int32_t g = 0; plain && g < groups; g++)
        for (int32_t j = 0; j < d; j++)
            for (int32_t c = 0; c < k; c++)
                (*scratch)[(size_t)g * floats + (size_t)((j / 16 * k + c) * 16 + j % 16)] = *plain++;
    *scratch += (size_t)groups * floats;
    return l;
}

static inline room open_room(const marl__call *call, int32_t weight, int32_t has_tangents) {
    float *scratch = call->scratch;
    room r = {.at = pack_layer(call, weight, weight + 1, weight, &scratch)};
    if (has_tangents) r.moving = pack_layer(call, 1, 2, weight, &scratch);
    r.z = scratch;
    r.u = r.z + r.at.b_stride;
    r.sums = r.u + r.at.b_stride;
    r.list = (int32_t *)(void *)(r.sums + ((size_t)r.at.k + 1) * r.at.b_stride);
    return r;
}

/* The layer of the agent a row belongs to. */
static inline layer layer_of_row(const marl__call *call, const layer *all, int32_t row) {
    const size_t group = (size_t)group_of(call, row % parts_of(call));
    layer l = *all;
    l.w += group * l.w_stride;
    l.b += group * l.b_stride;
    return l;
}

/* W x + b for one panel: a chain from the bias over the features. */
MARL__LANE_FN v16 hidden_sum(const layer *l, const float *x, int32_t panel) {
    const float *w = l->w + (ptrdiff_t)panel * l->k * 16;
    v16 sum = v16_load(l->b + (ptrdiff_t)panel * 16);
    for (int32_t c = 0; c < l->k; c++) sum = v16_fma(v16_set1(x[c]), v16_load(w + (ptrdiff_t)c * 16), sum);
    return sum;
}

/* Columns of the entities of a row that are present: not all zero. sums, or NULL: the sum of their features. */
static inline int32_t list_present(const layer *l, const float *obs, int32_t *list, float *sums) {
    const v16m features = v16m_tail(l->k);
    const float *x = obs + l->first;
    int32_t present = 0;
    v16 sum = v16_zero();

    for (int32_t e = 0; e < l->count; e++, x += l->k) {
        const v16 some = v16_load_tail(x, features);
        uint32_t bits = v16m_bits(v16_ne(some, v16_zero()));
        for (int32_t c = 16; c < l->k; c++) bits |= x[c] != 0.0f;
        sum = v16_add(sum, some);
        list[present] = (int32_t)(x - obs);
        present += bits != 0;
    }
    if (!sums) return present;
    v16_store_n(sums, l->k, sum);
    for (int32_t c = 16; c < l->k; c++) sums[c] = 0.0f;
    for (int32_t i = 0; i < present; i++)
        for (int32_t c = 16; c < l->k; c++) sums[c] += obs[list[i] + c];
    return present;
}

/* Numbers of the entities of a row whose score has a gradient: mostly one. */
static inline int32_t list_scored(const layer *l, const float *ds, int32_t *list) {
    int32_t scored = 0;
    for (int32_t e = 0; e < l->count; e += 16) {
        uint32_t bits = v16m_bits(v16_ne(v16_load_n(ds + e, l->count - e), v16_zero()));
        for (; bits; bits &= bits - 1) list[scored++] = e + __builtin_ctz(bits);
    }
    return scored;
}

MARL__LANE_FN v16 hidden(const layer *l, const float *x, int32_t panel) {
    return v16_activate(l->kind, hidden_sum(l, x, panel));
}

/* Tiles: the same sums for a number of features and panels that the compiler knows, and relu, so that all loops unroll
 * and sums stay in registers. Other numbers of features and other activations take the general way; a number is the
 * same chain of the same operations on both. */
#define HPN_EACH_K(TILE) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9)
enum { K_LEAST = 3, K_MOST = 9, PANELS_MOST = 4 };

static inline int has_tile(const layer *l) { return l->kind == MARL__RELU && l->k >= K_LEAST && l->k <= K_MOST; }

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* z of one entity for some panels: b and w are the first one's. */
MARL__LANE_FN void tile_hidden(const float *b, const float *w, const float *x, const int k, const int panels, v16 *z) {
    UNROLL for (int p = 0; p < panels; p++) z[p] = v16_load(b + p * 16);
    UNROLL for (int c = 0; c < k; c++) {
        const v16 feature = v16_set1(x[c]);
        UNROLL for (int p = 0; p < panels; p++) z[p] = v16_fma(feature, v16_load(w + (p * k + c) * 16), z[p]);
    }
    UNROLL for (int p = 0; p < panels; p++) z[p] = v16_relu(z[p]);
}

/* Said of w and b before tile_hidden, where registers have no room for weights: they are read from the nearest cache
 * for every entity. A compiler that knew they do not change would keep copies on the stack, made anew for every row. */
#define MAY_HAVE_CHANGED(pointer) __asm__("" : "+r"(pointer))

/* The tangent of z for one panel; moving holds those of W and b, dx (or NULL) that of x. */
MARL__LANE_FN v16 moving_hidden(const layer *l, const layer *moving, const float *x, const float *dx, v16 z,
                                int32_t panel) {
    v16 sum = hidden_sum(moving, x, panel);
    for (int32_t c = 0; dx && c < l->k; c++)
        sum = v16_fma(v16_set1(dx[c]), v16_load(l->w + ((ptrdiff_t)panel * l->k + c) * 16), sum);
    return v16_times_slope(l->kind, sum, z);
}

/* Sums of one chain for the gradients of W and b: for each panel k vectors for W and one for b. */
static inline void clear_layer_sums(const layer *l, float *sums) {
    memset(sums, 0, ((size_t)l->k + 1) * l->b_stride * sizeof *sums);
}

/* sums += (x, 1) u^T for one panel. */
MARL__LANE_FN void add_layer_outer(const layer *l, const float *x, v16 u, int32_t panel, float *sums) {
    sums += (ptrdiff_t)panel * (l->k + 1) * 16;
    for (int32_t c = 0; c < l->k; c++, sums += 16) v16_store(sums, v16_fma(v16_set1(x[c]), u, v16_load(sums)));
    v16_store(sums, v16_add(v16_load(sums), u));
}

/* Adds the sums to the gradients of the weight in[2] and the bias in[3] of a part's group. */
static inline void add_layer_sums(const marl__call *call, const layer *l, int32_t part, const float *sums) {
    const ptrdiff_t group = group_of(call, part);
    float *dw = call->grad[2] ? call->grad[2] + group * l->d * l->k : NULL;
    float *db = call->grad[3] ? call->grad[3] + group * l->d : NULL;
    for (int32_t j = 0; j < l->d; j++) {
        const float *from = sums + (ptrdiff_t)(j / 16) * (l->k + 1) * 16 + j % 16;
        for (int32_t c = 0; dw && c < l->k; c++) dw[(ptrdiff_t)j * l->k + c] += from[(ptrdiff_t)c * 16];
        if (db) db[j] += from[(ptrdiff_t)l->k * 16];
    }
}

#endif
