/* SPDX-License-Identifier: Apache-2.0 */
/* Every op on every CPU backend, from the table of ops_cases.h. For each case and each shape (1, odd and wide columns,
 * no rows, spare capacity, packed episodes of uneven length, more rows than a gradient chain, shared and grouped
 * parameters):
 *   - the output equals the naive one;
 *   - the gradient of sum(output * seed) equals central differences of the naive one. These are taken in double, so
 *     they are good to about 1e-9 and the tolerance is that of float arithmetic alone;
 *   - the tangent of the output along a random direction of all leaves (and of some of them) equals the naive one's
 *     central difference, and its sum with the seed is the gradient's sum with the direction;
 *   - AVX2 and AVX-512 give the same bits;
 *   - running unit by unit, two runs in turn, gives the bits of running at once;
 *   - a team gives the same bits alone as in its batch;
 *   - rows beyond the counts are neither read (they hold NaN) nor written.
 * The graphs together must contain every op of ops.def. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "core/ops_cases.h"
#include "marl/config.h"
#include "support/support.h"

Suite *marl__suite_core_ops(void);

/* Numbers --------------------------------------------------------------------------------------------------------- */

static double draw(marl__rng *rng, fill kind, int32_t indices) {
    switch (kind) {
    case POSITIVE: return 0.5 + marl__rng_real(rng);
    case FLAG: return marl__rng_below(rng, 10) < 7;
    case RARE: return marl__rng_below(rng, 4) == 0;
    case INDEX: return (double)marl__rng_below(rng, (uint32_t)indices + 1) - 1;
    default: return 2 * marl__rng_real(rng) - 1;
    }
}

/* Every third entity, beginning with another one in every row, is absent. */
static void leave_out_entities(world *w) {
    for (int32_t row = 0; row < w->leaves[0].rows; row++)
        for (int32_t e = 0; e < ENTITY_COUNT; e++)
            for (int32_t c = 0; (row + e) % 3 == 0 && c < features_of(w->s); c++) entity_of(w, row, e)[c] = 0;
}

/* relu's kink is no place for differences: entities that come near it are moved away. */
static void leave_kinks(world *w) {
    for (int32_t row = 0; row < w->leaves[0].rows; row++)
        for (int32_t e = 0; e < ENTITY_COUNT; e++) {
            double *x = entity_of(w, row, e);
            for (int32_t j = 0; x[0] != 0 && j < w->s->B; j++) {
                if (fabs(hidden_sum(w, row, x, j)) > 1e-4) continue;
                x[0] = (double)(float)(x[0] + 1.0 / 256);
                j = -1;
            }
        }
}

static int wants_grad(const leaf_spec *spec) { return spec->name && !spec->is_constant; }

static int can_move(const leaf_spec *spec) { return spec->name && spec->is_constant != CONSTANT; }

/* Values are rounded to float first, so that all sides see the same inputs. */
static void world_make_moving(const op_case *c, const shape *s, uint32_t moving, world *w) {
    marl__rng rng;
    *w = (world){.c = c, .s = s, .moving = moving};
    for (int32_t t = 0; t < s->slots; t++) w->offset[t + 1] = w->offset[t] + s->active[t];
    for (int32_t i = 0; i < MAX_LEAVES; i++) {
        const leaf_spec *spec = &c->leaves[i];
        leaf *l = &w->leaves[i];
        l->spec = spec;
        if (!spec->name) continue;
        w->leaf_count = i + 1;
        l->rows = is_param(spec) ? groups_of(c, s) * dim_of(s, spec->rows) : rows_of_space(s, spec->space);
        l->cols = dim_of(s, spec->cols);
        l->count = (size_t)l->rows * (size_t)l->cols;
        l->x = calloc(l->count + 1, sizeof *l->x);
        ck_assert_ptr_nonnull(l->x);
        marl__rng_init(&rng, 7, marl__stream(MARL__STREAM_TEST, (uint32_t)((c - cases) * 64 + (s - shapes) * 8 + i)));
        for (size_t k = 0; k < l->count; k++) l->x[k] = (double)(float)draw(&rng, spec->fill, s->A);
        if (!can_move(spec) || !(moving >> i & 1)) continue;
        l->direction = calloc(l->count + 1, sizeof *l->direction);
        ck_assert_ptr_nonnull(l->direction);
        for (size_t k = 0; k < l->count; k++) l->direction[k] = (double)(float)draw(&rng, REAL, 0);
    }
    if (c->leaves[0].fill == ENTITIES) leave_out_entities(w);
    if (c->reference == ref_hpn_embed || c->reference == ref_hpn_score) leave_kinks(w);
}

static void world_make(const op_case *c, const shape *s, world *w) { world_make_moving(c, s, ~0u, w); }

