/* The parity application: a host sends sound or network inputs, this answers with what the model says.
 *
 * app_model.h is generated; it names the model (MODEL_*, model_*). Message formats, all little endian:
 *
 *     HELLO  ()                -> u16 protocol, u16 features, u32 model id, u32 input bytes, u32 output bytes,
 *                                 u32 largest payload, u32 bytes of model state, name
 *     RESET  ()                -> ()
 *     PUSH   (i16 samples)     -> RESULT ..., then u32 samples taken, u32 windows finished
 *     INFER  (i8 input)        -> u32 cycles, i8 output
 *     STATS  ()                -> u32 stack size, u32 stack used, u32 windows, u32 bad frames, u32 overruns,
 *                                 u32 samples
 *     RESULT                   =  u32 window, u64 score, u8 alarm, u32 front cycles, u32 final cycles
 *     ERROR                    =  u16 code, u64 pc, u64 lr, text
 *
 * PUSH hands samples to the model in pieces of at most PIECE. "Front cycles" is the time of the pieces
 * that did not finish the window (front end only), "final cycles" that of the piece that did (its last
 * frames, the network and the score); the network alone is what INFER measures.
 */
#include "app_model.h"
#include "bsp.h"
#include "on_frame.h"

#define PIECE 512U
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define PAYLOAD_MAX LARGER(4096U, LARGER((uint32_t)(MODEL_IN_SIZE), 4U + (uint32_t)(MODEL_OUT_SIZE)))

static model_state_t state;
static union {
    uint8_t bytes[PAYLOAD_MAX + ON_FRAME_OVERHEAD];
    int16_t samples[(PAYLOAD_MAX + ON_FRAME_OVERHEAD) / sizeof(int16_t)];
    uint64_t alignment;
} receive;
_Static_assert(ON_FRAME_HEADER % sizeof(int16_t) == 0U, "samples in a payload are aligned");

static struct {
    int8_t values[MODEL_OUT_SIZE];
} output;
static uint32_t windows;
static uint32_t samples_taken;

