/** @file
 * Samples in a ring: one writer, which never waits, and one reader, which notices what it missed.
 *
 * The layout is fixed, for writers outside of the program (offsets in bytes, numbers little endian):
 *
 *     offset  size  field
 *          0     4  magic: set when the ring is ready
 *          4     4  size: samples the ring holds, a power of two
 *          8     4  written: samples since the start, modulo 2^32; the writer counts it up last
 *         12     4  taken: samples since the start that were read or lost, modulo 2^32
 *         16     4  lost: samples that were overwritten before they were read, or never written
 *         20    12  0
 *         32        samples, 16 bits each; number n is at n % size
 *
 * A writer that wants nothing lost stays at most `size` samples ahead of `taken`.
 */
#ifndef RING_H
#define RING_H

#include "audio.h"

#define AUDIO_RING_MAGIC 0x52414E4FU /* "ONAR" */

/** The ring. */
typedef struct {
    volatile uint32_t magic;
    uint32_t size;
    volatile uint32_t written;
    volatile uint32_t taken;
    volatile uint32_t lost;
    uint32_t zero[3];
    volatile int16_t samples[AUDIO_RING];
} audio_ring_t;

/** Empty the ring. */
void ring_start(audio_ring_t *ring);

/** Write n samples. */
void ring_write(audio_ring_t *ring, const int16_t *pcm, size_t n);

/** Forget all but the newest n of the samples that wait: they are lost. */
void ring_keep(audio_ring_t *ring, uint32_t n);

/** Note that n samples were lost on their way here. */
void ring_skip(audio_ring_t *ring, uint32_t n);

/** Read at most n samples that were not overwritten; how many. */
size_t ring_read(audio_ring_t *ring, int16_t *pcm, size_t n);

#endif
