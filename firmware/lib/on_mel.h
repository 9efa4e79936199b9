/**
 * @file on_mel.h
 * Streaming log-Mel front end: PCM in, rows of int8 network input out. Integers only.
 *
 * Frames are not centred: row t is made of samples [t * hop, t * hop + n_fft). The same bits come
 * out on every machine; features/mel_fixed.py computes them in numpy.
 */
#ifndef ON_MEL_H
#define ON_MEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "on_fft.h"
#include "on_log.h"
#include "on_root.h"

/** What the front end sums up: 2 energies of bins, 1 their magnitudes. */
#ifndef ON_MEL_POWER
#define ON_MEL_POWER 2
#endif

/** Fraction bits of a standardised value before it is rounded to int8. */
#define ON_MEL_VALUE_BITS 12

/**
 * A band, and the FFT bins from its centre to the next one's (or to fmax): where this band falls,
 * the next one rises. Row 0 has only bins, those below the first band's centre. All are words: rows
 * are read two words at a time.
 */
typedef struct {
    int32_t bins;   /**< how many, perhaps none */
    uint32_t last;  /**< weight of the last of them in the next band, Q32, below 1 */
    uint32_t slope; /**< of that weight from bin to bin, Q32 */
    int32_t bias;   /**< value at log2 = 0 plus one half plus margin, Q12 */
    int32_t gain;   /**< steps of int8 per octave, Q20 */
    int32_t lowest; /**< value of the floor or of -clip_sigma, whichever is higher, plus margin */
} on_mel_band_t;

/** Everything that depends on the settings and on the training data; made by MelPlan in Python. */
typedef struct {
    uint16_t hop;                       /**< samples between frames, 1 ... ON_MEL_N_FFT */
    uint16_t n_mels;                    /**< bands */
    uint16_t first_bin;                 /**< first FFT bin of the first row */
    on_fft_plan_t fft;                  /**< window and rotations */
    const on_mel_band_t *bands;         /**< [n_mels + 1] */
    const on_log_segment_t *log2_table; /**< [ON_LOG_SEGMENTS] */
#if ON_MEL_POWER == 1
    const int32_t *root_table; /**< [ON_ROOT_TABLE_SIZE] */
#endif
} on_mel_plan_t;

/** All memory of one stream. Any content is fine after on_mel_reset. */
typedef struct {
    size_t filled;                        /**< samples in pcm */
    int16_t pcm[ON_MEL_N_FFT] ON_ALIGNED; /**< the frame being filled */
    int32_t bins[ON_MEL_N_FFT];           /**< scratch of on_mel_frame: free between calls */
} on_mel_state_t;

/** Forget all sound: the next row needs ON_MEL_N_FFT new samples. */
void on_mel_reset(on_mel_state_t *state);

/**
 * Take samples until a frame is complete.
 *
 * Call it again with the rest while the return value is less than n. How the sound is cut into
 * calls does not change the rows.
 *
 * @param state  stream, reset before its first use
 * @param plan   tables
 * @param pcm    n samples, may be null when n is 0
 * @param n      samples offered
 * @param row    [plan->n_mels] written when a frame was completed, else untouched
 * @param ready  whether row was written
 * @return       samples taken, at most n
 */
size_t on_mel_push(on_mel_state_t *state, const on_mel_plan_t *plan, const int16_t *pcm, size_t n,
                   int8_t *row, bool *ready);

/**
 * One frame to one row; needs no state.
 *
 * @param plan  tables
 * @param pcm   ON_MEL_N_FFT samples, aligned for int32_t
 * @param bins  scratch of ON_MEL_N_FFT words
 * @param row   [plan->n_mels] result
 */
void on_mel_frame(const on_mel_plan_t *plan, const int16_t *pcm, int32_t *bins, int8_t *row);

#endif
