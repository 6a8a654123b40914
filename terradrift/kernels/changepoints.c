/* Exact least squares segmentation of series, and their best single break
 * (terradrift/detect/changepoints.py, which has the twins and says what is computed). */
#include "kernel.h"

KERNEL_MODULE(changepoints)

#define LANES 8

/* What one series is worked on in; sums are those before each of its clear dates. */
typedef struct {
    double *total;   /* r rows of t + 1 */
    double *square;  /* t + 1 */
    double *inverse; /* at t - k: 1 / k, so that lengths fall as starts rise */
    double *value;   /* t + 1, padded: what each start would cost */
    double *best;    /* t + 1: cost of the best segmentation of the dates before, and penalties */
    double *cost;    /* t + 1: as `best`, without penalties */
    int64_t *start;  /* t + 1: where its last segment begins */
    int64_t *date;   /* t */
    double *mean;    /* r */
    int64_t row;     /* doubles from one row of `total` to the next */
} work_t;

static double *take(double **from, int64_t count) {
    double *here = *from;
    *from += count;
    return here;
}

static int prepare(work_t *work, void **memory, int64_t t, int64_t r) {
    const int64_t row = (t + 1 + 2 * LANES) / LANES * LANES;
    const size_t doubles = (size_t)((r + 5) * row + r);
    const size_t integers = (size_t)(2 * row);
    char *raw = calloc(doubles * sizeof(double) + integers * sizeof(int64_t), 1);
    if (raw == NULL) return 1;
    *memory = raw;
    double *next = (double *)raw;
    work->total = take(&next, r * row);
    work->square = take(&next, row);
    work->inverse = take(&next, row);
    work->value = take(&next, row);
    work->best = take(&next, row);
    work->cost = take(&next, row);
    work->mean = take(&next, r);
    work->start = (int64_t *)next;
    work->date = work->start + row;
    work->row = row;
    for (int64_t k = 1; k <= t; k++) work->inverse[t - k] = 1.0 / (double)k;
    return 0;
}

/* Sums over the clear dates of one series, less its mean: sums of values far from 0 would
 * lose the scatter to rounding. Returns the number of clear dates. */
INLINE int64_t sums(const work_t *work, const double *values, const uint8_t *clear, int64_t t,
                    int64_t r) {
    int64_t count = 0;
    for (int64_t k = 0; k < r; k++) work->mean[k] = 0.0;
    for (int64_t at = 0; at < t; at++) {
        if (!clear[at]) continue;
        for (int64_t k = 0; k < r; k++) work->mean[k] += values[at * r + k];
        work->date[count++] = at;
    }
    for (int64_t k = 0; k < r; k++) work->mean[k] /= (double)(count ? count : 1);
    work->square[0] = 0.0;
    for (int64_t k = 0; k < r; k++) work->total[k * work->row] = 0.0;
    for (int64_t at = 0; at < count; at++) {
        const double *value = values + work->date[at] * r;
        double length = 0.0;
        for (int64_t k = 0; k < r; k++) {
            const double centred = value[k] - work->mean[k];
            double *total = work->total + k * work->row + at;
            total[1] = total[0] + centred;
            length += centred * centred;
        }
        work->square[at + 1] = work->square[at] + length;
    }
    return count;
}

/* Squared length of the sum of what lies from each start below `stop` to `end`; where
 * `end` is 0, of what lies before the start. */
INLINE void apart(const work_t *work, int64_t end, int64_t stop, int64_t r) {
    double *restrict value = work->value;
    int64_t k = 0;
    for (int64_t i = 0; i < stop; i++) value[i] = 0.0;
    for (; k + 4 <= r; k += 4) { /* so that `value` is read and written once for four */
        const double *restrict a = work->total + k * work->row, *restrict b = a + work->row;
        const double *restrict c = b + work->row, *restrict d = c + work->row;
        const double ea = a[end], eb = b[end], ec = c[end], ed = d[end];
        for (int64_t i = 0; i < stop; i++) {
            const double ga = ea - a[i], gb = eb - b[i], gc = ec - c[i], gd = ed - d[i];
            value[i] += (ga * ga + gb * gb) + (gc * gc + gd * gd);
        }
    }
    for (; k < r; k++) {
        const double *restrict total = work->total + k * work->row;
        const double whole = total[end];
        for (int64_t i = 0; i < stop; i++) {
            const double gone = whole - total[i];
            value[i] += gone * gone;
        }
    }
}

/* The first of the smallest of `count` values; `value` is padded with what is never it. */
INLINE int64_t smallest(double *value, int64_t count) {
    double least[LANES];
    int64_t where[LANES];
    for (int64_t l = 0; l < LANES; l++) {
        least[l] = INFINITY;
        where[l] = 0;
        value[count + l] = INFINITY;
    }
    for (int64_t i = 0; i < count; i += LANES)
        for (int64_t l = 0; l < LANES; l++) {
            const int better = value[i + l] < least[l];
            least[l] = better ? value[i + l] : least[l];
            where[l] = better ? i + l : where[l];
        }
    int64_t found = 0;
    for (int64_t l = 1; l < LANES; l++)
        if (least[l] < least[found] || (least[l] == least[found] && where[l] < where[found]))
            found = l;
    return where[found];
}

