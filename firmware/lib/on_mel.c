/**
 * @file on_mel.c
 * Streaming log-Mel front end; features/mel_fixed.py holds the same arithmetic in numpy.
 */
#include "on_mel.h"

/** Keeps a compiler from turning a copy loop into a call of a libc that may not be there. */
#define ON_MEL_NO_LIBC_CALL() __asm__ volatile("" ::: "memory")

/** Keeps a compiler from unrolling a loop that runs three times on average. */
#define ON_MEL_KEEP_ROLLED() __asm__ volatile("")

/** Own symbols, so that a profile tells the parts apart. */
#define NOINLINE __attribute__((noinline))

/** Energy of the bins between two band centres, shared out between the two bands. */
typedef struct {
    int64_t upper; /**< weighted by the rising slope of the upper band */
    int64_t lower; /**< weighted by the falling slope of the lower band: the rest */
} energy_t;

/**
 * Every bin feeds two neighbouring triangles with weights that add up to one (the height of a
 * triangle is part of its band's offset), so one product per component serves both.
 * Bound: after normalisation at most 512 points of magnitude 2^25.5, energy 2^60; the first radix-4
 * step makes four times that, the others and the split keep it: all sums stay within 2^62.
 */
NOINLINE static energy_t on_mel_segment(const on_mel_segment_t *segment, const int32_t *bin) {
    int64_t all = 0;
    int64_t half_upper = 0;
    uint32_t rise = segment->start;
    const int32_t *end = bin + 2 * segment->bins;
    while (bin < end) {
        int32_t weight = (int32_t)rise;
        int32_t re = *bin++;
        int32_t im = *bin++;
        all += (int64_t)re * re;
        all += (int64_t)im * im;
        half_upper += (int64_t)(int32_t)(((int64_t)re * weight) >> 32) * re;
        half_upper += (int64_t)(int32_t)(((int64_t)im * weight) >> 32) * im;
        rise += segment->slope; /* unsigned: after the last bin it may pass 1 */
        ON_MEL_KEEP_ROLLED();
    }
    return (energy_t){2 * half_upper, all - 2 * half_upper};
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

NOINLINE void on_mel_frame(const on_mel_plan_t *plan, const int16_t *pcm, int32_t *bins,
                           int8_t *row) {
    int32_t shift = on_fft_real(&plan->fft, pcm, bins);
    int32_t exponent = shift * 2 * 65536; /* of the energies, log2 in Q16 */
    const int32_t *bin = bins + 2 * plan->first_bin;
    int64_t upper = 0; /* of the segment before */
    for (int32_t i = 0; i <= plan->n_mels; i++) {
        const on_mel_segment_t *segment = &plan->segments[i];
        energy_t energy = on_mel_segment(segment, bin);
        bin += 2 * segment->bins;
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

/** Copy n samples from the first to the last, so that `to` may overlap `from` from below. */
static void on_mel_copy(int16_t *to, const int16_t *from, size_t n) {
    const int16_t *end = from + n;
    while (end - from >= 4) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
        to += 4;
        from += 4;
        ON_MEL_NO_LIBC_CALL();
    }
    while (from < end) {
        *to++ = *from++;
        ON_MEL_NO_LIBC_CALL();
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
