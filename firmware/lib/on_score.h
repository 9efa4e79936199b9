/** @file
 * The anomaly score: squared reconstruction error in integers; twin of outliernets/score.py.
 */
#ifndef ON_SCORE_H
#define ON_SCORE_H

#include <stdint.h>

/** Brings input and output of a network to one unit; made by ScorePlan in Python. */
typedef struct {
    int32_t size;       /**< values in a window */
    int32_t x_zero;     /**< zero point of the input */
    int32_t x_gain;     /**< input steps to units */
    int32_t y_zero;     /**< zero point of the output */
    int32_t y_gain;     /**< output steps to units */
    uint64_t threshold; /**< a larger sum is an alarm */
} on_score_plan_t;

/**
 * Sum of squared differences between a window and what the network makes of it.
 *
 * @param plan  gains; chosen so that the sum fits 64 bits for any x and y
 * @param x     [plan->size] network input
 * @param y     [plan->size] network output
 * @return      the sum, in square units
 */
uint64_t on_score_squared_error(const on_score_plan_t *plan, const int8_t *x, const int8_t *y);

#endif
