/** @file
 * What a board offers to the application. Every family implements all of it: firmware/bsp/<family>/.
 */
#ifndef BSP_H
#define BSP_H

#include <stddef.h>
#include <stdint.h>

/** Bring up clocks, the serial line and the cycle counter. Called once, before main(). */
void bsp_init(void);

/** Receive exactly n bytes; waits for them. */
void bsp_read(uint8_t *data, size_t n);

/** Send n bytes, at the latest when the next bsp_read() has to wait. */
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

/** Stop for good. */
_Noreturn void bsp_exit(int code);

/** The application. */
int main(void);

#endif
