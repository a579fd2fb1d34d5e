/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_embed: sums of outer products of entities' features and their hidden layer, gradients and tangent; the formulas
 * stand in src/core/ops/hpn_embed.c. Every sum is one chain over the entities in order (and the rows of a unit). */
#include "backends/cpu/isa/hpn.h"

size_t MARL__ISA(marl__scratch_hpn)(const marl__call *call) {
    const int32_t op = call->node->op;
    const int32_t weight = op == MARL__OP_hpn_embed || op == MARL__OP_hpn_score           ? 1
                           : op == MARL__OP_hpn_embed_jvp || op == MARL__OP_hpn_score_jvp ? 4
                                                                                          : 2;
    const size_t d = whole_panels(layer_d(call, weight + 1)), k = (size_t)layer_k(call, weight, weight + 1);
    return 4 * (2 * layer_floats(call, weight, weight + 1) + (k + 3) * d + (size_t)call->node->ints[1]);
}

/* out (k,d) += the outer product of x and z; one panel. */
static void add_outer(const layer *l, const float *x, v16 z, int32_t panel, float *out) {
    const int32_t columns = l->d - panel * 16;
    out += (ptrdiff_t)panel * 16;
    for (int32_t c = 0; c < l->k; c++, out += l->d)
        v16_store_n(out, columns, v16_fma(v16_set1(x[c]), z, v16_load_n(out, columns)));
}

/* Registers: 32 hold k x 4 sums, 4 of z and a feature up to k = 6; 16 of half the width hold fewer. */
#if defined(MARL__ISA_AVX512)
#define EMBED_PANELS(k) ((k) <= 6 ? 4 : 2)
#else
#define EMBED_PANELS(k) 1
#endif

/* Columns [16 panel, ...) of all k rows of out, for the entities listed. */
MARL__LANE_FN void embed_tile(const layer *l, int32_t panel, const float *obs, const int32_t *list, int32_t listed,
                              float *out, const int k, const int panels) {
    const float *w = l->w + (ptrdiff_t)panel * k * 16, *b = l->b + (ptrdiff_t)panel * 16;
    const int32_t columns = l->d - panel * 16;
    v16 sum[K_MOST][PANELS_MOST], z[PANELS_MOST];

    UNROLL for (int c = 0; c < k; c++)
        UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_zero();
    for (int32_t i = 0; i < listed; i++) {
        const float *x = obs + list[i];
        MAY_HAVE_CHANGED(w);
        MAY_HAVE_CHANGED(b);
        tile_hidden(b, w, x, k, panels, z);
        UNROLL for (int c = 0; c < k; c++) {
            const v16 feature = v16_set1(x[c]);
            UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_fma(feature, z[p], sum[c][p]);
        }
    }
    out += (ptrdiff_t)panel * 16;
    UNROLL for (int c = 0; c < k; c++)
        UNROLL for (int p = 0; p < panels; p++)
            v16_store_n(out + (ptrdiff_t)c * l->d + p * 16, columns - p * 16, sum[c][p]);
}

typedef void embed_fn(const layer *l, const float *obs, const int32_t *list, int32_t listed, float *out);

#define EMBED(k)                                                                                                   \
    static void embed_##k(const layer *l, const float *obs, const int32_t *list, int32_t listed, float *out) {     \
        int32_t panel = 0;                                                                                         \
        for (; panel + EMBED_PANELS(k) <= l->panels; panel += EMBED_PANELS(k))                                     \
            embed_tile(l, panel, obs, list, listed, out, k, EMBED_PANELS(k));                                      \
        for (; panel < l->panels; panel++) embed_tile(l, panel, obs, list, listed, out, k, 1);                     \
    }
HPN_EACH_K(EMBED)

#define EMBED_ENTRY(k) [k - K_LEAST] = embed_##k,
static embed_fn *const embed_tiles[] = {HPN_EACH_K(EMBED_ENTRY)};

static void embed_any(const layer *l, const float *obs, const int32_t *list, int32_t listed, float *out) {
    memset(out, 0, (size_t)l->k * (size_t)l->d * sizeof *out);
    for (int32_t i = 0; i < listed; i++)
        for (int32_t p = 0; p < l->panels; p++) add_outer(l, obs + list[i], hidden(l, obs + list[i], p), p, out);
}

