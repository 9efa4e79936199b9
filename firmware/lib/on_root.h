/**
 * @file on_root.h
 * Square root of a 64-bit integer by normalisation and table interpolation.
 */
#ifndef ON_ROOT_H
#define ON_ROOT_H

#include "on_pairs.h"

/** Entries of the table: sqrt(1 + i / 32) in Q30 for i = 0 ... 96. */
#define ON_ROOT_TABLE_SIZE 97

/**
 * sqrt(high 2^32 + low), rounded; at most 3e-5 (0.0003 dB) and one half low.
 *
 * @param high   below 2^30
 * @param low    the lower word
 * @param table  [ON_ROOT_TABLE_SIZE] from the Mel plan
 */
static inline uint32_t on_root(uint32_t high, uint32_t low, const int32_t *table) {
    uint32_t down = 0U - 1U;
    if (high == 0) {
        if (low == 0) {
            return 0;
        }
        high = low;
        low = 0;
        down = 15;
    }
    uint32_t zeros = (uint32_t)__builtin_clz(high) & ~1U;
    uint32_t mantissa = (high << zeros) | ((low >> 1) >> (31 - zeros)); /* 1 ... 4, Q30 */
    const int32_t *entry = table + ((mantissa >> 25) - 32U);
    int32_t rest = (int32_t)((mantissa << 7) >> 1);
    uint32_t root = (uint32_t)on_add_high(entry[0], 2 * (entry[1] - entry[0]), rest);
    down += zeros / 2;
    return (root + ((1U << down) >> 1)) >> down;
}

#endif
