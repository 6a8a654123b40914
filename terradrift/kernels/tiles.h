/* Tiles of squared distances in float32, in the widest registers of the machine.
 *
 * `tile`: which of 32 columns are within the limit of each of 4 rows, as bits. `box`: which
 * of 32 columns are within their limits of a box. A column is (d, 32), d a multiple of 8.
 * Sums are taken in any order, so callers allow for rounding. */
#ifndef TERRADRIFT_TILES_H
#define TERRADRIFT_TILES_H

#include "kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86 1
#endif

enum { BLOCK = 32, ROWS = 4, STEP = 8 };

typedef int tile_of(const float *const q[ROWS], const float *b, int64_t d,
                    const float limit[ROWS], uint32_t bits[ROWS]);
typedef uint32_t box_of(const float *columns, const float *low, const float *high, int64_t d,
                        const float limit[BLOCK]);

struct tiles {
    tile_of *tile;
    box_of *box;
};

static int tile_plain(const float *const q[ROWS], const float *b, int64_t d,
                      const float limit[ROWS], uint32_t bits[ROWS])
{
    uint32_t some = 0;
    for (int r = 0; r < ROWS; r++) {
        float s[BLOCK] = {0};
        for (int64_t c = 0; c < d; c++)
            for (int l = 0; l < BLOCK; l++) {
                float t = b[c * BLOCK + l] - q[r][c];
                s[l] += t * t;
            }
        bits[r] = 0;
        for (int l = 0; l < BLOCK; l++) bits[r] |= (uint32_t)(s[l] <= limit[r]) << l;
        some |= bits[r];
    }
    return some != 0;
}

static uint32_t box_plain(const float *columns, const float *low, const float *high,
                          int64_t d, const float limit[BLOCK])
{
    float s[BLOCK] = {0};
    uint32_t bits = 0;
    for (int64_t c = 0; c < d; c++)
        for (int l = 0; l < BLOCK; l++) {
            float under = low[c] - columns[c * BLOCK + l];
            float over = columns[c * BLOCK + l] - high[c];
            float t = under > over ? under : over;
            t = t > 0 ? t : 0;
            s[l] += t * t;
        }
    for (int l = 0; l < BLOCK; l++) bits |= (uint32_t)(s[l] <= limit[l]) << l;
    return bits;
}

#ifdef X86
__attribute__((target("avx2,fma"))) static int tile_avx2(const float *const q[ROWS],
                                                         const float *b, int64_t d,
                                                         const float limit[ROWS],
                                                         uint32_t bits[ROWS])
{
    uint32_t some = 0;
    for (int r = 0; r < ROWS; r++) bits[r] = 0;
    for (int half = 0; half < BLOCK; half += 16) {
        __m256 s[ROWS][2];
        for (int r = 0; r < ROWS; r++) s[r][0] = s[r][1] = _mm256_setzero_ps();
        for (int64_t c = 0; c < d; c++) {
            __m256 left = _mm256_loadu_ps(b + c * BLOCK + half);
            __m256 right = _mm256_loadu_ps(b + c * BLOCK + half + 8);
            for (int r = 0; r < ROWS; r++) {
                __m256 x = _mm256_broadcast_ss(q[r] + c);
                __m256 t = _mm256_sub_ps(left, x), u = _mm256_sub_ps(right, x);
                s[r][0] = _mm256_fmadd_ps(t, t, s[r][0]);
                s[r][1] = _mm256_fmadd_ps(u, u, s[r][1]);
            }
        }
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < 2; v++) {
                __m256 most = _mm256_broadcast_ss(limit + r);
                int m = _mm256_movemask_ps(_mm256_cmp_ps(s[r][v], most, _CMP_LE_OQ));
                bits[r] |= (uint32_t)m << (half + 8 * v);
            }
    }
    for (int r = 0; r < ROWS; r++) some |= bits[r];
    return some != 0;
}