static void world_free(world *w) {
    for (int32_t i = 0; i < MAX_LEAVES; i++) {
        free(w->leaves[i].x);
        free(w->leaves[i].direction);
    }
}

/* Running on a device --------------------------------------------------------------------------------------------- */

/* Rows beyond the counts hold NaNs: reading one shows in a result, writing one, even a copy of an input's, is seen. */
static const uint32_t spare_input = 0x7fc0beefu, spare_output = 0x7fc0deadu;

static int is_spare(const void *data, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (memcmp((const char *)data + 4 * i, &spare_output, 4) != 0) return 0;
    return 1;
}

/* Memory of a value at capacity, all spare. */
static void *spare_memory(size_t count, uint32_t bits) {
    void *data = aligned_alloc(64, (count * 4 + 127) / 64 * 64);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) memcpy((char *)data + 4 * i, &bits, 4);
    return data;
}

enum { MAX_BLOCKS = 3 * MAX_LEAVES + 4 };

/* A case made ready on a device: built once, run by one or more executions. */
typedef struct rig {
    const world *w;
    marl__graph *graph;
    marl__params *params;
    marl__version version, directions;
    marl__plan *plan;
    marl__capacity capacity;
    marl__seq seq;
    marl__val in[MAX_LEAVES], direction[MAX_LEAVES], seed, out, tangent;
    int32_t param[MAX_LEAVES], slot, direction_slot, has_grad;
} rig;

/* One execution with its own memory. */
typedef struct run {
    marl__exec *exec;
    float *grad; /* of all parameters */
    void *blocks[MAX_BLOCKS];
    int32_t block_count;
} run;

static int32_t capacity_rows(const rig *r, int32_t space) {
    const marl__seq full = {.slots = r->capacity.slots, .batch = r->capacity.batch, .rows = r->capacity.rows};
    return marl__space_rows(r->graph, space, &full);
}

static void add_params(rig *r, marl_device *device) {
    const world *w = r->w;
    ck_assert_int_eq(marl__params_create(device, &r->params), MARL_OK);
    marl__params_range(r->params, "test", 0);
    for (int32_t i = 0; i < w->leaf_count; i++) {
        const leaf_spec *spec = w->leaves[i].spec;
        r->param[i] = -1;
        if (!spec->name || !is_param(spec)) continue;
        r->param[i] = marl__params_add(r->params, spec->name, groups_of(w->c, w->s), spec->space == WEIGHT ? 2 : 1,
                                       dim_of(w->s, spec->rows), dim_of(w->s, spec->cols), MARL__INIT_CONSTANT, 0.0f);
        ck_assert_int_ge(r->param[i], 0);
    }
    ck_assert_int_eq(marl__params_freeze(r->params), MARL_OK);
    ck_assert_int_eq(marl__version_create(r->params, &r->version), MARL_OK);
    ck_assert_int_eq(marl__version_create(r->params, &r->directions), MARL_OK);
    for (int32_t i = 0; i < w->leaf_count; i++) {
        if (r->param[i] < 0) continue;
        ck_assert_uint_eq(r->params->list[r->param[i]].count, w->leaves[i].count);
        const leaf *l = &w->leaves[i];
        for (size_t k = 0; k < l->count; k++) {
            size_t at = r->params->list[r->param[i]].offset + k;
            r->version.flat[at] = (float)l->x[k];
            r->directions.flat[at] = l->direction ? (float)l->direction[k] : NAN; /* which nobody may read */
        }
    }
    marl__version_pack_all(r->params, &r->version);
    marl__version_pack_all(r->params, &r->directions);
}

static void add_gradients(rig *r) {
    const world *w = r->w;
    for (int32_t i = 0; i < w->leaf_count; i++) r->has_grad |= wants_grad(w->leaves[i].spec);
    if (!r->has_grad) return;
    r->seed = marl__input(r->graph, "seed", r->graph->values[r->out].space, w->out_cols, MARL__F32);
    marl__graph_vjp(r->graph, &r->out, &r->seed, 1);
    for (int32_t i = 0; i < w->leaf_count; i++)
        if (wants_grad(w->leaves[i].spec) && r->param[i] < 0)
            marl__keep(r->graph, marl__gradient(r->graph, r->in[i]), "gradient");
}

/* After the gradients, so that tangents meet gradient nodes too. */
static void add_tangents(rig *r) {
    marl__val moving[MAX_LEAVES], tangents[MAX_LEAVES];
    int32_t count = 0;
    r->direction_slot = marl__graph_slot(r->graph, "direction", r->params, -1, 0);
    for (int32_t i = 0; i < MAX_LEAVES; i++) {
        r->direction[i] = -1;
        if (!r->w->leaves[i].direction) continue;
        const marl__value like = r->graph->values[r->in[i]];
        if (r->param[i] >= 0) r->direction[i] = marl__param_leaf(r->graph, r->direction_slot, r->param[i]);
        else r->direction[i] = marl__input(r->graph, "direction", like.space, like.cols, MARL__F32);
        moving[count] = r->in[i];
        tangents[count++] = r->direction[i];
    }
    marl__graph_jvp(r->graph, moving, tangents, count);
    r->tangent = marl__tangent(r->graph, r->out);
    marl__keep(r->graph, r->tangent, "tangent");
}

