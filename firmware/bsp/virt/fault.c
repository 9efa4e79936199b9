/* Exceptions of a 64-bit Cortex-A: none is expected, so each is reported with its registers and ends the program. */
#include "fault.h"

extern const uint8_t on_vectors[];

_Noreturn void on_fault(const uint64_t *saved, uintptr_t vector);

/* D1.10.2 of the Armv8-A ARM (DDI0487F): 16 vectors of 128 bytes, four of them (synchronous, IRQ, FIQ, SError) for
 * each place an exception can come from. The stack is one of its own: see start.c. */
__asm__(".section .vectors, \"ax\"\n"
        ".balign 2048\n"
        ".global on_vectors\n"
        "on_vectors:\n"
        ".rept 16\n"
        "    .balign 128\n"
        "    stp x0, x1, [sp, #-48]!\n"
        "    stp x2, x3, [sp, #16]\n"
        "    stp x29, x30, [sp, #32]\n"
        "    mov x0, sp\n"
        "    adr x1, .\n"
        "    b on_fault\n"
        ".endr\n");

#define VECTOR_BYTES 128U

#define READ(name)                                        \
    ({                                                    \
        uint64_t value_;                                  \
        __asm__ volatile("mrs %0, " name : "=r"(value_)); \
        value_;                                           \
    })

/* The exception class in ESR_EL1 (D13.2.37). */
static const char *class_of(uint64_t syndrome) {
    switch ((syndrome >> 26) & 0x3FU) {
    case 0x00U:
        return "undefined instruction";
    case 0x21U:
        return "instruction abort";
    case 0x22U:
        return "misaligned pc";
    case 0x25U:
        return "data abort";
    case 0x26U:
        return "misaligned sp";
    default:
        return "synchronous exception";
    }
}

__attribute__((used)) _Noreturn void on_fault(const uint64_t *saved, uintptr_t vector) {
    static const char *const kinds[] = {NULL, "unexpected IRQ", "unexpected FIQ", "SError"};
    const uintptr_t number = (vector - (uintptr_t)on_vectors) / VECTOR_BYTES;
    const uint64_t syndrome = READ("esr_el1");
    const uint64_t pc = READ("elr_el1");
    const fault_register_t registers[] = {
        {"x0", saved[0]},         {"x1", saved[1]},  {"x2", saved[2]},   {"x3", saved[3]},
        {"x29", saved[4]},        {"x30", saved[5]}, {"sp", READ("sp_el0")}, {"pc", pc},
        {"spsr", READ("spsr_el1")}, {"esr", syndrome}, {"far", READ("far_el1")},
    };
    const char *kind = number % 4U == 0U ? class_of(syndrome) : kinds[number % 4U];
    on_fault_report(kind, pc, saved[5], registers, sizeof registers / sizeof registers[0]);
}
