/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_score: one number for each entity, its gradients and tangent; the formulas stand in src/core/ops/hpn_score.c. */
#include "backends/cpu/isa/hpn.h"

/* Columns of v in a panel; zero beyond them. */
MARL__LANE_FN v16 panel_of(const layer *l, const float *v, int32_t panel) {
    return v16_load_n(v + (ptrdiff_t)panel * 16, l->d - panel * 16);
}

static float score(const layer *l, const float *x, const float *v) {
    v16 sum = v16_zero();
    for (int32_t p = 0; p < l->panels; p++) sum = v16_fma(hidden(l, x, p), panel_of(l, v, p), sum);
    return v16_reduce_add(sum);
}

void MARL__ISA(marl__run_hpn_score)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 1, 0);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *x = row_of(&call->in[0], row) + l.first, *v = row_of(&call->in[3], row);
        const float *c = row_or_null(&call->in[4], row);
        float *s = row_of(&call->out[0], row);
        for (int32_t e = 0; e < l.count; e++, x += l.k) s[e] = score(&l, x, v) + (c ? *c : 0.0f);
    }
}

/* dv += ds z over the entities listed. */
static void score_dv(const layer *l, const float *ds, const float *obs, const int32_t *list, int32_t listed,
                     float *dv) {
    for (int32_t p = 0; p < l->panels; p++) {
        v16 sum = v16_zero();
        for (int32_t i = 0; i < listed; i++)
            sum = v16_fma(v16_set1(ds[(list[i] - l->first) / l->k]), hidden(l, obs + list[i], p), sum);
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

/* Inputs: ds, obs, W, b, v. Outputs, each optional: dv, dc, dobs. */
void MARL__ISA(marl__run_hpn_score_dx)(const marl__call *call, int32_t first, int32_t count) {
    const room r = open_room(call, 2, 0);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        const float *ds = row_of(&call->in[0], row), *obs = row_of(&call->in[1], row), *v = row_of(&call->in[4], row);
        const int32_t listed = list_scored(&l, ds, r.list);
        if (call->out[0].data) score_dv(&l, ds, obs, r.list, listed, row_of(&call->out[0], row));
        if (call->out[1].data) {
            float sum = 0.0f;
            for (int32_t e = 0; e < l.count; e++) sum += ds[e];
            *row_of(&call->out[1], row) = sum;
        }
        if (!call->out[2].data) continue;
        float *dobs = row_of(&call->out[2], row);
        memset(dobs, 0, (size_t)call->out[2].cols * sizeof *dobs);
        for (int32_t i = 0; i < listed; i++)
            score_dx(&l, ds[(r.list[i] - l.first) / l.k], obs + r.list[i], v, r.u, dobs + r.list[i]);
    }
}

static void score_grad_row(const layer *l, const float *ds, const float *obs, const float *v, const room *r) {
    const int32_t listed = list_scored(l, ds, r->list);
    for (int32_t i = 0; i < listed; i++) {
        const float *x = obs + r->list[i];
        const float d = ds[(r->list[i] - l->first) / l->k];
        for (int32_t p = 0; p < l->panels; p++) {
            const v16 u = v16_times_slope(l->kind, v16_mul(v16_set1(d), panel_of(l, v, p)), hidden(l, x, p));
            add_layer_outer(l, x, u, p, r->sums);
        }
    }
}

/* Inputs: ds, obs, W, b, v. */
void MARL__ISA(marl__run_hpn_score_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t parts = parts_of(call);
    const room r = open_room(call, 2, 0);
    for (int32_t part = 0; part < parts; part++) {
        const layer l = layer_of_row(call, &r.at, part);
        clear_layer_sums(&l, r.sums);
        for (int32_t row = first + part; row < first + count; row += parts)
            score_grad_row(&l, row_of(&call->in[0], row), row_of(&call->in[1], row), row_of(&call->in[4], row), &r);
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
