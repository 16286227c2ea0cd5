/* json.h - text as JSON strings.
 *
 * Valid UTF-8 stays as it is; other bytes become \u00XX, so that any bytes give valid JSON (a reader that wants them back takes
 * the code points as bytes). Process: the programs of cli/. Fails: memory is the buffer's sticky flag. Format: RFC 8259.
 */
#ifndef KVSTASH_CLI_JSON_H
#define KVSTASH_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* How many bytes the UTF-8 character at the front has; 0 if there is none (overlong, surrogate, beyond 10ffff, cut off). n > 0. */
size_t json_utf8_length(const char *bytes, size_t n);
/* Appends the quoted string. */
void json_string(struct buf *to, const char *bytes, size_t len);
/* Are the bytes whole UTF-8, so that json_string loses nothing? */
bool json_is_text(const char *bytes, size_t len);
/* Appends a number: JSON knows neither infinities nor nan, they become strings. */
void json_number(struct buf *to, double number);

#endif
