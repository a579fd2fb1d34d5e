/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_score: one number for each entity, its gradients and tangent; the formulas stand in src/core/ops/hpn_score.c. */
#include "backends/cpu/isa/hpn.h"

#if defined(MARL__ISA_AVX512)
enum { SCORE_PANELS = 4, GRAD_PANELS = 2, RESIDENT_K = 5 };
#else
enum { SCORE_PANELS = 1, GRAD_PANELS = 1, RESIDENT_K = 5 };
#endif

/* Columns of v in a panel; zero beyond them. */
MARL__LANE_FN v16 panel_of(const layer *l, const float *v, int32_t panel) {
    return v16_load_n(v + (ptrdiff_t)panel * 16, l->d - panel * 16);
}

/* v in whole panels: itself, or a copy. */
static const float *whole_v(const layer *l, const float *v, float *copy) {
    if (l->d % 16 == 0) return v;
    memset(copy + (ptrdiff_t)(l->panels - 1) * 16, 0, 16 * sizeof *copy);
    memcpy(copy, v, (size_t)l->d * sizeof *v);
    return copy;
}

/* z . v of one entity; v in whole panels. */
static float score_any(const layer *l, const float *x, const float *v) {
    v16 sum = v16_zero();
    for (int32_t p = 0; p < l->panels; p++) sum = v16_fma(hidden(l, x, p), v16_load(v + (ptrdiff_t)p * 16), sum);
    return v16_reduce_add(sum);
}

/* sum += the products of z and v over some panels: those of b, w and v. */
MARL__LANE_FN v16 score_panels(const float *b, const float *w, const float *x, const float *v, v16 sum, const int k,
                               const int panels) {
    v16 z[PANELS_MOST];
    tile_hidden(b, w, x, k, panels, z);
    UNROLL for (int p = 0; p < panels; p++) sum = v16_fma(z[p], v16_load(v + p * 16), sum);
    return sum;
}

typedef void score_fn(const layer *l, const float *obs, const int32_t *list, int32_t listed, const float *v, float c,
                      float *s);

/* Scores of the entities whose columns are listed, in the list's order. */
static void scores_any(const layer *l, const float *obs, const int32_t *list, int32_t listed, const float *v, float c,
                       float *s) {
    for (int32_t i = 0; i < listed; i++) s[(list[i] - l->first) / l->k] = score_any(l, obs + list[i], v) + c;
}

MARL__LANE_FN v16 score_tile(const layer *l, const float *x, const float *v, const int k) {
    const float *b = l->b, *w = l->w;
    v16 sum = v16_zero();
    int32_t panel = 0;
    MAY_HAVE_CHANGED(w);
    MAY_HAVE_CHANGED(b);
    for (; panel + SCORE_PANELS <= l->panels; panel += SCORE_PANELS)
        sum = score_panels(b + panel * 16, w + (ptrdiff_t)panel * k * 16, x, v + panel * 16, sum, k, SCORE_PANELS);
    for (; panel < l->panels; panel++)
        sum = score_panels(b + panel * 16, w + (ptrdiff_t)panel * k * 16, x, v + panel * 16, sum, k, 1);
    return sum;
}

/* With one group of panels and few features all weights stay in registers: reading them takes longer than the sums. */
#define SCORES(k)                                                                                                  \
    static void scores_##k(const layer *l, const float *obs, const int32_t *list, int32_t listed, const float *v,  \
                           float c, float *s) {                                                                    \
        int32_t is_resident = RESIDENT_K >= k && l->panels == SCORE_PANELS;                                    \
        for (int32_t i = 0; is_resident && i < listed; i++)                                                        \
            s[(list[i] - l->first) / k] = c + v16_reduce_add(score_panels(l->b, l->w, obs + list[i], v,            \
                                                                          v16_zero(), k, SCORE_PANELS));           \
        for (int32_t i = 0; !is_resident && i < listed; i++)                                                       \
            s[(list[i] - l->first) / k] = c + v16_reduce_add(score_tile(l, obs + list[i], v, k));                  \
    }
