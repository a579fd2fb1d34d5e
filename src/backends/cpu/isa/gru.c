/* SPDX-License-Identifier: Apache-2.0 */
/* gru, its gradient and its tangent, one slot at a time. The products of the inputs were done for all slots at once
 * (xg); what is left for a slot is one small product and the gates:
 *
 *     hg = Whh h' + bhh                   h' = hidden state of the slot before: h0 in slot 0, 0 at a reset
 *     r = sigmoid(xg_r + hg_r)            z = sigmoid(xg_z + hg_z)            n = tanh(xg_n + r hg_n)
 *     h = n + z (h' - n)
 *
 * A slot is done in blocks of rows, small enough that hg never leaves the nearest caches: the product writes it, the
 * gates read it at once, and only h (and saved, if a gradient is wanted) goes to memory. Blocks cannot change the bits,
 * because a row of a product depends on that row only. H: hidden units; a row of xg, hg holds r, z, n side by side. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

/* Rows of a block for shared parameters, and for each of the products of grouped ones. With 64 units a block of hg is
 * 48 KB. */
enum { BLOCK_SHARED = 64, BLOCK_PART = 16 };

/* The rows of one slot in the tensors of gru or gru_grad. */
typedef struct slot {
    int32_t row, rows;   /* first row, number of rows */
    int32_t going;       /* of these, the first so many go on in the next slot */
    const float *before; /* hidden states of the slot before; NULL: zeros */
    const float *reset;  /* one number a row of this slot; NULL: none */
} slot;

static slot slot_at(const marl__call *call, int32_t t, const marl__tensor *h, const float *h0, const float *reset) {
    const marl__seq *seq = call->seq;
    const int32_t per_team = rows_per_team(call, h);
    slot s = {.row = seq->offset[t] * per_team, .rows = seq->active[t] * per_team};

    s.going = t + 1 < seq->slots ? seq->active[t + 1] * per_team : 0;
    s.before = t > 0 ? row_of(h, seq->offset[t - 1] * per_team) : h0;
    s.reset = reset ? reset + s.row : NULL;
    return s;
}

static int32_t block_rows(const marl__call *call) {
    const int32_t parts = parts_of(call);
    return parts > 1 ? parts * BLOCK_PART : BLOCK_SHARED;
}

static int any_reset(const float *reset, int32_t rows) {
    int any = 0;
    for (int32_t r = 0; reset && r < rows; r++) any |= reset[r] != 0.0f;
    return any;
}

/* The hidden states that rows [at, at + rows) of a slot start from: in place if they can be read as they are, else made
 * in `room`. */
static const float *start_states(const slot *s, int32_t at, int32_t rows, int32_t H, float *room) {
    const size_t row_bytes = (size_t)H * sizeof *room;
    const float *before = s->before ? s->before + (ptrdiff_t)at * H : NULL;
    const float *reset = s->reset ? s->reset + at : NULL;

    if (!before) {
        memset(room, 0, (size_t)rows * row_bytes);
        return room;
    }
    if (!any_reset(reset, rows)) return before;
    for (int32_t r = 0; r < rows; r++) {
        if (reset[r] != 0.0f)
            memset(room + (ptrdiff_t)r * H, 0, row_bytes);
        else
            memcpy(room + (ptrdiff_t)r * H, before + (ptrdiff_t)r * H, row_bytes);
    }
    return room;
}

/* Columns [c, c + n), n <= 16, of one row. */
MARL__LANE_FN void gate_lanes(int32_t H, int32_t c, int32_t n, const float *xg, const float *hg, const float *before,
                              float *h, float *saved) {
    const v16 r = v16_sigmoid(v16_add(v16_load_n(xg + c, n), v16_load_n(hg + c, n)));
    const v16 z = v16_sigmoid(v16_add(v16_load_n(xg + H + c, n), v16_load_n(hg + H + c, n)));
    const v16 hn = v16_load_n(hg + 2 * H + c, n);
    const v16 new = v16_tanh(v16_fma(r, hn, v16_load_n(xg + 2 * H + c, n)));

    v16_store_n(h + c, n, v16_fma(z, v16_sub(v16_load_n(before + c, n), new), new));
    if (!saved) return;
    v16_store_n(saved + c, n, r);
    v16_store_n(saved + H + c, n, z);
    v16_store_n(saved + 2 * H + c, n, new);
    v16_store_n(saved + 3 * H + c, n, hn);
}

