/* SPDX-License-Identifier: Apache-2.0 */
/* The GIF writer against a small reader written from the format's description: every frame must come out as it went in,
 * whatever the colours, and only what has changed may be stored. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gif.h"

typedef struct reading {
    const uint8_t *at, *end;
    uint32_t width, height, colors;
    uint8_t palette[256][3];
    uint8_t *pixels;          /* (height,width,3), as shown now */
    uint32_t delay, left, top, part_width, part_height;
    bool has_transparent;
    uint8_t transparent;
    bool repeats;
} reading;

/* ck_assert writes a note to a file every time it holds, too slow for what runs once a byte. */
static void need(bool holds, const char *what) {
    if (!holds) ck_abort_msg("%s", what);
}

static uint32_t take_byte(reading *r) {
    need(r->at < r->end, "the film ends too early");
    return *r->at++;
}

static uint32_t take_short(reading *r) {
    uint32_t low = take_byte(r);
    return low | take_byte(r) << 8;
}

static void read_head(reading *r, const uint8_t *bytes, size_t count) {
    *r = (reading){.at = bytes, .end = bytes + count};
    ck_assert(count > 13 && memcmp(bytes, "GIF89a", 6) == 0);
    r->at += 6;
    r->width = take_short(r);
    r->height = take_short(r);
    r->colors = take_byte(r);
    ck_assert_uint_eq(r->colors & 0x88u, 0x80u);    /* a palette, not sorted */
    r->colors = 2u << (r->colors & 7u);
    r->at += 2;
    ck_assert(r->at + 3 * r->colors < r->end);
    memcpy(r->palette, r->at, 3 * (size_t)r->colors);
    r->at += 3 * (size_t)r->colors;
    r->pixels = calloc((size_t)r->width * r->height, 3);
    ck_assert_ptr_nonnull(r->pixels);
}

/* All blocks up to the empty one, put together. */
static size_t take_blocks(reading *r, uint8_t *out, size_t room) {
    size_t used = 0;

    for (uint32_t bytes; (bytes = take_byte(r)) > 0;) {
        need(used + bytes <= room && r->at + bytes <= r->end, "a block is too long");
        memcpy(out + used, r->at, bytes);
        r->at += bytes;
        used += bytes;
    }
    return used;
}

/* Codes of growing size, least bit first; a code is a run: an older run and one index more. */
static size_t unpack(const uint8_t *bytes, size_t count, uint32_t index_bits, uint8_t *out, size_t room) {
    const uint32_t clear = 1u << index_bits;
    uint16_t prefix[4096] = {0};
    uint8_t suffix[4096] = {0}, stack[4097];
    uint32_t size = index_bits + 1, next = clear + 2, last = UINT32_MAX, first = 0;
    size_t bit = 0, used = 0;

    for (;;) {
        uint32_t code = 0, run, depth = 0;

        need(bit + size <= 8 * count, "the codes have no end");
        for (uint32_t i = 0; i < size; i++, bit++) code |= (uint32_t)(bytes[bit / 8] >> bit % 8 & 1u) << i;
        if (code == clear) {
            size = index_bits + 1;
            next = clear + 2;
            last = UINT32_MAX;
            continue;
        }
        if (code == clear + 1) {
            ck_assert_uint_eq((bit + 7) / 8, count);
            return used;
        }
        need(code < next || (code == next && last != UINT32_MAX), "a code stands for nothing");
        run = code;
        if (code == next) {    /* the run that is being made just now: it ends as it begins */
            stack[depth++] = (uint8_t)first;
            run = last;
        }
        for (; run >= clear + 2; run = prefix[run]) stack[depth++] = suffix[run];
        need(run < clear, "a run has no beginning");
        stack[depth++] = (uint8_t)(first = run);
        need(used + depth <= room, "too many pixels");
        while (depth > 0) out[used++] = stack[--depth];
        if (last != UINT32_MAX && next < 4096) {
            prefix[next] = (uint16_t)last;
            suffix[next++] = (uint8_t)first;
            size += next == 1u << size && size < 12;
        }
        last = code;
    }
}

static void read_extension(reading *r) {
    uint8_t block[1024];
    uint32_t label = take_byte(r);
    size_t bytes = take_blocks(r, block, sizeof block);

    if (label == 0xF9) {
        ck_assert_uint_eq(bytes, 4);
        ck_assert_uint_eq(block[0] >> 2, 1);    /* stays in place */
        r->has_transparent = block[0] & 1;
        r->delay = block[1] | (uint32_t)block[2] << 8;
        r->transparent = block[3];
    } else {
        ck_assert_uint_eq(label, 0xFF);
        ck_assert(bytes == 14 && memcmp(block, "NETSCAPE2.0\1\0\0", 14) == 0);
        r->repeats = true;
    }
}

