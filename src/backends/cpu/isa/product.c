/* SPDX-License-Identifier: Apache-2.0 */
/* Products: y = act(x W^T + bias) on packed weights, and c += a^T b for weight gradients.
 *
 * A tile of the result, a few rows by one to six panels of 16 columns, stays in registers while k (or the row of a and
 * b) runs from the first to the last. So every element is one chain of fused multiply-adds that starts from zero, and
 * how tiles are cut (by M, by the processor, by what is left at the edge) cannot change a bit: row i of a product
 * depends on row i, N and K only, and AVX2 and AVX-512 agree.
 *
 * Tile sizes follow the register file. 32 registers: 8 x 3 panels are 24 accumulators, 3 of the weight, 1 broadcast;
 * few rows take more panels, because at least 8 chains must be in flight to hide the latency of a multiply-add. 16
 * registers of half the width: 6 x 1. Rows and panels are dealt evenly to tiles (9 rows are 5 + 4, 4 panels 2 + 2): a
 * thin last tile would run at the speed of its latency.
 *
 * Where few columns would fill a panel, rows are the lanes instead: 16 rows of x are turned as they are read, and an
 * accumulator is a column of 16 rows. The chains are the same ones.
 *
 * Letters: M rows, N columns, K length of the product; R rows of a and b, P columns of a, Q columns of b. */
#include "backends/cpu/product.h"

#include "backends/cpu/isa/vmath.h"

#if defined(MARL__ISA_AVX512)
enum { ROWS_MAX = 8, PANELS_MAX = 6, NARROW_MAX = 8 };
#define EACH_TILE(TILE) \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(1, 5) TILE(1, 6) \
    TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4) TILE(2, 5) TILE(2, 6) \
    TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4) TILE(4, 1) TILE(4, 2) TILE(4, 3) TILE(4, 4) \
    TILE(5, 1) TILE(5, 2) TILE(5, 3) TILE(5, 4) TILE(6, 1) TILE(6, 2) TILE(6, 3) TILE(6, 4) \
    TILE(7, 1) TILE(7, 2) TILE(7, 3) TILE(8, 1) TILE(8, 2) TILE(8, 3)
static const int32_t panels_max[ROWS_MAX] = { 6, 6, 4, 4, 4, 4, 3, 3 };
#elif defined(MARL__ISA_AVX2)
enum { ROWS_MAX = 6, PANELS_MAX = 4, NARROW_MAX = 4 };
#define EACH_TILE(TILE) \
    TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4) TILE(2, 1) TILE(2, 2) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
static const int32_t panels_max[ROWS_MAX] = { 4, 2, 1, 1, 1, 1 };
#else
enum { ROWS_MAX = 2, PANELS_MAX = 1, NARROW_MAX = 4 };
#define EACH_TILE(TILE) TILE(1, 1) TILE(2, 1)
static const int32_t panels_max[ROWS_MAX] = { 1, 1 };
#endif

/* Floats of x in a block of rows: small enough to stay in the second-level cache beside the weights while all panels
 * pass over it. */
enum { BLOCK_FLOATS = 16384 };

/* One tile's work. product: a is x, b packed panels. outer: b is row-major, its last panel may be partial. */
typedef struct tile {
    int32_t length;          /* of the chains */
    const float *a, *b;
    size_t a_stride;         /* product: from row to row of x; outer: from row to row of a */
    size_t b_stride;         /* product: from panel to panel; outer: from row to row of b */
    const float *bias;       /* product only, may be NULL */
    float *y;
    size_t y_stride;
    int32_t columns;         /* that exist from the tile's first on */
} tile;

typedef void tile_fn(const tile *job);