/* Capacities are greater than the counts unless there is a single row of everything. */
static marl__capacity roomy(const shape *s) {
    if (s->A == 1 && s->slots == 1) return (marl__capacity){1, 1, 1};
    return (marl__capacity){s->slots + 1, (s->slots ? s->active[0] : 0) + 2, team_rows(s) + 5};
}

static void rig_make(rig *r, marl_device *device, world *w) {
    *r = (rig){.w = w, .seed = -1, .tangent = -1, .capacity = roomy(w->s)};
    r->seq = (marl__seq){w->s->slots, w->s->slots ? w->s->active[0] : 0, team_rows(w->s), w->s->active, w->offset};
    add_params(r, device);
    ck_assert_int_eq(marl__graph_create(&device->heap, w->s->agents, 1, &r->graph), MARL_OK);
    if (w->s->map) marl__graph_set_groups(r->graph, w->s->map);
    r->slot = marl__graph_slot(r->graph, "online", r->params, -1, 1);
    for (int32_t i = 0; i < MAX_LEAVES; i++) {
        const leaf_spec *spec = &w->c->leaves[i];
        r->in[i] = -1;
        if (!spec->name) continue;
        if (is_param(spec)) r->in[i] = marl__param_leaf(r->graph, r->slot, r->param[i]);
        else r->in[i] = marl__input(r->graph, spec->name, spec->space, w->leaves[i].cols,
                                    spec->fill == INDEX ? MARL__I32 : MARL__F32);
        if (!is_param(spec) && wants_grad(spec)) marl__want_grad(r->graph, r->in[i]);
    }
    r->out = w->c->build(r->graph, r->in, w->c, w->s);
    ck_assert_msg(marl__graph_status(r->graph) == MARL_OK, "%s: %s", w->c->name, marl_last_error());
    marl__keep(r->graph, r->out, "out");
    w->out_cols = r->graph->values[r->out].cols;
    w->out_rows = marl__space_rows(r->graph, r->graph->values[r->out].space, &r->seq);
    add_gradients(r);
    add_tangents(r);
    ck_assert_msg(marl__graph_status(r->graph) == MARL_OK, "%s: %s", w->c->name, marl_last_error());
    ck_assert_msg(marl__plan_create(device, r->graph, r->capacity, &r->plan) == MARL_OK, "%s, %s: %s", w->c->name,
                  w->s->name, marl_last_error());
}

static void rig_free(rig *r) {
    marl__plan_destroy(r->plan);
    marl__graph_destroy(r->graph);
    marl__version_destroy(r->params, &r->version);
    marl__version_destroy(r->params, &r->directions);
    marl__params_destroy(r->params);
}

/* Memory of our own for a value, with these numbers in its first rows. */
static void bind(run *x, const rig *r, marl__val value, size_t count, const double *numbers) {
    const marl__value *v = &r->graph->values[value];
    size_t room = (size_t)capacity_rows(r, v->space) * (size_t)v->cols;
    void *data = spare_memory(room, v->leaf == MARL__NODE_OUTPUT ? spare_output : spare_input);
    ck_assert_int_lt(x->block_count, MAX_BLOCKS);
    x->blocks[x->block_count++] = data;
    for (size_t k = 0; numbers && k < count; k++) {
        if (v->type == MARL__I32) ((int32_t *)data)[k] = (int32_t)numbers[k];
        else ((float *)data)[k] = (float)numbers[k];
    }
    marl__exec_bind(x->exec, value, data);
}

/* The seed of an output element: fixed reals, or 1 for the first of a loss. */
static double seed_of(const world *w, size_t k) {
    if (w->c->is_end) return k == 0;
    return (double)(float)(0.25 + 0.5 * sin((double)(k + 1)));
}

/* What is in a gradient before a run: kernels must add to it. */
static const float grad_before = 0.5f;

