/**
 * @file on_fft.c
 * Windowed real FFT in 32-bit integers; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_fft.h"

/** Own symbols, so that a profile tells the steps apart. */
#define NOINLINE __attribute__((noinline))

#define SQRT_HALF_Q31 1518500250

/** Points of the transforms of the first step: what is left is a power of four. */
#define FIRST ((ON_FFT_POINTS == 128 || ON_FFT_POINTS == 512) ? 8 : 4)
#define GROUPS (ON_FFT_POINTS / FIRST)

/** Pairs of samples in a quarter of a frame. */
#define QUARTER (ON_MEL_N_FFT / 8)

/** z (cos - i sin) / 2, with {cos, sin} in Q31 in w. */
ON_INLINE on_complex_t half_rotate(on_complex_t z, on_complex_t w) {
    int32_t re = on_mul_half(z.re, w.re);
    int32_t im = on_mul_half(z.im, w.re);
    re = on_add_mul_half(re, z.im, w.im);
    im = on_sub_mul_half(im, z.re, w.im);
    return (on_complex_t){re, im};
}

/* Sums of complex numbers, in plain C: compilers do them well. */

ON_INLINE on_complex_t add(on_complex_t a, on_complex_t b) {
    return (on_complex_t){a.re + b.re, a.im + b.im};
}

ON_INLINE on_complex_t sub(on_complex_t a, on_complex_t b) {
    return (on_complex_t){a.re - b.re, a.im - b.im};
}

/** What the first step reads: samples, the window in order of use, and 2^shift. */
typedef struct {
    const on_word_t *pcm;
    const on_word_t *window;
    int32_t scale;
} frame_t;

/**
 * Points p and q, half a frame apart: their sum and their difference, windowed.
 *
 * Half of a Hann window is enough: w[n + n_fft / 2] = 1 - w[n].
 */
ON_INLINE void window2(frame_t *frame, int32_t at, on_complex_t *sum, on_complex_t *difference) {
    on_complex_t w = on_load_step(&frame->window, 2);
    w.re *= frame->scale;
    w.im *= frame->scale;
    int32_t x = on_load_word(frame->pcm, at);
    on_complex_t p = {on_mul_low(w.re, x), on_mul_high(w.im, x)};
    w.re = on_shift_minus(frame->scale, ON_FFT_WINDOW_BITS, w.re);
    w.im = on_shift_minus(frame->scale, ON_FFT_WINDOW_BITS, w.im);
    x = on_load_word(frame->pcm, at + 2 * QUARTER);
    on_complex_t q = {on_mul_low(w.re, x), on_mul_high(w.im, x)};
    *sum = add(p, q);
    *difference = sub(p, q);
    ON_NOW(*sum);
    ON_NOW(*difference);
}

/** Four windowed points, one from each quarter of the frame, to four bins. */
ON_INLINE void window4(frame_t *frame, int32_t at, on_complex_t z[4]) {
    on_complex_t sum02;
    on_complex_t diff02;
    on_complex_t sum13;
    on_complex_t diff13;
    window2(frame, at, &sum02, &diff02);
    window2(frame, at + QUARTER, &sum13, &diff13);
    z[0] = add(sum02, sum13);
    z[2] = sub(sum02, sum13);
    ON_NOW(z[0]);
    ON_NOW(z[2]);
    z[1] = (on_complex_t){diff02.re + diff13.im, diff02.im - diff13.re};
    z[3] = (on_complex_t){diff02.re - diff13.im, diff02.im + diff13.re};
    ON_NOW(z[1]);
    ON_NOW(z[3]);
}

/** The even ones of FIRST points; their transform is stored. */
ON_INLINE void even_points(frame_t *frame, on_word_t *out) {
    on_complex_t z[4];
    window4(frame, 0, z);
    on_store(out, 0, z[0].re, z[0].im);
    on_store(out, 4, z[2].re, z[2].im);
    on_store(out, 2, z[1].re, z[1].im);
    on_store(out, 6, z[3].re, z[3].im);
}