/* How much one mean for the dates a..c costs more than two that meet at b. */
INLINE double rise(const work_t *work, int64_t a, int64_t b, int64_t c, int64_t r) {
    const double before = (double)(b - a), after = (double)(c - b);
    double squared = 0.0;
    for (int64_t k = 0; k < r; k++) {
        const double *total = work->total + k * work->row;
        const double gap = (total[c] - total[b]) / after - (total[b] - total[a]) / before;
        squared += gap * gap;
    }
    return squared * before * after / (before + after);
}

INLINE int64_t bits_of(double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The start of the last segment, of those up to `end`, that costs least; the first of
 * several. `value` holds what `apart` gives unless `scalar`, and then what each start costs:
 * none is below 0, so their bits order as they do, and minima of integers need no order. */
INLINE int64_t cheapest(const work_t *work, int64_t end, int64_t stop, int64_t t, int scalar) {
    const double *restrict inverse = work->inverse + (t - end);
    const double *restrict total = work->total, *restrict square = work->square;
    const double *restrict best = work->best;
    double *restrict value = work->value;
    const double sum = total[end], whole = square[end];
    for (int64_t i = 0; i < stop; i++) {
        const double gone = sum - total[i];
        const double squared = scalar ? gone * gone : value[i];
        const double cost = whole - square[i] - squared * inverse[i];
        value[i] = best[i] + (cost > 0.0 ? cost : 0.0);
    }
    int64_t least = INT64_MAX, found = INT64_MAX;
    for (int64_t i = 0; i < stop; i++) {
        const int64_t bits = bits_of(value[i]);
        least = bits < least ? bits : least;
    }
    for (int64_t i = 0; i < stop; i++) {
        const int64_t here = bits_of(value[i]) == least ? i : INT64_MAX;
        found = here < found ? here : found;
    }
    return found;
}

/* Best segmentation of the first `count` clear dates into segments of `least` or more. */
INLINE void partition(const work_t *work, int64_t count, int64_t t, int64_t r,
                             double penalty, int64_t least) {
    work->best[0] = 0.0;
    work->cost[0] = 0.0;
    for (int64_t end = 1; end < least; end++) work->best[end] = INFINITY;
    for (int64_t end = least; end <= count; end++) {
        const int64_t stop = end - least + 1;
        double squared = 0.0;
        int64_t from;
        if (r == 1) {
            from = cheapest(work, end, stop, t, 1);
        } else {
            apart(work, end, stop, r);
            from = cheapest(work, end, stop, t, 0);
        }
        for (int64_t k = 0; k < r; k++) {
            const double *total = work->total + k * work->row;
            squared += (total[end] - total[from]) * (total[end] - total[from]);
        }
        const double cost =
            work->square[end] - work->square[from] - squared * work->inverse[t - end + from];
        work->best[end] = work->value[from] + penalty;
        work->cost[end] = work->cost[from] + (cost > 0.0 ? cost : 0.0);
        work->start[end] = from;
    }
}

/* values (n, t, r), clear (n, t), penalty (n); gain (n, t) holds NaN and gets, where a new
 * segment begins, what its break gains; cost (n) gets the least squares left. Returns
 * other than 0 where memory was short. */
KERNEL CLONES int segment(const double *values, const uint8_t *clear, const double *penalty,
                          int64_t n, int64_t t, int64_t r, int64_t least, double *gain,
                          double *cost) {
    work_t work;
    void *memory;
    if (prepare(&work, &memory, t, r)) return 1;
    for (int64_t p = 0; p < n; p++) {
        const int64_t count = sums(&work, values + p * t * r, clear + p * t, t, r);
        if (count < 2 * least) { /* total[count] is 0 but for rounding */
            cost[p] = work.square[count];
            continue;
        }
        partition(&work, count, t, r, penalty[p], least);
        cost[p] = work.cost[count];
        for (int64_t end = count, at = work.start[count]; at > 0;) {
            const int64_t before = work.start[at];
            gain[p * t + work.date[at]] = rise(&work, before, at, end, r);
            end = at;
            at = before;
        }
    }
    free(memory);
    return 0;
}

/* As above with exactly one break: `first` (n) gets the date on which the second of two
 * segments begins, -1 where there are too few. */
KERNEL CLONES int single(const double *values, const uint8_t *clear, int64_t n, int64_t t,
                         int64_t r, int64_t least, int64_t *first) {
    work_t work;
    void *memory;
    if (prepare(&work, &memory, t, r)) return 1;
    for (int64_t p = 0; p < n; p++) {
        const int64_t count = sums(&work, values + p * t * r, clear + p * t, t, r);
        if (count < 2 * least) {
            first[p] = -1;
            continue;
        }
        double *restrict value = work.value;
        const double *restrict before = work.inverse + t; /* before[-k] is 1 / k */
        const double *restrict after = work.inverse + (t - count);
        /* The sum of all is 0, so what lies after is minus what lies before. */
        apart(&work, 0, count - least + 1, r);
        for (int64_t i = least; i <= count - least; i++)
            value[i] = -value[i] * (before[-i] + after[i]);
        first[p] = work.date[least + smallest(value + least, count - 2 * least + 1)];
    }
    free(memory);
    return 0;
}
