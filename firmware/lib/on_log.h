/**
 * @file on_log.h
 * Logarithm to base 2 of a 64-bit integer, in Q16, by normalisation and table interpolation.
 */
#ifndef ON_LOG_H
#define ON_LOG_H

#include <stdint.h>

#define ON_LOG_SEGMENT_BITS 6

/** Entries of the table: log2(1 + i / 64) in Q16 for i = 0 ... 64. */
#define ON_LOG_TABLE_SIZE ((1 << ON_LOG_SEGMENT_BITS) + 1)

/** Stands for log2(0), in Q16: far below the logarithm of anything representable. */
#define ON_LOG_ZERO (-64 * 65536)

/**
 * log2(value) in Q16, at most 5e-5 octaves (0.00015 dB) low; ON_LOG_ZERO unless value > 0.
 *
 * @param value  an energy
 * @param table  [ON_LOG_TABLE_SIZE] from the Mel plan
 */
static inline int32_t on_log2(int64_t value, const int32_t *table) {
    if (value <= 0) {
        return ON_LOG_ZERO;
    }
    uint32_t high = (uint32_t)((uint64_t)value >> 32);
    uint32_t low = (uint32_t)value;
    int32_t exponent = 63;
    if (high == 0) {
        high = low;
        low = 0;
        exponent = 31;
    }
    int32_t zeros = __builtin_clz(high);
    uint32_t mantissa = (high << zeros) | ((low >> 1) >> (31 - zeros)); /* top bit set */
    const int32_t *entry = table + ((mantissa >> 25) & 63u);
    int32_t rest = (int32_t)((mantissa >> 10) & 0x7FFFu);
    int32_t slope = entry[1] - entry[0];
    return (exponent - zeros) * 65536 + entry[0] + ((slope * rest + 0x4000) >> 15);
}

#endif
