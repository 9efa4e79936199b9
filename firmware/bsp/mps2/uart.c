/* UART0 of Arm's MPS2 FPGA images (CMSDK APB UART, DDI0479D section 4.3), polled: QEMU's mps2-an*. */
#include "bsp.h"
#include "cortex_m.h"

#define UART_DATA REG32(0x40004000U)
#define UART_STATE REG32(0x40004004U)
#define STATE_TX_FULL (1U << 0)
#define STATE_RX_FULL (1U << 1)
#define STATE_RX_OVERRUN (1U << 3)
#define UART_CTRL REG32(0x40004008U)
#define CTRL_TX_ENABLE (1U << 0)
#define CTRL_RX_ENABLE (1U << 1)
#define UART_BAUDDIV REG32(0x40004010U)

#define BAUDDIV 16U /* the smallest allowed: 25 MHz / 16 */

static uint32_t overruns;

void bsp_init(void) {
    UART_BAUDDIV = BAUDDIV;
    UART_CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE;
}

void bsp_read(uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t state;
        while (((state = UART_STATE) & STATE_RX_FULL) == 0U) {
        }
        if ((state & STATE_RX_OVERRUN) != 0U) {
            UART_STATE = STATE_RX_OVERRUN; /* write one to clear */
            overruns++;
        }
        data[i] = (uint8_t)UART_DATA;
    }
}

void bsp_write(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UART_STATE & STATE_TX_FULL) != 0U) {
        }
        UART_DATA = data[i];
    }
}

uint32_t bsp_overruns(void) { return overruns; }
