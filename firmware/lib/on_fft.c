/**
 * @file on_fft.c
 * Windowed real FFT in 32-bit integers; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_fft.h"

/** The steps are written once and specialised by constant arguments: worth the code they cost. */
#define ON_INLINE static inline __attribute__((always_inline))

/** Own symbols, so that a profile tells the steps apart. */
#define NOINLINE __attribute__((noinline))

#define SQRT_HALF_Q31 1518500250

/** Head-room for the growth in the radix-4 steps and the split, in bits. */
#define ON_FFT_DOWN 4

/** Loads and stores do not move across it: compilers that start too much at once run out of
 *  registers, and spilling costs more than waiting. */
#define FENCE() __asm__ volatile("" ::: "memory")

/** Radix-8 groups, and samples between the points of one group. */
#define GROUPS (ON_FFT_POINTS / 8)
#define STEP (2 * GROUPS)

typedef struct {
    int32_t re;
    int32_t im;
} complex_t;

ON_INLINE complex_t load(const int32_t *p) {
    return (complex_t){p[0], p[1]};
}

ON_INLINE void store(int32_t *p, complex_t z) {
    p[0] = z.re;
    p[1] = z.im;
}

ON_INLINE complex_t add(complex_t a, complex_t b) {
    return (complex_t){a.re + b.re, a.im + b.im};
}

ON_INLINE complex_t sub(complex_t a, complex_t b) {
    return (complex_t){a.re - b.re, a.im - b.im};
}

/** a - i b */
ON_INLINE complex_t sub_i(complex_t a, complex_t b) {
    return (complex_t){a.re + b.im, a.im - b.re};
}

/** a + i b */
ON_INLINE complex_t add_i(complex_t a, complex_t b) {
    return (complex_t){a.re - b.im, a.im + b.re};
}

/** floor((a c + b d) / 2^32): half a sum of products with Q31 factors, one rounding. */
ON_INLINE int32_t half_dot(int32_t a, int32_t c, int32_t b, int32_t d) {
    return (int32_t)(((int64_t)a * c + (int64_t)b * d) >> 32);
}

/** z (cos - i sin) / 2, with {cos, sin} in Q31 at w. */
ON_INLINE complex_t half_rotate(complex_t z, const int32_t *w) {
    return (complex_t){half_dot(z.re, w[0], z.im, w[1]), half_dot(z.im, w[0], -z.re, w[1])};
}

/** z sqrt(1/2), rounded down to even numbers. */
ON_INLINE complex_t times_sqrt_half(complex_t z) {
    return (complex_t){2 * (int32_t)(((int64_t)z.re * SQRT_HALF_Q31) >> 32),
                       2 * (int32_t)(((int64_t)z.im * SQRT_HALF_Q31) >> 32)};
}

/** All bits below the highest one that x (or -x - 1) uses. */
ON_INLINE uint32_t magnitude_bits(complex_t z) {
    return (uint32_t)(z.re ^ (z.re >> 31)) | (uint32_t)(z.im ^ (z.im >> 31));
}

ON_INLINE int32_t windowed(int16_t sample, int32_t weight) {
    return (int32_t)(((int64_t)weight * sample) >> 16);
}

/** Two samples of the first half of the frame (window rising) as one complex point, Q26. */
ON_INLINE complex_t rising(const int16_t *pcm, const int32_t *window) {
    return (complex_t){windowed(pcm[0], window[0]), windowed(pcm[1], window[1])};
}

/** The same in the second half: the window is symmetric and read backwards. */
ON_INLINE complex_t falling(const int16_t *pcm, const int32_t *window) {
    return (complex_t){windowed(pcm[0], window[0]), windowed(pcm[1], window[-1])};
}

/** Four points in order of time to four bins. */
ON_INLINE void transform4(complex_t z[4]) {
    complex_t sum02 = add(z[0], z[2]);
    complex_t diff02 = sub(z[0], z[2]);
    complex_t sum13 = add(z[1], z[3]);
    complex_t diff13 = sub(z[1], z[3]);
    z[0] = add(sum02, sum13);
    z[1] = sub_i(diff02, diff13);
    z[2] = sub(sum02, sum13);
    z[3] = add_i(diff02, diff13);
}

/** Every second of eight windowed points: four bins of these. */
ON_INLINE void window4(const int16_t *pcm, const int32_t *window, const int32_t *mirror,
                       complex_t z[4]) {
    z[0] = rising(pcm, window);
    z[1] = rising(pcm + 2 * STEP, window + 2 * STEP);
    z[2] = falling(pcm + 4 * STEP, mirror + 2 * STEP);
    z[3] = falling(pcm + 6 * STEP, mirror);
    transform4(z);
}

/**
 * Window eight points and transform them; returns their magnitude bits.
 * Bound: |point| <= sqrt(2) 2^26, so the magnitude of any sum of eight, and with it every
 * component, rotated or not, stays below 2^29.5 + rounding < 2^30.
 */
ON_INLINE uint32_t radix8(const int16_t *pcm, const int32_t *window, const int32_t *mirror,
                          int32_t *out) {
    complex_t z[4];
    window4(pcm, window, mirror + STEP, z);
    store(out, z[0]);
    store(out + 2, z[1]);
    store(out + 4, z[2]);
    store(out + 6, z[3]);
    FENCE();
    window4(pcm + STEP, window + STEP, mirror, z);
    store(out + 8, z[0]);
    store(out + 10, times_sqrt_half(sub_i(z[1], z[1])));
    store(out + 12, (complex_t){z[2].im, -z[2].re});
    store(out + 14, times_sqrt_half((complex_t){z[3].im - z[3].re, -z[3].re - z[3].im}));
    FENCE();
    uint32_t bits = 0;
    for (int32_t *p = out; p < out + 8; p += 2) {
        complex_t even = load(p);
        complex_t odd = load(p + 8);
        store(p, add(even, odd));
        store(p + 8, sub(even, odd));
        bits |= magnitude_bits(add(even, odd)) | magnitude_bits(sub(even, odd));
    }
    return bits;
}