/* The next frame, drawn over the last; false at the end of the film. */
static bool read_frame(reading *r) {
    size_t room = (size_t)r->width * r->height, count;
    uint8_t *packed = malloc(2 * room + 4096), *indices = malloc(room);
    uint32_t kind;

    while ((kind = take_byte(r)) == 0x21) read_extension(r);
    if (kind == 0x2C) {
        r->left = take_short(r);
        r->top = take_short(r);
        r->part_width = take_short(r);
        r->part_height = take_short(r);
        ck_assert(r->left + r->part_width <= r->width && r->top + r->part_height <= r->height);
        ck_assert_uint_eq(take_byte(r), 0);
        kind = take_byte(r);
        count = take_blocks(r, packed, 2 * room + 4096);
        ck_assert_uint_eq(unpack(packed, count, kind, indices, room), (size_t)r->part_width * r->part_height);
        for (size_t i = 0; i < (size_t)r->part_width * r->part_height; i++) {
            size_t at = (r->top + i / r->part_width) * r->width + r->left + i % r->part_width;

            if (r->has_transparent && indices[i] == r->transparent) continue;
            need(indices[i] < r->colors, "an index has no colour");
            memcpy(r->pixels + 3 * at, r->palette[indices[i]], 3);
        }
        kind = 0x2C;
    } else {
        ck_assert_uint_eq(kind, 0x3B);
        ck_assert(r->at == r->end);
    }
    free(packed);
    free(indices);
    return kind == 0x2C;
}

/* A film of `count` frames, (count,height,width,3), written to memory. */
static uint8_t *write_film(const uint8_t *frames, uint32_t count, uint32_t width, uint32_t height, size_t *out_bytes) {
    size_t pixels = (size_t)width * height;
    color_set colors = {NULL, 0, 0};
    palette palette;
    char *bytes = NULL;
    FILE *stream = open_memstream(&bytes, out_bytes);
    uint8_t *indices = malloc(pixels);
    gif *gif;

    ck_assert(color_set_add(&colors, frames, count * pixels));
    ck_assert(color_set_choose(&colors, &palette));
    gif = gif_begin(stream, width, height, &palette);
    ck_assert_ptr_nonnull(gif);
    for (uint32_t f = 0; f < count; f++) {
        color_set_map(&colors, frames + 3 * f * pixels, pixels, indices);
        ck_assert(gif_frame(gif, indices, 10 + f));
    }
    gif_end(gif);
    fclose(stream);
    free(indices);
    color_set_free(&colors);
    return (uint8_t *)bytes;
}

/* Writes and reads; the greatest difference of a pixel's channel. */
static int round_trip(const uint8_t *frames, uint32_t count, uint32_t width, uint32_t height) {
    size_t bytes, frame_bytes = 3 * (size_t)width * height;
    uint8_t *film = write_film(frames, count, width, height, &bytes);
    reading reading;
    uint32_t found = 0;
    int worst = 0;

    read_head(&reading, film, bytes);
    ck_assert(reading.width == width && reading.height == height);
    while (read_frame(&reading)) {
        ck_assert_uint_lt(found, count);
        ck_assert_uint_eq(reading.delay, 10 + found);
        for (size_t i = 0; i < frame_bytes; i++) {
            int difference = abs(reading.pixels[i] - frames[found * frame_bytes + i]);
            worst = difference > worst ? difference : worst;
        }
        found++;
    }
    ck_assert_uint_eq(found, count);
    ck_assert(reading.repeats);
    free(reading.pixels);
    free(film);
    return worst;
}

static uint32_t next_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* `colors` colours, at most 65536, in noise: the worst case for runs, and tables that fill up again and again. */
static uint8_t *make_noise(uint32_t count, uint32_t width, uint32_t height, uint32_t colors, uint32_t seed) {
    size_t pixels = (size_t)count * width * height;
    uint8_t *frames = malloc(3 * pixels);

    for (size_t i = 0; i < pixels; i++) {
        uint32_t color = next_number(&seed) % colors;
        frames[3 * i] = (uint8_t)color;
        frames[3 * i + 1] = (uint8_t)(color * 7);
        frames[3 * i + 2] = (uint8_t)(color >> 8);
    }
    return frames;
}

START_TEST(noise_of_few_colors_is_exact) {
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 15, 16, 17, 127, 128, 129, 255, 256};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint8_t *frames = make_noise(3, 97, 61, counts[i], 7);
        ck_assert_int_eq(round_trip(frames, 3, 97, 61), 0);
        free(frames);
    }
}
END_TEST

START_TEST(small_and_narrow_pictures) {
    static const uint32_t sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {2, 2}, {17, 3}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *frames = make_noise(4, sizes[i][0], sizes[i][1], 200, 3);
        ck_assert_int_eq(round_trip(frames, 4, sizes[i][0], sizes[i][1]), 0);
        free(frames);
    }
}
END_TEST

/* One colour all over: the longest runs there are, through a full table. */
START_TEST(long_runs) {
    uint32_t side = 3000;
    uint8_t *frames = calloc((size_t)side * side, 3);

    ck_assert_int_eq(round_trip(frames, 1, side, side), 0);
    free(frames);
}
END_TEST

