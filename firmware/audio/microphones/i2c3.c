/* See i2c3.h; sections are those of RM0385. */
#include "i2c3.h"

#include "chip.h"
#include "gpio.h"

#define SCL_PIN 7U
#define SDA_PIN 8U
#define PINS_AF 4U

#define I2C3 0x40005C00U
#define I2C_CR1 REG32(I2C3 + 0x00U)
#define I2C_CR1_PE (1U << 0)
#define I2C_CR2 REG32(I2C3 + 0x04U)
#define I2C_CR2_DEVICE(address) ((address) << 1)
#define I2C_CR2_READ (1U << 10)
#define I2C_CR2_START (1U << 13)
#define I2C_CR2_NBYTES(n) ((n) << 16)
#define I2C_CR2_AUTOEND (1U << 25) /* a stop condition follows the last byte */
#define I2C_TIMINGR REG32(I2C3 + 0x10U)
#define I2C_ISR REG32(I2C3 + 0x18U)
#define I2C_ISR_TXIS (1U << 1)
#define I2C_ISR_RXNE (1U << 2)
#define I2C_ISR_NACKF (1U << 4)
#define I2C_ISR_STOPF (1U << 5)
#define I2C_ISR_TC (1U << 6)
#define I2C_ISR_BERR (1U << 8)
#define I2C_ISR_ARLO (1U << 9)
#define I2C_ICR REG32(I2C3 + 0x1CU)
#define I2C_RXDR REG32(I2C3 + 0x24U)
#define I2C_TXDR REG32(I2C3 + 0x28U)

/* 30.4.9: the clock is that of APB1, 54 MHz, counted in steps of 1/9 us. Low for 5.3 us and high for 4.7 us, a
 * little less than 100 kHz; data is held for 0.2 us and stands for 1.3 us before the edge. */
#define STEPS_PER_US 9U
_Static_assert(CLOCK_CORE_HZ / APB1_DIVIDER == 54000000U, "the timing is for this clock");
#define TIMING_PRESC (54U / STEPS_PER_US - 1U)
#define TIMING_SCLDEL 11U
#define TIMING_SDADEL 2U
#define TIMING_SCLH (42U - 1U)
#define TIMING_SCLL (48U - 1U)

#define PATIENCE 20000U /* polls; a byte takes 90 us, a poll some 40 ns */

void i2c3_start(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOHEN;
    RCC_APB1ENR |= RCC_APB1ENR_I2C3EN;
    (void)RCC_APB1ENR; /* the clocks are on two cycles later */
    GPIO_OTYPER(GPIOH) |= (1U << SCL_PIN) | (1U << SDA_PIN); /* open drain */
    gpio_connect(GPIOH, SCL_PIN, PINS_AF);
    gpio_connect(GPIOH, SDA_PIN, PINS_AF);
    I2C_CR1 = 0;
    I2C_TIMINGR = (TIMING_PRESC << 28) | (TIMING_SCLDEL << 20) | (TIMING_SDADEL << 16) | (TIMING_SCLH << 8) |
                  TIMING_SCLL;
    I2C_CR1 = I2C_CR1_PE;
}

/* Wait for a flag; false if the device refuses, the bus fails, or too much time passes. */
static bool wait_for(uint32_t flag)
{
    for (uint32_t i = 0; i < PATIENCE; i++) {
        const uint32_t status = I2C_ISR;
        if ((status & flag) != 0U) {
            return true;
        }
        if ((status & (I2C_ISR_NACKF | I2C_ISR_BERR | I2C_ISR_ARLO)) != 0U) {
            return false;
        }
    }
    return false;
}

/* Forget a transfer, whatever became of it: 30.4.6, software reset. PE has to stay low for three clocks of APB1,
 * which reading it back takes. */
static bool finish(bool done)
{
    if (!done) {
        I2C_CR1 = 0;
        (void)I2C_CR1;
        (void)I2C_CR1;
        I2C_CR1 = I2C_CR1_PE;
    }
    I2C_ICR = I2C_ISR_STOPF | I2C_ISR_NACKF;
    return done;
}

static bool send(uint32_t value)
{
    if (!wait_for(I2C_ISR_TXIS)) {
        return false;
    }
    I2C_TXDR = value & 0xFFU;
    return true;
}

static bool send16(uint16_t value) { return send((uint32_t)value >> 8) && send(value); }

static bool receive(uint32_t *value)
{
    if (!wait_for(I2C_ISR_RXNE)) {
        return false;
    }
    *value = (*value << 8) | (I2C_RXDR & 0xFFU);
    return true;
}

bool i2c3_write(uint32_t device, uint16_t address, uint16_t value)
{
    I2C_CR2 = I2C_CR2_DEVICE(device) | I2C_CR2_NBYTES(4U) | I2C_CR2_AUTOEND | I2C_CR2_START;
    return finish(send16(address) && send16(value) && wait_for(I2C_ISR_STOPF));
}

bool i2c3_read(uint32_t device, uint16_t address, uint16_t *value)
{
    uint32_t got = 0;
    I2C_CR2 = I2C_CR2_DEVICE(device) | I2C_CR2_NBYTES(2U) | I2C_CR2_START;
    if (!(send16(address) && wait_for(I2C_ISR_TC))) {
        return finish(false);
    }
    I2C_CR2 = I2C_CR2_DEVICE(device) | I2C_CR2_READ | I2C_CR2_NBYTES(2U) | I2C_CR2_AUTOEND | I2C_CR2_START;
    const bool done = receive(&got) && receive(&got) && wait_for(I2C_ISR_STOPF);
    *value = (uint16_t)got;
    return finish(done);
}
