/* resp_write.h - typed replies, written into a struct buf as RESP2 or RESP3.
 *
 * Every value of a reply is written by its type (map, set, double, null ...); the version of the
 * connection decides how the type looks on the wire, so that no command ever asks for the version.
 * Memory failure is the buffer's sticky flag: write the whole reply, then look at buf_failed once.
 * Process: any; one thread. Locks: none.
 *
 *                    RESP2             RESP3
 *   null             $-1               _
 *   null array       *-1               _
 *   map of n         *2n               %n
 *   set, push        *n                ~n  >n
 *   double           bulk, %.17g       ,%.17g   (inf, -inf, nan)
 *   bool             :1 :0             #t #f
 *   big number       bulk              (
 *   verbatim         bulk              =len  ext:text
 *   attribute        (never)           |n
 *
 * After a header (array, map ...) the caller writes exactly that many values.
 */
#ifndef KVSTASH_RESP_WRITE_H
#define KVSTASH_RESP_WRITE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

struct resp_out {
    struct buf *buf; /* borrowed */
    int version;     /* 2 or 3 */
};

/* A place that resp_out_deferred_begin left open; counts from the buffer's first pending byte. */
struct resp_deferred {
    size_t at;
};

#define RESP_HEADER_MAX 32u /* bytes of type, number and CRLF, with room to spare */

/* ---- plain -------------------------------------------------------------------------------------- */

/* text without CR or LF, as "OK" or "QUEUED". */
void resp_out_simple(struct resp_out *out, const char *text);
/* text begins with the code: "ERR syntax error". CR and LF at either end are cut, inside they become
 * blanks, as in Redis; so client bytes may be part of it. */
void resp_out_error(struct resp_out *out, const char *text);
void resp_out_error_bytes(struct resp_out *out, const char *text, size_t len);
void resp_out_errorf(struct resp_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void resp_out_verrorf(struct resp_out *out, const char *format, va_list ap);
void resp_out_null(struct resp_out *out);
void resp_out_null_array(struct resp_out *out);
void resp_out_bool(struct resp_out *out, bool value);
void resp_out_double(struct resp_out *out, double value);
/* A double that the caller has formatted (INCRBYFLOAT's long doubles). */
void resp_out_double_text(struct resp_out *out, const char *text, size_t len);
/* Decimal digits of any length. */
void resp_out_bignum(struct resp_out *out, const char *digits, size_t len);
/* ext has three letters: "txt", "mkd". */
void resp_out_verbatim(struct resp_out *out, const char *ext, const void *bytes, size_t len);
void resp_out_bulk_str(struct resp_out *out, const char *text);
void resp_out_bulkf(struct resp_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An integer as a bulk string, as GET of an int-encoded value. */
void resp_out_bulk_int(struct resp_out *out, int64_t value);
/* Writes head and tail of a bulk of len bytes and returns where the caller puts the len bytes before
 * anything else is written; NULL if memory is short. For values copied in pieces. */
char *resp_out_bulk_begin(struct resp_out *out, size_t len);

/* ---- collections -------------------------------------------------------------------------------- */

void resp_out_map(struct resp_out *out, size_t pairs);
void resp_out_set(struct resp_out *out, size_t members);
void resp_out_push(struct resp_out *out, size_t values);
/* Version 3 only (asserted): pairs beside the reply that follows. */
void resp_out_attribute(struct resp_out *out, size_t pairs);

/* A collection whose size is known only at its end. Everything written between begin and end belongs to
 * it; they nest. The end moves the collection's bytes once if the count has two digits or more, so the
 * cost is linear. Between the two the buffer must not be consumed. */
struct resp_deferred resp_out_deferred_begin(struct resp_out *out);
void resp_out_deferred_array(struct resp_out *out, struct resp_deferred place, size_t values);
void resp_out_deferred_map(struct resp_out *out, struct resp_deferred place, size_t pairs);
void resp_out_deferred_set(struct resp_out *out, struct resp_deferred place, size_t members);

/* ---- the hot ones, inline ----------------------------------------------------------------------- */

/* type, number and CRLF at p, which has RESP_HEADER_MAX bytes; returns the end. Out of line for what
 * has three digits or more or is negative. */
char *resp_write_number(char *p, char type, int64_t number);

static inline char *
resp_write_header(char *p, char type, int64_t number)
{
    if ((uint64_t)number >= 100)
        return resp_write_number(p, type, number);
    *p++ = type;
    if (number >= 10)
        *p++ = (char)('0' + number / 10);
    *p++ = (char)('0' + number % 10);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

/* Room for n bytes behind the end, or NULL (the buffer has failed). */
static inline char *
resp_out_room(struct resp_out *out, size_t n)
{
    struct buf *b = out->buf;
    if (__builtin_expect(b->failed || b->cap - b->len < n, 0) && !buf_reserve(b, n))
        return NULL;
    return b->data + b->len;
}

/* Bytes that are RESP already: shared constants, what was written aside. n may be 0, and bytes NULL then. */
static inline void
resp_out_raw(struct resp_out *out, const void *bytes, size_t n)
{
    char *p = resp_out_room(out, n);
    if (p == NULL || n == 0)
        return;
    memcpy(p, bytes, n);
    out->buf->len += n;
}

static inline void
resp_out_ok(struct resp_out *out)
{
    resp_out_raw(out, "+OK\r\n", 5);
}

static inline void
resp_out_number(struct resp_out *out, char type, int64_t number)
{
    char *p = resp_out_room(out, RESP_HEADER_MAX);
    if (p != NULL)
        out->buf->len = (size_t)(resp_write_header(p, type, number) - out->buf->data);
}

static inline void
resp_out_int(struct resp_out *out, int64_t value)
{
    resp_out_number(out, ':', value);
}

static inline void
resp_out_array(struct resp_out *out, size_t values)
{
    resp_out_number(out, '*', (int64_t)values);
}

/* bytes may be NULL if len is 0. */
static inline void
resp_out_bulk(struct resp_out *out, const void *bytes, size_t len)
{
    char *p = resp_out_room(out, len + RESP_HEADER_MAX);
    if (p == NULL)
        return;
    p = resp_write_header(p, '$', (int64_t)len);
    if (len > 0)
        memcpy(p, bytes, len);
    p += len;
    p[0] = '\r';
    p[1] = '\n';
    out->buf->len = (size_t)(p + 2 - out->buf->data);
}

#endif
