/** @file
 * The STM32G0B1RE on the NUCLEO-G0B1RE (UM2324): USART2 on PA2 and PA3, the internal oscillator.
 *
 * Chapters of RM0444: flash 3, clocks 5, ports 7, TIM2 22, USART 33.
 */
#ifndef CHIP_H
#define CHIP_H

#include "cortex_m.h"
#include "usart_rdr.h"

#define CLOCK_CORE_HZ 64000000U /* of the buses, too */

#define RCC_CR REG32(0x40021000U)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_CFGR REG32(0x40021008U)
#define RCC_CFGR_SW_PLLR 2U
#define RCC_CFGR_SWS_MASK (7U << 3)
#define RCC_CFGR_SWS_PLLR (2U << 3)
#define RCC_PLLCFGR REG32(0x4002100CU)
#define RCC_PLLCFGR_SRC_HSI16 2U
#define RCC_PLLCFGR_N(n) ((n) << 8)
#define RCC_PLLCFGR_REN (1U << 28)
#define RCC_PLLCFGR_R_DIV2 (1U << 29)
#define RCC_IOPENR REG32(0x40021034U)
#define RCC_IOPENR_GPIOAEN (1U << 0)
#define RCC_APBENR1 REG32(0x4002103CU)
#define RCC_APBENR1_TIM2EN (1U << 0)
#define RCC_APBENR1_USART2EN (1U << 17)
#define RCC_APBENR1_DBGEN (1U << 27)

#define FLASH_ACR REG32(0x40022000U)
#define FLASH_ACR_LATENCY_MASK 7U
#define FLASH_ACR_PRFTEN (1U << 8)

#define TIM2_CR1 REG32(0x40000000U)
#define TIM2_CR1_CEN 1U
#define TIM2_CNT REG32(0x40000024U)

#define UART 0x40004400U /* USART2 */
#define UART_IRQ 28U
#define UART_IRQHandler USART2_LPUART2_IRQHandler
#define UART_CLOCK_HZ CLOCK_CORE_HZ
#define UART_BAUD 921600U
#define UART_ENABLE RCC_APBENR1
#define UART_ENABLE_BIT RCC_APBENR1_USART2EN
#define GPIO_ENABLE RCC_IOPENR
#define GPIO_ENABLE_BITS RCC_IOPENR_GPIOAEN
#define UART_AF 1U
#define UART_TX_PORT 0x50000000U /* GPIOA */
#define UART_TX_PIN 2U
#define UART_RX_PORT 0x50000000U
#define UART_RX_PIN 3U

/* LD4, green (UM2324). */
#define ALARM_ENABLE RCC_IOPENR
#define ALARM_ENABLE_BIT RCC_IOPENR_GPIOAEN
#define ALARM_PORT 0x50000000U /* GPIOA */
#define ALARM_PIN 5U

/* Why the chip started, and whether a debugger stops the watchdog with the core (RM0444, chapters RCC and DBG). */
#define WATCHDOG_RESET REG32(0x40021060U) /* RCC_CSR */
#define WATCHDOG_RESET_BIT (1U << 29)
#define WATCHDOG_FORGET_BIT (1U << 23)
#define WATCHDOG_CLOCKS() (RCC_APBENR1 |= RCC_APBENR1_DBGEN)
#define WATCHDOG_FREEZE REG32(0x40015808U) /* DBG_APB_FZ1 */
#define WATCHDOG_FREEZE_BIT (1U << 12)

/* The last page of the first bank, of 2 KiB (RM0444 3.3.1): its number is the same with one bank and with two. */
#define PAGE_BASE 0x0803F800U
#define PAGE_NUMBER 127U

#endif
