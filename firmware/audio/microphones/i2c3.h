/** @file
 * I2C3 of the STM32F746 as a master, for devices with registers of 16 bits at addresses of 16 bits: RM0385 30.
 *
 * On the DISCO-F746NG it is the bus of the audio codec and of the touch screen: PH7 (SCL), PH8 (SDA), pulled up on
 * the board (UM1907). Nothing here waits for ever.
 */
#ifndef I2C3_H
#define I2C3_H

#include <stdbool.h>
#include <stdint.h>

/** Connect the pins and set 100 kHz. */
void i2c3_start(void);

/** Write a register of the device with this address of 7 bits; false if it does not take it. */
bool i2c3_write(uint32_t device, uint16_t address, uint16_t value);

/** Read a register; false if the device does not answer. */
bool i2c3_read(uint32_t device, uint16_t address, uint16_t *value);

#endif
