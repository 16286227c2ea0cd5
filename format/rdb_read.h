/* rdb_read.h - reading RDB's building blocks from memory: lengths, strings, raw numbers, old text doubles.
 *
 * A cursor over an image (a mapped file, a payload). Nothing is trusted: what a length promises is compared with what is
 * left before it is used. A call that returns false has left what is wrong in the cursor, with its place; nothing more is read
 * through it then. Formats: rdb.h.
 *
 * Small calls are here for speed: a loader steps over millions of strings in each of its processes.
 * Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_RDB_READ_H
#define KVSTASH_FORMAT_RDB_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format/rdb.h"
#include "format/rdb_string.h"

#define RDB_STRING_MAX (512ull << 20) /* longest string that is taken out; longer ones can be stepped over */

struct rdb_read {
    const uint8_t *bytes;
    size_t n;  /* end of what may be read */
    size_t at; /* next byte; places in errors count from `bytes` */
    const char *wrong; /* NULL, or what is wrong first */
    size_t wrong_at;
};

/* Memory for one string that has to be decompressed; grows, and is kept from one to the next. Zeroed is empty. */
struct rdb_scratch {
    char *bytes;
    size_t room;
};
void rdb_scratch_free(struct rdb_scratch *s);

/* `wrong` is this very text if private memory, not the input, was at fault. */
extern const char rdb_no_memory[];

/* A cursor over [from, to) of an image. */
static inline struct rdb_read
rdb_read_of(const void *image, size_t from, size_t to)
{
    return (struct rdb_read){.bytes = image, .n = to, .at = from};
}

/* Notes what is wrong, unless something is already; false. */
static inline bool
rdb_read_fail_at(struct rdb_read *r, size_t at, const char *what)
{
    if (r->wrong)
        return false;
    r->wrong = what;
    r->wrong_at = at;
    return false;
}

static inline bool
rdb_read_fail(struct rdb_read *r, const char *what)
{
    return rdb_read_fail_at(r, r->at, what);
}

static inline size_t
rdb_read_left(const struct rdb_read *r)
{
    return r->n - r->at;
}

/* The next n bytes. */
static inline bool
rdb_read_bytes(struct rdb_read *r, uint64_t n, const uint8_t **p)
{
    if (n > rdb_read_left(r))
        return rdb_read_fail(r, "the data end too early");
    *p = r->bytes + r->at;
    r->at += n;
    return true;
}

/* A raw little-endian number of 64 bits: times, binary doubles. */
static inline bool
rdb_read_u64(struct rdb_read *r, uint64_t *v)
{
    const uint8_t *p;
    if (!rdb_read_bytes(r, sizeof *v, &p))
        return false;
    memcpy(v, p, sizeof *v);
    return true;
}

/* A length of more than 14 bits, or (*encoded) the number of an encoding; the first byte is b, and is behind. */
bool rdb_read_long_length(struct rdb_read *r, uint8_t b, uint64_t *v, bool *encoded);

/* A length, or (*encoded) the number of an encoding. */
static inline bool
rdb_read_any_length(struct rdb_read *r, uint64_t *v, bool *encoded)
{
    if (r->at == r->n)
        return rdb_read_fail(r, "the data end too early");
    uint8_t b = r->bytes[r->at++];
    *encoded = false;
    *v = b;
    if (b < 0x40)
        return true;
    if (b >= 0x80 || r->at == r->n)
        return rdb_read_long_length(r, b, v, encoded);
    *v = (b & 0x3Fu) << 8 | r->bytes[r->at++];
    return true;
}

/* A length that is nothing else. */
static inline bool
rdb_read_length(struct rdb_read *r, uint64_t *v)
{
    bool encoded;
    size_t at = r->at;
    if (!rdb_read_any_length(r, v, &encoded))
        return false;
    return !encoded || rdb_read_fail_at(r, at, "a length is wanted, and an encoding stands there");
}

/* Steps over a string in one of the encoded forms, whose head is behind. */
bool rdb_read_skip_encoded(struct rdb_read *r, uint64_t encoding);

/* Steps over a string without looking inside. */
static inline bool
rdb_read_skip_string(struct rdb_read *r)
{
    uint64_t v;
    bool encoded;
    if (!rdb_read_any_length(r, &v, &encoded))
        return false;
    if (encoded)
        return rdb_read_skip_encoded(r, v);
    if (v > rdb_read_left(r))
        return rdb_read_fail(r, "a string is longer than the data");
    r->at += v;
    return true;
}

/* The next string. Its bytes lie in the image, or in the scratch memory until that is used again. */
bool rdb_read_string(struct rdb_read *r, struct rdb_string *s, struct rdb_scratch *scratch);

/* A double as text behind a byte of length; 253 to 255 stand for NaN and the infinities (ZSET, old). */
bool rdb_read_text_double(struct rdb_read *r, double *d);
bool rdb_read_skip_text_double(struct rdb_read *r);

/* A score as text or number; false: it is none. */
bool rdb_read_score(const struct rdb_string *s, double *score);

#endif
