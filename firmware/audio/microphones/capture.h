/** @file
 * Samples from the codec into memory, without the core: SAI2 and DMA2 of the STM32F746 (RM0385 33 and 8).
 *
 * Block A of SAI2 makes the clocks, block B receives one slot of each frame, and a stream of DMA2 puts it into memory,
 * round and round. Twice a round an interrupt ends WAIT_FOR_EVENT().
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Cycles of the core from one sample to the next, rounded down. */
extern const uint32_t capture_cycles_per_sample;

/** Start the clocks of the codec; false if the PLL for them does not start. */
bool capture_clocks_start(void);

/** Begin to put samples of a slot into n halfwords, from the first on. */
void capture_start(uint32_t slot, volatile int16_t *samples, uint32_t n);

/** The place of the next sample, 0 to n - 1. */
uint32_t capture_position(void);

/** A number that changes with every half of a round; by less than one for each, if the core has waited. */
uint32_t capture_halves(void);

/** Whether every sample since capture_start() has come to memory. */
bool capture_is_whole(void);

#endif