HPN_EACH_K(SCORES)

#define SCORES_ENTRY(k) [k - K_LEAST] = scores_##k,
static score_fn *const scores_tiles[] = {HPN_EACH_K(SCORES_ENTRY)};

/* The score of an absent entity, whose hidden layer is act(b). */
static float absent_score(const layer *l, const float *v) {
    v16 sum = v16_zero();
    for (int32_t p = 0; p < l->panels; p++)
        sum = v16_fma(v16_activate(l->kind, v16_load(l->b + (ptrdiff_t)p * 16)), v16_load(v + (ptrdiff_t)p * 16), sum);
    return v16_reduce_add(sum);
}

void MARL__ISA(marl__run_hpn_score)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 1, 0);
    score_fn *const scores = has_tile(&r.at) ? scores_tiles[r.at.k - K_LEAST] : scores_any;
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *obs = row_of(&call->in[0], row), *v = whole_v(&l, row_of(&call->in[3], row), r.u);
        const float c = call->in[4].data ? *row_of(&call->in[4], row) : 0.0f;
        const int32_t listed = list_present(&l, obs, r.list, NULL);
        float *s = row_of(&call->out[0], row);
        const float absent = listed < l.count ? absent_score(&l, v) + c : 0.0f;
        for (int32_t e = 0; listed < l.count && e < l.count; e++) s[e] = absent;
        scores(&l, obs, r.list, listed, v, c, s);
    }
}

/* dv (whole panels) = sum of ds z over the entities listed, some panels. */
MARL__LANE_FN void dv_tile(const layer *l, int32_t panel, const float *ds, const float *x, const int32_t *list,
                           int32_t listed, float *dv, const int k, const int panels) {
    const int32_t columns = l->d - panel * 16;
    v16 sum[PANELS_MOST], z[PANELS_MOST];
    UNROLL for (int p = 0; p < panels; p++) sum[p] = v16_zero();
    for (int32_t i = 0; i < listed; i++) {
        const v16 d = v16_set1(ds[list[i]]);
        tile_hidden(l->b + (ptrdiff_t)panel * 16, l->w + (ptrdiff_t)panel * k * 16, x + (ptrdiff_t)list[i] * k, k,
                    panels, z);
        UNROLL for (int p = 0; p < panels; p++) sum[p] = v16_fma(d, z[p], sum[p]);
    }
    UNROLL for (int p = 0; p < panels; p++)
        v16_store_n(dv + (ptrdiff_t)(panel + p) * 16, columns - p * 16, sum[p]);
}

typedef void dv_fn(const layer *l, const float *ds, const float *x, const int32_t *list, int32_t listed, float *dv);

#define DV(k)                                                                                                      \
    static void dv_##k(const layer *l, const float *ds, const float *x, const int32_t *list, int32_t listed,       \
                       float *dv) {                                                                                \
        int32_t panel = 0;                                                                                         \
        for (; panel + SCORE_PANELS <= l->panels; panel += SCORE_PANELS)                                           \
            dv_tile(l, panel, ds, x, list, listed, dv, k, SCORE_PANELS);                                           \
        for (; panel < l->panels; panel++) dv_tile(l, panel, ds, x, list, listed, dv, k, 1);                       \
    }
HPN_EACH_K(DV)

#define DV_ENTRY(k) [k - K_LEAST] = dv_##k,
static dv_fn *const dv_tiles[] = {HPN_EACH_K(DV_ENTRY)};

static void dv_any(const layer *l, const float *ds, const float *x, const int32_t *list, int32_t listed, float *dv) {
    for (int32_t p = 0; p < l->panels; p++) {
        v16 sum = v16_zero();
        for (int32_t i = 0; i < listed; i++)
            sum = v16_fma(v16_set1(ds[list[i]]), hidden(l, x + (ptrdiff_t)list[i] * l->k, p), sum);
        v16_store_n(dv + (ptrdiff_t)p * 16, l->d - p * 16, sum);
    }
}

