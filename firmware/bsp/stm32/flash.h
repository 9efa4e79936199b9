/** @file
 * The flash of an STM32, as far as one page of it is written; chip.h says which (PAGE_BASE).
 */
#ifndef FLASH_H
#define FLASH_H

#include <stddef.h>
#include <stdint.h>

/** Erase the page and write n bytes, a multiple of 8 at a multiple of 4; forget what caches know of it. */
void flash_replace_page(const uint8_t *data, size_t n);

#endif
