/* Sums of products of bytes, four to the word, in three multiplications' worth of instructions.
 *
 * A word of weights holds two halves 256 * odd + even, made of the signed weights (even, odd) of two
 * neighbouring inputs. Multiplied by odd inputs x1 it gives 256 * odd * x1 and, too much, even * x1.
 * Even inputs are therefore kept as 256 * x0 - x1, and what is too much goes away:
 *
 *     (256 * odd + even) * x1 + even * (256 * x0 - x1) = 256 * (odd * x1 + even * x0)
 *
 * So only the even weights need to be taken out of their word. With x0 + 1 and x1 + 129 in the place
 * of the signed bytes x0 and x1, 256 * x0 - x1 takes exactly the range of an int16_t.
 */
#ifndef ON_BYTES_H
#define ON_BYTES_H

#include <stdint.h>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "on_pairs.h"

#define ON_ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__arm__) && !ON_DSP
#define ON_UNROLL _Pragma("GCC unroll 1") /* too few registers for more */
#else
#define ON_UNROLL _Pragma("GCC unroll 4")
#endif

/* Four bytes at any address. */
typedef struct {
    uint32_t word;
} __attribute__((packed, may_alias)) on_quad_t;

/* acc += x.low * w.low + x.high * w.high, modulo 2^32. */
#define ON_ADD_DOT2(acc, x, w) __asm__ volatile("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(x), "r"(w))

/* The lower byte of each half of w as a signed number, in its place. */
#define ON_LOWER_BYTES(w) __asm__ volatile("sxtb16 %0, %0" : "+r"(w))

/* acc + 256 * the sum of four products, modulo 2^32: what is on the way to a sum need not fit. */
static inline int32_t on_dot4(int32_t x1, int32_t x0, int32_t w, int32_t acc)
{
#if ON_DSP
    ON_ADD_DOT2(acc, x1, w);
    ON_LOWER_BYTES(w);
    ON_ADD_DOT2(acc, x0, w);
    return acc;
#else
    const int32_t first = (on_low(x1) * on_low(w)) + (on_low(x0) * (int8_t)(w & 0xFF));
    const int32_t second = (on_high(x1) * on_high(w)) + (on_high(x0) * (int8_t)((w >> 16) & 0xFF));
    return (int32_t)((uint32_t)acc + (uint32_t)first + (uint32_t)second);
#endif
}

/* Sums of products of a pair and eight halves, those of four units, modulo 2^32. */
#if defined(__SSE2__) || defined(__aarch64__)
typedef int16_t on_eight_t __attribute__((vector_size(16)));
typedef uint16_t on_ueight_t __attribute__((vector_size(16)));
typedef int16_t on_eight_loaded_t __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t on_four_t __attribute__((vector_size(16)));
typedef uint32_t on_ufour_t __attribute__((vector_size(16)));
#endif
#if defined(__SSE2__)
typedef struct {
    on_ufour_t sums;
} on_dots_t;

static inline on_dots_t on_dots(on_dots_t dots, int32_t x, on_eight_t w)
{
    const on_four_t pairs = { x, x, x, x };
    dots.sums += (on_ufour_t)__builtin_ia32_pmaddwd128((on_eight_t)pairs, w);
    return dots;
}

static inline void on_sum_dots(int32_t sum[4], on_dots_t dots)
{
    for (int32_t u = 0; u < 4; ++u) {
        sum[u] = (int32_t)((uint32_t)sum[u] + dots.sums[u]);
    }
}
#elif defined(__aarch64__)
typedef struct {
    int32x4_t sums[2]; /* of each product by itself: of two units, and of two more */
} on_dots_t;

static inline on_dots_t on_dots(on_dots_t dots, int32_t x, on_eight_t w)
{
    const int16x8_t pairs = vreinterpretq_s16_s32(vdupq_n_s32(x));
    dots.sums[0] = vmlal_s16(dots.sums[0], vget_low_s16(pairs), vget_low_s16((int16x8_t)w));
    dots.sums[1] = vmlal_high_s16(dots.sums[1], pairs, (int16x8_t)w);
    return dots;
}

static inline void on_sum_dots(int32_t sum[4], on_dots_t dots)
{
    vst1q_s32(sum, vaddq_s32(vld1q_s32(sum), vpaddq_s32(dots.sums[0], dots.sums[1])));
}
#endif

/* Read numbers of a unit, or of four; return where the next are. */
static inline const on_pair_t *on_read_1(const on_pair_t *from, int32_t number[1])
{
    ON_NEXT(number[0], from);
    return from;
}

static inline const on_pair_t *on_read_4(const on_pair_t *from, int32_t number[4])
{
    ON_NEXTS(number[0], number[1], from);
    ON_NEXTS(number[2], number[3], from);
    return from;
}

/* Add products of inputs x and a unit's weights to its sum; return where the next weights are. */
ON_ALWAYS_INLINE const on_pair_t *on_units_1(const on_pair_t *w, const on_pair_t *x, int32_t words, int32_t sum[1])
{
    int32_t a = sum[0], x1, x0, w0;
    ON_UNROLL
    for (int32_t i = 0; i < words; ++i) {
        ON_NEXTS(x1, x0, x);
        ON_NEXT(w0, w);
        a = on_dot4(x1, x0, w0, a);
    }
    sum[0] = a;
    return w;
}

