/* Cosines with rows of half precision, and lists of 1-bit codes (terradrift/query/index/,
 * whose scan.py and probe.py have the twins; lists.py says what the codes are). */
#include "half.h"

KERNEL_MODULE(search)

/* ---- the inner product of a row of d halves with d singles ---- */

typedef float inner_t(const uint16_t *row, const float *with, int64_t d);

static float CLONES inner_plain(const uint16_t *row, const float *with, int64_t d) {
    float block[BLOCK], lanes[LANE] = {0}, sum = 0.0f;
    for (int64_t at = 0; at < d; at += BLOCK) {
        const int64_t count = d - at < BLOCK ? d - at : BLOCK;
        int64_t i = 0;
        half_single(row + at, block, count);
        for (; i + LANE <= count; i += LANE)
            for (int l = 0; l < LANE; l++) lanes[l] += block[i + l] * with[at + i + l];
        for (int l = 0; i < count; i++, l++) lanes[l] += block[i] * with[at + i];
    }
    for (int l = 0; l < LANE; l++) sum += lanes[l];
    return sum;
}

#ifdef HALF_X86
static inline WIDE __m512 wide_load(const uint16_t *from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)from));
}

static WIDE float inner_wide(const uint16_t *row, const float *with, int64_t d) {
    __m512 a = _mm512_setzero_ps(), b = a, c = a, e = a;
    int64_t i = 0;
    for (; i + 4 * LANE <= d; i += 4 * LANE) {
        a = _mm512_fmadd_ps(wide_load(row + i), _mm512_loadu_ps(with + i), a);
        b = _mm512_fmadd_ps(wide_load(row + i + 16), _mm512_loadu_ps(with + i + 16), b);
        c = _mm512_fmadd_ps(wide_load(row + i + 32), _mm512_loadu_ps(with + i + 32), c);
        e = _mm512_fmadd_ps(wide_load(row + i + 48), _mm512_loadu_ps(with + i + 48), e);
    }
    for (; i < d; i += LANE) {
        uint16_t rest[LANE];
        const int64_t count = d - i < LANE ? d - i : LANE;
        const __mmask16 there = (__mmask16)((1u << count) - 1u);
        tail_of(row + i, count, rest);
        a = _mm512_fmadd_ps(wide_load(rest), _mm512_maskz_loadu_ps(there, with + i), a);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, e)));
}

static inline NARROW __m256 narrow_load(const uint16_t *from) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)from));
}

static NARROW float inner_narrow(const uint16_t *row, const float *with, int64_t d) {
    __m256 a = _mm256_setzero_ps(), b = a;
    float lanes[8], sum = 0.0f;
    int64_t i = 0;
    for (; i + LANE <= d; i += LANE) {
        a = _mm256_fmadd_ps(narrow_load(row + i), _mm256_loadu_ps(with + i), a);
        b = _mm256_fmadd_ps(narrow_load(row + i + 8), _mm256_loadu_ps(with + i + 8), b);
    }
    _mm256_storeu_ps(lanes, _mm256_add_ps(a, b));
    for (int l = 0; l < 8; l++) sum += lanes[l];
    for (; i < d; i++) sum += _cvtsh_ss(row[i]) * with[i];
    return sum;
}
#endif

/* 0: the best there is; 1 to 3: wide, narrow, plain, for tests. Null where it is not there. */
static inner_t *inner_of(int64_t way) {
#ifdef HALF_X86
    if (way == 1) return has_wide() ? inner_wide : NULL;
    if (way == 2) return has_narrow() ? inner_narrow : NULL;
    if (way == 0) return has_wide() ? inner_wide : has_narrow() ? inner_narrow : inner_plain;
#endif
    return way == 0 || way == 3 ? inner_plain : NULL;
}

INLINE void fetch(const uint16_t *row, int64_t d) {
#if defined(__GNUC__)
    for (int64_t i = 0; i < d; i += 32) __builtin_prefetch(row + i);
#else
    (void)row, (void)d;
#endif
}

