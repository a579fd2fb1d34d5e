/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen virtual float lanes, v16: one __m512, two __m256 or sixteen floats.
 *
 * Every file in isa/ is compiled three times, with MARL__ISA_PORTABLE, MARL__ISA_AVX2 or MARL__ISA_AVX512 defined, and
 * is written in these words only. AVX2 and AVX-512 then do the same arithmetic on the same lanes, so they give the
 * same bits; the portable build differs in v16_fma alone, which rounds twice. To keep it so:
 *   - tails go through v16m_tail and the _tail loads and stores, never through a scalar loop with another order;
 *   - reductions keep one v16 of accumulators and end in v16_reduce_add or v16_reduce_max;
 *   - nothing approximate (rcp, rsqrt), and a product and a sum join only where v16_fma says so.
 * Masks are v16m, from comparisons or v16m_tail. v16i is sixteen int32 lanes. f1_ functions are for one float. */
#ifndef MARL__BACKENDS_CPU_SIMD_H
#define MARL__BACKENDS_CPU_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MARL__LANES 16

#if defined(MARL__ISA_AVX512)
#include <immintrin.h>
#define MARL__ISA(name) name##_avx512
#elif defined(MARL__ISA_AVX2)
#include <immintrin.h>
#define MARL__ISA(name) name##_avx2
#elif defined(MARL__ISA_PORTABLE)
#define MARL__ISA(name) name##_portable
#else
#error "files in isa/ are compiled with one of MARL__ISA_PORTABLE, MARL__ISA_AVX2, MARL__ISA_AVX512"
#endif

#define MARL__LANE_FN static inline __attribute__((always_inline, unused))

#if defined(MARL__ISA_AVX512)

typedef __m512 v16;
typedef __m512i v16i;
typedef __mmask16 v16m;

/* The first count lanes; count is clamped to 0..16. */
MARL__LANE_FN v16m v16m_tail(int32_t count) {
    return count >= 16 ? (v16m)0xffff : count <= 0 ? (v16m)0 : (v16m)((1u << count) - 1u);
}
MARL__LANE_FN v16m v16m_and(v16m a, v16m b) { return (v16m)(a & b); }
MARL__LANE_FN v16m v16m_or(v16m a, v16m b) { return (v16m)(a | b); }
MARL__LANE_FN v16m v16m_not(v16m a) { return (v16m)~a; }
/* Bit i is lane i. */
MARL__LANE_FN uint32_t v16m_bits(v16m a) { return a; }

MARL__LANE_FN v16 v16_zero(void) { return _mm512_setzero_ps(); }
MARL__LANE_FN v16 v16_set1(float a) { return _mm512_set1_ps(a); }
MARL__LANE_FN v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
MARL__LANE_FN void v16_store(float *p, v16 a) { _mm512_storeu_ps(p, a); }
/* Lanes outside the mask read as zero, and no memory is touched for them. */
MARL__LANE_FN v16 v16_load_tail(const float *p, v16m mask) { return _mm512_maskz_loadu_ps(mask, p); }
MARL__LANE_FN void v16_store_tail(float *p, v16m mask, v16 a) { _mm512_mask_storeu_ps(p, mask, a); }
MARL__LANE_FN v16 v16_gather(const float *p, v16i index) { return _mm512_i32gather_ps(index, p, 4); }

MARL__LANE_FN v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
MARL__LANE_FN v16 v16_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
MARL__LANE_FN v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
MARL__LANE_FN v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
/* a b + c */
MARL__LANE_FN v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
/* c - a b */
MARL__LANE_FN v16 v16_fnma(v16 a, v16 b, v16 c) { return _mm512_fnmadd_ps(a, b, c); }
/* min and max give b where either is NaN, and where both are zero. */
MARL__LANE_FN v16 v16_min(v16 a, v16 b) { return _mm512_min_ps(a, b); }
MARL__LANE_FN v16 v16_max(v16 a, v16 b) { return _mm512_max_ps(a, b); }
MARL__LANE_FN v16 v16_sqrt(v16 a) { return _mm512_sqrt_ps(a); }
MARL__LANE_FN v16 v16_and(v16 a, v16 b) { return _mm512_and_ps(a, b); }
MARL__LANE_FN v16 v16_or(v16 a, v16 b) { return _mm512_or_ps(a, b); }
MARL__LANE_FN v16 v16_xor(v16 a, v16 b) { return _mm512_xor_ps(a, b); }

