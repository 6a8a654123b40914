/* From nearest neighbours to a spanning tree, and from that to a tree of clusters. */
#include "kernel.h"

KERNEL_MODULE(linkage)

static int32_t root_of(int32_t *up, int32_t i)
{
    while (up[i] != i) i = up[i] = up[up[i]];
    return i;
}

/* Joins the `taken` ones of m components along their lightest edges; an edge whose ends
 * are joined already is left out. comp (n,) is renumbered from 0. Edges are written from
 * place `count` on. Returns their number then, or -1 without memory. */
KERNEL int64_t linkage_join(int64_t n, int64_t m, int32_t *comp, const uint8_t *taken,
                            const double *best, const int32_t *from_row,
                            const int32_t *to_row, int64_t count, int32_t *edges,
                            double *weights)
{
    int32_t *up = malloc((size_t)m * sizeof *up), *name = malloc((size_t)m * sizeof *name);
    if (!up || !name) {
        free(up);
        free(name);
        return -1;
    }
    for (int64_t c = 0; c < m; c++) up[c] = (int32_t)c;
    for (int64_t c = 0; c < m; c++) {
        if (!taken[c]) continue;
        int32_t a = root_of(up, comp[from_row[c]]), b = root_of(up, comp[to_row[c]]);
        if (a == b) continue;
        up[a > b ? a : b] = a > b ? b : a;
        edges[2 * count] = from_row[c];
        edges[2 * count + 1] = to_row[c];
        weights[count++] = best[c];
    }
    int32_t next = 0;
    for (int64_t c = 0; c < m; c++) name[c] = up[c] == c ? next++ : -1;
    for (int64_t i = 0; i < n; i++) comp[i] = name[root_of(up, comp[i])];
    free(up);
    free(name);
    return count;
}

/* The lightest known edge that leaves each of m components, among the k neighbours of its
 * rows, and what no unknown edge is lighter than. best, bound (m,); next (n,) the first
 * neighbour that may be outside, moved on. */
KERNEL void linkage_lightest(int64_t n, int64_t k, int64_t m, const int32_t *near,
                             const double *square, const double *core, const double *low,
                             const int32_t *comp, int32_t *next, double *best,
                             double *bound, int32_t *from_row, int32_t *to_row)
{
    for (int64_t c = 0; c < m; c++) best[c] = bound[c] = INFINITY;
    for (int64_t i = 0; i < n; i++) {
        int32_t c = comp[i];
        const int32_t *list = near + i * k;
        double unknown = low[i] > core[i] ? low[i] : core[i];
        if (unknown < bound[c]) bound[c] = unknown;
        if (core[i] >= best[c]) continue;
        int64_t t = next[i];
        while (t < k && comp[list[t]] == c) t++;
        next[i] = (int32_t)t;
        for (; t < k && square[i * k + t] < best[c]; t++) {
            int32_t j = list[t];
            if (comp[j] == c) continue;
            double weight = square[i * k + t];
            if (core[i] > weight) weight = core[i];
            if (core[j] > weight) weight = core[j];
            if (weight < best[c]) {
                best[c] = weight;
                from_row[c] = (int32_t)i;
                to_row[c] = j;
            }
        }
    }
}

/* A node of the tree of merges: rows first, then one for every merge. Merges of one
 * weight that touch are one node, so the tree is the same for every spanning tree. */
struct node { double weight; int32_t first, last, sibling, size, smallest; };

static void adopt(struct node *t, int32_t parent, int32_t child)
{
    if (t[parent].last < 0)
        t[parent].first = child;
    else
        t[t[parent].last].sibling = child;
    t[parent].last = child;
}

