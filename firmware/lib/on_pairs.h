/* Two 16-bit numbers in one 32-bit word: what the Armv7E-M DSP instructions work on.
 *
 * Each function is one instruction where the processor has it (Cortex-M4, M7), and plain C with the
 * same result elsewhere, so that generated code is the same, bit for bit, on every processor.
 */
#ifndef ON_PAIRS_H
#define ON_PAIRS_H

#include <stdint.h>

#include "on_fixed.h"

#if defined(__ARM_FEATURE_DSP) && (__ARM_FEATURE_DSP == 1) && !defined(__aarch64__)
#define ON_DSP 1
#else
#define ON_DSP 0
#endif

/* A number of a row, and two of them as one word, low half first in memory, aligned to 4 bytes. Rows
 * lie in memory that other layers use for other things, so both may alias anything. */
typedef int16_t __attribute__((may_alias)) on_half_t;
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

/* The assembly is volatile so that it stays in the order in which it is written: that order is chosen
 * to need few registers, and compilers that change it run out of them. */

/* acc + x.low * w.low + x.high * w.high; the sum must fit 32 bits. */
static inline int32_t on_dot2(int32_t x, int32_t w, int32_t acc)
{
#if ON_DSP
    int32_t sum;
    __asm__ volatile("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(w), "r"(acc));
    return sum;
#else
    return acc + (on_low(x) * on_low(w)) + (on_high(x) * on_high(w));
#endif
}

/* acc + x.low * w.high + x.high * w.low; the sum must fit 32 bits. */
static inline int32_t on_dot2x(int32_t x, int32_t w, int32_t acc)
{
#if ON_DSP
    int32_t sum;
    __asm__ volatile("smladx %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(w), "r"(acc));
    return sum;
#else
    return acc + (on_low(x) * on_high(w)) + (on_high(x) * on_low(w));
#endif
}

/* The pair (low of y, high of x): the numbers where word y follows word x, in exchanged order. */
static inline int32_t on_straddle(int32_t x, int32_t y)
{
#if ON_DSP
    int32_t pair;
    __asm__ volatile("pkhbt %0, %1, %2" : "=r"(pair) : "r"(y), "r"(x));
    return pair;
#else
    return (int32_t)(((uint32_t)x & 0xFFFF0000U) | ((uint32_t)y & 0x0000FFFFU));
#endif
}

/* a + x * y / 2^32, rounded down. */
static inline int32_t on_add_high(int32_t a, int32_t x, int32_t y)
{
#if ON_DSP
    int32_t sum;
    __asm__ volatile("smmla %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(y), "r"(a));
    return sum;
#else
    return a + (int32_t)(((int64_t)x * y) >> 32);
#endif
}

/* x * y / 2^32, to nearest, halves up. */
static inline int32_t on_mul_high_rounded(int32_t x, int32_t y)
{
#if ON_DSP
    int32_t product;
    __asm__ volatile("smmulr %0, %1, %2" : "=r"(product) : "r"(x), "r"(y));
    return product;
#else
    return (int32_t)((((int64_t)x * y) + INT64_C(0x80000000)) >> 32);
#endif
}

/* Words of a row or a table. ON_WORD is p[at], at is a constant. ON_NEXT and ON_NEXTS read one word and
 * two from *p and move p behind what was read. */
#if ON_DSP
#define ON_WORD(word, p, at) \
    __asm__ volatile("ldr %0, [%1, %2]" \
                     : "=r"(word) \
                     : "r"(p), "n"((at) * 4), "m"(*(const on_pair_t(*)[(at) + 1])(p)))
#define ON_NEXT(word, p) \
    __asm__ volatile("ldr %0, [%1], #4" : "=r"(word), "+r"(p) : "m"(*(const on_pair_t(*)[1])(p)))
#define ON_NEXTS(first, second, p) \
    __asm__ volatile("ldrd %0, %1, [%2], #8" \
                     : "=r"(first), "=r"(second), "+r"(p) \
                     : "m"(*(const on_pair_t(*)[2])(p)))
#else
#define ON_WORD(word, p, at) ((word) = (p)[at])
#define ON_NEXT(word, p) ((word) = *(p)++)
#define ON_NEXTS(first, second, p) ((first) = (p)[0], (second) = (p)[1], (p) += 2)
#endif

/* What is made of x stays behind what is written before, as a product in assembly does. */
#if ON_DSP
#define ON_IN_TURN(x) __asm__ volatile("" : "+r"(x))
#else
#define ON_IN_TURN(x) ((void)0)
#endif

/* x less 1 if it is negative: what makes rounding up of halves rounding away from zero. */
static inline int32_t on_half_from_zero(int32_t x)
{
    return x + (x >> 31);
}

/* x / 2^bits, rounded down, clamped to [0, 255]. */
static inline int32_t on_narrow_u8(int32_t x, int32_t bits)
{
    ON_IN_TURN(x);
    const int32_t y = x >> bits;
#if ON_DSP
    return (int32_t)__builtin_arm_usat(y, 8);
#else
    return on_min(on_max(y, 0), 255);
#endif
}

/* x / 2^bits, rounded down, clamped to [-128, 127]. */
static inline int32_t on_narrow_s8(int32_t x, int32_t bits)
{
    ON_IN_TURN(x);
    const int32_t y = x >> bits;
#if ON_DSP
    return (int32_t)__builtin_arm_ssat(y, 8);
#else
    return on_min(on_max(y, -128), 127);
#endif
}

#define ON_ALIGNED __attribute__((aligned(4)))

/* Keeps the compiler from knowing what p points to, so that a table stays a table: constants that it
 * can see through become instructions that build them again at every use. */
#define ON_OPAQUE(p) __asm__("" : "+r"(p))

/* Set a multiple of 4 words to 0, without the libc's memset that compilers would put in the place of a plain loop. */
static inline void on_clear(void *memory, int32_t words)
{
    on_pair_t *word = memory;
    const on_pair_t *const end = word + words;
    do {
        word[0] = 0;
        word[1] = 0;
        word[2] = 0;
        word[3] = 0;
        word += 4;
        ON_OPAQUE(word);
    } while (word != end);
}

#endif
