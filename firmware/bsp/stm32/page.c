/* A page of flash that outlasts a restart, if the program leaves it alone. */
#include "bsp.h"
#include "chip.h"
#include "flash.h"

/* The start-up code's table of what it copies: the last thing a program has in flash. */
typedef struct {
    const uint8_t *from;
    const uint8_t *to;
    const uint8_t *end;
} copy_entry_t;
extern const copy_entry_t on_copy_table[];
extern const copy_entry_t on_copy_table_end[];

static bool is_free(void) {
    for (const copy_entry_t *c = on_copy_table; c < on_copy_table_end; c++) {
        if ((uintptr_t)c->from + (uintptr_t)(c->end - c->to) > PAGE_BASE) {
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
