/* SPDX-License-Identifier: Apache-2.0 */
/* See canvas.h. A disc's edge is blended over one pixel by the distance of the pixel's middle, which is as smooth as
 * four samples a pixel and needs one square root. */
#include "envs/canvas.h"

#include <math.h>

#include "core/base/status.h"

static void blend(uint8_t *pixel, uint32_t rgb, double share) {
    for (int c = 0; c < 3; c++) {
        double target = (double)(rgb >> (16 - 8 * c) & 0xff);
        pixel[c] = (uint8_t)(pixel[c] + (target - pixel[c]) * share + 0.5);
    }
}

static int32_t clamp(double value, int32_t most) {
    return value < 0 ? 0 : value > most ? most : (int32_t)value;
}

void marl__canvas_rect(marl_image *image, int32_t left, int32_t top, int32_t width, int32_t height, uint32_t rgb) {
    int32_t right = clamp((double)left + width, (int32_t)image->width);
    int32_t bottom = clamp((double)top + height, (int32_t)image->height);

    for (int32_t y = top < 0 ? 0 : top; y < bottom; y++) {
        for (int32_t x = left < 0 ? 0 : left; x < right; x++) {
            blend(image->pixels + 3 * ((size_t)y * image->width + (size_t)x), rgb, 1);
        }
    }
}

static double limit_share(double share) {
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

void marl__canvas_ring(marl_image *image, double x, double y, double inner, double outer, uint32_t rgb,
                       double opacity) {
    int32_t top = clamp(y - outer - 1, (int32_t)image->height), left = clamp(x - outer - 1, (int32_t)image->width);
    int32_t bottom = clamp(y + outer + 2, (int32_t)image->height), right = clamp(x + outer + 2, (int32_t)image->width);

    for (int32_t row = top; row < bottom; row++) {
        for (int32_t col = left; col < right; col++) {
            double dx = col + 0.5 - x, dy = row + 0.5 - y, distance = sqrt(dx * dx + dy * dy);
            double share = limit_share(outer - distance + 0.5);
            if (inner > 0) {
                share *= limit_share(distance - inner + 0.5);
            }
            if (share > 0) {
                blend(image->pixels + 3 * ((size_t)row * image->width + (size_t)col), rgb, share * opacity);
            }
        }
    }
}

void marl__canvas_put(marl__canvas_text *text, const char *more) {
    for (; *more; more++, text->at++) {
        if (text->at + 1 < text->bytes) {
            text->buffer[text->at] = *more;
        }
    }
}

marl_status marl__canvas_finish(marl__canvas_text *text) {
    text->buffer[text->at < text->bytes ? text->at : text->bytes - 1] = '\0';
    if (text->at >= text->bytes) {
        return marl__fail(MARL_E_SHAPE, "the picture takes %zu bytes, the buffer has %zu", text->at + 1, text->bytes);
    }
    return MARL_OK;
}
