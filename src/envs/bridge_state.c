/* SPDX-License-Identifier: Apache-2.0 */
/* States of the bridge from and to the outside: saved bytes, and the arrays of recorded traces. Both come from
 * strangers, so a state is taken only if it could be one of ours. */
#include "envs/bridge.h"

#include <string.h>

#include "core/base/status.h"

#define SAVE_MAGIC 0x31677262u /* "brg1" */
#define HEAD_WORDS 4
#define AGENT_WORDS 6 /* cell, goal, has arrived, sees nothing */
#define SAVE_WORDS (HEAD_WORDS + AGENT_WORDS * MARL__BRIDGE_AGENTS + 2 * MARL__BRIDGE_BLOCKS)

/* What changes from one step to the next, in the shape of the environment itself. */
typedef struct position {
    int32_t step, block_count;
    marl__bridge_cell pos[MARL__BRIDGE_AGENTS], goal[MARL__BRIDGE_AGENTS], blocks[MARL__BRIDGE_BLOCKS];
    int32_t has_arrived[MARL__BRIDGE_AGENTS], sees_nothing[MARL__BRIDGE_AGENTS];
} position;

size_t marl__bridge_save_bytes(void *env) {
    const marl__bridge *e = env;

    return sizeof(int32_t) * (size_t)(HEAD_WORDS + AGENT_WORDS * e->rules.agents + 2 * e->rules.random_blocks);
}

marl_status marl__bridge_save(void *env, void *bytes) {
    const marl__bridge *e = env;
    int32_t words[SAVE_WORDS] = {(int32_t)SAVE_MAGIC, e->rules.agents, e->step, e->block_count};
    int32_t *at = words + HEAD_WORDS;

    for (int32_t i = 0; i < e->rules.agents; i++) {
        *at++ = e->pos[i].row;
        *at++ = e->pos[i].col;
        *at++ = e->goal[i].row;
        *at++ = e->goal[i].col;
        *at++ = e->has_arrived[i];
        *at++ = e->sees_nothing[i];
    }
    for (int32_t k = 0; k < e->block_count; k++) {
        *at++ = e->blocks[k].row;
        *at++ = e->blocks[k].col;
    }
    memcpy(bytes, words, marl__bridge_save_bytes(env));
    return MARL_OK;
}

/* ---- checks ---- */

static int has_letter(const marl__bridge *e, marl__bridge_cell cell, const char *letters) {
    const marl__bridge_rules *r = &e->rules;

    return cell.row >= 0 && cell.row < r->rows && cell.col >= 0 && cell.col < r->cols &&
           strchr(letters, r->map[marl__bridge_index(e, cell)]) != NULL;
}

/* On a free cell, going to one of the other group's area that nobody of the own group goes to. */
static int is_agent_possible(const marl__bridge *e, const position *p, int32_t i) {
    int32_t half = e->rules.agents / 2, first = i < half ? 0 : half;
    int is_there = marl__bridge_same(p->pos[i], p->goal[i]);

    if (!has_letter(e, p->pos[i], "AR12") || !has_letter(e, p->goal[i], i < half ? "2" : "1")) {
        return 0;
    }
    for (int32_t k = 0; k < p->block_count; k++) {
        if (marl__bridge_same(p->blocks[k], p->pos[i])) {
            return 0;
        }
    }
    for (int32_t j = first; j < i; j++) {
        if (marl__bridge_same(p->goal[j], p->goal[i])) {
            return 0;
        }
    }
    return p->has_arrived[i] == is_there && p->sees_nothing[i] >= 0 && p->sees_nothing[i] <= is_there;
}

/* Two under way never share a cell. */
static int is_alone(const marl__bridge *e, const position *p, int32_t i) {
    for (int32_t j = 0; j < e->rules.agents; j++) {
        if (j != i && !p->has_arrived[i] && !p->has_arrived[j] && marl__bridge_same(p->pos[i], p->pos[j])) {
            return 0;
        }
    }
    return 1;
}

static marl_status check_position(const marl__bridge *e, const position *p) {
    if (p->step < 0 || p->step > e->rules.max_steps || p->block_count < 0 || p->block_count > e->rules.random_blocks) {
        return marl__fail(MARL_E_FORMAT, "the state is at step %d with %d blocks; at most %d and %d are possible",
                          p->step, p->block_count, e->rules.max_steps, e->rules.random_blocks);
    }
    for (int32_t k = 0; k < p->block_count; k++) {
        if (!has_letter(e, p->blocks[k], "R")) {
            return marl__fail(MARL_E_FORMAT, "the state's block %d at (%d, %d) is not on a cell R", k, p->blocks[k].row,
                              p->blocks[k].col);
        }
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        if (!is_agent_possible(e, p, i) || !is_alone(e, p, i)) {
            return marl__fail(MARL_E_FORMAT, "the state's agent %d, at (%d, %d) for (%d, %d), is not possible", i,
                              p->pos[i].row, p->pos[i].col, p->goal[i].row, p->goal[i].col);
        }
    }
    return MARL_OK;
}

