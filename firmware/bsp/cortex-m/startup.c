/* Start-up of a Cortex-M: vector table, FPU, caches, memory, main().
 *
 * Sections of the ARMv7-M ARM (DDI0403E); ARMv6-M (DDI0419E) is the same with neither FPU nor caches. */
#include "bsp.h"
#include "cortex_m.h"
#include "fill_memory.h"
#include "interrupts.h"

typedef union {
    const void *stack;
    void (*handler)(void);
} vector_t;

extern uint8_t on_stack_high[];

_Noreturn void Reset_Handler(void);

#define FIRST_INTERRUPT 16U
#define DECLARE(number, name) void name(void);
#define VECTOR(number, name) [FIRST_INTERRUPT + (number)] = {.handler = name},

INTERRUPT_HANDLERS(DECLARE)

/* B1.5.3: word 0 is the stack, word 1 the reset handler, then 14 exceptions, then the chip's interrupts. All are
 * reported like a fault but those that interrupts.h names: of these, the ones nobody wrote a handler for (fault.c). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
__attribute__((section(".vectors"), used)) const vector_t on_vectors[FIRST_INTERRUPT + INTERRUPTS] = {
    [0] = {.stack = on_stack_high},
    [1] = {.handler = Reset_Handler},
    [2 ... FIRST_INTERRUPT + INTERRUPTS - 1U] = {.handler = on_fault_entry},
    INTERRUPT_HANDLERS(VECTOR)
};
#pragma GCC diagnostic pop

/* B3.2.20: full access to CP10 and CP11 before the first floating-point instruction. */
static void enable_fpu(void) {
#if defined(__ARM_FP)
    SCB_CPACR |= 0xFU << 20;
    DSB();
    ISB();
#endif
}

#if __ARM_ARCH >= 7

/* B2.2.7: invalidate before enabling; caches hold random lines after reset. */
static void enable_instruction_cache(void) {
    DSB();
    ISB();
    SCB_ICIALLU = 0;
    DSB();
    ISB();
    SCB_CCR |= SCB_CCR_IC;
    DSB();
    ISB();
}

static void enable_data_cache(void) {
    SCB_CSSELR = 0; /* level 1, data */
    DSB();
    const uint32_t geometry = SCB_CCSIDR;
    const uint32_t last_set = (geometry >> 13) & 0x7FFFU;
    const uint32_t last_way = (geometry >> 3) & 0x3FFU;
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            SCB_DCISW = (way << 30) | (set << 5); /* four ways, lines of 32 bytes */
        }
    }
    DSB();
    SCB_CCR |= SCB_CCR_DC;
    DSB();
    ISB();
}

/* The Cache Level ID Register has the kinds of the first level: zero in a Cortex-M3 or M4. */
static void enable_caches(void) {
    const uint32_t kinds = SCB_CLIDR;
    if ((kinds & SCB_CLIDR_INSTRUCTION) != 0U) {
        enable_instruction_cache();
    }
    if ((kinds & SCB_CLIDR_DATA) != 0U) {
        enable_data_cache();
    }
}
#else
static void enable_caches(void) {}
#endif

_Noreturn void Reset_Handler(void) {
    SCB_VTOR = (uint32_t)(uintptr_t)on_vectors;
    enable_fpu();
    bsp_stack_paint();
    fill_memory();
    enable_caches();
    on_cycles_start();
    bsp_init();
    bsp_exit(main());
}
