/** @file
 * Registers of a Cortex-M, by their names in the ARMv7-M ARM (DDI0403E, chapters B3 and C1).
 *
 * ARMv6-M (Cortex-M0+) has VTOR only.
 */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* B3.2.2: system control block. */
#define SCB_VTOR REG32(0xE000ED08U)
#define SCB_CCR REG32(0xE000ED14U)
#define SCB_CCR_IC (1U << 17)
#define SCB_CCR_DC (1U << 16)
#define SCB_CFSR REG32(0xE000ED28U)
#define SCB_HFSR REG32(0xE000ED2CU)
#define SCB_MMFAR REG32(0xE000ED34U)
#define SCB_BFAR REG32(0xE000ED38U)
#define SCB_CLIDR REG32(0xE000ED78U)
#define SCB_CLIDR_INSTRUCTION (1U << 0)
#define SCB_CLIDR_DATA (1U << 1)
#define SCB_CCSIDR REG32(0xE000ED80U)
#define SCB_CSSELR REG32(0xE000ED84U)
#define SCB_CPACR REG32(0xE000ED88U)
#define SCB_ICIALLU REG32(0xE000EF50U)
#define SCB_DCIMVAC REG32(0xE000EF5CU)
#define SCB_DCISW REG32(0xE000EF60U)

/* C1.6.5 and C1.8: trace enable and the cycle counter. */
#define DEMCR REG32(0xE000EDFCU)
#define DEMCR_TRCENA (1U << 24)
#define DWT_CTRL REG32(0xE0001000U)
#define DWT_CTRL_CYCCNTENA 1U
#define DWT_CYCCNT REG32(0xE0001004U)
#define DWT_LAR REG32(0xE0001FB0U)

/* B3.4: the interrupt controller; a bit for each interrupt. ARMv6-M has the first 32. */
#define NVIC_ISER(n) REG32(0xE000E100U + 4U * ((n) / 32U))

#define DSB() __asm__ volatile("dsb" ::: "memory")
#define ISB() __asm__ volatile("isb" ::: "memory")
/** Sleep until an interrupt has been handled; not at all if one was since the last time (B1.5.18). */
#define WAIT_FOR_EVENT() __asm__ volatile("dsb\n\twfe" ::: "memory")
#define INTERRUPTS_OFF() __asm__ volatile("cpsid i" ::: "memory")

/** Entry of every exception and interrupt that is not expected. */
void on_fault_entry(void);

/** Let an interrupt through, by its number in the chip's manual; its handler is named in interrupts.h. */
static inline void interrupt_enable(uint32_t number) { NVIC_ISER(number) = 1U << (number % 32U); }

/** Start the cycle counter behind bsp_cycles(). */
void on_cycles_start(void);

#endif
