/* Search over points in blocks: nearest neighbours, and lightest edges between components.
 *
 * Points lie in blocks of at most 32 that are close together, each with the box around it.
 * Of two blocks whole tiles of distances are taken in float32; those that may count are
 * taken again in float64, and only that value is used. So the answer is that of float64
 * throughout, whatever the blocks are. */
#include "tiles.h"

KERNEL_MODULE(density)

/* Blocks are sorted into so many shelves; a search for edges goes round twice, and the
 * first time it looks at so few blocks around each. */
enum { SHELVES = 256, ROUNDS = 2, AROUND = 2 };

struct space {
    int64_t n, d, blocks;
    const float *rows;    /* (n, d), in the order of blocks; d a multiple of 8 */
    const float *columns; /* (blocks, d, 32), the same; far away beyond the last row */
    const float *boxes;   /* (blocks, 2, d), the lowest and the highest of each block */
    const float *sides;   /* (d, 3, blocks), the lowest, the highest and the mean */
    const int64_t *start; /* (blocks + 1,), first row of each block */
};

/* What a search works in: one of each block. */
struct room {
    float *gap, *far;
    uint8_t *shelf;
    int32_t *order, *sorted;
};

static void clear(struct room *room)
{
    free(room->gap);
    free(room->far);
    free(room->shelf);
    free(room->order);
    free(room->sorted);
}

/* Returns 0, or 1 without memory. */
static int furnish(struct room *room, int64_t blocks)
{
    size_t many = (size_t)blocks;
    room->gap = malloc(many * sizeof *room->gap);
    room->far = malloc(many * sizeof *room->far);
    room->shelf = malloc(many);
    room->order = malloc(many * sizeof *room->order);
    room->sorted = malloc(many * sizeof *room->sorted);
    if (room->gap && room->far && room->shelf && room->order && room->sorted) return 0;
    clear(room);
    return 1;
}

