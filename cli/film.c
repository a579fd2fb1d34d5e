/* SPDX-License-Identifier: Apache-2.0 */
/* See film.h. The episode is played twice: once to check it and to count its colours, once to write it. So memory holds
 * one frame however long the episode is, and a replay that does not hold leaves no file behind. */
#include "film.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "font.h"
#include "gif.h"
#include "interrupt.h"
#include "out_file.h"
#include "replay.h"

enum {
    SIDE_WANTED = 512,           /* pixels of the longer side, to which small pictures are enlarged */
    SIDE_MAX = 4096, SCALE_MAX = 64,
    LAST_CENTISECONDS = 200,
    TEXT_BYTES = 160
};

static const uint32_t strip_color = 0x1F2328, ink = 0xFFFFFF, pale_ink = 0x9DA7B3, bar_color = 0x3D8BFD;
static const uint32_t won_color = 0x3FB950, lost_color = 0xF85149, ended_color = 0xE3B341;

typedef struct film {
    const char *path;
    replay replay;
    marl_env *env;
    marl_image picture;    /* what the environment draws */
    double *rewards;
    uint8_t *alive;
    uint32_t scale, letter; /* pixels a pixel, pixels a dot of a letter */
    bool has_caption;
    uint32_t strip;        /* height of the caption above the picture; 0: there is none */
    sheet sheet;           /* a frame */
    uint8_t *indices;      /* a frame in the palette's colours */
    uint32_t step, alive_count; /* done, and agents alive then */
    double total;          /* rewards so far */
} film;

/* What is done with a frame; an exit status. */
typedef int (*frame_use)(film *film, void *user);

static int read_size(film *film) {
    uint64_t bytes;

    film->picture = (marl_image){.struct_size = sizeof film->picture};
    if (marl_env_render(film->env, &film->picture) != MARL_OK) return fail("%s: %s", film->path, marl_last_error());
    bytes = UINT64_C(3) * film->picture.width * film->picture.height;
    if (film->picture.width == 0 || film->picture.height == 0 || film->picture.width > SIDE_MAX ||
        film->picture.height > SIDE_MAX) {
        return fail("%s draws %u x %u pixels; a film has from 1 x 1 to %d x %d", film->replay.env, film->picture.width,
                    film->picture.height, SIDE_MAX, SIDE_MAX);
    }
    film->picture.capacity = (uint32_t)bytes;
    film->picture.pixels = malloc(bytes);
    return film->picture.pixels ? 0 : fail("no memory for a picture");
}

/* Whole numbers of pixels for a pixel keep edges sharp. */
static int choose_size(film *film, const options *options) {
    uint32_t longer = film->picture.width > film->picture.height ? film->picture.width : film->picture.height;
    uint64_t scale = longer < SIDE_WANTED ? SIDE_WANTED / longer : 1;
    size_t pixels;
    int status = options_whole(options, "scale", 1, &scale);

    if (status) return status;
    if (scale > SCALE_MAX || scale * longer > SIDE_MAX) {
        return fail_usage(options->command, "--scale %llu is too much for pictures of %u x %u pixels: %d a side at "
                          "most", (unsigned long long)scale, film->picture.width, film->picture.height, SIDE_MAX);
    }
    film->scale = (uint32_t)scale;
    film->sheet.width = film->picture.width * film->scale;
    film->letter = film->sheet.width < 512 ? 1 : film->sheet.width / 256;
    film->strip = film->has_caption ? film->letter * (2 * GLYPH_HIGH + 14) : 0;
    film->sheet.height = film->picture.height * film->scale + film->strip;
    pixels = (size_t)film->sheet.width * film->sheet.height;
    film->sheet.pixels = malloc(3 * pixels);
    film->indices = malloc(pixels);
    return film->sheet.pixels && film->indices ? 0 : fail("no memory for a frame");
}

