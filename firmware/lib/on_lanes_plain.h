/* on_lanes.h in plain C: for checks, not for speed, so its functions are called. */
#ifndef ON_LANES_PLAIN_H
#define ON_LANES_PLAIN_H

#define ON_CALLED __attribute__((noinline, unused)) static

typedef struct {
    int8_t v[ON_LANES];
} on_bytes_t;
typedef struct {
    int16_t v[8];
} on_weights_t;
typedef struct {
    int16_t v[ON_LANES];
} on_shorts_t;
typedef struct {
    int32_t v[ON_LANES];
} on_sums_t;
typedef int32_t on_multiplier_t;

#define ON_EACH(i) for (int32_t i = 0; i < ON_LANES; ++i)

/* Reading every step-th number from p[0] on, p[1] on, ...; writing them back. */
#define ON_MEMORY_(name, one, many) \
    ON_READ_(name, one, many, 1) \
    ON_READ_(name, one, many, 2) \
    ON_READ_(name, one, many, 3) \
    ON_READ_(name, one, many, 4) \
    ON_CALLED many on_load_##name(const one *p) \
    { \
        return on_load1_##name(p).val[0]; \
    } \
    ON_CALLED void on_store1_##name(one *p, many a) \
    { \
        ON_EACH(i) p[i] = a.v[i]; \
    } \
    ON_CALLED void on_store2_##name(one *p, many a, many b) \
    { \
        ON_EACH(i) p[2 * i] = a.v[i], p[(2 * i) + 1] = b.v[i]; \
    } \
    ON_CALLED void on_store3_##name(one *p, many a, many b, many c) \
    { \
        ON_EACH(i) p[3 * i] = a.v[i], p[(3 * i) + 1] = b.v[i], p[(3 * i) + 2] = c.v[i]; \
    } \
    ON_CALLED void on_store4_##name(one *p, many a, many b, many c, many d) \
    { \
        ON_EACH(i) \
        p[4 * i] = a.v[i], p[(4 * i) + 1] = b.v[i], p[(4 * i) + 2] = c.v[i], p[(4 * i) + 3] = d.v[i]; \
    }
#define ON_READ_(name, one, many, step) \
    typedef struct { \
        many val[step]; \
    } on_##name##step##_t; \
    ON_CALLED on_##name##step##_t on_load##step##_##name(const one *p) \
    { \
        on_##name##step##_t x; \
        for (int32_t k = 0; k < step; ++k) { \
            ON_EACH(i) x.val[k].v[i] = p[(step * i) + k]; \
        } \
        return x; \
    }

ON_MEMORY_(bytes, on_byte_t, on_bytes_t)
ON_MEMORY_(shorts, on_short_t, on_shorts_t)

ON_CALLED on_weights_t on_load_weights(const int16_t *p)
{
    on_weights_t w;
    for (int32_t i = 0; i < 8; ++i) {
        w.v[i] = p[i];
    }
    return w;
}

ON_CALLED on_sums_t on_load_sums(const on_sum_t *p)
{
    on_sums_t s;
    ON_EACH(i) s.v[i] = p[i];
    return s;
}

ON_CALLED void on_store_sums(on_sum_t *p, on_sums_t s)
{
    ON_EACH(i) p[i] = s.v[i];
}

ON_CALLED on_bytes_t on_same_bytes(int32_t value)
{
    on_bytes_t x;
    ON_EACH(i) x.v[i] = (int8_t)value;
    return x;
}

ON_CALLED on_sums_t on_same_sums(int32_t value)
{
    on_sums_t s;
    ON_EACH(i) s.v[i] = value;
    return s;
}

ON_CALLED on_shorts_t on_mul_add_bytes(on_shorts_t s, on_bytes_t x, on_bytes_t w)
{
    ON_EACH(i) s.v[i] = (int16_t)(s.v[i] + (x.v[i] * w.v[i]));
    return s;
}

/* x * w of bytes; the products fit 16 bits, and so must their sums. */
ON_CALLED on_shorts_t on_mul_bytes(on_bytes_t x, on_bytes_t w)
{
    return on_mul_add_bytes((on_shorts_t){{0}}, x, w);
}

ON_CALLED on_sums_t on_add_shorts(on_sums_t s, on_shorts_t x)
{
    ON_EACH(i) s.v[i] += x.v[i];
    return s;
}