static void run_begin(run *x, const rig *r) {
    const world *w = r->w;
    *x = (run){0};
    ck_assert_int_eq(marl__exec_create(r->plan, &x->exec), MARL_OK);
    marl__exec_set_seq(x->exec, &r->seq);
    for (int32_t i = 0; i < w->leaf_count; i++)
        if (r->in[i] >= 0 && r->param[i] < 0) {
            bind(x, r, r->in[i], w->leaves[i].count, w->leaves[i].x);
            if (r->direction[i] >= 0) bind(x, r, r->direction[i], w->leaves[i].count, w->leaves[i].direction);
        }
    bind(x, r, r->out, 0, NULL);
    if (r->tangent >= 0 && r->graph->values[r->tangent].leaf == MARL__NODE_OUTPUT) bind(x, r, r->tangent, 0, NULL);
    if (r->seed >= 0) {
        size_t count = (size_t)w->out_rows * (size_t)w->out_cols;
        double *seeds = calloc(count + 1, sizeof *seeds);
        ck_assert_ptr_nonnull(seeds);
        for (size_t k = 0; k < count; k++) seeds[k] = seed_of(w, k);
        bind(x, r, r->seed, count, seeds);
        free(seeds);
    }
    for (int32_t i = 0; i < w->leaf_count; i++) {
        if (!wants_grad(w->leaves[i].spec) || r->param[i] >= 0) continue;
        marl__val gradient = marl__gradient(r->graph, r->in[i]);
        ck_assert_msg(gradient >= 0, "%s: no gradient of %s", w->c->name, w->leaves[i].spec->name);
        if (r->graph->values[gradient].leaf == MARL__NODE_OUTPUT && gradient != r->out) bind(x, r, gradient, 0, NULL);
    }
    x->grad = spare_memory(r->params->floats, spare_output);
    for (size_t k = 0; k < r->params->floats; k++) x->grad[k] = grad_before;
    marl__exec_bind_slot(x->exec, r->slot, &r->version, -1);
    marl__exec_bind_slot(x->exec, r->direction_slot, &r->directions, -1);
    marl__exec_bind_grad(x->exec, r->slot, x->grad);
}

static void run_free(run *x) {
    marl__exec_destroy(x->exec);
    for (int32_t i = 0; i < x->block_count; i++) free(x->blocks[i]);
    free(x->grad);
}

/* Rows of a value after a run; spare rows must be as they were. */
static const float *rows_after(const run *x, const rig *r, marl__val value) {
    const marl__value *v = &r->graph->values[value];
    size_t count = (size_t)marl__exec_rows(x->exec, value) * (size_t)v->cols;
    size_t room = (size_t)capacity_rows(r, v->space) * (size_t)v->cols;
    const float *data = marl__exec_data(x->exec, value);
    ck_assert_ptr_nonnull(data);
    ck_assert_msg(v->leaf != MARL__NODE_OUTPUT || is_spare(data + count, room - count),
                  "%s, %s: a row beyond the counts was written", r->w->c->name, r->w->s->name);
    return data;
}

/* All that came out: the output, the gradients leaf by leaf, the tangent of the output if it moves. */
typedef struct outcome { float *x; size_t count; } outcome;

static const float *gradient_after(const run *x, const rig *r, int32_t leaf) {
    if (r->param[leaf] >= 0) return x->grad + r->params->list[r->param[leaf]].offset;
    return rows_after(x, r, marl__gradient(r->graph, r->in[leaf]));
}

static outcome collect(const run *x, const rig *r) {
    const world *w = r->w;
    outcome o = {.count = (size_t)w->out_rows * (size_t)w->out_cols};
    size_t out_count = o.count, at_count = o.count;
    for (int32_t i = 0; i < w->leaf_count; i++)
        if (wants_grad(w->leaves[i].spec)) o.count += w->leaves[i].count;
    if (r->tangent >= 0) o.count += out_count;
    o.x = calloc(o.count + 1, sizeof *o.x);
    ck_assert_ptr_nonnull(o.x);
    memcpy(o.x, rows_after(x, r, r->out), at_count * sizeof *o.x);
    for (int32_t i = 0; i < w->leaf_count; i++) {
        if (!wants_grad(w->leaves[i].spec)) continue;
        memcpy(o.x + at_count, gradient_after(x, r, i), w->leaves[i].count * sizeof *o.x);
        at_count += w->leaves[i].count;
    }
    if (r->tangent >= 0) memcpy(o.x + at_count, rows_after(x, r, r->tangent), out_count * sizeof *o.x);
    return o;
}

static outcome run_whole(const rig *r) {
    run x;
    run_begin(&x, r);
    marl__exec_run(x.exec, 0);
    outcome o = collect(&x, r);
    run_free(&x);
    return o;
}

/* Comparisons ----------------------------------------------------------------------------------------------------- */

static void check_number(const world *w, const char *device, const char *what, size_t k, double got, double want,
                         double tolerance) {
    ck_assert_msg(fabs(got - want) <= tolerance * (1 + fabs(want)), "%s, %s, %s: %s[%zu] is %.9g, expected %.9g",
                  w->c->name, w->s->name, device, what, k, got, want);
}