static int32_t merge(struct node *t, int32_t a, int32_t b, double weight, int32_t *made)
{
    int a_same = t[a].first >= 0 && t[a].weight == weight;
    int b_same = t[b].first >= 0 && t[b].weight == weight;
    int32_t size = t[a].size + t[b].size;
    int32_t smallest = t[a].smallest < t[b].smallest ? t[a].smallest : t[b].smallest;
    int32_t node;
    if (a_same && b_same) {
        node = a;
        t[t[a].last].sibling = t[b].first;
        t[a].last = t[b].last;
    } else if (a_same || b_same) {
        node = a_same ? a : b;
        adopt(t, node, a_same ? b : a);
    } else {
        node = (*made)++;
        t[node] = (struct node){weight, -1, -1, -1, 0, 0};
        adopt(t, node, a);
        adopt(t, node, b);
    }
    t[node].size = size;
    t[node].smallest = smallest;
    return node;
}

/* Every row below `node` leaves `cluster` at `weight`. `stack` holds n. */
static void leave(const struct node *t, int32_t node, int64_t n, int32_t cluster,
                  double weight, int32_t *parent, double *at, int32_t *stack)
{
    int64_t top = 0;
    stack[top++] = node;
    while (top) {
        int32_t v = stack[--top];
        if (v < n) {
            parent[v] = cluster;
            at[v] = weight;
            continue;
        }
        for (int32_t c = t[v].first; c >= 0; c = t[c].sibling) stack[top++] = c;
    }
}

/* The tree of clusters of at least `least` rows, cluster 0 being all.
 *
 * edges (n - 1, 2) of a spanning tree and their weights, lightest first. parent, at (n,):
 * the cluster that a row leaves, and the weight at which it does. above, born, size
 * (n,): of each cluster the one that it came from (-1 of the first), the weight at which
 * that fell apart, and its rows. Clusters that come from one are in order of their first
 * rows, and come after it. Returns the number of clusters, or -1 without memory. */
KERNEL int64_t linkage_condense(int64_t n, const int32_t *edges, const double *weights,
                                int64_t least, int32_t *parent, double *at, int32_t *above,
                                double *born, int32_t *size)
{
    struct node *t = malloc(2 * (size_t)n * sizeof *t);
    int32_t *up = malloc((size_t)n * sizeof *up), *stack = malloc((size_t)n * sizeof *stack);
    int32_t *top_of = malloc((size_t)n * sizeof *top_of);
    int32_t *begins = malloc((size_t)n * sizeof *begins);
    int64_t clusters = -1;
    if (!t || !up || !stack || !top_of || !begins) goto end;
    int32_t made = (int32_t)n;
    for (int32_t i = 0; i < n; i++) {
        up[i] = top_of[i] = i;
        t[i] = (struct node){0, -1, -1, -1, 1, i};
    }
    for (int64_t e = 0; e < n - 1; e++) {
        int32_t a = root_of(up, edges[2 * e]), b = root_of(up, edges[2 * e + 1]);
        int32_t whole = merge(t, top_of[a], top_of[b], weights[e], &made);
        up[b] = a;
        top_of[a] = whole;
    }
    clusters = 1;
    above[0] = -1;
    born[0] = INFINITY;
    begins[0] = top_of[root_of(up, 0)];
    size[0] = (int32_t)n;
    for (int64_t c = 0; c < clusters; c++) {
        int32_t node = begins[c];
        while (node >= 0) {
            int32_t large = 0, heir = -1;
            double weight = t[node].weight;
            for (int32_t v = t[node].first; v >= 0; v = t[v].sibling)
                if (t[v].size >= least) {
                    large++;
                    heir = v;
                }
            int64_t first_new = clusters;
            for (int32_t v = t[node].first; v >= 0; v = t[v].sibling) {
                if (t[v].size < least) {
                    leave(t, v, n, (int32_t)c, weight, parent, at, stack);
                } else if (large > 1) {
                    int64_t place = clusters++;
                    for (; place > first_new && t[begins[place - 1]].smallest > t[v].smallest;
                         place--)
                        begins[place] = begins[place - 1];
                    begins[place] = v;
                }
            }
            for (int64_t k = first_new; k < clusters; k++) {
                above[k] = (int32_t)c;
                born[k] = weight;
                size[k] = t[begins[k]].size;
            }
            node = large == 1 ? heir : -1;
        }
    }
end:
    free(t);
    free(up);
    free(stack);
    free(top_of);
    free(begins);
    return clusters;
}
