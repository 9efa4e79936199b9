/** @file
 * The STM32F207ZG on the NUCLEO-F207ZG (UM1974): USART3 on PD8 and PD9, 8 MHz from the ST-LINK.
 */
#ifndef CHIP_H
#define CHIP_H

#include "rcc.h"
#include "usart_dr.h"

/* RM0033 5; PM0059: three wait states above 90 MHz. The PLL's Q gives USB its 48 MHz. */
#define CLOCK_CORE_HZ 120000000U
#define HSE_MHZ 8U
#define HSE_IS_CRYSTAL 0
#define PLL_Q 5U
#define NEEDS_OVER_DRIVE 0
#define FLASH_WAIT_STATES 3U
#define FLASH_ACCELERATION (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)

#define UART 0x40004800U /* USART3 */
#define UART_IRQ 39U
#define UART_IRQHandler USART3_IRQHandler
#define UART_CLOCK_HZ (CLOCK_CORE_HZ / APB1_DIVIDER)
#define UART_BAUD 460800U /* 921,600 would be 1.4 % off at 30 MHz */
#define UART_ENABLE RCC_APB1ENR
#define UART_ENABLE_BIT RCC_APB1ENR_USART3EN
#define GPIO_ENABLE RCC_AHB1ENR
#define GPIO_ENABLE_BITS RCC_AHB1ENR_GPIODEN
#define UART_AF 7U
#define UART_TX_PORT GPIOD
#define UART_TX_PIN 8U
#define UART_RX_PORT GPIOD
#define UART_RX_PIN 9U

/* LD3, red (UM1974). */
#define ALARM_ENABLE RCC_AHB1ENR
#define ALARM_ENABLE_BIT RCC_AHB1ENR_GPIOBEN
#define ALARM_PORT GPIOB
#define ALARM_PIN 14U

/* The last sector of the flash, of 128 KiB (PM0059 2.2). */
#define PAGE_BASE 0x080E0000U
#define PAGE_SECTOR 11U

#endif
