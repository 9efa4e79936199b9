/* The stub model, and ways to misbehave that the first input value chooses. */
#include "stub_model.h"

#define FAULT_BAD_ADDRESS 100
#define FAULT_UNDEFINED 101
#define FAULT_ENDLESS 102
#define LOOP 103
#define DEEP 104
#define FAULT_UNALIGNED 105

/* On a microcontroller with such regions: code and data in them, which start-up must fill. */
#if defined(STUB_HOT)
#define HOT __attribute__((section(STUB_HOT)))
#else
#define HOT
#endif
#if defined(STUB_SPARE)
#define SPARE __attribute__((section(STUB_SPARE)))
#define SPARE_BSS __attribute__((section(STUB_SPARE "_bss")))
#else
#define SPARE
#define SPARE_BSS
#endif

/* A program may have no variable with an initial value. */
#if defined(STUB_NO_DATA)
#define INITIAL const
#else
#define INITIAL volatile
#endif

HOT __attribute__((noinline)) void counted_loop(uint32_t n);

/* What a network takes, in turns of counted_loop() for each window. */
#if !defined(STUB_LOOPS)
#define STUB_LOOPS 1
#endif

static INITIAL uint32_t alarm_threshold = 1000000; /* in .data: start-up must copy it */
SPARE static INITIAL uint32_t scale = 1;
SPARE_BSS static volatile uint32_t offset;

void stub_reset(stub_state_t *s) { *s = (stub_state_t){0}; }

int stub_push(stub_state_t *s, const int16_t *pcm, size_t n, stub_result_t *r) {
    for (size_t i = 0; i < n; i++) {
        s->sum += (uint64_t)((int64_t)pcm[i] * pcm[i]) * scale + offset;
        if (++s->filled == STUB_WINDOW) {
            *r = (stub_result_t){s->sum, s->window++, i + 1U, s->sum > alarm_threshold};
            s->sum = 0;
            s->filled = 0;
            if (STUB_LOOPS > 1) {
                counted_loop(STUB_LOOPS);
            }
            return 1;
        }
    }
    return 0;
}

/* Three instructions each time on every architecture: the test counts them. */
HOT __attribute__((noinline)) void counted_loop(uint32_t n) {
#if defined(__aarch64__)
    __asm__ volatile("1: add x9, x9, #1\n subs %w0, %w0, #1\n b.ne 1b\n" : "+r"(n) : : "x9", "cc");
#elif defined(__x86_64__)
    __asm__ volatile("1: inc %%rcx\n dec %0\n jnz 1b\n" : "+r"(n) : : "rcx", "cc");
#elif __ARM_ARCH == 6 /* also one of 32 bits */
    __asm__ volatile(".syntax unified\n1: mrs r3, apsr\n subs %0, %0, #1\n bne 1b\n"
                     : "+l"(n) : : "r3", "cc");
#else
    __asm__ volatile("1: add.w r3, r3, #1\n subs %0, %0, #1\n bne 1b\n" : "+r"(n) : : "r3", "cc");
#endif
}

__attribute__((noinline)) void use_stack(void);
__attribute__((noinline)) void use_stack(void) {
    volatile uint8_t block[4000];
    for (uint32_t i = 0; i < sizeof block; i++) {
        block[i] = 1;
    }
}

__attribute__((noinline)) void misbehave(int8_t how);
__attribute__((noinline)) void misbehave(int8_t how) {
    if (how == FAULT_BAD_ADDRESS) {
        *(volatile uint32_t *)(uintptr_t)0xCCCCCCC0U = 1;
    } else if (how == FAULT_UNDEFINED) {
#if defined(__aarch64__)
        __asm__ volatile("udf #0");
#elif defined(__x86_64__)
        __asm__ volatile("ud2");
#else
        __asm__ volatile("udf #0");
#endif
    } else if (how == FAULT_UNALIGNED) {
        uintptr_t address = (uintptr_t)&scale + 1U;
        __asm__("" : "+r"(address)); /* a compiler that knows it would read bytes */
        (void)*(volatile uint32_t *)address;
    } else if (how == FAULT_ENDLESS) {
        for (volatile uint32_t i = 0;; i++) {
        }
    }
}

void stub_infer(stub_state_t *s, const int8_t in[STUB_IN_SIZE], int8_t out[STUB_OUT_SIZE]) {
    (void)s;
    if (in[0] == LOOP) {
        counted_loop(100000);
    } else if (in[0] == DEEP) {
        use_stack();
    } else {
        misbehave(in[0]);
    }
    for (size_t i = 0; i < STUB_IN_SIZE; i++) {
        out[i] = (int8_t)(in[i] == INT8_MAX ? INT8_MAX : in[i] + 1);
    }
}
