/** @file
 * A USART with one data register, as in the STM32F2 (RM0033 24) and F4 (RM0390 25).
 */
#ifndef USART_H
#define USART_H

#include "cortex_m.h"

#define USART_STATUS(base) REG32((base) + 0x00U)
#define USART_RECEIVED(base) REG32((base) + 0x04U)
#define USART_TO_SEND(base) REG32((base) + 0x04U)
#define USART_BRR(base) REG32((base) + 0x08U)
#define USART_CR1(base) REG32((base) + 0x0CU)
#define USART_CR1_UE (1U << 13)

/** Reading the status and then the data, as whoever asks does, has cleared the overrun already. */
static inline void usart_clear_overrun(uint32_t base) { (void)base; }

#endif