void MARL__ISA(marl__run_hpn_embed)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 1, 0);
    embed_fn *const embed = has_tile(&r.at) ? embed_tiles[r.at.k - K_LEAST] : embed_any;
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *obs = row_of(&call->in[0], row);
        float *out = row_of(&call->out[0], row);
        const int32_t listed = list_present(&l, obs, r.list, out + (ptrdiff_t)l.k * l.d);
        embed(&l, obs, r.list, listed, out);
    }
}

/* act'(z) times the sum of x_c G_c, one panel. */
static v16 slope_of_entity(const layer *l, const float *x, v16 z, const float *G, int32_t panel) {
    const int32_t columns = l->d - panel * 16;
    v16 sum = v16_zero();
    for (int32_t c = 0; c < l->k; c++)
        sum = v16_fma(v16_set1(x[c]), v16_load_n(G + (ptrdiff_t)c * l->d + panel * 16, columns), sum);
    return v16_times_slope(l->kind, sum, z);
}

#if defined(MARL__ISA_AVX512)
#define EMBED_GRAD_PANELS 2
#else
#define EMBED_GRAD_PANELS 1
#endif

/* Sums for some panels of one row's entities. */
MARL__LANE_FN void embed_grad_tile(const layer *l, int32_t panel, const float *dy, const float *obs,
                                   const int32_t *list, int32_t listed, float *sums, const int k, const int panels) {
    const float *w = l->w + (ptrdiff_t)panel * k * 16, *b = l->b + (ptrdiff_t)panel * 16;
    const int32_t columns = l->d - panel * 16;
    v16 G[K_MOST][PANELS_MOST], sum[K_MOST + 1][PANELS_MOST], z[PANELS_MOST], u[PANELS_MOST];

    dy += (ptrdiff_t)panel * 16;
    sums += (ptrdiff_t)panel * (k + 1) * 16;
    UNROLL for (int c = 0; c < k; c++)
        UNROLL for (int p = 0; p < panels; p++)
            G[c][p] = v16_load_n(dy + (ptrdiff_t)c * l->d + p * 16, columns - p * 16);
    UNROLL for (int c = 0; c <= k; c++)
        UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_load(sums + (p * (k + 1) + c) * 16);
    for (int32_t i = 0; i < listed; i++) {
        const float *x = obs + list[i];
        MAY_HAVE_CHANGED(w);
        MAY_HAVE_CHANGED(b);
        tile_hidden(b, w, x, k, panels, z);
        UNROLL for (int p = 0; p < panels; p++) u[p] = v16_zero();
        UNROLL for (int c = 0; c < k; c++) {
            const v16 feature = v16_set1(x[c]);
            UNROLL for (int p = 0; p < panels; p++) u[p] = v16_fma(feature, G[c][p], u[p]);
        }
        UNROLL for (int p = 0; p < panels; p++) {
            u[p] = v16_times_slope(MARL__RELU, u[p], z[p]);
            sum[k][p] = v16_add(sum[k][p], u[p]);
        }
        UNROLL for (int c = 0; c < k; c++) {
            const v16 feature = v16_set1(x[c]);
            UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_fma(feature, u[p], sum[c][p]);
        }
    }
    UNROLL for (int c = 0; c <= k; c++)
        UNROLL for (int p = 0; p < panels; p++) v16_store(sums + (p * (k + 1) + c) * 16, sum[c][p]);
}

typedef void embed_grad_fn(const layer *l, const float *dy, const float *obs, const int32_t *list, int32_t listed,
                           float *sums);

#define EMBED_GRAD(k)                                                                                              \
    static void embed_grad_##k(const layer *l, const float *dy, const float *obs, const int32_t *list,             \
                               int32_t listed, float *sums) {                                                      \
        int32_t panel = 0;                                                                                         \
        for (; panel + EMBED_GRAD_PANELS <= l->panels; panel += EMBED_GRAD_PANELS)                                 \
            embed_grad_tile(l, panel, dy, obs, list, listed, sums, k, EMBED_GRAD_PANELS);                          \
        for (; panel < l->panels; panel++) embed_grad_tile(l, panel, dy, obs, list, listed, sums, k, 1);           \
    }
HPN_EACH_K(EMBED_GRAD)

#define EMBED_GRAD_ENTRY(k) [k - K_LEAST] = embed_grad_##k,
static embed_grad_fn *const embed_grad_tiles[] = {HPN_EACH_K(EMBED_GRAD_ENTRY)};

