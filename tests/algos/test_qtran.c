/* SPDX-License-Identifier: Apache-2.0 */
/* QTRAN against the same losses written plainly in double: their value, and the gradient of every parameter by central
 * differences. What a loss takes without gradient is computed from a copy of the parameters that is not moved. The
 * hidden values that the joint network gets are those of the agent and slot they belong to.
 *
 * E episodes of up to T steps, N agents, O, A, S sizes, H features of the agent's net (a feed-forward one: gru's is
 * compared elsewhere), D the width of the joint networks. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/params/optim.h"
#include "support/learners.h"

Suite *marl__suite_algos_qtran(void);

enum { E = 4, T = 5, N = 3, O = 4, A = 3, S = 4, H = 6, D = 5, WIDEST = 64 };
static const marl__team_shape team = {.agents = N, .obs = O, .actions = A,
                                      .state = S, .rewards = 1, .episode_limit = T};
static const int32_t lengths[E] = {5, 2, 3, 5}, ended[E] = {1, 1, 0, 0};

#define BASE "net.recurrent=0 net.hidden_dim=6 last_action=0 mixer.qtran_embed=5 gamma=0.9 lambda_opt=0.7 " \
             "lambda_nopt=0.4 target_interval=1000000 grad_norm_clip=0"

typedef struct qtran_case {
    const char *settings;
    int32_t double_q, encodes, layers;
} qtran_case;

static const qtran_case cases[] = {
    {BASE, 1, 1, 3},
    {BASE " double_q=0", 0, 1, 3},
    {BASE " mixer.qtran_size=big", 1, 1, 4},
    {BASE " mixer.qtran_arch=coma_critic", 1, 0, 3},
};

/* The reference's world. */
typedef struct world {
    const qtran_case *c;
    const marl__params *params;
    const marl__episode *episodes;
    double *moved, *still, *target; /* parameters: differentiated, the same at rest, of the targets */
    int32_t below, above;           /* how often the last loss was at work, and not */
} world;

/* ---- the plain computation ---- */

static const double *find(const world *w, const double *flat, const char *name) {
    int32_t index = marl__params_find(w->params, name);
    ck_assert_msg(index >= 0, "no parameter %s", name);
    return flat + w->params->list[index].offset;
}

static void layer(const world *w, const double *flat, const char *name, const double *x, int32_t in, int32_t out,
                  int32_t has_relu, double *y) {
    char full[96];
    snprintf(full, sizeof full, "%s.weight", name);
    const double *weight = find(w, flat, full);
    snprintf(full, sizeof full, "%s.bias", name);
    const double *bias = find(w, flat, full);
    for (int32_t o = 0; o < out; o++) {
        y[o] = bias[o];
        for (int32_t i = 0; i < in; i++) y[o] += weight[o * in + i] * x[i];
        if (has_relu && y[o] < 0) y[o] = 0;
    }
}

/* What a net makes of a slot. */
typedef struct views { double h[N][H], q[N][A]; } views;

static views agents(const world *w, const double *flat, const marl__episode *e, int32_t t) {
    views v;
    for (int32_t i = 0; i < N; i++) {
        double x[O + N] = {0}, first[H];
        for (int32_t k = 0; k < O; k++) x[k] = (double)e->obs[(t * N + i) * O + k];
        x[O + i] = 1;
        layer(w, flat, "agent.fc1", x, O + N, H, 1, first);
        layer(w, flat, "agent.rnn", first, H, H, 1, v.h[i]);
        layer(w, flat, "agent.fc2", v.h[i], H, A, 0, v.q[i]);
    }
    return v;
}

static void greedy(const views *v, const marl__episode *e, int32_t t, int32_t *actions) {
    for (int32_t i = 0; i < N; i++) {
        actions[i] = -1;
        for (int32_t a = 0; a < A; a++) {
            if (!e->avail[(t * N + i) * A + a]) continue;
            if (actions[i] < 0 || v->q[i][a] > v->q[i][actions[i]]) actions[i] = a;
        }
    }
}

