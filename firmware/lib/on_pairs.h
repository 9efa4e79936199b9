/* Two 16-bit numbers in one 32-bit word: what the Armv7E-M DSP instructions work on.
 *
 * Each function is one instruction where the processor has it (Cortex-M4, M7), and plain C with the
 * same result elsewhere, so that generated code is the same, bit for bit, on every processor.
 */
#ifndef ON_PAIRS_H
#define ON_PAIRS_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && (__ARM_FEATURE_DSP == 1) && !defined(__aarch64__)
#define ON_DSP 1
#include <arm_acle.h>
#else
#define ON_DSP 0
#endif

/* Low half first in memory. May alias the int16_t it is read from; must be aligned to 4 bytes. */
typedef int32_t __attribute__((may_alias)) on_pair_t;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pairs are read from memory as words");

static inline int32_t on_low(int32_t pair)
{
    return (int16_t)((uint32_t)pair & 0xFFFFU);
}

static inline int32_t on_high(int32_t pair)
{
    return pair >> 16;
}

/* acc + x.low * w.low + x.high * w.high; the sum must fit 32 bits. */
static inline int32_t on_dot2(int32_t x, int32_t w, int32_t acc)
{
#if ON_DSP
    return __smlad(x, w, acc);
#else
    return acc + (on_low(x) * on_low(w)) + (on_high(x) * on_high(w));
#endif
}

/* The pair (low of y, high of x): the numbers where word y follows word x, in exchanged order. */
static inline int32_t on_straddle(int32_t x, int32_t y)
{
#if ON_DSP
    int32_t pair;
    __asm__("pkhbt %0, %1, %2" : "=r"(pair) : "r"(y), "r"(x));
    return pair;
#else
    return (int32_t)(((uint32_t)x & 0xFFFF0000U) | ((uint32_t)y & 0x0000FFFFU));
#endif
}

/* The pair (low, high) of two numbers. */
static inline int32_t on_pair(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)low & 0xFFFFU) | ((uint32_t)high << 16));
}

/* x * y / 2^32, rounded down. */
static inline int32_t on_mul_high(int32_t x, int32_t y)
{
    return (int32_t)(((int64_t)x * y) >> 32);
}

/* x / 2^bits, rounded down, clamped to [0, 255]; bits is a constant, 1 to 31. */
#if ON_DSP
#define on_narrow_u8(x, bits) ((int32_t)__usat((x) >> (bits), 8))
#else
static inline int32_t on_narrow_u8(int32_t x, int32_t bits)
{
    const int32_t y = x >> bits;
    return (y < 0) ? 0 : ((y > 255) ? 255 : y);
}
#endif

/* x / 2^bits, rounded down, clamped to [-128, 127]; bits is a constant, 1 to 31. */
#if ON_DSP
#define on_narrow_s8(x, bits) ((int32_t)__ssat((x) >> (bits), 8))
#else
static inline int32_t on_narrow_s8(int32_t x, int32_t bits)
{
    const int32_t y = x >> bits;
    return (y < -128) ? -128 : ((y > 127) ? 127 : y);
}
#endif

/* Keeps the compiler from knowing what p points to, so that a table stays a table: constants that it
 * can see through become instructions that build them again at every use. */
#define ON_OPAQUE(p) __asm__("" : "+r"(p))

#endif
