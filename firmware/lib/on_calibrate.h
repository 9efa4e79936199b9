/** @file
 * Learns on the device how loud "normal" scores are, and keeps what it learned; twin of outliernets/alarm.py.
 *
 * The record that is kept, little endian:
 *
 *     offset  size  field
 *          0     4  magic "ONCA"
 *          4     2  version of this format
 *          6     2  bytes of the record
 *          8     4  id of the model that gave the scores
 *         12     4  smoothing the scores had
 *         16     8  threshold
 *         24     8  release
 *         32     4  windows it was learned from
 *         36     4  CRC-32 of bytes 0 .. 36
 */
#ifndef ON_CALIBRATE_H
#define ON_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "on_alarm.h"

#define ON_CALIBRATE_MIN 8U        /**< windows: fewer say nothing about a spread */
#define ON_CALIBRATE_MAX 65535U    /**< windows: the sums of more may not fit */
#define ON_CALIBRATE_MAX_FACTOR 255U
#define ON_CALIBRATE_RECORD 40U    /**< bytes */
#define ON_CALIBRATE_VERSION 1U

/** Sums over scores, each divided by 2^shift to make it less than 2^24. */
typedef struct {
    uint32_t wanted; /**< windows to learn from; 0: not learning */
    uint32_t seen;
    uint32_t shift;
    uint64_t sum;     /**< less than 2^24 * seen: fits 40 bits */
    uint64_t squares; /**< less than 2^48 * seen: fits 64 bits */
} on_calibrate_t;

/** What normal scores are like. */
typedef struct {
    uint64_t mean;
    uint64_t deviation; /**< standard deviation, rounded up: never 0 */
} on_calibrate_level_t;

/** Learn from so many windows, ON_CALIBRATE_MIN ... ON_CALIBRATE_MAX. */
void on_calibrate_start(on_calibrate_t *c, uint32_t windows);

/** Take one (smoothed) score; true when it was the last that is wanted. */
bool on_calibrate_add(on_calibrate_t *c, uint64_t score);

/** Mean and deviation of the scores so far, of which there must be one. */
on_calibrate_level_t on_calibrate_level(const on_calibrate_t *c);

/**
 * Set threshold = mean + factor * deviation, and release half way between mean and threshold.
 *
 * @param factor  1 ... ON_CALIBRATE_MAX_FACTOR
 */
void on_calibrate_apply(const on_calibrate_t *c, uint32_t factor, on_alarm_config_t *alarm);

/** Write a record of the thresholds in `alarm`. */
void on_calibrate_record(uint8_t record[ON_CALIBRATE_RECORD], const on_alarm_config_t *alarm, uint32_t model,
                         uint32_t windows);

/** Take the thresholds of a record; false, and nothing changes, if it is damaged or of something else. */
bool on_calibrate_restore(const uint8_t record[ON_CALIBRATE_RECORD], on_alarm_config_t *alarm, uint32_t model);

#endif
