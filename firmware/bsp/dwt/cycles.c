/* Cycles from the DWT unit (ARMv7-M ARM C1.8.8). */
#include "bsp.h"
#include "cortex_m.h"

void on_cycles_start(void) {
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = 0xC5ACCE55U; /* the Cortex-M7 locks its DWT against software until this key */
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

uint32_t bsp_cycles(void) { return DWT_CYCCNT; }
