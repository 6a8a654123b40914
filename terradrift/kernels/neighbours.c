/* Exact nearest neighbours by lower bounds in integers.
 *
 * Queries and rows come three times: as float32, and as 16-bit integers of few and of all
 * columns, no two of which are farther apart than the rows by more than their slack. Products
 * of integers are exact, so a row whose integers are too far from a query's is no neighbour,
 * for certain. What the few columns leave is asked of all columns, and what these leave is
 * compared in float32. Rows stand in tiles of rows that are near each other, and tiles are
 * taken nearest first: far ones are never read. */
#include "kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86 1
#endif

#define GROUP 12 /* queries whose products are in registers at once */
#define SHARE 4  /* groups that read a tile one after another */
#define PANEL 32 /* rows that are multiplied at once */
#define TILE 256 /* rows */
#define LANES 16 /* partial sums of a distance */
#define FIRST 24 /* candidates that are compared in full between two looks at the limit */

/* Queries and rows as integers, and what these say of distances. */
struct integers {
    int64_t columns;       /* even */
    double step;           /* length of one integer */
    const int16_t *queries; /* (m, columns) */
    const int16_t *rows;   /* (n_rows, columns); few: (n_rows / PANEL, columns / 2, PANEL, 2) */
    const int32_t *half;   /* (n_rows), half the squared length of a row, rounded down */
    const int64_t *squares; /* (m), squared length of a query */
    const double *slack;   /* (m), how much too far a query and any row may be apart */
};

struct search {
    int64_t n_queries, n_rows, width, k;
    int64_t budget, budget_in_full; /* beyond, a query is given up */
    struct integers few, all;
    const int64_t *place;         /* (n_queries), of the m queries these are asked */
    const float *queries, *rows;  /* (m, width) and (n_rows, width) */
    const int64_t *index;         /* (n_rows), what the caller calls a row */
    const int64_t *own;           /* (m), what is no neighbour of a query; or null */
    const float *centers, *radii; /* of tiles of few columns, in integers */
    double *distances;            /* (n_queries, k), infinite at first */
    int64_t *found;               /* (n_queries, k) */
    int64_t *compared;            /* (n_queries), by all columns */
    int64_t *in_full;             /* (n_queries), by float32 */
};

struct candidate {
    int32_t product; /* with the query, less half the row's squared length */
    int32_t row;
};

struct place {
    float gap;
    int32_t tile;
};

typedef void products_of(const int16_t *query, int64_t columns, const int16_t *panel,
                         const int32_t *half, int32_t *out);

static void products_plain(const int16_t *query, int64_t columns, const int16_t *panel,
                           const int32_t *half, int32_t *out) {
    for (int i = 0; i < GROUP; i++, query += columns, out += PANEL) {
        for (int j = 0; j < PANEL; j++) out[j] = -half[j];
        for (int64_t p = 0; p < columns / 2; p++)
            for (int j = 0; j < PANEL; j++)
                out[j] += query[2 * p] * panel[2 * (p * PANEL + j)] +
                          query[2 * p + 1] * panel[2 * (p * PANEL + j) + 1];
    }
}

#ifdef X86
static inline int32_t pair(const int16_t *at) {
    int32_t both;
    memcpy(&both, at, sizeof both);
    return both;
}

