/* See capture.h; sections are those of RM0385. */
#include "capture.h"

#include "chip.h"
#include "gpio.h"

/* UM1907: block A's master clock, bit clock and frame clock are on port I, block B's data is PG10. */
#define MCLK_PIN 4U
#define SCK_PIN 5U
#define FS_PIN 7U
#define DATA_PIN 10U
#define PINS_AF 10U

/* 5.3.25, 33.3.8: a VCO at 213 MHz / 13 / (2 * 2) is 256 * 16,000.6 Hz. The input is 1 MHz (clock.c). */
#define RCC_DCKCFGR1 REG32(0x4002388CU)
#define RCC_DCKCFGR1_PLLI2SDIVQ 0x1FU
#define RCC_DCKCFGR1_SAI2SEL (3U << 22)
#define RCC_DCKCFGR1_SAI2SEL_PLLI2S (1U << 22)
#define AUDIO_PLL_N 213U
#define AUDIO_PLL_Q 13U
#define AUDIO_PLL_R 2U /* of the clock for I2S, which is not used; 0 and 1 are wrong */
#define MCLK_DIVIDER 2U
#define MCLK_PER_FRAME 256U
#define VCO_PER_FRAME (AUDIO_PLL_Q * 2U * MCLK_DIVIDER * MCLK_PER_FRAME)
#define FRAME_HZ (AUDIO_PLL_N * 1000000U / VCO_PER_FRAME)
_Static_assert(FRAME_HZ >= 15984U && FRAME_HZ <= 16016U, "16 kHz, within 0.1 %");
const uint32_t capture_cycles_per_sample = CLOCK_CORE_HZ / 1000000U * VCO_PER_FRAME / AUDIO_PLL_N;

#define PATIENCE 100000U /* polls; the PLL locks within 0.3 ms (DS10916), a frame takes 63 us */

/* 33.5: registers of a block. */
#define SAI_A 0x40015C04U
#define SAI_B 0x40015C24U
#define SAI_CR1(block) REG32((block) + 0x00U)
#define SAI_CR1_MASTER_RECEIVES (1U << 0)
#define SAI_CR1_SLAVE_RECEIVES (3U << 0)
#define SAI_CR1_DATA_16 (4U << 5)
#define SAI_CR1_CKSTR (1U << 9) /* what goes out changes on falling edges, what comes in is taken on rising ones */
#define SAI_CR1_WITH_OTHER_BLOCK (1U << 10)
#define SAI_CR1_OUTDRIV (1U << 13)
#define SAI_CR1_SAIEN (1U << 16)
#define SAI_CR1_DMAEN (1U << 17)
#define SAI_CR1_MCKDIV(n) ((n) << 20)
#define SAI_CR2(block) REG32((block) + 0x04U)
#define SAI_CR2_FFLUSH (1U << 3) /* with threshold 0: a request for each sample */
#define SAI_FRCR(block) REG32((block) + 0x08U)
#define SAI_FRCR_FRL(bits) ((bits) - 1U)
#define SAI_FRCR_FSALL(bits) (((bits) - 1U) << 8)
#define SAI_FRCR_FSDEF (1U << 16) /* the frame clock says which channel it is: low for the left one ... */
#define SAI_FRCR_FSOFF (1U << 18) /* ... from one bit before its first bit on */
#define SAI_SLOTR(block) REG32((block) + 0x0CU)
#define SAI_SLOTR_NBSLOT(n) (((n) - 1U) << 8)
#define SAI_SLOTR_SLOTEN(slot) (1U << (16U + (slot)))
#define SAI_SR(block) REG32((block) + 0x14U)
#define SAI_SR_OVRUDR (1U << 0)
#define SAI_CLRFR(block) REG32((block) + 0x18U)
#define SAI_CLRFR_ALL 0x77U
#define SAI_DR(block) ((block) + 0x1CU)
#define FRAME_BITS 64U
#define SLOTS 4U

/* 8.3.3, table 27: stream 7 of DMA2 serves block B of SAI2 on its channel 0. */
#define DMA2 0x40026400U
#define DMA_HISR REG32(DMA2 + 0x04U)
#define DMA_HIFCR REG32(DMA2 + 0x0CU)
#define DMA_FLAGS_7 (0x3DU << 22)
#define DMA_S7CR REG32(DMA2 + 0xB8U)
#define DMA_CR_EN (1U << 0)
#define DMA_CR_TEIE (1U << 2)
#define DMA_CR_HTIE (1U << 3)
#define DMA_CR_TCIE (1U << 4)
#define DMA_CR_CIRC (1U << 8)
#define DMA_CR_MINC (1U << 10)
#define DMA_CR_HALFWORDS ((1U << 11) | (1U << 13))
#define DMA_CR_HIGH_PRIORITY (2U << 16)
#define DMA_CR_CHANNEL(n) ((n) << 25)
#define DMA_S7NDTR REG32(DMA2 + 0xBCU)
#define DMA_S7PAR REG32(DMA2 + 0xC0U)
#define DMA_S7M0AR REG32(DMA2 + 0xC4U)
#define DMA_S7FCR REG32(DMA2 + 0xCCU) /* 0: no FIFO, each sample goes to memory at once */
#define DMA_IRQ 70U

