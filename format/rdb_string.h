/* rdb_string.h - a string as RDB holds it: bytes, or a number that stands for its decimal digits. */
#ifndef KVSTASH_FORMAT_RDB_STRING_H
#define KVSTASH_FORMAT_RDB_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/decimal.h"

/* bytes is NULL if it is a number, whose text is in digits. Always read through rdb_string_bytes. */
struct rdb_string {
    const char *bytes;
    size_t len;
    int64_t number; /* if bytes is NULL */
    char digits[DECIMAL_DIGITS];
};

static inline const char *
rdb_string_bytes(const struct rdb_string *s)
{
    return s->bytes ? s->bytes : s->digits;
}

static inline void
rdb_string_set(struct rdb_string *s, const void *bytes, size_t n)
{
    s->bytes = (const char *)bytes;
    s->len = n;
}

static inline void
rdb_string_set_int(struct rdb_string *s, int64_t number)
{
    s->bytes = NULL;
    s->number = number;
    s->len = decimal_write(number, s->digits);
}

/* The string as an integer; false: it is none, or not in the one form that Redis gives it. */
static inline bool
rdb_string_int(const struct rdb_string *s, int64_t *number)
{
    if (s->bytes)
        return decimal_read(s->bytes, s->len, number);
    *number = s->number;
    return true;
}

#endif
