/** @file
 * Interrupts of the STM32F446 that the firmware can handle: RM0390 10.2, table 38.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#define INTERRUPTS 97U

#define INTERRUPT_HANDLERS(X) X(38, USART2_IRQHandler)

#endif
