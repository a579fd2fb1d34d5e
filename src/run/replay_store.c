/* SPDX-License-Identifier: Apache-2.0 */
#include "run/replay_store.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/half.h"

static const char *const names[] = {"f32", "f16", "state"};

enum { STORES = sizeof names / sizeof names[0] };

const char *marl__store_name(int32_t store) {
    return names[store];
}

int32_t marl__store_of(const char *name) {
    for (int32_t i = 0; i < STORES; i++) {
        if (strcmp(names[i], name) == 0) return i;
    }
    return -1;
}

/* ---- layout ---- */

static size_t obs_count(const marl__replay_format *format) {
    return (size_t)format->shape.agents * (size_t)format->shape.obs;
}

static size_t avail_count(const marl__replay_format *format) {
    return (size_t)format->shape.agents * (size_t)format->shape.actions;
}

/* Of what was seen in one slot. */
static size_t slot_bytes(const marl__replay_format *format) {
    if (format->store == MARL__STORE_STATE) return marl__rebuilder_slot_bytes(format->rebuilder);
    return (obs_count(format) + (size_t)format->shape.state) * (format->store == MARL__STORE_F16 ? 2 : sizeof(float));
}

/* Adds count * bytes to *total; false when it cannot be counted. */
static bool add_bytes(size_t count, size_t bytes, size_t *total) {
    return marl__mul_size(count, bytes, &bytes) && marl__add_size(*total, bytes, total);
}

/* Rewards are reals: what stands before them is a multiple of four bytes. */
static size_t round4(size_t bytes) {
    return (bytes + 3) & ~(size_t)3;
}

size_t marl__replay_episode_bytes(const marl__replay_format *format, int32_t length) {
    size_t slots = (size_t)length + 1, total = 0;
    size_t numbers = (size_t)format->shape.rewards + (size_t)format->shape.agents;

    if (!add_bytes(slots, slot_bytes(format), &total) || total > SIZE_MAX / 2) return 0;
    total = round4(total);
    if (!add_bytes((size_t)length, numbers * sizeof(float), &total)) return 0;
    if (format->store != MARL__STORE_STATE && !add_bytes(slots, avail_count(format), &total)) return 0;
    return total > SIZE_MAX / 2 ? 0 : marl__round64(total);
}

/* ---- halves ---- */

/* Of marl__episode: `packed` holds the halves, `packing` is the format. */
static marl_status unpack_halves(const marl__episode *episode, const marl__slot_rows *rows) {
    const marl__replay_format *format = episode->packing;
    size_t slots = (size_t)episode->length + 1, no = obs_count(format), s = (size_t)format->shape.state;
    const uint16_t *obs = episode->packed, *state = obs + slots * no;

    for (size_t t = 0; t < slots; t++) {
        size_t row = (size_t)rows->offset[t] + (size_t)rows->place;

        if (rows->obs) marl__f16_to_f32_all(no, obs + t * no, rows->obs + row * no);
        if (rows->state) marl__f16_to_f32_all(s, state + t * s, rows->state + row * s);
    }
    return MARL_OK;
}

/* ---- records ---- */

void marl__store_view(const marl__replay_format *format, const void *record, int32_t length, int32_t terminated,
                      marl__episode *out) {
    size_t slots = (size_t)length + 1, seen = slots * slot_bytes(format);
    const unsigned char *at = (const unsigned char *)record + round4(seen);

    *out = (marl__episode){.length = length, .terminated = terminated};
    out->rewards = (const float *)(const void *)at;
    at += (size_t)length * (size_t)format->shape.rewards * sizeof(float);
    out->actions = (const int32_t *)(const void *)at;
    at += (size_t)length * (size_t)format->shape.agents * sizeof(int32_t);
    if (format->store == MARL__STORE_F32) {
        out->obs = record;
        out->state = out->obs + slots * obs_count(format);
    } else {
        out->packed = record;
        out->packing = format->store == MARL__STORE_F16 ? (const void *)format : format->rebuilder;
        out->unpack = format->store == MARL__STORE_F16 ? unpack_halves : marl__rebuilder_unpack;
    }
    if (format->store != MARL__STORE_STATE) out->avail = at;
}

static float first_too_large(size_t count, const float *values) {
    size_t i = 0;

    while (i + 1 < count && fabsf(values[i]) < 65520.0f) i++;
    return values[i];
}