/** First step: all groups of eight, in the order the radix-4 steps expect; returns magnitude bits. */
NOINLINE static uint32_t on_fft_first(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *data) {
    const int32_t *window = plan->window;
    const int32_t *mirror = plan->window + STEP; /* of the last eighth, read backwards */
    const uint8_t *order = plan->order;
    uint32_t bits = 0;
    for (int32_t i = 0; i < GROUPS; i++) {
        bits |= radix8(pcm, window, mirror, data + 16 * *order++);
        pcm += 2;
        window += 2;
        mirror -= 2;
    }
    return bits;
}

/** A normalisation: up before a rotation, so that it loses nothing, and down after it. */
typedef struct {
    int32_t up;
    int32_t down;
} scale_t;

ON_INLINE complex_t load_up(const int32_t *p, scale_t scale) {
    return (complex_t){(int32_t)((uint32_t)p[0] << scale.up), (int32_t)((uint32_t)p[1] << scale.up)};
}

ON_INLINE complex_t shift_down(complex_t z, int32_t bits) {
    return (complex_t){z.re >> bits, z.im >> bits};
}

/** Four points `span` words apart, scaled, rotated and combined, at half scale. */
ON_INLINE void radix4(int32_t *p0, int32_t span, const int32_t *twiddle, scale_t scale) {
    int32_t *p1 = p0 + span;
    int32_t *p2 = p0 + 2 * span;
    int32_t *p3 = p0 + 3 * span;
    complex_t t1 = shift_down(half_rotate(load_up(p1, scale), twiddle), scale.down);
    complex_t t3 = shift_down(half_rotate(load_up(p3, scale), twiddle + 4), scale.down);
    complex_t sum13 = add(t1, t3);
    complex_t diff13 = sub(t1, t3);
    FENCE();
    complex_t t2 = shift_down(half_rotate(load_up(p2, scale), twiddle + 2), scale.down);
    complex_t t0 = shift_down(load_up(p0, scale), scale.down + 1);
    complex_t sum02 = add(t0, t2);
    complex_t diff02 = sub(t0, t2);
    store(p0, add(sum02, sum13));
    store(p1, sub_i(diff02, diff13));
    store(p2, sub(sum02, sum13));
    store(p3, add_i(diff02, diff13));
}

/**
 * One radix-4 step over all points; magnitudes at most double, because it works at half scale.
 * Not a loop over spans: constant spans make every address an immediate offset.
 */
ON_INLINE void radix4_step(const on_fft_plan_t *plan, int32_t *data, int32_t span, scale_t scale) {
    int32_t stride = 3 * (ON_FFT_POINTS / span); /* words between the factors this step uses */
    int32_t *end = data + 2 * ON_FFT_POINTS;
    for (int32_t *start = data; start < end; start += 4 * span) {
        const int32_t *twiddle = plan->twiddles;
        for (int32_t *p = start; p < start + span; p += 2) {
            radix4(p, span, twiddle, scale);
            twiddle += stride;
        }
    }
}

/** The radix-4 step that also normalises: the transforms of eight points have `shift` spare bits. */
NOINLINE static void on_fft_second(const on_fft_plan_t *plan, int32_t *data, int32_t shift) {
    radix4_step(plan, data, 16, (scale_t){shift, ON_FFT_DOWN});
}

/** The other radix-4 steps. */
NOINLINE static void on_fft_rest(const on_fft_plan_t *plan, int32_t *data) {
    radix4_step(plan, data, 64, (scale_t){0, 0});
    if (ON_FFT_POINTS > 128) {
        radix4_step(plan, data, 256, (scale_t){0, 0});
    }
}

/**
 * From the spectrum Z of n_fft / 2 complex points to that of the real frame, in place.
 * Bound: |X| <= 2 |Z|; see on_fft_real.
 */
NOINLINE static void on_fft_split(const on_fft_plan_t *plan, int32_t *data) {
    const int32_t *w = plan->split;
    int32_t *low = data + 2;
    int32_t *high = data + 2 * (ON_FFT_POINTS - 1);
    while (low < high) {
        w += 2;
        complex_t a = load(low);
        complex_t b = load(high);
        complex_t half_even = {(a.re + b.re) >> 1, (a.im - b.im) >> 1};
        complex_t odd = {a.re - b.re, a.im + b.im};
        complex_t turned = half_rotate(odd, w);
        complex_t x = sub_i(half_even, turned);
        complex_t y = add_i(half_even, turned); /* its conjugate is the bin; power does not care */
        store(low, x);
        store(high, y);
        low += 2;
        high -= 2;
    }
}

int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins) {
    uint32_t used = on_fft_first(plan, pcm, bins);
    /* Components have at most 30 bits, and exactly 30 after this shift, so |z| <= 2^30.5 and none
     * is INT32_MIN. With k radix-4 steps |Z| <= 2^(26.5 + k): k <= 3 keeps |X| below 2^31. */
    int32_t shift = __builtin_clz(used | 1u) - 2;
    on_fft_second(plan, bins, shift);
    on_fft_rest(plan, bins);
    on_fft_split(plan, bins);
    return shift;
}
