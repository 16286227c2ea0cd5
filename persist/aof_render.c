/* aof_render.c - effects as commands (see aof_render.h). Some 30 ns for a SET: room is asked for once an argument, numbers are
 * written by hand. */
#include "persist/aof_render.h"

#include <string.h>

#include "base/xassert.h"

#define HEAD_MAX 24u /* bytes of "$4294967295\r\n" and of the end behind the argument */

static char *
put_number(char *to, uint32_t v)
{
    char digits[10], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    size_t n = (size_t)(digits + sizeof digits - p);
    memcpy(to, p, n);
    return to + n;
}

static char *
put_head(char *to, char kind, uint32_t v)
{
    *to++ = kind;
    to = put_number(to, v);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

/* Appends "$n\r\nbytes\r\n". */
static void
put_bulk(struct buf *out, const char *bytes, uint32_t n)
{
    if (!buf_reserve(out, (size_t)n + HEAD_MAX))
        return;
    char *to = put_head(out->data + out->len, '$', n);
    memcpy(to, bytes, n);
    to[n] = '\r';
    to[n + 1] = '\n';
    out->len = (size_t)(to + n + 2 - out->data);
}

static void
put_array(struct buf *out, uint32_t n)
{
    if (buf_reserve(out, HEAD_MAX))
        out->len = (size_t)(put_head(out->data + out->len, '*', n) - out->data);
}

static void
select_db(struct buf *out, uint32_t db)
{
    char text[12];
    put_array(out, 2);
    put_bulk(out, "SELECT", 6);
    put_bulk(out, text, (uint32_t)(put_number(text, db) - text));
}

static uint32_t
take_u32(const char **p, const char *end)
{
    uint32_t v;
    xassert((size_t)(end - *p) >= sizeof v);
    memcpy(&v, *p, sizeof v);
    *p += sizeof v;
    return v;
}

void
aof_render(struct buf *out, const char *payload, size_t n, unsigned effects, int64_t *db)
{
    const char *p = payload, *end = payload + n;
    for (unsigned e = 0; e < effects; e++) {
        uint32_t in = take_u32(&p, end), argc = take_u32(&p, end);
        if (*db != in)
            select_db(out, in);
        *db = in;
        if (e == 0 && effects > 1)
            buf_append_str(out, "*1\r\n$5\r\nMULTI\r\n");
        put_array(out, argc);
        for (uint32_t i = 0; i < argc; i++) {
            uint32_t len = take_u32(&p, end);
            xassert((size_t)(end - p) >= len);
            put_bulk(out, p, len);
            p += len;
        }
    }
    xassert(p == end);
    if (effects > 1)
        buf_append_str(out, "*1\r\n$4\r\nEXEC\r\n");
}
