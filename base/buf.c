/* buf.c - the growable byte buffer (see buf.h). Grows by doubling; a failure is kept until buf_clear. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"

#define FIRST_CAP 256u

void
buf_init(struct buf *b)
{
    memset(b, 0, sizeof *b);
}

void
buf_destroy(struct buf *b)
{
    free(b->data);
    buf_init(b);
}

void
buf_clear(struct buf *b, size_t keep_cap)
{
    b->off = b->len = 0;
    b->failed = false;
    if (b->cap > keep_cap)
        buf_destroy(b);
}

bool
buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return false;
    if (n <= b->cap - b->len)
        return true;
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap - b->len < n && cap <= SIZE_MAX / 2)
        cap *= 2;
    char *more = cap - b->len < n ? NULL : realloc(b->data, cap);
    if (!more) {
        b->failed = true;
        return false;
    }
    b->data = more;
    b->cap = cap;
    return true;
}

void
buf_append(struct buf *b, const void *bytes, size_t n)
{
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
}

void
buf_append_str(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void
buf_vprintf(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    xassert(n >= 0);
    if (!buf_reserve(b, (size_t)n + 1))
        return;
    vsnprintf(b->data + b->len, (size_t)n + 1, format, ap);
    b->len += (size_t)n;
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vprintf(b, format, ap);
    va_end(ap);
}

void
buf_consume(struct buf *b, size_t n)
{
    xassert(n <= buf_pending(b));
    b->off += n;
    if (b->off == b->len)
        b->off = b->len = 0;
}

void
buf_truncate(struct buf *b, size_t len)
{
    xassert(len >= b->off && len <= b->len);
    b->len = len;
}
