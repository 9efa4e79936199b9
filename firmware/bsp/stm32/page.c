/* A page of flash that outlasts a restart, if the program leaves it alone. */
#include "bsp.h"
#include "chip.h"
#include "fill_memory.h"
#include "flash.h"

/* Behind the tables of start-up code a program has in flash only what they say that is copied. The entry of an empty
 * section says nothing: linkers differ in where it would be. */
static bool is_free(void) {
    if ((uintptr_t)on_zero_table_end > PAGE_BASE) {
        return false;
    }
    for (const copy_entry_t *c = on_copy_table; c < on_copy_table_end; c++) {
        const uint32_t size = c->end - c->to;
        if (size > 0U && c->from + size > PAGE_BASE) {
            return false;
        }
    }
    return true;
}

const uint8_t *bsp_page(void) { return is_free() ? (const uint8_t *)PAGE_BASE : NULL; }

static bool is_there(const uint8_t *data, size_t n) {
    const volatile uint8_t *page = (const volatile uint8_t *)PAGE_BASE;
    for (size_t i = 0; i < n; i++) {
        if (page[i] != data[i]) {
            return false;
        }
    }
    return true;
}

bool bsp_page_write(const uint8_t *data, size_t n) {
    if (!is_free() || n > BSP_PAGE_SIZE) {
        return false;
    }
    flash_replace_page(data, n);
    return is_there(data, n);
}
