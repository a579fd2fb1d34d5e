/* SPDX-License-Identifier: Apache-2.0 */
/* What the op declarations share: checks of shapes with sentences that name op, expected and given. */
#ifndef MARL__CORE_OPS_OPS_H
#define MARL__CORE_OPS_OPS_H

#include "core/graph/graph.h"

#define MARL_OP(name) extern const marl__op marl__op_##name;
#include "core/graph/ops.def"
#undef MARL_OP

/* Each is 1 when fine; otherwise the graph has failed and 0 is returned. A failed graph gives 0 at once. */
int marl__check_value(marl__graph *g, const char *op, const char *what, marl__val value);
int marl__check_cols(marl__graph *g, const char *op, const char *what, marl__val value, int32_t cols);
int marl__check_like(marl__graph *g, const char *op, const char *what, marl__val value, int32_t space, int32_t cols);
int marl__check_index(marl__graph *g, const char *op, const char *what, marl__val value, int32_t space);
/* A parameter of `rows` by `cols` a group (cols 1: a vector); grouped ones need AGENT rows. */
int marl__check_param(marl__graph *g, const char *op, const char *what, marl__val value, int32_t rows, int32_t cols,
                      int32_t space);
const marl__param *marl__param_of(const marl__graph *g, marl__val value); /* NULL: no parameter */
/* Entities in the columns of obs and the hidden layer they pass through; k and d are its weight's. */
int marl__check_entities(marl__graph *g, const char *op, const marl__val *in, int32_t first, int32_t count,
                         int32_t activation);
/* A node over entities: inputs, then first, count and activation, groups from the weight in[weight]. */
marl__node *marl__add_entity_node(marl__graph *g, int32_t op, const marl__val *in, int32_t in_count, int32_t weight,
                                  const int32_t *ints);
/* d times the derivative of a function: its value or its argument is `at`, see unary_grad. factor: of an affine one. */
marl__val marl__times_slope(marl__graph *g, int32_t kind, float factor, marl__val d, marl__val at);
/* a + b where one, or both, may be -1 for a tangent that stands still. */
marl__val marl__add_tangents(marl__graph *g, marl__val a, marl__val b);
/* Tangent of x W^T + b from those of W and b (-1: stands still); -1 if both stand still. */
marl__val marl__linear_param_tangent(marl__graph *g, marl__val x, marl__val weight, marl__val dweight, marl__val dbias);
/* The jvp of ops whose value is a constant wherever it has a derivative. */
void marl__constant_jvp(marl__graph *g, const marl__node *node, const marl__val *din, marl__val *dout);
/* Sets groups and map of a node from one of its parameters. */
void marl__set_groups_from(marl__graph *g, marl__node *node, marl__val param);

#endif
