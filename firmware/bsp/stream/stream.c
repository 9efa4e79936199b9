/* Bytes in blocks: bsp_receive() and bsp_write() with buffers between them and the host. */
#include "stream.h"

#include "bsp.h"

static uint8_t input[8192];
static size_t input_next;
static size_t input_end;
static uint8_t output[4096];
static size_t output_end;

void stream_flush(void) {
    for (size_t done = 0; done < output_end;) {
        const size_t sent = stream_send(output + done, output_end - done);
        if (sent == 0U) {
            break;
        }
        done += sent;
    }
    output_end = 0;
}

size_t bsp_receive(uint8_t *data, size_t n) {
    if (input_next == input_end) {
        stream_flush();
        input_next = 0;
        input_end = stream_receive(input, sizeof input);
        if (input_end == 0U) {
            bsp_exit(0);
        }
    }
    size_t got = 0;
    while (got < n && input_next < input_end) {
        data[got++] = input[input_next++];
    }
    return got;
}

void bsp_write(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (output_end == sizeof output) {
            stream_flush();
        }
        output[output_end++] = data[i];
    }
}

uint32_t bsp_overruns(void) { return 0; }