ON_CALLED on_shorts_t on_sub_shorts(on_shorts_t a, on_shorts_t b)
{
    ON_EACH(i) a.v[i] = (int16_t)(a.v[i] - b.v[i]);
    return a;
}

ON_CALLED on_sums_t on_add_sums(on_sums_t a, on_sums_t b)
{
    ON_EACH(i) a.v[i] += b.v[i];
    return a;
}

ON_CALLED on_sums_t on_mul_add_shorts_(on_sums_t s, on_shorts_t x, int32_t w)
{
    ON_EACH(i) s.v[i] += x.v[i] * w;
    return s;
}

/* sums += x * w[lane]. */
#define ON_MUL_ADD_SHORTS(sums, x, w, lane) ((sums) = on_mul_add_shorts_(sums, x, (w).v[lane]))

ON_CALLED on_bytes_t on_max_bytes(on_bytes_t a, on_bytes_t b)
{
    ON_EACH(i) a.v[i] = (int8_t)on_max(a.v[i], b.v[i]);
    return a;
}

ON_CALLED on_shorts_t on_max_shorts(on_shorts_t a, on_shorts_t b)
{
    ON_EACH(i) a.v[i] = (int16_t)on_max(a.v[i], b.v[i]);
    return a;
}

ON_CALLED on_multiplier_t on_multiplier(int32_t m)
{
    return m;
}

ON_CALLED on_shorts_t on_scale_floor_(on_sums_t s, int32_t m, int32_t shift)
{
    on_shorts_t y;
    ON_EACH(i)
    {
        const int32_t x = (int32_t)((((int64_t)s.v[i] * m) + (INT64_C(1) << 30)) >> 31);
        const int64_t rounded = ((int64_t)x + (INT64_C(1) << (shift - 1))) >> shift;
        y.v[i] = (int16_t)on_min(on_max((int32_t)rounded, 0), INT16_MAX); /* NEON has a bit more; all is clamped to 8 */
    }
    return y;
}

/* s * m / 2^(31 + shift), rounded twice, halves up; below 0 is 0. */
#define ON_SCALE_FLOOR(s, m, shift) on_scale_floor_(s, m, shift)

/* The same with a shift that is no constant. */
ON_CALLED on_shorts_t on_scale_up(on_sums_t s, on_scale_t scale)
{
    return on_scale_floor_(s, scale.multiplier, -scale.shift);
}

/* Clamp to [low, high]. */
ON_CALLED on_shorts_t on_shorts_within(on_shorts_t x, int32_t low, int32_t high)
{
    ON_EACH(i) x.v[i] = (int16_t)on_min(on_max(x.v[i], low), high);
    return x;
}

/* To int8: clamp to [low, high] and add the zero point. */
ON_CALLED on_bytes_t on_bytes_within(on_shorts_t x, int32_t low, int32_t high, int32_t zero)
{
    on_bytes_t y;
    ON_EACH(i) y.v[i] = (int8_t)(on_min(on_max(x.v[i], low), high) + zero);
    return y;
}

ON_CALLED on_shorts_t on_shorts_above(on_shorts_t x, int32_t most)
{
    return on_shorts_within(x, 0, most);
}

/* To int8 from what ON_SCALE_FLOOR gives, at most `most` <= 255 above the zero point. */
ON_CALLED on_bytes_t on_bytes_above(on_shorts_t x, int32_t most, int32_t zero)
{
    return on_bytes_within(x, 0, most, zero);
}

/* s * multiplier * 2^(shift - 31), rounded twice, halves away from zero, saturated. */
ON_CALLED on_shorts_t on_scale_any(on_sums_t s, on_scale_t scale)
{
    on_shorts_t y;
    ON_EACH(i)
    {
        const int32_t x = on_requantize(s.v[i], scale.multiplier, scale.shift);
        y.v[i] = (int16_t)on_min(on_max(x, INT16_MIN), INT16_MAX);
    }
    return y;
}

/* The same; shift < 0. */
ON_CALLED on_shorts_t on_scale_away(on_sums_t s, on_scale_t scale)
{
    return on_scale_any(s, scale);
}

/* Bytes less their zero point. */
ON_CALLED on_shorts_t on_widen(on_bytes_t x, int32_t zero)
{
    on_shorts_t y;
    ON_EACH(i) y.v[i] = (int16_t)(x.v[i] - zero);
    return y;
}

#endif
