/** @file
 * The STM32F746NG on the DISCO-F746NG (UM1907): USART1 on PA9 and PB7, a crystal of 25 MHz.
 */
#ifndef CHIP_H
#define CHIP_H

#include "rcc.h"
#include "usart_rdr.h"

/* RM0385 5.3.2; 3.3.2 table 6: seven wait states. The PLL's Q gives USB its 48 MHz. */
#define CLOCK_CORE_HZ 216000000U
#define HSE_MHZ 25U
#define HSE_IS_CRYSTAL 1
#define PLL_Q 9U
#define NEEDS_OVER_DRIVE 1
#define FLASH_WAIT_STATES 7U
#define FLASH_ACCELERATION (FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN)

#define UART 0x40011000U /* USART1 */
#define UART_IRQ 37U
#define UART_IRQHandler USART1_IRQHandler
#define UART_CLOCK_HZ (CLOCK_CORE_HZ / APB2_DIVIDER)
#define UART_BAUD 921600U
#define UART_ENABLE RCC_APB2ENR
#define UART_ENABLE_BIT RCC_APB2ENR_USART1EN
#define GPIO_ENABLE RCC_AHB1ENR
#define GPIO_ENABLE_BITS (RCC_AHB1ENR_GPIOAEN | RCC_AHB1ENR_GPIOBEN)
#define UART_AF 7U
#define UART_TX_PORT GPIOA
#define UART_TX_PIN 9U
#define UART_RX_PORT GPIOB
#define UART_RX_PIN 7U

/* LD1, green (UM1907); also D13 of the Arduino connector. */
#define ALARM_ENABLE RCC_AHB1ENR
#define ALARM_ENABLE_BIT RCC_AHB1ENR_GPIOIEN
#define ALARM_PORT GPIOI
#define ALARM_PIN 1U

/* The last sector of the flash, of 256 KiB (RM0385 3.3.1). */
#define PAGE_BASE 0x080C0000U
#define PAGE_SECTOR 7U

#endif
