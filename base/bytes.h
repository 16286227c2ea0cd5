/* bytes.h - comparing short strings of bytes in place.
 *
 * memcmp costs a call, which for a key of 16 bytes is most of the comparison, and it also tells which is the greater, which nobody
 * asks. Two loads from each side, which overlap, cover any length up to twice their own without a loop.
 *
 * Process: any. Fails: never.
 */
#ifndef KVSTASH_BASE_BYTES_H
#define KVSTASH_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
bytes_load8(const char *s)
{
    uint64_t v;
    memcpy(&v, s, sizeof v);
    return v;
}
static inline uint32_t
bytes_load4(const char *s)
{
    uint32_t v;
    memcpy(&v, s, sizeof v);
    return v;
}

/* Are n bytes at a and at b the same? */
static inline bool
bytes_equal(const char *a, const char *b, size_t n)
{
    if (n > 16)
        return memcmp(a, b, n) == 0;
    if (n >= 8)
        return bytes_load8(a) == bytes_load8(b) && bytes_load8(a + n - 8) == bytes_load8(b + n - 8);
    if (n >= 4)
        return bytes_load4(a) == bytes_load4(b) && bytes_load4(a + n - 4) == bytes_load4(b + n - 4);
    while (n > 0 && a[n - 1] == b[n - 1])
        n--;
    return n == 0;
}

#endif
