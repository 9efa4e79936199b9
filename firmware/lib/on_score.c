/* See on_score.h. */
#include "on_score.h"

/* What the zero points add to every difference. */
static int32_t constant_part(const on_score_plan_t *plan)
{
    return (plan->y_zero * plan->y_gain) - (plan->x_zero * plan->x_gain);
}

static uint64_t square(int32_t x)
{
    return (uint64_t)((int64_t)x * x);
}

uint64_t on_score_squared_error(const on_score_plan_t *plan, const int8_t *x, const int8_t *y,
                                int32_t count)
{
    const int32_t x_gain = plan->x_gain;
    const int32_t y_gain = plan->y_gain;
    const int32_t constant = constant_part(plan);
    uint64_t sum = 0;
    for (int32_t i = 0; i < count; ++i) {
        sum += square((x[i] * x_gain) - (y[i] * y_gain) + constant);
    }
    return sum;
}

uint64_t on_score_peak(const on_score_plan_t *plan, const int8_t *x, const int8_t *y, int32_t rows,
                       int32_t columns)
{
    uint64_t largest = 0;
    for (int32_t row = 0; row < rows; ++row) {
        const int32_t first = row * columns;
        const uint64_t sum = on_score_squared_error(plan, &x[first], &y[first], columns);
        largest = (sum > largest) ? sum : largest;
    }
    return largest;
}

void on_score_levels(const on_score_plan_t *plan, const int8_t *x, const int8_t *y, int32_t rows,
                     int32_t bands, int32_t pooled, int32_t windows, int32_t *levels)
{
    const int32_t constant = constant_part(plan) * rows * pooled;
    for (int32_t band = 0; band < bands; ++band) {
        int32_t x_sum = 0;
        int32_t y_sum = 0;
        for (int32_t row = 0; row < rows; ++row) {
            const int32_t first = ((row * bands) + band) * pooled;
            for (int32_t i = first; i < first + pooled; ++i) {
                x_sum += x[i];
                y_sum += y[i];
            }
        }
        const int32_t level = (x_sum * plan->x_gain) - (y_sum * plan->y_gain) + constant;
        const int32_t mean = (windows > 1) ? levels[band] : 0;
        levels[band] = mean + ((level - mean) / windows);
    }
}

uint64_t on_score_squares(const int32_t *levels, int32_t bands)
{
    uint64_t sum = 0;
    for (int32_t band = 0; band < bands; ++band) {
        sum += square(levels[band]);
    }
    return sum;
}

uint64_t on_score_distance(const on_score_distance_t *distance, const int32_t *levels,
                           int32_t bands)
{
    const int16_t *factor = distance->factor;
    uint64_t sum = 0;
    for (int32_t row = 0; row < bands; ++row) {
        int64_t product = distance->offset[row];
        for (int32_t band = 0; band < bands; ++band) {
            product += (int64_t)levels[band] * *factor++;
        }
        sum += square((int32_t)(product >> distance->shift));
    }
    return sum;
}
