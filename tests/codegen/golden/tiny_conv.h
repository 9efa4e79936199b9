/* tiny_conv: int8 network 4x6x1 -> 4x6x1, made by ongen 0.1.0.
 *
 * 864 multiply-accumulates, 48 bytes of weights.
 * All state is in tiny_conv_state_t, which the caller owns; no other memory is written.
 */
#ifndef TINY_CONV_H
#define TINY_CONV_H

#include <stddef.h>
#include <stdint.h>

#define TINY_CONV_IN_SIZE 24
#define TINY_CONV_OUT_SIZE 24

/* real = scale * (value - zero point) */
#define TINY_CONV_IN_SCALE 0.05000000074505806F
#define TINY_CONV_IN_ZERO_POINT (3)
#define TINY_CONV_OUT_SCALE 0.05999999865889549F
#define TINY_CONV_OUT_ZERO_POINT (9)

typedef struct {
    int8_t arena[160] __attribute__((aligned(16))); /* intermediate maps, overlaid */
} tiny_conv_state_t;

/* Run the network once on in; in and out may not overlap. */
void tiny_conv_infer(tiny_conv_state_t *s, const int8_t in[TINY_CONV_IN_SIZE], int8_t out[TINY_CONV_OUT_SIZE]);

#endif