enum { AHEAD = 4 };

/* Of the rows of `count` slices (first, last-but-one), in turn, into `out`. Returns 2 where
 * the processor lacks what `way` asks. */
KERNEL int dots(const uint16_t *rows, int64_t d, const float *with, const int64_t *slices,
                int64_t count, int64_t way, float *out) {
    inner_t *inner = inner_of(way);
    if (inner == NULL) return 2;
    for (int64_t s = 0; s < count; s++) {
        if (s + AHEAD < count) fetch(rows + slices[2 * (s + AHEAD)] * d, d);
        for (int64_t at = slices[2 * s]; at < slices[2 * s + 1]; at++)
            *out++ = inner(rows + at * d, with, d);
    }
    return 0;
}

static void CLONES less(const uint16_t *row, const float *mean, int64_t d, float *out) {
    half_single(row, out, d);
    for (int64_t i = 0; i < d; i++) out[i] -= mean[i];
}

/* Rows (n, d) less `mean` (d) into rows of `out` that begin `step` values apart. */
KERNEL void widen(const uint16_t *rows, const float *mean, int64_t n, int64_t d, int64_t step,
                  float *out) {
    for (int64_t at = 0; at < n; at++) less(rows + at * d, mean, d, out + at * step);
}

/* matrix (n, d) times vector (d), out (n). */
static void CLONES product_plain(const float *matrix, const float *vector, int64_t n,
                                 int64_t d, float *out) {
    for (int64_t at = 0; at < n; at++) {
        const float *row = matrix + at * d;
        float lanes[LANE] = {0}, sum = 0.0f;
        int64_t i = 0;
        for (; i + LANE <= d; i += LANE)
            for (int l = 0; l < LANE; l++) lanes[l] += row[i + l] * vector[i + l];
        for (int l = 0; i < d; i++, l++) lanes[l] += row[i] * vector[i];
        for (int l = 0; l < LANE; l++) sum += lanes[l];
        out[at] = sum;
    }
}

#ifdef HALF_X86
static WIDE void product_wide(const float *matrix, const float *vector, int64_t n, int64_t d,
                              float *out) {
    const __mmask16 rest = (__mmask16)((1u << d % LANE) - 1u);
    const int64_t whole = d - d % LANE;
    int64_t at = 0;
    for (; at + 4 <= n; at += 4) {
        const float *row = matrix + at * d;
        __m512 a = _mm512_setzero_ps(), b = a, c = a, e = a;
        int64_t i = 0;
        for (; i < whole; i += LANE) {
            const __m512 v = _mm512_loadu_ps(vector + i);
            a = _mm512_fmadd_ps(_mm512_loadu_ps(row + i), v, a);
            b = _mm512_fmadd_ps(_mm512_loadu_ps(row + d + i), v, b);
            c = _mm512_fmadd_ps(_mm512_loadu_ps(row + 2 * d + i), v, c);
            e = _mm512_fmadd_ps(_mm512_loadu_ps(row + 3 * d + i), v, e);
        }
        if (rest) {
            const __m512 v = _mm512_maskz_loadu_ps(rest, vector + i);
            a = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, row + i), v, a);
            b = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, row + d + i), v, b);
            c = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, row + 2 * d + i), v, c);
            e = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, row + 3 * d + i), v, e);
        }
        out[at] = _mm512_reduce_add_ps(a);
        out[at + 1] = _mm512_reduce_add_ps(b);
        out[at + 2] = _mm512_reduce_add_ps(c);
        out[at + 3] = _mm512_reduce_add_ps(e);
    }
    product_plain(matrix + at * d, vector, n - at, d, out + at);
}
#endif

static void product(const float *matrix, const float *vector, int64_t n, int64_t d, float *out,
                    int64_t way) {
#ifdef HALF_X86
    if (way < 2 && has_wide()) {
        product_wide(matrix, vector, n, d, out);
        return;
    }
#endif
    (void)way;
    product_plain(matrix, vector, n, d, out);
}

/* ---- codes ---- */

