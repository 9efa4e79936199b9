/** @file
 * A USART with a data register for each direction, as in the STM32F7 (RM0385 31) and G0 (RM0444 33).
 */
#ifndef USART_H
#define USART_H

#include "cortex_m.h"

#define USART_STATUS(base) REG32((base) + 0x1CU)
#define USART_RECEIVED(base) REG32((base) + 0x24U)
#define USART_TO_SEND(base) REG32((base) + 0x28U)
#define USART_BRR(base) REG32((base) + 0x0CU)
#define USART_CR1(base) REG32((base) + 0x00U)
#define USART_CR1_UE (1U << 0)

/** Forget that a byte was lost. */
static inline void usart_clear_overrun(uint32_t base) { REG32(base + 0x20U) = 1U << 3; }

#endif