static double stack(const world *w, const double *flat, const char *name, const double *x, int32_t in) {
    double from[WIDEST], to[WIDEST];
    char full[32];
    memcpy(from, x, (size_t)in * sizeof *x);
    for (int32_t l = 0; l < w->c->layers; l++) {
        int32_t is_last = l == w->c->layers - 1, out = is_last ? 1 : D;
        snprintf(full, sizeof full, "mixer.%s.%d", name, (int)(2 * l));
        layer(w, flat, full, from, in, out, !is_last, to);
        memcpy(from, to, sizeof to);
        in = out;
    }
    return from[0];
}

static int32_t put_state(const marl__episode *e, int32_t t, double *x) {
    for (int32_t k = 0; k < S; k++) x[k] = (double)e->state[t * S + k];
    return S;
}

static double joint(const world *w, const double *flat, const marl__episode *e, int32_t t, const views *v,
                    const int32_t *actions) {
    double x[WIDEST] = {0}, code[H + A], hidden[H + A];
    int32_t at = put_state(e, t, x);
    for (int32_t i = 0; i < N; i++) {
        double one[H + A] = {0};
        if (!w->c->encodes) {
            x[at + i * A + actions[i]] = 1;
            continue;
        }
        memcpy(one, v->h[i], sizeof v->h[i]);
        one[H + actions[i]] = 1;
        layer(w, flat, "mixer.action_encoding.0", one, H + A, H + A, 1, hidden);
        layer(w, flat, "mixer.action_encoding.2", hidden, H + A, H + A, 0, code);
        for (int32_t k = 0; k < H + A; k++) x[at + k] += code[k];
    }
    return stack(w, flat, "Q", x, at + (w->c->encodes ? H + A : N * A));
}

static double chosen_sum(const views *v, const int32_t *actions) {
    double sum = 0;
    for (int32_t i = 0; i < N; i++) sum += v->q[i][actions[i]];
    return sum;
}

/* y of slot t: the target's joint value of the greedy actions of slot t + 1. */
static double target_of(const world *w, const marl__episode *e, int32_t t) {
    int32_t actions[N], is_end = t == e->length - 1 && e->terminated;
    views online = agents(w, w->still, e, t + 1), target = agents(w, w->target, e, t + 1);
    greedy(w->c->double_q ? &online : &target, e, t + 1, actions);
    return (double)e->rewards[t] + (is_end ? 0 : (double)0.9f * joint(w, w->target, e, t + 1, &target, actions));
}

static double step_loss(world *w, const marl__episode *e, int32_t t) {
    double x[WIDEST];
    int32_t best[N];
    const int32_t *taken = e->actions + t * N;
    views moved = agents(w, w->moved, e, t), still = agents(w, w->still, e, t);
    greedy(&still, e, t, best);
    double temporal = joint(w, w->moved, e, t, &moved, taken) - target_of(w, e, t);
    double value = stack(w, w->moved, "V", x, put_state(e, t, x));
    double optimal = chosen_sum(&moved, best) - joint(w, w->still, e, t, &still, best) + value;
    double other = chosen_sum(&moved, taken) - joint(w, w->still, e, t, &still, taken) + value;
    w->below += other < 0;
    w->above += other > 0;
    other = fmin(other, 0);
    return temporal * temporal + (double)0.7f * optimal * optimal + (double)0.4f * other * other;
}

static double loss_of(world *w) {
    double sum = 0;
    int32_t steps = 0;
    for (int32_t e = 0; e < E; e++)
        for (int32_t t = 0; t < lengths[e]; t++, steps++) sum += step_loss(w, &w->episodes[e], t);
    return sum / steps;
}

/* ---- comparison ---- */

static double *copy_of(marl__learner *learner, const char *name, size_t floats) {
    marl__state_item item;
    double *copy = calloc(floats, sizeof *copy);
    ck_assert_ptr_nonnull(copy);
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++)
        for (size_t k = 0; !strcmp(item.name, name) && k < floats; k++) copy[k] = (double)item.f32[k];
    return copy;
}

