/* See wm8994.h. Registers are those of the WM8994's data sheet, rev. 4.6; the corrections and the wait for VMID are
 * what ST's driver for this board has. */
#include "wm8994.h"

#include <stddef.h>
#include <stdint.h>

#include "chip.h"
#include "i2c3.h"

#define DEVICE 0x1AU
#define RESET 0x0000U /* reads the identifier; any write resets */
#define IDENTIFIER 0x8994U
#define DELAY 0xFFFFU /* not a register: wait for so many ms */

typedef struct {
    uint16_t address;
    uint16_t value;
} setting_t;

/* In this order. What is not here keeps its value after reset: no output, no compressor, no automatic gain. */
static const setting_t settings[] = {
    {RESET, 0x0000},
    /* Corrections of the chip that the data sheet does not have: open, correct, close. */
    {0x0102, 0x0003},
    {0x0817, 0x0000},
    {0x0102, 0x0000},
    /* Anti-pop 2: VMID rises softly (fast, 11), its buffer and the start-up bias are on. */
    {0x0039, 0x006C},
    /* Power 1: MICBIAS1, which feeds the microphones; VMID from 2 x 40 kOhm; bias. VMID needs 50 ms. */
    {0x0001, 0x0013},
    {DELAY, 50},
    /* Power 4: AIF1ADC2 and DMIC2, left and right. */
    {0x0004, 0x0C30},
    /* AIF1ADC2 hears DMIC2: mixers left and right. */
    {0x0608, 0x0002},
    {0x0609, 0x0002},
    /* AIF1 rate: 16 kHz (3), master clock / rate = 256 (3). */
    {0x0210, 0x0033},
    /* AIF1 control 1: right data from the right channel, words of 16 bits, I2S. */
    {0x0300, 0x4010},
    /* AIF1: a slave. */
    {0x0302, 0x0000},
    /* Clocking 1: the clock of AIF1's and of the mixers' signal processing, from AIF1's clock. */
    {0x0208, 0x000A},
    /* AIF1 clocking 1: its clock is MCLK1, on. */
    {0x0200, 0x0001},
    /* Oversampling by 128: the microphones' clock is 2.048 MHz. */
    {0x0620, 0x0002},
    /* AIF1ADC2 filters: high pass left and right, its hi-fi mode, 1.3 Hz at this rate: no offset, all of the hum. */
    {0x0411, 0x1800},
    /* Gain of AIF1ADC2: 0xC0 is 0 dB, a step 0.375 dB. 12 dB lift the noise of an MP34DT01 microphone (61 dB below
     * 94 dB SPL, which is -26 dBFS) to some 6 steps of 16 bits, and clip at 108 dB SPL. Bit 8 sets both at once. */
    {0x0404, 0x00E0},
    {0x0405, 0x01E0},
};

/* At least so long: eight instructions take four cycles or more, for the core begins two at once at most. */
static void delay_ms(uint32_t ms)
{
    for (uint32_t left = ms * (CLOCK_CORE_HZ / 1000U / 4U); left > 0U; left--) {
        __asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop");
    }
}

const char *wm8994_start(void)
{
    uint16_t identifier = 0;
    i2c3_start();
    if (!i2c3_read(DEVICE, RESET, &identifier)) {
        return "no codec: nothing answers at 0x1A on I2C3";
    }
    if (identifier != IDENTIFIER) {
        return "no codec: what answers at 0x1A on I2C3 is not a WM8994";
    }
    for (const setting_t *s = settings; s < settings + sizeof settings / sizeof settings[0]; s++) {
        if (s->address == DELAY) {
            delay_ms(s->value);
        } else if (!i2c3_write(DEVICE, s->address, s->value)) {
            return "the codec did not take a setting";
        }
    }
    return NULL;
}
