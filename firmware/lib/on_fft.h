/**
 * @file on_fft.h
 * Windowed real FFT in 32-bit integers, scaled up by whole bits where a frame is quiet.
 *
 * n_fft real samples are transformed as n_fft / 2 complex ones: a radix-8 (or radix-4) step that
 * also applies a Hann window, radix-4 steps, and the split that turns the half-length spectrum into
 * the real one. No step can overflow, whatever the samples: every number in it is a sum of windowed
 * samples times factors of magnitude 1, which MelPlan in Python bounds by the frame's energy
 * (docs/front-end.md).
 */
#ifndef ON_FFT_H
#define ON_FFT_H

#include <stdint.h>

/* What addresses and loops depend on is constant: 1024 samples and energies, or what a generated
 * on_mel_config.h says. */
#ifdef __has_include
#if __has_include("on_mel_config.h")
#include "on_mel_config.h"
#endif
#endif

#include "on_q31.h"

/** Samples in a frame. */
#ifndef ON_MEL_N_FFT
#define ON_MEL_N_FFT 1024
#endif

/** Fraction bits of the window; 16 more than a windowed sample has in a loud frame. */
#ifndef ON_FFT_WINDOW_BITS
#define ON_FFT_WINDOW_BITS 22
#endif

_Static_assert(ON_MEL_N_FFT == 256 || ON_MEL_N_FFT == 512 || ON_MEL_N_FFT == 1024 ||
                   ON_MEL_N_FFT == 2048,
               "n_fft / 2 must be 4 or 8 times a power of four");

/** Complex points of the transform. */
#define ON_FFT_POINTS (ON_MEL_N_FFT / 2)

/** Tables of the transform. */
typedef struct {
    /**
     * Rows of the first step, one for each group of 8 (or 4) complex points: the weights of its
     * samples in the first half of the frame, in the order of use, and where the next group's
     * results go, in words.
     */
    const int32_t *window;
    const int32_t *twiddles; /**< [points / 4 - 1][3][2] cos, sin of k, 3k, 2k turns / points, Q31 */
    const int32_t *split;    /**< [points / 2 - 1][2] cos, sin of k turns / n_fft, Q31 */
    int8_t room;             /**< twice the shift that an energy of 2^42 leaves room for */
    int8_t max_shift;        /**< that keeps the window within 32 bits */
} on_fft_plan_t;

/**
 * Transform one frame: bins[2k], bins[2k + 1] = re, im of bin k for k = 1 ... points - 1; im has the
 * wrong sign above points / 2.
 *
 * Bins 0 and n_fft / 2 are not produced: no Mel band looks at them. The result is the spectrum of
 * the windowed int16 samples times 2^(ON_FFT_WINDOW_BITS - 16 + shift).
 *
 * @param plan  tables
 * @param pcm   ON_MEL_N_FFT samples, aligned for int32_t
 * @param bins  room for ON_MEL_N_FFT words
 * @return      shift: 0 for loud frames, up to plan->max_shift for quiet ones
 */
int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins);

#endif