__attribute__((target("avx2"))) static void products_avx2(
    const int16_t *query, int64_t columns, const int16_t *panel, const int32_t *half,
    int32_t *out) {
    for (int g = 0; g < GROUP; g += 3, query += 3 * columns, out += 3 * PANEL) {
        __m256i sum[3][4];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++)
                sum[i][j] = _mm256_sub_epi32(
                    _mm256_setzero_si256(),
                    _mm256_loadu_si256((const __m256i *)(half + 8 * j)));
        for (int64_t p = 0; p < columns / 2; p++)
            for (int i = 0; i < 3; i++) {
                __m256i one = _mm256_set1_epi32(pair(query + i * columns + 2 * p));
                for (int j = 0; j < 4; j++)
                    sum[i][j] = _mm256_add_epi32(
                        sum[i][j],
                        _mm256_madd_epi16(one, _mm256_loadu_si256(
                            (const __m256i *)(panel + 64 * p + 16 * j))));
            }
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++)
                _mm256_storeu_si256((__m256i *)(out + PANEL * i + 8 * j), sum[i][j]);
    }
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static void products_vnni(
    const int16_t *query, int64_t columns, const int16_t *panel, const int32_t *half,
    int32_t *out) {
    __m512i sum[GROUP][2];
    for (int j = 0; j < 2; j++) {
        __m512i first =
            _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_loadu_si512(half + 16 * j));
#pragma GCC unroll 12
        for (int i = 0; i < GROUP; i++) sum[i][j] = first;
    }
    for (int64_t p = 0; p < columns / 2; p++) {
        __m512i left = _mm512_loadu_si512(panel + 64 * p);
        __m512i right = _mm512_loadu_si512(panel + 64 * p + 32);
#pragma GCC unroll 12
        for (int i = 0; i < GROUP; i++) {
            __m512i one = _mm512_set1_epi32(pair(query + i * columns + 2 * p));
            sum[i][0] = _mm512_dpwssd_epi32(sum[i][0], one, left);
            sum[i][1] = _mm512_dpwssd_epi32(sum[i][1], one, right);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < GROUP; i++) {
        _mm512_storeu_si512(out + PANEL * i, sum[i][0]);
        _mm512_storeu_si512(out + PANEL * i + 16, sum[i][1]);
    }
}
#endif

CLONES static int32_t dot(const int16_t *a, const int16_t *b, int64_t columns) {
    int32_t sum = 0;
    for (int64_t c = 0; c < columns; c++) sum += a[c] * b[c];
    return sum;
}

/* The quickest way that the processor knows, but no quicker than `most`; 0 is plain C. */
static products_of *products(int most) {
#ifdef X86
    if (most >= 2 && __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512bw"))
        return products_vnni;
    if (most >= 1 && __builtin_cpu_supports("avx2")) return products_avx2;
#else
    (void)most;
#endif
    return products_plain;
}

/* Distance by float32 differences, summed in float64 in `LANES` partial sums. */
CLONES static double apart(const float *a, const float *b, int64_t width) {
    double sum[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= width; c += LANES)
        for (int j = 0; j < LANES; j++) {
            float gap = a[c + j] - b[c + j];
            sum[j] += (double)gap * (double)gap;
        }
    for (int j = 0; c + j < width; j++) {
        float gap = a[c + j] - b[c + j];
        sum[j] += (double)gap * (double)gap;
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    return sqrt(sum[0]);
}

CLONES static float apart_roughly(const int16_t *a, const float *b, int64_t columns) {
    float sum[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= columns; c += LANES)
        for (int j = 0; j < LANES; j++) {
            float gap = a[c + j] - b[c + j];
            sum[j] += gap * gap;
        }
    for (; c < columns; c++) sum[0] += (a[c] - b[c]) * (a[c] - b[c]);
    for (int j = 1; j < LANES; j++) sum[0] += sum[j];
    return sqrtf(sum[0]);
}

/* Appends to each query's candidates the rows of a panel that reach its limit. */
CLONES static void reaching(const int32_t *out, const int32_t *limit, int32_t row,
                            int32_t n, struct candidate *candidates, int32_t *count) {
    for (int i = 0; i < GROUP; i++, out += PANEL) {
        int any = 0;
        for (int j = 0; j < PANEL; j++) any |= out[j] >= limit[i];
        if (!any) continue;
        struct candidate *to = candidates + (int64_t)i * TILE;
        int32_t at = count[i];
        for (int j = 0; j < n; j++)
            if (out[j] >= limit[i]) to[at++] = (struct candidate){out[j], row + j};
        count[i] = at;
    }
}

static void prefetch(const void *row, int64_t bytes) {
#ifdef __GNUC__
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)row + at);
#else
    (void)row, (void)bytes;
#endif
}