/* In full and early, or the accumulators stay in memory. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* rows and panels are constants wherever this is called, so all the inner loops unroll and acc lives in registers. */
MARL__LANE_FN void run_product(const tile *job, const int rows, const int panels) {
    v16 acc[ROWS_MAX][PANELS_MAX], bias[PANELS_MAX];
    const float *a = job->a, *b = job->b;
    size_t a_stride = job->a_stride, b_stride = job->b_stride;

    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int p = 0; p < panels; p++) acc[r][p] = v16_zero();
    for (int32_t k = job->length; k > 0; k--, a++, b += MARL__PANEL) {
        v16 w[PANELS_MAX];
        UNROLL for (int p = 0; p < panels; p++) w[p] = v16_load(b + (size_t)p * b_stride);
        UNROLL for (int r = 0; r < rows; r++) {
            v16 x = v16_set1(a[(size_t)r * a_stride]);
            UNROLL for (int p = 0; p < panels; p++) acc[r][p] = v16_fma(x, w[p], acc[r][p]);
        }
    }
    UNROLL for (int p = 0; p < panels; p++) /* adding -0 changes nothing, not even the sign of a zero */
        bias[p] = job->bias ? v16_load_n(job->bias + p * MARL__PANEL, job->columns - p * MARL__PANEL) : v16_set1(-0.0f);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int p = 0; p < panels; p++)
            v16_store_n(job->y + (size_t)r * job->y_stride + p * MARL__PANEL, job->columns - p * MARL__PANEL,
                        v16_add(acc[r][p], bias[p]));
}

/* 16 rows by as many columns as a narrow result has. */
MARL__LANE_FN void run_narrow(const tile *job, const int columns) {
    v16 acc[NARROW_MAX];
    float turned[NARROW_MAX][MARL__LANES], ends[MARL__LANES];
    const float *a = job->a, *b = job->b;
    int32_t k = job->length;

    UNROLL for (int n = 0; n < columns; n++) acc[n] = v16_zero();
    for (; k >= 4; k -= 4, a += 4) {
        v16 x[4];
        v16_load_columns(a, job->a_stride, x);
        UNROLL for (int j = 0; j < 4; j++, b += MARL__PANEL)
            UNROLL for (int n = 0; n < columns; n++) acc[n] = v16_fma(x[j], v16_set1(b[n]), acc[n]);
    }
    for (; k > 0; k--, a++, b += MARL__PANEL) {
        for (size_t r = 0; r < MARL__LANES; r++) ends[r] = a[r * job->a_stride];
        UNROLL for (int n = 0; n < columns; n++) acc[n] = v16_fma(v16_load(ends), v16_set1(b[n]), acc[n]);
    }
    UNROLL for (int n = 0; n < columns; n++)
        v16_store(turned[n], v16_add(acc[n], v16_set1(job->bias ? job->bias[n] : -0.0f)));
    for (size_t r = 0; r < MARL__LANES; r++)
        UNROLL for (int n = 0; n < columns; n++) job->y[r * job->y_stride + (size_t)n] = turned[n][r];
}

/* The last panel of b is partial or not; reading it through a mask costs AVX2 a fifth of its speed. */
MARL__LANE_FN void outer_chains(const tile *job, const int rows, const int panels, const int partial,
                                v16 acc[ROWS_MAX][PANELS_MAX]) {
    const float *a = job->a, *b = job->b;
    size_t a_stride = job->a_stride, b_stride = job->b_stride;
    v16m last = v16m_tail(job->columns - (panels - 1) * MARL__PANEL);

    for (int32_t k = job->length; k > 0; k--, a += a_stride, b += b_stride) {
        v16 w[PANELS_MAX];
        UNROLL for (int p = 0; p < panels; p++) {
            const float *from = b + p * MARL__PANEL;
            w[p] = partial && p == panels - 1 ? v16_load_tail(from, last) : v16_load(from);
        }
        UNROLL for (int r = 0; r < rows; r++) {
            v16 x = v16_set1(a[r]);
            UNROLL for (int p = 0; p < panels; p++) acc[r][p] = v16_fma(x, w[p], acc[r][p]);
        }
    }
}

