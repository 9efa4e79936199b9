/* See on_score.h. */
#include "on_score.h"

uint64_t on_score_squared_error(const on_score_plan_t *plan, const int8_t *x, const int8_t *y)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < plan->size; ++i) {
        const int32_t a = (x[i] - plan->x_zero) * plan->x_gain;
        const int32_t b = (y[i] - plan->y_zero) * plan->y_gain;
        const int64_t difference = (int64_t)a - b;
        sum += (uint64_t)(difference * difference);
    }
    return sum;
}