/* Comparisons are false where either is NaN, ne is true there. */
MARL__LANE_FN v16m v16_eq(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
MARL__LANE_FN v16m v16_ne(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
MARL__LANE_FN v16m v16_lt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
MARL__LANE_FN v16m v16_le(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
/* mask ? a : b */
MARL__LANE_FN v16 v16_select(v16m mask, v16 a, v16 b) { return _mm512_mask_blend_ps(mask, b, a); }

MARL__LANE_FN v16i v16i_set1(int32_t a) { return _mm512_set1_epi32(a); }
MARL__LANE_FN v16i v16i_load(const int32_t *p) { return _mm512_loadu_si512(p); }
MARL__LANE_FN v16i v16i_load_tail(const int32_t *p, v16m mask) { return _mm512_maskz_loadu_epi32(mask, p); }
MARL__LANE_FN void v16i_store(int32_t *p, v16i a) { _mm512_storeu_si512(p, a); }
MARL__LANE_FN void v16i_store_tail(int32_t *p, v16m mask, v16i a) { _mm512_mask_storeu_epi32(p, mask, a); }
MARL__LANE_FN v16i v16i_add(v16i a, v16i b) { return _mm512_add_epi32(a, b); }
MARL__LANE_FN v16i v16i_sub(v16i a, v16i b) { return _mm512_sub_epi32(a, b); }
MARL__LANE_FN v16i v16i_mul(v16i a, v16i b) { return _mm512_mullo_epi32(a, b); }
MARL__LANE_FN v16i v16i_and(v16i a, v16i b) { return _mm512_and_si512(a, b); }
MARL__LANE_FN v16i v16i_or(v16i a, v16i b) { return _mm512_or_si512(a, b); }
MARL__LANE_FN v16m v16i_eq(v16i a, v16i b) { return _mm512_cmpeq_epi32_mask(a, b); }
MARL__LANE_FN v16m v16i_gt(v16i a, v16i b) { return _mm512_cmpgt_epi32_mask(a, b); }
/* Shifts by a constant; sra keeps the sign. */
#define v16i_sll(a, n) _mm512_slli_epi32(a, n)
#define v16i_sra(a, n) _mm512_srai_epi32(a, n)
MARL__LANE_FN v16 v16_bits(v16i a) { return _mm512_castsi512_ps(a); }
MARL__LANE_FN v16i v16i_bits(v16 a) { return _mm512_castps_si512(a); }
MARL__LANE_FN v16 v16_from_i(v16i a) { return _mm512_cvtepi32_ps(a); }
/* To the nearest integer, ties to even. */
MARL__LANE_FN v16i v16_to_i(v16 a) { return _mm512_cvtps_epi32(a); }
MARL__LANE_FN v16 v16_round(v16 a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

#elif defined(MARL__ISA_AVX2)

typedef struct v16 { __m256 lo, hi; } v16;
typedef struct v16i { __m256i lo, hi; } v16i;
typedef struct v16m { __m256 lo, hi; } v16m;

#define MARL__PAIR(type, lo, hi) ((type){ lo, hi })

MARL__LANE_FN v16m v16m_tail(int32_t count) {
    __m256i n = _mm256_set1_epi32(count), lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return MARL__PAIR(v16m, _mm256_castsi256_ps(_mm256_cmpgt_epi32(n, lane)),
                      _mm256_castsi256_ps(_mm256_cmpgt_epi32(n, _mm256_add_epi32(lane, _mm256_set1_epi32(8)))));
}
MARL__LANE_FN v16m v16m_and(v16m a, v16m b) {
    return MARL__PAIR(v16m, _mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi));
}
MARL__LANE_FN v16m v16m_or(v16m a, v16m b) {
    return MARL__PAIR(v16m, _mm256_or_ps(a.lo, b.lo), _mm256_or_ps(a.hi, b.hi));
}
MARL__LANE_FN v16m v16m_not(v16m a) {
    __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return MARL__PAIR(v16m, _mm256_xor_ps(a.lo, ones), _mm256_xor_ps(a.hi, ones));
}
MARL__LANE_FN uint32_t v16m_bits(v16m a) {
    return (uint32_t)_mm256_movemask_ps(a.lo) | (uint32_t)_mm256_movemask_ps(a.hi) << 8;
}

MARL__LANE_FN v16 v16_zero(void) { return MARL__PAIR(v16, _mm256_setzero_ps(), _mm256_setzero_ps()); }
MARL__LANE_FN v16 v16_set1(float a) { return MARL__PAIR(v16, _mm256_set1_ps(a), _mm256_set1_ps(a)); }
MARL__LANE_FN v16 v16_load(const float *p) { return MARL__PAIR(v16, _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
MARL__LANE_FN void v16_store(float *p, v16 a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
MARL__LANE_FN v16 v16_load_tail(const float *p, v16m mask) {
    return MARL__PAIR(v16, _mm256_maskload_ps(p, _mm256_castps_si256(mask.lo)),
                      _mm256_maskload_ps(p + 8, _mm256_castps_si256(mask.hi)));
}
MARL__LANE_FN void v16_store_tail(float *p, v16m mask, v16 a) {
    _mm256_maskstore_ps(p, _mm256_castps_si256(mask.lo), a.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(mask.hi), a.hi);
}
MARL__LANE_FN v16 v16_gather(const float *p, v16i index) {
    return MARL__PAIR(v16, _mm256_i32gather_ps(p, index.lo, 4), _mm256_i32gather_ps(p, index.hi, 4));
}

#define MARL__PAIR_2(name, type, op) \
    MARL__LANE_FN type name(type a, type b) { return MARL__PAIR(type, op(a.lo, b.lo), op(a.hi, b.hi)); }
MARL__PAIR_2(v16_add, v16, _mm256_add_ps)
MARL__PAIR_2(v16_sub, v16, _mm256_sub_ps)
MARL__PAIR_2(v16_mul, v16, _mm256_mul_ps)
MARL__PAIR_2(v16_div, v16, _mm256_div_ps)
MARL__PAIR_2(v16_min, v16, _mm256_min_ps)
MARL__PAIR_2(v16_max, v16, _mm256_max_ps)
MARL__PAIR_2(v16_and, v16, _mm256_and_ps)
MARL__PAIR_2(v16_or, v16, _mm256_or_ps)
MARL__PAIR_2(v16_xor, v16, _mm256_xor_ps)
MARL__PAIR_2(v16i_add, v16i, _mm256_add_epi32)
MARL__PAIR_2(v16i_sub, v16i, _mm256_sub_epi32)
MARL__PAIR_2(v16i_mul, v16i, _mm256_mullo_epi32)
MARL__PAIR_2(v16i_and, v16i, _mm256_and_si256)
MARL__PAIR_2(v16i_or, v16i, _mm256_or_si256)
#undef MARL__PAIR_2

MARL__LANE_FN v16 v16_fma(v16 a, v16 b, v16 c) {
    return MARL__PAIR(v16, _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
MARL__LANE_FN v16 v16_fnma(v16 a, v16 b, v16 c) {
    return MARL__PAIR(v16, _mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi));
}
MARL__LANE_FN v16 v16_sqrt(v16 a) { return MARL__PAIR(v16, _mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)); }

#define MARL__PAIR_COMPARE(name, predicate) \
    MARL__LANE_FN v16m name(v16 a, v16 b) { \
        return MARL__PAIR(v16m, _mm256_cmp_ps(a.lo, b.lo, predicate), _mm256_cmp_ps(a.hi, b.hi, predicate)); \
    }
MARL__PAIR_COMPARE(v16_eq, _CMP_EQ_OQ)
MARL__PAIR_COMPARE(v16_ne, _CMP_NEQ_UQ)
MARL__PAIR_COMPARE(v16_lt, _CMP_LT_OQ)
MARL__PAIR_COMPARE(v16_le, _CMP_LE_OQ)
#undef MARL__PAIR_COMPARE
MARL__LANE_FN v16 v16_select(v16m mask, v16 a, v16 b) {
    return MARL__PAIR(v16, _mm256_blendv_ps(b.lo, a.lo, mask.lo), _mm256_blendv_ps(b.hi, a.hi, mask.hi));
}

MARL__LANE_FN v16i v16i_set1(int32_t a) { return MARL__PAIR(v16i, _mm256_set1_epi32(a), _mm256_set1_epi32(a)); }
MARL__LANE_FN v16i v16i_load(const int32_t *p) {
    return MARL__PAIR(v16i, _mm256_loadu_si256((const __m256i *)(const void *)p),
                      _mm256_loadu_si256((const __m256i *)(const void *)(p + 8)));
}
MARL__LANE_FN v16i v16i_load_tail(const int32_t *p, v16m mask) {
    return MARL__PAIR(v16i, _mm256_maskload_epi32(p, _mm256_castps_si256(mask.lo)),
                      _mm256_maskload_epi32(p + 8, _mm256_castps_si256(mask.hi)));
}
MARL__LANE_FN void v16i_store(int32_t *p, v16i a) {
    _mm256_storeu_si256((__m256i *)(void *)p, a.lo);
    _mm256_storeu_si256((__m256i *)(void *)(p + 8), a.hi);
}
MARL__LANE_FN void v16i_store_tail(int32_t *p, v16m mask, v16i a) {
    _mm256_maskstore_epi32(p, _mm256_castps_si256(mask.lo), a.lo);
    _mm256_maskstore_epi32(p + 8, _mm256_castps_si256(mask.hi), a.hi);
}
MARL__LANE_FN v16m v16i_eq(v16i a, v16i b) {
    return MARL__PAIR(v16m, _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.lo, b.lo)),
                      _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.hi, b.hi)));
}
MARL__LANE_FN v16m v16i_gt(v16i a, v16i b) {
    return MARL__PAIR(v16m, _mm256_castsi256_ps(_mm256_cmpgt_epi32(a.lo, b.lo)),
                      _mm256_castsi256_ps(_mm256_cmpgt_epi32(a.hi, b.hi)));
}
#define v16i_sll(a, n) MARL__PAIR(v16i, _mm256_slli_epi32((a).lo, n), _mm256_slli_epi32((a).hi, n))
#define v16i_sra(a, n) MARL__PAIR(v16i, _mm256_srai_epi32((a).lo, n), _mm256_srai_epi32((a).hi, n))
MARL__LANE_FN v16 v16_bits(v16i a) {
    return MARL__PAIR(v16, _mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi));
}
MARL__LANE_FN v16i v16i_bits(v16 a) {
    return MARL__PAIR(v16i, _mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi));
}
MARL__LANE_FN v16 v16_from_i(v16i a) {
    return MARL__PAIR(v16, _mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi));
}
MARL__LANE_FN v16i v16_to_i(v16 a) {
    return MARL__PAIR(v16i, _mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi));
}
MARL__LANE_FN v16 v16_round(v16 a) {
    return MARL__PAIR(v16, _mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                      _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#else /* portable */

typedef struct v16 { float lane[16]; } v16;
typedef struct v16i { int32_t lane[16]; } v16i;
typedef struct v16m { int32_t lane[16]; } v16m; /* 0 or -1 */

#define MARL__EACH for (int i = 0; i < 16; i++)
#define MARL__MAKE_1(name, result, type, expression) \
    MARL__LANE_FN result name(type a) { result r; MARL__EACH r.lane[i] = (expression); return r; }
#define MARL__MAKE_2(name, result, type, expression) \
    MARL__LANE_FN result name(type a, type b) { result r; MARL__EACH r.lane[i] = (expression); return r; }
#define MARL__MAKE_3(name, expression) \
    MARL__LANE_FN v16 name(v16 a, v16 b, v16 c) { v16 r; MARL__EACH r.lane[i] = (expression); return r; }
#define MARL__A a.lane[i]
#define MARL__B b.lane[i]

MARL__LANE_FN v16 v16_bits(v16i a) { v16 r; memcpy(&r, &a, sizeof r); return r; }
MARL__LANE_FN v16i v16i_bits(v16 a) { v16i r; memcpy(&r, &a, sizeof r); return r; }

MARL__MAKE_1(v16m_tail, v16m, int32_t, i < a ? -1 : 0)
MARL__MAKE_2(v16m_and, v16m, v16m, MARL__A & MARL__B)
MARL__MAKE_2(v16m_or, v16m, v16m, MARL__A | MARL__B)
MARL__MAKE_1(v16m_not, v16m, v16m, ~MARL__A)
MARL__LANE_FN uint32_t v16m_bits(v16m a) {
    uint32_t bits = 0;
    MARL__EACH bits |= (uint32_t)(a.lane[i] != 0) << i;
    return bits;
}

MARL__MAKE_1(v16_set1, v16, float, a)
MARL__LANE_FN v16 v16_zero(void) { return v16_set1(0.0f); }
MARL__LANE_FN v16 v16_load(const float *p) { v16 r; memcpy(&r, p, sizeof r); return r; }
MARL__LANE_FN void v16_store(float *p, v16 a) { memcpy(p, &a, sizeof a); }
MARL__LANE_FN v16 v16_load_tail(const float *p, v16m mask) {
    v16 r;
    MARL__EACH r.lane[i] = mask.lane[i] ? p[i] : 0.0f;
    return r;
}
MARL__LANE_FN void v16_store_tail(float *p, v16m mask, v16 a) { MARL__EACH if (mask.lane[i]) p[i] = a.lane[i]; }
MARL__LANE_FN v16 v16_gather(const float *p, v16i index) {
    v16 r;
    MARL__EACH r.lane[i] = p[index.lane[i]];
    return r;
}

MARL__MAKE_2(v16_add, v16, v16, MARL__A + MARL__B)
MARL__MAKE_2(v16_sub, v16, v16, MARL__A - MARL__B)
MARL__MAKE_2(v16_mul, v16, v16, MARL__A * MARL__B)
MARL__MAKE_2(v16_div, v16, v16, MARL__A / MARL__B)
MARL__MAKE_3(v16_fma, MARL__A * MARL__B + c.lane[i])
MARL__MAKE_3(v16_fnma, c.lane[i] - MARL__A * MARL__B)
MARL__MAKE_2(v16_min, v16, v16, MARL__A < MARL__B ? MARL__A : MARL__B)
MARL__MAKE_2(v16_max, v16, v16, MARL__A > MARL__B ? MARL__A : MARL__B)
MARL__MAKE_1(v16_sqrt, v16, v16, sqrtf(MARL__A))
MARL__MAKE_2(v16_eq, v16m, v16, -(MARL__A == MARL__B))
MARL__MAKE_2(v16_ne, v16m, v16, -(MARL__A != MARL__B))
MARL__MAKE_2(v16_lt, v16m, v16, -(MARL__A < MARL__B))
MARL__MAKE_2(v16_le, v16m, v16, -(MARL__A <= MARL__B))
MARL__LANE_FN v16 v16_select(v16m mask, v16 a, v16 b) {
    v16 r;
    MARL__EACH r.lane[i] = mask.lane[i] ? a.lane[i] : b.lane[i];
    return r;
}

MARL__MAKE_1(v16i_set1, v16i, int32_t, a)
MARL__LANE_FN v16i v16i_load(const int32_t *p) { v16i r; memcpy(&r, p, sizeof r); return r; }
MARL__LANE_FN v16i v16i_load_tail(const int32_t *p, v16m mask) {
    v16i r;
    MARL__EACH r.lane[i] = mask.lane[i] ? p[i] : 0;
    return r;
}
MARL__LANE_FN void v16i_store(int32_t *p, v16i a) { memcpy(p, &a, sizeof a); }
MARL__LANE_FN void v16i_store_tail(int32_t *p, v16m mask, v16i a) { MARL__EACH if (mask.lane[i]) p[i] = a.lane[i]; }
/* Unsigned inside: overflow wraps, as the instructions do. */
MARL__MAKE_2(v16i_add, v16i, v16i, (int32_t)((uint32_t)MARL__A + (uint32_t)MARL__B))
MARL__MAKE_2(v16i_sub, v16i, v16i, (int32_t)((uint32_t)MARL__A - (uint32_t)MARL__B))
MARL__MAKE_2(v16i_mul, v16i, v16i, (int32_t)((uint32_t)MARL__A * (uint32_t)MARL__B))
MARL__MAKE_2(v16i_and, v16i, v16i, MARL__A & MARL__B)
MARL__MAKE_2(v16i_or, v16i, v16i, MARL__A | MARL__B)
MARL__MAKE_2(v16i_eq, v16m, v16i, -(MARL__A == MARL__B))
MARL__MAKE_2(v16i_gt, v16m, v16i, -(MARL__A > MARL__B))
MARL__LANE_FN v16i v16i_sll(v16i a, int n) {
    v16i r;
    MARL__EACH r.lane[i] = (int32_t)((uint32_t)a.lane[i] << n);
    return r;
}
MARL__LANE_FN v16i v16i_sra(v16i a, int n) { v16i r; MARL__EACH r.lane[i] = a.lane[i] >> n; return r; }
MARL__LANE_FN v16 v16_and(v16 a, v16 b) { return v16_bits(v16i_and(v16i_bits(a), v16i_bits(b))); }
MARL__LANE_FN v16 v16_or(v16 a, v16 b) { return v16_bits(v16i_or(v16i_bits(a), v16i_bits(b))); }
MARL__MAKE_2(v16i_xor, v16i, v16i, MARL__A ^ MARL__B)
MARL__LANE_FN v16 v16_xor(v16 a, v16 b) { return v16_bits(v16i_xor(v16i_bits(a), v16i_bits(b))); }
MARL__MAKE_1(v16_from_i, v16, v16i, (float)MARL__A)
/* Adding 1.5 * 2^23 leaves no fraction bits, so the addition itself rounds to nearest even. Beyond 2^22 the sum
 * would lose bits; rintf is right everywhere but a call on plain x86-64. */
MARL__LANE_FN v16 v16_round(v16 a) {
    v16 r;
    MARL__EACH {
        float magic = 12582912.0f, x = a.lane[i];
        r.lane[i] = x > -4194304.0f && x < 4194304.0f ? (x + magic) - magic : rintf(x);
    }
    return r;
}
/* Out of range and NaN give INT32_MIN, as the instructions do. */
MARL__LANE_FN v16i v16_to_i(v16 a) {
    v16i r;
    v16 x = v16_round(a);
    MARL__EACH r.lane[i] =
        x.lane[i] >= -2147483648.0f && x.lane[i] < 2147483648.0f ? (int32_t)x.lane[i] : INT32_MIN;
    return r;
}

#undef MARL__MAKE_1
#undef MARL__MAKE_2
#undef MARL__MAKE_3
#undef MARL__A
#undef MARL__B

#endif

/* What follows is the same for all three. */

MARL__LANE_FN v16m v16_gt(v16 a, v16 b) { return v16_lt(b, a); }
MARL__LANE_FN v16m v16_ge(v16 a, v16 b) { return v16_le(b, a); }
MARL__LANE_FN v16m v16_is_nan(v16 a) { return v16_ne(a, a); }
MARL__LANE_FN int v16m_any(v16m a) { return v16m_bits(a) != 0; }
MARL__LANE_FN int v16m_all(v16m a) { return v16m_bits(a) == 0xffffu; }
MARL__LANE_FN v16i v16i_lanes(void) {
    static const int32_t lanes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    return v16i_load(lanes);
}
/* Zero outside the mask. */
MARL__LANE_FN v16 v16_keep(v16m mask, v16 a) { return v16_select(mask, a, v16_zero()); }
MARL__LANE_FN v16 v16_neg(v16 a) { return v16_xor(a, v16_set1(-0.0f)); }
MARL__LANE_FN v16 v16_abs(v16 a) { return v16_and(a, v16_bits(v16i_set1(0x7fffffff))); }
/* The magnitude of a with the sign of b; a must not be negative. */
MARL__LANE_FN v16 v16_sign_from(v16 a, v16 b) { return v16_or(a, v16_and(b, v16_set1(-0.0f))); }
/* 2^n for n in -126..127. */
MARL__LANE_FN v16 v16_exp2_i(v16i n) { return v16_bits(v16i_sll(v16i_add(n, v16i_set1(127)), 23)); }
/* a 2^n for whole n, rounded once also where the result is subnormal; n in -252..254. */
MARL__LANE_FN v16 v16_scale2(v16 a, v16 n) {
#if defined(MARL__ISA_AVX512)
    return _mm512_scalef_ps(a, n);
#else
    v16i whole = v16_to_i(n), half = v16i_sra(whole, 1);
    return v16_mul(v16_mul(a, v16_exp2_i(half)), v16_exp2_i(v16i_sub(whole, half)));
#endif
}
/* The first count floats, count >= 0; a whole vector where count is 16 or more. */
MARL__LANE_FN v16 v16_load_n(const float *p, int32_t count) {
    return count >= 16 ? v16_load(p) : v16_load_tail(p, v16m_tail(count));
}
MARL__LANE_FN void v16_store_n(float *p, int32_t count, v16 a) {
#if defined(MARL__ISA_AVX2)
    /* Masked stores take tens of cycles on some processors; count rarely changes, so branches are cheap. */
    if (count >= 8) {
        _mm256_storeu_ps(p, a.lo);
        if (count >= 16) {
            _mm256_storeu_ps(p + 8, a.hi);
            return;
        }
        p += 8;
        a.lo = a.hi;
    }
    __m128 rest = _mm256_castps256_ps128(a.lo);
    if (count & 4) {
        _mm_storeu_ps(p, rest);
        p += 4;
        rest = _mm256_extractf128_ps(a.lo, 1);
    }
    if (count & 2) {
        _mm_storel_pi((__m64 *)(void *)p, rest);
        p += 2;
        rest = _mm_movehl_ps(rest, rest);
    }
    if (count & 1) _mm_store_ss(p, rest);
#else
    if (count >= 16) v16_store(p, a);
    else v16_store_tail(p, v16m_tail(count), a);
#endif
}

/* Four columns of 16 rows that lie stride floats apart: lane i of columns[j] is p[i * stride + j]. */
#if defined(MARL__ISA_AVX512)
MARL__LANE_FN void v16_load_columns(const float *p, size_t stride, v16 columns[4]) {
    __m512 z[4];
    for (size_t r = 0; r < 4; r++) { /* rows r, 4 + r, 8 + r, 12 + r */
        z[r] = _mm512_castps128_ps512(_mm_loadu_ps(p + r * stride));
        z[r] = _mm512_insertf32x4(z[r], _mm_loadu_ps(p + (4 + r) * stride), 1);
        z[r] = _mm512_insertf32x4(z[r], _mm_loadu_ps(p + (8 + r) * stride), 2);
        z[r] = _mm512_insertf32x4(z[r], _mm_loadu_ps(p + (12 + r) * stride), 3);
    }
    __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(z[0], z[1])), b = _mm512_castps_pd(_mm512_unpacklo_ps(z[2], z[3]));
    __m512d c = _mm512_castps_pd(_mm512_unpackhi_ps(z[0], z[1])), d = _mm512_castps_pd(_mm512_unpackhi_ps(z[2], z[3]));
    columns[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
    columns[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    columns[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
    columns[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
}
#elif defined(MARL__ISA_AVX2)
MARL__LANE_FN void v8_load_columns(const float *p, size_t stride, __m256 columns[4]) {
    __m256 z[4];
    for (size_t r = 0; r < 4; r++)
        z[r] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + r * stride)),
                                    _mm_loadu_ps(p + (4 + r) * stride), 1);
    __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(z[0], z[1])), b = _mm256_castps_pd(_mm256_unpacklo_ps(z[2], z[3]));
    __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(z[0], z[1])), d = _mm256_castps_pd(_mm256_unpackhi_ps(z[2], z[3]));
    columns[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
    columns[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    columns[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
    columns[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
}
MARL__LANE_FN void v16_load_columns(const float *p, size_t stride, v16 columns[4]) {
    __m256 low[4], high[4];
    v8_load_columns(p, stride, low);
    v8_load_columns(p + 8 * stride, stride, high);
    for (int j = 0; j < 4; j++) columns[j] = MARL__PAIR(v16, low[j], high[j]);
}
#else
MARL__LANE_FN void v16_load_columns(const float *p, size_t stride, v16 columns[4]) {
    for (int j = 0; j < 4; j++)
        for (size_t i = 0; i < 16; i++) columns[j].lane[i] = p[i * stride + (size_t)j];
}
#endif

/* The one tree: 0+8, 1+9, ...; then 0+4, ...; then 0+2, 1+3; then 0+1. */
#if defined(MARL__ISA_AVX512) || defined(MARL__ISA_AVX2)
#if defined(MARL__ISA_AVX512)
#define MARL__LOW(a) _mm512_castps512_ps256(a)
#define MARL__HIGH(a) _mm512_extractf32x8_ps(a, 1)
#else
#define MARL__LOW(a) (a).lo
#define MARL__HIGH(a) (a).hi
#endif
#define MARL__TREE(name, op8, op4) \
    MARL__LANE_FN float name(v16 a) { \
        __m256 r8 = op8(MARL__LOW(a), MARL__HIGH(a)); \
        __m128 r4 = op4(_mm256_castps256_ps128(r8), _mm256_extractf128_ps(r8, 1)); \
        __m128 r2 = op4(r4, _mm_movehl_ps(r4, r4)); \
        return _mm_cvtss_f32(op4(r2, _mm_movehdup_ps(r2))); \
    }
MARL__TREE(v16_reduce_add, _mm256_add_ps, _mm_add_ps)
MARL__TREE(v16_reduce_max, _mm256_max_ps, _mm_max_ps)
MARL__TREE(v16_reduce_min, _mm256_min_ps, _mm_min_ps)
#undef MARL__TREE
#undef MARL__LOW
#undef MARL__HIGH
#else
#define MARL__TREE(name, expression) \
    MARL__LANE_FN float name(v16 v) { \
        for (int half = 8; half > 0; half /= 2) \
            for (int i = 0; i < half; i++) { \
                float a = v.lane[i], b = v.lane[i + half]; \
                v.lane[i] = (expression); \
            } \
        return v.lane[0]; \
    }
MARL__TREE(v16_reduce_add, a + b)
MARL__TREE(v16_reduce_max, a > b ? a : b)
MARL__TREE(v16_reduce_min, a < b ? a : b)
#undef MARL__TREE
#endif

/* a b + c for one float, rounded as v16_fma rounds. */
MARL__LANE_FN float f1_fma(float a, float b, float c) {
#if defined(MARL__ISA_PORTABLE)
    return a * b + c;
#else
    return __builtin_fmaf(a, b, c);
#endif
}

#endif
