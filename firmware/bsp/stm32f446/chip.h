/** @file
 * The STM32F446RE on the NUCLEO-F446RE (UM1724): USART2 on PA2 and PA3, 8 MHz from the ST-LINK.
 */
#ifndef CHIP_H
#define CHIP_H

#include "rcc.h"
#include "usart_dr.h"

/* RM0390 6 and 3: five wait states above 150 MHz. The PLL's Q is not used: at 180 MHz it cannot give 48. */
#define CLOCK_CORE_HZ 180000000U
#define HSE_MHZ 8U
#define HSE_IS_CRYSTAL 0
#define PLL_Q 8U
#define NEEDS_OVER_DRIVE 1
#define FLASH_WAIT_STATES 5U
#define FLASH_ACCELERATION (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)

#define UART 0x40004400U /* USART2 */
#define UART_IRQ 38U
#define UART_IRQHandler USART2_IRQHandler
#define UART_CLOCK_HZ (CLOCK_CORE_HZ / APB1_DIVIDER)
#define UART_BAUD 921600U
#define UART_ENABLE RCC_APB1ENR
#define UART_ENABLE_BIT RCC_APB1ENR_USART2EN
#define GPIO_ENABLE RCC_AHB1ENR
#define GPIO_ENABLE_BITS RCC_AHB1ENR_GPIOAEN
#define UART_AF 7U
#define UART_TX_PORT GPIOA
#define UART_TX_PIN 2U
#define UART_RX_PORT GPIOA
#define UART_RX_PIN 3U

/* LD2, green (UM1724). */
#define ALARM_ENABLE RCC_AHB1ENR
#define ALARM_ENABLE_BIT RCC_AHB1ENR_GPIOAEN
#define ALARM_PORT GPIOA
#define ALARM_PIN 5U

/* The last sector of the flash, of 128 KiB (RM0390 3.3). */
#define PAGE_BASE 0x08060000U
#define PAGE_SECTOR 7U

#endif
