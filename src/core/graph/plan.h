/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: a graph made ready on a device. Dead nodes are dropped, lifetimes packed into one arena layout, kernels
 * resolved. A run (marl__exec) is an arena with bindings and counts; several runs of one plan work side by side. */
#ifndef MARL__CORE_GRAPH_PLAN_H
#define MARL__CORE_GRAPH_PLAN_H

#include "core/graph/graph.h"

/* Capacities a plan is made for: greatest numbers of slots, teams and (t, b) rows. */
typedef struct marl__capacity { int32_t slots, batch, rows; } marl__capacity;

typedef struct marl__plan marl__plan;
typedef struct marl__exec marl__exec;

/* The graph is borrowed and must outlive the plan. MARL_E_UNSUPPORTED names an op without a kernel. */
marl_status marl__plan_create(marl_device *device, const marl__graph *graph, marl__capacity capacity, marl__plan **out);
void marl__plan_destroy(marl__plan *plan);
size_t marl__plan_arena_bytes(const marl__plan *plan);
int32_t marl__plan_node_count(const marl__plan *plan); /* live nodes */
/* Floating-point operations of a stage (-1: all) for given counts. */
double marl__plan_flops(const marl__plan *plan, int32_t stage, const marl__seq *seq);

marl_status marl__exec_create(const marl__plan *plan, marl__exec **out); /* allocates the arena */
void marl__exec_destroy(marl__exec *exec);

/* Counts of the next runs; copied pointers: active and offset must live through the run. */
void marl__exec_set_seq(marl__exec *exec, const marl__seq *seq);
const marl__seq *marl__exec_seq(const marl__exec *exec);
/* Memory of an input, state or kept value: the arena's, or what it was bound to. NULL if the value is dead. */
void *marl__exec_data(const marl__exec *exec, marl__val value);
/* Rows of a value under the present counts. */
int32_t marl__exec_rows(const marl__exec *exec, marl__val value);
void marl__exec_bind(marl__exec *exec, marl__val value, void *data); /* inputs, states, kept outputs */
/* Binds a slot to a version; range: which range of equal layout (-1: the slot's own). */
void marl__exec_bind_slot(marl__exec *exec, int32_t slot, const marl__version *version, int32_t range);
/* Gradients of a slot's parameters are added to this flat vector (whole table layout). */
void marl__exec_bind_grad(marl__exec *exec, int32_t slot, float *gradient);

/* Runs unit by unit: begin a stage, then step until it says 0. Stopping after any unit and going on later, on any
 * thread, gives the same bits. */
void marl__exec_begin(marl__exec *exec, int32_t stage);
int32_t marl__exec_step(marl__exec *exec); /* 1: a unit was done; 0: the stage is complete */
void marl__exec_run(marl__exec *exec, int32_t stage); /* the whole stage */

#endif
