/**
 * @file on_log.h
 * Logarithm to base 2 of a 64-bit integer, in Q24, by normalisation and table interpolation.
 */
#ifndef ON_LOG_H
#define ON_LOG_H

#include "on_q31.h"

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
 * log2(high 2^32 + low) - 63 + top in Q24, at most 2e-4 octaves (0.0006 dB) low; top - 127 for 0.
 *
 * @param top    logarithm of 2^63, Q24
 * @param high   the upper word, below 2^31
 * @param low    the lower word
 * @param table  [ON_LOG_SEGMENTS] of on_log_segment_t from the Mel plan
 */
static inline int32_t on_log2(int32_t top, uint32_t high, uint32_t low, const on_word_t *table) {
    uint32_t zeros;
    uint32_t mantissa; /* top bit set */
    if (high != 0) {
        zeros = (uint32_t)__builtin_clz(high);
        uint32_t others = 32 - zeros;
        ON_OPAQUE(others); /* compilers know a slower way to shift two words */
        mantissa = (high << zeros) | (low >> others);
    } else if (low != 0) {
        zeros = (uint32_t)__builtin_clz(low);
        mantissa = low << zeros;
        zeros += 32;
    } else {
        return top - 127 * (1 << ON_LOG_BITS);
    }
    const on_complex_t segment = on_load(table + 2 * ((mantissa >> 26) & 31U), 0);
    const uint32_t rest = (mantissa >> 11) & 0x7FFFU;
    const uint32_t fraction = (uint32_t)segment.re + (uint32_t)segment.im * rest;
    top -= (int32_t)(zeros << ON_LOG_BITS);
    return top + (int32_t)(fraction >> (31 - ON_LOG_BITS));
}

#endif
