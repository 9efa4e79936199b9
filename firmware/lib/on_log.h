/**
 * @file on_log.h
 * Logarithm to base 2 of a 64-bit integer, in Q24, by normalisation and table interpolation.
 */
#ifndef ON_LOG_H
#define ON_LOG_H

#include <stdint.h>

/** Parts of an octave in the table. */
#define ON_LOG_SEGMENTS 32

/** Fraction bits of a logarithm. */
#define ON_LOG_BITS 24

/** A part of an octave: log2(1 + i / 32) plus half a unit in Q31, and slope to the next in Q16. */
typedef struct {
    uint32_t start;
    uint32_t slope;
} on_log_segment_t;

/**
 * log2(value / 2^63) in Q24, at most 2e-4 octaves (0.0006 dB) low; -127 for 0.
 *
 * @param value  a sum, below 2^63
 * @param table  [ON_LOG_SEGMENTS] from the Mel plan
 */
static inline int32_t on_log2(uint32_t high, uint32_t low, const on_log_segment_t *table) {
    uint32_t zeros;
    uint32_t mantissa; /* top bit set */
    if (high != 0) {
        zeros = (uint32_t)__builtin_clz(high);
        mantissa = (high << zeros) | (low >> (32 - zeros));
    } else if (low != 0) {
        zeros = (uint32_t)__builtin_clz(low);
        mantissa = low << zeros;
        zeros += 32;
    } else {
        return -127 * (1 << ON_LOG_BITS);
    }
    const on_log_segment_t *segment = &table[(mantissa >> 26) & 31U];
    const uint32_t rest = (mantissa >> 11) & 0x7FFFU;
    const uint32_t fraction = segment->start + segment->slope * rest;
    return (int32_t)(fraction >> (31 - ON_LOG_BITS)) - (int32_t)(zeros << ON_LOG_BITS);
}

#endif
