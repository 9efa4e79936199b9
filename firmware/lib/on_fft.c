/**
 * @file on_fft.c
 * Windowed real FFT in 32-bit integers; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_fft.h"

#define SQRT_HALF_Q31 1518500250

/** Head-room for the growth in the radix-4 steps and the split, in bits. */
#define ON_FFT_DOWN 4

typedef struct {
    int32_t re;
    int32_t im;
} complex_t;

static inline complex_t load(const int32_t *p) {
    return (complex_t){p[0], p[1]};
}

static inline void store(int32_t *p, int32_t re, int32_t im) {
    p[0] = re;
    p[1] = im;
}

static inline complex_t add(complex_t a, complex_t b) {
    return (complex_t){a.re + b.re, a.im + b.im};
}

static inline complex_t sub(complex_t a, complex_t b) {
    return (complex_t){a.re - b.re, a.im - b.im};
}

/** a - i b */
static inline complex_t sub_i(complex_t a, complex_t b) {
    return (complex_t){a.re + b.im, a.im - b.re};
}

/** a + i b */
static inline complex_t add_i(complex_t a, complex_t b) {
    return (complex_t){a.re - b.im, a.im + b.re};
}

/** floor((a c + b d) / 2^32): half a sum of products with Q31 factors, one rounding. */
static inline int32_t half_dot(int32_t a, int32_t c, int32_t b, int32_t d) {
    return (int32_t)(((int64_t)a * c + (int64_t)b * d) >> 32);
}

/** z (cos - i sin) / 2, with {cos, sin} in Q31 at w. */
static inline complex_t half_rotate(complex_t z, const int32_t *w) {
    return (complex_t){half_dot(z.re, w[0], z.im, w[1]), half_dot(z.im, w[0], -z.re, w[1])};
}

/** x sqrt(1/2), to an even number: the doubling is free in the addition that follows. */
static inline int32_t times_sqrt_half(int32_t x) {
    return 2 * (int32_t)(((int64_t)x * SQRT_HALF_Q31) >> 32);
}

/** All bits below the highest one that x (or -x - 1) uses. */
static inline uint32_t magnitude_bits(complex_t z) {
    return (uint32_t)(z.re ^ (z.re >> 31)) | (uint32_t)(z.im ^ (z.im >> 31));
}

static inline int32_t windowed(int16_t sample, int32_t weight) {
    return (int32_t)(((int64_t)weight * sample) >> 16);
}

/** Two samples of the first half of the frame (window rising) as one complex point, Q26. */
static inline complex_t rising(const int16_t *pcm, const int32_t *window) {
    return (complex_t){windowed(pcm[0], window[0]), windowed(pcm[1], window[1])};
}

/** The same in the second half: the window is symmetric and read backwards. */
static inline complex_t falling(const int16_t *pcm, const int32_t *window) {
    return (complex_t){windowed(pcm[0], window[0]), windowed(pcm[1], window[-1])};
}

static inline uint32_t store_pair(int32_t *a, int32_t *b, complex_t even, complex_t odd) {
    complex_t sum = add(even, odd);
    complex_t difference = sub(even, odd);
    store(a, sum.re, sum.im);
    store(b, difference.re, difference.im);
    return magnitude_bits(sum) | magnitude_bits(difference);
}

/**
 * Window eight points, `step` samples apart, and transform them; returns their magnitude bits.
 * Bound: |point| <= sqrt(2) 2^26, so the magnitude of any sum of eight, and with it every
 * component, rotated or not, stays below 2^29.5 + rounding < 2^30.
 */
static inline uint32_t radix8(const int16_t *pcm, const int32_t *window, const int32_t *mirror,
                              int32_t step, int32_t *out) {
    complex_t z0 = rising(pcm, window);
    complex_t z4 = falling(pcm + 4 * step, mirror + 3 * step);
    complex_t z2 = rising(pcm + 2 * step, window + 2 * step);
    complex_t z6 = falling(pcm + 6 * step, mirror + step);
    complex_t sum04 = add(z0, z4);
    complex_t sum26 = add(z2, z6);
    complex_t even0 = add(sum04, sum26);
    complex_t even2 = sub(sum04, sum26);
    complex_t even1 = sub_i(sub(z0, z4), sub(z2, z6));
    complex_t even3 = add_i(sub(z0, z4), sub(z2, z6));

    complex_t z1 = rising(pcm + step, window + step);
    complex_t z5 = falling(pcm + 5 * step, mirror + 2 * step);
    complex_t z3 = rising(pcm + 3 * step, window + 3 * step);
    complex_t z7 = falling(pcm + 7 * step, mirror);
    complex_t sum15 = add(z1, z5);
    complex_t sum37 = add(z3, z7);
    complex_t odd0 = add(sum15, sum37);
    complex_t odd2 = sub(sum15, sum37);
    complex_t odd1 = sub_i(sub(z1, z5), sub(z3, z7));
    complex_t odd3 = add_i(sub(z1, z5), sub(z3, z7));

    complex_t turned1 = {times_sqrt_half(odd1.re + odd1.im), times_sqrt_half(odd1.im - odd1.re)};
    complex_t turned2 = {odd2.im, -odd2.re};
    complex_t turned3 = {times_sqrt_half(odd3.im - odd3.re), times_sqrt_half(-odd3.re - odd3.im)};
    return store_pair(out, out + 8, even0, odd0) | store_pair(out + 2, out + 10, even1, turned1) |
           store_pair(out + 4, out + 12, even2, turned2) |
           store_pair(out + 6, out + 14, even3, turned3);
}

