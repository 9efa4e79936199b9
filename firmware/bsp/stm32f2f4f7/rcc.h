/** @file
 * Power, clock and flash registers that the STM32F2, F4 and F7 have at the same places.
 *
 * Chapters of the reference manuals: power RM0033 4, RM0390 5, RM0385 4; clocks RM0033 5, RM0390 6,
 * RM0385 5; flash PM0059 (F2), RM0390 3, RM0385 3.
 */
#ifndef RCC_H
#define RCC_H

#include "cortex_m.h"

/* Power control. The STM32F2 has no over-drive. */
#define PWR_CR REG32(0x40007000U)
#define PWR_CR_ODEN (1U << 16)
#define PWR_CR_ODSWEN (1U << 17)
#define PWR_CSR REG32(0x40007004U)
#define PWR_CSR_ODRDY (1U << 16)
#define PWR_CSR_ODSWRDY (1U << 17)

/* Reset and clock control. */
#define RCC_CR REG32(0x40023800U)
#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_HSEBYP (1U << 18)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_CR_PLLI2SON (1U << 26)
#define RCC_CR_PLLI2SRDY (1U << 27)
#define RCC_PLLCFGR REG32(0x40023804U)
#define RCC_PLLCFGR_SRC_HSE (1U << 22)
#define RCC_PLLCFGR_UPPER (2U << 28) /* R in the F446, where less than 2 is wrong; elsewhere the reset value */
#define RCC_CFGR REG32(0x40023808U)
#define RCC_CFGR_SW_PLL 2U
#define RCC_CFGR_SWS_MASK (3U << 2)
#define RCC_CFGR_SWS_PLL (2U << 2)
#define RCC_CFGR_PPRE1_DIV4 (5U << 10)
#define RCC_CFGR_PPRE2_DIV2 (4U << 13)
#define RCC_AHB1ENR REG32(0x40023830U)
#define RCC_AHB1ENR_GPIOAEN (1U << 0)
#define RCC_AHB1ENR_GPIOBEN (1U << 1)
#define RCC_AHB1ENR_GPIODEN (1U << 3)
#define RCC_AHB1ENR_GPIOGEN (1U << 6)
#define RCC_AHB1ENR_GPIOHEN (1U << 7)
#define RCC_AHB1ENR_GPIOIEN (1U << 8)
#define RCC_AHB1ENR_DMA2EN (1U << 22)
#define RCC_APB1ENR REG32(0x40023840U)
#define RCC_APB1ENR_USART2EN (1U << 17)
#define RCC_APB1ENR_USART3EN (1U << 18)
#define RCC_APB1ENR_I2C3EN (1U << 23)
#define RCC_APB1ENR_PWREN (1U << 28)
#define RCC_APB2ENR REG32(0x40023844U)
#define RCC_APB2ENR_USART1EN (1U << 4)
#define RCC_APB2ENR_SAI2EN (1U << 23)
#define RCC_PLLI2SCFGR REG32(0x40023884U)

/* Why the chip started, and whether a debugger stops the watchdog with the core (debug chapters: DBGMCU). */
#define WATCHDOG_RESET REG32(0x40023874U) /* RCC_CSR */
#define WATCHDOG_RESET_BIT (1U << 29)
#define WATCHDOG_FORGET_BIT (1U << 24)
#define WATCHDOG_CLOCKS() ((void)0)
#define WATCHDOG_FREEZE REG32(0xE0042008U) /* DBGMCU_APB1_FZ */
#define WATCHDOG_FREEZE_BIT (1U << 12)

/* Flash interface. The F7 has its ART accelerator where the others have the instruction cache. */
#define FLASH_ACR REG32(0x40023C00U)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_ARTEN (1U << 9)
#define FLASH_ACR_DCEN (1U << 10)

/* Ports. */
#define GPIOA 0x40020000U
#define GPIOB 0x40020400U
#define GPIOD 0x40020C00U
#define GPIOG 0x40021800U
#define GPIOH 0x40021C00U
#define GPIOI 0x40022000U

/* clock.c divides the core's clock by these: the buses' limits are a quarter and a half everywhere. */
#define APB1_DIVIDER 4U
#define APB2_DIVIDER 2U

#endif
