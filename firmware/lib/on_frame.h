/** @file
 * Frames of bytes that find their beginning again after noise: what the firmware and its host speak.
 *
 *     offset  size  field
 *          0     2  magic 0xA5 0x5A
 *          2     1  type (ON_MSG_*)
 *          3     1  sequence number: a reply repeats its request's
 *          4     4  length n of the payload
 *          8     n  payload
 *      8 + n     4  CRC-32 (IEEE 802.3, as zlib) of bytes 2 .. 8 + n
 *
 * All numbers are little endian. outliernets/target/protocol.py is the twin of this file.
 */
#ifndef ON_FRAME_H
#define ON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ON_PROTOCOL_VERSION 1U

#define ON_FRAME_HEADER 8U                                  /**< bytes before the payload */
#define ON_FRAME_OVERHEAD (ON_FRAME_HEADER + 4U)            /**< bytes beside the payload */

/** Requests of the host; a reply has the request's type with ON_MSG_REPLY set. */
#define ON_MSG_HELLO 0x01U
#define ON_MSG_RESET 0x02U
#define ON_MSG_PUSH 0x03U
#define ON_MSG_INFER 0x04U
#define ON_MSG_STATS 0x05U
#define ON_MSG_AUDIO 0x06U
#define ON_MSG_STATUS 0x07U
#define ON_MSG_CALIBRATE 0x08U
#define ON_MSG_THRESHOLD 0x09U
#define ON_MSG_REPLY 0x80U
/** Messages of the firmware that answer no request of their own. */
#define ON_MSG_RESULT 0xC0U
#define ON_MSG_ROW 0xC1U
#define ON_MSG_ERROR 0xE0U

/** Features in the answer to HELLO. */
#define ON_FEATURE_FRONT_END 0x0001U /**< RESET and PUSH, which gives RESULTs */
#define ON_FEATURE_ROWS 0x0002U      /**< RESET and PUSH, which gives ROWs */
#define ON_FEATURE_DETECT 0x0004U    /**< RESET, AUDIO, STATUS, CALIBRATE, THRESHOLD; lines of JSON */

/** Codes of ON_MSG_ERROR. */
#define ON_ERROR_BAD_FRAME 1U   /**< a frame was damaged and dropped */
#define ON_ERROR_BAD_LENGTH 2U  /**< the payload does not fit the request */
#define ON_ERROR_UNKNOWN 3U     /**< no such request, or not in this firmware */
#define ON_ERROR_MODEL 4U       /**< the model broke its contract */
#define ON_ERROR_FAULT 5U       /**< the processor took a fault; the firmware has stopped */
#define ON_ERROR_BAD_VALUE 6U   /**< a number in the payload is not possible */
#define ON_ERROR_AUDIO 7U       /**< the source of sound hears nothing */

/** A whole frame inside the reader's buffer. */
typedef struct {
    uint8_t type;
    uint8_t sequence;
    uint32_t length;
    const uint8_t *payload;
} on_frame_t;

/** A receiver; its owner provides the memory. */
typedef struct {
    uint8_t *buffer;    /**< holds one frame: capacity bytes */
    uint32_t capacity;  /**< largest payload + ON_FRAME_OVERHEAD */
    uint32_t filled;    /**< bytes received and not yet used up */
    uint32_t bad;       /**< frames dropped because their CRC was wrong */
} on_frame_reader_t;

/** CRC-32 (IEEE 802.3) of n more bytes; start with crc = 0. Equal to zlib's crc32(). */
uint32_t on_crc32(uint32_t crc, const uint8_t *data, size_t n);

/** Start to receive into buffer. */
void on_frame_open(on_frame_reader_t *reader, uint8_t *buffer, uint32_t capacity);

/**
 * How many bytes must be received before on_frame_take() can say more: never more than the frame
 * under way has left, never 0 after on_frame_take() said false. They belong at buffer + filled.
 */
uint32_t on_frame_need(const on_frame_reader_t *reader);

/** Note that n bytes (at most on_frame_need()) were stored at buffer + filled. */
void on_frame_fill(on_frame_reader_t *reader, uint32_t n);

/** True and *frame when a whole undamaged frame is there; else drops what cannot begin a frame. */
bool on_frame_take(on_frame_reader_t *reader, on_frame_t *frame);

/** Forget the frame that on_frame_take() gave; its payload is gone. */
void on_frame_drop(on_frame_reader_t *reader, const on_frame_t *frame);

/** Write the header of a frame with a payload of n bytes. */
void on_frame_header(uint8_t header[ON_FRAME_HEADER], uint8_t type, uint8_t sequence, uint32_t n);

/** The CRC that ends the frame of this header and payload. */
uint32_t on_frame_crc(const uint8_t header[ON_FRAME_HEADER], const uint8_t *payload, uint32_t n);

/** Store v little endian. */
void on_put16(uint8_t *p, uint16_t v);
void on_put32(uint8_t *p, uint32_t v);
void on_put64(uint8_t *p, uint64_t v);

/** Load a little-endian number. */
uint32_t on_get32(const uint8_t *p);
uint64_t on_get64(const uint8_t *p);

#endif
