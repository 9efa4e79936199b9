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

/* The instruction that asks the host, and the registers of the operation (later the result) and its arguments. */
#if defined(__aarch64__)
#define TRAP "hlt #0xf000"
#define OPERATION "x0"
#define ARGUMENTS "x1"
#else
#define TRAP "bkpt 0xab"
#define OPERATION "r0"
#define ARGUMENTS "r1"
#endif

static uintptr_t input_handle;
static uintptr_t output_handle;

static uintptr_t semihost(uintptr_t operation, const uintptr_t *arguments) {
    register uintptr_t result __asm__(OPERATION) = operation;
    register const uintptr_t *block __asm__(ARGUMENTS) = arguments;
    __asm__ volatile(TRAP : "+r"(result) : "r"(block) : "memory");
    return result;
}

static uintptr_t open(const char *path, size_t length, uintptr_t mode) {
    const uintptr_t arguments[] = {(uintptr_t)path, mode, length};
    return semihost(SYS_OPEN, arguments);
}

void bsp_init(void) {
    static const char input[] = "/dev/stdin";
    static const char output[] = "/dev/stdout";
    input_handle = open(input, sizeof input - 1U, MODE_READ);
    output_handle = open(output, sizeof output - 1U, MODE_WRITE);
}

/* Both operations return how many bytes they left undone. */
static size_t transfer(uintptr_t operation, uintptr_t handle, uintptr_t data, size_t n) {
    const uintptr_t arguments[] = {handle, data, n};
    const uintptr_t left = semihost(operation, arguments);
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
        semihost(SYS_EXIT_EXTENDED, (const uintptr_t[]){APPLICATION_EXIT, (uintptr_t)code});
    }
}