/** The odd ones of eight points: with the even ones' transform they make eight bins. */
ON_INLINE void odd_points(frame_t *frame, on_word_t *out) {
    on_complex_t z[4];
    window4(frame, GROUPS, z);
    on_complex_t e = on_load(out, 0);
    on_store(out, 0, e.re + z[0].re, e.im + z[0].im);
    on_store(out, 8, e.re - z[0].re, e.im - z[0].im);
    e = on_load(out, 4);
    on_store(out, 4, e.re + z[2].im, e.im - z[2].re);
    on_store(out, 12, e.re - z[2].im, e.im + z[2].re);
    int32_t re = on_mul_half(z[1].re + z[1].im, SQRT_HALF_Q31);
    int32_t im = on_mul_half(z[1].im - z[1].re, SQRT_HALF_Q31);
    e = on_load(out, 2);
    on_store(out, 2, on_add_twice(e.re, re), on_add_twice(e.im, im));
    on_store(out, 10, on_sub_twice(e.re, re), on_sub_twice(e.im, im));
    re = on_mul_half(z[3].im - z[3].re, SQRT_HALF_Q31);
    im = on_mul_half(z[3].im + z[3].re, SQRT_HALF_Q31);
    e = on_load(out, 6);
    on_store(out, 6, on_add_twice(e.re, re), on_sub_twice(e.im, im));
    on_store(out, 14, on_sub_twice(e.re, re), on_add_twice(e.im, im));
}

/** First step: all groups of points; the table says where the next one goes, and 0 at the end. */
NOINLINE static void on_fft_first(const on_fft_plan_t *plan, const int16_t *pcm, int32_t shift,
                                  on_word_t *data) {
    frame_t frame = {
        .pcm = (const on_word_t *)(const void *)pcm,
        .window = plan->window,
        .scale = 1 << shift,
    };
    ON_OPAQUE(frame.scale);
    int32_t place = 0;
    do {
        on_word_t *out = data + place;
        even_points(&frame, out);
        if (FIRST == 8) {
            odd_points(&frame, out);
        }
        frame.pcm += 1;
        place = *frame.window++;
    } while (place != 0);
}

/**
 * Combine four transforms' points z0, z2, z1, z3, which lie at p[near], p[near + span], q[far],
 * q[far + span]. Transforms of every second of every second point are neighbours, so that groups of
 * the first step are stored with the bits of their numbers reversed.
 */
ON_INLINE void radix4(on_word_t **p, int32_t near, on_word_t *q, int32_t far, int32_t span,
                      const on_word_t **twiddle, int32_t stride) {
    on_complex_t t1 = half_rotate(on_load(q, far), on_load(*twiddle, -4));
    on_complex_t t3 = half_rotate(on_load(q, far + span), on_load(*twiddle, -2));
    on_complex_t sum13 = add(t1, t3);
    on_complex_t diff13 = sub(t1, t3);
    ON_NOW(sum13);
    ON_NOW(diff13);
    on_complex_t t2 = half_rotate(on_load(*p, near + span), on_load_step(twiddle, stride));
    on_complex_t z0 = on_load(*p, near);
    on_complex_t sum02 = {on_add_twice(z0.re, t2.re), on_add_twice(z0.im, t2.im)};
    on_complex_t diff02 = {on_sub_twice(z0.re, t2.re), on_sub_twice(z0.im, t2.im)};
    on_store(q, far, on_sub_twice(sum02.re, sum13.re), on_sub_twice(sum02.im, sum13.im));
    on_store(q, far + span, on_sub_twice(diff02.re, diff13.im), on_add_twice(diff02.im, diff13.re));
    on_store(*p, near + span, on_add_twice(diff02.re, diff13.im), on_sub_twice(diff02.im, diff13.re));
    int32_t re = on_add_twice(sum02.re, sum13.re);
    int32_t im = on_add_twice(sum02.im, sum13.im);
    if (near == 0) {
        on_store_step(p, 2, re, im);
    } else {
        on_store(*p, near, re, im);
        *p += 2;
        ON_OPAQUE(*p);
    }
}

/** The same where nothing is rotated. */
ON_INLINE void radix4_plain(on_word_t *p, int32_t near, on_word_t *q, int32_t far, int32_t span) {
    on_complex_t z1 = on_load(q, far);
    on_complex_t z3 = on_load(q, far + span);
    on_complex_t sum13 = add(z1, z3);
    on_complex_t diff13 = sub(z1, z3);
    ON_NOW(sum13);
    ON_NOW(diff13);
    on_complex_t z2 = on_load(p, near + span);
    on_complex_t z0 = on_load(p, near);
    on_complex_t sum02 = add(z0, z2);
    on_complex_t diff02 = sub(z0, z2);
    ON_NOW(sum02);
    ON_NOW(diff02);
    on_store(q, far, sum02.re - sum13.re, sum02.im - sum13.im);
    on_store(p, near, sum02.re + sum13.re, sum02.im + sum13.im);
    on_store(q, far + span, diff02.re - diff13.im, diff02.im + diff13.re);
    on_store(p, near + span, diff02.re + diff13.im, diff02.im - diff13.re);
}

