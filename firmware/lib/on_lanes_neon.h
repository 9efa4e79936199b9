/* on_lanes.h with NEON, of 64-bit Arm. */
#ifndef ON_LANES_NEON_H
#define ON_LANES_NEON_H

#include <arm_neon.h>

typedef int8x16_t on_bytes_t;
typedef int16x8_t on_weights_t; /* eight weights, one of which multiplies a vector */
typedef struct {
    int16x8_t low, high;
} on_shorts_t;
typedef struct {
    int32x4_t a, b, c, d;
} on_sums_t;

/* What is read with a step: val[i] begins at element i. */
typedef struct {
    on_bytes_t val[1];
} on_bytes1_t;
typedef int8x16x2_t on_bytes2_t;
typedef int8x16x3_t on_bytes3_t;
typedef int8x16x4_t on_bytes4_t;
typedef struct {
    on_shorts_t val[1];
} on_shorts1_t;
typedef struct {
    on_shorts_t val[2];
} on_shorts2_t;
typedef struct {
    on_shorts_t val[3];
} on_shorts3_t;
typedef struct {
    on_shorts_t val[4];
} on_shorts4_t;

/* ---- memory ---- */

ON_INLINE on_bytes_t on_load_bytes(const on_byte_t *p)
{
    return vld1q_s8((const int8_t *)p);
}

ON_INLINE on_bytes1_t on_load1_bytes(const on_byte_t *p)
{
    return (on_bytes1_t){{on_load_bytes(p)}};
}

ON_INLINE on_bytes2_t on_load2_bytes(const on_byte_t *p)
{
    return vld2q_s8((const int8_t *)p);
}

ON_INLINE on_bytes3_t on_load3_bytes(const on_byte_t *p)
{
    return vld3q_s8((const int8_t *)p);
}

ON_INLINE on_bytes4_t on_load4_bytes(const on_byte_t *p)
{
    return vld4q_s8((const int8_t *)p);
}

ON_INLINE on_weights_t on_load_weights(const int16_t *p)
{
    return vld1q_s16(p);
}

ON_INLINE on_shorts_t on_load_shorts(const on_short_t *p)
{
    return (on_shorts_t){vld1q_s16((const int16_t *)p), vld1q_s16((const int16_t *)p + 8)};
}

ON_INLINE on_shorts1_t on_load1_shorts(const on_short_t *p)
{
    return (on_shorts1_t){{on_load_shorts(p)}};
}

ON_INLINE on_shorts2_t on_load2_shorts(const on_short_t *p)
{
    const int16x8x2_t x = vld2q_s16((const int16_t *)p), y = vld2q_s16((const int16_t *)p + 16);
    return (on_shorts2_t){{{x.val[0], y.val[0]}, {x.val[1], y.val[1]}}};
}

ON_INLINE on_shorts3_t on_load3_shorts(const on_short_t *p)
{
    const int16x8x3_t x = vld3q_s16((const int16_t *)p), y = vld3q_s16((const int16_t *)p + 24);
    return (on_shorts3_t){{{x.val[0], y.val[0]}, {x.val[1], y.val[1]}, {x.val[2], y.val[2]}}};
}

ON_INLINE on_shorts4_t on_load4_shorts(const on_short_t *p)
{
    const int16x8x4_t x = vld4q_s16((const int16_t *)p), y = vld4q_s16((const int16_t *)p + 32);
    return (on_shorts4_t){
        {{x.val[0], y.val[0]}, {x.val[1], y.val[1]}, {x.val[2], y.val[2]}, {x.val[3], y.val[3]}}};
}

ON_INLINE on_sums_t on_load_sums(const on_sum_t *p)
{
    const int32_t *const q = (const int32_t *)p;
    return (on_sums_t){vld1q_s32(q), vld1q_s32(q + 4), vld1q_s32(q + 8), vld1q_s32(q + 12)};
}

ON_INLINE void on_store_sums(on_sum_t *p, on_sums_t s)
{
    int32_t *const q = (int32_t *)p;
    vst1q_s32(q, s.a);
    vst1q_s32(q + 4, s.b);
    vst1q_s32(q + 8, s.c);
    vst1q_s32(q + 12, s.d);
}

ON_INLINE void on_store1_bytes(on_byte_t *p, on_bytes_t a)
{
    vst1q_s8((int8_t *)p, a);
}

ON_INLINE void on_store2_bytes(on_byte_t *p, on_bytes_t a, on_bytes_t b)
{
    const int8x16x2_t x = {{a, b}};
    vst2q_s8((int8_t *)p, x);
}

ON_INLINE void on_store3_bytes(on_byte_t *p, on_bytes_t a, on_bytes_t b, on_bytes_t c)
{
    const int8x16x3_t x = {{a, b, c}};
    vst3q_s8((int8_t *)p, x);
}