/* A dot that moves over a pattern. */
START_TEST(only_what_changes_is_stored) {
    enum { WIDE = 200, HIGH = 120, COUNT = 6, FRAME = 3 * WIDE * HIGH };
    uint8_t *frames = malloc((size_t)COUNT * FRAME), *film;
    reading reading;
    size_t bytes, whole;

    for (uint32_t f = 0; f < COUNT; f++) {
        for (uint32_t i = 0; i < WIDE * HIGH; i++) {
            uint32_t x = i % WIDE, y = i / WIDE, place = f == COUNT - 1 ? f - 1 : f;
            bool is_dot = y >= 50 && y < 54 && x >= 20 + 5 * place && x < 24 + 5 * place;
            memset(frames + f * FRAME + 3 * i, is_dot ? 255 : (int)(x * 31 + y * 17) % 97, 3);
        }
    }
    ck_assert_int_eq(round_trip(frames, COUNT, WIDE, HIGH), 0);
    free(write_film(frames, 1, WIDE, HIGH, &whole));
    film = write_film(frames, COUNT, WIDE, HIGH, &bytes);
    ck_assert_uint_lt(bytes - whole, 1500);
    read_head(&reading, film, bytes);
    for (uint32_t f = 0; read_frame(&reading); f++) {
        if (f == 0) ck_assert(reading.part_width == WIDE && reading.part_height == HIGH);
        else if (f == COUNT - 1) ck_assert(reading.part_width == 1 && reading.part_height == 1);
        else ck_assert(reading.left == 15 + 5 * f && reading.part_width == 9 && reading.part_height == 4);
    }
    free(reading.pixels);
    free(film);
    free(frames);
}
END_TEST

/* A scene as environments draw it: flat ground, and discs with soft edges in eight colours on it. */
static void draw_scene(uint8_t *pixels, uint32_t side, uint32_t time) {
    for (uint32_t i = 0; i < side * side; i++) {
        int x = (int)(i % side), y = (int)(i / side);
        uint8_t *pixel = pixels + 3 * i;

        pixel[0] = 0x2B, pixel[1] = 0x33, pixel[2] = (x / 16 + y / 16) % 2 ? 0x3B : 0x3F;
        for (int d = 0; d < 8; d++) {
            int dx = x - (20 + 25 * d + (int)time * 3), dy = y - (30 + 20 * d);
            int edge = 140 - dx * dx - dy * dy, share = edge < 0 ? 0 : edge > 80 ? 80 : edge;
            int color[3] = {255 * (d & 1), 128 * (d >> 1 & 1) + 90, 200 * (d >> 2 & 1) + 30};

            for (int c = 0; c < 3; c++) pixel[c] = (uint8_t)((pixel[c] * (80 - share) + color[c] * share) / 80);
        }
    }
}

START_TEST(many_colors_are_reduced_and_flat_ones_stay) {
    enum { SIDE = 256, COUNT = 4 };
    uint8_t *frames = malloc((size_t)COUNT * SIDE * SIDE * 3);
    color_set colors = {NULL, 0, 0};
    palette palette;
    uint8_t index;

    for (uint32_t f = 0; f < COUNT; f++) draw_scene(frames + (size_t)f * SIDE * SIDE * 3, SIDE, f);
    ck_assert(color_set_add(&colors, frames, (size_t)COUNT * SIDE * SIDE));
    ck_assert_uint_gt(colors.count, 256);
    ck_assert(color_set_choose(&colors, &palette));
    ck_assert_uint_eq(palette.count, 255);
    for (int flat = 0; flat < 10; flat++) {
        const uint8_t *seen = flat == 8   ? (const uint8_t[]){0x2B, 0x33, 0x3B}
                              : flat == 9 ? (const uint8_t[]){0x2B, 0x33, 0x3F}
                                          : (const uint8_t[]){(uint8_t)(255 * (flat & 1)),
                                                              (uint8_t)(128 * (flat >> 1 & 1) + 90),
                                                              (uint8_t)(200 * (flat >> 2 & 1) + 30)};
        color_set_map(&colors, seen, 1, &index);
        ck_assert_mem_eq(palette.rgb[index], seen, 3);
    }
    color_set_free(&colors);
    ck_assert_int_le(round_trip(frames, COUNT, SIDE, SIDE), 24);
    free(frames);
}
END_TEST

/* As many colours as noise can have: the result is coarse, but all of it is near. */
START_TEST(noise_of_all_colors_stays_near) {
    uint8_t *frames = make_noise(2, 400, 300, 65536, 5);

    ck_assert_int_le(round_trip(frames, 2, 400, 300), 48);
    free(frames);
}
END_TEST

Suite *marl__suite_cli_gif(void);
Suite *marl__suite_cli_gif(void) {
    Suite *suite = suite_create("cli/gif");
    TCase *tests = tcase_create("gif");

    tcase_add_test(tests, noise_of_few_colors_is_exact);
    tcase_add_test(tests, small_and_narrow_pictures);
    tcase_add_test(tests, long_runs);
    tcase_add_test(tests, only_what_changes_is_stored);
    tcase_add_test(tests, many_colors_are_reduced_and_flat_ones_stay);
    tcase_add_test(tests, noise_of_all_colors_stays_near);
    suite_add_tcase(suite, tests);
    return suite;
}
