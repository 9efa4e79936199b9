/* USART1 on PA9 (TX) and PB7 (RX): the virtual COM port of the DISCO-F746NG's ST-LINK, polled.
 *
 * 921,600 baud, 8N1: PCM at 16 kHz needs 320,000. */
#include "bsp.h"
#include "clock.h"
#include "stm32f7.h"

#define BAUD 921600U
#define AF7 7U

static uint32_t overruns;

/* RM0385 6.4.1 - 6.4.10: alternate function 7 (USART1), TX fast, RX pulled up. */
static void connect_pins(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOAEN | RCC_AHB1ENR_GPIOBEN;
    (void)RCC_AHB1ENR;
    GPIO_AFRH(GPIOA) = (GPIO_AFRH(GPIOA) & ~(0xFU << 4)) | (AF7 << 4);
    GPIO_OSPEEDR(GPIOA) |= 3U << 18;
    GPIO_MODER(GPIOA) = (GPIO_MODER(GPIOA) & ~(3U << 18)) | (2U << 18);
    GPIO_AFRL(GPIOB) = (GPIO_AFRL(GPIOB) & ~(0xFU << 28)) | (AF7 << 28);
    GPIO_PUPDR(GPIOB) = (GPIO_PUPDR(GPIOB) & ~(3U << 14)) | (1U << 14);
    GPIO_MODER(GPIOB) = (GPIO_MODER(GPIOB) & ~(3U << 14)) | (2U << 14);
}

/* RM0385 31.5.2 - 31.5.4: 8 data bits, no parity, 1 stop bit, oversampling by 16. */
static void start_usart(void) {
    RCC_APB2ENR |= RCC_APB2ENR_USART1EN;
    (void)RCC_APB2ENR;
    USART1_BRR = (CLOCK_APB2_HZ + BAUD / 2U) / BAUD;
    USART1_CR1 = USART_CR1_TE | USART_CR1_RE | USART_CR1_UE;
}

void bsp_init(void) {
    clock_init();
    connect_pins();
    start_usart();
}

void bsp_read(uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t status;
        while (((status = USART1_ISR) & USART_ISR_RXNE) == 0U) {
        }
        if ((status & USART_ISR_ORE) != 0U) { /* 31.5.3: a byte came while RDR was full */
            USART1_ICR = USART_ICR_ORECF;
            overruns++;
        }
        data[i] = (uint8_t)USART1_RDR;
    }
}

void bsp_write(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((USART1_ISR & USART_ISR_TXE) == 0U) {
        }
        USART1_TDR = data[i];
    }
}

uint32_t bsp_overruns(void) { return overruns; }

_Noreturn void bsp_exit(int code) {
    (void)code; /* nobody is there to take it */
    for (;;) {
        __asm__ volatile("wfi");
    }
}
