/* What a host that only handles bytes does not have. */
#include "bsp.h"

void bsp_alarm(bool on) { (void)on; }

bool bsp_watchdog_start(void) { return false; }

void bsp_watchdog_kick(void) {}

const uint8_t *bsp_page(void) { return NULL; }

bool bsp_page_write(const uint8_t *data, size_t n) {
    (void)data;
    (void)n;
    return false;
}