static void check_forward(const world *w, const char *device, int32_t type, const float *out) {
    size_t count = (size_t)w->out_rows * (size_t)w->out_cols;
    double *want = calloc(count + 1, sizeof *want);
    ck_assert_ptr_nonnull(want);
    w->c->reference(w, want);
    for (size_t k = 0; k < count; k++) {
        int32_t index;
        memcpy(&index, out + k, sizeof index);
        check_number(w, device, "output", k, type == MARL__I32 ? (double)index : (double)out[k], want[k], 1e-5);
    }
    free(want);
}

/* sum(output * seed) of the naive function. */
static double objective(const world *w, double *out) {
    size_t count = (size_t)w->out_rows * (size_t)w->out_cols;
    double sum = 0;
    w->c->reference(w, out);
    for (size_t k = 0; k < count; k++) sum += out[k] * seed_of(w, k);
    return sum;
}

/* Each element of a small leaf, else some spread over it. */
enum { DIFFERENCES = 24 };

static void check_gradient(const world *w, const char *device, int32_t leaf_index, const float *gradient) {
    const leaf *l = &w->leaves[leaf_index];
    const double step = 1e-5, add = is_param(l->spec) ? (double)grad_before : 0;
    double *out = calloc((size_t)w->out_rows * (size_t)w->out_cols + 1, sizeof *out);
    ck_assert_ptr_nonnull(out);
    size_t stride = l->count > DIFFERENCES ? l->count / DIFFERENCES | 1 : 1;
    for (size_t k = 0; k < l->count; k += stride) {
        double x = l->x[k];
        l->x[k] = x + step;
        double up = objective(w, out);
        l->x[k] = x - step;
        double down = objective(w, out);
        l->x[k] = x;
        check_number(w, device, l->spec->name, k, (double)gradient[k] - add, (up - down) / (2 * step), 3e-5);
    }
    free(out);
}

/* The world a step along its directions, as a naive function's output; the caller frees it. */
static double *output_after(const world *w, double step) {
    double *out = calloc((size_t)w->out_rows * (size_t)w->out_cols + 1, sizeof *out);
    ck_assert_ptr_nonnull(out);
    for (int32_t sign = 1; sign >= -1; sign -= 2) {
        for (int32_t i = 0; i < w->leaf_count; i++)
            for (size_t k = 0; w->leaves[i].direction && k < w->leaves[i].count; k++)
                w->leaves[i].x[k] += sign * step * w->leaves[i].direction[k];
        if (sign > 0) w->c->reference(w, out);
    }
    return out;
}

/* Columns of a loss behind the first are reports, whose tangents are 0. */
static void check_tangent(const world *w, const char *device, const float *tangent) {
    const double step = 1e-6;
    double *up = output_after(w, step), *down = output_after(w, -step);
    for (size_t k = 0; k < (size_t)w->out_rows * (size_t)w->out_cols; k++) {
        double want = w->c->is_end && k > 0 ? 0 : (up[k] - down[k]) / (2 * step);
        check_number(w, device, "tangent", k, (double)tangent[k], want, 3e-5);
    }
    free(up);
    free(down);
}

/* seed . (J direction) = direction . (J^T seed), within what the terms' sizes allow. */
static void check_duality(const world *w, const char *device, const float *gradient, const float *tangent) {
    double forward = 0, backward = 0, size = 1;
    for (size_t k = 0; k < (size_t)w->out_rows * (size_t)w->out_cols; k++) {
        forward += seed_of(w, k) * (double)tangent[k];
        size += fabs(seed_of(w, k) * (double)tangent[k]);
    }
    for (int32_t i = 0; i < w->leaf_count; i++) {
        const leaf *l = &w->leaves[i];
        if (!wants_grad(l->spec)) continue;
        for (size_t k = 0; l->direction && k < l->count; k++) {
            double term = l->direction[k] * ((double)gradient[k] - (is_param(l->spec) ? (double)grad_before : 0));
            backward += term;
            size += fabs(term);
        }
        gradient += l->count;
    }
    ck_assert_msg(fabs(forward - backward) <= 1e-6 * size, "%s, %s, %s: %.9g forward, %.9g backward", w->c->name,
                  w->s->name, device, forward, backward);
}

/* Whether a leaf moves that the output depends on. */
static int moves(const world *w) {
    for (int32_t i = 0; i < w->leaf_count; i++)
        if (w->leaves[i].direction) return 1;
    return 0;
}

static void check_outcome(const world *w, const char *device, const rig *r, const outcome *o) {
    const float *gradients = o->x + (size_t)w->out_rows * (size_t)w->out_cols, *gradient = gradients;
    check_forward(w, device, r->graph->values[r->out].type, o->x);
    for (int32_t i = 0; i < w->leaf_count; i++) {
        if (!wants_grad(w->leaves[i].spec)) continue;
        check_gradient(w, device, i, gradient);
        gradient += w->leaves[i].count;
    }
    ck_assert_msg((r->tangent >= 0) == moves(w), "%s, %s: the output %s", w->c->name, w->s->name,
                  r->tangent >= 0 ? "moves, but nothing it depends on does" : "stands still");
    if (r->tangent < 0) return;
    check_tangent(w, device, gradient);
    if (r->has_grad) check_duality(w, device, gradients, gradient);
}

