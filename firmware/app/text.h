/** @file
 * One line of JSON: numbers and words, without a libc.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

#define TEXT_MAX 320U /**< characters of a line; more are cut off */

/** A line that is being written. */
typedef struct {
    uint32_t length;
    char characters[TEXT_MAX];
} text_line_t;

/** Begin an object. */
void text_begin(text_line_t *line);

/** Add "name":value. */
void text_number(text_line_t *line, const char *name, uint64_t value);

/** Add "name":"word"; the word is not escaped. */
void text_word(text_line_t *line, const char *name, const char *word);

/** End the object, and send it with a line feed. */
void text_send(text_line_t *line);

#endif