static void send_parts(const on_frame_t *request, uint8_t type, const uint8_t *head, uint32_t n_head,
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

static uint32_t text_length(const char *text) {
    uint32_t n = 0;
    while (text[n] != '\0') {
        n++;
    }
    return n;
}

static void send_reply(const on_frame_t *request, const uint8_t *payload, uint32_t n) {
    send_parts(request, (uint8_t)(request->type | ON_MSG_REPLY), payload, n, NULL, 0);
}

static void send_error(const on_frame_t *request, uint16_t code, const char *text) {
    uint8_t head[18] = {0};
    on_put16(head, code);
    send_parts(request, ON_MSG_ERROR, head, sizeof head, (const uint8_t *)text, text_length(text));
}

static void hello(const on_frame_t *request) {
    static const char name[] = MODEL_NAME;
    uint8_t head[24];
    on_put16(head, ON_PROTOCOL_VERSION);
    on_put16(head + 2, MODEL_HAS_FRONT_END ? ON_FEATURE_FRONT_END : 0U);
    on_put32(head + 4, MODEL_ID);
    on_put32(head + 8, MODEL_IN_SIZE);
    on_put32(head + 12, MODEL_OUT_SIZE);
    on_put32(head + 16, PAYLOAD_MAX);
    on_put32(head + 20, sizeof state);
    send_parts(request, ON_MSG_HELLO | ON_MSG_REPLY, head, sizeof head, (const uint8_t *)name,
               sizeof name - 1U);
}

static void infer(const on_frame_t *request) {
    if (request->length != MODEL_IN_SIZE) {
        send_error(request, ON_ERROR_BAD_LENGTH, "INFER needs exactly the network's input");
        return;
    }
    uint8_t head[4];
    const uint32_t start = bsp_cycles();
    model_infer(&state, (const int8_t *)request->payload, output.values);
    on_put32(head, bsp_cycles() - start);
    send_parts(request, ON_MSG_INFER | ON_MSG_REPLY, head, sizeof head, (const uint8_t *)output.values,
               MODEL_OUT_SIZE);
}

static void stats(const on_frame_t *request, uint32_t bad_frames) {
    uint8_t payload[24];
    on_put32(payload, bsp_stack_size());
    on_put32(payload + 4, bsp_stack_used());
    on_put32(payload + 8, windows);
    on_put32(payload + 12, bad_frames);
    on_put32(payload + 16, bsp_overruns());
    on_put32(payload + 20, samples_taken);
    send_reply(request, payload, sizeof payload);
}

#if MODEL_HAS_FRONT_END
static uint32_t front_cycles;

static void reset(const on_frame_t *request) {
    model_reset(&state);
    windows = 0;
    samples_taken = 0;
    front_cycles = 0;
    send_reply(request, NULL, 0);
}

static void send_result(const on_frame_t *request, const model_result_t *result, uint32_t final_cycles) {
    uint8_t payload[21];
    on_put32(payload, result->window);
    on_put64(payload + 4, result->score);
    payload[12] = result->alarm;
    on_put32(payload + 13, front_cycles);
    on_put32(payload + 17, final_cycles);
    send_parts(request, ON_MSG_RESULT, payload, sizeof payload, NULL, 0);
}

/* Hand one piece to the model; how many of its samples were used. */
static size_t push_piece(const on_frame_t *request, const int16_t *pcm, size_t n) {
    model_result_t result;
    const uint32_t start = bsp_cycles();
    const int ready = model_push(&state, pcm, n, &result);
    const uint32_t cycles = bsp_cycles() - start;
    if (ready == 0) {
        front_cycles += cycles;
        return n;
    }
    windows++;
    send_result(request, &result, cycles);
    front_cycles = 0;
    return result.consumed;
}

static void push(const on_frame_t *request) {
    if (request->length % sizeof(int16_t) != 0U) {
        send_error(request, ON_ERROR_BAD_LENGTH, "PUSH needs whole 16-bit samples");
        return;
    }
    const int16_t *pcm = &receive.samples[ON_FRAME_HEADER / sizeof(int16_t)];
    const size_t n = request->length / sizeof(int16_t);
    const uint32_t windows_before = windows;
    for (size_t used = 0; used < n;) {
        const size_t piece = n - used < PIECE ? n - used : PIECE;
        const size_t taken = push_piece(request, pcm + used, piece);
        if (taken > piece) {
            send_error(request, ON_ERROR_MODEL, "the model used more samples than it was given");
            return;
        }
        used += taken;
    }
    samples_taken += (uint32_t)n;
    uint8_t payload[8];
    on_put32(payload, (uint32_t)n);
    on_put32(payload + 4, windows - windows_before);
    send_reply(request, payload, sizeof payload);
}
#endif

static void answer(const on_frame_t *request, uint32_t bad_frames) {
    switch (request->type) {
    case ON_MSG_HELLO:
        hello(request);
        break;
    case ON_MSG_INFER:
        infer(request);
        break;
    case ON_MSG_STATS:
        stats(request, bad_frames);
        break;
#if MODEL_HAS_FRONT_END
    case ON_MSG_RESET:
        reset(request);
        break;
    case ON_MSG_PUSH:
        push(request);
        break;
#endif
    default:
        send_error(request, ON_ERROR_UNKNOWN, "this firmware does not know the request");
        break;
    }
}

int main(void) {
    on_frame_reader_t reader;
    on_frame_open(&reader, receive.bytes, sizeof receive.bytes);
#if MODEL_HAS_FRONT_END
    model_reset(&state);
#endif
    for (uint32_t bad = 0;;) {
        on_frame_t request;
        if (on_frame_take(&reader, &request)) {
            answer(&request, reader.bad);
            on_frame_drop(&reader, &request);
            continue;
        }
        if (reader.bad != bad) {
            bad = reader.bad;
            send_error(&(on_frame_t){0}, ON_ERROR_BAD_FRAME, "a damaged frame was dropped");
        }
        const uint32_t need = on_frame_need(&reader);
        bsp_read(receive.bytes + reader.filled, need);
        on_frame_fill(&reader, need);
    }
}
