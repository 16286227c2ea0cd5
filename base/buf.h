/* buf.h - a growable byte buffer of one process (private memory).
 *
 * Bytes wait between off and len; what is consumed moves off forward, and the space is taken back
 * when it is worth a move. A failed allocation is sticky: the buffer keeps what it had, sets
 * `failed` and ignores what is appended after, so that a reply is built without a test per call
 * and judged once at its end (buf_failed). No locks; one thread.
 */
#ifndef KVSTASH_BASE_BUF_H
#define KVSTASH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;  /* owned; NULL while cap is 0 */
    size_t off;  /* first byte not consumed */
    size_t len;  /* end of the bytes; off <= len <= cap */
    size_t cap;  /* bytes allocated */
    bool failed; /* an allocation failed since the last buf_clear */
};

/* An empty buffer; allocates nothing. */
void buf_init(struct buf *b);
/* Frees the memory; the buffer is as after buf_init. */
void buf_destroy(struct buf *b);
/* Forgets bytes and failure; keeps the memory if cap <= keep_cap, else frees it. */
void buf_clear(struct buf *b, size_t keep_cap);
/* Makes room for n more bytes behind len. False (and failed) if memory is short. */
bool buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_append_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list ap);
/* Drops n bytes from the front; n <= buf_pending. */
void buf_consume(struct buf *b, size_t n);
/* Cuts back to an earlier len (a mark taken with b->len while nothing was consumed since). */
void buf_truncate(struct buf *b, size_t len);

static inline size_t
buf_pending(const struct buf *b)
{
    return b->len - b->off;
}

static inline char *
buf_head(const struct buf *b)
{
    return b->data + b->off;
}

static inline bool
buf_failed(const struct buf *b)
{
    return b->failed;
}

#endif