ON_INLINE void on_store4_bytes(on_byte_t *p, on_bytes_t a, on_bytes_t b, on_bytes_t c, on_bytes_t d)
{
    const int8x16x4_t x = {{a, b, c, d}};
    vst4q_s8((int8_t *)p, x);
}

ON_INLINE void on_store1_shorts(on_short_t *p, on_shorts_t a)
{
    vst1q_s16((int16_t *)p, a.low);
    vst1q_s16((int16_t *)p + 8, a.high);
}

ON_INLINE void on_store2_shorts(on_short_t *p, on_shorts_t a, on_shorts_t b)
{
    const int16x8x2_t x = {{a.low, b.low}}, y = {{a.high, b.high}};
    vst2q_s16((int16_t *)p, x);
    vst2q_s16((int16_t *)p + 16, y);
}

ON_INLINE void on_store3_shorts(on_short_t *p, on_shorts_t a, on_shorts_t b, on_shorts_t c)
{
    const int16x8x3_t x = {{a.low, b.low, c.low}}, y = {{a.high, b.high, c.high}};
    vst3q_s16((int16_t *)p, x);
    vst3q_s16((int16_t *)p + 24, y);
}

ON_INLINE void on_store4_shorts(on_short_t *p, on_shorts_t a, on_shorts_t b, on_shorts_t c, on_shorts_t d)
{
    const int16x8x4_t x = {{a.low, b.low, c.low, d.low}}, y = {{a.high, b.high, c.high, d.high}};
    vst4q_s16((int16_t *)p, x);
    vst4q_s16((int16_t *)p + 32, y);
}

/* ---- arithmetic ---- */

ON_INLINE on_bytes_t on_same_bytes(int32_t value)
{
    return vdupq_n_s8((int8_t)value);
}

ON_INLINE on_sums_t on_same_sums(int32_t value)
{
    const int32x4_t x = vdupq_n_s32(value);
    return (on_sums_t){x, x, x, x};
}

/* x * w of bytes; the products fit 16 bits, and so must their sums. */
ON_INLINE on_shorts_t on_mul_bytes(on_bytes_t x, on_bytes_t w)
{
    return (on_shorts_t){vmull_s8(vget_low_s8(x), vget_low_s8(w)), vmull_high_s8(x, w)};
}

ON_INLINE on_shorts_t on_mul_add_bytes(on_shorts_t s, on_bytes_t x, on_bytes_t w)
{
    return (on_shorts_t){vmlal_s8(s.low, vget_low_s8(x), vget_low_s8(w)), vmlal_high_s8(s.high, x, w)};
}

ON_INLINE on_sums_t on_add_shorts(on_sums_t s, on_shorts_t x)
{
    return (on_sums_t){vaddw_s16(s.a, vget_low_s16(x.low)), vaddw_high_s16(s.b, x.low),
                       vaddw_s16(s.c, vget_low_s16(x.high)), vaddw_high_s16(s.d, x.high)};
}

ON_INLINE on_shorts_t on_sub_shorts(on_shorts_t a, on_shorts_t b)
{
    return (on_shorts_t){vsubq_s16(a.low, b.low), vsubq_s16(a.high, b.high)};
}

ON_INLINE on_sums_t on_add_sums(on_sums_t a, on_sums_t b)
{
    return (on_sums_t){vaddq_s32(a.a, b.a), vaddq_s32(a.b, b.b), vaddq_s32(a.c, b.c), vaddq_s32(a.d, b.d)};
}

/* sums += x * w[lane]; lane is a constant. */
#define ON_MUL_ADD_SHORTS(sums, x, w, lane) \
    ((sums).a = vmlal_laneq_s16((sums).a, vget_low_s16((x).low), w, lane), \
     (sums).b = vmlal_high_laneq_s16((sums).b, (x).low, w, lane), \
     (sums).c = vmlal_laneq_s16((sums).c, vget_low_s16((x).high), w, lane), \
     (sums).d = vmlal_high_laneq_s16((sums).d, (x).high, w, lane))

ON_INLINE on_bytes_t on_max_bytes(on_bytes_t a, on_bytes_t b)
{
    return vmaxq_s8(a, b);
}

ON_INLINE on_shorts_t on_max_shorts(on_shorts_t a, on_shorts_t b)
{
    return (on_shorts_t){vmaxq_s16(a.low, b.low), vmaxq_s16(a.high, b.high)};
}

/* ---- from sums to numbers of a row ---- */

#define ON_FLOOR_(s, t, m, shift) \
    vreinterpretq_s16_u16(vqrshrun_high_n_s32(vqrshrun_n_s32(vqrdmulhq_s32(s, m), shift), \
                                              vqrdmulhq_s32(t, m), shift))

/* s * m / 2^(31 + shift), rounded twice, halves up; below 0 is 0; 16 bits without sign. shift is a constant, m a
 * vector. */
#define ON_SCALE_FLOOR(s, m, shift) \
    ((on_shorts_t){ON_FLOOR_((s).a, (s).b, m, shift), ON_FLOOR_((s).c, (s).d, m, shift)})