static void embed_grad_any(const layer *l, const float *dy, const float *obs, const int32_t *list, int32_t listed,
                           float *sums) {
    for (int32_t i = 0; i < listed; i++) {
        const float *x = obs + list[i];
        for (int32_t p = 0; p < l->panels; p++)
            add_layer_outer(l, x, slope_of_entity(l, x, hidden(l, x, p), dy, p), p, sums);
    }
}

void MARL__ISA(marl__run_hpn_embed_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t parts = parts_of(call);
    const room r = open_room(call, 2, 0);
    embed_grad_fn *const grad = has_tile(&r.at) ? embed_grad_tiles[r.at.k - K_LEAST] : embed_grad_any;
    for (int32_t part = 0; part < parts; part++) {
        const layer l = layer_of_row(call, &r.at, part);
        clear_layer_sums(&l, r.sums);
        for (int32_t row = first + part; row < first + count; row += parts) {
            const float *obs = row_of(&call->in[1], row);
            const int32_t listed = list_present(&l, obs, r.list, NULL);
            if (listed > 0) grad(&l, row_of(&call->in[0], row), obs, r.list, listed, r.sums);
        }
        add_layer_sums(call, &l, part, r.sums);
    }
}

/* dx = G z + s + W^T u of one entity; absent ones have one too. */
static void embed_dx_entity(const layer *l, const float *x, const float *dy, const room *r, float *dx) {
    for (int32_t p = 0; p < l->panels; p++) {
        const v16 z = hidden(l, x, p);
        const v16m columns = v16m_tail(l->d - p * 16);
        v16_store(r->z + (ptrdiff_t)p * 16, v16_keep(columns, z));
        v16_store(r->u + (ptrdiff_t)p * 16, v16_keep(columns, slope_of_entity(l, x, z, dy, p)));
    }
    for (int32_t c = 0; c < l->k; c++) {
        v16 sum = v16_zero();
        for (int32_t p = 0; p < l->panels; p++) {
            const v16 G = v16_load_n(dy + (ptrdiff_t)c * l->d + p * 16, l->d - p * 16);
            sum = v16_fma(v16_load(r->z + (ptrdiff_t)p * 16), G, sum);
            sum = v16_fma(v16_load(r->u + (ptrdiff_t)p * 16), v16_load(l->w + ((ptrdiff_t)p * l->k + c) * 16), sum);
        }
        dx[c] = v16_reduce_add(sum) + dy[(ptrdiff_t)l->k * l->d + c];
    }
}

void MARL__ISA(marl__run_hpn_embed_dx)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 2, 0);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *dy = row_of(&call->in[0], row), *obs = row_of(&call->in[1], row) + l.first;
        float *dx = row_of(&call->out[0], row);
        memset(dx, 0, (size_t)call->out[0].cols * sizeof *dx);
        dx += l.first;
        for (int32_t e = 0; e < l.count; e++) embed_dx_entity(&l, obs + e * l.k, dy, &r, dx + e * l.k);
    }
}

/* y += x z'^T + x' z^T of one entity; dx: x', or NULL. */
static void embed_tangent(const layer *l, const layer *moving, const float *x, const float *dx, float *y) {
    for (int32_t p = 0; p < l->panels; p++) {
        const v16 z = hidden(l, x, p);
        add_outer(l, x, moving_hidden(l, moving, x, dx, z, p), p, y);
        if (dx) add_outer(l, dx, z, p, y);
    }
    for (int32_t c = 0; dx && c < l->k; c++) y[(ptrdiff_t)l->k * l->d + c] += dx[c];
}

/* Inputs: the tangents of obs, W and b, which may be absent, obs, W, b. */
void MARL__ISA(marl__run_hpn_embed_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 4, 1);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row), moving = layer_of_row(call, &r.moving, row);
        const float *obs = row_of(&call->in[3], row) + l.first, *dobs = row_or_null(&call->in[0], row);
        float *y = row_of(&call->out[0], row);
        memset(y, 0, (size_t)call->out[0].cols * sizeof *y);
        for (int32_t e = 0, at = 0; e < l.count; e++, at += l.k)
            embed_tangent(&l, &moving, obs + at, dobs ? dobs + l.first + at : NULL, y);
    }
}