MARL__LANE_FN void run_outer(const tile *job, const int rows, const int panels) {
    v16 acc[ROWS_MAX][PANELS_MAX];

    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int p = 0; p < panels; p++) acc[r][p] = v16_zero();
    if (job->columns < panels * MARL__PANEL) outer_chains(job, rows, panels, 1, acc);
    else outer_chains(job, rows, panels, 0, acc);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int p = 0; p < panels; p++) {
            float *y = job->y + (size_t)r * job->y_stride + p * MARL__PANEL;
            int32_t count = job->columns - p * MARL__PANEL;
            v16_store_n(y, count, v16_add(v16_load_n(y, count), acc[r][p]));
        }
}

#define PRODUCT_TILE(r, p) static void product_##r##_##p(const tile *job) { run_product(job, r, p); }
EACH_TILE(PRODUCT_TILE)
#define OUTER_TILE(r, p) static void outer_##r##_##p(const tile *job) { run_outer(job, r, p); }
EACH_TILE(OUTER_TILE)

#define PRODUCT_ENTRY(r, p) [r - 1][p - 1] = product_##r##_##p,
static tile_fn *const product_tiles[ROWS_MAX][PANELS_MAX] = { EACH_TILE(PRODUCT_ENTRY) };
#define OUTER_ENTRY(r, p) [r - 1][p - 1] = outer_##r##_##p,
static tile_fn *const outer_tiles[ROWS_MAX][PANELS_MAX] = { EACH_TILE(OUTER_ENTRY) };

#define EACH_NARROW(TILE) TILE(1) TILE(2) TILE(3) TILE(4)
#define EACH_WIDER(TILE) TILE(5) TILE(6) TILE(7) TILE(8)
#define NARROW_TILE(n) static void narrow_##n(const tile *job) { run_narrow(job, n); }
#define NARROW_ENTRY(n) [n - 1] = narrow_##n,
EACH_NARROW(NARROW_TILE)
#if defined(MARL__ISA_AVX512)
EACH_WIDER(NARROW_TILE)
static tile_fn *const narrow_tiles[NARROW_MAX] = { EACH_NARROW(NARROW_ENTRY) EACH_WIDER(NARROW_ENTRY) };
#else
static tile_fn *const narrow_tiles[NARROW_MAX] = { EACH_NARROW(NARROW_ENTRY) };
#endif

/* How many of the left things the next tile takes: the most, or half of what is left if that makes two even tiles. */
static int32_t next_share(int32_t left, int32_t most) {
    if (left <= most) return left;
    return left >= 2 * most ? most : (left + 1) / 2;
}

static int32_t panel_count(int32_t columns) {
    return columns / MARL__PANEL + (columns % MARL__PANEL != 0);
}

/* As many rows as there are whole sixteens of; returns their number. */
static int32_t narrow_rows(tile job, int32_t M, int32_t N, const float *x, const float *packed, const float *bias,
                           float *y) {
    const int32_t whole = N <= NARROW_MAX ? M / MARL__LANES * MARL__LANES : 0;

    job.b = packed;
    job.bias = bias;
    for (int32_t row = 0; row < whole; row += MARL__LANES) {
        job.a = x + (size_t)row * job.a_stride;
        job.y = y + (size_t)row * job.y_stride;
        narrow_tiles[N - 1](&job);
    }
    return whole;
}