static void gates(int32_t H, const float *xg, const float *hg, const float *before, float *h, float *saved) {
    int32_t c = 0;

    for (; c + 16 <= H; c += 16) gate_lanes(H, c, 16, xg, hg, before, h, saved);
    if (c < H) gate_lanes(H, c, H - c, xg, hg, before, h, saved);
}

static void forward_block(const marl__call *call, int32_t row, int32_t rows, const float *before, float *hg) {
    const int32_t H = call->out[0].cols, parts = parts_of(call);
    const size_t packed_stride = call->products->packed_floats(3 * H, H), stride = 3 * (size_t)H * (size_t)H;
    const float *bias = call->in[2].data;

    for (int32_t part = 0; part < parts; part++) {
        const size_t group = (size_t)group_of(call, part);
        call->products->product(rows / parts, 3 * H, H, before + (ptrdiff_t)part * H, parts * H,
                                call->packed[1] + group * packed_stride,
                                (const float *)call->in[1].data + group * stride, 0,
                                bias ? bias + group * 3 * (size_t)H : NULL, MARL__IDENTITY,
                                hg + (ptrdiff_t)part * 3 * H, parts * 3 * H);
    }
    for (int32_t r = 0; r < rows; r++)
        gates(H, row_of(&call->in[0], row + r), hg + (ptrdiff_t)r * 3 * H, before + (ptrdiff_t)r * H,
              row_of(&call->out[0], row + r), call->out[1].data ? row_of(&call->out[1], row + r) : NULL);
}

void MARL__ISA(marl__run_gru)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t H = call->out[0].cols, block = block_rows(call);
    float *hg = call->scratch, *room = hg + (ptrdiff_t)block * 3 * H;

    for (int32_t t = first; t < first + count; t++) {
        const slot s = slot_at(call, t, &call->out[0], call->in[3].data, call->in[4].data);
        for (int32_t at = 0; at < s.rows; at += block) {
            const int32_t rows = s.rows - at < block ? s.rows - at : block;
            forward_block(call, s.row + at, rows, start_states(&s, at, rows, H, room), hg);
        }
    }
}

/* hg and the start states of a block. */
size_t MARL__ISA(marl__scratch_gru)(const marl__call *call) {
    return (size_t)block_rows(call) * 4 * (size_t)call->out[0].cols * sizeof(float);
}

/* Where one row of gru_grad reads and writes. carry NULL: the sequence ends here. dxg NULL: nobody reads it. */
typedef struct grad_row {
    const float *dh, *carry, *before, *saved;
    float *dxg, *dhg, *keep;
} grad_row;

MARL__LANE_FN v16 one_minus(v16 a) { return v16_sub(v16_set1(1.0f), a); }

/* Columns [c, c + n). keep: the part of the gradient that reaches h' past the gates, dh z. */
MARL__LANE_FN void grad_lanes(int32_t H, int32_t c, int32_t n, const grad_row *row) {
    const v16 r = v16_load_n(row->saved + c, n), z = v16_load_n(row->saved + H + c, n);
    const v16 new = v16_load_n(row->saved + 2 * H + c, n), hn = v16_load_n(row->saved + 3 * H + c, n);
    const v16 later = row->carry ? v16_load_n(row->carry + c, n) : v16_zero();
    const v16 dh = v16_add(v16_load_n(row->dh + c, n), later);
    const v16 dn = v16_mul(v16_mul(dh, one_minus(z)), v16_fnma(new, new, v16_set1(1.0f)));
    const v16 dz = v16_mul(v16_mul(dh, v16_sub(v16_load_n(row->before + c, n), new)), v16_mul(z, one_minus(z)));
    const v16 dr = v16_mul(v16_mul(dn, hn), v16_mul(r, one_minus(r)));

    v16_store_n(row->keep + c, n, v16_mul(dh, z));
    v16_store_n(row->dhg + c, n, dr);
    v16_store_n(row->dhg + H + c, n, dz);
    v16_store_n(row->dhg + 2 * H + c, n, v16_mul(dn, r));
    if (!row->dxg) return;
    v16_store_n(row->dxg + c, n, dr);
    v16_store_n(row->dxg + H + c, n, dz);
    v16_store_n(row->dxg + 2 * H + c, n, dn);
}