/* A row is u (r), a centroid c, v = u - c: bit i of its code says whether v_i > 0; its
 * factors are |v|^2 / sum |v_i| and <v, c>. codes (n, words), factors (n, 2). */
static void CLONES encode_row(const float *u, const float *c, int64_t r, uint64_t *code,
                              float *factors) {
    float square[LANE] = {0}, size[LANE] = {0}, with[LANE] = {0};
    float squares = 0.0f, sizes = 0.0f, product = 0.0f;
    for (int64_t first = 0; first < r; first += 64) {
        const int64_t count = r - first < 64 ? r - first : 64;
        uint64_t bits = 0;
        for (int64_t i = 0; i < count; i++)
            bits |= (uint64_t)(u[first + i] > c[first + i]) << i;
        code[first / 64] = bits;
    }
    for (int64_t i = 0; i < r; i += LANE) {
        const int64_t count = r - i < LANE ? r - i : LANE;
        for (int64_t l = 0; l < count; l++) {
            const float v = u[i + l] - c[i + l];
            square[l] += v * v;
            size[l] += fabsf(v);
            with[l] += v * c[i + l];
        }
    }
    for (int l = 0; l < LANE; l++) {
        squares += square[l];
        sizes += size[l];
        product += with[l];
    }
    factors[0] = sizes > 0.0f ? squares / sizes : 0.0f;
    factors[1] = product;
}

KERNEL void encode(const float *rows, const int32_t *list, const float *centroids, int64_t n,
                   int64_t r, uint64_t *codes, float *factors) {
    const int64_t words = (r + 63) / 64;
    for (int64_t at = 0; at < n; at++)
        encode_row(rows + at * r, centroids + list[at] * r, r, codes + at * words,
                   factors + 2 * at);
}

/* ---- probing lists ---- */

enum { ROWS = 8, PLANES = 4, LEVELS = 15, QUEUE = 32 };

/* What a list's codes are met with: the query less the list's centroid, in 16 levels. */
typedef struct {
    uint64_t *planes; /* (words, PLANES), bit i of plane p: bit p of the level of number i */
    float low, step;  /* number i is about low + step * level */
    float sum, length; /* of the numbers themselves, and of the vector */
} asked_t;

typedef struct {
    float value;
    int32_t at;
} item_t;

/* The k best so far, the least of them first. */
typedef struct {
    item_t *items;
    int64_t count, k;
} best_t;

typedef struct {
    inner_t *inner;
    const uint16_t *first, *second;
    const float *with, *lengths;
    const uint64_t *allowed;
    int64_t d;
    float offset;
    best_t best;
    int32_t queue[QUEUE];
    int64_t waiting, compared;
} look_t;

static float bar_of(const best_t *best) {
    return best->count < best->k ? -INFINITY : best->items[0].value;
}

static void sift_down(item_t *items, int64_t count, item_t item) {
    int64_t at = 0;
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && items[child + 1].value < items[child].value) child++;
        if (items[child].value >= item.value) break;
        items[at] = items[child];
        at = child;
    }
    items[at] = item;
}