/* Rows of y from the packed weight, before the activation. */
static void product_rows(tile job, int32_t M, int32_t N, int32_t K, const float *x, const float *packed,
                         const float *bias, float *y) {
    size_t panel = (size_t)K * MARL__PANEL;
    int32_t panels = panel_count(N), done = narrow_rows(job, M, N, x, packed, bias, y);

    if (done == M) return;
    x += (size_t)done * job.a_stride;
    y += (size_t)done * job.y_stride;
    M -= done;
    int32_t most = panels_max[next_share(M, ROWS_MAX) - 1];
    job.b_stride = panel;
    for (int32_t first = 0, width; first < panels; first += width) {
        width = next_share(panels - first, most);
        job.b = packed + (size_t)first * panel;
        job.bias = bias ? bias + (size_t)first * MARL__PANEL : NULL;
        job.columns = N - first * MARL__PANEL;
        for (int32_t row = 0, rows; row < M; row += rows) {
            rows = next_share(M - row, ROWS_MAX);
            job.a = x + (size_t)row * job.a_stride;
            job.y = y + (size_t)row * job.y_stride + (size_t)first * MARL__PANEL;
            product_tiles[rows - 1][width - 1](&job);
        }
    }
}

static void product(int32_t M, int32_t N, int32_t K, const float *x, int32_t ldx, const float *packed,
                    const float *plain, int32_t transposed, const float *bias, int32_t activation, float *y,
                    int32_t ldy) {
    tile job = { .length = K, .a_stride = (size_t)ldx, .y_stride = (size_t)ldy };
    int32_t block = K < BLOCK_FLOATS / (4 * ROWS_MAX) ? BLOCK_FLOATS / (K + 1) / ROWS_MAX * ROWS_MAX : 4 * ROWS_MAX;

    (void)plain;
    (void)transposed;
    for (int32_t row = 0, rows; row < M; row += rows) {
        rows = next_share(M - row, block);
        float *out = y + (size_t)row * (size_t)ldy;
        product_rows(job, rows, N, K, x + (size_t)row * (size_t)ldx, packed, bias, out);
        if (activation == MARL__IDENTITY) continue;
        if (ldy == N) MARL__ISA(marl__cpu_map)(activation, rows * N, out, out);
        else for (int32_t i = 0; i < rows; i++, out += ldy) MARL__ISA(marl__cpu_map)(activation, N, out, out);
    }
}

static void outer(int32_t R, int32_t P, int32_t Q, const float *a, int32_t lda, const float *b, int32_t ldb, float *c,
                  int32_t ldc) {
    int32_t panels = panel_count(Q);
    tile job = { .length = R, .a_stride = (size_t)lda, .b_stride = (size_t)ldb, .y_stride = (size_t)ldc };

    if (P <= 0) return;
    int32_t most = panels_max[next_share(P, ROWS_MAX) - 1];
    for (int32_t first = 0, width; first < panels; first += width) {
        width = next_share(panels - first, most);
        job.b = b + (size_t)first * MARL__PANEL;
        job.columns = Q - first * MARL__PANEL;
        for (int32_t row = 0, rows; row < P; row += rows) {
            rows = next_share(P - row, ROWS_MAX);
            job.a = a + row;
            job.y = c + (size_t)row * (size_t)ldc + (size_t)first * MARL__PANEL;
            outer_tiles[rows - 1][width - 1](&job);
        }
    }
}

static size_t packed_floats(int32_t N, int32_t K) {
    return (size_t)panel_count(N) * MARL__PANEL * (size_t)K;
}

static void pack_forward(int32_t N, int32_t K, const float *w, float *packed) {
    for (int32_t first = 0; first < N; first += MARL__PANEL)
        for (int32_t k = 0; k < K; k++)
            for (int32_t j = first; j < first + MARL__PANEL; j++)
                *packed++ = j < N ? w[(size_t)j * (size_t)K + (size_t)k] : 0.0f;
}

static void pack_backward(int32_t N, int32_t K, const float *w, float *packed) {
    for (int32_t first = 0; first < N; first += MARL__PANEL)
        for (int32_t k = 0; k < K; k++, packed += MARL__PANEL)
            v16_store(packed, v16_load_n(w + (size_t)k * (size_t)N + (size_t)first, N - first));
}

const marl__products MARL__ISA(marl__cpu_products) = {
    .product = product, .outer = outer, .packed_floats = packed_floats,
    .pack_forward = pack_forward, .pack_backward = pack_backward,
};
