/* Erase and write the last sector: PM0059 (F2), RM0390 3, RM0385 3.
 *
 * To erase it takes up to two seconds, in which the core waits for its next instruction. */
#include "flash.h"

#include "bsp.h"
#include "chip.h"

#define FLASH_KEYR REG32(0x40023C04U)
#define FLASH_KEY_1 0x45670123U
#define FLASH_KEY_2 0xCDEF89ABU
#define FLASH_SR REG32(0x40023C0CU)
#define FLASH_SR_ERRORS 0xF2U /* operation, protection, alignment, parallelism, sequence */
#define FLASH_SR_BSY (1U << 16)
#define FLASH_CR REG32(0x40023C10U)
#define FLASH_CR_PG (1U << 0)
#define FLASH_CR_SER (1U << 1)
#define FLASH_CR_SNB(n) ((n) << 3)
#define FLASH_CR_WORDS (2U << 8) /* 32 bits at a time: 2.7 to 3.6 V */
#define FLASH_CR_STRT (1U << 16)
#define FLASH_CR_LOCK (1U << 31)
#define FLASH_ACR_DCRST (1U << 12)

#define CACHE_LINE 32U

static void wait(void) {
    DSB();
    while ((FLASH_SR & FLASH_SR_BSY) != 0U) {
    }
}

static void erase(void) {
    FLASH_CR = FLASH_CR_SER | FLASH_CR_SNB(PAGE_SECTOR) | FLASH_CR_WORDS;
    FLASH_CR |= FLASH_CR_STRT;
    wait();
}

/* A word at a time, waiting for each: two that were merged into one of 64 bits would be refused. */
static void program(const uint8_t *data, size_t n) {
    FLASH_CR = FLASH_CR_PG | FLASH_CR_WORDS;
    for (size_t i = 0; i < n; i += 4U) {
        REG32(PAGE_BASE + i) = *(const uint32_t *)(const void *)(data + i);
        wait();
    }
}

/* What the flash said before is in the data cache: of the interface in the F2 and F4, of the core in the F7. */
static void forget_old_content(void) {
    if ((FLASH_ACCELERATION & FLASH_ACR_DCEN) != 0U) {
        FLASH_ACR &= ~FLASH_ACR_DCEN;
        FLASH_ACR |= FLASH_ACR_DCRST;
        FLASH_ACR &= ~FLASH_ACR_DCRST;
        FLASH_ACR |= FLASH_ACR_DCEN;
    } else {
        for (uint32_t i = 0; i < BSP_PAGE_SIZE; i += CACHE_LINE) {
            SCB_DCIMVAC = PAGE_BASE + i;
        }
    }
    DSB();
    ISB();
}

void flash_replace_page(const uint8_t *data, size_t n) {
    FLASH_KEYR = FLASH_KEY_1;
    FLASH_KEYR = FLASH_KEY_2;
    wait();
    FLASH_SR = FLASH_SR_ERRORS; /* old errors, cleared by writing ones, would stop the new operation */
    erase();
    program(data, n);
    FLASH_CR = FLASH_CR_LOCK;
    forget_old_content();
}
