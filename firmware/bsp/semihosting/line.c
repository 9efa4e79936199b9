/* The host's standard input and output through Arm semihosting (Arm IHI 0079), for QEMU's boards.
 *
 * Not the UART of the emulated board: QEMU passes on one polled byte in about 0.2 ms. */
#include "bsp.h"
#include "stream.h"

#define SYS_OPEN 0x01U
#define SYS_WRITE 0x05U
#define SYS_READ 0x06U
#define SYS_EXIT_EXTENDED 0x20U
#define MODE_READ 1U  /* "rb" */
#define MODE_WRITE 5U /* "wb" */
#define APPLICATION_EXIT 0x20026U

static uint32_t input_handle;
static uint32_t output_handle;

static uint32_t semihost(uint32_t operation, const uint32_t *arguments) {
    register uint32_t r0 __asm__("r0") = operation;
    register const uint32_t *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t open(const char *path, uint32_t length, uint32_t mode) {
    const uint32_t arguments[] = {(uint32_t)(uintptr_t)path, mode, length};
    return semihost(SYS_OPEN, arguments);
}

void bsp_init(void) {
    static const char input[] = "/dev/stdin";
    static const char output[] = "/dev/stdout";
    input_handle = open(input, sizeof input - 1U, MODE_READ);
    output_handle = open(output, sizeof output - 1U, MODE_WRITE);
}

/* Both operations return how many bytes they left undone. */
static size_t transfer(uint32_t operation, uint32_t handle, uintptr_t data, size_t n) {
    const uint32_t arguments[] = {handle, (uint32_t)data, (uint32_t)n};
    const uint32_t left = semihost(operation, arguments);
    return left < n ? n - left : 0U;
}

size_t stream_receive(uint8_t *data, size_t n) {
    return transfer(SYS_READ, input_handle, (uintptr_t)data, n);
}

size_t stream_send(const uint8_t *data, size_t n) {
    return transfer(SYS_WRITE, output_handle, (uintptr_t)data, n);
}

_Noreturn void bsp_exit(int code) {
    stream_flush();
    for (;;) {
        semihost(SYS_EXIT_EXTENDED, (const uint32_t[]){APPLICATION_EXIT, (uint32_t)code});
    }
}
