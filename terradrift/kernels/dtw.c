/* Dynamic time warping of many series against a path: distances, and who meets whom.
 *
 * Sixteen series lie side by side, so that every step of the recursion is one instruction
 * for all of them. */
#include "kernel.h"

KERNEL_MODULE(dtw)

enum { LANES = 16, HIGH = 4, WIDE = 4 };

/* One number of each of sixteen series. Compilers of plain loops over them keep the sums in
 * memory, many times slower. */
typedef float lanes __attribute__((vector_size(64)));

static const float FAR = 1e30f;

/* Squared distances of HIGH steps of the series from WIDE steps of the path, over d
 * dimensions. `x` is (.., d, LANES) from the first step, `c` (.., d). */
INLINE void patch(const float *restrict x, const float *restrict c, int64_t d,
                  float *restrict out, int64_t across)
{
    lanes sum[HIGH][WIDE];
    for (int a = 0; a < HIGH; a++)
        for (int b = 0; b < WIDE; b++) sum[a][b] = (lanes){0};
    for (int64_t e = 0; e < d; e++) {
        lanes row[HIGH];
        for (int a = 0; a < HIGH; a++)
            memcpy(&row[a], x + (a * d + e) * LANES, sizeof row[a]);
        for (int b = 0; b < WIDE; b++) {
            float at = c[b * d + e];
            for (int a = 0; a < HIGH; a++) {
                lanes gap = row[a] - at;
                sum[a][b] += gap * gap;
            }
        }
    }
    for (int a = 0; a < HIGH; a++)
        for (int b = 0; b < WIDE; b++)
            memcpy(out + (a * across + b) * LANES, &sum[a][b], sizeof sum[a][b]);
}

/* Where a row of the band begins and ends. */
static inline int64_t first_of(int64_t a, int64_t band) { return a > band ? a - band : 0; }
static inline int64_t after(int64_t a, int64_t band, int64_t s)
{
    return a + band + 1 < s ? a + band + 1 : s;
}

/* Fills `cost` (s + HIGH, s + WIDE, LANES) within the band, then sums along the best way:
 * `cost` at (a, b) becomes the least sum of a way from (0, 0) to it. `x` is
 * (s + HIGH, d, LANES) and `c` (s + WIDE, d), both with zeros at the end. */
CLONES static void warp(const float *restrict x, const float *restrict c, int64_t s,
                        int64_t d, int64_t band, float *restrict cost)
{
    int64_t across = s + WIDE;
    for (int64_t a = 0; a < s; a += HIGH) {
        int64_t last = a + HIGH < s ? a + HIGH - 1 : s - 1;
        for (int64_t b = first_of(a, band); b < after(last, band, s); b += WIDE)
            patch(x + a * d * LANES, c + b * d, d, cost + (a * across + b) * LANES,
                  across);
    }
    for (int64_t a = 0; a < s; a++) {
        int64_t from = first_of(a, band), to = after(a, band, s);
        for (int64_t b = from; b < to; b++) {
            float *here = cost + (a * across + b) * LANES;
            const float *up = here - across * LANES, *left = here - LANES,
                        *corner = up - LANES;
            int has_up = a > 0 && b < after(a - 1, band, s), has_left = b > from,
                has_corner = a > 0 && b > first_of(a - 1, band);
            if (!a && !b) continue;
            for (int l = 0; l < LANES; l++) {
                float best = has_corner ? corner[l] : FAR;
                float other = has_up ? up[l] : FAR, third = has_left ? left[l] : FAR;
                best = other < best ? other : best;
                best = third < best ? third : best;
                here[l] += best;
            }
        }
    }
}

/* Sixteen of the series (n, s, d) side by side, (s + HIGH, d, LANES); beyond `many` the
 * first once more. */
