/* Sound from whoever can write this memory: an emulator, a debugger, another core. See ring.h for the layout. */
#include "audio.h"
#include "ring.h"

const char audio_name[] = "mailbox";

/** Found by its name in the program's symbols. */
audio_ring_t audio_mailbox;

void audio_start(void) { ring_start(&audio_mailbox); }

const char *audio_error(void) { return NULL; }

size_t audio_read(int16_t *pcm, size_t n) { return ring_read(&audio_mailbox, pcm, n); }

uint32_t audio_lost(void) { return audio_mailbox.lost; }

bool audio_offer(uint32_t position, const int16_t *pcm, size_t n)
{
    (void)position;
    (void)pcm;
    (void)n;
    return false;
}
