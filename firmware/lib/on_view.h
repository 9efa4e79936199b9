/** @file
 * What a detector looks at of a window: frames averaged, or statistics of its bands over time; twin of
 * outliernets/view.py. Rows come one at a time and are not kept.
 *
 * Rows, sums, squares and maxima have room for a multiple of 4 bands, are taken four at a time, and are
 * aligned to 4 bytes. All begin at 0.
 */
#ifndef ON_VIEW_H
#define ON_VIEW_H

#include <stdint.h>

#define ON_VIEW_MAX_FRAMES 64 /**< of a window: its sums fit 16 bits, its deviations 32 */
#define ON_VIEW_ROOT_BITS 3   /**< fraction bits of frames * deviation */
#define ON_VIEW_GAIN_BITS 20  /**< fraction bits of gains and offsets */

/** One statistic; element i is (gain * its sum over `pooled` neighbouring bands + offset[i]) >> GAIN_BITS. */
typedef struct {
    int32_t elements;      /**< how many numbers it gives the network */
    int32_t pooled;        /**< bands of each */
    int32_t gain;          /**< above 0 */
    const int32_t *offset; /**< [elements] */
} on_view_part_t;

/** Add a row to the sums of its bands. */
void on_view_add(int16_t *restrict sums, const int8_t *restrict row, int32_t bands);

/** Add a row to the sums, and its squares to theirs. */
void on_view_add_squares(int16_t *restrict sums, uint32_t *restrict squares,
                         const int8_t *restrict row, int32_t bands);

/** Raise the maxima, which are numbers plus 128, to those of a row. */
void on_view_raise(uint8_t *restrict maxima, const int8_t *restrict row, int32_t bands);

/** Average 2^bits rows, to nearest, halves up. */
void on_view_pool(const int16_t *sums, int32_t bands, int32_t bits, int8_t *out);

/** Write the means over time. */
void on_view_means(const on_view_part_t *part, const int16_t *sums, int8_t *out);

/** Write the standard deviations over the time of so many frames. */
void on_view_deviations(const on_view_part_t *part, const int16_t *sums, const uint32_t *squares,
                        uint32_t frames, int8_t *out);

/** Write the maxima over time. */
void on_view_maxima(const on_view_part_t *part, const uint8_t *maxima, int8_t *out);

#endif
