/**
 * @file on_mel.c
 * Streaming log-Mel front end; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_mel.h"

/** Keeps a compiler from turning a copy loop into a call of a libc that may not be there. */
#define ON_MEL_NO_LIBC_CALL() __asm__ volatile("" ::: "memory")

/** Energy of the bins between two band centres, shared out between the two bands. */
typedef struct {
    int64_t upper; /**< weighted by the rising slope of the upper band */
    int64_t lower; /**< weighted by the falling slope of the lower band: the rest */
} segment_t;

/**
 * Every bin feeds two neighbouring triangles with weights that add up to one (the height of a
 * triangle is part of its band's offset), so one product per component serves both.
 * Bound: by Parseval the energies of all bins together stay below 2^62.
 */
static inline segment_t segment(const int32_t *bin, const int16_t *rise, int32_t count) {
    int64_t all = 0;
    int64_t half_upper = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t re = bin[2 * i];
        int32_t im = bin[2 * i + 1];
        int32_t weighted_re = (int32_t)(((int64_t)re * rise[i]) >> 16);
        int32_t weighted_im = (int32_t)(((int64_t)im * rise[i]) >> 16);
        all += (int64_t)re * re;
        all += (int64_t)im * im;
        half_upper += (int64_t)weighted_re * re;
        half_upper += (int64_t)weighted_im * im;
    }
    return (segment_t){2 * half_upper, all - 2 * half_upper};
}

/** Standardise, scale to int8 steps, round and saturate: one multiplication. */
static inline int8_t quantize(const on_mel_plan_t *plan, const on_mel_band_t *band, int32_t level) {
    int32_t scaled = (int32_t)(((int64_t)level * band->gain) >> 32);
    int32_t value = (band->bias + scaled) >> plan->affine_shift;
    if (value < plan->lowest) {
        value = plan->lowest;
    }
    if (value > plan->highest) {
        value = plan->highest;
    }
    return (int8_t)value;
}

void on_mel_frame(const on_mel_plan_t *plan, const int16_t *pcm, int32_t *bins, int8_t *row) {
    int32_t shift = on_fft_real(&plan->fft, pcm, bins);
    int32_t exponent = shift * 2 * 65536; /* of the energies, log2 in Q16 */
    const int32_t *bin = bins + 2 * plan->first_bin;
    const int16_t *rise = plan->rise;
    int64_t upper = 0; /* of the segment before */
    for (int32_t i = 0; i <= plan->n_mels; i++) {
        int32_t count = plan->segment_bins[i];
        segment_t energy = segment(bin, rise, count);
        bin += 2 * count;
        rise += count;
        if (i > 0) {
            const on_mel_band_t *band = &plan->bands[i - 1];
            int32_t level = on_log2(upper + energy.lower, plan->log2_table);
            level += band->offset - exponent;
            level = level < plan->floor ? plan->floor : level;
            row[i - 1] = quantize(plan, band, level);
        }
        upper = energy.upper;
    }
}

void on_mel_reset(on_mel_state_t *state) {
    state->filled = 0;
}

/** Move the samples that the next frame shares with this one to the front. */
static void on_mel_keep_overlap(on_mel_state_t *state, const on_mel_plan_t *plan) {
    size_t kept = (size_t)plan->n_fft - plan->hop;
    for (size_t i = 0; i < kept; i++) {
        state->pcm[i] = state->pcm[i + plan->hop];
        ON_MEL_NO_LIBC_CALL();
    }
    state->filled = kept;
}

size_t on_mel_push(on_mel_state_t *state, const on_mel_plan_t *plan, const int16_t *pcm, size_t n,
                   int8_t *row, bool *ready) {
    size_t missing = plan->n_fft - state->filled;
    size_t taken = n < missing ? n : missing;
    int16_t *end = state->pcm + state->filled;
    for (size_t i = 0; i < taken; i++) {
        end[i] = pcm[i];
        ON_MEL_NO_LIBC_CALL();
    }
    state->filled += taken;
    *ready = state->filled == plan->n_fft;
    if (*ready) {
        on_mel_frame(plan, state->pcm, state->bins, row);
        on_mel_keep_overlap(state, plan);
    }
    return taken;
}
