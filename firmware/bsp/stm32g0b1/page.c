/* No page yet: the calibration of this board lives in RAM. */
#include "bsp.h"

const uint8_t *bsp_page(void) { return NULL; }

bool bsp_page_write(const uint8_t *data, size_t n) {
    (void)data;
    (void)n;
    return false;
}