/* Squared distance of two rows; eight sums, so that every machine adds in one order. */
CLONES __attribute__((noinline)) static double apart(const float *a, const float *b, int64_t d)
{
    double s[8] = {0};
    for (int64_t c = 0; c < d; c += 8)
        for (int k = 0; k < 8; k++) {
            double t = (double)a[c + k] - (double)b[c + k];
            double square = t * t;
            s[k] += square;
        }
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

/* The most that float32 may be off, relative to a squared distance over d dimensions. */
static double slack(int64_t d) { return (double)(d + 8) * 0x1p-23; }

/* A float32 that no float32 sum for a squared distance up to `square` exceeds. */
static float above(double square, double slack)
{
    return (float)(square * (1 + slack)) + 1e-37f;
}

/* Blocks whose box may be within `limit`, a squared distance, of that of `own`: those of
 * the nearest means first, on shelves. `gap`, `far`, `shelf` and `order` hold one of each
 * block. */
CLONES __attribute__((noinline)) static int64_t plan(const struct space *s, int64_t own,
                                                     float limit, struct room *room)
{
    int64_t blocks = s->blocks, count[SHELVES + 1] = {0}, kept = 0;
    float *restrict gap = room->gap, *restrict far = room->far, most = 0;
    memset(gap, 0, (size_t)blocks * sizeof *gap);
    memset(far, 0, (size_t)blocks * sizeof *far);
    for (int64_t c = 0; c < s->d; c++) {
        const float *low = s->sides + 3 * c * blocks, *high = low + blocks;
        const float *mean = high + blocks;
        float from = low[own], to = high[own], here = mean[own];
        for (int64_t b = 0; b < blocks; b++) {
            float under = low[b] - to, over = from - high[b], aside = mean[b] - here;
            float t = under > over ? under : over;
            t = t > 0 ? t : 0;
            gap[b] += t * t;
            far[b] += aside * aside;
        }
    }
    float less = 1 - (float)slack(s->d);
    for (int64_t b = 0; b < blocks; b++) {
        if (b == own || gap[b] * less > limit) continue;
        room->order[kept++] = (int32_t)b;
        if (far[b] > most) most = far[b];
    }
    float scale = most > 0 ? (SHELVES - 1) / sqrtf(most) : 0;
    for (int64_t i = 0; i < kept; i++) {
        room->shelf[i] = (uint8_t)(sqrtf(far[room->order[i]]) * scale);
        count[room->shelf[i] + 1]++;
    }
    for (int i = 0; i < SHELVES; i++) count[i + 1] += count[i];
    for (int64_t i = 0; i < kept; i++)
        room->sorted[count[room->shelf[i]]++] = room->order[i];
    return kept;
}

static float largest(const float *limit, int rows)
{
    float most = limit[0];
    for (int r = 1; r < rows; r++) most = limit[r] > most ? limit[r] : most;
    return most;
}

/* Which of the rows of block `own` may have one of block `b` within their limits. */
static int within(const struct space *s, const struct tiles *in, int64_t own, int64_t b,
                  const float *limit, int rows, int *chosen)
{
    const float *low = s->boxes + 2 * b * s->d;
    float loose[BLOCK], more = 1 + 2 * (float)slack(s->d);
    int kept = 0;
    for (int r = 0; r < BLOCK; r++) loose[r] = r < rows ? limit[r] * more : -1;
    uint32_t bits = in->box(s->columns + own * s->d * BLOCK, low, low + s->d, s->d, loose);
    for (int r = 0; r < rows; r++) {
        chosen[kept] = r;
        kept += bits >> r & 1;
    }
    return kept;
}

/* Calls `found(row of own, row of b, its place in own)` for pairs within limits. */
#define PAIRS(s, in, own, b, limit, chosen, kept, found)                                  \
    for (int g = 0; g < (kept); g += ROWS) {                                              \
        const float *q[ROWS];                                                             \
        float most[ROWS];                                                                 \
        uint32_t bits[ROWS];                                                              \
        int member[ROWS];                                                                 \
        uint32_t real = UINT32_MAX >> (BLOCK - ((s)->start[(b) + 1] - (s)->start[b]));    \
        for (int r = 0; r < ROWS; r++) {                                                  \
            member[r] = (chosen)[g + r < (kept) ? g + r : g];                             \
            most[r] = g + r < (kept) ? (limit)[member[r]] : -1;                           \
            q[r] = (s)->rows + ((s)->start[own] + member[r]) * (s)->d;                    \
        }                                                                                 \
        if (!(in)->tile(q, (s)->columns + (b) * (s)->d * BLOCK, (s)->d, most, bits)) continue; \
        for (int r = 0; r < ROWS; r++)                                                    \
            for (uint32_t m = bits[r] & real; m; m &= m - 1) {                            \
                int l = __builtin_ctz(m);                                                 \
                found((s)->start[own] + member[r], (s)->start[b] + l, member[r]);         \
            }                                                                             \
    }

/* The k nearest other rows of each row of the blocks from `from` to `to`, nearest first
 * (equal ones in no set order): squared distances and rows, both (n, k). Returns 0, or 1
 * without memory. */
KERNEL int density_near(int64_t widest, int64_t n, int64_t d, int64_t blocks, const float *rows,
                                     const float *columns, const float *boxes, const float *sides,
                                     const int64_t *start, int64_t k, int64_t from,
                                     int64_t to, double *square, int32_t *near)
{
    const struct space s[1] = {{n, d, blocks, rows, columns, boxes, sides, start}};
    struct room room[1];
    if (furnish(room, blocks)) return 1;
    const struct tiles in[1] = {tiles_of(widest)};
    double slop = slack(d);
    float less = 1 - (float)slop;
    for (int64_t own = from; own < to; own++) {
        int size = (int)(start[own + 1] - start[own]);
        float limit[BLOCK];
        int chosen[BLOCK];
        double *mine = square + start[own] * k;
        int32_t *whom = near + start[own] * k;
        for (int r = 0; r < size; r++) limit[r] = INFINITY;
        for (int64_t e = 0; e < size * k; e++) mine[e] = INFINITY;
#define KEEP(i, j, r)                                                  \
    do {                                                               \
        int64_t me = (i), other = (j);                                 \
        if (me == other) break;                                        \
        double exact = apart(rows + me * d, rows + other * d, d);      \
        double *list = mine + (r)*k;                                   \
        int32_t *names = whom + (r)*k;                                 \
        if (!(exact < list[k - 1])) break;                             \
        int64_t at = k - 1;                                            \
        for (; at > 0 && list[at - 1] > exact; at--) {                 \
            list[at] = list[at - 1];                                   \
            names[at] = names[at - 1];                                 \
        }                                                              \
        list[at] = exact;                                              \
        names[at] = (int32_t)other;                                    \
        limit[r] = above(list[k - 1], slop);                           \
    } while (0)
        for (int r = 0; r < size; r++) chosen[r] = r;
        PAIRS(s, in, own, own, limit, chosen, size, KEEP)
        float reach = 0;
        for (int r = 0; r < size; r++) reach = limit[r] > reach ? limit[r] : reach;
        int64_t count = plan(s, own, reach, room);
        for (int64_t v = 0; v < count; v++) {
            int64_t b = room->sorted[v];
            if (room->gap[b] * less > largest(limit, size)) continue;
            int kept = within(s, in, own, b, limit, size, chosen);
            const float *low = boxes + 2 * b * d;
            if (memcmp(low, low + d, (size_t)d * sizeof *low) == 0) {
                /* Equal rows, of which there may be very many: one speaks for all. */
                int still = 0;
                for (int g = 0; g < kept; g++) {
                    int r = chosen[g];
                    const float *row = rows + (start[own] + r) * d;
                    if (apart(row, rows + start[b] * d, d) < mine[r * k + k - 1])
                        chosen[still++] = r;
                }
                kept = still;
            }
            PAIRS(s, in, own, b, limit, chosen, kept, KEEP)
        }
    }
    clear(room);
    return 0;
}

/* The lightest edge that leaves each asked component, in mutual reachability.
 *
 * comp (n,) components from 0; core (n,) squared core distances; low (n,) what no edge
 * from a row to another component, beyond those that the caller knows, is lighter than;
 * raised for the rows that are searched. asked, best, from_row, to_row: one of each
 * component: whether it is searched, and its lightest edge so far, which is made exact.
 * `of` (blocks,) the component of all rows of a block, -1 where there are several, and
 * `least` (blocks,) its smallest core. Returns 0, or 1 without memory. */
KERNEL int density_leave(int64_t widest, int64_t n, int64_t d, int64_t blocks, const float *rows,
                                      const float *columns, const float *boxes, const float *sides,
                                      const int64_t *start, int64_t many,
                                      const int64_t *which, const int32_t *comp,
                                      const double *core, double *low, const uint8_t *asked,
                                      const int32_t *of, const double *least, double *best,
                                      int32_t *from_row, int32_t *to_row)
{
    const struct space s[1] = {{n, d, blocks, rows, columns, boxes, sides, start}};
    struct room room[1];
    if (furnish(room, blocks)) return 1;
    const struct tiles in[1] = {tiles_of(widest)};
    double slop = slack(d);
    float less = 1 - (float)slop;
    for (int64_t item = 0; item < ROUNDS * many; item++) {
        /* First every block looks only around, so that the limits are tight later. */
        int whole = item >= (ROUNDS - 1) * many;
        int64_t own = which[item % many], looked = 0;
        int size = (int)(start[own + 1] - start[own]);
        const int32_t *mine = comp + start[own];
        float limit[BLOCK];
        int chosen[BLOCK];
        double reach = -1;
        for (int r = 0; r < size; r++) {
            int64_t i = start[own] + r;
            double most = best[mine[r]];
            int open = asked[mine[r]] && core[i] < most && low[i] < most;
            limit[r] = open ? above(most, slop) : -1;
            if (open && most > reach) reach = most;
        }
        if (reach < 0) continue;
#define EDGE(i, j, r)                                                            \
    do {                                                                         \
        int64_t me = (i), other = (j);                                           \
        int32_t c = mine[r];                                                     \
        if (comp[other] == c || core[other] >= best[c]) break;                   \
        double exact = apart(rows + me * d, rows + other * d, d);                \
        if (core[me] > exact) exact = core[me];                                  \
        if (core[other] > exact) exact = core[other];                            \
        if (!(exact < best[c])) break;                                           \
        best[c] = exact;                                                         \
        from_row[c] = (int32_t)me;                                               \
        to_row[c] = (int32_t)other;                                              \
        for (int p = 0; p < size; p++)                                           \
            if (mine[p] == c && limit[p] >= 0)                                   \
                limit[p] = core[start[own] + p] < exact ? above(exact, slop) : -1; \
    } while (0)
        int64_t count = plan(s, own, above(reach, slop), room);
        for (int64_t v = -1; v < count && (whole || looked < AROUND); v++) {
            int64_t b = v < 0 ? own : room->sorted[v];
            if (v >= 0 && room->gap[b] * less > largest(limit, size)) continue;
            int32_t theirs = of[b];
            float kept_limit[BLOCK];
            int open = 0;
            for (int r = 0; r < size; r++) {
                int go = limit[r] >= 0 && mine[r] != theirs && least[b] < best[mine[r]];
                kept_limit[r] = go ? limit[r] : -1;
                open |= go;
            }
            if (!open) continue;
            looked++;
            int kept = within(s, in, own, b, kept_limit, size, chosen);
            PAIRS(s, in, own, b, limit, chosen, kept, EDGE)
        }
        for (int r = 0; whole && r < size; r++) {
            int64_t i = start[own] + r;
            if (asked[mine[r]] && low[i] < best[mine[r]]) low[i] = best[mine[r]];
        }
    }
    clear(room);
    return 0;
}
