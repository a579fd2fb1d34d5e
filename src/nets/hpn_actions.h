/* SPDX-License-Identifier: Apache-2.0 */
/* hpn's actions: which value each class of agents has for each action. A class takes the scores of entities where its
 * actions aim at them. An action at which another class aims and this one, which aims elsewhere, does not is never
 * available to it (a medic's slot for an enemy too many) and has no value. All others are plain. */
#ifndef MARL__NETS_HPN_ACTIONS_H
#define MARL__NETS_HPN_ACTIONS_H

#include "nets/entities.h"

enum marl__hpn_kind { MARL__HPN_NONE, MARL__HPN_PLAIN, MARL__HPN_SCORE };

/* Where an action's value comes from: plain value or entity number `at`. */
typedef struct marl__hpn_source {
    int32_t kind, group, at;
} marl__hpn_source;

/* Neighbouring actions whose values stand side by side in every class. */
typedef struct marl__hpn_segment {
    int32_t first, count, is_common; /* is_common: all classes take the same values */
    marl__hpn_source of[MARL__ENTITY_CLASSES];
} marl__hpn_segment;

/* Segments end where targets and classes do. */
enum { MARL__HPN_SEGMENTS = MARL__ENTITY_CLASSES * (2 * MARL__ENTITY_TARGETS + 1) + 1 };

typedef struct marl__hpn_actions {
    int32_t count, plain; /* segments; plain values */
    marl__hpn_segment list[MARL__HPN_SEGMENTS];
} marl__hpn_actions;

/* actions: of the team. */
void marl__hpn_map_actions(const marl__entities *entities, int32_t actions, marl__hpn_actions *out);

#endif
