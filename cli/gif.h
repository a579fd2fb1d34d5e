/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an animated GIF (version 89a) that plays again and again. Of each frame after the first only the rectangle
 * that has changed is stored, and what has not changed inside it is left transparent where that saves bytes. */
#ifndef CLI_GIF_H
#define CLI_GIF_H

#include <stdio.h>

#include "colors.h"

typedef struct gif gif;

/* Begins a film of at most 65535 x 65535 pixels on a stream. palette: of all frames. NULL: no memory. */
gif *gif_begin(FILE *stream, uint32_t width, uint32_t height, const palette *palette);

/* Appends a frame. indices: (height,width), into the palette. centiseconds: how long it stays, at most 65535. false: no
 * memory. */
bool gif_frame(gif *gif, const uint8_t *indices, uint32_t centiseconds);

/* Writes the end and frees. NULL is fine. Whether everything reached the stream, ferror says. */
void gif_end(gif *gif);

#endif
