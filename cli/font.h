/* SPDX-License-Identifier: Apache-2.0 */
/* Letters of 5 x 7 dots, for a line of text in a picture. */
#ifndef CLI_FONT_H
#define CLI_FONT_H

#include <stdint.h>

enum { GLYPH_WIDE = 5, GLYPH_HIGH = 7, GLYPH_STEP = 6 /* to the next letter */ };

/* A picture that is drawn on. */
typedef struct sheet {
    uint8_t *pixels; /* (height,width,3) */
    uint32_t width, height;
} sheet;

/* Fills a rectangle, as far as it lies on the sheet. rgb: 0xRRGGBB. */
void sheet_fill(sheet *sheet, uint32_t left, uint32_t top, uint32_t width, uint32_t height, uint32_t rgb);

/* Writes capital letters, digits and some signs, each dot `scale` pixels wide. Other letters become capitals. */
void sheet_write(sheet *sheet, uint32_t left, uint32_t top, uint32_t scale, uint32_t rgb, const char *text);

#endif
