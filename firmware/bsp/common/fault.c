/* The last message of a firmware that crashed: registers as text, in an ERROR frame. */
#include "fault.h"

#include "bsp.h"
#include "on_frame.h"

#define TEXT_AT 18U /* after code (2), pc (8) and lr (8) */
#define SIZE 512U

static uint8_t message[SIZE]; /* static: the stack may be what is broken */

static uint32_t append(uint32_t at, const char *text) {
    while (*text != '\0' && at < SIZE) {
        message[at++] = (uint8_t)*text++;
    }
    return at;
}

static uint32_t append_hex(uint32_t at, uint64_t value) {
    uint32_t shift = 0;
    while (shift < 60U && (value >> (shift + 4U)) != 0U) {
        shift += 4U;
    }
    for (;; shift -= 4U) {
        const char digit[2] = {"0123456789abcdef"[(value >> shift) & 15U], '\0'};
        at = append(at, digit);
        if (shift == 0U) {
            return at;
        }
    }
}

_Noreturn void on_fault_report(const char *kind, uint64_t pc, uint64_t lr,
                               const fault_register_t *registers, size_t n) {
    on_put16(message, ON_ERROR_FAULT);
    on_put64(message + 2, pc);
    on_put64(message + 10, lr);
    uint32_t length = append(TEXT_AT, kind);
    for (size_t i = 0; i < n; i++) {
        length = append(length, " ");
        length = append(length, registers[i].name);
        length = append_hex(append(length, "=0x"), registers[i].value);
    }
    uint8_t header[ON_FRAME_HEADER];
    uint8_t crc[4];
    on_frame_header(header, ON_MSG_ERROR, 0, length);
    on_put32(crc, on_frame_crc(header, message, length));
    bsp_write(header, sizeof header);
    bsp_write(message, length);
    bsp_write(crc, sizeof crc);
    bsp_exit(1);
}
