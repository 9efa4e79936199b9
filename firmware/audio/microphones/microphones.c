/* Sound from the left digital microphone of the DISCO-F746NG.
 *
 * DMA writes into the ring, so nothing has to be done in time: as long as less than the ring holds is waiting, nothing
 * is lost. How far it has come is told by the stream's counter, and how often it went round meanwhile, should the core
 * have waited for a quarter of a second (as for an erased sector of flash), by the cycle counter. The core sleeps
 * between halves of the ring: all other clocks go on then, also that of DTCM (RM0385 5.3.15, after reset). */
#include "audio.h"
#include "bsp.h"
#include "capture.h"
#include "cortex_m.h"
#include "ring.h"
#include "wm8994.h"

const char audio_name[] = "microphones";

#define CACHE_LINE 32U
#define GUARD 64U /* samples DMA is about to overwrite, which are not read any more: 4 ms */

/* The samples begin at a line of the cache, and share none with anything else. */
static _Alignas(CACHE_LINE) audio_ring_t ring;
_Static_assert(offsetof(audio_ring_t, samples) % CACHE_LINE == 0U && sizeof ring % CACHE_LINE == 0U,
               "samples have lines of the cache of their own");
static const char *error = "not started";
static struct { /* when it was looked last */
    uint32_t cycles;
    uint32_t halves;
} last;

static uint32_t cycles_since_last(void)
{
    const uint32_t now = bsp_cycles();
    const uint32_t passed = now - last.cycles;
    last.cycles = now;
    return passed;
}

/* Full rounds within `samples` by the clock, of which the stream's counter shows `seen`; none if it stands still. */
static uint32_t rounds(uint32_t samples, uint32_t seen)
{
    const bool turns = capture_halves() != last.halves;
    last.halves = capture_halves();
    const uint32_t nearest = samples + AUDIO_RING / 2U;
    return turns && nearest >= seen ? (nearest - seen) / AUDIO_RING : 0U;
}

/* Begin at the start of the ring; numbers of samples go on at a multiple of its size. */
static void begin(void)
{
    ring.written = (ring.written + AUDIO_RING - 1U) / AUDIO_RING * AUDIO_RING;
    ring.taken = ring.written;
    (void)cycles_since_last();
    capture_start(WM8994_SLOT_LEFT, ring.samples, AUDIO_RING);
}

/* Note what has come. If samples did not come to memory nobody knows which: all that wait are given up, too. */
static void follow(void)
{
    const uint32_t samples = cycles_since_last() / capture_cycles_per_sample;
    if (!capture_is_whole()) {
        ring_keep(&ring, 0);
        ring_skip(&ring, samples);
        begin();
        return;
    }
    const uint32_t seen = (capture_position() - ring.written) % AUDIO_RING;
    ring.written += seen + rounds(samples, seen) * AUDIO_RING;
    ring_keep(&ring, AUDIO_RING - GUARD);
}

static const char *start_listening(void)
{
    if (!capture_clocks_start()) {
        return "the audio clock does not start";
    }
    const char *const problem = wm8994_start();
    if (problem == NULL) {
        begin();
    }
    return problem;
}

void audio_start(void)
{
    if (error != NULL) {
        error = start_listening();
    } else {
        follow();
    }
    ring_start(&ring);
}

const char *audio_error(void) { return error; }

/* The data cache may hold old samples, wherever the linker put the ring: the next n are read from memory. */
static void forget_cached(uint32_t n)
{
    const uint32_t line = CACHE_LINE / sizeof ring.samples[0];
    const uint32_t begun = ring.taken % line; /* of the first line */
    for (uint32_t i = 0; i < begun + n; i += line) {
        SCB_DCIMVAC = (uint32_t)(uintptr_t)&ring.samples[(ring.taken - begun + i) % AUDIO_RING];
    }
    DSB();
}

size_t audio_read(int16_t *pcm, size_t n)
{
    if (error != NULL) {
        return 0;
    }
    follow();
    const uint32_t waiting = ring.written - ring.taken;
    if (waiting == 0U) {
        WAIT_FOR_EVENT(); /* half a round, or a byte on the serial line */
        follow();         /* at once: the cycle counter may have stood still, and was right until here */
        return 0;
    }
    const uint32_t count = waiting < n ? waiting : (uint32_t)n;
    forget_cached(count);
    return ring_read(&ring, pcm, count);
}

uint32_t audio_lost(void) { return ring.lost; }

bool audio_offer(uint32_t position, const int16_t *pcm, size_t n)
{
    (void)position;
    (void)pcm;
    (void)n;
    return false;
}