/* The same for four units, whose words of weights take turns. */
#if ON_DSP
ON_ALWAYS_INLINE const on_pair_t *on_units_4(const on_pair_t *w, const on_pair_t *x, int32_t words, int32_t sum[4])
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    int32_t x1, x0, w0, w1, w2, w3;
    ON_UNROLL
    for (int32_t i = 0; i < words; ++i) {
        ON_NEXTS(x1, x0, x);
        ON_NEXTS(w0, w1, w);
        ON_NEXTS(w2, w3, w);
        /* A Cortex-M7 takes out one unit's bytes while it multiplies another's. */
        ON_ADD_DOT2(a, x1, w0);
        ON_LOWER_BYTES(w0);
        ON_ADD_DOT2(b, x1, w1);
        ON_LOWER_BYTES(w1);
        ON_ADD_DOT2(a, x0, w0);
        ON_ADD_DOT2(b, x0, w1);
        ON_ADD_DOT2(c, x1, w2);
        ON_LOWER_BYTES(w2);
        ON_ADD_DOT2(d, x1, w3);
        ON_LOWER_BYTES(w3);
        ON_ADD_DOT2(c, x0, w2);
        ON_ADD_DOT2(d, x0, w3);
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
    return w;
}
#elif defined(__SSE2__) || defined(__aarch64__)
ON_ALWAYS_INLINE const on_pair_t *on_units_4(const on_pair_t *w, const on_pair_t *x, int32_t words, int32_t sum[4])
{
    on_dots_t odd = { 0 }, even = { 0 };
    ON_UNROLL
    for (int32_t i = 0; i < words; ++i) {
        const on_eight_t both = *(const on_eight_loaded_t *)(const void *)w;
        odd = on_dots(odd, x[0], both);
        even = on_dots(even, x[1], (on_eight_t)((on_ueight_t)both << 8) >> 8);
        x += 2;
        w += 4;
    }
    on_sum_dots(sum, odd);
    on_sum_dots(sum, even);
    return w;
}
#else
ON_ALWAYS_INLINE const on_pair_t *on_units_4(const on_pair_t *w, const on_pair_t *x, int32_t words, int32_t sum[4])
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    ON_UNROLL
    for (int32_t i = 0; i < words; ++i) {
        const int32_t x1 = x[0], x0 = x[1];
        a = on_dot4(x1, x0, w[0], a);
        b = on_dot4(x1, x0, w[1], b);
        c = on_dot4(x1, x0, w[2], c);
        d = on_dot4(x1, x0, w[3], d);
        x += 2;
        w += 4;
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
    return w;
}
#endif

/* Each half with its two bytes exchanged. */
static inline uint32_t on_swap_bytes(uint32_t x)
{
#if ON_DSP
    uint32_t swapped;
    __asm__("rev16 %0, %1" : "=r"(swapped) : "r"(x));
    return swapped;
#else
    return ((x & 0x00FF00FFU) << 8) | ((x >> 8) & 0x00FF00FFU);
#endif
}

/* Four signed bytes x as the pairs (x[1] + 129, x[3] + 129) and, with x0 = x[0] + 1 and so on,
 * (256 * x0 - x1, 256 * x2 - x3). */
static inline void on_spread(uint32_t x, on_pair_t *pairs)
{
    const uint32_t swapped = on_swap_bytes(x);
#if ON_DSP
    int32_t odd;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(0x00810081), "r"(x));
    pairs[0] = odd;
#else
    pairs[0] = (int32_t)(((swapped & 0x00FF00FFU) ^ 0x00800080U) + 0x00010001U);
#endif
    pairs[1] = (int32_t)(swapped ^ 0x007F007FU);
}

/* Spread a row of signed bytes; its last word is filled up with any bytes, their weights are 0. */
static inline void on_spread_row(const int8_t *x, on_pair_t *pairs, int32_t length)
{
    const on_quad_t *quad = (const on_quad_t *)(const void *)x;
    const on_quad_t *const end = quad + ((length >> 3) * 2);
    for (; quad != end; quad += 2, pairs += 4) {
        on_spread(quad[0].word, pairs);
        on_spread(quad[1].word, pairs + 2);
    }
    if (length & 4) {
        on_spread(quad->word, pairs);
        pairs += 2;
    }
    if (length & 3) {
        uint32_t last = 0;
        for (int32_t i = 0; i < (length & 3); ++i) {
            last |= (uint32_t)(uint8_t)x[(length & ~3) + i] << (8 * i);
        }
        on_spread(last, pairs);
    }
}

/* How sums times 256 become int8 is explained in outliernets/ops/_bytes.py; doubled_zero is twice the
 * zero point, plus 1. Where units differ in bits, these are the low byte of the sum. */
static inline int32_t on_floor_s8(int32_t sum, int32_t multiplier, int32_t doubled_zero)
{
    const int32_t bits = sum & 0xFF;
    return on_narrow_s8((on_add_high(64, sum - bits, multiplier) >> bits) + doubled_zero, 1);
}

static inline int32_t on_floor_s8_by(int32_t sum, int32_t multiplier, int32_t doubled_zero, int32_t bits)
{
    return on_narrow_s8(on_add_high(64 + (doubled_zero * (1 << bits)), sum, multiplier), bits + 1);
}

static inline int32_t on_linear_s8(int32_t sum, int32_t multiplier, int32_t doubled_zero)
{
    const int32_t bits = sum & 0xFF;
    const int32_t t = on_add_high(64, sum - bits, multiplier);
    return on_narrow_s8((((t >> 7) + (t >> 31)) >> bits) + doubled_zero, 1);
}

static inline int32_t on_linear_s8_by(int32_t sum, int32_t multiplier, int32_t doubled_zero, int32_t bits)
{
    const int32_t t = on_add_high(64, sum, multiplier);
    return on_narrow_s8((doubled_zero * (1 << bits)) + (t >> 31) + (t >> 7), bits + 1);
}

#endif
