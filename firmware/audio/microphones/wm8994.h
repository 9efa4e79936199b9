/** @file
 * The audio codec of the DISCO-F746NG, a Wolfson (Cirrus Logic) WM8994, as far as its digital microphones need it.
 *
 * It is a slave on its audio interface AIF1: frames of four slots of 16 bits in I2S format, at 16 kHz, with a master
 * clock of 256 times that. The microphones are DMIC2; the left one is in slot 1, the right one in slot 3.
 */
#ifndef WM8994_H
#define WM8994_H

/** Left microphone: number of its slot in a frame. */
#define WM8994_SLOT_LEFT 1U

/** Set it up, on I2C3; its master clock has to run. What is wrong, or NULL. It takes 60 ms. */
const char *wm8994_start(void);

#endif
