/* SPDX-License-Identifier: Apache-2.0 */
/* The rollout's memory: one block an array, all at create. */
#include "algos/rollout.h"

#include <string.h>

#include "core/base/status.h"

static marl_status check(const marl__rollout_shape *s) {
    if (s->steps < 1 || s->envs < 1 || s->agents < 1)
        return marl__fail(MARL_E_SHAPE, "a rollout of %d steps of %d environments of %d agents; each at least 1",
                          (int)s->steps, (int)s->envs, (int)s->agents);
    if (s->obs < 1 || s->actions < 0 || s->dims < 0 || s->controls < 0 || s->state < 0 || s->actor_hidden < 0 ||
        s->critic_hidden < 0 || s->finals < 0)
        return marl__fail(MARL_E_SHAPE, "a rollout with %d observations, %d actions, %d states", (int)s->obs,
                          (int)s->actions, (int)s->state);
    if (s->rewards != 1 && s->rewards != s->agents)
        return marl__fail(MARL_E_SHAPE, "a rollout with %d rewards a step; 1, or one for each of %d agents",
                          (int)s->rewards, (int)s->agents);
    if (s->critic_rows != 1 && s->critic_rows != s->agents)
        return marl__fail(MARL_E_SHAPE, "a rollout with %d rows of the critic; 1, or one for each of %d agents",
                          (int)s->critic_rows, (int)s->agents);
    return MARL_OK;
}

/* An array of rows x columns; none where a row has no columns. */
static marl_status add(marl__heap *heap, size_t rows, int32_t width, int32_t cols, size_t bytes, void **out) {
    size_t count = 0;
    if (cols == 0) return MARL_OK;
    if (!marl__mul_size(rows, (size_t)width, &count) || !marl__mul_size(count, (size_t)cols, &count))
        return marl__fail(MARL_E_SHAPE, "a rollout of %zu rows of %d x %d numbers is impossible", rows, (int)width,
                          (int)cols);
    return marl__alloc_array(heap, count, bytes, out);
}

static marl_status allocate(marl__rollout *r) {
    const marl__rollout_shape *s = &r->shape;
    int32_t N = s->agents, state_width = s->state_per_agent ? N : 1;
    size_t slots = ((size_t)s->steps + 1) * (size_t)s->envs, steps = (size_t)s->steps * (size_t)s->envs;
    size_t finals = (size_t)s->finals, envs = (size_t)s->envs, real = sizeof(float);
    const struct { size_t rows; int32_t width, cols; size_t bytes; void *out; } arrays[] = {
        {slots, N, s->obs, real, &r->obs},
        {slots, state_width, s->state, real, &r->state},
        {slots, N, s->actions, 1, &r->avail},
        {slots, N, 1, 1, &r->alive},
        {steps, N, s->dims, sizeof(int32_t), &r->actions},
        {steps, N, s->controls, real, &r->controls},
        {steps, 1, s->rewards, sizeof(double), &r->rewards},
        {slots, 1, 1, 1, &r->first},
        {steps, 1, 1, 1, &r->ended},
        {envs, N, s->actor_hidden, real, &r->actor_hidden},
        {envs, s->critic_rows, s->critic_hidden, real, &r->critic_hidden},
        {finals, 1, 1, sizeof(int32_t), &r->final_row},
        {finals, N, s->obs, real, &r->final_obs},
        {finals, state_width, s->state, real, &r->final_state},
    };
    marl_status status = MARL_OK;
    for (size_t i = 0; status == MARL_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
        void *block = NULL;
        status = add(r->heap, arrays[i].rows, arrays[i].width, arrays[i].cols, arrays[i].bytes, &block);
        memcpy(arrays[i].out, &block, sizeof block);
    }
    return status;
}

marl_status marl__rollout_create(marl__heap *heap, const marl__rollout_shape *shape, marl__rollout **out) {
    size_t rows = 0;
    *out = NULL;
    marl_status status = check(shape);
    if (status != MARL_OK) return status;
    if (!marl__mul_size((size_t)shape->steps + 1, (size_t)shape->envs, &rows) || rows > (size_t)INT32_MAX / 2)
        return marl__fail(MARL_E_SHAPE, "a rollout of %d steps of %d environments is too large", (int)shape->steps,
                          (int)shape->envs);
    marl__rollout *rollout = marl__alloc_zero(heap, sizeof *rollout);
    if (!rollout) return marl__no_memory(sizeof *rollout);
    rollout->heap = heap;
    rollout->shape = *shape;
    int32_t most = shape->steps * shape->envs;
    if (shape->finals == 0 || shape->finals > most) rollout->shape.finals = most;
    status = allocate(rollout);
    if (status == MARL_OK) *out = rollout;
    else marl__rollout_destroy(rollout);
    return status;
}

void marl__rollout_destroy(marl__rollout *rollout) {
    if (!rollout) return;
    marl__heap *heap = rollout->heap;
    void *blocks[] = {rollout->obs,     rollout->state,        rollout->avail,         rollout->alive,
                      rollout->actions, rollout->controls,     rollout->rewards,       rollout->first,
                      rollout->ended,   rollout->actor_hidden, rollout->critic_hidden, rollout->final_row,
                      rollout->final_obs, rollout->final_state};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) marl__free(heap, blocks[i]);
    marl__free(heap, rollout);
}

/* Slot T of an array onto slot 0; bytes: of a slot. */
static void move_slot(void *array, int32_t T, size_t bytes) {
    if (array) memcpy(array, (char *)array + (size_t)T * bytes, bytes);
}

void marl__rollout_carry_on(marl__rollout *rollout) {
    const marl__rollout_shape *s = &rollout->shape;
    size_t E = (size_t)s->envs, rows = E * (size_t)s->agents;
    move_slot(rollout->obs, s->steps, rows * (size_t)s->obs * sizeof(float));
    move_slot(rollout->state, s->steps, (s->state_per_agent ? rows : E) * (size_t)s->state * sizeof(float));
    move_slot(rollout->avail, s->steps, rows * (size_t)s->actions);
    move_slot(rollout->alive, s->steps, rows);
    move_slot(rollout->first, s->steps, E);
    memset(rollout->ended, 0, (size_t)s->steps * E);
    rollout->final_count = 0;
}

marl_status marl__rollout_add_final(marl__rollout *rollout, int32_t t, int32_t e, int32_t *out) {
    int32_t row = (int32_t)marl__rollout_row(rollout, t, e), count = rollout->final_count;
    *out = -1;
    if (count == rollout->shape.finals)
        return marl__fail(MARL_E_STATE, "environment %d is cut off in step %d, the %dth of the rollout; there is room "
                          "for %d", (int)e, (int)t, (int)count + 1, (int)rollout->shape.finals);
    MARL_ASSERT(count == 0 || rollout->final_row[count - 1] < row);
    rollout->ended[row] = MARL__TRUNCATED;
    rollout->final_row[count] = row;
    *out = rollout->final_count++;
    return MARL_OK;
}

int32_t marl__rollout_find_final(const marl__rollout *rollout, int32_t t, int32_t e) {
    int32_t row = (int32_t)marl__rollout_row(rollout, t, e), low = 0, high = rollout->final_count;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (rollout->final_row[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low < rollout->final_count && rollout->final_row[low] == row ? low : -1;
}