/**
 * One radix-4 step: transforms of `points` points become transforms of four times as many.
 * Not a loop over steps: constant spans make every address an immediate offset. Wide steps need two
 * pointers to reach all four points; they point at the next ones, as the reach is just too short.
 */
ON_INLINE void radix4_step(const on_fft_plan_t *plan, on_word_t *data, int32_t points) {
    int32_t span = 2 * points; /* words */
    int32_t stride = 6 * (ON_FFT_POINTS / 4 / points);
    int32_t near = 3 * span <= ON_REACH ? 0 : -2;
    int32_t far = near == 0 ? 2 * span : -2;
    on_word_t *end = data + 2 * ON_FFT_POINTS - near;
    on_word_t *p = data - near;
    do {
        on_word_t *q = near == 0 ? p : p + 2 * span;
        radix4_plain(p, near, q, far, span);
        const on_word_t *twiddle = plan->twiddles + stride - 2;
        on_word_t *stop = p + span;
        p += 2;
        do {
            if (near == 0) {
                q = p;
            } else {
                q += 2;
                ON_OPAQUE(q);
            }
            radix4(&p, near, q, far, span, &twiddle, stride);
        } while (p != stop);
        p += 3 * span;
    } while (p != end);
}

NOINLINE static void on_fft_second(const on_fft_plan_t *plan, on_word_t *data) {
    radix4_step(plan, data, FIRST);
}

NOINLINE static void on_fft_third(const on_fft_plan_t *plan, on_word_t *data) {
    radix4_step(plan, data, 4 * FIRST);
}

NOINLINE static void on_fft_fourth(const on_fft_plan_t *plan, on_word_t *data) {
    radix4_step(plan, data, 16 * FIRST);
}

NOINLINE static void on_fft_fifth(const on_fft_plan_t *plan, on_word_t *data) {
    radix4_step(plan, data, 64 * FIRST);
}

/** Bins k and n_fft / 2 - k, conjugated; power does not care. */
ON_INLINE void split(on_word_t **low, on_word_t **high, const on_word_t **twiddle) {
    on_complex_t a = on_load(*low, 0);
    on_complex_t b = on_load(*high, 0);
    on_complex_t even = {a.re + b.re, a.im - b.im};
    on_complex_t odd = {a.re - b.re, a.im + b.im};
    on_complex_t turned = half_rotate(odd, on_load_step(twiddle, 2));
    on_store_step(low, 2, on_half_plus(even.re, turned.im), on_half_minus(even.im, turned.re));
    on_store_step(high, -2, on_half_minus(even.re, turned.im), on_half_plus(even.im, turned.re));
}

/** From the spectrum of n_fft / 2 complex points to that of the real frame, in place. */
NOINLINE static void on_fft_split(const on_fft_plan_t *plan, on_word_t *data) {
    const on_word_t *twiddle = plan->split;
    on_word_t *low = data + 2;
    on_word_t *high = data + 2 * (ON_FFT_POINTS - 1);
    split(&low, &high, &twiddle);
    do { /* two at a time: their number is odd */
        split(&low, &high, &twiddle);
        split(&low, &high, &twiddle);
    } while (low < high);
}

/** How many bits the frame can be scaled up: half as many as its energy is below the bound. */
NOINLINE static int32_t on_fft_shift(const on_fft_plan_t *plan, const int16_t *pcm) {
    const on_word_t *x = (const on_word_t *)(const void *)pcm;
    const on_word_t *end = x + ON_MEL_N_FFT / 2;
    on_wide_t energy = {0, 0};
    do {
        energy = on_wide_add_squares(energy, &x);
    } while (x != end);
    uint32_t top = (uint32_t)(on_wide_value(energy) >> 10) | 1U; /* at most 2^31 */
    int32_t shift = (plan->room + __builtin_clz(top)) >> 1;
    return on_min(on_max(shift, 0), plan->max_shift);
}

int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins) {
    int32_t shift = on_fft_shift(plan, pcm);
    on_fft_first(plan, pcm, shift, bins);
    on_fft_second(plan, bins);
    on_fft_third(plan, bins);
    if (ON_FFT_POINTS > 128) {
        on_fft_fourth(plan, bins);
    }
    if (ON_FFT_POINTS > 512) {
        on_fft_fifth(plan, bins);
    }
    on_fft_split(plan, bins);
    return shift;
}
