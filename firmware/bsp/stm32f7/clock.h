/** @file
 * Clocks of the STM32F74x.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#define CLOCK_CORE_HZ 216000000U
#define CLOCK_APB2_HZ (CLOCK_CORE_HZ / 2U)

/** Run the core at CLOCK_CORE_HZ. */
void clock_init(void);

#endif