static void enlarge(film *film) {
    const marl_image *picture = &film->picture;
    size_t row_bytes = 3 * (size_t)film->sheet.width;

    for (uint32_t y = 0; y < picture->height; y++) {
        const uint8_t *from = picture->pixels + 3 * (size_t)y * picture->width;
        uint8_t *row = film->sheet.pixels + (film->strip + (size_t)y * film->scale) * row_bytes, *to = row;

        for (uint32_t x = 0; x < picture->width; x++, from += 3) {
            for (uint32_t i = 0; i < film->scale; i++, to += 3) memcpy(to, from, 3);
        }
        for (uint32_t i = 1; i < film->scale; i++) memcpy(row + i * row_bytes, row, row_bytes);
    }
}

/* Writes as many of the parts as fit between two edges; returns where the text ends. */
static void write_parts(film *film, uint32_t left, uint32_t right, uint32_t top, char parts[][TEXT_BYTES], int count) {
    for (int i = 0; i < count; i++) {
        uint32_t wide = (uint32_t)strlen(parts[i]) * GLYPH_STEP * film->letter;

        if (left + wide > right) return;
        sheet_write(&film->sheet, left, top, film->letter, i == 0 ? ink : pale_ink, parts[i]);
        left += wide + 2 * GLYPH_STEP * film->letter;
    }
}

/* Two lines, what is played and how it stands, and a bar that grows with the episode. */
static void write_caption(film *film) {
    const replay *replay = &film->replay;
    const marl_env_spec *spec = marl_env_get_spec(film->env);
    uint32_t letter = film->letter, margin = 4 * letter, wide = film->sheet.width, right = wide - margin;
    uint32_t second = margin + (GLYPH_HIGH + 4) * letter;
    char parts[3][TEXT_BYTES];

    sheet_fill(&film->sheet, 0, 0, wide, film->strip, strip_color);
    if (wide <= 2 * margin) return;
    if (film->step == replay->steps) {
        const char *end = outcome_text(replay->outcome, replay->is_truncated);
        uint32_t end_wide = (uint32_t)strlen(end) * GLYPH_STEP * letter;

        if (end_wide < right - margin) {
            right -= end_wide;
            sheet_write(&film->sheet, right, margin, letter,
                        replay->outcome == MARL_OUTCOME_WON    ? won_color
                        : replay->outcome == MARL_OUTCOME_LOST ? lost_color
                                                               : ended_color, end);
        }
    }
    snprintf(parts[0], TEXT_BYTES, "%.100s", replay->env);
    snprintf(parts[1], TEXT_BYTES, "%.40s", replay->algo);
    write_parts(film, margin, right, margin, parts, 2);
    snprintf(parts[0], TEXT_BYTES, "step %u/%u", film->step, spec->episode_limit);
    snprintf(parts[1], TEXT_BYTES, "return %.3f", film->total);
    snprintf(parts[2], TEXT_BYTES, "alive %u/%u", film->alive_count, spec->agent_count);
    write_parts(film, margin, wide - margin, second, parts, 3);
    sheet_fill(&film->sheet, 0, film->strip - 2 * letter,
               (uint32_t)((uint64_t)wide * film->step / replay->steps), 2 * letter, bar_color);
}

/* Agents that still act; as before if the episode's end leaves nobody to ask. */
static void count_alive(film *film) {
    marl_view view = {.struct_size = sizeof view, .alive = film->alive};

    (void)marl_env_observe(film->env, &view);
    film->alive_count = 0;
    for (uint32_t i = 0; i < film->replay.agents; i++) film->alive_count += film->alive[i];
}

static int make_frame(film *film) {
    uint32_t width = film->picture.width, height = film->picture.height;

    if (marl_env_render(film->env, &film->picture) != MARL_OK) return fail("%s: %s", film->path, marl_last_error());
    if (film->picture.width != width || film->picture.height != height) {
        return fail("%s: the pictures change their size, from %u x %u to %u x %u", film->path, width, height,
                    film->picture.width, film->picture.height);
    }
    enlarge(film);
    count_alive(film);
    if (film->has_caption) write_caption(film);
    return 0;
}

/* Plays the episode from its beginning and hands on every frame. */
static int play_through(film *film, frame_use use, void *user) {
    marl_step step;
    int status = 0;

    film->total = 0.0;
    film->step = 0;
    if (marl_env_reset(film->env, film->replay.seed) != MARL_OK) return fail("%s: %s", film->path, marl_last_error());
    for (;;) {
        if (interrupt_came()) return EXIT_STOPPED;
        if ((status = make_frame(film))) return status;
        if ((status = use(film, user))) return status;
        if (film->step == film->replay.steps) return 0;
        status = replay_step(&film->replay, film->path, film->env, film->step, &step, film->rewards);
        if (status) return status;
        film->total += replay_reward(&film->replay, film->step++);
    }
}

