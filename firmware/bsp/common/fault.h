/** @file
 * Tell the host that the processor took a fault.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stddef.h>
#include <stdint.h>

/** A register by name. */
typedef struct {
    const char *name;
    uint64_t value;
} fault_register_t;

/** Send an ERROR frame (code, pc, lr, "kind name=hex name=hex ..."), then stop for good. */
_Noreturn void on_fault_report(const char *kind, uint64_t pc, uint64_t lr,
                               const fault_register_t *registers, size_t n);

#endif
