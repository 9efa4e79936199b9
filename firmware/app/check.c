/* The parity application: a host sends sound or network inputs, this answers with what the model says.
 *
 * app_model.h is generated; it names the model (MODEL_*, model_*). Beside those of server.h it knows:
 *
 *     RESET  ()                -> ()
 *     PUSH   (i16 samples)     -> RESULT ..., then u32 samples taken, u32 windows finished
 *     INFER  (i8 input)        -> u32 cycles, i8 output          if there is a network
 *     RESULT                   =  u32 window, u64 score, u8 alarm, u32 front cycles, u32 final cycles
 *
 * PUSH hands samples to the model in pieces of at most PIECE. "Front cycles" is the time of the pieces
 * that did not finish the window (front end only), "final cycles" that of the piece that did (its last
 * frames, the network and the score); the network alone is what INFER measures.
 */
#include "app_model.h"
#include "bsp.h"
#include "server.h"

#define PIECE 512U
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define PAYLOAD_MAX LARGER(4096U, LARGER((uint32_t)(MODEL_IN_SIZE), 4U + (uint32_t)(MODEL_OUT_SIZE)))

static model_state_t state;
static union {
    uint8_t bytes[PAYLOAD_MAX + ON_FRAME_OVERHEAD];
    uint64_t alignment;
} receive;

#if MODEL_OUT_SIZE > 0
static int8_t output[MODEL_OUT_SIZE] __attribute__((aligned(8)));

static void infer(const on_frame_t *request) {
    if (request->length != MODEL_IN_SIZE) {
        server_refuse(request, ON_ERROR_BAD_LENGTH, "INFER needs exactly the network's input");
        return;
    }
    uint8_t head[4];
    const uint32_t start = bsp_cycles();
    model_infer(&state, (const int8_t *)request->payload, output);
    on_put32(head, bsp_cycles() - start);
    server_send(request, ON_MSG_INFER | ON_MSG_REPLY, head, sizeof head, (const uint8_t *)output,
                MODEL_OUT_SIZE);
}
#endif

#if MODEL_HAS_FRONT_END
static uint32_t front_cycles;

static void reset(void) {
    model_reset(&state);
    server_heard = (server_heard_t){0};
    front_cycles = 0;
}

static void send_result(const on_frame_t *request, const model_result_t *result, uint32_t final_cycles) {
    uint8_t payload[21];
    on_put32(payload, result->window);
    on_put64(payload + 4, result->score);
    payload[12] = result->alarm;
    on_put32(payload + 13, front_cycles);
    on_put32(payload + 17, final_cycles);
    server_send(request, ON_MSG_RESULT, payload, sizeof payload, NULL, 0);
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
    server_heard.windows++;
    send_result(request, &result, cycles);
    front_cycles = 0;
    return result.consumed;
}

static void push(const on_frame_t *request) {
    size_t n = 0;
    const int16_t *const pcm = server_samples(request, &n);
    if (pcm == NULL) {
        return;
    }
    const uint32_t windows_before = server_heard.windows;
    for (size_t used = 0; used < n;) {
        const size_t piece = n - used < PIECE ? n - used : PIECE;
        const size_t taken = push_piece(request, pcm + used, piece);
        if (taken > piece) {
            server_refuse(request, ON_ERROR_MODEL, "the model used more samples than it was given");
            return;
        }
        used += taken;
    }
    server_heard.samples += (uint32_t)n;
    uint8_t payload[8];
    on_put32(payload, (uint32_t)n);
    on_put32(payload + 4, server_heard.windows - windows_before);
    server_reply(request, payload, sizeof payload);
}
#endif

bool app_answer(const on_frame_t *request) {
    switch (request->type) {
#if MODEL_OUT_SIZE > 0
    case ON_MSG_INFER:
        infer(request);
        return true;
#endif
#if MODEL_HAS_FRONT_END
    case ON_MSG_RESET:
        reset();
        server_reply(request, NULL, 0);
        return true;
    case ON_MSG_PUSH:
        push(request);
        return true;
#endif
    default:
        return false;
    }
}

int main(void) {
    static const server_model_t model = {
        .name = MODEL_NAME,
        .features = MODEL_HAS_FRONT_END ? ON_FEATURE_FRONT_END : 0U,
        .id = MODEL_ID,
        .in_size = MODEL_IN_SIZE,
        .out_size = MODEL_OUT_SIZE,
        .state_size = sizeof state,
    };
#if MODEL_HAS_FRONT_END
    reset();
#endif
    server_run(&model, receive.bytes, sizeof receive.bytes);
}
