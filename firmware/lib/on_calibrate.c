/* See on_calibrate.h. No division instruction of 64 bits, no run-time library that brings one. */
#include "on_calibrate.h"

#include "on_frame.h"

#define VALUE_BITS 24U
#define MAGIC 0x41434E4FU /* "ONCA" */
#define CRC_AT (ON_CALIBRATE_RECORD - 4U)

void on_calibrate_start(on_calibrate_t *c, uint32_t windows) { *c = (on_calibrate_t){.wanted = windows}; }

bool on_calibrate_add(on_calibrate_t *c, uint64_t score)
{
    while ((score >> c->shift) >> VALUE_BITS != 0U) { /* one place coarser, for all scores so far, too */
        c->shift++;
        c->sum >>= 1;
        c->squares >>= 2;
    }
    const uint64_t value = score >> c->shift;
    c->sum += value;
    c->squares += value * value;
    c->seen++;
    return c->seen == c->wanted;
}

/* Quotient by long division, one bit at a time; the remainder is less than 2^32, so it can be doubled. */
static uint64_t divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
    uint64_t quotient = 0;
    uint64_t rest = 0;
    for (uint32_t bit = 64; bit > 0U; bit--) {
        rest = (rest << 1) | ((dividend >> (bit - 1U)) & 1U);
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1U;
        }
    }
    *remainder = (uint32_t)rest;
    return quotient;
}

/* The smallest number whose square is not less than n, which is less than 2^48. */
static uint64_t root_upwards(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = 1U << VALUE_BITS; bit > 0U; bit >>= 1) {
        const uint64_t candidate = root + bit;
        if (candidate * candidate <= n) {
            root = candidate;
        }
    }
    return root * root < n ? root + 1U : root;
}

/* n * 2^shift, or the largest number. */
static uint64_t scaled(uint64_t n, uint32_t shift) { return n > UINT64_MAX >> shift ? UINT64_MAX : n << shift; }

/* In units of 2^shift: mean below 2^24, deviation from 1 to 2^24. */
static on_calibrate_level_t level_of_values(const on_calibrate_t *c)
{
    uint32_t rest;
    uint32_t ignored;
    const uint64_t mean = divide(c->sum, c->seen, &rest);
    /* sum^2 / seen = mean * sum + rest * sum / seen: 24 + 40 bits, and 16 + 40. */
    const uint64_t expected = mean * c->sum + divide(rest * c->sum, c->seen, &ignored);
    /* Less than 0 only by what making older scores coarser has rounded off. */
    const uint64_t spread = c->squares > expected ? c->squares - expected : 0U;
    const uint64_t deviation = root_upwards(divide(spread, c->seen, &ignored));
    return (on_calibrate_level_t){mean, deviation > 0U ? deviation : 1U};
}

on_calibrate_level_t on_calibrate_level(const on_calibrate_t *c)
{
    const on_calibrate_level_t level = level_of_values(c);
    return (on_calibrate_level_t){scaled(level.mean, c->shift), scaled(level.deviation, c->shift)};
}

void on_calibrate_apply(const on_calibrate_t *c, uint32_t factor, on_alarm_config_t *alarm)
{
    const on_calibrate_level_t level = level_of_values(c);
    const uint64_t margin = factor * level.deviation; /* 8 + 25 bits */
    alarm->threshold = scaled(level.mean + margin, c->shift);
    alarm->release = scaled(level.mean + (margin >> 1), c->shift);
}

void on_calibrate_record(uint8_t record[ON_CALIBRATE_RECORD], const on_alarm_config_t *alarm, uint32_t model,
                         uint32_t windows)
{
    on_put32(record, MAGIC);
    on_put16(record + 4, ON_CALIBRATE_VERSION);
    on_put16(record + 6, ON_CALIBRATE_RECORD);
    on_put32(record + 8, model);
    on_put32(record + 12, alarm->smoothing);
    on_put64(record + 16, alarm->threshold);
    on_put64(record + 24, alarm->release);
    on_put32(record + 32, windows);
    on_put32(record + CRC_AT, on_crc32(0, record, CRC_AT));
}

bool on_calibrate_restore(const uint8_t record[ON_CALIBRATE_RECORD], on_alarm_config_t *alarm, uint32_t model)
{
    const uint64_t threshold = on_get64(record + 16);
    const uint64_t release = on_get64(record + 24);
    const uint32_t kind = ON_CALIBRATE_VERSION | (ON_CALIBRATE_RECORD << 16);
    if (on_get32(record) != MAGIC || on_get32(record + 4) != kind || on_get32(record + 8) != model ||
        on_get32(record + 12) != alarm->smoothing || release > threshold ||
        on_crc32(0, record, CRC_AT) != on_get32(record + CRC_AT)) {
        return false;
    }
    alarm->threshold = threshold;
    alarm->release = release;
    return true;
}