static void keep(best_t *best, float value, int32_t position) {
    const item_t item = {value, position};
    if (best->count == best->k) {
        if (value > best->items[0].value) sift_down(best->items, best->count, item);
        return;
    }
    int64_t at = best->count++;
    while (at > 0 && best->items[(at - 1) / 2].value > value) {
        best->items[at] = best->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    best->items[at] = item;
}

/* The cosines of the rows that wait, from their vectors. */
static void compare(look_t *look) {
    for (int64_t i = 0; i < look->waiting; i++) {
        const int64_t at = look->queue[i];
        float product = look->inner(look->first + at * look->d, look->with, look->d);
        if (look->second != NULL)
            product += look->inner(look->second + at * look->d, look->with + look->d, look->d);
        keep(&look->best, (product - look->offset) / look->lengths[at], (int32_t)at);
    }
    look->compared += look->waiting;
    look->waiting = 0;
}

/* Those of the 8 rows whose bits are set in `hits` are to be compared. */
static void put(look_t *look, const int32_t *positions, uint32_t hits) {
    for (int64_t i = 0; i < ROWS; i++) {
        if (!(hits >> i & 1)) continue;
        const int64_t at = positions[i];
        if (at < 0) continue; /* of no row */
        if (look->allowed != NULL && !(look->allowed[at / 64] >> (at % 64) & 1)) continue;
        fetch(look->first + at * look->d, look->d);
        if (look->second != NULL) fetch(look->second + at * look->d, look->d);
        look->queue[look->waiting++] = (int32_t)at;
        if (look->waiting == QUEUE) compare(look);
    }
}

/* Levels of the numbers of `query` less `centroid`, one byte each, zeros to fill the word. */
static void CLONES levels_of(const float *query, const float *centroid, int64_t r,
                             float *numbers, uint8_t *levels, asked_t *asked) {
    float low[LANE], high[LANE], sum[LANE] = {0}, square[LANE] = {0};
    for (int l = 0; l < LANE; l++) low[l] = INFINITY, high[l] = -INFINITY;
    for (int64_t i = 0; i < r; i += LANE) {
        const int64_t count = r - i < LANE ? r - i : LANE;
        for (int64_t l = 0; l < count; l++) {
            const float value = query[i + l] - centroid[i + l];
            numbers[i + l] = value;
            low[l] = value < low[l] ? value : low[l];
            high[l] = value > high[l] ? value : high[l];
            sum[l] += value;
            square[l] += value * value;
        }
    }
    for (int l = 1; l < LANE; l++) {
        low[0] = low[l] < low[0] ? low[l] : low[0];
        high[0] = high[l] > high[0] ? high[l] : high[0];
        sum[0] += sum[l];
        square[0] += square[l];
    }
    asked->low = low[0];
    asked->step = (high[0] - low[0]) / LEVELS;
    asked->sum = sum[0];
    asked->length = sqrtf(square[0]);
    const float by = asked->step > 0.0f ? 1.0f / asked->step : 0.0f;
    for (int64_t i = 0; i < r; i++) levels[i] = (uint8_t)((numbers[i] - low[0]) * by + 0.5f);
}

static void CLONES planes_plain(const uint8_t *levels, int64_t words, uint64_t *planes) {
    for (int64_t w = 0; w < words; w++)
        for (int64_t p = 0; p < PLANES; p++) {
            uint64_t bits = 0;
            for (int64_t i = 0; i < 64; i++)
                bits |= (uint64_t)(levels[64 * w + i] >> p & 1) << i;
            planes[w * PLANES + p] = bits;
        }
}

INLINE int64_t ones(uint64_t bits) {
#if defined(__GNUC__)
    return __builtin_popcountll(bits);
#else
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    return (int64_t)(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56);
#endif
}

/* Of 8 rows: bits set, and levels summed where bits are set. */
static void CLONES sums_plain(const uint64_t *codes, const uint64_t *planes, int64_t words,
                              int64_t *count, int64_t *sum) {
    for (int64_t l = 0; l < ROWS; l++) count[l] = sum[l] = 0;
    for (int64_t w = 0; w < words; w++)
        for (int64_t l = 0; l < ROWS; l++) {
            const uint64_t bits = codes[w * ROWS + l];
            count[l] += ones(bits);
            for (int64_t p = 0; p < PLANES; p++)
                sum[l] += ones(bits & planes[w * PLANES + p]) << p;
        }
}

typedef void list_t(look_t *look, const uint64_t *codes, const float *factors,
                    const int32_t *positions, int64_t blocks, int64_t words,
                    const asked_t *asked, float middle, float width);

/* The list's rows that may be nearer than the k-th so far: `middle` is <centroid, query>,
 * and by `width` times its error an estimate may be too small. */
static void list_plain(look_t *look, const uint64_t *codes, const float *factors,
                       const int32_t *positions, int64_t blocks, int64_t words,
                       const asked_t *asked, float middle, float width) {
    int64_t count[ROWS], sum[ROWS];
    for (int64_t b = 0; b < blocks; b++) {
        const float bar = bar_of(&look->best);
        uint32_t hits = 0;
        sums_plain(codes + b * words * ROWS, asked->planes, words, count, sum);
        for (int64_t l = 0; l < ROWS; l++) {
            const float *f = factors + 2 * ROWS * b + l;
            const float set = asked->low * (float)count[l] + asked->step * (float)sum[l];
            const float most = middle + f[ROWS] +
                               f[0] * (2.0f * set - asked->sum + width * asked->length);
            hits |= (uint32_t)(most > bar) << l;
        }
        if (hits) put(look, positions + ROWS * b, hits);
    }
}

#ifdef HALF_X86
#define COUNTS __attribute__((target("fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")))

static inline int has_counts(void) {
    return __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static COUNTS void planes_wide(const uint8_t *levels, int64_t words, uint64_t *planes) {
    for (int64_t w = 0; w < words; w++) {
        const __m512i level = _mm512_loadu_si512((const void *)(levels + 64 * w));
        for (int64_t p = 0; p < PLANES; p++)
            planes[w * PLANES + p] =
                _mm512_test_epi8_mask(level, _mm512_set1_epi8((char)(1 << p)));
    }
}

static COUNTS void list_wide(look_t *look, const uint64_t *codes, const float *factors,
                             const int32_t *positions, int64_t blocks, int64_t words,
                             const asked_t *asked, float middle, float width) {
    const __m256 low = _mm256_set1_ps(2.0f * asked->low), step = _mm256_set1_ps(2.0f * asked->step);
    const __m256 rest = _mm256_set1_ps(width * asked->length - asked->sum);
    const __m256 base = _mm256_set1_ps(middle);
    for (int64_t b = 0; b < blocks; b++) {
        const uint64_t *planes = asked->planes;
        __m512i set = _mm512_setzero_si512(), s0 = set, s1 = set, s2 = set, s3 = set;
        for (int64_t w = 0; w < words; w++, planes += PLANES, codes += ROWS) {
            const __m512i bits = _mm512_loadu_si512((const void *)codes);
#define MET(p) \
    _mm512_popcnt_epi64(_mm512_and_si512(bits, _mm512_set1_epi64((long long)planes[p])))
            set = _mm512_add_epi64(set, _mm512_popcnt_epi64(bits));
            s0 = _mm512_add_epi64(s0, MET(0));
            s1 = _mm512_add_epi64(s1, MET(1));
            s2 = _mm512_add_epi64(s2, MET(2));
            s3 = _mm512_add_epi64(s3, MET(3));
#undef MET
        }
        s0 = _mm512_add_epi64(s0, _mm512_slli_epi64(s1, 1));
        s2 = _mm512_add_epi64(s2, _mm512_slli_epi64(s3, 1));
        s0 = _mm512_add_epi64(s0, _mm512_slli_epi64(s2, 2));
        __m256 most = _mm256_fmadd_ps(low, _mm512_cvtepi64_ps(set), rest);
        most = _mm256_fmadd_ps(step, _mm512_cvtepi64_ps(s0), most);
        most = _mm256_fmadd_ps(most, _mm256_loadu_ps(factors + 2 * ROWS * b),
                               _mm256_loadu_ps(factors + 2 * ROWS * b + ROWS));
        most = _mm256_add_ps(most, base);
        const __m256 bar = _mm256_set1_ps(bar_of(&look->best));
        const uint32_t hits = _mm256_cmp_ps_mask(most, bar, _CMP_GT_OQ);
        if (hits) put(look, positions + ROWS * b, hits);
    }
}
#endif

/* Lists, the nearest centroid first: the root of a heap is the next. */
static void sink(float *near, int32_t *lists, int64_t count, int64_t at) {
    const float value = near[at];
    const int32_t list = lists[at];
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && near[child + 1] > near[child]) child++;
        if (near[child] <= value) break;
        near[at] = near[child];
        lists[at] = lists[child];
        at = child;
    }
    near[at] = value;
    lists[at] = list;
}

