/* Framing with a CRC: see on_frame.h for the format. */
#include "on_frame.h"

#define MAGIC_0 0xA5U
#define MAGIC_1 0x5AU

/* Sixteen entries instead of 256: a kilobyte of flash is worth more here than the time. */
static const uint32_t crc_of_nibble[16] = {
    0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U, 0x4DB26158U, 0x5005713CU,
    0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU, 0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU};

uint32_t on_crc32(uint32_t crc, const uint8_t *data, size_t n) {
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ crc_of_nibble[crc & 15U];
        crc = (crc >> 4) ^ crc_of_nibble[crc & 15U];
    }
    return ~crc;
}

void on_put16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void on_put32(uint8_t *p, uint32_t v) {
    on_put16(p, (uint16_t)v);
    on_put16(p + 2, (uint16_t)(v >> 16));
}

void on_put64(uint8_t *p, uint64_t v) {
    on_put32(p, (uint32_t)v);
    on_put32(p + 4, (uint32_t)(v >> 32));
}

uint32_t on_get32(const uint8_t *p) {
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

uint64_t on_get64(const uint8_t *p) { return on_get32(p) | ((uint64_t)on_get32(p + 4) << 32); }

void on_frame_open(on_frame_reader_t *reader, uint8_t *buffer, uint32_t capacity) {
    reader->buffer = buffer;
    reader->capacity = capacity;
    reader->filled = 0;
    reader->bad = 0;
}

/* Whether the bytes that are there can begin a frame that fits. */
static bool plausible(const on_frame_reader_t *r) {
    const uint8_t *b = r->buffer;
    if ((r->filled > 0U && b[0] != MAGIC_0) || (r->filled > 1U && b[1] != MAGIC_1)) {
        return false;
    }
    return r->filled < ON_FRAME_HEADER || on_get32(b + 4) <= r->capacity - ON_FRAME_OVERHEAD;
}

/* Move the bytes from `first` on to the beginning of the buffer. */
static void discard(on_frame_reader_t *r, uint32_t first) {
    r->filled -= first;
    for (uint32_t i = 0; i < r->filled; i++) {
        r->buffer[i] = r->buffer[first + i];
    }
}

/* Drop at least one byte, up to the next one that may be the magic's first. */
static void resynchronise(on_frame_reader_t *r) {
    uint32_t first = 1;
    while (first < r->filled && r->buffer[first] != MAGIC_0) {
        first++;
    }
    discard(r, first);
}

uint32_t on_frame_need(const on_frame_reader_t *reader) {
    if (reader->filled < ON_FRAME_HEADER) {
        return ON_FRAME_HEADER - reader->filled;
    }
    uint32_t whole = on_get32(reader->buffer + 4) + ON_FRAME_OVERHEAD;
    return whole > reader->filled ? whole - reader->filled : 0U;
}

void on_frame_fill(on_frame_reader_t *reader, uint32_t n) { reader->filled += n; }

bool on_frame_take(on_frame_reader_t *reader, on_frame_t *frame) {
    for (;;) {
        if (!plausible(reader)) {
            resynchronise(reader);
        } else if (on_frame_need(reader) > 0U) {
            return false;
        } else {
            const uint8_t *b = reader->buffer;
            uint32_t end = on_get32(b + 4) + ON_FRAME_HEADER;
            if (on_crc32(0, b + 2, end - 2U) == on_get32(b + end)) {
                *frame = (on_frame_t){b[2], b[3], end - ON_FRAME_HEADER, b + ON_FRAME_HEADER};
                return true;
            }
            reader->bad++;
            resynchronise(reader);
        }
    }
}

void on_frame_drop(on_frame_reader_t *reader, const on_frame_t *frame) {
    discard(reader, frame->length + ON_FRAME_OVERHEAD);
}

void on_frame_header(uint8_t header[ON_FRAME_HEADER], uint8_t type, uint8_t sequence, uint32_t n) {
    header[0] = MAGIC_0;
    header[1] = MAGIC_1;
    header[2] = type;
    header[3] = sequence;
    on_put32(header + 4, n);
}

uint32_t on_frame_crc(const uint8_t header[ON_FRAME_HEADER], const uint8_t *payload, uint32_t n) {
    return on_crc32(on_crc32(0, header + 2, ON_FRAME_HEADER - 2U), payload, n);
}
