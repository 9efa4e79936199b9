/** @file
 * Interrupts of the STM32G0B1 that the firmware can handle: RM0444 12.3, table 59.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#define INTERRUPTS 32U

#define INTERRUPT_HANDLERS(X) X(28, USART2_LPUART2_IRQHandler)

#endif