/* dx = ds W^T u of one entity. */
static void score_dx(const layer *l, float ds, const float *x, const float *v, float *u, float *dx) {
    for (int32_t p = 0; p < l->panels; p++) /* beyond d, W is zero */
        v16_store(u + (ptrdiff_t)p * 16, v16_times_slope(l->kind, panel_of(l, v, p), hidden(l, x, p)));
    for (int32_t c = 0; c < l->k; c++) {
        v16 sum = v16_zero();
        for (int32_t p = 0; p < l->panels; p++)
            sum = v16_fma(v16_load(u + (ptrdiff_t)p * 16), v16_load(l->w + ((ptrdiff_t)p * l->k + c) * 16), sum);
        dx[c] = ds * v16_reduce_add(sum);
    }
}

static void score_dobs(const layer *l, const float *ds, const float *obs, const float *v, const room *r,
                       int32_t listed, float *dobs, int32_t cols) {
    memset(dobs, 0, (size_t)cols * sizeof *dobs);
    for (int32_t i = 0; i < listed; i++) {
        const int32_t at = l->first + r->list[i] * l->k;
        score_dx(l, ds[r->list[i]], obs + at, v, r->u, dobs + at);
    }
}

/* Inputs: ds, obs, W, b, v. Outputs, each optional: dv, dc, dobs. */
void MARL__ISA(marl__run_hpn_score_dx)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 2, 0);
    const marl__tensor *dv = &call->out[0], *dc = &call->out[1], *dobs = &call->out[2];
    dv_fn *const add = has_tile(&r.at) ? dv_tiles[r.at.k - K_LEAST] : dv_any;
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *ds = row_of(&call->in[0], row), *obs = row_of(&call->in[1], row), *v = row_of(&call->in[4], row);
        const int32_t listed = list_scored(&l, ds, r.list);
        if (dv->data) add(&l, ds, obs + l.first, r.list, listed, row_of(dv, row));
        if (dobs->data) score_dobs(&l, ds, obs, v, &r, listed, row_of(dobs, row), dobs->cols);
        if (!dc->data) continue;
        float sum = 0.0f;
        for (int32_t i = 0; i < listed; i++) sum += ds[r.list[i]];
        *row_of(dc, row) = sum;
    }
}

/* Sums for some panels of one row's entities; v in whole panels. */
MARL__LANE_FN void score_grad_tile(const layer *l, int32_t panel, const float *ds, const float *x, const float *v,
                                   const int32_t *list, int32_t listed, float *sums, const int k, const int panels) {
    v16 sum[K_MOST + 1][PANELS_MOST], z[PANELS_MOST], u[PANELS_MOST];

    v += (ptrdiff_t)panel * 16;
    sums += (ptrdiff_t)panel * (k + 1) * 16;
    UNROLL for (int c = 0; c <= k; c++)
        UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_load(sums + (p * (k + 1) + c) * 16);
    for (int32_t i = 0; i < listed; i++) {
        const float *at = x + (ptrdiff_t)list[i] * k;
        const v16 d = v16_set1(ds[list[i]]);
        tile_hidden(l->b + (ptrdiff_t)panel * 16, l->w + (ptrdiff_t)panel * k * 16, at, k, panels, z);
        UNROLL for (int p = 0; p < panels; p++) {
            u[p] = v16_times_slope(MARL__RELU, v16_mul(d, v16_load(v + p * 16)), z[p]);
            sum[k][p] = v16_add(sum[k][p], u[p]);
        }
        UNROLL for (int c = 0; c < k; c++) {
            const v16 feature = v16_set1(at[c]);
            UNROLL for (int p = 0; p < panels; p++) sum[c][p] = v16_fma(feature, u[p], sum[c][p]);
        }
    }
    UNROLL for (int c = 0; c <= k; c++)
        UNROLL for (int p = 0; p < panels; p++) v16_store(sums + (p * (k + 1) + c) * 16, sum[c][p]);
}

