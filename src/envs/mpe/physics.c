/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the particle environments: discs of mass 1 that are pushed, slowed down and pressed apart (Lowe et al.
 * 2017, in the form of mpe2 1.1.1). A pair of colliding bodies at distance d, whose radii sum to m, is pressed apart by
 * 100 * softplus((m - d) / k) * k along the line between them, k = 0.001. Beside the contact itself that force is of
 * the size exp(-(d - m) / k), so it is left out from where double precision has nothing smaller: d - m > 0.708.
 *
 * Two orders of the integration are in use: mpe2, PettingZoo 1.25 and JaxMARL move with the velocity before the step
 * ("new"), older packages with the one after it ("old").
 *
 * Two bodies at one point have no direction to be pressed in; there is no force then (the published code gives NaN).
 *
 * exp and log1p are polynomials here, because libm's bits differ from one machine to the next. */
#include "envs/mpe/mpe.h"

#include <math.h>
#include <string.h>

#define TIME_STEP 0.1
#define KEPT_SPEED 0.75 /* 1 - damping */
#define CONTACT_FORCE 100.0
#define CONTACT_MARGIN 1e-3
#define LEAST_EXPONENT (-708.0)

static double double_of_bits(uint64_t bits) {
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* x = n log 2 + r; 2^n by its exponent bits, exp(r) by its series up to r^13 / 13!, whose rest is below 5e-18. */
double marl__mpe_exp(double x) {
    static const double to_round = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to a whole number */
    static const double log2_high = 0x1.62e42feep-1, log2_low = 0x1.a39ef35793c76p-33;
    double shifted, n, r, r2, r4, low, high;

    if (!(x >= LEAST_EXPONENT)) {
        return 0;
    }
    shifted = x * 0x1.71547652b82fep+0 + to_round;
    n = shifted - to_round;
    r = (x - n * log2_high) - n * log2_low;
    r2 = r * r;
    r4 = r2 * r2;
    low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120)) +
          r4 * ((1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880)));
    high = (1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800));
    return (1 + (r + r2 * (low + r4 * r4 * high))) * double_of_bits((uint64_t)(1023 + (int64_t)n) << 52);
}

/* log(1 + x) for x from 0 to 1: 2 artanh(s) with s = x / (2 + x) <= 1/3, whose series ends where 9^-k is nothing. */
static double log_1_plus(double x) {
    double s = x / (2 + x), square = s * s, sum = 0;

    for (int k = 35; k >= 3; k -= 2) {
        sum = square * (sum + 1.0 / k);
    }
    return 2 * s * (1 + sum);
}

double marl__mpe_softplus(double x) {
    if (x > 40) {
        return x; /* what is missing is below half a unit in the last place */
    }
    if (x > 0) {
        return x + log_1_plus(marl__mpe_exp(-x));
    }
    return x < -40 ? marl__mpe_exp(x) : log_1_plus(marl__mpe_exp(x));
}

double marl__mpe_distance(const double *a, const double *b) {
    double x = a[0] - b[0], y = a[1] - b[1];

    return sqrt(x * x + y * y);
}

static void press_apart(marl__mpe *e, int32_t a, int32_t b) {
    double x = e->pos[a][0] - e->pos[b][0], y = e->pos[a][1] - e->pos[b][1];
    double touching = e->bodies[a].size + e->bodies[b].size;
    double reach = touching - LEAST_EXPONENT * CONTACT_MARGIN;
    double square = x * x + y * y, distance, depth;

    if (square >= reach * reach || square == 0) {
        return;
    }
    distance = sqrt(square);
    depth = marl__mpe_softplus((touching - distance) / CONTACT_MARGIN) * CONTACT_MARGIN;
    x = CONTACT_FORCE * x / distance * depth;
    y = CONTACT_FORCE * y / distance * depth;
    if (e->bodies[a].is_movable) {
        e->force[a][0] += x;
        e->force[a][1] += y;
    }
    if (e->bodies[b].is_movable) {
        e->force[b][0] -= x;
        e->force[b][1] -= y;
    }
}

/* Agents come first among the colliders, so a pair whose first is a landmark is two landmarks: neither moves. */
static void press_all_apart(marl__mpe *e) {
    for (int32_t i = 0; i < e->collider_count && e->colliders[i] < e->agents; i++) {
        for (int32_t j = i + 1; j < e->collider_count; j++) {
            press_apart(e, e->colliders[i], e->colliders[j]);
        }
    }
}

static void accelerate(const marl__mpe_body *body, double *vel, const double *force) {
    double speed;

    vel[0] = vel[0] * KEPT_SPEED + force[0] * TIME_STEP;
    vel[1] = vel[1] * KEPT_SPEED + force[1] * TIME_STEP;
    if (body->most_speed > 0) {
        speed = sqrt(vel[0] * vel[0] + vel[1] * vel[1]);
        if (speed > body->most_speed) {
            vel[0] = vel[0] / speed * body->most_speed;
            vel[1] = vel[1] / speed * body->most_speed;
        }
    }
}

void marl__mpe_move(marl__mpe *e) {
    press_all_apart(e);
    for (int32_t i = 0; i < e->agents; i++) {
        double *pos = e->pos[i], *vel = e->vel[i];
        if (!e->bodies[i].is_movable) {
            continue;
        }
        if (e->rules.moves_last) {
            accelerate(&e->bodies[i], vel, e->force[i]);
        }
        pos[0] += vel[0] * TIME_STEP;
        pos[1] += vel[1] * TIME_STEP;
        if (!e->rules.moves_last) {
            accelerate(&e->bodies[i], vel, e->force[i]);
        }
    }
}
