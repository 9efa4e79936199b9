/** @file
 * A port of general-purpose I/O: RM0385 6, RM0390 7, RM0033 6 and RM0444 7 agree on these.
 */
#ifndef GPIO_H
#define GPIO_H

#include "cortex_m.h"

#define GPIO_MODER(port) REG32((port) + 0x00U)
#define GPIO_OTYPER(port) REG32((port) + 0x04U)
#define GPIO_OSPEEDR(port) REG32((port) + 0x08U)
#define GPIO_PUPDR(port) REG32((port) + 0x0CU)
#define GPIO_BSRR(port) REG32((port) + 0x18U)
#define GPIO_AFR(port, pin) REG32((port) + 0x20U + 4U * ((pin) / 8U))

/** The bits of a pin in a register with `width` of them for each. */
#define GPIO_FIELD(width, pin) (((1U << (width)) - 1U) << ((width) * (pin)))

/** Give a pin to a peripheral: by the number of its alternate function, and fast. */
static inline void gpio_connect(uint32_t port, uint32_t pin, uint32_t function) {
    const uint32_t shift = 4U * (pin % 8U);
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(0xFU << shift)) | (function << shift);
    GPIO_OSPEEDR(port) |= GPIO_FIELD(2U, pin);
    GPIO_MODER(port) = (GPIO_MODER(port) & ~GPIO_FIELD(2U, pin)) | (2U << (2U * pin));
}

#endif
