/* Sound from the host, in frames on the serial line. */
#include "audio.h"
#include "ring.h"

const char audio_name[] = "line";

static audio_ring_t ring;
static uint32_t expected; /* number of the next sample that is not known yet */

void audio_start(void)
{
    ring_start(&ring);
    expected = 0;
}

const char *audio_error(void) { return NULL; }

size_t audio_read(int16_t *pcm, size_t n) { return ring_read(&ring, pcm, n); }

uint32_t audio_lost(void) { return ring.lost; }

bool audio_offer(uint32_t position, const int16_t *pcm, size_t n)
{
    const uint32_t gap = position - expected;
    size_t known = 0;
    if (gap < 0x80000000U) {
        ring_skip(&ring, gap);
        expected = position;
    } else { /* a host that missed an answer says it again */
        known = expected - position < n ? expected - position : n;
    }
    ring_write(&ring, pcm + known, n - known);
    expected += (uint32_t)(n - known);
    return true;
}