/** First step: all groups of eight, in the order the radix-4 steps expect; returns magnitude bits. */
static uint32_t on_fft_first(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *data) {
    int32_t groups = plan->points / 8;
    int32_t step = 2 * groups;
    const int32_t *window = plan->window;
    const int32_t *mirror = plan->window + step; /* of the last eighth, read backwards */
    uint32_t bits = 0;
    for (int32_t i = 0; i < groups; i++) {
        bits |= radix8(pcm + 2 * i, window + 2 * i, mirror - 2 * i, step,
                       data + 16 * plan->order[i]);
    }
    return bits;
}

/** A normalisation: up before a rotation, so that it loses nothing, and down after it. */
typedef struct {
    int32_t up;
    int32_t down;
} scale_t;

static inline complex_t load_up(const int32_t *p, scale_t scale) {
    return (complex_t){(int32_t)((uint32_t)p[0] << scale.up), (int32_t)((uint32_t)p[1] << scale.up)};
}

static inline complex_t shift_down(complex_t z, int32_t bits) {
    return (complex_t){z.re >> bits, z.im >> bits};
}

/** Four points `span` words apart, scaled, rotated and combined, at half scale. */
static inline void radix4(int32_t *p, int32_t span, const int32_t *twiddle, scale_t scale) {
    complex_t t1 = shift_down(half_rotate(load_up(p + span, scale), twiddle), scale.down);
    complex_t t2 = shift_down(half_rotate(load_up(p + 2 * span, scale), twiddle + 2), scale.down);
    complex_t t3 = shift_down(half_rotate(load_up(p + 3 * span, scale), twiddle + 4), scale.down);
    complex_t t0 = shift_down(load_up(p, scale), scale.down + 1);
    complex_t sum02 = add(t0, t2);
    complex_t diff02 = sub(t0, t2);
    complex_t sum13 = add(t1, t3);
    complex_t diff13 = sub(t1, t3);
    complex_t y0 = add(sum02, sum13);
    complex_t y1 = sub_i(diff02, diff13);
    complex_t y2 = sub(sum02, sum13);
    complex_t y3 = add_i(diff02, diff13);
    store(p, y0.re, y0.im);
    store(p + span, y1.re, y1.im);
    store(p + 2 * span, y2.re, y2.im);
    store(p + 3 * span, y3.re, y3.im);
}

/** One radix-4 step over all points; magnitudes at most double, because it works at half scale. */
static inline void radix4_step(const on_fft_plan_t *plan, int32_t *data, int32_t span,
                               scale_t scale) {
    int32_t words = 2 * plan->points;
    int32_t stride = 3 * (words / (2 * span)); /* words between the factors this step uses */
    for (int32_t start = 0; start < words; start += 4 * span) {
        const int32_t *twiddle = plan->twiddles;
        for (int32_t *p = data + start; p < data + start + span; p += 2) {
            radix4(p, span, twiddle, scale);
            twiddle += stride;
        }
    }
}

/**
 * From the spectrum Z of n_fft / 2 complex points to that of the real frame, in place.
 * Bound: |X| <= 2 |Z|; see on_fft_real.
 */
static void on_fft_split(const on_fft_plan_t *plan, int32_t *data) {
    const int32_t *w = plan->split;
    int32_t *low = data + 2;
    int32_t *high = data + 2 * (plan->points - 1);
    while (low < high) {
        w += 2;
        complex_t a = load(low);
        complex_t b = load(high);
        complex_t half_even = {(a.re + b.re) >> 1, (a.im - b.im) >> 1};
        complex_t odd = {a.re - b.re, a.im + b.im};
        complex_t turned = half_rotate(odd, w);
        complex_t x = sub_i(half_even, turned);
        complex_t y = add_i(half_even, turned); /* its conjugate is the bin; power does not care */
        store(low, x.re, x.im);
        store(high, y.re, y.im);
        low += 2;
        high -= 2;
    }
}

int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins) {
    uint32_t used = on_fft_first(plan, pcm, bins);
    /* Components have at most 30 bits, and exactly 30 after this shift, so |z| <= 2^30.5 and none
     * is INT32_MIN. With k radix-4 steps |Z| <= 2^(26.5 + k): k <= 3 keeps |X| below 2^31. */
    int32_t shift = __builtin_clz(used | 1u) - 2;
    int32_t words = 2 * plan->points;
    int32_t span = 16;
    radix4_step(plan, bins, span, (scale_t){shift, ON_FFT_DOWN});
    for (span *= 4; span < words; span *= 4) {
        radix4_step(plan, bins, span, (scale_t){0, 0});
    }
    on_fft_split(plan, bins);
    return shift;
}
