/** @file
 * Interrupts of the STM32F207 that the firmware can handle: RM0033 10.1.2, table 61.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#define INTERRUPTS 81U

#define INTERRUPT_HANDLERS(X) X(39, USART3_IRQHandler)

#endif
