/** @file
 * What differs between the processors of Linux machines: system calls, signals, the first instruction.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

/* A context is the kernel's ucontext as an array of 64-bit words. */
#if defined(__x86_64__)

/* arch/x86/entry/syscalls/syscall_64.tbl */
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_SIGACTION 13
#define SYS_EXIT 60
#define SYS_SIGALTSTACK 131
#define SYS_CLOCK_GETTIME 228
#define SA_ARCHITECTURE 0x04000000U /* SA_RESTORER: the kernel insists on one */

/* arch/x86/include/uapi/asm/sigcontext.h, from word 5 of the ucontext: r8 ... r15, rdi, rsi, rbp, rbx,
 * rdx, rax, rcx, rsp, rip, flags, segments, error, trap, old mask, cr2 */
#define CONTEXT_PC(c) ((c)[21])
#define CONTEXT_CALLER(c) 0U /* on the stack, who knows where: there is no link register */
#define CONTEXT_REGISTERS(c)                                                                           \
    {"address", (c)[27]}, {"rax", (c)[18]}, {"rbx", (c)[16]}, {"rcx", (c)[19]}, {"rdx", (c)[17]},      \
        {"rdi", (c)[13]}, {"rsi", (c)[14]}, {"rsp", (c)[20]}, {"pc", (c)[21]}

#define ENTRY(stack_end)                                                                               \
    "    lea " stack_end "(%rip), %rsp\n"                                                              \
    "    xor %ebp, %ebp\n"                                                                             \
    "    call on_start\n"

static inline long system_call(long number, long a, long b, long c, long d) {
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

/* include/uapi/asm-generic/unistd.h */
#define SYS_READ 63
#define SYS_WRITE 64
#define SYS_EXIT 93
#define SYS_CLOCK_GETTIME 113
#define SYS_SIGALTSTACK 132
#define SYS_SIGACTION 134
#define SA_ARCHITECTURE 0U

/* arch/arm64/include/uapi/asm/sigcontext.h, from word 22 of the ucontext: fault_address, x0 ... x30, sp,
 * pc, pstate */
#define CONTEXT_PC(c) ((c)[55])
#define CONTEXT_CALLER(c) ((c)[53])
#define CONTEXT_REGISTERS(c)                                                                           \
    {"address", (c)[22]}, {"x0", (c)[23]}, {"x1", (c)[24]}, {"x2", (c)[25]}, {"x3", (c)[26]},          \
        {"x29", (c)[52]}, {"x30", (c)[53]}, {"sp", (c)[54]}, {"pc", (c)[55]}

#define ENTRY(stack_end)                                                                               \
    "    adrp x0, " stack_end "\n"                                                                     \
    "    add x0, x0, :lo12:" stack_end "\n"                                                            \
    "    mov sp, x0\n"                                                                                 \
    "    mov x29, #0\n"                                                                                \
    "    mov x30, #0\n"                                                                                \
    "    b on_start\n"

static inline long system_call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

#else
#error "the host board needs Linux on x86-64 or 64-bit Arm"
#endif

#endif
