/* Cycles from TIM2: a Cortex-M0+ has no cycle counter, and SysTick's 24 bits last a quarter of a second. TIM2
 * has 32 bits and, with an undivided bus, counts the core's clock (RM0444 22). */
#include "bsp.h"
#include "chip.h"

void on_cycles_start(void) {
    RCC_APBENR1 |= RCC_APBENR1_TIM2EN;
    (void)RCC_APBENR1; /* reading back waits until the clock is on */
    TIM2_CR1 = TIM2_CR1_CEN;
}

uint32_t bsp_cycles(void) { return TIM2_CNT; }