typedef void score_grad_fn(const layer *l, const float *ds, const float *x, const float *v, const int32_t *list,
                           int32_t listed, float *sums);

#define SCORE_GRAD(k)                                                                                              \
    static void score_grad_##k(const layer *l, const float *ds, const float *x, const float *v,                    \
                               const int32_t *list, int32_t listed, float *sums) {                                 \
        int32_t panel = 0;                                                                                         \
        for (; panel + GRAD_PANELS <= l->panels; panel += GRAD_PANELS)                                             \
            score_grad_tile(l, panel, ds, x, v, list, listed, sums, k, GRAD_PANELS);                               \
        for (; panel < l->panels; panel++) score_grad_tile(l, panel, ds, x, v, list, listed, sums, k, 1);          \
    }
HPN_EACH_K(SCORE_GRAD)

#define SCORE_GRAD_ENTRY(k) [k - K_LEAST] = score_grad_##k,
static score_grad_fn *const score_grad_tiles[] = {HPN_EACH_K(SCORE_GRAD_ENTRY)};

static void score_grad_any(const layer *l, const float *ds, const float *x, const float *v, const int32_t *list,
                           int32_t listed, float *sums) {
    for (int32_t i = 0; i < listed; i++) {
        const float *at = x + (ptrdiff_t)list[i] * l->k;
        const v16 d = v16_set1(ds[list[i]]);
        for (int32_t p = 0; p < l->panels; p++) {
            const v16 u = v16_mul(d, v16_load(v + (ptrdiff_t)p * 16));
            add_layer_outer(l, at, v16_times_slope(l->kind, u, hidden(l, at, p)), p, sums);
        }
    }
}

/* Inputs: ds, obs, W, b, v. */
void MARL__ISA(marl__run_hpn_score_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t parts = parts_of(call);
    const room r = open_room(call, 2, 0);
    score_grad_fn *const grad = has_tile(&r.at) ? score_grad_tiles[r.at.k - K_LEAST] : score_grad_any;
    for (int32_t part = 0; part < parts; part++) {
        const layer l = layer_of_row(call, &r.at, part);
        clear_layer_sums(&l, r.sums);
        for (int32_t row = first + part; row < first + count; row += parts) {
            const float *ds = row_of(&call->in[0], row), *x = row_of(&call->in[1], row) + l.first;
            const float *v = whole_v(&l, row_of(&call->in[4], row), r.u);
            const int32_t listed = list_scored(&l, ds, r.list);
            if (listed > 0) grad(&l, ds, x, v, r.list, listed, r.sums);
        }
        add_layer_sums(call, &l, part, r.sums);
    }
}

static float moving_score(const layer *l, const layer *moving, const float *x, const float *dx, const float *v) {
    v16 sum = v16_zero();
    for (int32_t p = 0; p < l->panels; p++)
        sum = v16_fma(moving_hidden(l, moving, x, dx, hidden(l, x, p), p), panel_of(l, v, p), sum);
    return v16_reduce_add(sum);
}

/* Inputs: the tangents of obs, W and b, which may be absent, obs, W, b, v. */
void MARL__ISA(marl__run_hpn_score_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 4, 1);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row), moving = layer_of_row(call, &r.moving, row);
        const float *obs = row_of(&call->in[3], row) + l.first, *dobs = row_or_null(&call->in[0], row);
        const float *v = row_of(&call->in[6], row);
        float *s = row_of(&call->out[0], row);
        for (int32_t e = 0, at = 0; e < l.count; e++, at += l.k)
            s[e] = moving_score(&l, &moving, obs + at, dobs ? dobs + l.first + at : NULL, v);
    }
}
