/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_embed: sums of outer products of entities' features and their hidden layer, gradients and tangent; the formulas
 * stand in src/core/ops/hpn_embed.c. Every sum is one chain over the entities in order (and over the rows of a chain). */
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

static void embed_row(const layer *l, const float *obs, int32_t *list, float *out) {
    const int32_t present = list_present(l, obs, list);
    float *sums = out + (ptrdiff_t)l->k * l->d;
    memset(out, 0, (size_t)l->k * ((size_t)l->d + 1) * sizeof *out);
    for (int32_t i = 0; i < present; i++) {
        const float *x = obs + list[i];
        for (int32_t p = 0; p < l->panels; p++) add_outer(l, x, hidden(l, x, p), p, out);
        for (int32_t c = 0; c < l->k; c++) sums[c] += x[c];
    }
}

void MARL__ISA(marl__run_hpn_embed)(const marl__call *call, int32_t first, int32_t count) {
    room r = open_room(call, 1, 0);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row);
        embed_row(&l, row_of(&call->in[0], row), r.list, row_of(&call->out[0], row));
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

static void embed_grad_row(const layer *l, const float *dy, const float *obs, int32_t *list, float *sums) {
    const int32_t present = list_present(l, obs, list);
    for (int32_t i = 0; i < present; i++) {
        const float *x = obs + list[i];
        for (int32_t p = 0; p < l->panels; p++) {
            const v16 u = slope_of_entity(l, x, hidden(l, x, p), dy, p);
            add_layer_outer(l, x, u, p, sums);
        }
    }
}

void MARL__ISA(marl__run_hpn_embed_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t parts = parts_of(call);
    room r = open_room(call, 2, 0);
    for (int32_t part = 0; part < parts; part++) {
        const layer l = layer_of_row(call, &r.at, part);
        clear_layer_sums(&l, r.sums);
        for (int32_t row = first + part; row < first + count; row += parts)
            embed_grad_row(&l, row_of(&call->in[0], row), row_of(&call->in[1], row), r.list, r.sums);
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
    room r = open_room(call, 2, 0);
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
    room r = open_room(call, 4, 1);
    for (int32_t row = first; row < first + count; row++) {
        const layer l = layer_of_row(call, &r.at, row), moving = layer_of_row(call, &r.moving, row);
        const float *obs = row_of(&call->in[3], row) + l.first, *dobs = row_or_null(&call->in[0], row);
        float *y = row_of(&call->out[0], row);
        memset(y, 0, (size_t)call->out[0].cols * sizeof *y);
        for (int32_t e = 0, at = 0; e < l.count; e++, at += l.k)
            embed_tangent(&l, &moving, obs + at, dobs ? dobs + l.first + at : NULL, y);
    }
}
