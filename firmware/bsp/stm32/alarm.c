/* The alarm is a light of the board, on the pin that chip.h names. */
#include "bsp.h"
#include "chip.h"
#include "gpio.h"

void bsp_alarm(bool on) {
    ALARM_ENABLE |= ALARM_ENABLE_BIT;
    (void)ALARM_ENABLE; /* reading back waits until the clock runs */
    GPIO_BSRR(ALARM_PORT) = on ? 1U << ALARM_PIN : 1U << (ALARM_PIN + 16U);
    GPIO_MODER(ALARM_PORT) = (GPIO_MODER(ALARM_PORT) & ~(3U << (2U * ALARM_PIN))) | (1U << (2U * ALARM_PIN));
}
