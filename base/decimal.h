/* decimal.h - integers as decimal text, in the one form that the protocol, values and parameters share.
 *
 * Process: any. Locks: none. Format: as Redis's string2ll takes it (util.c of Redis 7.0).
 */
#ifndef KVSTASH_BASE_DECIMAL_H
#define KVSTASH_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if the bytes are such a number: optional '-', no '+', no leading zeros, no "-0", no blanks, within 64 bits. Else *number
 * is left alone. */
bool decimal_read_short(const char *bytes, size_t n, int64_t *number); /* of at most DECIMAL_CHARS_MAX bytes */
#define DECIMAL_CHARS_MAX 20u /* of -9223372036854775808 */
static inline bool
decimal_read(const char *bytes, size_t n, int64_t *number)
{
    return n <= DECIMAL_CHARS_MAX && decimal_read_short(bytes, n, number);
}

#define DECIMAL_DIGITS 24u /* room for any int64 */
/* The digits of a number; returns how many (no NUL). */
size_t decimal_write(int64_t number, char digits[DECIMAL_DIGITS]);

#endif