static void gate_gradients(int32_t H, const grad_row *row) {
    int32_t c = 0;

    for (; c + 16 <= H; c += 16) grad_lanes(H, c, 16, row);
    if (c < H) grad_lanes(H, c, H - c, row);
}

/* carry = dhg Whh for a block of rows. */
static void carry_products(const marl__call *call, int32_t rows, const float *dhg, float *carry) {
    const int32_t H = call->in[1].cols, parts = parts_of(call);
    const size_t packed_stride = call->products->packed_floats(H, 3 * H), stride = 3 * (size_t)H * (size_t)H;

    for (int32_t part = 0; part < parts; part++) {
        const size_t group = (size_t)group_of(call, part);
        call->products->product(rows / parts, H, 3 * H, dhg + (ptrdiff_t)part * 3 * H, parts * 3 * H,
                                call->packed_backward[3] + group * packed_stride,
                                (const float *)call->in[3].data + group * stride, 1, NULL, MARL__IDENTITY,
                                carry + (ptrdiff_t)part * H, parts * H);
    }
}

/* Working memory of a block of gru_grad. dhg: used where nobody reads that output. */
typedef struct grad_room { float *keep, *before, *dhg; } grad_room;

static void backward_block(const marl__call *call, const slot *s, int32_t at, int32_t rows, const grad_room *room) {
    const int32_t H = call->in[1].cols;
    const float *before = start_states(s, at, rows, H, room->before);
    float *carry = row_of(&call->out[2], at);
    float *dhg = call->out[1].data ? row_of(&call->out[1], s->row + at) : room->dhg;

    for (int32_t r = 0; r < rows; r++) {
        const int32_t row = s->row + at + r;
        const grad_row views = {
            .dh = row_of(&call->in[0], row), .carry = at + r < s->going ? carry + (ptrdiff_t)r * H : NULL,
            .before = before + (ptrdiff_t)r * H, .saved = row_of(&call->in[2], row),
            .dxg = call->out[0].data ? row_of(&call->out[0], row) : NULL, .dhg = dhg + (ptrdiff_t)r * 3 * H,
            .keep = room->keep + (ptrdiff_t)r * H,
        };
        gate_gradients(H, &views);
    }
    carry_products(call, rows, dhg, carry);
    for (int32_t r = 0; r < rows; r++) {
        const int cut = s->reset && s->reset[at + r] != 0.0f;
        float *to = carry + (ptrdiff_t)r * H;
        const float *past = room->keep + (ptrdiff_t)r * H;
        for (int32_t c = 0; c < H; c++) to[c] = cut ? 0.0f : to[c] + past[c];
    }
}

/* Slots run from the last to the first; out[2], in the end the gradient of h0, carries the gradient between them. */
void MARL__ISA(marl__run_gru_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t H = call->in[1].cols, block = block_rows(call);
    float *scratch = call->scratch;
    const ptrdiff_t size = (ptrdiff_t)block * H;
    const grad_room room = {.keep = scratch, .before = scratch + size, .dhg = scratch + 2 * size};

    for (int32_t t = first + count - 1; t >= first; t--) {
        const slot s = slot_at(call, t, &call->in[1], call->in[4].data, call->in[5].data);
        for (int32_t at = 0; at < s.rows; at += block)
            backward_block(call, &s, at, s.rows - at < block ? s.rows - at : block, &room);
    }
}

size_t MARL__ISA(marl__scratch_gru_grad)(const marl__call *call) {
    return (size_t)block_rows(call) * 5 * (size_t)call->in[1].cols * sizeof(float);
}

/* One row of gru_jvp. dxg, fixed: the tangents of the input gates, and of the hidden gates but for what comes through
 * the tangent of h'; NULL: they stand still. dhg: what does come through it. start: the tangent of h'. */
typedef struct tangent_row {
    const float *dxg, *fixed, *dhg, *before, *saved, *start;
    float *dh;
} tangent_row;

MARL__LANE_FN v16 load_or_zero(const float *x, int32_t at, int32_t n) {
    return x ? v16_load_n(x + at, n) : v16_zero();
}

