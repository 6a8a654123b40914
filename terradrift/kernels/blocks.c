/* Points into blocks of near ones, by halving and halving again. */
#include "kernel.h"

KERNEL_MODULE(blocks)

enum { SAMPLE = 256 };

/* The axis along which a sample of the rows varies most; `mean` (d,) is room to work. */
static int64_t widest(const float *x, const int64_t *rows, int64_t n, int64_t d,
                      double *mean)
{
    int64_t step = n > SAMPLE ? n / SAMPLE : 1, count = 0, best = 0;
    double most = -1;
    memset(mean, 0, 2 * (size_t)d * sizeof *mean);
    for (int64_t i = 0; i < n; i += step, count++)
        for (int64_t c = 0; c < d; c++) mean[c] += x[rows[i] * d + c];
    for (int64_t c = 0; c < d; c++) mean[c] /= (double)count;
    for (int64_t i = 0; i < n; i += step)
        for (int64_t c = 0; c < d; c++) {
            double t = x[rows[i] * d + c] - mean[c];
            mean[d + c] += t * t;
        }
    for (int64_t c = 0; c < d; c++)
        if (mean[d + c] > most) {
            most = mean[d + c];
            best = c;
        }
    return best;
}

/* Moves the rows of the `cut` smallest values before the others. */
static void select_(float *value, int64_t *rows, int64_t n, int64_t cut)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        float pivot = value[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot) i++;
            while (value[j] > pivot) j--;
            if (i <= j) {
                float v = value[i];
                int64_t r = rows[i];
                value[i] = value[j];
                rows[i++] = rows[j];
                value[j] = v;
                rows[j--] = r;
            }
        }
        if (cut <= j)
            high = j;
        else if (cut >= i)
            low = i;
        else
            return;
    }
}

/* Orders `rows` (n,) of x (all, d) so that each run of `size` of them is close together:
 * halved along the axis along which they vary most, and again. Returns 0, or 1 without
 * memory. */
KERNEL int blocks_order(const float *x, int64_t d, int64_t n, int64_t size, int64_t *rows)
{
    int64_t stack[128][2]; /* Halves: no deeper than the bits of n. */
    float *value = malloc((size_t)n * sizeof *value);
    double *work = malloc(2 * (size_t)d * sizeof *work);
    if (!value || !work) {
        free(value);
        free(work);
        return 1;
    }
    int top = 0;
    stack[top][0] = 0;
    stack[top++][1] = n;
    while (top) {
        int64_t from = stack[--top][0], many = stack[top][1] - from;
        if (many <= size) continue;
        int64_t axis = widest(x, rows + from, many, d, work);
        for (int64_t i = from; i < from + many; i++) value[i] = x[rows[i] * d + axis];
        int64_t cut = (many + 2 * size - 1) / (2 * size) * size;
        select_(value + from, rows + from, many, cut);
        stack[top][0] = from;
        stack[top++][1] = from + cut;
        stack[top][0] = from + cut;
        stack[top++][1] = from + many;
    }
    free(value);
    free(work);
    return 0;
}
