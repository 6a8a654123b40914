/* Drift from the centroid of a fixed reference (terradrift/detect/centroid.py, which has
 * the twin and says what is computed). A patch is read from memory once: what is read of
 * it again is in the cache by then. */
#include "half.h"

KERNEL_MODULE(drift)

enum { SKIPPED = 0, REFERENCE = 1, JUDGED = 2 };

/* The two sweeps over a row of d values. */
typedef struct {
    /* Add the row, at length 1, to `sum`. */
    void (*add)(const void *row, int64_t d, float *sum);
    /* Its inner product with `with`, and with itself. */
    void (*inner)(const void *row, const float *with, int64_t d, float *product, float *square);
    int64_t bytes; /* of a value */
} sweep_t;

static float inverse_root(float square) { return square > 0.0f ? 1.0f / sqrtf(square) : 0.0f; }

INLINE float sum_of(const float *lanes) {
    float sum = 0.0f;
    for (int l = 0; l < LANE; l++) sum += lanes[l];
    return sum;
}

INLINE void inner_block(const float *row, const float *with, int64_t count, float *product,
                               float *square) {
    int64_t i = 0;
    for (; i + LANE <= count; i += LANE)
        for (int l = 0; l < LANE; l++) {
            product[l] += row[i + l] * with[i + l];
            square[l] += row[i + l] * row[i + l];
        }
    for (int l = 0; i < count; i++, l++) {
        product[l] += row[i] * with[i];
        square[l] += row[i] * row[i];
    }
}

static void CLONES inner_single(const void *row, const float *with, int64_t d, float *product,
                                float *square) {
    float products[LANE] = {0}, squares[LANE] = {0};
    inner_block(row, with, d, products, squares);
    *product = sum_of(products);
    *square = sum_of(squares);
}

static void CLONES add_single(const void *row, int64_t d, float *sum) {
    const float *values = row;
    float products[LANE] = {0}, squares[LANE] = {0};
    inner_block(values, values, d, products, squares);
    const float scale = inverse_root(sum_of(squares));
    for (int64_t i = 0; i < d; i++) sum[i] += scale * values[i];
}

static void CLONES inner_half(const void *row, const float *with, int64_t d, float *product,
                              float *square) {
    const uint16_t *values = row;
    float block[BLOCK], products[LANE] = {0}, squares[LANE] = {0};
    for (int64_t i = 0; i < d; i += BLOCK) {
        const int64_t count = d - i < BLOCK ? d - i : BLOCK;
        half_single(values + i, block, count);
        inner_block(block, with + i, count, products, squares);
    }
    *product = sum_of(products);
    *square = sum_of(squares);
}

static void CLONES add_half(const void *row, int64_t d, float *sum) {
    const uint16_t *values = row;
    float block[BLOCK], product, square;
    inner_half(row, sum, d, &product, &square);
    const float scale = inverse_root(square);
    for (int64_t i = 0; i < d; i += BLOCK) {
        const int64_t count = d - i < BLOCK ? d - i : BLOCK;
        half_single(values + i, block, count);
        for (int64_t j = 0; j < count; j++) sum[i + j] += scale * block[j];
    }
}

#ifdef HALF_X86
static inline WIDE __m512 wide_load(const uint16_t *from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)from));
}

static WIDE void inner_wide(const void *row, const float *with, int64_t d, float *product,
                            float *square) {
    const uint16_t *values = row;
    __m512 p0 = _mm512_setzero_ps(), p1 = p0, s0 = p0, s1 = p0;
    int64_t i = 0;
    for (; i + 2 * LANE <= d; i += 2 * LANE) {
        const __m512 a = wide_load(values + i), b = wide_load(values + i + LANE);
        p0 = _mm512_fmadd_ps(a, _mm512_loadu_ps(with + i), p0);
        p1 = _mm512_fmadd_ps(b, _mm512_loadu_ps(with + i + LANE), p1);
        s0 = _mm512_fmadd_ps(a, a, s0);
        s1 = _mm512_fmadd_ps(b, b, s1);
    }
    for (; i < d; i += LANE) {
        uint16_t rest[LANE];
        const int64_t count = d - i < LANE ? d - i : LANE;
        const __mmask16 there = (__mmask16)((1u << count) - 1u);
        tail_of(values + i, count, rest);
        const __m512 a = wide_load(rest);
        p0 = _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(there, with + i), p0);
        s0 = _mm512_fmadd_ps(a, a, s0);
    }
    *product = _mm512_reduce_add_ps(_mm512_add_ps(p0, p1));
    *square = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static WIDE void add_wide(const void *row, int64_t d, float *sum) {
    const uint16_t *values = row;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    int64_t i = 0;
    for (; i + 2 * LANE <= d; i += 2 * LANE) {
        const __m512 a = wide_load(values + i), b = wide_load(values + i + LANE);
        s0 = _mm512_fmadd_ps(a, a, s0);
        s1 = _mm512_fmadd_ps(b, b, s1);
    }
    for (; i < d; i += LANE) {
        uint16_t rest[LANE];
        tail_of(values + i, d - i < LANE ? d - i : LANE, rest);
        const __m512 a = wide_load(rest);
        s0 = _mm512_fmadd_ps(a, a, s0);
    }
    const float square = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
    const __m512 scale = _mm512_set1_ps(inverse_root(square));
    i = 0;
    for (; i + LANE <= d; i += LANE)
        _mm512_storeu_ps(sum + i, _mm512_fmadd_ps(wide_load(values + i), scale,
                                                  _mm512_loadu_ps(sum + i)));
    if (i < d) {
        uint16_t rest[LANE];
        const __mmask16 there = (__mmask16)((1u << (d - i)) - 1u);
        tail_of(values + i, d - i, rest);
        const __m512 old = _mm512_maskz_loadu_ps(there, sum + i);
        _mm512_mask_storeu_ps(sum + i, there, _mm512_fmadd_ps(wide_load(rest), scale, old));
    }
}

