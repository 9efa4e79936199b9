/* The front end by itself: a host sends sound, this answers with rows of the log-Mel spectrogram.
 *
 * app_model.h is generated; it names the plan (MODEL_*). Beside those of server.h it knows:
 *
 *     RESET  ()                -> ()
 *     PUSH   (i16 samples)     -> ROW ..., then u32 samples taken, u32 rows finished
 *     ROW                      =  i8 [bands]
 */
#include "app_model.h"
#include "bsp.h"
#include "server.h"

#define PAYLOAD_MAX 4096U

static on_mel_state_t state;
static union {
    uint8_t bytes[PAYLOAD_MAX + ON_FRAME_OVERHEAD];
    uint64_t alignment;
} receive;

static void reset(void) {
    on_mel_reset(&state);
    server_heard = (server_heard_t){0};
}

static void push(const on_frame_t *request) {
    size_t n = 0;
    const int16_t *const pcm = server_samples(request, &n);
    if (pcm == NULL) {
        return;
    }
    uint32_t rows = 0;
    for (size_t used = 0; used < n;) {
        int8_t row[MODEL_OUT_SIZE];
        bool ready = false;
        used += on_mel_push(&state, &MODEL_PLAN, pcm + used, n - used, row, &ready);
        if (ready) {
            rows++;
            server_send(request, ON_MSG_ROW, (const uint8_t *)row, sizeof row, NULL, 0);
        }
    }
    server_heard.samples += (uint32_t)n;
    server_heard.windows += rows;
    uint8_t payload[8];
    on_put32(payload, (uint32_t)n);
    on_put32(payload + 4, rows);
    server_reply(request, payload, sizeof payload);
}

bool app_answer(const on_frame_t *request) {
    if (request->type == ON_MSG_RESET) {
        reset();
        server_reply(request, NULL, 0);
        return true;
    }
    if (request->type == ON_MSG_PUSH) {
        push(request);
        return true;
    }
    return false;
}

int main(void) {
    static const server_model_t model = {
        .name = MODEL_NAME,
        .features = ON_FEATURE_ROWS,
        .id = MODEL_ID,
        .in_size = 2U * ON_MEL_N_FFT,
        .out_size = MODEL_OUT_SIZE,
        .state_size = sizeof state,
    };
    reset();
    server_run(&model, receive.bytes, sizeof receive.bytes);
}
