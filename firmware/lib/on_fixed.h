/* Fixed-point helpers of the generated networks; twin of outliernets/fixed.py.
 *
 * Rounding is that of TensorFlow Lite Micro (gemmlowp, double rounding), so that results agree bit
 * for bit. Right shifts of negative numbers are arithmetic, as on every compiler this targets.
 */
#ifndef ON_FIXED_H
#define ON_FIXED_H

#include <stdint.h>

_Static_assert((-3 >> 1) == -2, "right shifts of negative numbers must be arithmetic");

/* Layers stay functions of their own, so that counts and stack use can be told apart. */
#define ON_NOINLINE __attribute__((noinline))

static inline int32_t on_min(int32_t a, int32_t b)
{
    return (a < b) ? a : b;
}

static inline int32_t on_max(int32_t a, int32_t b)
{
    return (a > b) ? a : b;
}

/* Clamp to [low, high], which lies within int8. */
static inline int8_t on_clamp_int8(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)on_min(on_max(x, low), high);
}

/* x / 2^bits, to nearest, halves away from zero; 0 <= bits <= 31. */
static inline int32_t on_rounding_shift(int32_t x, int32_t bits)
{
    const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1U);
    const int32_t threshold = (mask >> 1) + ((x < 0) ? 1 : 0);
    return (x >> bits) + (((x & mask) > threshold) ? 1 : 0);
}

/* acc * multiplier * 2^(shift - 31), rounded twice; multiplier >= 0, -31 <= shift <= 31. */
static inline int32_t on_requantize(int32_t acc, int32_t multiplier, int32_t shift)
{
    const int32_t left = on_max(shift, 0);
    const int32_t right = on_max(-shift, 0);
    const int32_t shifted = (int32_t)((uint32_t)acc << left);
    const int64_t product = ((int64_t)shifted * multiplier) + (INT64_C(1) << 30);
    return on_rounding_shift((int32_t)(product >> 31), right);
}

#endif
