/* How much of the stack was ever used: paint it at the start, look how far the paint is intact. */
#include "bsp.h"

/* Ends of the stack: from the linker script, or from the start-up code where there is none. */
extern uint8_t on_stack_low[];
extern uint8_t on_stack_high[];

#define PAINT 0xC5A7D3E9U
#define MARGIN 128U /* bytes below this function's frame that stay unpainted: its own locals */

void bsp_stack_paint(void) {
    volatile uint32_t *p = (volatile uint32_t *)(void *)on_stack_low;
    const uintptr_t end = (uintptr_t)__builtin_frame_address(0) - MARGIN;
    while ((uintptr_t)p < end) {
        *p++ = PAINT;
    }
}

uint32_t bsp_stack_size(void) { return (uint32_t)((uintptr_t)on_stack_high - (uintptr_t)on_stack_low); }

uint32_t bsp_stack_used(void) {
    const volatile uint32_t *p = (const volatile uint32_t *)(const void *)on_stack_low;
    while ((uintptr_t)p < (uintptr_t)on_stack_high && *p == PAINT) {
        p++;
    }
    return (uint32_t)((uintptr_t)on_stack_high - (uintptr_t)p);
}
