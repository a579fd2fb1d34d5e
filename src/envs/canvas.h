/* SPDX-License-Identifier: Apache-2.0 */
/* What pictures of environments are made of: rectangles and smooth discs in an RGB buffer, and text that is cut where
 * its buffer ends. Colours are 0xrrggbb; coordinates are pixels, (0,0) at the top left. */
#ifndef MARL__ENVS_CANVAS_H
#define MARL__ENVS_CANVAS_H

#include "marl/env.h"

/* Parts outside the picture are left out. */
void marl__canvas_rect(marl_image *image, int32_t left, int32_t top, int32_t width, int32_t height, uint32_t rgb);
/* The points between two distances from (x, y); inner 0: a full disc. opacity: 0 to 1. */
void marl__canvas_ring(marl_image *image, double x, double y, double inner, double outer, uint32_t rgb,
                       double opacity);

typedef struct marl__canvas_text {
    char *buffer;
    size_t bytes, at; /* at: what it would have taken */
} marl__canvas_text;

void marl__canvas_put(marl__canvas_text *text, const char *more);
/* Ends the text; MARL_E_SHAPE says what it would have taken. */
marl_status marl__canvas_finish(marl__canvas_text *text);

#endif