static void beside(const float *series, const int64_t *row, int64_t many, int64_t s,
                   int64_t d, float *restrict x)
{
    for (int64_t l = 0; l < LANES; l++) {
        const float *one = series + row[l < many ? l : 0] * s * d;
        for (int64_t i = 0; i < s * d; i++) x[i * LANES + l] = one[i];
    }
    memset(x + s * d * LANES, 0, (size_t)(HIGH * d * LANES) * sizeof *x);
}

struct room {
    float *x, *c, *cost;
};

static int furnish(struct room *room, int64_t paths, int64_t s, int64_t d)
{
    room->x = malloc((size_t)((s + HIGH) * d * LANES) * sizeof(float));
    room->c = calloc((size_t)(paths * (s + WIDE) * d), sizeof(float));
    room->cost = malloc((size_t)((s + HIGH) * (s + WIDE) * LANES) * sizeof(float));
    return !(room->x && room->c && room->cost);
}

static void clear(struct room *room)
{
    free(room->x);
    free(room->c);
    free(room->cost);
}

/* Squared distances (n, k) of series (n, s, d) from paths (k, s, d): the least sum of
 * squared distances of steps that are met, in order, no more than `band` apart. Returns 0,
 * or 1 without memory. */
KERNEL int dtw_distances(const float *series, const float *paths, int64_t n, int64_t k,
                         int64_t s, int64_t d, int64_t band, float *out)
{
    struct room room;
    int failed = furnish(&room, k, s, d);
    for (int64_t p = 0; p < k && !failed; p++)
        memcpy(room.c + p * (s + WIDE) * d, paths + p * s * d,
               (size_t)(s * d) * sizeof(float));
    for (int64_t first = 0; first < n && !failed; first += LANES) {
        int64_t many = n - first < LANES ? n - first : LANES, row[LANES];
        for (int64_t l = 0; l < many; l++) row[l] = first + l;
        beside(series, row, many, s, d, room.x);
        for (int64_t p = 0; p < k; p++) {
            warp(room.x, room.c + p * (s + WIDE) * d, s, d, band, room.cost);
            const float *end = room.cost + ((s - 1) * (s + WIDE) + s - 1) * LANES;
            for (int64_t l = 0; l < many; l++) out[(first + l) * k + p] = end[l];
        }
    }
    clear(&room);
    return failed;
}

/* Adds the series (., s, d) of `rows` (m,) to `sums` (s, d) where their steps meet those of
 * one path (s, d) on the best way, and to `counts` (s,) how many did. Of equal ways the one
 * that goes back by both, then by the series, is taken. Returns 0, or 1 without memory. */
KERNEL int dtw_meet(const float *series, const int64_t *rows, const float *path, int64_t m,
                    int64_t s, int64_t d, int64_t band, double *sums, int64_t *counts)
{
    struct room room;
    int failed = furnish(&room, 1, s, d);
    int64_t across = s + WIDE;
    if (!failed) memcpy(room.c, path, (size_t)(s * d) * sizeof(float));
    for (int64_t first = 0; first < m && !failed; first += LANES) {
        int64_t many = m - first < LANES ? m - first : LANES;
        beside(series, rows + first, many, s, d, room.x);
        warp(room.x, room.c, s, d, band, room.cost);
        for (int64_t l = 0; l < many; l++) {
            const float *one = series + rows[first + l] * s * d;
            int64_t a = s - 1, b = s - 1;
            for (;;) {
                double *sum = sums + b * d;
                for (int64_t e = 0; e < d; e++) sum[e] += one[a * d + e];
                counts[b]++;
                if (!a && !b) break;
                const float *here = room.cost + (a * across + b) * LANES + l;
                float corner = FAR, up = FAR, left = FAR;
                if (a && b > first_of(a - 1, band)) corner = here[-(across + 1) * LANES];
                if (a && b < after(a - 1, band, s)) up = here[-across * LANES];
                if (b > first_of(a, band)) left = here[-LANES];
                if (corner <= up && corner <= left) {
                    a--;
                    b--;
                } else if (up <= left) {
                    a--;
                } else {
                    b--;
                }
            }
        }
    }
    clear(&room);
    return failed;
}
