/* Start-up of QEMU's machine virt with a 64-bit Cortex-A: NEON, vectors, memory, main().
 *
 * QEMU starts the program at exception level 1. Registers as in the Armv8-A ARM (DDI0487F), chapter D13. */
#include "bsp.h"
#include "fill_memory.h"

_Noreturn void on_start(void);

/* The program runs on SP_EL0, so that an exception, which switches to SP_EL1, finds a sound stack whatever the
 * program did to its own (D1.6.2). No floating-point register may be used before CPACR_EL1.FPEN is set. */
__asm__(".section .bss.on_fault_stack, \"aw\", %nobits\n"
        ".balign 16\n"
        "    .skip 4096\n"
        "on_fault_stack_high:\n"
        ".section .text.Reset_Handler, \"ax\"\n"
        ".global Reset_Handler\n"
        ".type Reset_Handler, %function\n"
        "Reset_Handler:\n"
        "    msr spsel, #1\n"
        "    adrp x0, on_fault_stack_high\n"
        "    add x0, x0, :lo12:on_fault_stack_high\n"
        "    mov sp, x0\n"
        "    msr spsel, #0\n"
        "    adrp x0, on_stack_high\n"
        "    add x0, x0, :lo12:on_stack_high\n"
        "    and sp, x0, #~15\n"
        "    adrp x0, on_vectors\n"
        "    add x0, x0, :lo12:on_vectors\n"
        "    msr vbar_el1, x0\n"
        "    mov x0, #(3 << 20)\n"
        "    msr cpacr_el1, x0\n"
        "    isb\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    b on_start\n"
        ".size Reset_Handler, . - Reset_Handler\n");

#define WRITE(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")

/* D5.3: a block of 1 GiB of normal memory for level 1, accessed, shareable, attributes 0. */
#define BLOCK(address) ((uint64_t)(address) | 1U | (1U << 10) | (3U << 8))
#define MAIR_WRITE_BACK 0xFFU /* attributes 0: cached, allocated by reads and writes */
/* 4 GiB of addresses in granules of 4 KiB; tables are cached, shareable; none for the upper addresses. */
#define TCR_LOW_4_GIB (32U | (1U << 8) | (1U << 10) | (3U << 12) | (1U << 23))
#define SCTLR_MMU_AND_CACHES (1U | (1U << 2) | (1U << 12))

/* Addresses are physical ones. Only the RAM's GiB is there: what lies below, NULL included, and above are faults. */
static const uint64_t blocks[4] __attribute__((aligned(64))) = {[1] = BLOCK(0x40000000U)};

/* Without the MMU memory would be device memory: uncached, and unaligned access a fault (B2.7.2). */
static void enable_memory(void) {
    uint64_t control;
    WRITE("mair_el1", MAIR_WRITE_BACK);
    WRITE("tcr_el1", TCR_LOW_4_GIB);
    WRITE("ttbr0_el1", (uintptr_t)blocks);
    __asm__ volatile("tlbi vmalle1\n ic iallu\n dsb sy\n isb" ::: "memory");
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(control));
    WRITE("sctlr_el1", control | SCTLR_MMU_AND_CACHES);
    __asm__ volatile("isb" ::: "memory");
}

__attribute__((used)) _Noreturn void on_start(void) {
    enable_memory();
    bsp_stack_paint();
    fill_memory();
    bsp_init();
    bsp_exit(main());
}
