/* A static Linux program without libc: its own stack, a few system calls, standard input and output. */
#include "bsp.h"
#include "fault.h"
#include "stream.h"
#include "system.h"

#define STACK_BYTES 65536
#define STRING(x) #x
#define TEXT(x) STRING(x)

#define INPUT 0
#define OUTPUT 1
#define CLOCK_MONOTONIC 1

/* The kernel's stack is of unknown size and use: run on one that is known and painted. */
__asm__(".section .bss.on_stack, \"aw\", %nobits\n"
        ".balign 64\n"
        ".global on_stack_low\n"
        "on_stack_low: .skip " TEXT(STACK_BYTES) "\n"
        ".global on_stack_high\n"
        "on_stack_high:\n"
        ".section .text._start, \"ax\"\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        ENTRY("on_stack_high")
        ".size _start, . - _start\n");

_Noreturn void on_start(void);

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

/* Nanoseconds: no counter of cycles is readable on every machine. */
uint32_t bsp_cycles(void) {
    uint64_t time[2] = {0, 0}; /* the kernel's struct timespec: seconds, nanoseconds */
    system_call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)(uintptr_t)time, 0, 0);
    return (uint32_t)(time[0] * 1000000000U + time[1]);
}

/* The kernel's struct sigaction and stack_t. */
typedef struct {
    void (*handler)(int signal, const void *info, const uint64_t *context);
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

/* Room for the kernel's copy of the widest vector registers there are (AMX: 11 KiB). */
static uint8_t signal_stack[65536] __attribute__((aligned(64)));

static void on_signal(int signal, const void *info, const uint64_t *context) {
    (void)info;
    const fault_register_t registers[] = {
        CONTEXT_REGISTERS(context),
        {"signal", (uint64_t)signal},
    };
    on_fault_report("signal", CONTEXT_PC(context), CONTEXT_CALLER(context), registers,
                    sizeof registers / sizeof registers[0]);
}

static void never(void) { bsp_exit(1); } /* on_signal() does not return */

void bsp_init(void) {
    static const int fatal[] = {4, 5, 7, 8, 11}; /* SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV */
    static const stack_t stack = {signal_stack, 0, sizeof signal_stack};
    static const sigaction_t action = {on_signal, SA_SIGINFO | SA_ONSTACK | SA_ARCHITECTURE, never, 0};
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
