/* The four kinds of work that CoreMark mixes. It is not CoreMark: other code, other data, other proportions. */
#include <stddef.h>

#include "anchors.h"

#define ROUNDS 20U

static uint32_t state;

void anchor_seed(uint32_t seed) { state = seed; }

uint32_t anchor_random(void) {
    state = state * 1664525U + 1013904223U;
    return state >> 16;
}

/* ---- list --------------------------------------------------------------------------- */

#define NODES 100U

typedef struct node {
    struct node *next;
    uint16_t value;
    uint16_t number;
} node_t;

static node_t *reversed(node_t *list) {
    node_t *done = NULL;
    while (list != NULL) {
        node_t *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static const node_t *found(const node_t *list, uint16_t value) {
    while (list != NULL && list->value != value) {
        list = list->next;
    }
    return list;
}

static node_t *merged(node_t *a, node_t *b) {
    node_t head = {NULL, 0, 0};
    node_t *last = &head;
    while (a != NULL && b != NULL) {
        node_t **first = a->value <= b->value ? &a : &b;
        last->next = *first;
        last = *first;
        *first = last->next;
    }
    last->next = a != NULL ? a : b;
    return head.next;
}

static node_t *sorted(node_t *list, uint32_t n) {
    if (n < 2U) {
        return list;
    }
    node_t *middle = list;
    for (uint32_t i = 1; i < n / 2U; i++) {
        middle = middle->next;
    }
    node_t *rest = middle->next;
    middle->next = NULL;
    return merged(sorted(list, n / 2U), sorted(rest, n - n / 2U));
}

uint32_t anchor_list(void) {
    static node_t nodes[NODES];
    uint32_t result = 0;
    anchor_seed(1);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < NODES; i++) {
            nodes[i] = (node_t){i + 1U < NODES ? &nodes[i + 1U] : NULL, (uint16_t)(anchor_random() % 1000U), (uint16_t)i};
        }
        node_t *list = nodes;
        for (uint32_t i = 0; i < 20U; i++) {
            const node_t *it = found(list, (uint16_t)(anchor_random() % 1000U));
            result += it != NULL ? it->number : 1U;
            list = reversed(list);
        }
        uint32_t place = 0;
        for (const node_t *it = sorted(list, NODES); it != NULL; it = it->next) {
            result += ++place * it->value;
        }
    }
    return result;
}

/* ---- matrix ------------------------------------------------------------------------- */

#define SIDE 9U

uint32_t anchor_matrix(void) {
    static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
    static int32_t c[SIDE][SIDE];
    uint32_t result = 0;
    anchor_seed(2);
    for (uint32_t round = 0; round < 2U * ROUNDS; round++) {
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            a[i / SIDE][i % SIDE] = (int16_t)(anchor_random() % 256U);
            b[i / SIDE][i % SIDE] = (int16_t)((int32_t)(anchor_random() % 256U) - 128);
        }
        for (uint32_t i = 0; i < SIDE; i++) {
            for (uint32_t j = 0; j < SIDE; j++) {
                int32_t sum = 0;
                for (uint32_t k = 0; k < SIDE; k++) {
                    sum += a[i][k] * b[k][j];
                }
                c[i][j] = sum;
            }
        }
        for (uint32_t i = 0; i < SIDE; i++) {
            for (uint32_t j = 0; j < SIDE; j++) {
                result = result * 31U + (uint32_t)c[i][j];
            }
        }
    }
    return result;
}

/* ---- states ------------------------------------------------------------------------- */

#define TEXT 600U

typedef enum { START, SIGN, WHOLE, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, NONSENSE, STATES } number_state_t;

static number_state_t after(number_state_t now, char c) {
    const int digit = c >= '0' && c <= '9';
    switch (now) {
    case START:
        return digit ? WHOLE : (c == '+' || c == '-') ? SIGN : c == '.' ? POINT : NONSENSE;
    case SIGN:
        return digit ? WHOLE : c == '.' ? POINT : NONSENSE;
    case WHOLE:
        return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : NONSENSE;
    case POINT:
        return digit ? FRACTION : NONSENSE;
    case FRACTION:
        return digit ? FRACTION : c == 'e' ? EXPONENT : NONSENSE;
    case EXPONENT:
        return digit ? POWER : (c == '+' || c == '-') ? EXPONENT_SIGN : NONSENSE;
    case EXPONENT_SIGN:
    case POWER:
        return digit ? POWER : NONSENSE;
    default:
        return NONSENSE;
    }
}

uint32_t anchor_states(void) {
    static const char alphabet[] = "0123456789012345678901234567890123456789++--...eee,,,,,,,,,,xyz";
    static char text[TEXT];
    static uint32_t counts[STATES];
    uint32_t result = 0;
    anchor_seed(3);
    for (uint32_t i = 0; i < STATES; i++) {
        counts[i] = 0;
    }
    for (uint32_t i = 0; i < TEXT; i++) {
        text[i] = alphabet[anchor_random() % (sizeof alphabet - 1U)];
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        number_state_t now = START;
        for (uint32_t i = 0; i < TEXT; i++) {
            if (text[i] == ',') {
                counts[now]++;
                now = START;
            } else if (now != NONSENSE) {
                now = after(now, text[i]);
            }
        }
        text[round] = ','; /* the next round differs */
    }
    for (uint32_t i = 0; i < STATES; i++) {
        result = result * 31U + counts[i];
    }
    return result;
}

/* ---- CRC ---------------------------------------------------------------------------- */

uint16_t anchor_crc16(const void *data, uint32_t n, uint16_t crc) {
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = crc ^ (uint32_t)bytes[i];
        for (uint32_t bit = 0; bit < 8U; bit++) {
            value = (value & 1U) != 0U ? value >> 1 ^ 0xA001U : value >> 1;
        }
        crc = (uint16_t)value;
    }
    return crc;
}

uint32_t anchor_crc(void) {
    static uint8_t data[500];
    anchor_seed(4);
    for (uint32_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)anchor_random();
    }
    uint16_t crc = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        crc = anchor_crc16(data, sizeof data, crc);
    }
    return crc;
}