static inline NARROW __m256 narrow_load(const uint16_t *from) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)from));
}

static inline NARROW float narrow_sum(__m256 lanes) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}

static NARROW void inner_narrow(const void *row, const float *with, int64_t d, float *product,
                                float *square) {
    const uint16_t *values = row;
    __m256 p0 = _mm256_setzero_ps(), p1 = p0, s0 = p0, s1 = p0;
    int64_t i = 0;
    for (; i + LANE <= d; i += LANE) {
        const __m256 a = narrow_load(values + i), b = narrow_load(values + i + 8);
        p0 = _mm256_fmadd_ps(a, _mm256_loadu_ps(with + i), p0);
        p1 = _mm256_fmadd_ps(b, _mm256_loadu_ps(with + i + 8), p1);
        s0 = _mm256_fmadd_ps(a, a, s0);
        s1 = _mm256_fmadd_ps(b, b, s1);
    }
    if (i < d) {
        uint16_t rest[LANE];
        float beside[LANE] = {0};
        tail_of(values + i, d - i, rest);
        memcpy(beside, with + i, (size_t)(d - i) * sizeof(float));
        const __m256 a = narrow_load(rest), b = narrow_load(rest + 8);
        p0 = _mm256_fmadd_ps(a, _mm256_loadu_ps(beside), p0);
        p1 = _mm256_fmadd_ps(b, _mm256_loadu_ps(beside + 8), p1);
        s0 = _mm256_fmadd_ps(a, a, s0);
        s1 = _mm256_fmadd_ps(b, b, s1);
    }
    *product = narrow_sum(_mm256_add_ps(p0, p1));
    *square = narrow_sum(_mm256_add_ps(s0, s1));
}

static NARROW void add_narrow(const void *row, int64_t d, float *sum) {
    const uint16_t *values = row;
    float product, square;
    inner_narrow(row, sum, d, &product, &square);
    const float by = inverse_root(square);
    const __m256 scale = _mm256_set1_ps(by);
    int64_t i = 0;
    for (; i + 8 <= d; i += 8)
        _mm256_storeu_ps(sum + i, _mm256_fmadd_ps(narrow_load(values + i), scale,
                                                  _mm256_loadu_ps(sum + i)));
    for (; i < d; i++) sum[i] += by * _cvtsh_ss(values[i]);
}
#endif

/* 0: the best there is; 1 to 3: wide, narrow, any, for tests. Null where it is not there. */
static const sweep_t *sweep_of(int64_t half, int64_t way) {
    static const sweep_t single = {add_single, inner_single, 4}, any = {add_half, inner_half, 2};
    if (!half) return &single;
#ifdef HALF_X86
    static const sweep_t wide = {add_wide, inner_wide, 2}, narrow = {add_narrow, inner_narrow, 2};
    if (way == 1) return has_wide() ? &wide : NULL;
    if (way == 2) return has_narrow() ? &narrow : NULL;
    if (way == 0) return has_wide() ? &wide : has_narrow() ? &narrow : &any;
#endif
    return way == 0 || way == 3 ? &any : NULL;
}

#define FEW 64

/* Places are counted rather than compared and swapped: no branch to be guessed wrong. */
static void CLONES sort_few(double *values, int64_t count) {
    double copy[FEW];
    memcpy(copy, values, (size_t)count * sizeof(*copy));
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0;
        for (int64_t j = 0; j < i; j++) place += copy[j] <= copy[i];
        for (int64_t j = i; j < count; j++) place += copy[j] < copy[i];
        values[place] = copy[i];
    }
}

static void sort(double *values, int64_t count) {
    static const int64_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    if (count <= FEW) {
        sort_few(values, count);
        return;
    }
    for (size_t g = 0; g < sizeof(gaps) / sizeof(*gaps); g++)
        for (int64_t i = gaps[g]; i < count; i++) {
            const double value = values[i];
            int64_t at = i;
            for (; at >= gaps[g] && values[at - gaps[g]] > value; at -= gaps[g])
                values[at] = values[at - gaps[g]];
            values[at] = value;
        }
}

