/** @file
 * Clocks of an STM32; chip.h says which.
 */
#ifndef CLOCK_H
#define CLOCK_H

/** Run the core and the buses as fast as chip.h says. */
void clock_init(void);

#endif
