/* The product: listens without end, scores every window, raises and ends alarms.
 *
 * app_model.h and app_detect.h are generated; they name the model (MODEL_*, model_*) and the alarm's settings. Sound
 * comes from a source of firmware/audio. For every window there is one line of JSON on the serial line:
 *
 *     {"window":7,"score":812,"smoothed":790,"threshold":1400,"alarm":0,"lost":0}
 *
 * with "learning":n at the end while n more windows are to be learned. A source that hears nothing gives {"error":
 * "why"} at the start. On the same line it answers requests, beside those of server.h:
 *
 *     RESET      ()                            -> ()   forget the sound and the alarm; counters begin again. Refused
 *                                                      while the source hears nothing; it has tried again
 *     AUDIO      (u32 position, i16 samples)   -> u32 samples heard, u32 samples lost, u32 windows
 *     STATUS     ()                            -> u64 smoothed, u64 threshold, u64 release, u32 windows, u32 alarms,
 *                                                 u32 samples heard, u32 samples lost, u32 windows left to learn,
 *                                                 u8 alarm, u8 origin of the thresholds, u8 1 if they can be kept
 *     CALIBRATE  (u32 windows, u32 factor)     -> ()   learn, then threshold = mean + factor * deviation
 *     THRESHOLD  (u64 threshold, u64 release)  -> ()   until the next start
 *     THRESHOLD  ()                            -> ()   those of the build again; forgets what was learned
 */
#include "app_detect.h"
#include "app_model.h"
#include "audio.h"
#include "bsp.h"
#include "on_calibrate.h"
#include "server.h"
#include "text.h"

#if !MODEL_HAS_FRONT_END
#error "this application needs a model that listens: one of ongen build"
#endif

#define BLOCK 256U
#define AUDIO_HEAD 4U
#define PAYLOAD_MAX 4096U

_Static_assert(PAYLOAD_MAX / sizeof(int16_t) <= AUDIO_RING, "what the host sends at once fits the ring");
_Static_assert(ON_CALIBRATE_RECORD <= BSP_PAGE_SIZE, "the record fits the page");

/* Where the thresholds come from. */
enum { ORIGIN_BUILD, ORIGIN_LEARNED, ORIGIN_KEPT, ORIGIN_HOST };
static const char *const origins[] = {"build", "learned", "kept", "host"};

static model_state_t state;
static on_alarm_config_t config;
static on_alarm_t alarm;
static on_calibrate_t calibration;
static uint32_t factor; /* of the calibration under way */
static uint8_t origin;
static uint32_t lost;
static union {
    uint8_t bytes[PAYLOAD_MAX + ON_FRAME_OVERHEAD];
    uint64_t alignment;
} receive;

static void reset(void) {
    model_reset(&state);
    on_alarm_reset(&alarm);
    calibration = (on_calibrate_t){0};
    server_heard = (server_heard_t){0};
    lost = 0;
    bsp_alarm(false);
    audio_start();
}

static void start_again(const on_frame_t *request) {
    reset();
    if (audio_error() != NULL) {
        server_refuse(request, ON_ERROR_AUDIO, audio_error());
    } else {
        server_reply(request, NULL, 0);
    }
}

static uint32_t left_to_learn(void) { return calibration.wanted - calibration.seen; }

/* Thresholds */

static void restore(void) {
    const uint8_t *const page = bsp_page();
    config = detect_alarm;
    origin = page != NULL && on_calibrate_restore(page, &config, MODEL_ID) ? ORIGIN_KEPT : ORIGIN_BUILD;
}

static bool keep(void) {
    uint32_t words[ON_CALIBRATE_RECORD / sizeof(uint32_t)];
    uint8_t *const record = (uint8_t *)words;
    on_calibrate_record(record, &config, MODEL_ID, calibration.seen);
    return bsp_page_write(record, sizeof words);
}

