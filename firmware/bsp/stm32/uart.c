/* A USART, 8N1, on the virtual COM port of the board's ST-LINK: it receives by interrupt and sends by polling.
 *
 * chip.h says which USART, on which pins and how fast: PCM at 16 kHz needs 320,000 baud. */
#include "bsp.h"
#include "chip.h"
#include "clock.h"
#include "gpio.h"

/* The same bits in both kinds of USART. */
#define CR1_RE (1U << 2)
#define CR1_TE (1U << 3)
#define CR1_RXNEIE (1U << 5) /* an interrupt for a byte received, and for one lost */
#define STATUS_ORE (1U << 3)
#define STATUS_RXNE (1U << 5)
#define STATUS_TXE (1U << 7)

/* Bytes that wait to be taken: 44 ms of the line at 921,600 baud, 128 ms of PCM at 16 kHz. */
#ifndef UART_RING
#define UART_RING 4096U
#endif
_Static_assert((UART_RING & (UART_RING - 1U)) == 0U, "what counts bytes wraps at a power of two");

/* One writer, the interrupt, and one reader: each counts up its own number after the byte is in or out, so neither
 * locks the other out. All is volatile: one core sees its own accesses in the order the program has them. */
static volatile uint8_t ring[UART_RING];
static volatile uint32_t written; /* bytes since the start */
static volatile uint32_t taken;
static volatile uint32_t overruns;

/* Pulled up: an open line is idle. */
static void connect_pin(uint32_t port, uint32_t pin) {
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~GPIO_FIELD(2U, pin)) | (1U << (2U * pin));
    gpio_connect(port, pin, UART_AF);
}

/* Reading an enable register back waits until the clock runs. */
static void enable_clocks(void) {
    GPIO_ENABLE |= GPIO_ENABLE_BITS;
    UART_ENABLE |= UART_ENABLE_BIT;
    (void)GPIO_ENABLE;
    (void)UART_ENABLE;
}

void bsp_init(void) {
    clock_init();
    enable_clocks();
    connect_pin(UART_TX_PORT, UART_TX_PIN);
    connect_pin(UART_RX_PORT, UART_RX_PIN);
    USART_BRR(UART) = (UART_CLOCK_HZ + UART_BAUD / 2U) / UART_BAUD; /* oversampling by 16 */
    USART_CR1(UART) = CR1_TE | CR1_RE | CR1_RXNEIE | USART_CR1_UE;
    interrupt_enable(UART_IRQ);
}

static void keep(uint8_t byte) {
    if (written - taken == UART_RING) {
        overruns++;
    } else {
        ring[written % UART_RING] = byte;
        written = written + 1U;
    }
}

void UART_IRQHandler(void);

void UART_IRQHandler(void) {
    uint32_t status;
    while (((status = USART_STATUS(UART)) & (STATUS_RXNE | STATUS_ORE)) != 0U) {
        const uint8_t byte = (uint8_t)USART_RECEIVED(UART);
        if ((status & STATUS_ORE) != 0U) { /* bytes came while this one was not yet taken */
            usart_clear_overrun(UART);
            overruns++;
        }
        if ((status & STATUS_RXNE) != 0U) {
            keep(byte);
        }
    }
}

size_t bsp_receive(uint8_t *data, size_t n) {
    size_t got = 0;
    while (got < n && taken != written) {
        data[got++] = ring[taken % UART_RING];
        taken = taken + 1U;
    }
    if (got == 0U) {
        (void)USART_STATUS(UART); /* nothing to do: here an emulator can see it */
    }
    return got;
}

void bsp_write(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((USART_STATUS(UART) & STATUS_TXE) == 0U) {
        }
        USART_TO_SEND(UART) = data[i];
    }
}

uint32_t bsp_overruns(void) { return overruns; }

_Noreturn void bsp_exit(int code) {
    (void)code; /* nobody is there to take it */
    INTERRUPTS_OFF();
    for (;;) {
        __asm__ volatile("wfi");
    }
}
