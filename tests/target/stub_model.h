/** @file
 * A model small enough to know its answers: a window is 512 samples, its score the sum of their squares.
 */
#ifndef STUB_MODEL_H
#define STUB_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define STUB_IN_SIZE 16
#define STUB_OUT_SIZE 16
#define STUB_WINDOW 512U

typedef struct {
    uint64_t sum;
    uint32_t filled;
    uint32_t window;
} stub_state_t;

typedef struct {
    uint64_t score;
    uint32_t window;
    size_t consumed;
    uint8_t alarm;
} stub_result_t;

void stub_reset(stub_state_t *s);
int stub_push(stub_state_t *s, const int16_t *pcm, size_t n, stub_result_t *r);
void stub_infer(stub_state_t *s, const int8_t in[STUB_IN_SIZE], int8_t out[STUB_OUT_SIZE]);

#endif
