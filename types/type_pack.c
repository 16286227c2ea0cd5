/* type_pack.c - pairs in plain memory (see type_pack.h). Fails: never; sizes are the caller's promise, except in check. */
#include "types/type_pack.h"

#include <string.h>

#include "base/bytes.h"

#define LONG_MARK 255u

static size_t
length_bytes(size_t n)
{
    return n < LONG_MARK ? 1 : 5;
}

static const uint8_t *
length_read(const uint8_t *p, size_t *n)
{
    uint32_t v;
    if (*p < LONG_MARK) {
        *n = *p;
        return p + 1;
    }
    memcpy(&v, p + 1, sizeof v);
    *n = v;
    return p + 5;
}

static uint8_t *
length_write(uint8_t *p, size_t n)
{
    uint32_t v = (uint32_t)n;
    if (n < LONG_MARK) {
        *p = (uint8_t)n;
        return p + 1;
    }
    *p = LONG_MARK;
    memcpy(p + 1, &v, sizeof v);
    return p + 5;
}

size_t
type_pack_size(size_t flen, size_t vlen)
{
    return length_bytes(flen) + flen + length_bytes(vlen) + vlen;
}

void
type_pack_read(const uint8_t *p, struct type_pair *pair)
{
    const uint8_t *at = length_read(p, &pair->flen);
    pair->field = (const char *)at;
    at = length_read(at + pair->flen, &pair->vlen);
    pair->value = (const char *)at;
    pair->size = (size_t)(at - p) + pair->vlen;
}

static bool
string_check(const uint8_t *p, size_t n, size_t *taken)
{
    size_t len;
    if (n < 1 || (*p == LONG_MARK && n < 5))
        return false;
    size_t head = (size_t)(length_read(p, &len) - p);
    *taken = head + len;
    return len <= n - head;
}

bool
type_pack_check(const uint8_t *p, size_t n, struct type_pair *pair)
{
    size_t field, value;
    if (!string_check(p, n, &field) || !string_check(p + field, n - field, &value))
        return false;
    type_pack_read(p, pair);
    return true;
}

size_t
type_pack_write(uint8_t *to, const struct type_pair *pair)
{
    uint8_t *p = length_write(to, pair->flen);
    memcpy(p, pair->field, pair->flen);
    p = length_write(p + pair->flen, pair->vlen);
    memcpy(p, pair->value, pair->vlen);
    return (size_t)(p - to) + pair->vlen;
}

size_t
type_pack_find(const uint8_t *pairs, size_t used, const char *field, size_t flen, struct type_pair *pair)
{
    size_t at = 0;
    while (at < used) {
        type_pack_read(pairs + at, pair);
        if (pair->flen == flen && bytes_equal(pair->field, field, flen))
            break;
        at += pair->size;
    }
    return at;
}

size_t
type_pack_compose(uint8_t *to, const uint8_t *pairs, size_t used, size_t at, size_t old_size, const struct type_pair *pair)
{
    memcpy(to, pairs, at);
    size_t n = at + (pair ? type_pack_write(to + at, pair) : 0);
    memcpy(to + n, pairs + at + old_size, used - at - old_size);
    return n + used - at - old_size;
}

size_t
type_pack_edit(uint8_t *pairs, size_t used, size_t at, size_t old_size, const struct type_pair *pair)
{
    size_t new_size = pair ? type_pack_size(pair->flen, pair->vlen) : 0;
    memmove(pairs + at + new_size, pairs + at + old_size, used - at - old_size);
    if (pair)
        type_pack_write(pairs + at, pair);
    return used - old_size + new_size;
}
