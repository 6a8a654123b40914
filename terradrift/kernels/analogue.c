/* Nearest histories up to each date, and the weighted geometric median of vectors. */
#include "kernel.h"

KERNEL_MODULE(analogue)

enum { PANEL = 32, ROWS = 64 };

/* Adds the squared gaps of one panel of the pool to the sums of one patch. `panel` is
 * (r, PANEL), `seen` (PANEL,) 1 where the pool's patch is clear. */
CLONES static void add_panel(const float *restrict one, const float *restrict panel,
                             const float *restrict seen, int64_t r,
                             float *restrict squared, float *restrict shared)
{
    float sum[PANEL] = {0};
    for (int64_t c = 0; c < r; c++) {
        const float *b = panel + c * PANEL;
        float a = one[c];
        for (int j = 0; j < PANEL; j++) {
            float gap = a - b[j];
            sum[j] += gap * gap;
        }
    }
    for (int j = 0; j < PANEL; j++) {
        squared[j] += seen[j] * sum[j];
        shared[j] += seen[j];
    }
}

/* Mean squared gaps, infinite where the patches never met or the other is not clear. */
CLONES static void means(const float *restrict squared, const float *restrict shared,
                         const float *restrict there, int64_t p, float *restrict out)
{
    for (int64_t j = 0; j < p; j++) {
        float mean = squared[j] / (shared[j] > 0 ? shared[j] : 1.0f);
        out[j] = there[j] > 0 && shared[j] > 0 ? mean : INFINITY;
    }
}

/* Places where `value` (p,) is at most `bound`; returns how many. */
CLONES static int64_t within(const float *restrict value, int64_t p, float bound,
                             int32_t *restrict found)
{
    int64_t count = 0;
    for (int64_t start = 0; start < p; start += PANEL) {
        int64_t stop = start + PANEL < p ? start + PANEL : p;
        int any = 0;
        for (int64_t j = start; j < stop; j++) any |= value[j] <= bound;
        if (!any) continue;
        for (int64_t j = start; j < stop; j++)
            if (value[j] <= bound) found[count++] = (int32_t)j;
    }
    return count;
}