static int count_colors(film *film, void *user) {
    color_set *colors = user;
    size_t pixels = (size_t)film->sheet.width * film->sheet.height;

    return color_set_add(colors, film->sheet.pixels, pixels) ? 0 : fail("no memory for the colours of %s", film->path);
}

typedef struct writer {
    gif *gif;
    const color_set *colors;
    uint32_t centiseconds;
} writer;

static int write_frame(film *film, void *user) {
    writer *writer = user;
    bool is_last = film->step == film->replay.steps;
    uint32_t last = writer->centiseconds > LAST_CENTISECONDS ? writer->centiseconds : LAST_CENTISECONDS;

    color_set_map(writer->colors, film->sheet.pixels, (size_t)film->sheet.width * film->sheet.height, film->indices);
    if (gif_frame(writer->gif, film->indices, is_last ? last : writer->centiseconds)) return 0;
    return fail("no memory for a frame");
}

/* Browsers take a shorter delay than 2 hundredths of a second for a mistake. */
static int choose_pace(const options *options, uint32_t *out_centiseconds) {
    double fps = 8.0;
    int status = options_real(options, "fps", 0.1, 50.0, &fps);

    *out_centiseconds = (uint32_t)(100.0 / fps + 0.5);
    return status;
}

static int write_film(film *film, const char *out, uint32_t centiseconds) {
    color_set colors = {NULL, 0, 0};
    palette palette;
    writer writer = {.colors = &colors, .centiseconds = centiseconds};
    out_file file = {.stream = NULL};
    int status = play_through(film, count_colors, &colors);

    if (!status && !color_set_choose(&colors, &palette)) status = fail("no memory for the colours of %s", film->path);
    if (!status) status = out_file_open(&file, out);
    if (!status) {
        writer.gif = gif_begin(file.stream, film->sheet.width, film->sheet.height, &palette);
        status = writer.gif ? play_through(film, write_frame, &writer) : fail("no memory for a film");
        gif_end(writer.gif);
        if (out_file_close(&file, !status)) status = EXIT_FAILED;
    }
    if (!status) {
        printf("%s shows %u steps, %s with return %.3f: %u x %u pixels, %s.\n", out, film->replay.steps,
               outcome_text(film->replay.outcome, film->replay.is_truncated), film->total, film->sheet.width,
               film->sheet.height, colors.count > palette.count ? "its colours reduced to 255" : "colours exact");
    }
    color_set_free(&colors);
    return status;
}

static int make_film(film *film, const options *options) {
    const char *out = options_get(options, "out");
    size_t bytes = out ? strlen(out) : 0;
    uint32_t centiseconds;
    int status = choose_pace(options, &centiseconds);

    if (status) return status;
    if (bytes > 4 && strcasecmp(out + bytes - 4, ".svg") == 0) {
        return fail_usage(options->command, "the picture of a replay is a GIF: --out FILE.gif, not %s", out);
    }
    if ((status = replay_read(film->path, &film->replay))) return status;
    if ((status = replay_open_env(&film->replay, film->path, &film->env))) return status;
    film->rewards = calloc(film->replay.agents, sizeof *film->rewards);
    film->alive = calloc(film->replay.agents, 1);
    if (!film->rewards || !film->alive) return fail("no memory for a step");
    if ((status = read_size(film)) || (status = choose_size(film, options))) return status;
    return write_film(film, out ? out : "replay.gif", centiseconds);
}

int film_replay(const options *options) {
    film film = {.path = options_get(options, "replay"), .has_caption = !options_get(options, "no-caption")};
    int status;

    interrupt_watch();    /* half a film is removed before the program ends */
    status = make_film(&film, options);
    replay_free(&film.replay);
    marl_env_destroy(film.env);
    free(film.picture.pixels);
    free(film.rewards);
    free(film.alive);
    free(film.sheet.pixels);
    free(film.indices);
    return status;
}
