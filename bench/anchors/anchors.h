/** @file
 * Work whose time on silicon is known, or is like work whose time is: see anchors.py.
 */
#ifndef ANCHORS_H
#define ANCHORS_H

#include <stdint.h>

/** Walks, searches, reverses and sorts a linked list. */
uint32_t anchor_list(void);

/** Multiplies small matrices of 16-bit numbers. */
uint32_t anchor_matrix(void);

/** Tells numbers from nonsense in a text, character by character. */
uint32_t anchor_states(void);

/** CRC-16/ARC, bit by bit. */
uint32_t anchor_crc(void);

/** Three 5x5 convolutions, 12.3 million multiply-accumulates. */
uint32_t anchor_convolutions(void);

/** The next of a sequence of pseudo-random numbers of 16 bits; a seed starts another one. */
uint32_t anchor_random(void);
void anchor_seed(uint32_t seed);

/** The CRC of n bytes, going on from another one. */
uint16_t anchor_crc16(const void *data, uint32_t n, uint16_t crc);

#endif