/* Of sorted values: their median, and that of their distances to it, which rise from the
 * middle to both ends. */
static void median(const double *values, int64_t count, double *middle, double *apart) {
    int64_t low = (count - 1) / 2, high = low + 1;
    double last = 0.0, next = 0.0;
    *middle = 0.5 * (values[low] + values[count / 2]);
    for (int64_t k = 0; k <= count / 2; k++) {
        const double below = low >= 0 ? *middle - values[low] : INFINITY;
        const double above = high < count ? values[high] - *middle : INFINITY;
        last = next;
        next = below <= above ? below : above;
        if (below <= above) low--;
        else high++;
    }
    *apart = count % 2 ? next : 0.5 * (last + next);
}

/* Middle and spread of the left-out scores, by median or by mean. */
static void usual(double *scores, int64_t count, int64_t robust, double *middle, double *spread) {
    double sum = 0.0;
    if (robust) {
        sort(scores, count);
        median(scores, count, middle, spread);
        *spread *= 1.4826;
        return;
    }
    for (int64_t k = 0; k < count; k++) sum += scores[k];
    *middle = sum / (double)count;
    sum = 0.0;
    for (int64_t k = 0; k < count; k++) sum += (scores[k] - *middle) * (scores[k] - *middle);
    *spread = sqrt(sum / (double)(count - 1));
}

static double distance(double cosine) {
    const double apart = 1.0 - cosine;
    return apart < 0.0 ? 0.0 : apart > 2.0 ? 2.0 : apart;
}

static double at_least(double value, double least) { return value < least ? least : value; }

/* vectors (n, t, d) half or single, role (n, t); drift, z and cusum (n, t) are written
 * whole. Returns 1 where memory was short, 2 where the processor lacks what `way` asks. */
KERNEL int centroid(const void *vectors, const uint8_t *role, int64_t half, int64_t way,
                    int64_t n, int64_t t, int64_t d, int64_t robust, int64_t least, double floor,
                    double slack, float *drift, float *z, float *cusum) {
    const sweep_t *sweep = sweep_of(half, way);
    if (sweep == NULL) return 2;
    /* Loads of 64 bytes are twice as quick where they lie in one line of the cache. */
    float *memory = malloc(64 + (size_t)(d + 4 * t + 4) * sizeof(float) + 64);
    if (memory == NULL) return 1;
    float *sum = (float *)(((uintptr_t)memory + 63) / 64 * 64);
    double *left_out = (double *)(sum + (d + 1) / 2 * 2);
    float *product = (float *)(left_out + t), *square = product + t;
    const int64_t row_bytes = d * sweep->bytes;
    for (int64_t p = 0; p < n; p++) {
        const char *patch = (const char *)vectors + p * t * row_bytes;
        const uint8_t *is = role + p * t;
        int64_t count = 0, left = 0;
        double length2 = 0.0, middle = NAN, spread = NAN, level = 0.0;
        for (int64_t i = 0; i < d; i++) sum[i] = 0.0f;
        for (int64_t at = 0; at < t; at++)
            if (is[at] == REFERENCE) {
                sweep->add(patch + at * row_bytes, d, sum);
                count++;
            }
        for (int64_t at = 0; at < t; at++)
            if (is[at] == REFERENCE || (is[at] == JUDGED && count))
                sweep->inner(patch + at * row_bytes, sum, d, product + at, square + at);
        for (int64_t i = 0; i < d; i++) length2 += (double)sum[i] * sum[i];
        length2 = at_least(length2, 1e-12);
        for (int64_t at = 0; at < t && count > 1; at++) {
            if (is[at] != REFERENCE) continue;
            const double own = square[at] > 0.0f, root = own > 0.0 ? sqrt(square[at]) : 1.0;
            const double to = product[at] / root;
            left_out[left++] =
                distance((to - own) / sqrt(at_least(length2 - 2.0 * to + own, 1e-12)));
        }
        if (left >= least && left > 1) {
            usual(left_out, left, robust, &middle, &spread);
            spread += floor * middle + 1e-6;
        }
        for (int64_t at = 0; at < t; at++) {
            double apart = NAN, score = NAN, evidence = NAN;
            if (is[at] == JUDGED && count) {
                const double root = square[at] > 0.0f ? sqrt(square[at]) : 1.0;
                apart = distance(product[at] / root / sqrt(length2));
                score = (apart - middle) / spread;
                if (isfinite(score)) {
                    level = at_least(level + score - slack, 0.0);
                    evidence = level;
                }
            }
            drift[p * t + at] = (float)apart;
            z[p * t + at] = (float)score;
            cusum[p * t + at] = (float)evidence;
        }
    }
    free(memory);
    return 0;
}
