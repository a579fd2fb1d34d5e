/* SPDX-License-Identifier: Apache-2.0 */
/* Entities to and from JSON, see the header. */
#include "run/entities_file.h"

#include "core/base/status.h"
#include "marl/env.h"

/* ---- writing ---- */

static void write_numbers(marl__json_writer *json, const int32_t *numbers, int32_t count) {
    marl__json_open_array(json, NULL);
    for (int32_t i = 0; i < count; i++) marl__json_write_int(json, NULL, numbers[i]);
    marl__json_close_array(json);
}

static void write_class(marl__json_writer *json, const marl__entity_class *class) {
    marl__json_open_object(json, NULL);
    marl__json_write_int(json, "actions", class->actions);
    marl__json_open_array(json, "targets");
    for (int32_t i = 0; i < class->target_count; i++) {
        const marl__entity_target *at = &class->targets[i];
        write_numbers(json, (const int32_t[]){at->first_action, at->count, at->group, at->first_entity}, 4);
    }
    marl__json_close_array(json);
    marl__json_close_object(json);
}

void marl__entities_write(marl__json_writer *json, const marl__entities *entities) {
    marl__json_open_object(json, "entities");
    marl__json_open_array(json, "groups");
    for (int32_t i = 0; i < entities->group_count; i++) {
        const marl__entity_group *at = &entities->groups[i];
        write_numbers(json, (const int32_t[]){at->role, at->offset, at->count, at->features}, 4);
    }
    marl__json_close_array(json);
    marl__json_open_array(json, "classes");
    for (int32_t i = 0; i < entities->class_count; i++) write_class(json, &entities->classes[i]);
    marl__json_close_array(json);
    marl__json_open_array(json, "runs");
    for (int32_t i = 0; i < entities->run_count; i++)
        write_numbers(json, (const int32_t[]){entities->runs[i].first_agent, entities->runs[i].class_index}, 2);
    marl__json_close_array(json);
    marl__json_close_object(json);
}

/* ---- reading ---- */

static marl_status refuse(const char *what) {
    return marl__fail(MARL_E_FORMAT, "the policy's entities: %s", what);
}

/* An array of exactly `count` numbers from 0 to 2^30. */
static marl_status read_numbers(const marl__json *json, int32_t value, int32_t *out, uint32_t count) {
    if (marl__json_type(json, value) != MARL__JSON_ARRAY || marl__json_count(json, value) != count)
        return refuse("a list of another length than this version writes");
    int32_t item = marl__json_first(json, value);
    for (uint32_t i = 0; i < count; i++, item = marl__json_next(json, item)) {
        int64_t number = 0;
        marl_status status = marl__json_int(json, item, &number);
        if (status != MARL_OK) return status;
        if (number < 0 || number > 1 << 30) return refuse("a number below 0 or above 2^30");
        out[i] = (int32_t)number;
    }
    return MARL_OK;
}

/* The elements of a list of lists, at most `most` of them; count: of numbers in each. */
static marl_status read_table(const marl__json *json, int32_t list, int32_t most, uint32_t count, int32_t (*rows)[4],
                              int32_t *out_count) {
    *out_count = 0;
    if (marl__json_type(json, list) != MARL__JSON_ARRAY) return refuse("a list is missing");
    for (int32_t item = marl__json_first(json, list); item >= 0; item = marl__json_next(json, item)) {
        if (*out_count == most) return refuse("a list is too long");
        marl_status status = read_numbers(json, item, rows[(*out_count)++], count);
        if (status != MARL_OK) return status;
    }
    return MARL_OK;
}

static int overlaps(const marl__entity_group *a, const marl__entity_group *b) {
    return a->offset < b->offset + b->count * b->features && b->offset < a->offset + a->count * a->features;
}