static uint32_t length; /* of the round, in samples */
static volatile uint32_t halves;

static void connect_pins(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOGEN | RCC_AHB1ENR_GPIOIEN | RCC_AHB1ENR_DMA2EN;
    RCC_APB2ENR |= RCC_APB2ENR_SAI2EN;
    (void)RCC_APB2ENR; /* the clocks are on two cycles later */
    gpio_connect(GPIOI, MCLK_PIN, PINS_AF);
    gpio_connect(GPIOI, SCK_PIN, PINS_AF);
    gpio_connect(GPIOI, FS_PIN, PINS_AF);
    gpio_connect(GPIOG, DATA_PIN, PINS_AF);
}

static bool start_pll(void)
{
    RCC_CR &= ~RCC_CR_PLLI2SON;
    RCC_PLLI2SCFGR = (AUDIO_PLL_N << 6) | (AUDIO_PLL_Q << 24) | (AUDIO_PLL_R << 28);
    RCC_DCKCFGR1 = (RCC_DCKCFGR1 & ~(RCC_DCKCFGR1_PLLI2SDIVQ | RCC_DCKCFGR1_SAI2SEL)) | RCC_DCKCFGR1_SAI2SEL_PLLI2S;
    RCC_CR |= RCC_CR_PLLI2SON;
    for (uint32_t i = 0; i < PATIENCE; i++) {
        if ((RCC_CR & RCC_CR_PLLI2SRDY) != 0U) {
            return true;
        }
    }
    return false;
}

/* 33.3.9: a block that is turned off ends its frame first. */
static void stop_block(uint32_t block)
{
    SAI_CR1(block) &= ~(SAI_CR1_SAIEN | SAI_CR1_DMAEN);
    for (uint32_t i = 0; i < PATIENCE && (SAI_CR1(block) & SAI_CR1_SAIEN) != 0U; i++) {
    }
}

/* The same frame for both blocks: I2S with two slots in each half. */
static void start_block(uint32_t block, uint32_t mode, uint32_t slot)
{
    SAI_CR1(block) = mode | SAI_CR1_DATA_16 | SAI_CR1_CKSTR;
    SAI_CR2(block) = SAI_CR2_FFLUSH;
    SAI_FRCR(block) =
        SAI_FRCR_FRL(FRAME_BITS) | SAI_FRCR_FSALL(FRAME_BITS / 2U) | SAI_FRCR_FSDEF | SAI_FRCR_FSOFF;
    SAI_SLOTR(block) = SAI_SLOTR_NBSLOT(SLOTS) | SAI_SLOTR_SLOTEN(slot);
    SAI_CLRFR(block) = SAI_CLRFR_ALL;
    SAI_CR1(block) |= SAI_CR1_SAIEN;
}

bool capture_clocks_start(void)
{
    connect_pins();
    stop_block(SAI_B);
    stop_block(SAI_A);
    if (!start_pll()) {
        return false;
    }
    /* Nobody takes what block A receives: it overruns, and goes on making clocks. */
    start_block(SAI_A, SAI_CR1_MASTER_RECEIVES | SAI_CR1_OUTDRIV | SAI_CR1_MCKDIV(MCLK_DIVIDER), 0U);
    return true;
}

/* 8.3.17: a stream that is turned off ends its transfer first. */
static void stop_stream(void)
{
    DMA_S7CR &= ~DMA_CR_EN;
    for (uint32_t i = 0; i < PATIENCE && (DMA_S7CR & DMA_CR_EN) != 0U; i++) {
    }
    DMA_HIFCR = DMA_FLAGS_7;
}

void capture_start(uint32_t slot, volatile int16_t *samples, uint32_t n)
{
    stop_block(SAI_B);
    stop_stream();
    length = n;
    DMA_S7PAR = SAI_DR(SAI_B);
    DMA_S7M0AR = (uint32_t)(uintptr_t)samples;
    DMA_S7NDTR = n;
    DMA_S7FCR = 0;
    DMA_S7CR = DMA_CR_CHANNEL(0U) | DMA_CR_HIGH_PRIORITY | DMA_CR_HALFWORDS | DMA_CR_MINC | DMA_CR_CIRC |
               DMA_CR_TEIE | DMA_CR_HTIE | DMA_CR_TCIE;
    DMA_S7CR |= DMA_CR_EN;
    interrupt_enable(DMA_IRQ);
    start_block(SAI_B, SAI_CR1_SLAVE_RECEIVES | SAI_CR1_WITH_OTHER_BLOCK | SAI_CR1_DMAEN, slot);
}

uint32_t capture_position(void) { return (length - DMA_S7NDTR) % length; }

uint32_t capture_halves(void) { return halves; }

bool capture_is_whole(void)
{
    return (DMA_S7CR & DMA_CR_EN) != 0U && (SAI_SR(SAI_B) & SAI_SR_OVRUDR) == 0U;
}

void DMA2_Stream7_IRQHandler(void);

/* It ends a sleep. How many samples have come stands in the stream's own counter. */
void DMA2_Stream7_IRQHandler(void)
{
    halves = halves + 1U;
    DMA_HIFCR = DMA_FLAGS_7;
    (void)DMA_HISR; /* the flags are down before this returns, or it would be called again */
}
