/* See on_view.h. */
#include "on_view.h"

#include "on_pairs.h"

static inline uint32_t square(int32_t x)
{
    return (uint32_t)(x * x);
}

void on_view_add(int16_t *restrict sums, const int8_t *restrict row, int32_t bands)
{
    for (int32_t i = 0; i < bands; i += 4) {
        sums[i] = (int16_t)(sums[i] + row[i]);
        sums[i + 1] = (int16_t)(sums[i + 1] + row[i + 1]);
        sums[i + 2] = (int16_t)(sums[i + 2] + row[i + 2]);
        sums[i + 3] = (int16_t)(sums[i + 3] + row[i + 3]);
    }
}

void on_view_add_squares(int16_t *restrict sums, uint32_t *restrict squares,
                         const int8_t *restrict row, int32_t bands)
{
    for (int32_t i = 0; i < bands; i += 4) {
        const int32_t x0 = row[i], x1 = row[i + 1], x2 = row[i + 2], x3 = row[i + 3];
        sums[i] = (int16_t)(sums[i] + x0);
        sums[i + 1] = (int16_t)(sums[i + 1] + x1);
        sums[i + 2] = (int16_t)(sums[i + 2] + x2);
        sums[i + 3] = (int16_t)(sums[i + 3] + x3);
        squares[i] += square(x0);
        squares[i + 1] += square(x1);
        squares[i + 2] += square(x2);
        squares[i + 3] += square(x3);
    }
}

/* The larger of each of the four numbers of two words. */
static inline uint32_t larger(uint32_t a, uint32_t b)
{
    uint32_t result;
#if ON_DSP
    __asm__("usub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
#else
    result = 0;
    for (uint32_t byte = UINT32_C(0xFF); byte != 0U; byte <<= 8) {
        result |= ((a & byte) > (b & byte)) ? (a & byte) : (b & byte);
    }
#endif
    return result;
}

void on_view_raise(uint8_t *restrict maxima, const int8_t *restrict row, int32_t bands)
{
    on_pair_t *const highest = (on_pair_t *)(void *)maxima;
    const on_pair_t *const words = (const on_pair_t *)(const void *)row;
    for (int32_t i = 0; i < (bands + 3) / 4; ++i) {
        const uint32_t above = (uint32_t)words[i] ^ UINT32_C(0x80808080); /* each plus 128 */
        highest[i] = (int32_t)larger((uint32_t)highest[i], above);
    }
}

void on_view_pool(const int16_t *sums, int32_t bands, int32_t bits, int8_t *out)
{
    const int32_t half = (1 << bits) >> 1;
    for (int32_t i = 0; i < bands; ++i) {
        out[i] = (int8_t)((sums[i] + half) >> bits);
    }
}

static int8_t element(const on_view_part_t *part, int32_t i, int32_t sum)
{
    const int64_t value = (((int64_t)part->gain * sum) + part->offset[i]) >> ON_VIEW_GAIN_BITS;
    return (int8_t)((value < INT8_MIN) ? INT8_MIN : (value > INT8_MAX) ? INT8_MAX : value);
}

void on_view_means(const on_view_part_t *part, const int16_t *sums, int8_t *out)
{
    for (int32_t i = 0; i < part->elements; ++i) {
        int32_t sum = 0;
        for (int32_t k = 0; k < part->pooled; ++k) {
            sum += *sums++;
        }
        out[i] = element(part, i, sum);
    }
}

void on_view_maxima(const on_view_part_t *part, const uint8_t *maxima, int8_t *out)
{
    for (int32_t i = 0; i < part->elements; ++i) {
        int32_t sum = 0;
        for (int32_t k = 0; k < part->pooled; ++k) {
            sum += *maxima++ - 128;
        }
        out[i] = element(part, i, sum);
    }
}

/* The square root, rounded down: one bit of it at a time, from the highest. */
static int32_t root(uint32_t x)
{
    uint32_t found = 0; /* times 2 * bit */
    for (uint32_t bit = UINT32_C(1) << 30; bit != 0U; bit >>= 2) {
        const uint32_t trial = found + bit;
        found >>= 1;
        if (x >= trial) {
            x -= trial;
            found += bit;
        }
    }
    return (int32_t)found;
}

void on_view_deviations(const on_view_part_t *part, const int16_t *sums, const uint32_t *squares,
                        uint32_t frames, int8_t *out)
{
    for (int32_t i = 0; i < part->elements; ++i) {
        int32_t sum = 0;
        for (int32_t k = 0; k < part->pooled; ++k) {
            const uint32_t variance = (frames * *squares++) - square(*sums++);
            sum += root(variance << (2 * ON_VIEW_ROOT_BITS));
        }
        out[i] = element(part, i, sum);
    }
}
