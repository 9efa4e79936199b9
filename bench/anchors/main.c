/* Does the work that a byte names, and answers with four bytes that depend on all of it. */
#include "anchors.h"
#include "bsp.h"

static uint32_t (*const works[])(void) = {
    anchor_list, anchor_matrix, anchor_states, anchor_crc, anchor_convolutions,
};

int main(void) {
    for (;;) {
        uint8_t number = 0;
        if (bsp_receive(&number, 1) == 1 && number < sizeof works / sizeof works[0]) {
            const uint32_t result = works[number]();
            bsp_write((const uint8_t *)&result, sizeof result);
        }
    }
}
