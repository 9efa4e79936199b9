/* The loop around every application: see server.h. */
#include "server.h"

#include "bsp.h"

server_heard_t server_heard;

static struct {
    const server_model_t *model;
    on_frame_reader_t reader;
    uint32_t bad; /* damaged frames the host was told of */
} server;

void server_send(const on_frame_t *request, uint8_t type, const uint8_t *head, uint32_t n_head,
                 const uint8_t *tail, uint32_t n_tail) {
    uint8_t header[ON_FRAME_HEADER];
    uint8_t crc[4];
    on_frame_header(header, type, request->sequence, n_head + n_tail);
    on_put32(crc, on_crc32(on_frame_crc(header, head, n_head), tail, n_tail));
    bsp_write(header, sizeof header);
    bsp_write(head, n_head);
    bsp_write(tail, n_tail);
    bsp_write(crc, sizeof crc);
}

void server_reply(const on_frame_t *request, const uint8_t *payload, uint32_t n) {
    server_send(request, (uint8_t)(request->type | ON_MSG_REPLY), payload, n, NULL, 0);
}

static uint32_t text_length(const char *text) {
    uint32_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n;
}

void server_refuse(const on_frame_t *request, uint16_t code, const char *why) {
    uint8_t head[18] = {0};
    on_put16(head, code);
    server_send(request, ON_MSG_ERROR, head, sizeof head, (const uint8_t *)why, text_length(why));
}

const int16_t *server_samples(const on_frame_t *request, size_t *n) {
    if (request->length % sizeof(int16_t) != 0U) {
        server_refuse(request, ON_ERROR_BAD_LENGTH, "PUSH needs whole 16-bit samples");
        return NULL;
    }
    *n = request->length / sizeof(int16_t);
    return (const int16_t *)(const void *)request->payload;
}

static void hello(const on_frame_t *request) {
    const server_model_t *const model = server.model;
    uint8_t head[24];
    on_put16(head, ON_PROTOCOL_VERSION);
    on_put16(head + 2, model->features);
    on_put32(head + 4, model->id);
    on_put32(head + 8, model->in_size);
    on_put32(head + 12, model->out_size);
    on_put32(head + 16, server.reader.capacity - ON_FRAME_OVERHEAD);
    on_put32(head + 20, model->state_size);
    server_send(request, ON_MSG_HELLO | ON_MSG_REPLY, head, sizeof head, (const uint8_t *)model->name,
                text_length(model->name));
}

uint32_t server_bad_frames(void) { return server.reader.bad; }

static void stats(const on_frame_t *request) {
    uint8_t payload[24];
    on_put32(payload, bsp_stack_size());
    on_put32(payload + 4, bsp_stack_used());
    on_put32(payload + 8, server_heard.windows);
    on_put32(payload + 12, server_bad_frames());
    on_put32(payload + 16, bsp_overruns());
    on_put32(payload + 20, server_heard.samples);
    server_reply(request, payload, sizeof payload);
}

void server_open(const server_model_t *model, uint8_t *buffer, uint32_t capacity) {
    server.model = model;
    server.bad = 0;
    on_frame_open(&server.reader, buffer, capacity);
}

static void answer(const on_frame_t *request) {
    if (request->type == ON_MSG_HELLO) {
        hello(request);
    } else if (request->type == ON_MSG_STATS) {
        stats(request);
    } else if (!app_answer(request)) {
        server_refuse(request, ON_ERROR_UNKNOWN, "this firmware does not know the request");
    }
}

void server_serve(void) {
    on_frame_reader_t *const reader = &server.reader;
    for (;;) {
        on_frame_t request;
        if (on_frame_take(reader, &request)) {
            answer(&request);
            on_frame_drop(reader, &request);
            continue;
        }
        if (reader->bad != server.bad) {
            server.bad = reader->bad;
            server_refuse(&(on_frame_t){0}, ON_ERROR_BAD_FRAME, "a damaged frame was dropped");
        }
        const size_t got = bsp_receive(reader->buffer + reader->filled, on_frame_need(reader));
        if (got == 0U) {
            return;
        }
        on_frame_fill(reader, (uint32_t)got);
    }
}

_Noreturn void server_run(const server_model_t *model, uint8_t *buffer, uint32_t capacity) {
    server_open(model, buffer, capacity);
    for (;;) {
        server_serve();
    }
}