static void check_bits(const world *w, const char *what, const outcome *a, const outcome *b) {
    ck_assert_uint_eq(a->count, b->count);
    for (size_t k = 0; k < a->count; k++)
        ck_assert_msg(memcmp(a->x + k, b->x + k, sizeof *a->x) == 0, "%s, %s: %s: number %zu is %.9g and %.9g",
                      w->c->name, w->s->name, what, k, (double)a->x[k], (double)b->x[k]);
}

/* Devices --------------------------------------------------------------------------------------------------------- */

/* NULL, with the reason noted, where this machine cannot open it. isa NULL: the best. */
static marl_device *open_device(const char *name, const char *isa) {
    marl_config *config = NULL;
    marl_device *device = NULL;
    ck_assert_int_eq(marl_config_create(NULL, "device", &config), MARL_OK);
    if (isa) ck_assert_int_eq(marl_config_set(config, "isa", isa), MARL_OK);
    marl_status status = marl_device_open(NULL, name, config, &device);
    marl_config_destroy(config);
    if (status == MARL_OK) return device;
    ck_assert_msg(status == MARL_E_UNSUPPORTED, "%s %s: %s", name, isa ? isa : "", marl_last_error());
    marl__test_skip(marl_last_error());
    return NULL;
}

typedef void (*visit)(marl_device *device, world *w);

static void for_all(marl_device *device, visit visitor) {
    for (int32_t c = 0; c < CASE_COUNT; c++)
        for (int32_t s = 0; s < SHAPE_COUNT; s++) {
            world w;
            world_make(&cases[c], &shapes[s], &w);
            visitor(device, &w);
            world_free(&w);
        }
}

/* Tests ----------------------------------------------------------------------------------------------------------- */

static void visit_check(marl_device *device, world *w) {
    rig r;
    rig_make(&r, device, w);
    outcome o = run_whole(&r);
    check_outcome(w, marl_device_isa(device), &r, &o);
    free(o.x);
    rig_free(&r);
}

static void check_device(const char *name, const char *isa) {
    marl_device *device = open_device(name, isa);
    if (!device) return;
    for_all(device, visit_check);
    marl_device_close(device);
}

START_TEST(portable_is_right) { check_device("cpu", "portable"); }
END_TEST

START_TEST(avx2_is_right) { check_device("cpu", "avx2"); }
END_TEST

START_TEST(avx512_is_right) { check_device("cpu", "avx512"); }
END_TEST

START_TEST(openblas_is_right) { check_device("openblas", NULL); }
END_TEST

/* Leaf by leaf, one that moves alone and one that alone stands still: each op's absent tangents. */
START_TEST(tangents_of_some_leaves) {
    marl_device *device = open_device("cpu", NULL);
    if (!device) return;
    for (int32_t c = 0; c < CASE_COUNT; c++)
        for (int32_t s = 1; s < 4; s++)
            for (int32_t i = 0; i < 2 * MAX_LEAVES; i++) {
                world w;
                if (!cases[c].leaves[i / 2].name) continue;
                world_make_moving(&cases[c], &shapes[s], i % 2 ? ~(1u << i / 2) : 1u << i / 2, &w);
                visit_check(device, &w);
                world_free(&w);
            }
    marl_device_close(device);
}
END_TEST

START_TEST(avx2_and_avx512_agree) {
    marl_device *narrow = open_device("cpu", "avx2");
    if (!narrow) return;
    marl_device *wide = open_device("cpu", "avx512");
    for (int32_t c = 0; wide && c < CASE_COUNT; c++)
        for (int32_t s = 0; s < SHAPE_COUNT; s++) {
            world w;
            rig a, b;
            world_make(&cases[c], &shapes[s], &w);
            rig_make(&a, narrow, &w);
            rig_make(&b, wide, &w);
            outcome x = run_whole(&a), y = run_whole(&b);
            check_bits(&w, "avx2 and avx512", &x, &y);
            free(x.x);
            free(y.x);
            rig_free(&a);
            rig_free(&b);
            world_free(&w);
        }
    marl_device_close(wide);
    marl_device_close(narrow);
}
END_TEST

