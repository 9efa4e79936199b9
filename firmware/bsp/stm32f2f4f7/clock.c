/* Full speed from the clock on the board, or from the internal 16 MHz oscillator where that fails. */
#include "clock.h"

#include "chip.h"
#include "rcc.h"

#define HSE_PATIENCE 100000U /* polls; a crystal starts within 2 ms (DS10916 table 37) */
#define HSI_MHZ 16U

/* Start the clock on the board; false when there is none. */
static int start_hse(void) {
    RCC_CR |= HSE_IS_CRYSTAL ? RCC_CR_HSEON : RCC_CR_HSEON | RCC_CR_HSEBYP;
    for (uint32_t i = 0; i < HSE_PATIENCE; i++) {
        if ((RCC_CR & RCC_CR_HSERDY) != 0U) {
            return 1;
        }
    }
    return 0;
}

/* 1 MHz into the PLL, times N, divided by 2 (P = 0) is the core's clock. */
static void start_pll(void) {
    const int external = start_hse();
    const uint32_t m = external ? HSE_MHZ : HSI_MHZ;
    const uint32_t n = CLOCK_CORE_HZ / 500000U;
    RCC_PLLCFGR =
        m | (n << 6) | (0U << 16) | (external ? RCC_PLLCFGR_SRC_HSE : 0U) | (PLL_Q << 24) | RCC_PLLCFGR_UPPER;
    RCC_CR |= RCC_CR_PLLON;
}

/* "Entering Over-drive mode" (RM0385 4.1.4): needed above 180 MHz (F7), 168 MHz (F446). Voltage scale 1 is the
 * reset value of both. */
static void enter_over_drive(void) {
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* the clock is on two cycles later */
    PWR_CR |= PWR_CR_ODEN;
    while ((PWR_CSR & PWR_CSR_ODRDY) == 0U) {
    }
    PWR_CR |= PWR_CR_ODSWEN;
    while ((PWR_CSR & PWR_CSR_ODSWRDY) == 0U) {
    }
}

/* Wait states at 2.7 ... 3.6 V, and what hides them. */
static void slow_down_flash(void) {
    FLASH_ACR = FLASH_WAIT_STATES | FLASH_ACCELERATION;
    while ((FLASH_ACR & 0xFU) != FLASH_WAIT_STATES) {
    }
}

void clock_init(void) {
    start_pll();
    if (NEEDS_OVER_DRIVE) {
        enter_over_drive();
    }
    slow_down_flash();
    RCC_CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2;
    while ((RCC_CR & RCC_CR_PLLRDY) == 0U) {
    }
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
    }
}
