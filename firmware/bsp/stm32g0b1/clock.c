/* 64 MHz from the internal 16 MHz oscillator, which runs after reset. */
#include "clock.h"

#include "chip.h"

/* RM0444 5.4.4: 16 MHz (M = 0 divides by 1) times 8, divided by 2. */
static void start_pll(void) {
    RCC_PLLCFGR = RCC_PLLCFGR_SRC_HSI16 | RCC_PLLCFGR_N(8U) | RCC_PLLCFGR_REN | RCC_PLLCFGR_R_DIV2;
    RCC_CR |= RCC_CR_PLLON;
}

/* RM0444 3: two wait states above 48 MHz; the instruction cache is on after reset. */
static void slow_down_flash(void) {
    FLASH_ACR = (FLASH_ACR & ~FLASH_ACR_LATENCY_MASK) | FLASH_ACR_PRFTEN | 2U;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != 2U) {
    }
}

void clock_init(void) {
    start_pll();
    slow_down_flash();
    while ((RCC_CR & RCC_CR_PLLRDY) == 0U) {
    }
    RCC_CFGR = RCC_CFGR_SW_PLLR;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLLR) {
    }
}