/* Two executions of one plan, a unit of each in turn: what a worker that stops after every unit does. */
static void visit_units(marl_device *device, world *w) {
    rig r;
    run a, b;
    rig_make(&r, device, w);
    outcome whole = run_whole(&r);
    run_begin(&a, &r);
    run_begin(&b, &r);
    marl__exec_begin(a.exec, 0);
    marl__exec_begin(b.exec, 0);
    int32_t more_a = 1, more_b = 1;
    while (more_a || more_b) {
        if (more_a) more_a = marl__exec_step(a.exec);
        if (more_b) more_b = marl__exec_step(b.exec);
    }
    outcome x = collect(&a, &r), y = collect(&b, &r);
    check_bits(w, "at once and unit by unit", &whole, &x);
    check_bits(w, "at once and unit by unit", &whole, &y);
    free(whole.x);
    free(x.x);
    free(y.x);
    run_free(&a);
    run_free(&b);
    rig_free(&r);
}

START_TEST(units_are_the_whole) {
    marl_device *device = open_device("cpu", NULL);
    if (!device) return;
    for_all(device, visit_units);
    marl_device_close(device);
}
END_TEST

/* Leaf rows of team b: those of each slot it is alive in, or its rows of FIRST and BATCH. */
static size_t take_team(const world *w, int32_t space, int32_t cols, int32_t b, const double *from, double *to) {
    size_t taken = 0;
    int32_t per_team = space == MARL__AGENT || space == MARL__FIRST ? w->s->agents : 1;
    int32_t slots = space == MARL__TEAM || space == MARL__AGENT ? w->s->slots : 1;
    for (int32_t t = 0; t < slots && b < w->s->active[t]; t++) {
        size_t count = (size_t)per_team * (size_t)cols;
        memcpy(to + taken, from + (size_t)(w->offset[t] + b) * count, count * sizeof *to);
        taken += count;
    }
    return taken;
}

/* The world that team b of w lives in alone. */
static void world_of_team(const world *w, int32_t b, shape *s, world *alone) {
    *s = *w->s;
    s->slots = 0;
    while (s->slots < w->s->slots && b < w->s->active[s->slots]) s->active[s->slots++] = 1;
    world_make_moving(w->c, w->s, w->moving, alone);
    alone->s = s;
    for (int32_t t = 0; t < s->slots; t++) alone->offset[t + 1] = t + 1;
    for (int32_t i = 0; i < w->leaf_count; i++) {
        leaf *l = &alone->leaves[i];
        if (!l->x || is_param(l->spec) || l->spec->space == MARL__ONE) continue;
        l->count = take_team(w, l->spec->space, l->cols, b, w->leaves[i].x, l->x);
        if (l->direction) take_team(w, l->spec->space, l->cols, b, w->leaves[i].direction, l->direction);
        l->rows = (int32_t)(l->count / (size_t)l->cols);
    }
}

static double *as_double(const float *x, size_t count) {
    double *y = calloc(count + 1, sizeof *y);
    ck_assert_ptr_nonnull(y);
    for (size_t k = 0; k < count; k++) y[k] = (double)x[k];
    return y;
}

/* A team's rows of one value, alone and as they were in the batch. */
static void check_team_rows(const world *w, int32_t space, int32_t b, const char *what, const float *got, size_t count,
                            int32_t cols, const double *batch) {
    double *want = calloc(count + 1, sizeof *want);
    ck_assert_ptr_nonnull(want);
    ck_assert_uint_eq(take_team(w, space, cols, b, batch, want), count);
    for (size_t k = 0; k < count; k++)
        ck_assert_msg((double)got[k] == want[k], "%s, %s: team %d alone: %s %zu is %.9g, in the batch %.9g",
                      w->c->name, w->s->name, (int)b, what, k, (double)got[k], want[k]);
    free(want);
}

/* tangent: NULL if the output stands still. */
static void check_team_alone(marl_device *device, const world *w, int32_t space, const double *out,
                             const double *tangent, int32_t b) {
    shape s;
    world alone;
    rig r;
    run x;
    world_of_team(w, b, &s, &alone);
    rig_make(&r, device, &alone);
    run_begin(&x, &r);
    marl__exec_run(x.exec, 0);
    size_t count = (size_t)alone.out_rows * (size_t)alone.out_cols;
    check_team_rows(w, space, b, "output", rows_after(&x, &r, r.out), count, alone.out_cols, out);
    if (tangent) check_team_rows(w, space, b, "tangent", rows_after(&x, &r, r.tangent), count, alone.out_cols, tangent);
    run_free(&x);
    rig_free(&r);
    world_free(&alone);
}

