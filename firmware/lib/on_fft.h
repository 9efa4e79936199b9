/**
 * @file on_fft.h
 */
#ifndef ON_FFT_H
#define ON_FFT_H

#include <stdint.h>

#ifdef __has_include
#if __has_include("on_mel_config.h")
#include "on_mel_config.h"
#endif
#endif

/** Samples in a frame. Constant, so that addresses are; to change it, define it for all files. */
#ifndef ON_MEL_N_FFT
#define ON_MEL_N_FFT 1024
#endif
#ifndef ON_FFT_WINDOW_BITS
#define ON_FFT_WINDOW_BITS 22
#endif
#ifndef ON_MEL_POWER
#define ON_MEL_POWER 2
#endif

/** Complex points of the transform. */
#define ON_FFT_POINTS (ON_MEL_N_FFT / 2)

/** Tables of the transform. */
typedef struct {
    const int32_t *window;
    const int32_t *twiddles;
    const int32_t *split;
    int8_t room;
    int8_t max_shift;
} on_fft_plan_t;

int32_t on_fft_real(const on_fft_plan_t *plan, const int16_t *pcm, int32_t *bins);

#endif
