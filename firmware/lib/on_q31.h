/**
 * @file on_q31.h
 * Fractional arithmetic for transforms: 32-bit numbers, factors in Q31 or 16-bit samples.
 *
 * Each function is one instruction on a Cortex-M4 or M7, and plain C with the same result elsewhere.
 * What compilers do well by themselves is not here.
 */
#ifndef ON_Q31_H
#define ON_Q31_H

#include "on_pairs.h"

/** Without optimisation offsets are no constants, and assembly cannot name them. */
#if ON_DSP && defined(__OPTIMIZE__)
#define ON_Q31_DSP 1
#else
#define ON_Q31_DSP 0
#endif

/* The assembly is volatile for the reason given in on_pairs.h. */

/** x y / 2^32, to nearest, halves up: half a product if y is in Q31. */
static inline int32_t on_mul_half(int32_t x, int32_t y) {
    return on_mul_high_rounded(x, y);
}

/** a + x y / 2^32, to nearest, halves up. */
static inline int32_t on_add_mul_half(int32_t a, int32_t x, int32_t y) {
#if ON_Q31_DSP
    int32_t sum;
    __asm__ volatile("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(x), "r"(y), "r"(a));
    return sum;
#else
    return a + on_mul_half(x, y);
#endif
}

/** a - x y / 2^32, to nearest, halves up. */
static inline int32_t on_sub_mul_half(int32_t a, int32_t x, int32_t y) {
#if ON_Q31_DSP
    int32_t difference;
    __asm__ volatile("smmlsr %0, %1, %2, %3" : "=r"(difference) : "r"(x), "r"(y), "r"(a));
    return difference;
#else
    return a + (int32_t)((INT64_C(0x80000000) - (int64_t)x * y) >> 32);
#endif
}

/** a + 2 b */
static inline int32_t on_add_twice(int32_t a, int32_t b) {
#if ON_Q31_DSP
    int32_t sum;
    __asm__ volatile("add %0, %1, %2, lsl #1" : "=r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return a + 2 * b;
#endif
}

/** a - 2 b */
static inline int32_t on_sub_twice(int32_t a, int32_t b) {
#if ON_Q31_DSP
    int32_t difference;
    __asm__ volatile("sub %0, %1, %2, lsl #1" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
#else
    return a - 2 * b;
#endif
}

/** floor(a / 2) + b */
static inline int32_t on_half_plus(int32_t a, int32_t b) {
#if ON_Q31_DSP
    int32_t sum;
    __asm__ volatile("add %0, %1, %2, asr #1" : "=r"(sum) : "r"(b), "r"(a));
    return sum;
#else
    return (a >> 1) + b;
#endif
}

/** floor(a / 2) - b */
static inline int32_t on_half_minus(int32_t a, int32_t b) {
#if ON_Q31_DSP
    int32_t difference;
    __asm__ volatile("rsb %0, %1, %2, asr #1" : "=r"(difference) : "r"(b), "r"(a));
    return difference;
#else
    return (a >> 1) - b;
#endif
}

/** floor(w x.low / 2^16) */
static inline int32_t on_mul_low(int32_t w, int32_t x) {
#if ON_Q31_DSP
    int32_t product;
    __asm__ volatile("smulwb %0, %1, %2" : "=r"(product) : "r"(w), "r"(x));
    return product;
#else
    return (int32_t)(((int64_t)w * on_low(x)) >> 16);
#endif
}

/** floor(w x.high / 2^16) */
static inline int32_t on_mul_high(int32_t w, int32_t x) {
#if ON_Q31_DSP
    int32_t product;
    __asm__ volatile("smulwt %0, %1, %2" : "=r"(product) : "r"(w), "r"(x));
    return product;
#else
    return (int32_t)(((int64_t)w * on_high(x)) >> 16);
#endif
}

/** A 64-bit number in two words: compilers move pairs of registers about more than they need to. */
typedef struct {
    uint32_t low;
    uint32_t high;
} on_wide_t;

static inline uint64_t on_wide_value(on_wide_t x) {
    return ((uint64_t)x.high << 32) | x.low;
}

static inline on_wide_t on_wide(uint64_t x) {
    return (on_wide_t){(uint32_t)x, (uint32_t)(x >> 32)};
}

/** a + b */
static inline on_wide_t on_wide_add(on_wide_t a, on_wide_t b) {
#if ON_Q31_DSP
    on_wide_t result;
    __asm__ volatile("adds %0, %2, %4\n\tadc %1, %3, %5"
                     : "=&r"(result.low), "=r"(result.high)
                     : "r"(a.low), "r"(a.high), "r"(b.low), "r"(b.high)
                     : "cc");
    return result;
#else
    return on_wide(on_wide_value(a) + on_wide_value(b));
#endif
}

/** The same where the sum takes the place of a. */
static inline void on_wide_add_to(on_wide_t *a, on_wide_t b) {
#if ON_Q31_DSP
    __asm__ volatile("adds %0, %0, %2\n\tadc %1, %1, %3"
                     : "+&r"(a->low), "+r"(a->high)
                     : "r"(b.low), "r"(b.high)
                     : "cc");
#else
    *a = on_wide_add(*a, b);
#endif
}

/** a - b */
static inline on_wide_t on_wide_sub(on_wide_t a, on_wide_t b) {
#if ON_Q31_DSP
    on_wide_t result;
    __asm__ volatile("subs %0, %2, %4\n\tsbc %1, %3, %5"
                     : "=&r"(result.low), "=r"(result.high)
                     : "r"(a.low), "r"(a.high), "r"(b.low), "r"(b.high)
                     : "cc");
    return result;
#else
    return on_wide(on_wide_value(a) - on_wide_value(b));
#endif
}

/** x^2 */
static inline on_wide_t on_wide_square(int32_t x) {
#if ON_Q31_DSP
    on_wide_t square;
    __asm__ volatile("smull %0, %1, %2, %2" : "=r"(square.low), "=r"(square.high) : "r"(x));
    return square;
#else
    return on_wide((uint64_t)((int64_t)x * x));
#endif
}

/** sum + x^2 */
static inline on_wide_t on_wide_add_square(on_wide_t sum, int32_t x) {
#if ON_Q31_DSP
    __asm__ volatile("smlal %0, %1, %2, %2" : "+r"(sum.low), "+r"(sum.high) : "r"(x));
    return sum;
#else
    return on_wide_add(sum, on_wide_square(x));
#endif
}

/** floor(x y / 2^32) */
static inline on_wide_t on_wide_scale(on_wide_t x, uint32_t y) {
#if ON_Q31_DSP
    on_wide_t product;
    uint32_t rest;
    __asm__ volatile("umull %0, %1, %2, %3" : "=r"(rest), "=r"(product.low) : "r"(x.low), "r"(y));
    product.high = 0;
    __asm__ volatile("umlal %0, %1, %2, %3"
                     : "+r"(product.low), "+r"(product.high)
                     : "r"(x.high), "r"(y));
    return product;
#else
    return on_wide((uint64_t)x.high * y + (((uint64_t)x.low * y) >> 32));
#endif
}

/** A complex number; in memory re comes first. */
typedef struct {
    int32_t re;
    int32_t im;
} on_complex_t;

/** Computes z here: compilers that put it off run out of registers. */
#define ON_NOW(z) __asm__ volatile("" : "+r"((z).re), "+r"((z).im))

/** A word of memory; samples are read two at a time, so it may alias anything. */
typedef int32_t __attribute__((may_alias)) on_word_t;

/** How far from a register LDRD and STRD reach, in words. */
#define ON_REACH 255

/** Functions that take constants, which assembly can only name where they are inlined. */
#define ON_INLINE static inline __attribute__((always_inline))

/** 2^bits a - b; bits is a constant. */
ON_INLINE int32_t on_shift_minus(int32_t a, int32_t bits, int32_t b) {
#if ON_Q31_DSP
    int32_t difference;
    __asm__ volatile("rsb %0, %1, %2, lsl %3" : "=r"(difference) : "r"(b), "r"(a), "i"(bits));
    return difference;
#else
    return (int32_t)((uint32_t)a << bits) - b;
#endif
}

/** The word p[at]; at is a constant, 0 ... 1023. */
ON_INLINE int32_t on_load_word(const on_word_t *p, int32_t at) {
#if ON_Q31_DSP
    int32_t word;
    __asm__ volatile("ldr %0, [%1, %2]" : "=r"(word) : "r"(p), "i"(at * 4) : "memory");
    return word;
#else
    return p[at];
#endif
}

/** The complex number at p[at]; at is a constant. */
ON_INLINE on_complex_t on_load(const on_word_t *p, int32_t at) {
    on_complex_t z;
#if ON_Q31_DSP
    if (at < -ON_REACH || at > ON_REACH) {
        p += at;
        at = 0;
    }
    __asm__ volatile("ldrd %0, %1, [%2, %3]"
                     : "=r"(z.re), "=r"(z.im)
                     : "r"(p), "i"(at * 4)
                     : "memory");
#else
    z.re = p[at];
    z.im = p[at + 1];
#endif
    return z;
}

/** The complex number at *p, which moves on by `step` words, a constant. */
ON_INLINE on_complex_t on_load_step(const on_word_t **p, int32_t step) {
    on_complex_t z;
#if ON_Q31_DSP
    if (step <= ON_REACH) {
        __asm__ volatile("ldrd %0, %1, [%2], %3"
                         : "=r"(z.re), "=r"(z.im), "+r"(*p)
                         : "i"(step * 4)
                         : "memory");
        return z;
    }
#endif
    z = on_load(*p, 0);
    *p += step;
    return z;
}

/** p[at] = re, p[at + 1] = im; at is a constant. */
ON_INLINE void on_store(on_word_t *p, int32_t at, int32_t re, int32_t im) {
#if ON_Q31_DSP
    if (at < -ON_REACH || at > ON_REACH) {
        p += at;
        at = 0;
    }
    __asm__ volatile("strd %0, %1, [%2, %3]" : : "r"(re), "r"(im), "r"(p), "i"(at * 4) : "memory");
#else
    p[at] = re;
    p[at + 1] = im;
#endif
}

/** Store at *p, which moves on by `step` words, a constant. */
ON_INLINE void on_store_step(on_word_t **p, int32_t step, int32_t re, int32_t im) {
#if ON_Q31_DSP
    __asm__ volatile("strd %1, %2, [%0], %3"
                     : "+r"(*p)
                     : "r"(re), "r"(im), "i"(step * 4)
                     : "memory");
#else
    on_store(*p, 0, re, im);
    *p += step;
#endif
}

/* Eight words in one instruction; not in r7, which may be the frame pointer. */
#define ON_EIGHT "{r3-r6, r8-r10, r12}"
#define ON_EIGHT_CLOBBERED "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "memory"

/** sum + the squares of the 16 samples at *p, which moves behind them. */
static inline on_wide_t on_wide_add_squares(on_wide_t sum, const on_word_t **p) {
#if ON_Q31_DSP
    __asm__ volatile("ldmia %2!, " ON_EIGHT "\n\t"
                     "smlald %0, %1, r3, r3\n\t"
                     "smlald %0, %1, r4, r4\n\t"
                     "smlald %0, %1, r5, r5\n\t"
                     "smlald %0, %1, r6, r6\n\t"
                     "smlald %0, %1, r8, r8\n\t"
                     "smlald %0, %1, r9, r9\n\t"
                     "smlald %0, %1, r10, r10\n\t"
                     "smlald %0, %1, r12, r12"
                     : "+r"(sum.low), "+r"(sum.high), "+r"(*p)
                     :
                     : ON_EIGHT_CLOBBERED);
#else
    for (const on_word_t *end = *p + 8; *p != end; (*p)++) {
        sum = on_wide_add_square(on_wide_add_square(sum, on_low(**p)), on_high(**p));
    }
#endif
    return sum;
}

/** Copy 16 samples; both pointers move behind them. */
static inline void on_copy_eight(on_word_t **to, const on_word_t **from) {
#if ON_Q31_DSP
    __asm__ volatile("ldmia %1!, " ON_EIGHT "\n\t"
                     "stmia %0!, " ON_EIGHT
                     : "+r"(*to), "+r"(*from)
                     :
                     : ON_EIGHT_CLOBBERED);
#else
    for (int32_t i = 0; i < 4; i++) {
        on_complex_t x = on_load_step(from, 2);
        on_store_step(to, 2, x.re, x.im);
    }
#endif
}

#endif