static void visit_teams(marl_device *device, world *w) {
    rig r;
    run x;
    rig_make(&r, device, w);
    int32_t space = r.graph->values[r.out].space, type = r.graph->values[r.out].type;
    run_begin(&x, &r);
    marl__exec_run(x.exec, 0);
    size_t count = (size_t)w->out_rows * (size_t)w->out_cols;
    double *out = as_double(rows_after(&x, &r, r.out), count);
    double *tangent = r.tangent < 0 ? NULL : as_double(rows_after(&x, &r, r.tangent), count);
    run_free(&x);
    rig_free(&r);
    if (type == MARL__F32 && (space == MARL__TEAM || space == MARL__AGENT))
        for (int32_t b = 0; w->s->slots && b < w->s->active[0]; b += 1 + w->s->active[0] / 4)
            check_team_alone(device, w, space, out, tangent, b);
    free(out);
    free(tangent);
}

START_TEST(a_team_is_alone_in_its_batch) {
    marl_device *device = open_device("cpu", NULL);
    if (!device) return;
    for_all(device, visit_teams);
    marl_device_close(device);
}
END_TEST

static const char *const op_names[] = {
#define MARL_OP(name) #name,
#include "core/graph/ops.def"
#undef MARL_OP
};

START_TEST(every_op_is_in_the_table) {
    int seen[MARL__OP_COUNT] = {0};
    marl_device *device = open_device("cpu", NULL);
    if (!device) return;
    for (int32_t c = 0; c < CASE_COUNT; c++) {
        world w;
        rig r;
        world_make(&cases[c], &shapes[1], &w);
        rig_make(&r, device, &w);
        ck_assert_int_ge(marl__plan_node_count(r.plan), 1);
        for (int32_t n = 0; n < r.graph->node_count; n++) seen[r.graph->nodes[n].op] = 1;
        rig_free(&r);
        world_free(&w);
    }
    for (int32_t op = 0; op < MARL__OP_COUNT; op++)
        ck_assert_msg(seen[op], "op %s stands in ops.def but in no case of this table", op_names[op]);
    marl_device_close(device);
}
END_TEST

/* Where a function has a kink the gradient is a choice; these are the choices made. */
START_TEST(gradients_at_kinks) {
    static const struct { int32_t kind; float at_zero; } expected[] = {
        {MARL__RELU, 0.0f}, {MARL__LEAKY_RELU, 0.01f}, {MARL__ELU, 1.0f}, {MARL__ABS, 0.0f},
    };
    marl_device *device = open_device("cpu", NULL);
    if (!device) return;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        marl__graph *g = NULL;
        marl__plan *plan = NULL;
        marl__exec *exec = NULL;
        const int32_t active[] = {1}, offset[] = {0, 1};
        const marl__seq seq = {1, 1, 1, active, offset};
        ck_assert_int_eq(marl__graph_create(&device->heap, 1, 1, &g), MARL_OK);
        marl__val x = marl__input(g, "x", MARL__TEAM, 1, MARL__F32);
        marl__val seed = marl__input(g, "seed", MARL__TEAM, 1, MARL__F32);
        marl__want_grad(g, x);
        marl__val y = marl__unary(g, expected[i].kind, x);
        marl__graph_vjp(g, &y, &seed, 1);
        marl__keep(g, marl__gradient(g, x), "dx");
        ck_assert_int_eq(marl__plan_create(device, g, (marl__capacity){1, 1, 1}, &plan), MARL_OK);
        ck_assert_int_eq(marl__exec_create(plan, &exec), MARL_OK);
        marl__exec_set_seq(exec, &seq);
        *(float *)marl__exec_data(exec, x) = 0.0f;
        *(float *)marl__exec_data(exec, seed) = 1.0f;
        marl__exec_run(exec, 0);
        ck_assert_float_eq(*(float *)marl__exec_data(exec, marl__gradient(g, x)), expected[i].at_zero);
        marl__exec_destroy(exec);
        marl__plan_destroy(plan);
        marl__graph_destroy(g);
    }
    marl_device_close(device);
}
END_TEST

/* One thread computes here: where only races are looked for, one device tells as much as four. */
#ifdef __SANITIZE_THREAD__
enum { EVERY_DEVICE = 0 };
#else
enum { EVERY_DEVICE = 1 };
#endif

Suite *marl__suite_core_ops(void) {
    Suite *suite = suite_create("core/ops");
    TCase *right = tcase_create("right"), *same = tcase_create("same bits");
    tcase_add_test(right, avx2_is_right);
    if (EVERY_DEVICE) {
        tcase_add_test(right, portable_is_right);
        tcase_add_test(right, avx512_is_right);
        tcase_add_test(right, openblas_is_right);
    }
    tcase_add_test(right, tangents_of_some_leaves);
    tcase_add_test(right, every_op_is_in_the_table);
    tcase_add_test(right, gradients_at_kinks);
    tcase_add_test(same, avx2_and_avx512_agree);
    tcase_add_test(same, units_are_the_whole);
    tcase_add_test(same, a_team_is_alone_in_its_batch);
    suite_add_tcase(suite, right);
    suite_add_tcase(suite, same);
    return suite;
}