/* Columns [c, c + n). */
MARL__LANE_FN void tangent_lanes(int32_t H, int32_t c, int32_t n, const tangent_row *row) {
    const v16 r = v16_load_n(row->saved + c, n), z = v16_load_n(row->saved + H + c, n);
    const v16 new = v16_load_n(row->saved + 2 * H + c, n), hn = v16_load_n(row->saved + 3 * H + c, n);
    v16 hidden[3], input[3];

    for (int32_t k = 0; k < 3; k++) {
        hidden[k] = v16_add(v16_load_n(row->dhg + k * H + c, n), load_or_zero(row->fixed, k * H + c, n));
        input[k] = load_or_zero(row->dxg, k * H + c, n);
    }
    const v16 dr = v16_mul(v16_add(input[0], hidden[0]), v16_mul(r, one_minus(r)));
    const v16 dz = v16_mul(v16_add(input[1], hidden[1]), v16_mul(z, one_minus(z)));
    const v16 inside = v16_fma(r, hidden[2], v16_fma(dr, hn, input[2]));
    const v16 dn = v16_mul(inside, v16_fnma(new, new, v16_set1(1.0f)));
    const v16 past = v16_fma(z, v16_sub(v16_load_n(row->start + c, n), dn), dn);
    v16_store_n(row->dh + c, n, v16_fma(dz, v16_sub(v16_load_n(row->before + c, n), new), past));
}

static void gate_tangents(int32_t H, const tangent_row *row) {
    int32_t c = 0;

    for (; c + 16 <= H; c += 16) tangent_lanes(H, c, 16, row);
    if (c < H) tangent_lanes(H, c, H - c, row);
}

/* dhg = dh' Whh^T for a block of rows. */
static void tangent_products(const marl__call *call, int32_t rows, const float *start, float *dhg) {
    const int32_t H = call->out[0].cols, parts = parts_of(call);
    const size_t packed_stride = call->products->packed_floats(3 * H, H), stride = 3 * (size_t)H * (size_t)H;

    for (int32_t part = 0; part < parts; part++) {
        const size_t group = (size_t)group_of(call, part);
        call->products->product(rows / parts, 3 * H, H, start + (ptrdiff_t)part * H, parts * H,
                                call->packed[4] + group * packed_stride,
                                (const float *)call->in[4].data + group * stride, 0, NULL, MARL__IDENTITY,
                                dhg + (ptrdiff_t)part * 3 * H, parts * 3 * H);
    }
}

/* Working memory of a block of gru_jvp: hidden states and tangents it starts from, tangents of the hidden gates. */
typedef struct tangent_room { float *before, *start, *dhg; } tangent_room;

/* values, tangents: the slot seen in h and in its tangent. */
static void tangent_block(const marl__call *call, const slot *values, const slot *tangents, int32_t at, int32_t rows,
                          const tangent_room *room) {
    const int32_t H = call->out[0].cols;
    const float *before = start_states(values, at, rows, H, room->before);
    const float *start = start_states(tangents, at, rows, H, room->start);

    tangent_products(call, rows, start, room->dhg);
    for (int32_t r = 0; r < rows; r++) {
        const int32_t row = values->row + at + r;
        const tangent_row views = {
            .dxg = row_or_null(&call->in[0], row), .fixed = row_or_null(&call->in[1], row),
            .dhg = room->dhg + (ptrdiff_t)r * 3 * H, .before = before + (ptrdiff_t)r * H,
            .saved = row_of(&call->in[3], row), .start = start + (ptrdiff_t)r * H, .dh = row_of(&call->out[0], row),
        };
        gate_tangents(H, &views);
    }
}

void MARL__ISA(marl__run_gru_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t H = call->out[0].cols, block = block_rows(call);
    float *scratch = call->scratch;
    const ptrdiff_t size = (ptrdiff_t)block * H;
    const tangent_room room = {.before = scratch, .start = scratch + size, .dhg = scratch + 2 * size};

    for (int32_t t = first; t < first + count; t++) {
        const slot values = slot_at(call, t, &call->in[2], call->in[5].data, call->in[6].data);
        const slot tangents = slot_at(call, t, &call->out[0], call->in[7].data, call->in[6].data);
        for (int32_t at = 0; at < values.rows; at += block)
            tangent_block(call, &values, &tangents, at, values.rows - at < block ? values.rows - at : block, &room);
    }
}

size_t MARL__ISA(marl__scratch_gru_jvp)(const marl__call *call) {
    return (size_t)block_rows(call) * 5 * (size_t)call->out[0].cols * sizeof(float);
}
