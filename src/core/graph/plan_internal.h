/* SPDX-License-Identifier: Apache-2.0 */
/* What plan.c makes and exec.c runs. */
#ifndef MARL__CORE_GRAPH_PLAN_INTERNAL_H
#define MARL__CORE_GRAPH_PLAN_INTERNAL_H

#include "core/graph/plan.h"

typedef struct marl__place {
    marl__val root;       /* the value whose memory it is (itself, or what it aliases) */
    int32_t is_live;      /* a root with memory in the arena */
    int32_t first, last;  /* life, in positions of live nodes */
    size_t offset, bytes;
} marl__place;

struct marl__plan {
    marl_device *device;
    marl__heap *heap;
    const marl__graph *graph;
    marl__capacity capacity;
    int32_t *nodes;       /* live nodes in order */
    int32_t *stage_first; /* first position of each stage; stage_count + 1 entries */
    int32_t node_count;
    marl__place *places;  /* of each value */
    size_t arena_bytes, scratch_bytes;
};

/* Fills a call but for the pointers. */
void marl__plan_describe(const marl__plan *plan, const marl__node *node, const marl__seq *seq, marl__call *call);
/* Rows of the value by which a node's work is cut. */
int32_t marl__primary_rows(const marl__plan *plan, const marl__node *node, const marl__seq *seq);

#endif