static void take_position(marl__bridge *e, const position *p) {
    e->step = p->step;
    e->block_count = p->block_count;
    memcpy(e->pos, p->pos, sizeof e->pos);
    memcpy(e->goal, p->goal, sizeof e->goal);
    memcpy(e->blocks, p->blocks, sizeof e->blocks);
    for (int32_t i = 0; i < e->rules.agents; i++) {
        e->has_arrived[i] = (uint8_t)p->has_arrived[i];
        e->sees_nothing[i] = (uint8_t)p->sees_nothing[i];
    }
    marl__bridge_build_walls(e);
}

marl_status marl__bridge_restore(void *env, const void *bytes, size_t byte_count) {
    marl__bridge *e = env;
    int32_t words[SAVE_WORDS] = {0};
    const int32_t *at = words + HEAD_WORDS;
    position p;
    marl_status status = MARL_OK;

    if (byte_count != marl__bridge_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this environment has %zu bytes, not %zu",
                          marl__bridge_save_bytes(env), byte_count);
    }
    memcpy(words, bytes, byte_count);
    if (words[0] != (int32_t)SAVE_MAGIC || words[1] != e->rules.agents) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of '%s'", e->name);
    }
    memset(&p, 0, sizeof p);
    p.step = words[2];
    p.block_count = words[3];
    for (int32_t i = 0; i < e->rules.agents; i++, at += AGENT_WORDS) {
        p.pos[i] = (marl__bridge_cell){at[0], at[1]};
        p.goal[i] = (marl__bridge_cell){at[2], at[3]};
        p.has_arrived[i] = at[4];
        p.sees_nothing[i] = at[5];
    }
    for (int32_t k = 0; k < e->rules.random_blocks; k++, at += 2) {
        p.blocks[k] = (marl__bridge_cell){at[0], at[1]};
    }
    if ((status = check_position(e, &p)) != MARL_OK) return status;
    take_position(e, &p);
    return MARL_OK;
}

/* ---- traces ---- */

static const int32_t *find_array(const marl__env_array *arrays, uint32_t array_count, const char *name, int32_t count) {
    for (uint32_t i = 0; i < array_count; i++) {
        if (strcmp(arrays[i].name, name) == 0 && arrays[i].count == (uint32_t)count) {
            return arrays[i].values;
        }
    }
    marl__fail(MARL_E_SHAPE, "the recorded state has no array '%s' of %d numbers", name, count);
    return NULL;
}

/* init_pos (n,2), init_goal (n,2); without random blocks. */
static marl_status bridge_set_state(void *env, const marl__env_array *arrays, uint32_t array_count) {
    marl__bridge *e = env;
    const int32_t *pos = find_array(arrays, array_count, "init_pos", 2 * e->rules.agents);
    const int32_t *goal = pos ? find_array(arrays, array_count, "init_goal", 2 * e->rules.agents) : NULL;
    position p;
    marl_status status = MARL_OK;

    if (!goal) return MARL_E_SHAPE;
    memset(&p, 0, sizeof p);
    for (int32_t i = 0; i < e->rules.agents; i++) {
        p.pos[i] = (marl__bridge_cell){pos[2 * i], pos[2 * i + 1]};
        p.goal[i] = (marl__bridge_cell){goal[2 * i], goal[2 * i + 1]};
    }
    if ((status = check_position(e, &p)) != MARL_OK) return status;
    take_position(e, &p);
    return MARL_OK;
}

/* pos (n,2), goal (n,2), done (n). */
static marl_status bridge_get_array(void *env, const char *name, int32_t *values, uint32_t count) {
    const marl__bridge *e = env;
    uint32_t n = (uint32_t)e->rules.agents;
    int is_pos = strcmp(name, "pos") == 0, is_goal = strcmp(name, "goal") == 0;

    if (!is_pos && !is_goal && strcmp(name, "done") != 0) {
        return marl__fail(MARL_E_NAME, "bridge has no array '%s'; it has pos, goal and done", name);
    }
    if (count != (is_pos || is_goal ? 2 * n : n)) {
        return marl__fail(MARL_E_SHAPE, "array '%s' has %u numbers, not %u", name, is_pos || is_goal ? 2 * n : n,
                          count);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (is_pos || is_goal) {
            values[2 * i] = is_pos ? e->pos[i].row : e->goal[i].row;
            values[2 * i + 1] = is_pos ? e->pos[i].col : e->goal[i].col;
        } else {
            values[i] = e->has_arrived[i] || e->step >= e->rules.max_steps;
        }
    }
    return MARL_OK;
}

const marl__env_inject marl__bridge_inject = {.set_state = bridge_set_state, .get_array = bridge_get_array};
