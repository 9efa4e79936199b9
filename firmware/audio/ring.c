/* See ring.h. */
#include "ring.h"

#define MASK (AUDIO_RING - 1U)

_Static_assert((AUDIO_RING & MASK) == 0U, "the ring's size must be a power of two");
_Static_assert(offsetof(audio_ring_t, samples) == 32U, "the layout is fixed");

void ring_start(audio_ring_t *ring)
{
    ring->size = AUDIO_RING;
    ring->taken = ring->written;
    ring->lost = 0;
    ring->magic = AUDIO_RING_MAGIC;
}

void ring_write(audio_ring_t *ring, const int16_t *pcm, size_t n)
{
    const uint32_t at = ring->written;
    for (uint32_t i = 0; i < n; i++) {
        ring->samples[(at + i) & MASK] = pcm[i];
    }
    ring->written = at + (uint32_t)n;
}

void ring_skip(audio_ring_t *ring, uint32_t n) { ring->lost += n; }

void ring_keep(audio_ring_t *ring, uint32_t n)
{
    const uint32_t waiting = ring->written - ring->taken;
    if (waiting > n) {
        ring->lost += waiting - n;
        ring->taken += waiting - n;
    }
}

/* Move on behind what was overwritten; whether there was any. */
static bool catch_up(audio_ring_t *ring)
{
    const uint32_t before = ring->taken;
    ring_keep(ring, AUDIO_RING);
    return ring->taken != before;
}

size_t ring_read(audio_ring_t *ring, int16_t *pcm, size_t n)
{
    uint32_t count;
    do {
        (void)catch_up(ring);
        const uint32_t at = ring->taken;
        const uint32_t waiting = ring->written - at;
        count = waiting < n ? waiting : (uint32_t)n;
        for (uint32_t i = 0; i < count; i++) {
            pcm[i] = ring->samples[(at + i) & MASK];
        }
    } while (catch_up(ring)); /* the writer came round while this copied */
    ring->taken += count;
    return count;
}
