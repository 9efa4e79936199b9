/** @file
 * From scores to an alarm: smoothing, a threshold with hysteresis, counters; twin of outliernets/alarm.py.
 */
#ifndef ON_ALARM_H
#define ON_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/** When to raise and when to end an alarm. */
typedef struct {
    uint64_t threshold; /**< raised while the smoothed score is above */
    uint64_t release;   /**< ended while it is below; at most the threshold */
    uint8_t smoothing;  /**< a new score weighs 2^-smoothing; 0: no smoothing; at most 16 */
    uint8_t windows;    /**< so many windows in a row have to agree before the alarm changes; at least 1 */
} on_alarm_config_t;

/** What is known of the sound so far. */
typedef struct {
    uint64_t smoothed; /**< score, smoothed */
    uint32_t scores;   /**< heard; stops at its largest value */
    uint32_t alarms;   /**< raised */
    uint32_t streak;   /**< windows in a row that spoke for a change */
    bool on;           /**< there is an alarm now */
} on_alarm_t;

/** Forget everything. */
void on_alarm_reset(on_alarm_t *a);

/**
 * Take a window's score into the mean. The first one is the mean.
 *
 * Cannot overflow: the mean moves towards the score by at most their distance, so it stays between the two. It
 * stops up to 2^smoothing - 1 away from a constant score, nothing beside scores of 2^40 and more.
 */
void on_alarm_smooth(on_alarm_t *a, const on_alarm_config_t *c, uint64_t score);

/** Judge the mean: raise or end the alarm. True if it changed. Once for every on_alarm_smooth(). */
bool on_alarm_judge(on_alarm_t *a, const on_alarm_config_t *c);

/** End the alarm without a judgement: what is heard is to be learned. */
void on_alarm_clear(on_alarm_t *a);

#endif