/* The k rows of the greatest cosine that the codes of the nearest `probes` lists let pass,
 * of more lists while there are fewer than k.
 *
 * codes (blocks, words, 8), factors (blocks, 2, 8), positions (blocks, 8), starts (lists + 1)
 * in blocks; centroids (lists, r), halves (lists) of their squared lengths; rotation (r, r) of
 * the query (r), of length 1. Rows `first` and, where not null, `second` of d halves have the
 * cosine (<row, with> - offset) / length. `allowed`: null, or a bit per row.
 * found, values (k); looked: rows whose codes were read, rows compared, lists.
 * Returns how many were found, -1 where memory was short, -2 where the processor lacks what
 * `way` asks. */
KERNEL int64_t probe(const uint64_t *codes, const float *factors, const int32_t *positions,
                     const int64_t *starts, const float *centroids, const float *halves,
                     const float *rotation, const float *lengths, int64_t lists,
                     int64_t probes, const float *query, int64_t r, const uint16_t *first,
                     const uint16_t *second, const float *with, int64_t d, double offset,
                     const uint64_t *allowed, int64_t k, double width, int64_t way,
                     int32_t *found, float *values, int64_t *looked) {
    const int64_t words = (r + 63) / 64;
    list_t *list = list_plain;
    void (*planes_of)(const uint8_t *, int64_t, uint64_t *) = planes_plain;
#ifdef HALF_X86
    if (way < 2 && has_counts()) list = list_wide, planes_of = planes_wide;
    if (way == 1 && !has_counts()) return -2;
#endif
    look_t look = {inner_of(way), first, second, with, lengths, allowed, d, (float)offset,
                   {NULL, 0, k}, {0}, 0, 0};
    if (look.inner == NULL) return -2;
    asked_t asked = {0};
    float *middle = malloc((size_t)(2 * lists + 2 * r) * sizeof(*middle));
    float *ahead = middle + lists, *turned = ahead + lists, *numbers = turned + r;
    int32_t *next = malloc((size_t)lists * sizeof(*next));
    uint8_t *levels = calloc((size_t)words, 64);
    asked.planes = malloc((size_t)words * PLANES * sizeof(*asked.planes));
    look.best.items = malloc((size_t)k * sizeof(*look.best.items));
    int64_t read = 0, count = lists, done = 0;
    const int short_of = !middle || !next || !levels || !asked.planes || !look.best.items;
    if (!short_of) {
        product(rotation, query, r, r, turned, way);
        product(centroids, turned, lists, r, middle, way);
        for (int64_t l = 0; l < lists; l++) {
            ahead[l] = middle[l] - halves[l];
            next[l] = (int32_t)l;
        }
        for (int64_t l = lists / 2 - 1; l >= 0; l--) sink(ahead, next, lists, l);
        while (count > 0 && (done < probes || look.best.count < k)) {
            const int64_t at = next[0], blocks = starts[at + 1] - starts[at];
            count--;
            ahead[0] = ahead[count];
            next[0] = next[count];
            sink(ahead, next, count, 0);
            done++;
            if (!blocks) continue;
            levels_of(turned, centroids + at * r, r, numbers, levels, &asked);
            planes_of(levels, words, asked.planes);
            list(&look, codes + starts[at] * words * ROWS, factors + starts[at] * 2 * ROWS,
                 positions + starts[at] * ROWS, blocks, words, &asked, middle[at],
                 (float)width);
            compare(&look);
            read += blocks * ROWS;
        }
        for (int64_t i = 0; i < look.best.count; i++) {
            found[i] = look.best.items[i].at;
            values[i] = look.best.items[i].value;
        }
        looked[0] = read;
        looked[1] = look.compared;
        looked[2] = done;
    }
    free(middle);
    free(next);
    free(levels);
    free(asked.planes);
    free(look.best.items);
    return short_of ? -1 : look.best.count;
}
