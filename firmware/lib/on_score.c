/* See on_score.h. */
#include "on_score.h"

uint64_t on_score_squared_error(const on_score_plan_t *plan, const int8_t *x, const int8_t *y,
                                int32_t count)
{
    const int32_t x_gain = plan->x_gain;
    const int32_t y_gain = plan->y_gain;
    const int32_t constant = (plan->y_zero * y_gain) - (plan->x_zero * x_gain);
    uint64_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        const int32_t difference = (x[i] * x_gain) - (y[i] * y_gain) + constant;
        sum += (uint64_t)((int64_t)difference * difference);
    }
    return sum;
}
