/* Novelty LOF of observations against windows of their series.
 *
 * A window moves along its series: the distances of each of its observations to the others
 * are kept in order, so an observation that comes or goes is a short move in each list. */
#include "kernel.h"

#define LANES 16
#define TINY 1e-10 /* scikit-learn's, against division by zero */

struct window {
    int64_t room;        /* of a list */
    int64_t start, end;  /* of the window */
    float *ordered;      /* (t, room), distances to the others in the window, ascending */
    float *k_distance;   /* (t) */
    float *gap;          /* (k), distances of the nearest to the observation, ascending */
    int64_t *near;       /* (k), where these stand */
};

static void insert(float *list, int64_t n, float value) {
    while (n && list[n - 1] > value) {
        list[n] = list[n - 1];
        n--;
    }
    list[n] = value;
}

static void drop(float *list, int64_t n, float value) {
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (list[middle] < value) low = middle + 1;
        else high = middle;
    }
    memmove(list + low, list + low + 1, sizeof *list * (n - low - 1));
}

static void leave(struct window *w, const float *apart, int64_t t) {
    int64_t gone = w->start++, others = w->end - gone - 1;
    for (int64_t j = w->start; j < w->end; j++)
        drop(w->ordered + j * w->room, others, apart[j * t + gone]);
}

static void enter(struct window *w, const float *apart, int64_t t) {
    int64_t come = w->end++;
    float *own = w->ordered + come * w->room;
    for (int64_t j = w->start; j < come; j++) {
        insert(w->ordered + j * w->room, come - w->start - 1, apart[j * t + come]);
        insert(own, j - w->start, apart[come * t + j]);
    }
}

static void move(struct window *w, const float *apart, int64_t t, int64_t start,
                 int64_t end) {
    if (start < w->start || end < w->end || start >= w->end) w->start = w->end = start;
    while (w->start < start) leave(w, apart, t);
    while (w->end < end) enter(w, apart, t);
}

/* 1 / mean reachability of a member to its k nearest, of which no more may be as near. */
CLONES static double density(const float *apart, const float *k_distance, float reach,
                             int64_t n, int64_t k) {
    float sum[LANES] = {0};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int i = 0; i < LANES; i++) {
            float far = apart[j + i] > k_distance[j + i] ? apart[j + i] : k_distance[j + i];
            sum[i] += apart[j + i] <= reach ? far : 0.0f;
        }
    for (int i = 0; j + i < n; i++) {
        float far = apart[j + i] > k_distance[j + i] ? apart[j + i] : k_distance[j + i];
        sum[i] += apart[j + i] <= reach ? far : 0.0f;
    }
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) sum[i] += sum[i + half];
    return 1 / ((double)sum[0] / k + TINY);
}

/* The k nearest to the observation; of equal ones the earlier. */
static void nearest(struct window *w, const float *gaps, int64_t k) {
    int64_t found = 0;
    for (int64_t j = w->start; j < w->end; j++) {
        if (found == k && !(gaps[j] < w->gap[k - 1])) continue;
        int64_t at = found < k ? found++ : k - 1;
        for (; at && w->gap[at - 1] > gaps[j]; at--) {
            w->gap[at] = w->gap[at - 1];
            w->near[at] = w->near[at - 1];
        }
        w->gap[at] = gaps[j];
        w->near[at] = j;
    }
}

/* Returns whether more than k stand within the k-distance of a member that counts, or more
 * than k in one place: the score is not to be used then. */
static int judge(struct window *w, const float *apart, int64_t t, int64_t query, int64_t k,
                 float *score) {
    int64_t n = w->end - w->start;
    int crowded = 0;
    if (k > n - 1) k = n - 1;
    for (int64_t j = w->start; j < w->end; j++) {
        w->k_distance[j] = w->ordered[j * w->room + k - 1];
        crowded |= w->k_distance[j] == 0;
    }
    nearest(w, apart + query * t, k);
    double around = 0, reach = 0;
    for (int64_t i = 0; i < k; i++) {
        int64_t j = w->near[i];
        float own = w->k_distance[j];
        crowded |= k < n - 1 && w->ordered[j * w->room + k] == own;
        around += density(apart + j * t + w->start, w->k_distance + w->start, own, n, k);
        reach += w->gap[i] > own ? w->gap[i] : own;
    }
    *score = (float)(around / k * (reach / k + TINY));
    return crowded;
}

/* Scores p observations, as `windows._quick` of Python; 0, or -1 where memory is lacking.
 *
 * apart (n, t, t), with a large number on the diagonals; row, query, start, width (p); the
 * widest window holds `room`. Quick where they are in order of row and start. */
KERNEL int windows(const float *apart, int64_t t, const int64_t *row, const int64_t *query,
                   const int64_t *start, const int64_t *width, int64_t p, int64_t room,
                   int64_t k, float *score, uint8_t *crowded) {
    if (k > room - 1) k = room - 1;
    struct window w = {room, 0, 0, malloc(sizeof(float) * t * room),
                       malloc(sizeof(float) * t), malloc(sizeof(float) * k),
                       malloc(sizeof(int64_t) * k)};
    int lacking = !w.ordered || !w.k_distance || !w.gap || !w.near;
    for (int64_t i = 0; !lacking && i < p; i++) {
        const float *own = apart + row[i] * t * t;
        if (i && row[i] != row[i - 1]) w.start = w.end = start[i];
        move(&w, own, t, start[i], start[i] + width[i]);
        crowded[i] = (uint8_t)judge(&w, own, t, query[i], k, score + i);
    }
    free(w.ordered);
    free(w.k_distance);
    free(w.gap);
    free(w.near);
    return lacking ? -1 : 0;
}

KERNEL_MODULE(novelty)
