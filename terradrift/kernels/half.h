/* Rows of half precision as single, 16 values at a time, in registers where the processor
 * can; all arithmetic is in single precision and over 16 lanes, so every way gives the same
 * but for the order of sums. */
#ifndef TERRADRIFT_HALF_H
#define TERRADRIFT_HALF_H

#include "kernel.h"

#define LANE 16
#define BLOCK 256

#if defined(__x86_64__) && defined(__GNUC__)
#define HALF_X86
#include <cpuid.h>
#include <immintrin.h>
#define WIDE __attribute__((target("avx512f")))
#define NARROW __attribute__((target("avx2,fma,f16c")))

static inline int has_wide(void) { return __builtin_cpu_supports("avx512f"); }

static inline int has_narrow(void) {
    unsigned a, b, c = 0, d;
    __get_cpuid(1, &a, &b, &c, &d);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && (c & bit_F16C);
}

/* The last, fewer than 16, values of a row and zeros. */
static inline void tail_of(const uint16_t *row, int64_t count, uint16_t *tail) {
    memset(tail, 0, LANE * sizeof(*tail));
    memcpy(tail, row, (size_t)count * sizeof(*tail));
}
#endif

/* The bits of a half, moved to where a single keeps them, are its value but for a power of
 * two; those of infinity and NaN need the exponent of a single's. */
INLINE void half_single(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)from[i];
        const uint32_t moved = (bits & 0x7fffu) << 13;
        union {
            uint32_t bits;
            float value;
        } scaled = {moved}, special = {moved | 0x7f800000u};
        scaled.value *= 0x1p112f;
        scaled.bits = moved >= 0x0f800000u ? special.bits : scaled.bits;
        scaled.bits |= (bits & 0x8000u) << 16;
        to[i] = scaled.value;
    }
}

#endif
