/** @file
 * Interrupts of a machine that has none the firmware uses: see startup.c.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#define INTERRUPTS 0U
#define INTERRUPT_HANDLERS(X)

#endif