typedef int32x4_t on_multiplier_t;

ON_INLINE on_multiplier_t on_multiplier(int32_t m)
{
    return vdupq_n_s32(m);
}

/* The same with a shift that is no constant. */
ON_INLINE on_shorts_t on_scale_up(on_sums_t s, on_scale_t scale)
{
    const int32x4_t m = vdupq_n_s32(scale.multiplier), r = vdupq_n_s32(scale.shift);
    const uint16x8_t low = vqmovun_high_s32(vqmovun_s32(vrshlq_s32(vqrdmulhq_s32(s.a, m), r)), vrshlq_s32(vqrdmulhq_s32(s.b, m), r));
    const uint16x8_t high = vqmovun_high_s32(vqmovun_s32(vrshlq_s32(vqrdmulhq_s32(s.c, m), r)), vrshlq_s32(vqrdmulhq_s32(s.d, m), r));
    return (on_shorts_t){vreinterpretq_s16_u16(low), vreinterpretq_s16_u16(high)};
}

/* To int8 from what ON_SCALE_FLOOR gives, at most `most` <= 255 above the zero point. */
ON_INLINE on_bytes_t on_bytes_above(on_shorts_t x, int32_t most, int32_t zero)
{
    uint8x16_t y = vqmovn_high_u16(vqmovn_u16(vreinterpretq_u16_s16(x.low)), vreinterpretq_u16_s16(x.high));
    if (most < 255) {
        y = vminq_u8(y, vdupq_n_u8((uint8_t)most));
    }
    return vreinterpretq_s8_u8(vaddq_u8(y, vdupq_n_u8((uint8_t)zero)));
}

ON_INLINE on_shorts_t on_shorts_above(on_shorts_t x, int32_t most)
{
    const uint16x8_t bound = vdupq_n_u16((uint16_t)most);
    return (on_shorts_t){vreinterpretq_s16_u16(vminq_u16(vreinterpretq_u16_s16(x.low), bound)),
                         vreinterpretq_s16_u16(vminq_u16(vreinterpretq_u16_s16(x.high), bound))};
}

ON_INLINE int32x4_t on_scale_(int32x4_t s, int32x4_t m, int32x4_t shift)
{
    const int32x4_t x = vqrdmulhq_s32(s, m);
    return vrshlq_s32(vsraq_n_s32(x, x, 31), shift);
}

/* s * multiplier * 2^(shift - 31), rounded twice, halves away from zero, saturated; shift < 0. */
ON_INLINE on_shorts_t on_scale_away(on_sums_t s, on_scale_t scale)
{
    const int32x4_t m = vdupq_n_s32(scale.multiplier), r = vdupq_n_s32(scale.shift);
    return (on_shorts_t){vqmovn_high_s32(vqmovn_s32(on_scale_(s.a, m, r)), on_scale_(s.b, m, r)),
                         vqmovn_high_s32(vqmovn_s32(on_scale_(s.c, m, r)), on_scale_(s.d, m, r))};
}

/* The same for any shift. */
ON_INLINE on_shorts_t on_scale_any(on_sums_t s, on_scale_t scale)
{
    int32_t x[ON_LANES];
    on_store_sums(x, s);
    for (int32_t i = 0; i < ON_LANES; ++i) {
        x[i] = on_requantize(x[i], scale.multiplier, scale.shift);
    }
    const on_sums_t y = on_load_sums(x);
    return (on_shorts_t){vqmovn_high_s32(vqmovn_s32(y.a), y.b), vqmovn_high_s32(vqmovn_s32(y.c), y.d)};
}

/* Clamp to [low, high]. */
ON_INLINE on_shorts_t on_shorts_within(on_shorts_t x, int32_t low, int32_t high)
{
    const int16x8_t least = vdupq_n_s16((int16_t)low), most = vdupq_n_s16((int16_t)high);
    return (on_shorts_t){vminq_s16(vmaxq_s16(x.low, least), most), vminq_s16(vmaxq_s16(x.high, least), most)};
}

/* To int8: clamp to [low, high] and add the zero point. */
ON_INLINE on_bytes_t on_bytes_within(on_shorts_t x, int32_t low, int32_t high, int32_t zero)
{
    const on_shorts_t y = on_shorts_within(x, low, high);
    const int8x16_t bytes = vmovn_high_s16(vmovn_s16(y.low), y.high);
    return vreinterpretq_s8_u8(vaddq_u8(vreinterpretq_u8_s8(bytes), vdupq_n_u8((uint8_t)zero)));
}

/* Bytes less their zero point. */
ON_INLINE on_shorts_t on_widen(on_bytes_t x, int32_t zero)
{
    const int8x16_t z = vdupq_n_s8((int8_t)zero);
    return (on_shorts_t){vsubl_s8(vget_low_s8(x), vget_low_s8(z)), vsubl_high_s8(x, z)};
}

#endif