/* Targets that differ from the online net, and larger outputs, so that both sides of the last loss occur. */
static void spread_params(marl__learner *learner) {
    marl__state_item item;
    marl__rng rng;
    marl__rng_init(&rng, 3, marl__stream(MARL__STREAM_TEST, 5));
    for (int32_t i = 0; marl__learner_state(learner, i, &item); i++) {
        if (strcmp(item.name, "params") && strcmp(item.name, "target")) continue;
        for (size_t k = 0; k < item.count; k++)
            if (item.f32[k] != 0.0f) item.f32[k] = 0.7f * item.f32[k] + 0.4f * (marl__rng_real32(&rng) - 0.5f);
    }
    ck_assert_int_eq(marl__learner_restored(learner), MARL_OK);
}

static void compare_gradient(world *w, const marl__learner *learner, int32_t index, int32_t *nonzero) {
    const marl__param *param = &w->params->list[index];
    const float *gradient = marl__learner_gradient(learner, index);
    const double step = 1e-6;
    for (size_t k = 0; k < param->count; k++) {
        double *x = &w->moved[param->offset + k], before = *x;
        *x = before + step;
        double up = loss_of(w);
        *x = before - step;
        double down = loss_of(w);
        *x = before;
        double expected = (up - down) / (2 * step);
        *nonzero += fabs(expected) > 1e-3;
        ck_assert_msg(fabs((double)gradient[k] - expected) <= 3e-5 * (1 + fabs(expected)),
                      "%s[%zu]: gradient %.7g, expected %.7g", param->name, k, (double)gradient[k], expected);
    }
}

START_TEST(test_losses_and_gradients) {
    world w = {.c = &cases[_i]};
    marl__update_result result;
    marl__test_batch batch;
    int32_t nonzero = 0;
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch_fill(&batch, &team, lengths, ended, E, 4);
    marl__learner *learner = marl__test_learner(device, "qtran", w.c->settings, &team, E, 5, 1);
    spread_params(learner);
    w.params = marl__learner_params(learner);
    w.episodes = batch.list;
    w.moved = copy_of(learner, "params", w.params->floats);
    w.still = copy_of(learner, "params", w.params->floats);
    w.target = copy_of(learner, "target", w.params->floats);
    ck_assert_int_eq(marl__learner_update(learner, batch.list, E, 0, 0, &result), MARL_OK);
    double loss = loss_of(&w);
    ck_assert_double_eq_tol(result.loss, loss, 1e-5 * loss);
    ck_assert_int_gt(w.below, 0);
    ck_assert_int_gt(w.above, 0);
    for (int32_t i = 0; i < w.params->count; i++) compare_gradient(&w, learner, i, &nonzero);
    ck_assert_int_gt(nonzero, 100);
    free(w.moved);
    free(w.still);
    free(w.target);
    marl__learner_destroy(learner);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

/* The joint value of one agent's slot depends on no other slot: with other observations in slot 3, slots 0 to 2 keep
 * their joint values to the bit (the net has no memory here), and slot 3 does not. */
START_TEST(test_joint_values_see_their_own_slot) {
    marl__test_batch batch;
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch_fill(&batch, &team, lengths, ended, E, 4);
    marl__learner *a = marl__test_learner(device, "qtran", BASE, &team, E, 5, 1);
    marl__learner *b = marl__test_learner(device, "qtran", BASE, &team, E, 5, 1);
    ck_assert_int_eq(marl__learner_update(a, batch.list, E, 0, 0, NULL), MARL_OK);
    float *obs = batch.blocks[0];
    for (int32_t i = 0; i < N * O; i++) obs[3 * N * O + i] += 0.5f;
    ck_assert_int_eq(marl__learner_update(b, batch.list, E, 0, 0, NULL), MARL_OK);
    for (int32_t t = 0; t < lengths[0]; t++) {
        float x = *(const float *)marl__learner_probe(a, "q_tot", 0, t);
        float y = *(const float *)marl__learner_probe(b, "q_tot", 0, t);
        ck_assert_int_eq(x == y, t != 3);
    }
    marl__learner_destroy(a);
    marl__learner_destroy(b);
    marl_device_close(device);
    marl__test_batch_free(&batch);
}
END_TEST

Suite *marl__suite_algos_qtran(void) {
    Suite *suite = suite_create("algos/qtran");
    TCase *tests = tcase_create("losses");
    tcase_add_loop_test(tests, test_losses_and_gradients, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, test_joint_values_see_their_own_slot);
    suite_add_tcase(suite, tests);
    return suite;
}
