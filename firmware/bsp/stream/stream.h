/** @file
 * What a BSP provides when its host hands over bytes in blocks; stream.c makes bsp_receive() and
 * bsp_write() of it. Few large blocks: in an emulator each call of the host is dear.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <stdint.h>

/** Wait for bytes and store at most n; how many, or 0 when the host has hung up. */
size_t stream_receive(uint8_t *data, size_t n);

/** Send at most n bytes; how many were taken, or 0 when the host has hung up. */
size_t stream_send(const uint8_t *data, size_t n);

/** Send what bsp_write() still holds back; to be called before the program ends. */
void stream_flush(void);

#endif