/* Brings the `first` of n candidates with the largest products to the front. */
static void select_first(struct candidate *c, int32_t n, int32_t first) {
    int32_t low = 0, high = n - 1;
    while (low < high) {
        int32_t pivot = c[low + (high - low) / 2].product, i = low, j = high;
        while (i <= j) {
            while (c[i].product > pivot) i++;
            while (c[j].product < pivot) j--;
            if (i > j) break;
            struct candidate swap = c[i];
            c[i++] = c[j];
            c[j--] = swap;
        }
        if (first <= j) high = j;
        else if (first >= i) low = i;
        else return;
    }
}

/* How far integers may be from those of the query: what is farther is no neighbour. */
static double reach_of(const struct search *s, const struct integers *of, int64_t q) {
    if (s->compared[q] > s->budget || s->in_full[q] > s->budget_in_full) return -INFINITY;
    double last = s->distances[(q + 1) * s->k - 1];
    /* Float32 differences make a distance shorter by no more than that. */
    return (last * (1 + 1e-6) + of->slack[s->place[q]]) / of->step;
}

/* The smallest product, less half the row's squared length, of rows within reach. */
static int32_t limit_of(const struct search *s, const struct integers *of, int64_t q) {
    double reach = reach_of(s, of, q);
    if (reach < 0) return INT32_MAX;
    double least = floor(((double)of->squares[s->place[q]] - reach * reach - 1) / 2);
    return least < INT32_MIN ? INT32_MIN : (int32_t)least;
}

static void keep(const struct search *s, int64_t q, double distance, int64_t index) {
    double *distances = s->distances + q * s->k;
    int64_t *found = s->found + q * s->k, at = s->k - 1;
    if (distance > distances[at] || (distance == distances[at] && index > found[at])) return;
    for (; at && (distances[at - 1] > distance ||
                  (distances[at - 1] == distance && found[at - 1] > index)); at--) {
        distances[at] = distances[at - 1];
        found[at] = found[at - 1];
    }
    distances[at] = distance;
    found[at] = index;
}

/* Those of n candidates whose products reach the limit; returns how many. */
static int32_t sifted(struct candidate *c, int32_t n, int32_t limit) {
    int32_t left = 0;
    for (int32_t i = 0; i < n; i++) {
        c[left] = c[i];
        left += c[i].product >= limit;
    }
    return left;
}

/* Compares the candidates of a query by all columns, and then in float32, nearest first. */
static void compare(const struct search *s, int64_t q, struct candidate *c, int32_t n) {
    const struct integers *all = &s->all;
    const float *query = s->queries + s->place[q] * s->width;
    const int16_t *ints = all->queries + s->place[q] * all->columns;
    for (int32_t i = 0; i < n; i++) {
        if (i + 2 < n)
            prefetch(all->rows + c[i + 2].row * all->columns, 2 * all->columns);
        c[i].product = dot(ints, all->rows + c[i].row * all->columns, all->columns) -
                       all->half[c[i].row];
    }
    s->compared[q] += n;
    while ((n = sifted(c, n, limit_of(s, all, q)))) {
        int32_t first = n < FIRST ? n : FIRST;
        if (n > first) select_first(c, n, first);
        for (int32_t i = 0; i < first; i++) {
            if (i + 1 < first)
                prefetch(s->rows + c[i + 1].row * s->width, sizeof(float) * s->width);
            int64_t index = s->index[c[i].row];
            if (s->own && index == s->own[s->place[q]]) continue;
            s->in_full[q]++;
            keep(s, q, apart(query, s->rows + c[i].row * s->width, s->width), index);
        }
        c += first;
        n -= first;
    }
}

static int by_gap(const void *a, const void *b) {
    float left = ((const struct place *)a)->gap, right = ((const struct place *)b)->gap;
    return (left > right) - (left < right);
}

