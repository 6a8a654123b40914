/* Cosines between all clear observations of each patch (terradrift/detect/gram.py, which
 * has the twin). A patch is turned to single precision once, into the cache, and one half
 * of the symmetric matrix is worked out. */
#include "half.h"

KERNEL_MODULE(gram)

#define SIDE 4

#if defined(__GNUC__)
typedef float lanes_t __attribute__((vector_size(LANE * sizeof(float))));
#define INNER_BLOCK inner_lanes
#else
#define INNER_BLOCK inner_plain
#endif

/* products (SIDE, SIDE) of SIDE rows with SIDE rows, each of `width` values, a multiple of
 * LANE. */
#if defined(__GNUC__)
INLINE void inner_lanes(const float *rows, const float *others, int64_t width, float *products) {
    lanes_t sums[SIDE][SIDE] = {{{0}}};
    for (int64_t k = 0; k < width; k += LANE) {
        lanes_t a[SIDE], b;
        for (int i = 0; i < SIDE; i++) memcpy(&a[i], rows + i * width + k, sizeof(b));
        for (int j = 0; j < SIDE; j++) {
            memcpy(&b, others + j * width + k, sizeof(b));
            for (int i = 0; i < SIDE; i++) sums[i][j] += a[i] * b;
        }
    }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            float sum = 0.0f;
            for (int l = 0; l < LANE; l++) sum += sums[i][j][l];
            products[i * SIDE + j] = sum;
        }
}
#else
static void inner_plain(const float *rows, const float *others, int64_t width, float *products) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            float sums[LANE] = {0}, sum = 0.0f;
            for (int64_t k = 0; k < width; k += LANE)
                for (int l = 0; l < LANE; l++)
                    sums[l] += rows[i * width + k + l] * others[j * width + k + l];
            for (int l = 0; l < LANE; l++) sum += sums[l];
            products[i * SIDE + j] = sum;
        }
}
#endif

/* One row of half or single precision at length 1, zeros beyond `d`. */
INLINE void unit_row(const void *from, int64_t half, int64_t d, int64_t width, float *to) {
    float squares[LANE] = {0}, square = 0.0f;
    if (half) half_single(from, to, d);
    else memcpy(to, from, (size_t)d * sizeof(float));
    for (int64_t k = d; k < width; k++) to[k] = 0.0f;
    for (int64_t k = 0; k < width; k += LANE)
        for (int l = 0; l < LANE; l++) squares[l] += to[k + l] * to[k + l];
    for (int l = 0; l < LANE; l++) square += squares[l];
    const float length = sqrtf(square);
    const float scale = length > 0.0f ? 1.0f / length : 1.0f;
    for (int64_t k = 0; k < width; k++) to[k] *= scale;
}

/* vectors (n, t, d) half or single, clear (n, t); found (n, t, t) is zeros and gets the
 * cosines where both are clear. Returns other than 0 where memory was short. */
KERNEL CLONES int cosines(const void *vectors, const uint8_t *clear, int64_t half, int64_t n,
                          int64_t t, int64_t d, float *found) {
    const int64_t width = (d + LANE - 1) / LANE * LANE, most = (t + SIDE - 1) / SIDE * SIDE;
    const int64_t bytes = d * (half ? 2 : 4);
    char *memory = malloc((size_t)(most * width) * sizeof(float) + 64 +
                          (size_t)most * sizeof(int64_t) + 64);
    if (memory == NULL) return 1;
    float *rows = (float *)(((uintptr_t)memory + 63) / 64 * 64);
    int64_t *date = (int64_t *)(rows + most * width);
    for (int64_t p = 0; p < n; p++) {
        int64_t count = 0;
        float *matrix = found + p * t * t;
        for (int64_t at = 0; at < t; at++) {
            if (!clear[p * t + at]) continue;
            unit_row((const char *)vectors + (p * t + at) * bytes, half, d, width,
                     rows + count * width);
            date[count++] = at;
        }
        /* The last block of rows is filled up with zeros. */
        const int64_t whole = (count + SIDE - 1) / SIDE * SIDE;
        memset(rows + count * width, 0, (size_t)((whole - count) * width) * sizeof(float));
        for (int64_t i = 0; i < count; i += SIDE)
            for (int64_t j = 0; j <= i; j += SIDE) {
                float products[SIDE * SIDE];
                INNER_BLOCK(rows + i * width, rows + j * width, width, products);
                for (int64_t a = i; a < i + SIDE && a < count; a++)
                    for (int64_t b = j; b < j + SIDE && b <= a; b++) {
                        const float value = products[(a - i) * SIDE + b - j];
                        matrix[date[a] * t + date[b]] = value;
                        matrix[date[b] * t + date[a]] = value;
                    }
            }
    }
    free(memory);
    return 0;
}
