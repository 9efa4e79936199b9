/** @file
 * Where sound comes from. Every source implements all of it: firmware/audio/<source>/.
 *
 * A source puts samples into a ring at its own pace; the application takes them out at its own. What is
 * overwritten before it was taken is lost, and counted.
 */
#ifndef AUDIO_H
#define AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Samples the ring holds, a power of two: 256 ms at 16 kHz, for a network to run in. */
#ifndef AUDIO_RING
#define AUDIO_RING 4096U
#endif

/** Name of the source. */
extern const char audio_name[];

/** Begin to listen; what came before is forgotten, and not lost. */
void audio_start(void);

/** What keeps it from hearing anything, in a few words; NULL if nothing does. audio_start() tries again. */
const char *audio_error(void);

/** Copy at most n of the samples that have arrived; how many, 0 when none waits. */
size_t audio_read(int16_t *pcm, size_t n);

/** Samples lost since audio_start(); a loss shows before the samples behind it are read. */
uint32_t audio_lost(void);

/**
 * Take samples that the host sent.
 *
 * @param position  number of the first one since audio_start(): a gap is a loss, what is known is skipped
 * @return          false if this source is not the host
 */
bool audio_offer(uint32_t position, const int16_t *pcm, size_t n);

#endif
