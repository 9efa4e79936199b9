/** @file
 * What a board offers to the application. Every family implements all of it: firmware/bsp/<family>/.
 */
#ifndef BSP_H
#define BSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bring up clocks, the serial line and the cycle counter. Called once, before main(). */
void bsp_init(void);

/**
 * Receive at most n of the bytes that have arrived; how many. May be 0 on a microcontroller; where bytes are all
 * there is to wait for (emulators, processes), waits for one.
 */
size_t bsp_receive(uint8_t *data, size_t n);

/** Send n bytes, at the latest when the next bsp_receive() has to wait. */
void bsp_write(const uint8_t *data, size_t n);

/** Bytes that arrived while nobody read, and were lost, since the start. */
uint32_t bsp_overruns(void);

/** A free-running counter of processor cycles (or of timer ticks where there is none); it wraps. */
uint32_t bsp_cycles(void);

/** Bytes reserved for the stack. */
uint32_t bsp_stack_size(void);

/** Most bytes of the stack ever in use. */
uint32_t bsp_stack_used(void);

/** Fill the unused part of the stack with a pattern; for start-up code, before main(). */
void bsp_stack_paint(void);

/** Show whether there is an alarm: a light, a pin, or nothing. */
void bsp_alarm(bool on);

/**
 * Start the watchdog: without bsp_watchdog_kick() for BSP_WATCHDOG_MS the board starts again. Harmless where there
 * is none. True if that is why it started this time.
 */
bool bsp_watchdog_start(void);

/** Tell the watchdog that all is well. */
void bsp_watchdog_kick(void);

/** Longer than it takes to write the page. */
#define BSP_WATCHDOG_MS 8000U

/** BSP_PAGE_SIZE bytes that outlast a restart; NULL where there are none. */
const uint8_t *bsp_page(void);

/** Replace the page: n bytes, a multiple of 8, at a multiple of 4; true if they can be read back. */
bool bsp_page_write(const uint8_t *data, size_t n);

#define BSP_PAGE_SIZE 64U

/** Stop for good. */
_Noreturn void bsp_exit(int code);

/** The application. */
int main(void);

#endif
