/** @file
 * The registers of the STM32F74x that this firmware uses; names, addresses and bits from RM0385.
 */
#ifndef STM32F7_H
#define STM32F7_H

#include "cortex_m.h"

/* 4.4: power control. */
#define PWR_CR1 REG32(0x40007000U)
#define PWR_CR1_ODEN (1U << 16)
#define PWR_CR1_ODSWEN (1U << 17)
#define PWR_CSR1 REG32(0x40007004U)
#define PWR_CSR1_ODRDY (1U << 16)
#define PWR_CSR1_ODSWRDY (1U << 17)

/* 5.3: reset and clock control. */
#define RCC_CR REG32(0x40023800U)
#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_PLLCFGR REG32(0x40023804U)
#define RCC_PLLCFGR_SRC_HSE (1U << 22)
#define RCC_CFGR REG32(0x40023808U)
#define RCC_CFGR_SW_PLL 2U
#define RCC_CFGR_SWS_MASK (3U << 2)
#define RCC_CFGR_SWS_PLL (2U << 2)
#define RCC_CFGR_PPRE1_DIV4 (5U << 10)
#define RCC_CFGR_PPRE2_DIV2 (4U << 13)
#define RCC_AHB1ENR REG32(0x40023830U)
#define RCC_AHB1ENR_GPIOAEN (1U << 0)
#define RCC_AHB1ENR_GPIOBEN (1U << 1)
#define RCC_APB1ENR REG32(0x40023840U)
#define RCC_APB1ENR_PWREN (1U << 28)
#define RCC_APB2ENR REG32(0x40023844U)
#define RCC_APB2ENR_USART1EN (1U << 4)

/* 3.7: flash interface. */
#define FLASH_ACR REG32(0x40023C00U)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ARTEN (1U << 9)

/* 6.4: general-purpose I/O. */
#define GPIOA 0x40020000U
#define GPIOB 0x40020400U
#define GPIO_MODER(port) REG32((port) + 0x00U)
#define GPIO_OSPEEDR(port) REG32((port) + 0x08U)
#define GPIO_PUPDR(port) REG32((port) + 0x0CU)
#define GPIO_AFRL(port) REG32((port) + 0x20U)
#define GPIO_AFRH(port) REG32((port) + 0x24U)

/* 31.8: USART1. */
#define USART1_CR1 REG32(0x40011000U)
#define USART_CR1_UE (1U << 0)
#define USART_CR1_RE (1U << 2)
#define USART_CR1_TE (1U << 3)
#define USART1_BRR REG32(0x4001100CU)
#define USART1_ISR REG32(0x4001101CU)
#define USART_ISR_ORE (1U << 3)
#define USART_ISR_RXNE (1U << 5)
#define USART_ISR_TXE (1U << 7)
#define USART1_ICR REG32(0x40011020U)
#define USART_ICR_ORECF (1U << 3)
#define USART1_RDR REG32(0x40011024U)
#define USART1_TDR REG32(0x40011028U)

#endif
