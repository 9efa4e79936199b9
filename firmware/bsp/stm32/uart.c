/* A polled USART, 8N1, on the virtual COM port of the board's ST-LINK.
 *
 * chip.h says which USART, on which pins and how fast: PCM at 16 kHz needs 320,000 baud. */
#include "bsp.h"
#include "chip.h"
#include "clock.h"
#include "gpio.h"

/* The same bits in both kinds of USART. */
#define CR1_RE (1U << 2)
#define CR1_TE (1U << 3)
#define STATUS_ORE (1U << 3)
#define STATUS_RXNE (1U << 5)
#define STATUS_TXE (1U << 7)

#define FIELD(width, pin) (((1U << (width)) - 1U) << ((width) * (pin)))
#define AF_SHIFT(pin) (4U * ((pin) % 8U))

static uint32_t overruns;

/* Alternate function, fast, pulled up: an open line is idle. */
static void connect_pin(uint32_t port, uint32_t pin) {
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(0xFU << AF_SHIFT(pin))) | (UART_AF << AF_SHIFT(pin));
    GPIO_OSPEEDR(port) |= FIELD(2U, pin);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~FIELD(2U, pin)) | (1U << (2U * pin));
    GPIO_MODER(port) = (GPIO_MODER(port) & ~FIELD(2U, pin)) | (2U << (2U * pin));
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
    USART_CR1(UART) = CR1_TE | CR1_RE | USART_CR1_UE;
}

size_t bsp_receive(uint8_t *data, size_t n) {
    size_t got = 0;
    for (; got < n; got++) {
        const uint32_t status = USART_STATUS(UART);
        if ((status & STATUS_RXNE) == 0U) {
            break;
        }
        if ((status & STATUS_ORE) != 0U) { /* a byte came while the last one was not yet taken */
            usart_clear_overrun(UART);
            overruns++;
        }
        data[got] = (uint8_t)USART_RECEIVED(UART);
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
    for (;;) {
        __asm__ volatile("wfi");
    }
}
