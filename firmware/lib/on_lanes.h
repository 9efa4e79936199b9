/* Sixteen numbers of a row at a time: bytes, shorts and their 32-bit sums.
 *
 * Written with NEON where the processor has it, and in plain C with the same results elsewhere.
 */
#ifndef ON_LANES_H
#define ON_LANES_H

#include <stdint.h>

#include "on_fixed.h"

#define ON_LANES 16
#define ON_INLINE static inline __attribute__((always_inline))

/* The same byte in every lane: how the tables hold weights of bytes. */
#define ON_SPREAD(w) {w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w}

/* Keeps the compiler from knowing what p points to: constants that it can see through become
 * instructions that build them again at every use. */
#define ON_HIDE(p) __asm__("" : "+r"(p))

/* How the sums of one output channel begin and end: sum * multiplier * 2^(shift - 31). */
typedef struct {
    int32_t bias, multiplier, shift;
} on_scale_t;

/* Rows lie in memory that other layers use for other things, so they may alias anything. */
typedef int8_t __attribute__((may_alias)) on_byte_t;
typedef int16_t __attribute__((may_alias)) on_short_t;
typedef int32_t __attribute__((may_alias)) on_sum_t;

#if defined(__ARM_NEON) && defined(__aarch64__)
#include "on_lanes_neon.h"
#else
#include "on_lanes_plain.h"
#endif

/* Which of the `depth` rows of a ring is a row of the map; the one behind them is padding. */
ON_INLINE uint32_t on_ring(int32_t row, int32_t rows, uint32_t depth)
{
    return ((row >= 0) && (row < rows)) ? (uint32_t)row % depth : depth;
}

/* Set a multiple of 16 numbers. */
ON_INLINE void on_fill_bytes(on_byte_t *p, int32_t value, int32_t count)
{
    const on_bytes_t x = on_same_bytes(value);
    for (int32_t i = 0; i < count; i += ON_LANES) {
        on_store1_bytes(&p[i], x);
    }
}

ON_INLINE void on_fill_shorts(on_short_t *p, int32_t value, int32_t count)
{
    const on_shorts_t x = on_widen(on_same_bytes(value), 0);
    for (int32_t i = 0; i < count; i += ON_LANES) {
        on_store1_shorts(&p[i], x);
    }
}

#endif
