/* SPDX-License-Identifier: Apache-2.0 */
/* See gif.h. The format: a header with the palette; for each frame a control block (delay, transparent index, "leave it
 * in place"), where its rectangle lies, and the rectangle's indices packed by LZW with codes of at most 12 bits, in
 * blocks of at most 255 bytes. */
#include "gif.h"

#include <stdlib.h>
#include <string.h>

enum { CODES_MAX = 4096, SLOTS = 8192 /* a power of two, so that the table is at most half full */, BLOCK_MAX = 255 };

/* Packed bytes, before they are cut into blocks. */
typedef struct packed {
    uint8_t *bytes;
    size_t count, capacity;
    uint32_t bits, bit_count;    /* not yet a byte */
    bool is_bad;                 /* no memory */
} packed;

struct gif {
    FILE *stream;
    uint32_t width, height;
    uint32_t index_bits;         /* of a colour, at least 2 */
    int transparent;             /* an index that is no colour; -1: there is none */
    bool has_frame;
    uint8_t *shown;              /* (height,width), indices after the last frame */
    uint8_t *part;               /* (height,width), what is packed */
    packed plain, holed;
    uint32_t keys[SLOTS];        /* prefix << 8 | index, plus 1; 0: free */
    uint16_t codes[SLOTS];
};

static void put_short(FILE *stream, uint32_t value) {
    fputc((int)(value & 255u), stream);
    fputc((int)(value >> 8 & 255u), stream);
}

static void put_byte(packed *packed, uint8_t byte) {
    if (packed->count == packed->capacity) {
        size_t capacity = packed->capacity ? 2 * packed->capacity : 4096;
        uint8_t *grown = realloc(packed->bytes, capacity);

        if (!grown) {
            packed->is_bad = true;
            return;
        }
        packed->bytes = grown;
        packed->capacity = capacity;
    }
    packed->bytes[packed->count++] = byte;
}

static void put_code(packed *packed, uint32_t code, uint32_t size) {
    packed->bits |= code << packed->bit_count;
    for (packed->bit_count += size; packed->bit_count >= 8; packed->bit_count -= 8) {
        put_byte(packed, (uint8_t)packed->bits);
        packed->bits >>= 8;
    }
}

/* Where the code for "prefix, then index" stands or would stand. */
static uint32_t slot_of(const gif *gif, uint32_t key) {
    uint32_t slot = (key * 0x9E3779B1u) >> 19;

    while (gif->keys[slot] != 0 && gif->keys[slot] != key) slot = (slot + 1) % SLOTS;
    return slot;
}

/* LZW: each code stands for the longest run of indices met so far; the table of runs begins anew when it is full. */
static void pack(gif *gif, const uint8_t *indices, size_t count, packed *out) {
    const uint32_t clear = 1u << gif->index_bits;
    uint32_t size = gif->index_bits + 1, next = clear + 2, prefix = indices[0];

    out->count = out->bits = out->bit_count = 0;
    memset(gif->keys, 0, sizeof gif->keys);
    put_code(out, clear, size);
    for (size_t i = 1; i < count; i++) {
        uint32_t key = (prefix << 8 | indices[i]) + 1, slot = slot_of(gif, key);

        if (gif->keys[slot] != 0) {
            prefix = gif->codes[slot];
            continue;
        }
        put_code(out, prefix, size);
        prefix = indices[i];
        if (next < CODES_MAX) {
            size += next == 1u << size;
            gif->keys[slot] = key;
            gif->codes[slot] = (uint16_t)next++;
        } else {
            put_code(out, clear, size);
            memset(gif->keys, 0, sizeof gif->keys);
            size = gif->index_bits + 1;
            next = clear + 2;
        }
    }
    put_code(out, prefix, size);
    size += next == 1u << size && size < 12;    /* the reader's table has grown by one more run */
    put_code(out, clear + 1, size);
    if (out->bit_count > 0) put_code(out, 0, 8 - out->bit_count);
}

