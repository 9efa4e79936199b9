/* Sixteen numbers of a row at a time, as floats: for processors that are best at fused multiply-adds.
 *
 * Every number is an integer below 2^24, so all sums are exact; how they are scaled was checked for
 * every sum that can occur (outliernets/kernels/scale.py).
 */
#ifndef ON_LANES_F32_H
#define ON_LANES_F32_H

#include "on_lanes.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#define ON_WIDTH 16
#define ON_HAS_FMA
#define ON_FMA(x, y, z) ((on_v_t)_mm512_fmadd_ps(x, y, z))
#define ON_MIN(x, y) ((on_v_t)_mm512_min_ps(x, y))
#define ON_MAX(x, y) ((on_v_t)_mm512_max_ps(x, y))
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define ON_WIDTH 8
#define ON_HAS_FMA
#define ON_FMA(x, y, z) ((on_v_t)_mm256_fmadd_ps(x, y, z))
#define ON_MIN(x, y) ((on_v_t)_mm256_min_ps(x, y))
#define ON_MAX(x, y) ((on_v_t)_mm256_max_ps(x, y))
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define ON_WIDTH 4
#define ON_HAS_FMA
#define ON_FMA(x, y, z) ((on_v_t)vfmaq_f32((float32x4_t)(z), (float32x4_t)(x), (float32x4_t)(y)))
#define ON_MIN(x, y) ((on_v_t)vminq_f32((float32x4_t)(x), (float32x4_t)(y)))
#define ON_MAX(x, y) ((on_v_t)vmaxq_f32((float32x4_t)(x), (float32x4_t)(y)))
#else
#define ON_WIDTH 4
#define ON_FMA(x, y, z) on_fma_(x, y, z)
#define ON_MIN(x, y) on_min_(x, y)
#define ON_MAX(x, y) on_max_(x, y)
#define ON_FLOATS __attribute__((noinline, unused)) static /* for checks, not for speed */
#endif
#ifndef ON_FLOATS
#define ON_FLOATS ON_INLINE
#endif
#define ON_PARTS (ON_LANES / ON_WIDTH)

typedef float __attribute__((may_alias)) on_float_t;
typedef float on_v_t __attribute__((vector_size(ON_WIDTH * 4)));
typedef int32_t on_vi_t __attribute__((vector_size(ON_WIDTH * 4)));
typedef int8_t on_vb_t __attribute__((vector_size(ON_WIDTH)));
typedef on_v_t on_v_loose_t __attribute__((aligned(4), may_alias));

typedef struct {
    on_v_t p[ON_PARTS];
} on_floats_t;

/* What is read with a step: val[i] begins at element i. */
typedef struct {
    on_floats_t val[1];
} on_floats1_t;
typedef struct {
    on_floats_t val[2];
} on_floats2_t;
typedef struct {
    on_floats_t val[3];
} on_floats3_t;
typedef struct {
    on_floats_t val[4];
} on_floats4_t;

/* How the sums of one output channel begin and end: sum * factor + addend, or, exactly as TensorFlow
 * Lite Micro has it, sum * multiplier * 2^(shift - 31). */
typedef struct {
    float bias, factor, addend;
    int32_t multiplier, shift;
} on_scale_f32_t;

#define ON_EACH_PART(i) for (int32_t i = 0; i < ON_PARTS; ++i)

#ifndef ON_HAS_FMA
/* Where there is no fused multiply-add: two roundings in 64 bits, of which the first is exact. */
ON_FLOATS on_v_t on_fma_(on_v_t x, on_v_t y, on_v_t z)
{
    for (int32_t i = 0; i < ON_WIDTH; ++i) {
        x[i] = (float)(((double)x[i] * (double)y[i]) + (double)z[i]);
    }
    return x;
}

ON_FLOATS on_v_t on_min_(on_v_t x, on_v_t y)
{
    for (int32_t i = 0; i < ON_WIDTH; ++i) {
        x[i] = (x[i] < y[i]) ? x[i] : y[i];
    }
    return x;
}

ON_FLOATS on_v_t on_max_(on_v_t x, on_v_t y)
{
    for (int32_t i = 0; i < ON_WIDTH; ++i) {
        x[i] = (x[i] > y[i]) ? x[i] : y[i];
    }
    return x;
}
#endif

