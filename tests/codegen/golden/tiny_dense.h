/* tiny_dense: int8 network 3x4x1 -> 3x4x1, made by ongen 0.1.0.
 *
 * 72 multiply-accumulates, 132 bytes of weights.
 * All state is in tiny_dense_state_t, which the caller owns; no other memory is written.
 */
#ifndef TINY_DENSE_H
#define TINY_DENSE_H

#include <stddef.h>
#include <stdint.h>

#define TINY_DENSE_IN_SIZE 12
#define TINY_DENSE_OUT_SIZE 12

/* real = scale * (value - zero point) */
#define TINY_DENSE_IN_SCALE 0.05000000074505806F
#define TINY_DENSE_IN_ZERO_POINT (3)
#define TINY_DENSE_OUT_SCALE 0.10000000149011612F
#define TINY_DENSE_OUT_ZERO_POINT (0)

typedef struct {
    int8_t arena[64] __attribute__((aligned(16))); /* intermediate maps, overlaid */
} tiny_dense_state_t;

/* Run the network once on in; in and out may not overlap. */
void tiny_dense_infer(tiny_dense_state_t *s, const int8_t in[TINY_DENSE_IN_SIZE], int8_t out[TINY_DENSE_OUT_SIZE]);

#endif
