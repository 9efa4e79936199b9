/**
 * @file on_mel.c
 * Streaming log-Mel front end; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_mel.h"

/** Own symbols, so that a profile tells the parts apart. */
#define NOINLINE __attribute__((noinline))

/** Keeps a compiler from turning a copy loop into a call of a libc that may not be there. */
#define ON_MEL_KEEP_LOOP() __asm__ volatile("" ::: "memory")

/** Sums over the bins of a segment; in the second each bin counts as often as others follow it. */
typedef struct {
    on_wide_t all;
    on_wide_t steps;
} sums_t;

/** The energy or the magnitude of the next bin. */
ON_INLINE on_wide_t first_bin(const on_word_t **bin) {
    on_complex_t x = on_load_step(bin, 2);
    return ON_MEL_POWER == 2 ? on_wide_add_square(on_wide_square(x.re), x.im)
                             : (on_wide_t){(uint32_t)x.re, 0};
}

/** sum + the energy or the magnitude of the next bin */
ON_INLINE on_wide_t add_bin(on_wide_t sum, const on_word_t **bin) {
    on_complex_t x = on_load_step(bin, 2);
    return ON_MEL_POWER == 2 ? on_wide_add_square(on_wide_add_square(sum, x.re), x.im)
                             : on_wide_add(sum, (on_wide_t){(uint32_t)x.re, 0});
}

ON_INLINE sums_t sum_up(const on_word_t **bin, int32_t count) {
    sums_t sums = {{0, 0}, {0, 0}};
    const on_word_t *end = *bin + 2 * count;
    if (*bin != end) {
        sums.all = first_bin(bin);
        while (*bin != end) {
            on_wide_add_to(&sums.steps, sums.all);
            sums.all = add_bin(sums.all, bin);
        }
    }
    return sums;
}

/**
 * What bins give to the band that rises over them; the rest goes to the band that falls. A bin's
 * weight is that of the last one less a slope for every bin between them.
 */
ON_INLINE on_wide_t rising(sums_t sums, int32_t last, int32_t slope) {
    on_wide_t upper = on_wide_scale(sums.all, (uint32_t)last);
    return on_wide_sub(upper, on_wide_scale(sums.steps, (uint32_t)slope));
}

/** From bins to a row; `top` is the logarithm of 2^63. */
NOINLINE static void on_mel_bands(const on_mel_plan_t *plan, const int32_t *bins, int32_t top,
                                  int8_t *row) {
    const on_word_t *table = (const on_word_t *)(const void *)plan->bands;
    const on_word_t *log2_table = (const on_word_t *)(const void *)plan->log2_table;
    const on_word_t *bin = bins + 2 * plan->first_bin;
    on_complex_t bins_last = on_load_step(&table, 2);
    on_complex_t slope_bias = on_load_step(&table, 4);
    sums_t sums = sum_up(&bin, bins_last.re);
    on_wide_t upper = rising(sums, bins_last.im, slope_bias.re);
    int8_t *end = row + plan->n_mels;
    do {
        bins_last = on_load_step(&table, 2);
        sums = sum_up(&bin, bins_last.re);
        on_wide_t energy = on_wide_add(upper, sums.all);
        slope_bias = on_load_step(&table, 2);
        upper = rising(sums, bins_last.im, slope_bias.re);
        energy = on_wide_sub(energy, upper);
        on_complex_t gain_lowest = on_load_step(&table, 2);
        int32_t level = on_log2(top, energy.high, energy.low, log2_table);
        int32_t value = on_add_high(slope_bias.im, level, gain_lowest.re);
        value = on_max(on_narrow_s8(value, ON_MEL_VALUE_BITS), gain_lowest.im);
        *row++ = (int8_t)(value - ON_MEL_MARGIN);
    } while (row != end);
}

#if ON_MEL_POWER == 1
/** Replace the real parts of all bins by magnitudes. */
NOINLINE static void on_mel_magnitudes(const on_mel_plan_t *plan, int32_t *bins) {
    for (int32_t *bin = bins + 2; bin != bins + ON_MEL_N_FFT; bin += 2) {
        on_complex_t x = on_load(bin, 0);
        on_wide_t energy = on_wide_add_square(on_wide_square(x.re), x.im);
        *bin = (int32_t)on_root(energy.high, energy.low, plan->root_table);
    }
}
#endif

NOINLINE void on_mel_frame(const on_mel_plan_t *plan, const int16_t *pcm, int32_t *bins,
                           int8_t *row) {
    int32_t shift = on_fft_real(&plan->fft, pcm, bins);
#if ON_MEL_POWER == 1
    on_mel_magnitudes(plan, bins);
#endif
    on_mel_bands(plan, bins, (63 - shift * ON_MEL_POWER) * (1 << ON_LOG_BITS), row);
}

void on_mel_reset(on_mel_state_t *state) {
    state->filled = 0;
}

/** Two samples, at any place where samples can be. */
typedef struct __attribute__((packed, aligned(2), may_alias)) {
    uint32_t value;
} two_samples_t;

/** Copy n samples from the first to the last, so that `to` may overlap `from` from below. */
static void on_mel_copy(int16_t *to, const int16_t *from, size_t n) {
    const int16_t *end = from + n;
    if (n > 16 && (((uintptr_t)to ^ (uintptr_t)from) % sizeof(int32_t)) == 0U) {
        if ((uintptr_t)to % sizeof(int32_t) != 0U) {
            *to++ = *from++;
        }
        on_word_t *word = (on_word_t *)(void *)to;
        const on_word_t *next = (const on_word_t *)(const void *)from;
        size_t blocks = (size_t)(end - from) / 16;
        to += 16 * blocks;
        from += 16 * blocks;
        for (; blocks != 0; blocks--) {
            on_copy_eight(&word, &next);
        }
    }
    for (size_t blocks = (size_t)(end - from) / 8; blocks != 0; blocks--) {
        const two_samples_t *source = (const two_samples_t *)(const void *)from;
        two_samples_t *target = (two_samples_t *)(void *)to;
        two_samples_t a = source[0];
        two_samples_t b = source[1];
        two_samples_t c = source[2];
        two_samples_t d = source[3];
        target[0] = a;
        target[1] = b;
        target[2] = c;
        target[3] = d;
        from += 8;
        to += 8;
        ON_MEL_KEEP_LOOP();
    }
    while (from != end) {
        *to++ = *from++;
        ON_MEL_KEEP_LOOP();
    }
}

/** Move the samples that the next frame shares with this one to the front. */
static void on_mel_keep_overlap(on_mel_state_t *state, const on_mel_plan_t *plan) {
    state->filled = (size_t)ON_MEL_N_FFT - plan->hop;
    on_mel_copy(state->pcm, state->pcm + plan->hop, state->filled);
}

size_t on_mel_push(on_mel_state_t *state, const on_mel_plan_t *plan, const int16_t *pcm, size_t n,
                   int8_t *row, bool *ready) {
    *ready = false;
    if (n == 0) {
        return 0; /* pcm may be null, which must not even be added to */
    }
    size_t missing = ON_MEL_N_FFT - state->filled;
    size_t taken = n < missing ? n : missing;
    on_mel_copy(state->pcm + state->filled, pcm, taken);
    state->filled += taken;
    *ready = state->filled == ON_MEL_N_FFT;
    if (*ready) {
        on_mel_frame(plan, state->pcm, state->bins, row);
        on_mel_keep_overlap(state, plan);
    }
    return taken;
}
