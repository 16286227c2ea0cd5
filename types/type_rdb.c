/* type_rdb.c - values in RDB's form (see type_rdb.h).
 *
 * A hash is read twice: once by type_rdb_open, which finds all that is wrong, and once by type_rdb_each, which hands out
 * the pairs; so whoever builds a value in the region need not look for damage half-way.
 *
 * Process: workers; fuzz targets. Locks: saving a hash needs the shard's. Fails: damaged input and want of private memory
 * are returned.
 */
#include "types/type_rdb.h"

#include <liblzf/lzf.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "format/rdb_out.h"

enum { FORM_STRING = 0, FORM_HASH = 4, FORM_ZIPMAP = 9, FORM_ZIPLIST = 13, FORM_LISTPACK = 16 };
enum { ENC_INT8 = 0, ENC_INT16 = 1, ENC_INT32 = 2, ENC_LZF = 3 };

#define LEN_ENCODED 0xC0u     /* the two highest bits: not a length but an encoding */
#define LZF_EXPANSION_MAX 264u /* bytes that LZF can make of three, and so more than of one */

/* ---- writing -------------------------------------------------------------------------------------------------- */

/* How a string is put: as one of its own, or into a listpack. */
typedef void put_fn(struct buf *out, const char *bytes, size_t n, bool compress);

struct saver {
    struct buf *out;
    bool compress;
    put_fn *put;
};

static void
put_packed(struct buf *out, const char *bytes, size_t n, bool compress)
{
    (void)compress;
    rdb_listpack_add(out, bytes, n);
}

static void
put_view(const struct saver *s, const struct string_view *v)
{
    size_t n;
    const char *p = v->len ? type_string_piece(v, 0, &n) : "";
    if (v->len == 0 || n == v->len) {
        s->put(s->out, p, v->len, s->compress);
        return;
    }
    char *whole = malloc(v->len);
    if (!whole) {
        s->out->failed = true;
        return;
    }
    type_string_copy(v, 0, whole, v->len);
    s->put(s->out, whole, v->len, s->compress);
    free(whole);
}

void
type_rdb_save_string(struct buf *out, const char *bytes, size_t n, bool compress)
{
    rdb_out_byte(out, RDB_FORM_STRING);
    rdb_out_string(out, bytes, n, compress);
}

static bool
put_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    put_view(arg, field);
    put_view(arg, value);
    return true;
}

void
type_rdb_save_hash(struct buf *out, const struct type_hash *h, bool compress)
{
    struct buf pack;
    uint64_t count = type_hash_length(h);
    if (shm_entry_encoding(h->entry) == TYPE_HASH_TREE) {
        rdb_out_byte(out, RDB_FORM_HASH);
        rdb_out_length(out, count);
        type_hash_each(h, put_pair, &(struct saver){out, compress, rdb_out_string});
        return;
    }
    buf_init(&pack);
    size_t at = rdb_listpack_begin(&pack);
    type_hash_each(h, put_pair, &(struct saver){&pack, false, put_packed});
    rdb_listpack_end(&pack, at, 2 * count);
    rdb_out_byte(out, RDB_FORM_HASH_LISTPACK);
    if (buf_failed(&pack))
        out->failed = true;
    else
        rdb_out_string(out, pack.data, pack.len, compress);
    buf_destroy(&pack);
}

void
type_rdb_save_footer(struct buf *out)
{
    uint16_t version = TYPE_RDB_VERSION;
    buf_append(out, &version, sizeof version);
    if (buf_failed(out))
        return;
    uint64_t crc = crc64(0, out->data, out->len);
    buf_append(out, &crc, sizeof crc);
}

/* ---- reading strings --------------------------------------------------------------------------------------------- */

bool
type_rdb_verify(const char *payload, size_t n)
{
    uint16_t version;
    uint64_t crc;
    if (n < TYPE_RDB_FOOTER)
        return false;
    memcpy(&version, payload + n - TYPE_RDB_FOOTER, sizeof version);
    memcpy(&crc, payload + n - sizeof crc, sizeof crc);
    return version <= TYPE_RDB_VERSION && crc == crc64(0, payload, n - sizeof crc);
}

static size_t
left(const struct type_rdb *d)
{
    return d->n - d->at;
}

/* A length, or (*encoded) the number of an encoding. */
static bool
get_length(struct type_rdb *d, uint64_t *v, bool *encoded)
{
    if (left(d) < 1)
        return false;
    uint8_t b = d->bytes[d->at++];
    size_t more = 0;
    *encoded = b >> 6 == 3;
    *v = b & 0x3F;
    if (b >> 6 == 1) {
        more = 1;
    } else if (b >> 6 == 2) {
        more = b == 0x80 ? 4 : 8;
        *v = 0;
        if (b > 0x81)
            return false;
    }
    if (left(d) < more)
        return false;
    for (; more > 0; more--)
        *v = *v << 8 | d->bytes[d->at++];
    return true;
}

static bool
get_plain_length(struct type_rdb *d, uint64_t *v)
{
    bool encoded;
    return get_length(d, v, &encoded) && !encoded;
}