#if ON_WIDTH == 4
#define ON_EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6)
#define ON_ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7)
#define ON_ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define ON_ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#elif ON_WIDTH == 8
#define ON_EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14)
#define ON_ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15)
#define ON_ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
#define ON_ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define ON_EVEN(x, y) \
    __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ON_ODD(x, y) \
    __builtin_shufflevector(x, y, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ON_ZIP_LOW(x, y) \
    __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ON_ZIP_HIGH(x, y) \
    __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#endif

/* ---- memory ---- */

ON_FLOATS on_v_t on_load_(const on_float_t *p)
{
    return *(const on_v_loose_t *)p;
}

ON_FLOATS void on_store_(on_float_t *p, on_v_t x)
{
    *(on_v_loose_t *)p = x;
}

ON_FLOATS on_floats_t on_load_floats(const on_float_t *p)
{
    on_floats_t x;
    ON_EACH_PART(i) x.p[i] = on_load_(p + (i * ON_WIDTH));
    return x;
}

ON_FLOATS on_floats1_t on_load1_floats(const on_float_t *p)
{
    return (on_floats1_t){{on_load_floats(p)}};
}

ON_FLOATS on_floats2_t on_load2_floats(const on_float_t *p)
{
    on_floats2_t x;
    ON_EACH_PART(i)
    {
        const on_v_t a = on_load_(p), b = on_load_(p + ON_WIDTH);
        x.val[0].p[i] = ON_EVEN(a, b);
        x.val[1].p[i] = ON_ODD(a, b);
        p += 2 * ON_WIDTH;
    }
    return x;
}

ON_FLOATS on_floats3_t on_load3_floats(const on_float_t *p)
{
    on_floats3_t x;
    for (int32_t k = 0; k < 3; ++k) {
        for (int32_t i = 0; i < ON_LANES; ++i) {
            x.val[k].p[i / ON_WIDTH][i % ON_WIDTH] = p[(3 * i) + k];
        }
    }
    return x;
}

ON_FLOATS on_floats4_t on_load4_floats(const on_float_t *p)
{
    on_floats4_t x;
    ON_EACH_PART(i)
    {
        const on_v_t a = on_load_(p), b = on_load_(p + ON_WIDTH);
        const on_v_t c = on_load_(p + (2 * ON_WIDTH)), d = on_load_(p + (3 * ON_WIDTH));
        const on_v_t even = ON_EVEN(a, b), even2 = ON_EVEN(c, d), odd = ON_ODD(a, b), odd2 = ON_ODD(c, d);
        x.val[0].p[i] = ON_EVEN(even, even2);
        x.val[1].p[i] = ON_EVEN(odd, odd2);
        x.val[2].p[i] = ON_ODD(even, even2);
        x.val[3].p[i] = ON_ODD(odd, odd2);
        p += 4 * ON_WIDTH;
    }
    return x;
}

ON_FLOATS void on_store1_floats(on_float_t *p, on_floats_t a)
{
    ON_EACH_PART(i) on_store_(p + (i * ON_WIDTH), a.p[i]);
}

ON_FLOATS void on_store2_floats(on_float_t *p, on_floats_t a, on_floats_t b)
{
    ON_EACH_PART(i)
    {
        on_store_(p, ON_ZIP_LOW(a.p[i], b.p[i]));
        on_store_(p + ON_WIDTH, ON_ZIP_HIGH(a.p[i], b.p[i]));
        p += 2 * ON_WIDTH;
    }
}

ON_FLOATS void on_store3_floats(on_float_t *p, on_floats_t a, on_floats_t b, on_floats_t c)
{
    for (int32_t i = 0; i < ON_LANES; ++i) {
        p[3 * i] = a.p[i / ON_WIDTH][i % ON_WIDTH];
        p[(3 * i) + 1] = b.p[i / ON_WIDTH][i % ON_WIDTH];
        p[(3 * i) + 2] = c.p[i / ON_WIDTH][i % ON_WIDTH];
    }
}

ON_FLOATS void on_store4_floats(on_float_t *p, on_floats_t a, on_floats_t b, on_floats_t c, on_floats_t d)
{
    ON_EACH_PART(i)
    {
        const on_v_t even = ON_ZIP_LOW(a.p[i], c.p[i]), even2 = ON_ZIP_HIGH(a.p[i], c.p[i]);
        const on_v_t odd = ON_ZIP_LOW(b.p[i], d.p[i]), odd2 = ON_ZIP_HIGH(b.p[i], d.p[i]);
        on_store_(p, ON_ZIP_LOW(even, odd));
        on_store_(p + ON_WIDTH, ON_ZIP_HIGH(even, odd));
        on_store_(p + (2 * ON_WIDTH), ON_ZIP_LOW(even2, odd2));
        on_store_(p + (3 * ON_WIDTH), ON_ZIP_HIGH(even2, odd2));
        p += 4 * ON_WIDTH;
    }
}

/* ---- arithmetic ---- */

ON_FLOATS on_v_t on_same_(float value)
{
#if ON_WIDTH == 16
    return (on_v_t){value, value, value, value, value, value, value, value,
                    value, value, value, value, value, value, value, value};
#elif ON_WIDTH == 8
    return (on_v_t){value, value, value, value, value, value, value, value};
#else
    return (on_v_t){value, value, value, value};
#endif
}

ON_FLOATS on_floats_t on_same_floats(float value)
{
    on_floats_t x;
    ON_EACH_PART(i) x.p[i] = on_same_(value);
    return x;
}

/* s + x * w. */
ON_FLOATS on_floats_t on_mul_add_floats(on_floats_t s, on_floats_t x, float w)
{
    ON_EACH_PART(i) s.p[i] = ON_FMA(x.p[i], on_same_(w), s.p[i]);
    return s;
}

ON_FLOATS on_floats_t on_max_floats(on_floats_t a, on_floats_t b)
{
    ON_EACH_PART(i) a.p[i] = ON_MAX(a.p[i], b.p[i]);
    return a;
}

#define ON_WHOLE 12582912.0F /* 1.5 * 2^23: what is added to it has no fraction */

/* s * factor + addend to nearest, clamped to [low, high]. */
ON_FLOATS on_floats_t on_scale_linear(on_floats_t s, const on_scale_f32_t *scale, float low, float high)
{
    const on_v_t factor = on_same_(scale->factor), addend = on_same_(scale->addend);
    const on_v_t whole = on_same_(ON_WHOLE);
    ON_EACH_PART(i)
    {
        const on_v_t x = (ON_FMA(s.p[i], factor, addend) + whole) - whole;
        s.p[i] = ON_MIN(ON_MAX(x, on_same_(low)), on_same_(high));
    }
    return s;
}

/* The same with more bits for the fraction: whole numbers first, then what is left. */
ON_FLOATS on_floats_t on_scale_finely(on_floats_t s, const on_scale_f32_t *scale, float low, float high)
{
    const on_v_t factor = on_same_(scale->factor), addend = on_same_(scale->addend);
    const on_v_t whole = on_same_(ON_WHOLE);
    ON_EACH_PART(i)
    {
        const on_v_t x = ON_FMA(s.p[i], factor, whole) - whole;
        const on_v_t left = ((ON_FMA(s.p[i], factor, -x) + addend) + whole) - whole;
        s.p[i] = ON_MIN(ON_MAX(x + left, on_same_(low)), on_same_(high));
    }
    return s;
}

/* s * multiplier * 2^(shift - 31), rounded twice, with the zero point, clamped to [low, high]. */
ON_FLOATS on_floats_t on_scale_exactly(on_floats_t s, const on_scale_f32_t *scale, int32_t zero, int32_t low, int32_t high)
{
    ON_EACH_PART(i)
    {
        on_vi_t x = __builtin_convertvector(s.p[i], on_vi_t);
        for (int32_t k = 0; k < ON_WIDTH; ++k) {
            x[k] = on_clamp_int8(on_requantize(x[k], scale->multiplier, scale->shift) + zero, low, high);
        }
        s.p[i] = __builtin_convertvector(x, on_v_t);
    }
    return s;
}

ON_FLOATS on_bytes_t on_bytes_of(on_floats_t x)
{
    on_bytes_t bytes;
    ON_EACH_PART(i)
    {
        const on_vb_t part = __builtin_convertvector(__builtin_convertvector(x.p[i], on_vi_t), on_vb_t);
        __builtin_memcpy((int8_t *)&bytes + (i * ON_WIDTH), &part, ON_WIDTH);
    }
    return bytes;
}

ON_FLOATS on_floats_t on_floats_of(const on_byte_t *p)
{
    on_floats_t x;
    ON_EACH_PART(i)
    {
        on_vb_t part;
        __builtin_memcpy(&part, p + (i * ON_WIDTH), ON_WIDTH);
        x.p[i] = __builtin_convertvector(part, on_v_t);
    }
    return x;
}

/* Set a multiple of 16 numbers. */
ON_FLOATS void on_fill_floats(on_float_t *p, int32_t value, int32_t count)
{
    const on_floats_t x = on_same_floats((float)value);
    for (int32_t i = 0; i < count; i += ON_LANES) {
        on_store1_floats(&p[i], x);
    }
}

#endif