static bool is_kept(void) {
    on_alarm_config_t ignored = detect_alarm;
    const uint8_t *const page = bsp_page();
    return page != NULL && on_calibrate_restore(page, &ignored, MODEL_ID);
}

static void forget(void) {
    static const uint32_t blank[ON_CALIBRATE_RECORD / sizeof(uint32_t)] = {0};
    if (is_kept()) {
        (void)bsp_page_write((const uint8_t *)blank, sizeof blank);
    }
    restore();
}

static void learned(void) {
    const on_calibrate_level_t level = on_calibrate_level(&calibration);
    on_calibrate_apply(&calibration, factor, &config);
    const bool kept = keep();
    origin = ORIGIN_LEARNED;
    text_line_t line;
    text_begin(&line);
    text_number(&line, "learned", calibration.seen);
    text_number(&line, "mean", level.mean);
    text_number(&line, "deviation", level.deviation);
    text_number(&line, "threshold", config.threshold);
    text_number(&line, "release", config.release);
    text_word(&line, "kept", kept ? "flash" : "ram");
    text_send(&line);
    calibration = (on_calibrate_t){0};
}

/* Sound */

static void report(uint64_t score) {
    text_line_t line;
    text_begin(&line);
    text_number(&line, "window", server_heard.windows);
    text_number(&line, "score", score);
    text_number(&line, "smoothed", alarm.smoothed);
    text_number(&line, "threshold", config.threshold);
    text_number(&line, "alarm", alarm.on ? 1U : 0U);
    text_number(&line, "lost", lost);
    if (left_to_learn() > 0U) {
        text_number(&line, "learning", left_to_learn());
    }
    text_send(&line);
}

static void judge(uint64_t score) {
    on_alarm_smooth(&alarm, &config, score);
    const bool learning = left_to_learn() > 0U;
    const bool last = learning && on_calibrate_add(&calibration, alarm.smoothed);
    if (!learning && on_alarm_judge(&alarm, &config)) {
        bsp_alarm(alarm.on);
    }
    report(score);
    server_heard.windows++;
    if (last) {
        learned();
    }
}

static void hear(const int16_t *pcm, size_t n) {
    server_heard.samples += (uint32_t)n;
    while (n > 0U) {
        model_result_t result;
        if (model_push(&state, pcm, n, &result) == 0) {
            return;
        }
        judge(result.score);
        pcm += result.consumed;
        n -= result.consumed;
    }
}

/* A window never has a gap inside: what was heard before a loss is not joined to what comes behind. */
static void note_loss(void) {
    if (audio_lost() != lost) {
        lost = audio_lost();
        model_reset(&state);
    }
}

static void listen(void) {
    int16_t block[BLOCK];
    size_t n;
    while ((n = audio_read(block, BLOCK)) > 0U) {
        note_loss();
        hear(block, n);
    }
    note_loss();
}

/* Requests */

static void take_audio(const on_frame_t *request) {
    if (request->length < AUDIO_HEAD || request->length % sizeof(int16_t) != 0U) {
        server_refuse(request, ON_ERROR_BAD_LENGTH, "AUDIO needs a position and whole 16-bit samples");
        return;
    }
    const int16_t *const pcm = (const int16_t *)(const void *)(request->payload + AUDIO_HEAD);
    if (!audio_offer(on_get32(request->payload), pcm, (request->length - AUDIO_HEAD) / sizeof(int16_t))) {
        server_refuse(request, ON_ERROR_UNKNOWN, "this firmware does not listen to the host");
        return;
    }
    listen();
    uint8_t payload[12];
    on_put32(payload, server_heard.samples);
    on_put32(payload + 4, lost);
    on_put32(payload + 8, server_heard.windows);
    server_reply(request, payload, sizeof payload);
}

