/* Faults and stray interrupts: report the stacked registers (ARMv7-M ARM B1.5.6) and stop. */
#include "fault.h"

#include "cortex_m.h"
#include "interrupts.h"

_Noreturn void on_fault(const uint32_t *frame);

/* Which stack holds the frame is bit 2 of EXC_RETURN (B1.5.8); compilers must not touch it before.
 * In instructions that ARMv6-M has, too. */
__attribute__((naked)) void on_fault_entry(void) {
    __asm__ volatile(".syntax unified\n"
                     "mov r0, lr\n"
                     "lsls r0, r0, #29\n"
                     "bmi 1f\n"
                     "mrs r0, msp\n"
                     "bl on_fault\n"
                     "1: mrs r0, psp\n"
                     "bl on_fault\n");
}

/* A handler of the same name elsewhere takes the place of this one. */
#define REPORT(number, name) void name(void) __attribute__((weak, alias("on_fault_entry")));
INTERRUPT_HANDLERS(REPORT)

static const char *kind_of(uint32_t exception) {
    static const char *const names[] = {"HardFault", "MemManage", "BusFault", "UsageFault"};
    if (exception == 2U) {
        return "NMI";
    }
    return exception >= 3U && exception <= 6U ? names[exception - 3U] : "unexpected interrupt";
}

__attribute__((used)) _Noreturn void on_fault(const uint32_t *frame) {
    uint32_t exception;
    __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
    const fault_register_t registers[] = {
        {"r0", frame[0]},     {"r1", frame[1]},     {"r2", frame[2]},     {"r3", frame[3]},
        {"r12", frame[4]},    {"lr", frame[5]},     {"pc", frame[6]},     {"xpsr", frame[7]},
#if __ARM_ARCH >= 7
        {"cfsr", SCB_CFSR},   {"hfsr", SCB_HFSR},   {"mmfar", SCB_MMFAR}, {"bfar", SCB_BFAR},
#endif
        {"sp", (uint32_t)(uintptr_t)frame + 32U},   {"exception", exception},
    };
    on_fault_report(kind_of(exception), frame[6], frame[5], registers,
                    sizeof registers / sizeof registers[0]);
}
