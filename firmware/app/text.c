/* See text.h. */
#include "text.h"

#include "bsp.h"

#define END 2U /* "}\n" always has room */

static void put(text_line_t *line, char character)
{
    if (line->length < TEXT_MAX - END) {
        line->characters[line->length++] = character;
    }
}

static void put_text(text_line_t *line, const char *text)
{
    while (*text != '\0') {
        put(line, *text++);
    }
}

/* A processor that divides 64 bits needs a library for it: subtract powers of ten instead. */
static const uint64_t powers[] = {
    UINT64_C(10000000000000000000), UINT64_C(1000000000000000000), UINT64_C(100000000000000000),
    UINT64_C(10000000000000000),    UINT64_C(1000000000000000),    UINT64_C(100000000000000),
    UINT64_C(10000000000000),       UINT64_C(1000000000000),       UINT64_C(100000000000),
    UINT64_C(10000000000),          UINT64_C(1000000000),          UINT64_C(100000000),
    UINT64_C(10000000),             UINT64_C(1000000),             UINT64_C(100000),
    UINT64_C(10000),                UINT64_C(1000),                UINT64_C(100),
    UINT64_C(10),                   UINT64_C(1)};
#define DIGITS (sizeof powers / sizeof powers[0])

static void put_decimal(text_line_t *line, uint64_t value)
{
    uint32_t first = 0;
    while (first < DIGITS - 1U && value < powers[first]) {
        first++;
    }
    for (uint32_t i = first; i < DIGITS; i++) {
        char digit = '0';
        for (; value >= powers[i]; digit++) {
            value -= powers[i];
        }
        put(line, digit);
    }
}

static void put_name(text_line_t *line, const char *name)
{
    if (line->length > 1U) {
        put(line, ',');
    }
    put(line, '"');
    put_text(line, name);
    put_text(line, "\":");
}

void text_begin(text_line_t *line)
{
    line->length = 0;
    put(line, '{');
}

void text_number(text_line_t *line, const char *name, uint64_t value)
{
    put_name(line, name);
    put_decimal(line, value);
}

void text_word(text_line_t *line, const char *name, const char *word)
{
    put_name(line, name);
    put(line, '"');
    put_text(line, word);
    put(line, '"');
}

void text_send(text_line_t *line)
{
    line->characters[line->length++] = '}';
    line->characters[line->length++] = '\n';
    bsp_write((const uint8_t *)line->characters, line->length);
}
