/* resp_write.c - typed replies, written into a struct buf as RESP2 or RESP3.
 *
 * What is short and frequent is inline in the header; here is what is long, rare or depends on the
 * version. Process: any; one thread. Locks: none. Fails: short memory sets the buffer's sticky flag, and
 * the reply's remaining bytes go nowhere.
 */
#include "resp/resp_write.h"

#include <math.h>
#include <stdio.h>

#include "base/xassert.h"

#define DIGITS_MAX 20u    /* of a 64-bit number */
#define DOUBLE_TEXT_MAX 32 /* "%.17g" writes 24 bytes at most */

/* Decimal digits of v at p; returns the end. */
static char *
write_digits(char *p, uint64_t v)
{
    char digits[DIGITS_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *
write_int(char *p, int64_t value)
{
    if (value >= 0)
        return write_digits(p, (uint64_t)value);
    *p++ = '-';
    return write_digits(p, 0 - (uint64_t)value);
}

char *
resp_write_number(char *p, char type, int64_t number)
{
    *p++ = type;
    p = write_int(p, number);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

/* ---- plain -------------------------------------------------------------------------------------- */

static void
line(struct resp_out *out, char type, const char *text, size_t len)
{
    char *p = resp_out_room(out, len + 3);
    if (p == NULL)
        return;
    *p++ = type;
    memcpy(p, text, len);
    memcpy(p + len, "\r\n", 2);
    out->buf->len += len + 3;
}

void
resp_out_simple(struct resp_out *out, const char *text)
{
    line(out, '+', text, strlen(text));
}

static bool
is_eol(char c)
{
    return c == '\r' || c == '\n';
}

void
resp_out_error_bytes(struct resp_out *out, const char *text, size_t len)
{
    while (len > 0 && is_eol(text[len - 1]))
        len--;
    while (len > 0 && is_eol(text[0])) {
        text++;
        len--;
    }
    line(out, '-', text, len);
    if (buf_failed(out->buf))
        return;
    char *copy = out->buf->data + out->buf->len - 2 - len;
    for (size_t i = 0; i < len; i++)
        if (is_eol(copy[i]))
            copy[i] = ' ';
}

void
resp_out_error(struct resp_out *out, const char *text)
{
    resp_out_error_bytes(out, text, strlen(text));
}

void
resp_out_verrorf(struct resp_out *out, const char *format, va_list ap)
{
    struct buf text;
    buf_init(&text);
    buf_vprintf(&text, format, ap);
    if (buf_failed(&text))
        resp_out_error(out, "ERR out of memory");
    else
        resp_out_error_bytes(out, buf_head(&text), buf_pending(&text));
    buf_destroy(&text);
}

void
resp_out_errorf(struct resp_out *out, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    resp_out_verrorf(out, format, ap);
    va_end(ap);
}

void
resp_out_null(struct resp_out *out)
{
    if (out->version >= 3)
        resp_out_raw(out, "_\r\n", 3);
    else
        resp_out_raw(out, "$-1\r\n", 5);
}

void
resp_out_null_array(struct resp_out *out)
{
    if (out->version >= 3)
        resp_out_raw(out, "_\r\n", 3);
    else
        resp_out_raw(out, "*-1\r\n", 5);
}

void
resp_out_bool(struct resp_out *out, bool value)
{
    if (out->version >= 3)
        resp_out_raw(out, value ? "#t\r\n" : "#f\r\n", 4);
    else
        resp_out_int(out, value);
}

/* RESP3 has a type of its own for what RESP2 sends as a bulk string. */
static void
line_or_bulk(struct resp_out *out, char type, const char *text, size_t len)
{
    if (out->version >= 3)
        line(out, type, text, len);
    else
        resp_out_bulk(out, text, len);
}

void
resp_out_double(struct resp_out *out, double value)
{
    char text[DOUBLE_TEXT_MAX];
    const char *infinite = value > 0 ? "inf" : "-inf";
    int n = isinf(value) ? snprintf(text, sizeof(text), "%s", infinite)
                         : snprintf(text, sizeof(text), "%.17g", value);
    xassert(n > 0 && n < DOUBLE_TEXT_MAX);
    line_or_bulk(out, ',', text, (size_t)n);
}

void
resp_out_double_text(struct resp_out *out, const char *text, size_t len)
{
    line_or_bulk(out, ',', text, len);
}

void
resp_out_bignum(struct resp_out *out, const char *digits, size_t len)
{
    line_or_bulk(out, '(', digits, len);
}

void
resp_out_verbatim(struct resp_out *out, const char *ext, const void *bytes, size_t len)
{
    if (out->version < 3) {
        resp_out_bulk(out, bytes, len);
        return;
    }
    xassert(strlen(ext) == 3);
    resp_out_number(out, '=', (int64_t)len + 4);
    resp_out_raw(out, ext, 3);
    resp_out_raw(out, ":", 1);
    resp_out_raw(out, bytes, len);
    resp_out_raw(out, "\r\n", 2);
}

void
resp_out_bulk_str(struct resp_out *out, const char *text)
{
    resp_out_bulk(out, text, strlen(text));
}

void
resp_out_bulkf(struct resp_out *out, const char *format, ...)
{
    struct buf text;
    buf_init(&text);
    va_list ap;
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    if (buf_failed(&text))
        out->buf->failed = true;
    else
        resp_out_bulk(out, buf_pending(&text) > 0 ? buf_head(&text) : "", buf_pending(&text));
    buf_destroy(&text);
}

void
resp_out_bulk_int(struct resp_out *out, int64_t value)
{
    char text[DIGITS_MAX + 1];
    resp_out_bulk(out, text, (size_t)(write_int(text, value) - text));
}

char *
resp_out_bulk_begin(struct resp_out *out, size_t len)
{
    char *p = resp_out_room(out, len + RESP_HEADER_MAX);
    if (p == NULL)
        return NULL;
    char *body = resp_write_header(p, '$', (int64_t)len);
    memcpy(body + len, "\r\n", 2);
    out->buf->len += (size_t)(body - p) + len + 2;
    return body;
}

/* ---- collections -------------------------------------------------------------------------------- */

void
resp_out_map(struct resp_out *out, size_t pairs)
{
    if (out->version >= 3)
        resp_out_number(out, '%', (int64_t)pairs);
    else
        resp_out_array(out, pairs * 2);
}

void
resp_out_set(struct resp_out *out, size_t members)
{
    resp_out_number(out, out->version >= 3 ? '~' : '*', (int64_t)members);
}

void
resp_out_push(struct resp_out *out, size_t values)
{
    resp_out_number(out, out->version >= 3 ? '>' : '*', (int64_t)values);
}

void
resp_out_attribute(struct resp_out *out, size_t pairs)
{
    xassert(out->version >= 3);
    resp_out_number(out, '|', (int64_t)pairs);
}

/* What begin writes: the header of an empty array, which one digit overwrites without a move. */
static const char placeholder[] = { '*', '0', '\r', '\n' };

struct resp_deferred
resp_out_deferred_begin(struct resp_out *out)
{
    struct resp_deferred place = { .at = buf_pending(out->buf) };
    resp_out_raw(out, placeholder, sizeof(placeholder));
    return place;
}

static void
deferred_end(struct resp_out *out, struct resp_deferred place, char type, size_t count)
{
    char header[RESP_HEADER_MAX];
    size_t n = (size_t)(resp_write_header(header, type, (int64_t)count) - header);
    size_t more = n - sizeof(placeholder);
    if (buf_failed(out->buf) || resp_out_room(out, more) == NULL)
        return;
    size_t body = place.at + sizeof(placeholder);
    xassert(body <= buf_pending(out->buf));
    char *at = buf_head(out->buf) + place.at;
    memmove(at + n, at + sizeof(placeholder), buf_pending(out->buf) - body);
    memcpy(at, header, n);
    out->buf->len += more;
}

void
resp_out_deferred_array(struct resp_out *out, struct resp_deferred place, size_t values)
{
    deferred_end(out, place, '*', values);
}

void
resp_out_deferred_map(struct resp_out *out, struct resp_deferred place, size_t pairs)
{
    if (out->version >= 3)
        deferred_end(out, place, '%', pairs);
    else
        deferred_end(out, place, '*', pairs * 2);
}

void
resp_out_deferred_set(struct resp_out *out, struct resp_deferred place, size_t members)
{
    deferred_end(out, place, out->version >= 3 ? '~' : '*', members);
}
