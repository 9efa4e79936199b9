/* 216 MHz from the 25 MHz crystal of the DISCO-F746NG, or from the internal 16 MHz oscillator. */
#include "clock.h"

#include "stm32f7.h"

#define HSE_PATIENCE 100000U /* polls; the crystal starts within 2 ms (DS10916 table 37) */
#define HSE_MHZ 25U
#define HSI_MHZ 16U

/* RM0385 5.3.1: start the crystal; false when there is none. */
static int start_hse(void) {
    RCC_CR |= RCC_CR_HSEON;
    for (uint32_t i = 0; i < HSE_PATIENCE; i++) {
        if ((RCC_CR & RCC_CR_HSERDY) != 0U) {
            return 1;
        }
    }
    return 0;
}

/* RM0385 5.3.2: 1 MHz into the PLL, times 432, divided by 2 is 216 MHz (and by 9 48 MHz for USB). */
static void start_pll(void) {
    const int crystal = start_hse();
    const uint32_t m = crystal ? HSE_MHZ : HSI_MHZ;
    RCC_PLLCFGR = m | (432U << 6) | (0U << 16) | (crystal ? RCC_PLLCFGR_SRC_HSE : 0U) | (9U << 24);
    RCC_CR |= RCC_CR_PLLON;
}

/* RM0385 4.1.4, "Entering Over-drive mode": needed above 180 MHz. Voltage scale 1 is the reset value. */
static void enter_over_drive(void) {
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* 5.2.12: the clock is on two cycles later */
    PWR_CR1 |= PWR_CR1_ODEN;
    while ((PWR_CSR1 & PWR_CSR1_ODRDY) == 0U) {
    }
    PWR_CR1 |= PWR_CR1_ODSWEN;
    while ((PWR_CSR1 & PWR_CSR1_ODSWRDY) == 0U) {
    }
}

/* RM0385 3.3.2 table 6: seven wait states at 216 MHz and 2.7 ... 3.6 V; prefetch and ART accelerator. */
static void slow_down_flash(void) {
    FLASH_ACR = 7U | FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN;
    while ((FLASH_ACR & 0xFU) != 7U) {
    }
}

void clock_init(void) {
    start_pll();
    enter_over_drive();
    slow_down_flash();
    RCC_CFGR = RCC_CFGR_PPRE1_DIV4 | RCC_CFGR_PPRE2_DIV2; /* APB1 54 MHz, APB2 108 MHz: the limits */
    while ((RCC_CR & RCC_CR_PLLRDY) == 0U) {
    }
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
    }
}
