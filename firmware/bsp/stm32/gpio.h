/** @file
 * A port of general-purpose I/O: RM0385 6, RM0390 7, RM0033 6 and RM0444 7 agree on these.
 */
#ifndef GPIO_H
#define GPIO_H

#include "cortex_m.h"

#define GPIO_MODER(port) REG32((port) + 0x00U)
#define GPIO_OSPEEDR(port) REG32((port) + 0x08U)
#define GPIO_PUPDR(port) REG32((port) + 0x0CU)
#define GPIO_BSRR(port) REG32((port) + 0x18U)
#define GPIO_AFR(port, pin) REG32((port) + 0x20U + 4U * ((pin) / 8U))

#endif
