/* Ticks of the Armv8-A generic timer (54 MHz on a Raspberry Pi 4, 62.5 MHz in QEMU's virt): Linux keeps the cycle
 * counter to itself, and QEMU's counts nothing real. */
#include "bsp.h"

uint32_t bsp_cycles(void) {
    uint64_t ticks;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(ticks));
    return (uint32_t)ticks;
}
