/* A static Linux program without libc: its own stack, three system calls, standard input and output. */
#include "bsp.h"
#include "fault.h"
#include "stream.h"

#define STACK_BYTES 65536
#define STRING(x) #x
#define TEXT(x) STRING(x)

/* Linux generic system call numbers (include/uapi/asm-generic/unistd.h). */
#define SYS_READ 63
#define SYS_WRITE 64
#define SYS_EXIT 93
#define SYS_SIGALTSTACK 132
#define SYS_SIGACTION 134

#define INPUT 0
#define OUTPUT 1

/* The kernel's stack is of unknown size and use: run on one that is known and painted. */
__asm__(".section .bss.on_stack, \"aw\", %nobits\n"
        ".balign 16\n"
        ".global on_stack_low\n"
        "on_stack_low: .skip " TEXT(STACK_BYTES) "\n"
        ".global on_stack_high\n"
        "on_stack_high:\n"
        ".section .text._start, \"ax\"\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        "    adrp x0, on_stack_high\n"
        "    add x0, x0, :lo12:on_stack_high\n"
        "    mov sp, x0\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    b on_start\n"
        ".size _start, . - _start\n");

_Noreturn void on_start(void);

static long system_call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

size_t stream_receive(uint8_t *data, size_t n) {
    const long got = system_call(SYS_READ, INPUT, (long)(uintptr_t)data, (long)n, 0);
    return got > 0 ? (size_t)got : 0U;
}

size_t stream_send(const uint8_t *data, size_t n) {
    const long put = system_call(SYS_WRITE, OUTPUT, (long)(uintptr_t)data, (long)n, 0);
    return put > 0 ? (size_t)put : 0U;
}

_Noreturn void bsp_exit(int code) {
    stream_flush();
    for (;;) {
        system_call(SYS_EXIT, code, 0, 0, 0);
    }
}

/* Signals: the kernel's struct sigaction, stack_t and the registers inside its ucontext
 * (arch/arm64/include/uapi/asm/sigcontext.h: fault_address, regs[31], sp, pc, pstate at 176). */
typedef struct {
    void (*handler)(int signal, const void *info, const uint8_t *context);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
} sigaction_t;
typedef struct {
    void *base;
    int flags;
    size_t size;
} stack_t;
#define SA_SIGINFO 4U
#define SA_ONSTACK 0x08000000U
#define CONTEXT_REGISTERS 176U

static uint8_t signal_stack[16384] __attribute__((aligned(16)));

static void on_signal(int signal, const void *info, const uint8_t *context) {
    (void)info;
    const uint64_t *r = (const uint64_t *)(const void *)(context + CONTEXT_REGISTERS);
    const fault_register_t registers[] = {
        {"address", r[0]}, {"x0", r[1]},  {"x1", r[2]},  {"x2", r[3]},  {"x3", r[4]},
        {"x29", r[30]},    {"x30", r[31]}, {"sp", r[32]}, {"pc", r[33]}, {"signal", (uint64_t)signal},
    };
    on_fault_report("signal", r[33], r[31], registers, sizeof registers / sizeof registers[0]);
}

void bsp_init(void) {
    static const int fatal[] = {4, 5, 7, 8, 11}; /* SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV */
    static const stack_t stack = {signal_stack, 0, sizeof signal_stack};
    static const sigaction_t action = {on_signal, SA_SIGINFO | SA_ONSTACK, 0, 0};
    system_call(SYS_SIGALTSTACK, (long)(uintptr_t)&stack, 0, 0, 0);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        system_call(SYS_SIGACTION, fatal[i], (long)(uintptr_t)&action, 0, sizeof action.mask);
    }
}

__attribute__((used)) _Noreturn void on_start(void) {
    bsp_stack_paint();
    bsp_init();
    bsp_exit(main());
}
