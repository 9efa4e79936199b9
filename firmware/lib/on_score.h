/** @file
 * The anomaly score in integers: what a network left of its input; twin of outliernets/score.py.
 */
#ifndef ON_SCORE_H
#define ON_SCORE_H

#include <stdint.h>

/** Brings input and output of a network to one unit; made by ScorePlan in Python. */
typedef struct {
    int32_t x_zero;     /**< zero point of the input */
    int32_t x_gain;     /**< input steps to units */
    int32_t y_zero;     /**< zero point of the output */
    int32_t y_gain;     /**< output steps to units */
    uint64_t threshold; /**< a larger sum is an alarm */
} on_score_plan_t;

/** How levels vary together in normal sound; made by Distance in Python. */
typedef struct {
    const int16_t *factor; /**< [bands][bands] */
    const int64_t *offset; /**< [bands] the factor times levels of normal sound, negative */
    int32_t shift;         /**< of the products, so that they fit 32 bits */
} on_score_distance_t;

/**
 * Sum of squared differences between some of a window and what the network makes of it.
 *
 * @param plan   gains; chosen so that the sum over a window fits 64 bits for any x and y
 * @param x      [count] network input
 * @param y      [count] network output
 * @param count  values; sums of parts of a window add up to the window's
 * @return       the sum, in square units
 */
uint64_t on_score_squared_error(const on_score_plan_t *plan, const int8_t *x, const int8_t *y,
                                int32_t count);

/** Return the largest such sum of a row; x and y are [rows][columns]. */
uint64_t on_score_peak(const on_score_plan_t *plan, const int8_t *x, const int8_t *y, int32_t rows,
                       int32_t columns);

/**
 * Bring the levels up to date: each band's sum of differences, averaged over windows.
 *
 * @param plan     gains; chosen so that a level has at most 29 bits and a sign
 * @param x        [rows][bands][pooled] network input
 * @param y        [rows][bands][pooled] network output
 * @param rows     of the window
 * @param bands    levels
 * @param pooled   neighbouring columns of each level
 * @param windows  how many the average is over, this one included; with 1 old levels do not matter
 * @param levels   [bands] averages, in units
 */
void on_score_levels(const on_score_plan_t *plan, const int8_t *x, const int8_t *y, int32_t rows,
                     int32_t bands, int32_t pooled, int32_t windows, int32_t *levels);

/** Return the sum of the squares of levels. */
uint64_t on_score_squares(const int32_t *levels, int32_t bands);

/** Return the squared Mahalanobis distance of levels. */
uint64_t on_score_distance(const on_score_distance_t *distance, const int32_t *levels,
                           int32_t bands);

#endif
