/* SPDX-License-Identifier: Apache-2.0 */
/* From the targets of classes to segments of actions, see the header. */
#include "nets/hpn_actions.h"

#include <stddef.h>

static const marl__entity_target *target_of(const marl__entity_class *class, int32_t action) {
    for (int32_t t = 0; t < class->target_count; t++) {
        const marl__entity_target *target = &class->targets[t];
        if (action >= target->first_action && action - target->first_action < target->count) return target;
    }
    return NULL;
}

/* plain: the number a plain value would have. */
static marl__hpn_source source_of(const marl__entities *entities, int32_t class_index, int32_t action, int32_t plain) {
    const marl__entity_class *class = &entities->classes[class_index];
    const marl__entity_target *target = target_of(class, action);
    if (target)
        return (marl__hpn_source){MARL__HPN_SCORE, target->group,
                                  target->first_entity + action - target->first_action};
    if (action >= class->actions) return (marl__hpn_source){MARL__HPN_NONE, 0, 0};
    for (int32_t c = 0; class->target_count > 0 && c < entities->class_count; c++)
        if (target_of(&entities->classes[c], action)) return (marl__hpn_source){MARL__HPN_NONE, 0, 0};
    return (marl__hpn_source){MARL__HPN_PLAIN, 0, plain};
}

static int goes_on(const marl__hpn_source *from, int32_t count, const marl__hpn_source *next) {
    return from->kind == next->kind && from->group == next->group &&
           (from->kind == MARL__HPN_NONE || from->at + count == next->at);
}

static int is_same(const marl__hpn_source *a, const marl__hpn_source *b) {
    return a->kind == b->kind && a->group == b->group && a->at == b->at;
}

/* Puts one more action to the last segment, or begins another. */
static void append(marl__hpn_actions *map, int32_t action, const marl__hpn_source *of, int32_t classes) {
    marl__hpn_segment *last = map->count > 0 ? &map->list[map->count - 1] : NULL;
    int joins = last != NULL;
    for (int32_t c = 0; joins && c < classes; c++) joins = goes_on(&last->of[c], last->count, &of[c]);
    if (joins) {
        last->count++;
        return;
    }
    if (map->count == MARL__HPN_SEGMENTS) return; /* cannot be: there are no more ends than that */
    last = &map->list[map->count++];
    *last = (marl__hpn_segment){.first = action, .count = 1, .is_common = 1};
    for (int32_t c = 0; c < classes; c++) {
        last->of[c] = of[c];
        last->is_common = last->is_common && is_same(&of[0], &of[c]);
    }
}

void marl__hpn_map_actions(const marl__entities *entities, int32_t actions, marl__hpn_actions *out) {
    out->count = out->plain = 0;
    for (int32_t action = 0; action < actions; action++) {
        marl__hpn_source of[MARL__ENTITY_CLASSES];
        int is_plain = 0;
        for (int32_t c = 0; c < entities->class_count; c++) {
            of[c] = source_of(entities, c, action, out->plain);
            is_plain |= of[c].kind == MARL__HPN_PLAIN;
        }
        append(out, action, of, entities->class_count);
        out->plain += is_plain;
    }
}
