/* Erase and write one page of 2 KiB: RM0444 3. It takes some 40 ms, in which the core waits. */
#include "flash.h"

#include "chip.h"

#define FLASH_KEYR REG32(0x40022008U)
#define FLASH_KEY_1 0x45670123U
#define FLASH_KEY_2 0xCDEF89ABU
#define FLASH_SR REG32(0x40022010U)
#define FLASH_SR_ERRORS 0xC3FAU
#define FLASH_SR_BUSY (7U << 16) /* both banks, and the configuration */
#define FLASH_CR REG32(0x40022014U)
#define FLASH_CR_PG (1U << 0)
#define FLASH_CR_PER (1U << 1)
#define FLASH_CR_PNB(n) ((n) << 3)
#define FLASH_CR_STRT (1U << 16)
#define FLASH_CR_LOCK (1U << 31)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_ICRST (1U << 11)

static void wait(void) {
    DSB();
    while ((FLASH_SR & FLASH_SR_BUSY) != 0U) {
    }
}

static void erase(void) {
    FLASH_CR = FLASH_CR_PER | FLASH_CR_PNB(PAGE_NUMBER);
    FLASH_CR |= FLASH_CR_STRT;
    wait();
}

/* It takes 64 bits at a time, as two words. */
static void program(const uint8_t *data, size_t n) {
    const uint32_t *const words = (const uint32_t *)(const void *)data;
    FLASH_CR = FLASH_CR_PG;
    for (size_t i = 0; i < n / 4U; i += 2U) {
        REG32(PAGE_BASE + 4U * i) = words[i];
        REG32(PAGE_BASE + 4U * i + 4U) = words[i + 1U];
        wait();
    }
}

static void forget_old_content(void) {
    FLASH_ACR &= ~FLASH_ACR_ICEN;
    FLASH_ACR |= FLASH_ACR_ICRST;
    FLASH_ACR &= ~FLASH_ACR_ICRST;
    FLASH_ACR |= FLASH_ACR_ICEN;
    ISB();
}

void flash_replace_page(const uint8_t *data, size_t n) {
    FLASH_KEYR = FLASH_KEY_1;
    FLASH_KEYR = FLASH_KEY_2;
    wait();
    FLASH_SR = FLASH_SR_ERRORS; /* cleared by writing ones: old errors would stop the new operation */
    erase();
    program(data, n);
    FLASH_CR = FLASH_CR_LOCK;
    forget_old_content();
}