static marl_status check_range(const char *what, size_t count, const float *values) {
    if (marl__fits_f16(count, values)) return MARL_OK;
    return marl__fail(MARL_E_ARGUMENT, "replay.store=f16: %s holds %g, and halves end at 65504; use replay.store=f32, "
                      "or scale_obs=true if its range is known", what, (double)first_too_large(count, values));
}

marl_status marl__store_accepts(const marl__replay_format *format, const marl__episode *episode) {
    size_t slots = (size_t)episode->length + 1;
    marl_status status = MARL_OK;

    MARL_ASSERT(episode->length >= 1 && episode->length <= format->shape.episode_limit);
    MARL_ASSERT((format->store == MARL__STORE_STATE) == (episode->obs == NULL));
    if (format->store != MARL__STORE_F16) return MARL_OK;
    if ((status = check_range("an observation", slots * obs_count(format), episode->obs)) != MARL_OK) return status;
    return check_range("a state", slots * (size_t)format->shape.state, episode->state);
}

static unsigned char *put(unsigned char *to, const void *from, size_t count, size_t item) {
    if (count > 0) memcpy(to, from, count * item);
    return to + count * item;
}

static unsigned char *put_seen(const marl__replay_format *format, const marl__episode *episode, unsigned char *to) {
    size_t slots = (size_t)episode->length + 1, obs = slots * obs_count(format);
    size_t state = slots * (size_t)format->shape.state;
    uint16_t *halves = (uint16_t *)(void *)to;

    switch (format->store) {
    case MARL__STORE_F32:
        return put(put(to, episode->obs, obs, sizeof(float)), episode->state, state, sizeof(float));
    case MARL__STORE_F16:
        marl__f32_to_f16_all(obs, episode->obs, halves);
        marl__f32_to_f16_all(state, episode->state, halves + obs);
        if ((obs + state) % 2) halves[obs + state] = 0;
        return to + round4((obs + state) * 2);
    default:
        return put(to, episode->packed, slots, slot_bytes(format));
    }
}

void marl__store_write(const marl__replay_format *format, const marl__episode *episode, void *record) {
    size_t slots = (size_t)episode->length + 1, length = (size_t)episode->length;
    size_t bytes = marl__replay_episode_bytes(format, episode->length);
    unsigned char *to = record;

    memset(to + bytes - 64, 0, 64);
    to = put_seen(format, episode, to);
    to = put(to, episode->rewards, length * (size_t)format->shape.rewards, sizeof(float));
    to = put(to, episode->actions, length * (size_t)format->shape.agents, sizeof(int32_t));
    if (format->store != MARL__STORE_STATE) put(to, episode->avail, slots * avail_count(format), 1);
}

/* ---- checks ---- */

static int are_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return 0;
    }
    return 1;
}

static int are_finite_halves(const uint16_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if ((values[i] & 0x7c00u) == 0x7c00u) return 0;
    }
    return 1;
}

static int are_below(const int32_t *values, size_t count, int32_t bound) {
    for (size_t i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] >= bound) return 0;
    }
    return 1;
}

static int are_flags(const uint8_t *values, size_t count) {
    unsigned all = 0;

    for (size_t i = 0; i < count; i++) all |= values[i];
    return all <= 1;
}

marl_status marl__store_check(const marl__replay_format *format, const marl__episode *episode) {
    size_t length = (size_t)episode->length, slots = length + 1;
    size_t seen = slots * (obs_count(format) + (size_t)format->shape.state);
    int is_right = are_finite(episode->rewards, length * (size_t)format->shape.rewards) &&
                   are_below(episode->actions, length * (size_t)format->shape.agents, format->shape.actions);

    if (format->store == MARL__STORE_F32) is_right = is_right && are_finite(episode->obs, seen);
    if (format->store == MARL__STORE_F16) is_right = is_right && are_finite_halves(episode->packed, seen);
    if (episode->avail) is_right = is_right && are_flags(episode->avail, slots * avail_count(format));
    if (!is_right) return marl__fail(MARL_E_FORMAT, "it holds numbers that no episode has");
    if (format->store != MARL__STORE_STATE) return MARL_OK;
    return marl__rebuilder_check(format->rebuilder, episode->packed, episode->length + 1);
}