static enum type_rdb_result
get_compressed(struct type_rdb *d, unsigned place, struct rdb_string *s)
{
    uint64_t packed, len;
    if (!get_plain_length(d, &packed) || !get_plain_length(d, &len) || packed == 0 || packed > left(d) || len == 0 ||
        len > SHM_BLOB_MAX || len / LZF_EXPANSION_MAX > packed)
        return TYPE_RDB_BAD;
    if (len > d->room[place]) {
        free(d->owned[place]);
        d->room[place] = 0;
        d->owned[place] = malloc(len);
        if (!d->owned[place])
            return TYPE_RDB_NO_MEMORY;
        d->room[place] = len;
    }
    if (lzf_decompress(d->bytes + d->at, (unsigned)packed, d->owned[place], (unsigned)len) != len)
        return TYPE_RDB_BAD;
    d->at += packed;
    s->bytes = d->owned[place];
    s->len = len;
    return TYPE_RDB_OK;
}

/* The next string; what must be decompressed goes to a place of its own. */
static enum type_rdb_result
get_string(struct type_rdb *d, unsigned place, struct rdb_string *s)
{
    uint64_t v;
    bool encoded;
    if (!get_length(d, &v, &encoded))
        return TYPE_RDB_BAD;
    if (encoded && v == ENC_LZF)
        return get_compressed(d, place, s);
    uint64_t bytes = encoded ? 1ull << v : v;
    if ((encoded && v > ENC_INT32) || bytes > left(d) || bytes > SHM_BLOB_MAX)
        return TYPE_RDB_BAD;
    if (encoded) {
        int32_t number = 0;
        memcpy(&number, d->bytes + d->at, bytes); /* little-endian */
        rdb_string_set_int(s, bytes == 1 ? (int8_t)number : bytes == 2 ? (int16_t)number : number);
    } else {
        s->bytes = (const char *)d->bytes + d->at;
        s->len = bytes;
    }
    d->at += bytes;
    return TYPE_RDB_OK;
}

/* ---- reading values ------------------------------------------------------------------------------------------------ */

static enum type_rdb_result
get_pair(struct type_rdb *d, struct rdb_string *field, struct rdb_string *value)
{
    if (d->form != FORM_HASH)
        return rdb_pack_next(&d->pack, field) > 0 && rdb_pack_next(&d->pack, value) > 0 ? TYPE_RDB_OK : TYPE_RDB_BAD;
    enum type_rdb_result got = get_string(d, 0, field);
    return got == TYPE_RDB_OK ? get_string(d, 1, value) : got;
}

/* Counts the pairs of a pack and checks them all. */
static enum type_rdb_result
check_pack(struct type_rdb *d)
{
    struct rdb_pack start = d->pack;
    struct rdb_string s;
    uint64_t strings = 0;
    int got;
    while ((got = rdb_pack_next(&d->pack, &s)) > 0)
        strings++;
    d->pack = start;
    d->count = strings / 2;
    return got == 0 && strings > 0 && strings % 2 == 0 ? TYPE_RDB_OK : TYPE_RDB_BAD;
}

static enum type_rdb_result
open_pack(struct type_rdb *d)
{
    struct rdb_string pack;
    enum rdb_pack_form form = d->form == FORM_LISTPACK ? RDB_LISTPACK : d->form == FORM_ZIPLIST ? RDB_ZIPLIST : RDB_ZIPMAP;
    enum type_rdb_result got = get_string(d, 0, &pack);
    if (got != TYPE_RDB_OK)
        return got;
    if (!pack.bytes || !rdb_pack_open(&d->pack, form, (const uint8_t *)pack.bytes, pack.len))
        return TYPE_RDB_BAD;
    d->packed = form != RDB_ZIPMAP;
    return check_pack(d);
}

static enum type_rdb_result
open_hash(struct type_rdb *d)
{
    struct rdb_string field, value;
    if (!get_plain_length(d, &d->count) || d->count == 0 || d->count > left(d) / 2) /* two bytes a pair at least */
        return TYPE_RDB_BAD;
    d->first = d->at;
    enum type_rdb_result got = TYPE_RDB_OK;
    for (uint64_t i = 0; i < d->count && got == TYPE_RDB_OK; i++)
        got = get_pair(d, &field, &value);
    return got;
}

enum type_rdb_result
type_rdb_open(struct type_rdb *d, const char *bytes, size_t n)
{
    memset(d, 0, sizeof *d);
    d->bytes = (const uint8_t *)bytes;
    d->n = n;
    if (n < 1)
        return TYPE_RDB_BAD;
    d->form = d->bytes[d->at++];
    d->type = d->form == FORM_STRING ? SHM_TYPE_STRING : SHM_TYPE_HASH;
    switch (d->form) {
    case FORM_STRING:
        return get_string(d, 0, &d->string);
    case FORM_HASH:
        return open_hash(d);
    case FORM_LISTPACK:
    case FORM_ZIPLIST:
    case FORM_ZIPMAP:
        return open_pack(d);
    default:
        return TYPE_RDB_BAD;
    }
}

bool
type_rdb_each(struct type_rdb *d, type_rdb_fn *fn, void *arg)
{
    struct rdb_string field, value;
    struct rdb_pack start = d->pack;
    bool going = true;
    d->at = d->form == FORM_HASH ? d->first : d->at;
    for (uint64_t i = 0; i < d->count && going; i++)
        going = get_pair(d, &field, &value) == TYPE_RDB_OK && fn(arg, &field, &value);
    d->pack = start;
    return going;
}

void
type_rdb_close(struct type_rdb *d)
{
    free(d->owned[0]);
    free(d->owned[1]);
    d->owned[0] = d->owned[1] = NULL;
}
