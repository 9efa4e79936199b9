/** @file
 * The anomaly score: squared reconstruction error in integers; twin of outliernets/score.py.
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

#endif