static void tell_status(const on_frame_t *request) {
    uint8_t payload[47];
    on_put64(payload, alarm.smoothed);
    on_put64(payload + 8, config.threshold);
    on_put64(payload + 16, config.release);
    on_put32(payload + 24, server_heard.windows);
    on_put32(payload + 28, alarm.alarms);
    on_put32(payload + 32, server_heard.samples);
    on_put32(payload + 36, lost);
    on_put32(payload + 40, left_to_learn());
    payload[44] = alarm.on ? 1U : 0U;
    payload[45] = origin;
    payload[46] = bsp_page() != NULL ? 1U : 0U;
    server_reply(request, payload, sizeof payload);
}

static void calibrate(const on_frame_t *request) {
    if (request->length != 8U) {
        server_refuse(request, ON_ERROR_BAD_LENGTH, "CALIBRATE needs windows and factor");
        return;
    }
    const uint32_t windows = on_get32(request->payload);
    const uint32_t deviations = on_get32(request->payload + 4);
    if (windows < ON_CALIBRATE_MIN || windows > ON_CALIBRATE_MAX || deviations < 1U ||
        deviations > ON_CALIBRATE_MAX_FACTOR) {
        server_refuse(request, ON_ERROR_BAD_VALUE, "CALIBRATE takes 8 to 65535 windows, a factor of 1 to 255");
        return;
    }
    factor = deviations;
    on_calibrate_start(&calibration, windows);
    on_alarm_clear(&alarm);
    bsp_alarm(false);
    server_reply(request, NULL, 0);
}

static void set_threshold(const on_frame_t *request) {
    if (request->length == 0U) {
        forget();
    } else if (request->length != 16U) {
        server_refuse(request, ON_ERROR_BAD_LENGTH, "THRESHOLD needs threshold and release, or nothing");
        return;
    } else {
        const uint64_t threshold = on_get64(request->payload);
        const uint64_t release = on_get64(request->payload + 8);
        if (release > threshold) {
            server_refuse(request, ON_ERROR_BAD_VALUE, "the release level is above the threshold");
            return;
        }
        config.threshold = threshold;
        config.release = release;
        origin = ORIGIN_HOST;
    }
    server_reply(request, NULL, 0);
}

bool app_answer(const on_frame_t *request) {
    switch (request->type) {
    case ON_MSG_RESET:
        start_again(request);
        return true;
    case ON_MSG_AUDIO:
        take_audio(request);
        return true;
    case ON_MSG_STATUS:
        tell_status(request);
        return true;
    case ON_MSG_CALIBRATE:
        calibrate(request);
        return true;
    case ON_MSG_THRESHOLD:
        set_threshold(request);
        return true;
    default:
        return false;
    }
}

static void introduce(bool after_watchdog) {
    text_line_t line;
    text_begin(&line);
    text_word(&line, "detector", MODEL_NAME);
    text_number(&line, "model", MODEL_ID);
    text_word(&line, "audio", audio_name);
    text_number(&line, "threshold", config.threshold);
    text_number(&line, "release", config.release);
    text_word(&line, "origin", origins[origin]);
    text_word(&line, "keeps", bsp_page() != NULL ? "flash" : "ram");
    text_number(&line, "watchdog", after_watchdog ? 1U : 0U);
    text_send(&line);
}

static void complain(void) {
    if (audio_error() != NULL) {
        text_line_t line;
        text_begin(&line);
        text_word(&line, "error", audio_error());
        text_send(&line);
    }
}

int main(void) {
    static const server_model_t model = {
        .name = MODEL_NAME,
        .features = ON_FEATURE_DETECT,
        .id = MODEL_ID,
        .in_size = MODEL_IN_SIZE,
        .out_size = MODEL_OUT_SIZE,
        .state_size = sizeof state,
    };
    const bool after_watchdog = bsp_watchdog_start();
    restore();
    reset();
    introduce(after_watchdog);
    complain();
    server_open(&model, receive.bytes, sizeof receive.bytes);
    for (;;) {
        server_serve();
        listen();
        bsp_watchdog_kick();
    }
}