/* Ascending. */
static void sort_keys(uint64_t *key, int64_t n)
{
    static const int64_t gaps[] = {3905, 1082, 301, 82, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (int64_t i = gaps[g]; i < n; i++) {
            uint64_t one = key[i];
            int64_t j = i;
            for (; j >= gaps[g] && key[j - gaps[g]] > one; j -= gaps[g])
                key[j] = key[j - gaps[g]];
            key[j] = one;
        }
}

/* The k-th smallest value (from 0) of (n,), which is reordered. */
static float kth(float *value, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = value[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot) i++;
            while (value[j] > pivot) j--;
            if (i <= j) {
                float swapped = value[i];
                value[i++] = value[j];
                value[j--] = swapped;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return value[k];
}

struct room {
    float *squared, *shared, *there, *panel, *value, *copy;
    int32_t *guess, *found;
    uint64_t *key;
};

/* The nearest `most` of one patch among `value` (p,): places and values, nearest first.
 * `guess` (2 most,) are the nearest of the date before, and become those of this one. */
static void nearest(const float *value, int64_t p, int64_t k, int64_t most,
                    int32_t *guess, const struct room *at, int32_t *index, float *mean)
{
    int64_t known = 0, count;
    float bound = 0, step;
    for (int64_t g = 0; g < 2 * most; g++)
        if (guess[g] >= 0 && value[guess[g]] < INFINITY)
            at->copy[known++] = value[guess[g]];
    if (known >= k) {
        bound = kth(at->copy, known, k - 1);
    } else if (2 * known >= k) {
        bound = kth(at->copy, known, known - 1);
    } else {
        memcpy(at->copy, value, (size_t)p * sizeof *value);
        bound = kth(at->copy, p, (k < p ? k : p) - 1);
    }
    /* Whatever the bound, the nearest k are right where it holds as many: an infinite
     * value is nobody's. */
    step = bound < INFINITY ? 0.02f * bound + 1e-30f : 0;
    if (!(bound < INFINITY)) bound = 3.402823466e38f;
    while ((count = within(value, p, bound, at->found)) < k) {
        if (step == 0 || !(bound + step < INFINITY)) break;
        bound += step;
        step *= 2;
    }
    for (int64_t c = 0; c < count; c++) {
        uint32_t bits;
        memcpy(&bits, value + at->found[c], sizeof bits);
        at->key[c] = (uint64_t)bits << 32 | (uint32_t)at->found[c];
    }
    sort_keys(at->key, count);
    for (int64_t c = 0; c < 2 * most; c++)
        guess[c] = c < count ? (int32_t)(uint32_t)at->key[c] : -1;
    for (int64_t c = 0; c < k && c < count; c++) {
        uint32_t bits = (uint32_t)(at->key[c] >> 32);
        index[c] = guess[c];
        memcpy(mean + c, &bits, sizeof bits);
    }
}

/* For each patch of `vectors` (n, t, r) and date on which it is `clear` (n, t): the wanted[date]
 * patches of `pool` (p, all, r), seen as `pool_clear` (p, all), that are clear on the date
 * and whose histories before it ran nearest. `column` (t,) places the dates among the
 * pool's, `own` (n,) is a patch's place in the pool or -1. Fills `index` (n, t, most), -1
 * beforehand, and `mean` (n, t, most), infinite beforehand. No date after a date matters to
 * it. Returns 0, or 1 without memory. */
KERNEL int controls(const float *vectors, const uint8_t *clear, const float *pool,
                    const uint8_t *pool_clear, const int64_t *column, const int64_t *own,
                    const int64_t *wanted, int64_t n, int64_t t, int64_t r, int64_t p,
                    int64_t all, int64_t most, int32_t *index, float *mean)
{
    int64_t wide = (p + PANEL - 1) / PANEL * PANEL;
    int64_t near = wide > 2 * most ? wide : 2 * most;
    size_t float_size = sizeof(float), rows = (size_t)ROWS;
    struct room at = {
        .squared = malloc(rows * (size_t)wide * float_size),
        .shared = malloc(rows * (size_t)wide * float_size),
        .there = malloc((size_t)wide * float_size),
        .panel = malloc((size_t)(r + 1) * PANEL * float_size),
        .value = malloc((size_t)wide * float_size),
        .copy = malloc((size_t)near * float_size),
        .guess = malloc(rows * 2 * (size_t)most * sizeof(int32_t)),
        .found = malloc((size_t)wide * sizeof(int32_t)),
        .key = malloc((size_t)wide * sizeof(uint64_t)),
    };
    int failed = !(at.squared && at.shared && at.there && at.panel && at.value && at.copy &&
                   at.guess && at.found && at.key);
    for (int64_t first = 0; first < n && !failed; first += ROWS) {
        int64_t here = n - first < ROWS ? n - first : ROWS;
        memset(at.squared, 0, rows * (size_t)wide * float_size);
        memset(at.shared, 0, rows * (size_t)wide * float_size);
        memset(at.guess, 0xFF, rows * 2 * (size_t)most * sizeof(int32_t));
        for (int64_t d = 0; d < t; d++) {
            for (int64_t j = 0; j < wide; j++)
                at.there[j] = j < p && pool_clear[j * all + column[d]] ? 1.0f : 0.0f;
            for (int64_t i = 0; i < here && wanted[d] > 0; i++) {
                int64_t row = first + i, place = row * t + d;
                if (!clear[place]) continue;
                means(at.squared + i * wide, at.shared + i * wide, at.there, wide,
                      at.value);
                if (own[row] >= 0) at.value[own[row]] = INFINITY;
                nearest(at.value, p, wanted[d], most, at.guess + 2 * i * most, &at,
                        index + place * most, mean + place * most);
            }
            for (int64_t start = 0; start < wide; start += PANEL) {
                for (int64_t j = 0; j < PANEL; j++)
                    for (int64_t c = 0; c < r; c++)
                        at.panel[c * PANEL + j] =
                            at.there[start + j] > 0
                                ? pool[((start + j) * all + column[d]) * r + c]
                                : 0.0f;
                for (int64_t i = 0; i < here; i++)
                    if (clear[(first + i) * t + d])
                        add_panel(vectors + ((first + i) * t + d) * r, at.panel,
                                  at.there + start, r, at.squared + i * wide + start,
                                  at.shared + i * wide + start);
            }
        }
    }
    free(at.squared), free(at.shared), free(at.there), free(at.panel), free(at.value);
    free(at.copy), free(at.guess), free(at.found), free(at.key);
    return failed;
}

/* Sixteen sums at once, which the compiler may not make of one by itself. */
static inline float squared_gap(const float *a, const float *b, int64_t r)
{
    float part[16] = {0}, sum = 0;
    int64_t e = 0;
    for (; e + 16 <= r; e += 16)
        for (int j = 0; j < 16; j++) {
            float gap = a[e + j] - b[e + j];
            part[j] += gap * gap;
        }
    for (int j = 0; e < r; e++, j++) {
        float gap = a[e] - b[e];
        part[j] += gap * gap;
    }
    for (int j = 0; j < 16; j++) sum += part[j];
    return sum;
}

static float median(const float *value, int64_t n, float *copy)
{
    memcpy(copy, value, (size_t)n * sizeof *value);
    float high = kth(copy, n, n / 2);
    if (n % 2) return high;
    memcpy(copy, value, (size_t)n * sizeof *value);
    return 0.5f * (high + kth(copy, n, n / 2 - 1));
}

/* For each row of `index` (m, k): the weighted geometric median of those rows of `pool`
 * (p, all, r) on date `column`, by `steps` of Weiszfeld's iteration from the weighted mean.
 * `weight` (m, k) sums to 1; -1 in `index` is no control; `room` is (k, r + 4). */
CLONES KERNEL void middles(const int32_t *index, const float *weight, const float *pool,
                           int64_t column, int64_t m, int64_t k, int64_t r, int64_t all,
                           int64_t steps, float *room, float *middle)
{
    float *seen = room, *apart = room + k * r, *pull = apart + k, *copy = pull + k,
          *share = copy + k;
    for (int64_t i = 0; i < m; i++) {
        float *at = middle + i * r;
        int64_t held = 0;
        for (int64_t c = 0; c < k; c++) {
            int64_t place = index[i * k + c];
            if (place < 0) continue;
            memcpy(seen + held * r, pool + (place * all + column) * r,
                   (size_t)r * sizeof *seen);
            share[held] = pull[held] = weight[i * k + c];
            held++;
        }
        for (int64_t step = 0; step <= steps; step++) {
            if (step && held) {
                float total = 0;
                for (int64_t c = 0; c < held; c++) {
                    apart[c] = sqrtf(squared_gap(seen + c * r, at, r));
                }
                float least = 0.01f * median(apart, held, copy) + 1e-12f;
                for (int64_t c = 0; c < held; c++) {
                    pull[c] = share[c] / (apart[c] > least ? apart[c] : least);
                    total += pull[c];
                }
                for (int64_t c = 0; c < held; c++)
                    pull[c] /= total > 1e-30f ? total : 1e-30f;
            }
            memset(at, 0, (size_t)r * sizeof *at);
            for (int64_t c = 0; c < held; c++)
                for (int64_t e = 0; e < r; e++) at[e] += pull[c] * seen[c * r + e];
        }
    }
}