static marl_status read_groups(const marl__json *json, int32_t list, const marl__team_shape *shape,
                               marl__entities *out) {
    int32_t rows[MARL__ENTITY_GROUPS][4];
    marl_status status = read_table(json, list, MARL__ENTITY_GROUPS, 4, rows, &out->group_count);
    for (int32_t i = 0; status == MARL_OK && i < out->group_count; i++) {
        marl__entity_group *group = &out->groups[i];
        *group = (marl__entity_group){rows[i][0], rows[i][1], rows[i][2], rows[i][3]};
        if (group->role > MARL_ROLE_GOAL) return refuse("a group of no known role");
        if (group->count < 1 || group->features < 1 ||
            (int64_t)group->offset + (int64_t)group->count * group->features > shape->obs)
            return refuse("a group does not lie in the observation");
        for (int32_t k = 0; k < i; k++)
            if (overlaps(group, &out->groups[k])) return refuse("two groups share numbers of the observation");
    }
    return status;
}

static marl_status read_class(const marl__json *json, int32_t object, const marl__team_shape *shape,
                              const marl__entities *entities, marl__entity_class *out) {
    int32_t rows[MARL__ENTITY_TARGETS][4];
    int64_t actions = 0;
    marl_status status = marl__json_get_int(json, object, "actions", &actions);
    if (status != MARL_OK) return status;
    if (actions < 1 || actions > shape->actions) return refuse("a class has more actions than the team");
    out->actions = (int32_t)actions;
    status = read_table(json, marl__json_find(json, object, "targets"), MARL__ENTITY_TARGETS, 4, rows,
                        &out->target_count);
    for (int32_t i = 0; status == MARL_OK && i < out->target_count; i++) {
        marl__entity_target *at = &out->targets[i];
        *at = (marl__entity_target){rows[i][0], rows[i][1], rows[i][2], rows[i][3]};
        if ((int64_t)at->first_action + at->count > actions || at->group >= entities->group_count ||
            (int64_t)at->first_entity + at->count > entities->groups[at->group].count)
            return refuse("an action aims at no entity");
    }
    return status;
}

static marl_status read_classes(const marl__json *json, int32_t list, const marl__team_shape *shape,
                                marl__entities *out) {
    int32_t most = 0;
    if (marl__json_type(json, list) != MARL__JSON_ARRAY) return refuse("the classes are missing");
    for (int32_t item = marl__json_first(json, list); item >= 0; item = marl__json_next(json, item)) {
        if (out->class_count == MARL__ENTITY_CLASSES) return refuse("too many classes");
        marl__entity_class *class = &out->classes[out->class_count++];
        marl_status status = read_class(json, item, shape, out, class);
        if (status != MARL_OK) return status;
        if (class->actions > most) most = class->actions;
    }
    return most == shape->actions ? MARL_OK : refuse("no class has all of the team's actions");
}

static marl_status read_runs(const marl__json *json, int32_t list, const marl__team_shape *shape,
                             marl__entities *out) {
    int32_t rows[MARL__ENTITY_RUNS][4];
    marl_status status = read_table(json, list, MARL__ENTITY_RUNS, 2, rows, &out->run_count);
    for (int32_t i = 0; status == MARL_OK && i < out->run_count; i++) {
        out->runs[i] = (marl__entity_run){rows[i][0], rows[i][1]};
        if (rows[i][1] >= out->class_count) return refuse("an agent of no class");
        if (rows[i][0] >= shape->agents || (i == 0 ? rows[i][0] != 0 : rows[i][0] <= rows[i - 1][0]))
            return refuse("agents out of order");
    }
    return status == MARL_OK && out->run_count == 0 ? refuse("no agent has a class") : status;
}

marl_status marl__entities_read(const marl__json *json, int32_t value, const marl__team_shape *shape,
                                marl__entities *out) {
    marl_status status = MARL_OK;
    *out = (marl__entities){0};
    if (marl__json_type(json, value) != MARL__JSON_OBJECT) return refuse("they are no object");
    if ((status = read_groups(json, marl__json_find(json, value, "groups"), shape, out)) != MARL_OK) return status;
    if ((status = read_classes(json, marl__json_find(json, value, "classes"), shape, out)) != MARL_OK) return status;
    return read_runs(json, marl__json_find(json, value, "runs"), shape, out);
}
