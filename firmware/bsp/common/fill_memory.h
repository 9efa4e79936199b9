/** @file
 * What start-up code does where no operating system loads the program: fill the memory of variables.
 */
#ifndef FILL_MEMORY_H
#define FILL_MEMORY_H

#include <stdint.h>

/* Tables of 32-bit addresses that the linker script makes, so that a new memory region needs no change here. */
typedef struct {
    uint32_t from;
    uint32_t to;
    uint32_t end;
} copy_entry_t;
typedef struct {
    uint32_t to;
    uint32_t end;
} zero_entry_t;

extern const copy_entry_t on_copy_table[];
extern const copy_entry_t on_copy_table_end[];
extern const zero_entry_t on_zero_table[];
extern const zero_entry_t on_zero_table_end[];

static inline uint32_t *word_at(uint32_t address) { return (uint32_t *)(uintptr_t)address; }

/** Copy what has initial values, and code that runs in RAM, to its place; zero the rest. */
static inline void fill_memory(void) {
    for (const copy_entry_t *c = on_copy_table; c < on_copy_table_end; c++) {
        const uint32_t *from = word_at(c->from);
        const uint32_t *end = word_at(c->end);
        for (uint32_t *to = word_at(c->to); to < end;) {
            *to++ = *from++;
        }
    }
    for (const zero_entry_t *z = on_zero_table; z < on_zero_table_end; z++) {
        const uint32_t *end = word_at(z->end);
        for (uint32_t *to = word_at(z->to); to < end;) {
            *to++ = 0;
        }
    }
    __asm__ volatile("dsb sy\n isb" ::: "memory"); /* what was copied may be code */
}

#endif
