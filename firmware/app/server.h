/** @file
 * What every application shares: it answers a host's requests, one at a time.
 *
 * HELLO and STATS are answered here, the rest by the application. Message formats, all little endian:
 *
 *     HELLO  ()                -> u16 protocol, u16 features, u32 model id, u32 input bytes, u32 output bytes,
 *                                 u32 largest payload, u32 bytes of model state, name
 *     STATS  ()                -> u32 stack size, u32 stack used, u32 windows, u32 bad frames, u32 overruns,
 *                                 u32 samples
 *     ERROR                    =  u16 code, u64 pc, u64 lr, text
 */
#ifndef SERVER_H
#define SERVER_H

#include "on_frame.h"

/** What HELLO says. */
typedef struct {
    const char *name;
    uint16_t features; /**< ON_FEATURE_* */
    uint32_t id;
    uint32_t in_size;
    uint32_t out_size;
    uint32_t state_size;
} server_model_t;

/** What STATS says of the sound heard since the last RESET; the application counts. */
typedef struct {
    uint32_t windows;
    uint32_t samples;
} server_heard_t;

extern server_heard_t server_heard;

/**
 * Get ready to answer requests.
 *
 * @param model     what the application runs
 * @param buffer    where requests are received, aligned to 8 bytes
 * @param capacity  largest payload + ON_FRAME_OVERHEAD
 */
void server_open(const server_model_t *model, uint8_t *buffer, uint32_t capacity);

/** Answer what has arrived; returns when bsp_receive() has nothing more. */
void server_serve(void);

/** server_open(), then server_serve() for ever. */
_Noreturn void server_run(const server_model_t *model, uint8_t *buffer, uint32_t capacity);

/** Damaged frames since server_open(). */
uint32_t server_bad_frames(void);

/** Answer a request; false if the application does not know it. Defined by the application. */
bool app_answer(const on_frame_t *request);

/** Send a message with a payload in two parts, each of which may be empty. */
void server_send(const on_frame_t *request, uint8_t type, const uint8_t *head, uint32_t n_head,
                 const uint8_t *tail, uint32_t n_tail);

/** Send the reply to a request. */
void server_reply(const on_frame_t *request, const uint8_t *payload, uint32_t n);

/** Refuse a request. */
void server_refuse(const on_frame_t *request, uint16_t code, const char *why);

/** The payload as samples; NULL, and the request is refused, if it holds half a sample. */
const int16_t *server_samples(const on_frame_t *request, size_t *n);

#endif
