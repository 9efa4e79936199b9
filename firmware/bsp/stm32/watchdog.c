/* The independent watchdog, which no software can stop: chapter IWDG of RM0033, RM0385, RM0390 and RM0444. */
#include "bsp.h"
#include "chip.h"

#define IWDG_KR REG32(0x40003000U)
#define IWDG_KR_START 0xCCCCU
#define IWDG_KR_UNLOCK 0x5555U
#define IWDG_KR_RELOAD 0xAAAAU
#define IWDG_PR REG32(0x40003004U)
#define IWDG_PR_DIV128 5U
#define IWDG_RLR REG32(0x40003008U)
#define IWDG_SR REG32(0x4000300CU)
#define LSI_HZ 32000U /* 17 to 47 kHz over all chips and temperatures: 5.4 s at least */
#define TICKS_PER_SECOND (LSI_HZ / 128U)

_Static_assert(BSP_WATCHDOG_MS * TICKS_PER_SECOND / 1000U < 4096U, "the counter has 12 bits");

bool bsp_watchdog_start(void) {
    WATCHDOG_CLOCKS();
    const bool was_reset = (WATCHDOG_RESET & WATCHDOG_RESET_BIT) != 0U;
    WATCHDOG_RESET |= WATCHDOG_FORGET_BIT;
    WATCHDOG_FREEZE |= WATCHDOG_FREEZE_BIT; /* a debugger may halt the core */
    IWDG_KR = IWDG_KR_START;
    IWDG_KR = IWDG_KR_UNLOCK;
    IWDG_PR = IWDG_PR_DIV128;
    IWDG_RLR = BSP_WATCHDOG_MS * TICKS_PER_SECOND / 1000U;
    while (IWDG_SR != 0U) { /* taken over within five ticks of the slow clock */
    }
    IWDG_KR = IWDG_KR_RELOAD;
    return was_reset;
}

void bsp_watchdog_kick(void) { IWDG_KR = IWDG_KR_RELOAD; }
