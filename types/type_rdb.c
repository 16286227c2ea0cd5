/* type_rdb.c - values in RDB's form (see type_rdb.h).
 *
 * A hash is read twice: once by type_rdb_open, which checks it and counts, and once by type_rdb_each, which hands out the
 * pairs. Without the deep check damage may come to light the second time only; so whoever builds a value in the region
 * must be able to take it back.
 *
 * Process: workers; fuzz targets. Locks: saving a hash needs the shard's. Fails: damaged input and want of private memory
 * are returned.
 */
#include "types/type_rdb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "format/rdb_out.h"
#include "format/rdb_pack.h"

#define RESTORE_FORM_LAST RDB_FORM_STREAM_LISTPACKS_2 /* of version 10: RESTORE knows no later ones, as Redis 7.0 */

/* ---- writing -------------------------------------------------------------------------------------------------- */

/* How a string is put: as one of its own, or into a listpack. */
typedef void put_fn(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress);

struct saver {
    struct buf *out;
    enum rdb_compress compress;
    put_fn *put;
};

static void
put_packed(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress)
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
type_rdb_save_string(struct buf *out, const char *bytes, size_t n, enum rdb_compress compress)
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

unsigned
type_rdb_form(const struct shm_entry_sh *e)
{
    if (shm_entry_type(e) == SHM_TYPE_STRING)
        return RDB_FORM_STRING;
    return shm_entry_encoding(e) == TYPE_HASH_TREE ? RDB_FORM_HASH : RDB_FORM_HASH_LISTPACK;
}

void
type_rdb_save_view(struct buf *out, const struct string_view *v, enum rdb_compress compress)
{
    put_view(&(struct saver){out, compress, rdb_out_string}, v);
}

void
type_rdb_pack(const struct type_hash *h, struct buf *pack)
{
    buf_truncate(pack, 0);
    size_t at = rdb_listpack_begin(pack);
    type_hash_each(h, put_pair, &(struct saver){pack, RDB_PLAIN, put_packed});
    rdb_listpack_end(pack, at, 2 * type_hash_length(h));
}

void
type_rdb_save_pack(struct buf *out, const struct type_hash *h, enum rdb_compress compress, struct buf *scratch)
{
    type_rdb_pack(h, scratch);
    if (buf_failed(scratch))
        out->failed = true;
    else
        rdb_out_string(out, scratch->data, scratch->len, compress);
}

void
type_rdb_save_hash(struct buf *out, const struct type_hash *h, enum rdb_compress compress)
{
    struct buf pack;
    rdb_out_byte(out, type_rdb_form(h->entry));
    if (shm_entry_encoding(h->entry) == TYPE_HASH_TREE) {
        rdb_out_length(out, type_hash_length(h));
        type_hash_each(h, put_pair, &(struct saver){out, compress, rdb_out_string});
        return;
    }
    buf_init(&pack);
    type_rdb_save_pack(out, h, compress, &pack);
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

/* ---- reading ------------------------------------------------------------------------------------------------------ */

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

static enum type_rdb_result
result_of(bool ok, const struct rdb_read *r)
{
    return ok ? TYPE_RDB_OK : r->wrong == rdb_no_memory ? TYPE_RDB_NO_MEMORY : r->wrong ? TYPE_RDB_BAD : TYPE_RDB_STOPPED;
}

/* Looks through the value; its length, if the heads of a pack do not tell it, needs the deep look. */
static enum type_rdb_result
check_value(struct type_rdb *d, bool deep)
{
    struct rdb_read r = d->r;
    d->value.depth = deep ? RDB_DEEP : RDB_HEADS;
    bool ok = rdb_value_read(&d->value, d->form, &r);
    if (ok && d->value.count == UINT64_MAX)
        return check_value(d, true);
    d->count = d->value.count;
    if (ok && d->count == 0 && rdb_form(d->form)->family != RDB_STREAM) /* streams alone may be empty */
        return TYPE_RDB_BAD;
    return result_of(ok, &r);
}

enum type_rdb_result
type_rdb_open(struct type_rdb *d, const char *bytes, size_t n, bool deep)
{
    static_assert(RDB_STRING_MAX <= SHM_BLOB_MAX, "what can be read can be kept");
    *d = (struct type_rdb){.r = rdb_read_of(bytes, 1, n), .form = n > 0 ? (uint8_t)bytes[0] : RDB_FORMS};
    const struct rdb_form_row *row = rdb_form(d->form);
    if (!row || d->form > RESTORE_FORM_LAST || row->family == RDB_MODULE)
        return TYPE_RDB_BAD;
    d->type_name = rdb_family_name(row->family);
    if (row->family == RDB_STRING) {
        struct rdb_read r = d->r;
        d->type = SHM_TYPE_STRING;
        return result_of(rdb_read_string(&r, &d->string, &d->value.scratch[0]), &r);
    }
    bool known = row->family == RDB_HASH;
    d->type = known ? SHM_TYPE_HASH : 0;
    d->packed = d->form != RDB_FORM_HASH && d->form != RDB_FORM_HASH_ZIPMAP;
    enum type_rdb_result got = check_value(d, deep || !known);
    return got == TYPE_RDB_OK && !known ? TYPE_RDB_UNKNOWN : got;
}

/* Whom type_rdb_each serves. */
struct taker {
    type_rdb_fn *fn;
    void *arg;
};

static bool
take_piece(void *arg, const struct rdb_piece *p)
{
    const struct taker *t = arg;
    return t->fn(t->arg, &p->name, &p->value);
}

enum type_rdb_result
type_rdb_each(struct type_rdb *d, type_rdb_fn *fn, void *arg)
{
    struct taker taker = {.fn = fn, .arg = arg};
    struct rdb_read r = d->r;
    d->value.depth = RDB_HEADS;
    d->value.fn = take_piece;
    d->value.arg = &taker;
    bool ok = rdb_value_read(&d->value, d->form, &r);
    d->value.fn = NULL;
    return ok && d->value.count == 0 ? TYPE_RDB_BAD : result_of(ok, &r);
}

void
type_rdb_close(struct type_rdb *d)
{
    rdb_value_free(&d->value);
}