/* The queries `from` to `until`, which are near each other, against all tiles. */
static void share(const struct search *s, int64_t from, int64_t until, int64_t tiles,
                  products_of *multiply, int16_t *ints, float *gaps, struct place *places,
                  struct candidate *candidates) {
    const int64_t columns = s->few.columns;
    const double exact = 1 - (columns + 16) * 0x1p-23;
    int64_t many = until - from;
    memset(ints, 0, sizeof(int16_t) * SHARE * GROUP * columns);
    for (int64_t q = 0; q < many; q++)
        memcpy(ints + q * columns, s->few.queries + s->place[from + q] * columns,
               sizeof(int16_t) * columns);
    for (int64_t t = 0; t < tiles; t++) {
        places[t] = (struct place){INFINITY, (int32_t)t};
        for (int64_t q = 0; q < many; q++) {
            float center = apart_roughly(ints + q * columns,
                                         s->centers + t * columns, columns);
            float gap = (float)(center * exact) - s->radii[t];
            gaps[t * SHARE * GROUP + q] = gap;
            if (gap < places[t].gap) places[t].gap = gap;
        }
    }
    qsort(places, tiles, sizeof *places, by_gap);
    for (int64_t place = 0; place < tiles; place++) {
        const int64_t tile = places[place].tile, first = tile * TILE;
        const int64_t end = first + TILE < s->n_rows ? first + TILE : s->n_rows;
        for (int64_t g = 0; g < many; g += GROUP) {
            int32_t limit[GROUP], count[GROUP] = {0}, out[GROUP * PANEL];
            int wanted = 0;
            for (int i = 0; i < GROUP; i++) {
                limit[i] = INT32_MAX;
                if (g + i >= many) continue;
                if (gaps[tile * SHARE * GROUP + g + i] > reach_of(s, &s->few, from + g + i)) continue;
                limit[i] = limit_of(s, &s->few, from + g + i);
                wanted = 1;
            }
            if (!wanted) continue;
            for (int64_t row = first; row < end; row += PANEL) {
                multiply(ints + g * columns, columns, s->few.rows + row * columns,
                         s->few.half + row, out);
                int64_t rows = end - row < PANEL ? end - row : PANEL;
                reaching(out, limit, (int32_t)row, (int32_t)rows, candidates, count);
            }
            for (int i = 0; i < GROUP && g + i < many; i++)
                compare(s, from + g + i, candidates + i * TILE, count[i]);
        }
    }
}

/* The k nearest rows of each query; 0, or -1 where memory is lacking. */
KERNEL int nearest(const struct search *s) {
    int64_t tiles = (s->n_rows + TILE - 1) / TILE;
    int16_t *ints = malloc(sizeof *ints * SHARE * GROUP * s->few.columns);
    float *gaps = malloc(sizeof *gaps * SHARE * GROUP * tiles);
    struct place *places = malloc(sizeof *places * tiles);
    struct candidate *candidates = malloc(sizeof *candidates * GROUP * TILE);
    int lacking = !ints || !gaps || !places || !candidates;
    for (int64_t q = 0; !lacking && q < s->n_queries; q += SHARE * GROUP) {
        int64_t until = q + SHARE * GROUP < s->n_queries ? q + SHARE * GROUP : s->n_queries;
        share(s, q, until, tiles, products(2), ints, gaps, places, candidates);
    }
    free(ints);
    free(gaps);
    free(places);
    free(candidates);
    return lacking ? -1 : 0;
}

/* Products of `GROUP` queries with a panel, less `half`, in each way: tests compare them. */
KERNEL void multiply(int most, const int16_t *query, const int16_t *panel,
                     const int32_t *half, int32_t *out, int64_t columns) {
    products(most)(query, columns, panel, half, out);
}

/* (m, c) distances of each query to the rows `near` (m, c). */
KERNEL void distances(const float *queries, const float *rows, const int64_t *near,
                      double *out, int64_t m, int64_t c, int64_t width) {
    for (int64_t q = 0; q < m; q++)
        for (int64_t i = 0; i < c; i++, near++, out++) {
            if (i + 1 < c) prefetch(rows + near[1] * width, sizeof(float) * width);
            *out = apart(queries + q * width, rows + *near * width, width);
        }
}

KERNEL_MODULE(neighbours)
