/* See on_alarm.h. */
#include "on_alarm.h"

void on_alarm_reset(on_alarm_t *a) { *a = (on_alarm_t){0}; }

void on_alarm_smooth(on_alarm_t *a, const on_alarm_config_t *c, uint64_t score)
{
    if (a->scores == 0U) {
        a->smoothed = score;
    } else if (score > a->smoothed) {
        a->smoothed += (score - a->smoothed) >> c->smoothing;
    } else {
        a->smoothed -= (a->smoothed - score) >> c->smoothing;
    }
    if (a->scores < UINT32_MAX) {
        a->scores++;
    }
}

bool on_alarm_judge(on_alarm_t *a, const on_alarm_config_t *c)
{
    const bool speaks_for_change = a->on ? a->smoothed < c->release : a->smoothed > c->threshold;
    a->streak = speaks_for_change ? a->streak + 1U : 0U; /* at most c->windows, so it fits */
    if (a->streak < c->windows || !speaks_for_change) {
        return false;
    }
    a->on = !a->on;
    a->streak = 0;
    if (a->on && a->alarms < UINT32_MAX) {
        a->alarms++;
    }
    return true;
}

void on_alarm_clear(on_alarm_t *a)
{
    a->on = false;
    a->streak = 0;
}
