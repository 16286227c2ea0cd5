/* rdb_out.c - pieces of RDB files (see rdb_out.h).
 *
 * Every key of a snapshot passes through here, so room is reserved once for each string and written into directly; a
 * string that may get shorter is compressed into that room, at the place where its bytes end up if their head is long.
 *
 * Process: persister, workers (DUMP), tools. Locks: none. Fails: the buffer's failure is sticky.
 */
#include "format/rdb_out.h"

#include <liblzf/lzf.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "format/rdb_lzf.h"

#define LENGTH_MAX 9u    /* bytes that a length takes */
#define INT_CHARS 11u    /* longer strings are not tried as numbers */
#define COMPRESS_MIN 21u /* shorter strings are not compressed */
#define COMPRESS_GAIN 4u /* bytes that compression must save */
#define LZF_LITERALS 32u /* bytes that cannot be compressed, behind a byte that says how many they are */
#define LZF_SLACK 16u    /* room that lzf_compress wants to see before it goes on */

/* ---- numbers ---------------------------------------------------------------------------------------------------------- */

static size_t
render_length(uint8_t *p, uint64_t n)
{
    if (n < 64) {
        p[0] = (uint8_t)n;
        return 1;
    }
    if (n < 16384) {
        p[0] = (uint8_t)(0x40 | n >> 8);
        p[1] = (uint8_t)n;
        return 2;
    }
    size_t bytes = n <= UINT32_MAX ? 4 : 8;
    p[0] = bytes == 4 ? 0x80 : 0x81;
    for (size_t i = 0; i < bytes; i++)
        p[1 + i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
    return 1 + bytes;
}

void
rdb_out_byte(struct buf *out, unsigned byte)
{
    if (buf_reserve(out, 1))
        out->data[out->len++] = (char)byte;
}

void
rdb_out_length(struct buf *out, uint64_t n)
{
    if (buf_reserve(out, LENGTH_MAX))
        out->len += render_length((uint8_t *)out->data + out->len, n);
}

/* ---- strings ---------------------------------------------------------------------------------------------------------- */

/* A string that is a small number; 0: it is not. */
static size_t
render_int(uint8_t *p, const char *bytes, size_t n)
{
    int64_t v;
    if (n > INT_CHARS || !decimal_read(bytes, n, &v) || v < INT32_MIN || v > INT32_MAX)
        return 0;
    unsigned enc = v >= INT8_MIN && v <= INT8_MAX ? RDB_ENC_INT8 : v >= INT16_MIN && v <= INT16_MAX ? RDB_ENC_INT16 : RDB_ENC_INT32;
    size_t size = (size_t)1 << enc;
    p[0] = (uint8_t)(RDB_LENGTH_ENCODED | enc);
    memcpy(p + 1, &v, size); /* little-endian */
    return 1 + size;
}

/* A string that gets shorter by compression, into n + 1 + 2 * LENGTH_MAX bytes; 0: it does not. */
static size_t
render_compressed(uint8_t *p, const char *bytes, size_t n, enum rdb_compress how)
{
    uint8_t *packed = p + 1 + 2 * LENGTH_MAX;
    size_t len = 0;
    if (n >= COMPRESS_MIN && n <= RDB_LZF_SHORT_MAX && how == RDB_COMPRESS_FAST)
        len = rdb_lzf_short((const uint8_t *)bytes, n, packed, n - COMPRESS_GAIN);
    else if (n >= COMPRESS_MIN)
        len = lzf_compress(bytes, (unsigned)n, packed, (unsigned)(n - COMPRESS_GAIN));
    if (len == 0)
        return 0;
    size_t at = 1;
    p[0] = RDB_LENGTH_ENCODED | RDB_ENC_LZF;
    at += render_length(p + at, len);
    at += render_length(p + at, n);
    memmove(p + at, packed, len);
    return at + len;
}

void
rdb_out_string(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress)
{
    if (!buf_reserve(out, n + 1 + 2 * LENGTH_MAX))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    size_t len = render_int(p, bytes, n);
    if (len == 0 && compress != RDB_PLAIN)
        len = render_compressed(p, bytes, n, compress);
    if (len == 0) {
        len = render_length(p, n);
        if (n > 0)
            memcpy(p + len, bytes, n);
        len += n;
    }
    out->len += len;
}

bool
rdb_out_compress_piece(struct buf *packed, const char *bytes, size_t n, bool gain)
{
    size_t room = gain ? n - COMPRESS_GAIN : n + n / LZF_LITERALS + LZF_SLACK;
    if (n < COMPRESS_MIN && gain)
        return false;
    if (!buf_reserve(packed, room))
        return true; /* sticky */
    unsigned len = lzf_compress(bytes, (unsigned)n, packed->data + packed->len, (unsigned)room);
    packed->len += len;
    return len > 0;
}

void
rdb_out_compressed(struct buf *out, const struct buf *packed, uint64_t n)
{
    rdb_out_byte(out, RDB_LENGTH_ENCODED | RDB_ENC_LZF);
    rdb_out_length(out, buf_pending(packed));
    rdb_out_length(out, n);
    buf_append(out, buf_head(packed), buf_pending(packed));
    out->failed |= buf_failed(packed);
}

/* ---- the frame -------------------------------------------------------------------------------------------------------- */

void
rdb_out_header(struct buf *out)
{
    buf_printf(out, RDB_MAGIC "%04u", RDB_VERSION);
}

void
rdb_out_aux(struct buf *out, const char *name, const char *value)
{
    rdb_out_byte(out, RDB_OP_AUX);
    rdb_out_string(out, name, strlen(name), false);
    rdb_out_string(out, value, strlen(value), false);
}

void
rdb_out_aux_int(struct buf *out, const char *name, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%ld", (long)value);
    rdb_out_aux(out, name, digits);
}

void
rdb_out_database(struct buf *out, unsigned db, uint64_t keys, uint64_t expires)
{
    rdb_out_byte(out, RDB_OP_SELECTDB);
    rdb_out_length(out, db);
    rdb_out_byte(out, RDB_OP_RESIZEDB);
    rdb_out_length(out, keys);
    rdb_out_length(out, expires);
}

void
rdb_out_expiry(struct buf *out, int64_t when_ms)
{
    if (!buf_reserve(out, 1 + sizeof when_ms))
        return;
    out->data[out->len++] = (char)RDB_OP_EXPIRETIME_MS;
    memcpy(out->data + out->len, &when_ms, sizeof when_ms); /* little-endian */
    out->len += sizeof when_ms;
}

void
rdb_out_end(struct buf *out)
{
    rdb_out_byte(out, RDB_OP_EOF);
}

void
rdb_out_sum(struct buf *out, uint64_t crc)
{
    buf_append(out, &crc, sizeof crc);
}
