/* rdb_read.c - RDB's building blocks, read (see rdb_read.h).
 *
 * Memory is bounded by the input: what a compressed string promises may not be more than LZF can have hidden in its bytes.
 *
 * Process: any. Locks: none. Fails: damaged input and want of private memory are told in the cursor.
 */
#include "format/rdb_read.h"

#include <liblzf/lzf.h>
#include <math.h>
#include <stdlib.h>

#define LZF_EXPANSION_MAX 264u /* bytes that LZF can make of three, and so more than of one */
#define SCORE_CHARS_MAX 330u   /* "%.17g" needs 24, "%f" of the largest double 317 */

const char rdb_no_memory[] = "no memory";

void
rdb_scratch_free(struct rdb_scratch *s)
{
    free(s->bytes);
    *s = (struct rdb_scratch){0};
}

bool
rdb_read_long_length(struct rdb_read *r, uint8_t b, uint64_t *v, bool *encoded)
{
    size_t more = b >> 6 == 1 ? 1 : b == 0x80 ? 4 : b == 0x81 ? 8 : 0;
    *encoded = b >> 6 == 3;
    *v = more > 1 ? 0 : b & 0x3F;
    if (!more && !*encoded)
        return rdb_read_fail_at(r, r->at - 1, "no length begins with this byte");
    if (rdb_read_left(r) < more)
        return rdb_read_fail(r, "the data end too early");
    for (; more > 0; more--)
        *v = *v << 8 | r->bytes[r->at++];
    return true;
}

/* ---- strings ------------------------------------------------------------------------------------------------------ */

/* The two lengths of a compressed string; its bytes are there. */
static bool
compressed_head(struct rdb_read *r, uint64_t *packed, uint64_t *len)
{
    size_t at = r->at - 1;
    if (!rdb_read_length(r, packed) || !rdb_read_length(r, len))
        return false;
    if (*packed > rdb_read_left(r))
        return rdb_read_fail_at(r, at, "a compressed string is longer than the data");
    return true;
}

bool
rdb_read_skip_encoded(struct rdb_read *r, uint64_t encoding)
{
    uint64_t packed, len;
    const uint8_t *p;
    if (encoding <= RDB_ENC_INT32)
        return rdb_read_bytes(r, 1ull << encoding, &p);
    if (encoding != RDB_ENC_LZF)
        return rdb_read_fail_at(r, r->at - 1, "this encoding of strings is not known");
    return compressed_head(r, &packed, &len) && rdb_read_bytes(r, packed, &p);
}

static bool
make_room(struct rdb_read *r, struct rdb_scratch *s, size_t n)
{
    if (n <= s->room)
        return true;
    rdb_scratch_free(s);
    s->bytes = malloc(n);
    if (!s->bytes)
        return rdb_read_fail(r, rdb_no_memory);
    s->room = n;
    return true;
}

static bool
read_compressed(struct rdb_read *r, struct rdb_string *s, struct rdb_scratch *scratch)
{
    uint64_t packed, len;
    size_t at = r->at - 1;
    if (!compressed_head(r, &packed, &len))
        return false;
    if (len > RDB_STRING_MAX)
        return rdb_read_fail_at(r, at, "a string is longer than 512 MiB");
    if (packed == 0 || len == 0 || len / LZF_EXPANSION_MAX > packed)
        return rdb_read_fail_at(r, at, "a compressed string promises more than its bytes can hold");
    if (!make_room(r, scratch, len))
        return false;
    if (lzf_decompress(r->bytes + r->at, (unsigned)packed, scratch->bytes, (unsigned)len) != len)
        return rdb_read_fail_at(r, at, "a compressed string is damaged");
    r->at += packed;
    rdb_string_set(s, scratch->bytes, len);
    return true;
}

static bool
read_int(struct rdb_read *r, struct rdb_string *s, uint64_t encoding)
{
    int32_t number = 0;
    const uint8_t *p;
    size_t bytes = (size_t)1 << encoding;
    if (!rdb_read_bytes(r, bytes, &p))
        return false;
    memcpy(&number, p, bytes); /* little-endian */
    rdb_string_set_int(s, bytes == 1 ? (int8_t)number : bytes == 2 ? (int16_t)number : number);
    return true;
}

bool
rdb_read_string(struct rdb_read *r, struct rdb_string *s, struct rdb_scratch *scratch)
{
    uint64_t v;
    bool encoded;
    size_t at = r->at;
    if (!rdb_read_any_length(r, &v, &encoded))
        return false;
    if (encoded && v == RDB_ENC_LZF)
        return read_compressed(r, s, scratch);
    if (encoded && v > RDB_ENC_INT32)
        return rdb_read_fail_at(r, at, "this encoding of strings is not known");
    if (encoded)
        return read_int(r, s, v);
    if (v > rdb_read_left(r))
        return rdb_read_fail_at(r, at, "a string is longer than the data");
    if (v > RDB_STRING_MAX)
        return rdb_read_fail_at(r, at, "a string is longer than 512 MiB");
    rdb_string_set(s, r->bytes + r->at, v);
    r->at += v;
    return true;
}

/* ---- doubles ------------------------------------------------------------------------------------------------------ */

/* A number as "%.17g" prints it, NaN included. */
static bool
parse_double(const char *bytes, size_t n, double *d)
{
    char text[SCORE_CHARS_MAX + 1], *end;
    if (n == 0 || n > SCORE_CHARS_MAX || strchr(" \t\n\v\f\r", bytes[0]))
        return false;
    memcpy(text, bytes, n);
    text[n] = 0;
    *d = strtod(text, &end);
    return end == text + n;
}

bool
rdb_read_score(const struct rdb_string *s, double *score)
{
    if (s->bytes)
        return parse_double(s->bytes, s->len, score);
    *score = (double)s->number;
    return true;
}

enum { TEXT_NAN = 253, TEXT_INF = 254, TEXT_MINUS_INF = 255 };

bool
rdb_read_skip_text_double(struct rdb_read *r)
{
    const uint8_t *p;
    return rdb_read_bytes(r, 1, &p) && (*p >= TEXT_NAN || rdb_read_bytes(r, *p, &p));
}

bool
rdb_read_text_double(struct rdb_read *r, double *d)
{
    const uint8_t *p;
    size_t at = r->at;
    if (!rdb_read_bytes(r, 1, &p))
        return false;
    uint8_t n = *p;
    *d = n == TEXT_NAN ? (double)NAN : n == TEXT_INF ? HUGE_VAL : -HUGE_VAL;
    if (n >= TEXT_NAN)
        return true;
    if (!rdb_read_bytes(r, n, &p))
        return false;
    return parse_double((const char *)p, n, d) || rdb_read_fail_at(r, at, "a score is not a number");
}
