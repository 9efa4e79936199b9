/**
 * @file on_fft.h
 * Windowed real FFT in 32-bit integers, with one normalisation shift per frame.
 *
 * n_fft real samples are transformed as n_fft / 2 complex ones: a radix-8 step that also applies the
 * window, radix-4 steps, and the split that turns the half-length spectrum into the real one.
 * No step can overflow, whatever the samples: the bounds are written beside each step, and they
 * hold for magnitudes, so rotations cannot break them.
 */
#ifndef ON_FFT_H
#define ON_FFT_H

#include <stdint.h>

/** Samples in a frame. Constant, so that addresses are; to change it, define it for all files. */
#ifndef ON_MEL_N_FFT
#define ON_MEL_N_FFT 1024
#endif

_Static_assert(ON_MEL_N_FFT == 256 || ON_MEL_N_FFT == 1024,
               "n_fft / 2 must be 8 times a power of four, and the sums fit 32 bits");

/** Complex points of the transform. */
#define ON_FFT_POINTS (ON_MEL_N_FFT / 2)

/** Tables of the transform. */
typedef struct {
    const int32_t *window;   /**< [points + 1] first half and middle of a symmetric window, Q27 */
    const uint8_t *order;    /**< [points / 8] where the i-th radix-8 result goes */
    const int32_t *twiddles; /**< [points / 4][3][2] cos, sin of k, 2k, 3k turns / points, Q31 */
    const int32_t *split;    /**< [points / 2][2] cos, sin of k turns / n_fft, Q31 */
} on_fft_plan_t;

/**
 * Transform one frame: bins[2k], bins[2k + 1] = re, im of bin k for k = 1 ... points - 1.
 *
 * Bins 0 and n_fft / 2 are not produced: no Mel band looks at them. The result is the spectrum of
 * the windowed frame (full scale = 1) times 2^(22 + shift - radix-4 steps).
 *
 * @param plan  tables
 * @param pcm   ON_MEL_N_FFT samples
 * @param bins  room for ON_MEL_N_FFT words, aligned for int32_t
 * @return      shift: 0 for loud frames, up to 29 for quiet ones
 */
int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins);

#endif