__attribute__((target("avx2,fma"))) static uint32_t box_avx2(const float *columns,
                                                             const float *low,
                                                             const float *high, int64_t d,
                                                             const float limit[BLOCK])
{
    __m256 s[4], zero = _mm256_setzero_ps();
    uint32_t bits = 0;
    for (int v = 0; v < 4; v++) s[v] = zero;
    for (int64_t c = 0; c < d; c++) {
        __m256 under = _mm256_broadcast_ss(low + c), over = _mm256_broadcast_ss(high + c);
        for (int v = 0; v < 4; v++) {
            __m256 x = _mm256_loadu_ps(columns + c * BLOCK + 8 * v);
            __m256 t = _mm256_max_ps(_mm256_sub_ps(under, x), _mm256_sub_ps(x, over));
            t = _mm256_max_ps(t, zero);
            s[v] = _mm256_fmadd_ps(t, t, s[v]);
        }
    }
    for (int v = 0; v < 4; v++) {
        __m256 most = _mm256_loadu_ps(limit + 8 * v);
        bits |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(s[v], most, _CMP_LE_OQ)) << 8 * v;
    }
    return bits;
}

__attribute__((target("avx512f"))) static int tile_avx512(const float *const q[ROWS],
                                                          const float *b, int64_t d,
                                                          const float limit[ROWS],
                                                          uint32_t bits[ROWS])
{
    __m512 s[ROWS][2];
    uint32_t some;
    for (int r = 0; r < ROWS; r++) s[r][0] = s[r][1] = _mm512_setzero_ps();
    for (int64_t c = 0; c < d;) {
        for (int k = 0; k < STEP; k++, c++) {
            __m512 left = _mm512_loadu_ps(b + c * BLOCK);
            __m512 right = _mm512_loadu_ps(b + c * BLOCK + 16);
            for (int r = 0; r < ROWS; r++) {
                __m512 x = _mm512_set1_ps(q[r][c]);
                __m512 t = _mm512_sub_ps(left, x), u = _mm512_sub_ps(right, x);
                s[r][0] = _mm512_fmadd_ps(t, t, s[r][0]);
                s[r][1] = _mm512_fmadd_ps(u, u, s[r][1]);
            }
        }
        /* Sums only grow: where all are beyond their limits, the rest is not needed. */
        some = 0;
        if (c == STEP && c < d) continue;
        for (int r = 0; r < ROWS; r++) {
            __m512 most = _mm512_set1_ps(limit[r]);
            bits[r] = (uint32_t)_mm512_cmp_ps_mask(s[r][0], most, _CMP_LE_OQ) |
                      (uint32_t)_mm512_cmp_ps_mask(s[r][1], most, _CMP_LE_OQ) << 16;
            some |= bits[r];
        }
        if (!some) return 0;
    }
    return 1;
}

__attribute__((target("avx512f"))) static uint32_t box_avx512(const float *columns,
                                                              const float *low,
                                                              const float *high, int64_t d,
                                                              const float limit[BLOCK])
{
    __m512 s[2], zero = _mm512_setzero_ps();
    s[0] = s[1] = zero;
    __m512 left = _mm512_loadu_ps(limit), right = _mm512_loadu_ps(limit + 16);
    uint32_t bits = 0;
    for (int64_t c = 0; c < d;) {
        for (int k = 0; k < STEP; k++, c++) {
            __m512 under = _mm512_set1_ps(low[c]), over = _mm512_set1_ps(high[c]);
            for (int v = 0; v < 2; v++) {
                __m512 x = _mm512_loadu_ps(columns + c * BLOCK + 16 * v);
                __m512 t = _mm512_max_ps(_mm512_sub_ps(under, x), _mm512_sub_ps(x, over));
                t = _mm512_max_ps(t, zero);
                s[v] = _mm512_fmadd_ps(t, t, s[v]);
            }
        }
        bits = (uint32_t)_mm512_cmp_ps_mask(s[0], left, _CMP_LE_OQ) |
               (uint32_t)_mm512_cmp_ps_mask(s[1], right, _CMP_LE_OQ) << 16;
        if (!bits) return 0;
    }
    return bits;
}
#endif

enum { PLAIN, AVX2, AVX512 };

/* The widest that the machine can do, and no wider than `most`. */
static struct tiles tiles_of(int64_t most)
{
#ifdef X86
    __builtin_cpu_init();
    if (most >= AVX512 && __builtin_cpu_supports("avx512f"))
        return (struct tiles){tile_avx512, box_avx512};
    if (most >= AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct tiles){tile_avx2, box_avx2};
#endif
    (void)most;
    return (struct tiles){tile_plain, box_plain};
}

#endif
