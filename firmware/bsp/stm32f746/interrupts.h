/** @file
 * Interrupts of the STM32F746 that the firmware can handle: RM0385 10.1.2, table 46.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#define INTERRUPTS 98U

#define INTERRUPT_HANDLERS(X)     \
    X(37, USART1_IRQHandler)      \
    X(56, DMA2_Stream0_IRQHandler) \
    X(57, DMA2_Stream1_IRQHandler) \
    X(58, DMA2_Stream2_IRQHandler) \
    X(59, DMA2_Stream3_IRQHandler) \
    X(60, DMA2_Stream4_IRQHandler) \
    X(68, DMA2_Stream5_IRQHandler) \
    X(69, DMA2_Stream6_IRQHandler) \
    X(70, DMA2_Stream7_IRQHandler)

#endif