gif *gif_begin(FILE *stream, uint32_t width, uint32_t height, const palette *palette) {
    size_t pixels = (size_t)width * height;
    gif *gif = calloc(1, sizeof *gif);
    uint32_t colors;

    if (gif) gif->shown = malloc(pixels);
    if (gif) gif->part = malloc(pixels);
    if (!gif || !gif->shown || !gif->part) {
        if (gif) free(gif->shown);
        free(gif);
        return NULL;
    }
    gif->stream = stream;
    gif->width = width;
    gif->height = height;
    gif->transparent = palette->count < PALETTE_MAX ? (int)palette->count : -1;
    colors = palette->count + (gif->transparent >= 0);
    for (gif->index_bits = 2; 1u << gif->index_bits < colors; gif->index_bits++) continue;
    fputs("GIF89a", stream);
    put_short(stream, width);
    put_short(stream, height);
    fputc((int)(0xF0u | (gif->index_bits - 1)), stream);    /* a palette for all frames, of 2^bits colours */
    put_short(stream, 0);                                   /* background colour, shape of a pixel: of no meaning */
    for (uint32_t i = 0; i < 1u << gif->index_bits; i++) {
        for (int c = 0; c < 3; c++) fputc(i < palette->count ? palette->rgb[i][c] : 0, stream);
    }
    fwrite("\x21\xFF\x0BNETSCAPE2.0\x03\x01\x00\x00", 1, 18, stream);    /* for ever */
    fputc(0, stream);
    return gif;
}

typedef struct area {
    uint32_t left, top, width, height;
} area;

/* The smallest rectangle outside of which nothing has changed; a pixel if nothing has at all. */
static area changed_area(const gif *gif, const uint8_t *indices) {
    uint32_t left = gif->width, right = 0, top = gif->height, bottom = 0;

    if (!gif->has_frame) return (area){0, 0, gif->width, gif->height};
    for (uint32_t y = 0; y < gif->height; y++) {
        const uint8_t *now = indices + (size_t)y * gif->width, *before = gif->shown + (size_t)y * gif->width;
        uint32_t first = 0, last = gif->width;

        if (memcmp(now, before, gif->width) == 0) continue;
        while (now[first] == before[first]) first++;
        while (now[last - 1] == before[last - 1]) last--;
        left = first < left ? first : left;
        right = last > right ? last : right;
        top = y < top ? y : top;
        bottom = y + 1;
    }
    return bottom == 0 ? (area){0, 0, 1, 1} : (area){left, top, right - left, bottom - top};
}

/* Copies an area's indices into `part`, with holes where nothing has changed. A pixel that could be either continues
 * what its predecessor was, which makes longer runs. */
static void take_area(gif *gif, const uint8_t *indices, const area *area, bool has_holes) {
    uint8_t *out = gif->part, hole = (uint8_t)gif->transparent;

    for (uint32_t y = area->top; y < area->top + area->height; y++) {
        for (uint32_t x = area->left; x < area->left + area->width; x++, out++) {
            size_t at = (size_t)y * gif->width + x;
            bool is_same = has_holes && indices[at] == gif->shown[at];

            *out = is_same && !(out > gif->part && out[-1] == indices[at]) ? hole : indices[at];
        }
    }
}

static void write_frame(gif *gif, const area *area, bool has_holes, const packed *packed, uint32_t centiseconds) {
    FILE *stream = gif->stream;

    fwrite("\x21\xF9\x04", 1, 3, stream);
    fputc(has_holes ? 0x05 : 0x04, stream);    /* leave it in place; whether an index is transparent */
    put_short(stream, centiseconds);
    fputc(has_holes ? gif->transparent : 0, stream);
    fputc(0, stream);
    fputc(0x2C, stream);
    put_short(stream, area->left);
    put_short(stream, area->top);
    put_short(stream, area->width);
    put_short(stream, area->height);
    fputc(0, stream);
    fputc((int)gif->index_bits, stream);
    for (size_t i = 0; i < packed->count; i += BLOCK_MAX) {
        size_t bytes = packed->count - i < BLOCK_MAX ? packed->count - i : BLOCK_MAX;

        fputc((int)bytes, stream);
        fwrite(packed->bytes + i, 1, bytes, stream);
    }
    fputc(0, stream);
}

bool gif_frame(gif *gif, const uint8_t *indices, uint32_t centiseconds) {
    area area = changed_area(gif, indices);
    size_t pixels = (size_t)area.width * area.height;
    bool has_holes = gif->has_frame && gif->transparent >= 0;

    take_area(gif, indices, &area, false);
    pack(gif, gif->part, pixels, &gif->plain);
    if (has_holes) {
        take_area(gif, indices, &area, true);
        pack(gif, gif->part, pixels, &gif->holed);
        has_holes = gif->holed.count < gif->plain.count;
    }
    if (gif->plain.is_bad || gif->holed.is_bad) return false;
    write_frame(gif, &area, has_holes, has_holes ? &gif->holed : &gif->plain, centiseconds);
    memcpy(gif->shown, indices, (size_t)gif->width * gif->height);
    gif->has_frame = true;
    return true;
}

void gif_end(gif *gif) {
    if (!gif) return;
    fputc(0x3B, gif->stream);
    free(gif->shown);
    free(gif->part);
    free(gif->plain.bytes);
    free(gif->holed.bytes);
    free(gif);
}
