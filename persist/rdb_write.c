/* rdb_write.c - a walk's findings as RDB records (see rdb_write.h).
 *
 * Measured for keys of 16 and values of 64 bytes: a copy under the lock takes 25 ns, rendering and compressing 150 more; so a
 * step of 16 KiB holds the lock for some 5 us instead of 30.
 */
#include "persist/rdb_write.h"

#include <string.h>

#include "format/rdb_out.h"
#include "types/type_hash.h"
#include "types/type_rdb.h"
#include "types/type_value.h"

/* In front of each copy: an entry as it lies in the region; or a hash's key and behind it its listpack. */
struct copy {
    uint32_t bytes;    /* behind this, without what fills up to the next multiple of 8 */
    uint32_t key;      /* bytes of the key; COPY_OF_ENTRY: it is an entry */
    int64_t expiry_ms; /* of the hash, or -1 */
};
_Static_assert(sizeof(struct copy) % 8 == 0, "entries are aligned");
#define COPY_OF_ENTRY UINT32_MAX

#define PACK_BYTES (64u << 10) /* of a large string compressed at once: at most 0.1 ms */

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

static void
choose_db(struct rdb_write *w, unsigned db)
{
    if (w->now.db == db)
        return;
    w->now.db = db;
    rdb_out_database(w->out, db, w->cut->db[db].keys, w->cut->db[db].expires);
}

static void
put_head(struct rdb_write *w, int64_t expiry_ms, unsigned form)
{
    if (expiry_ms >= 0)
        rdb_out_expiry(w->out, expiry_ms);
    rdb_out_byte(w->out, form);
}

/* Everything of a key but its value. */
static void
put_key(struct rdb_write *w, const struct shm_entry_sh *e)
{
    struct string_view key;
    put_head(w, shm_entry_expiry(e), type_rdb_form(e));
    type_string_view_key(&key, w->region, e);
    type_rdb_save_view(w->out, &key, w->compress);
}

static void
open_hash(struct type_hash *h, const struct rdb_write *w, const struct shm_entry_sh *e)
{
    type_hash_open(h, (struct shm_region *)(uintptr_t)w->region, 0, (struct shm_entry_sh *)(uintptr_t)e); /* to be read only */
}

/* A whole key. */
static void
put_entry(struct rdb_write *w, const struct shm_entry_sh *e)
{
    put_key(w, e);
    if (shm_entry_type(e) == SHM_TYPE_STRING) {
        struct string_view value;
        type_string_view(&value, w->region, e);
        type_rdb_save_view(w->out, &value, w->compress);
    } else {
        struct type_hash h;
        open_hash(&h, w, e);
        type_rdb_save_pack(w->out, &h, w->compress, &w->scratch);
    }
}

/* ---- copies ------------------------------------------------------------------------------------------------------------- */

static void
render_hash(struct rdb_write *w, const struct copy *c)
{
    const char *key = (const char *)(c + 1);
    put_head(w, c->expiry_ms, RDB_FORM_HASH_LISTPACK);
    rdb_out_string(w->out, key, c->key, w->compress);
    rdb_out_string(w->out, key + c->key, c->bytes - c->key, w->compress);
}

static void
render_copies(struct rdb_write *w)
{
    if (w->copies.len > 0)
        choose_db(w, w->copies_db);
    for (size_t at = 0; at < w->copies.len;) {
        const struct copy *c = (const struct copy *)(const void *)(w->copies.data + at);
        if (c->key == COPY_OF_ENTRY)
            put_entry(w, (const struct shm_entry_sh *)(const void *)(c + 1));
        else
            render_hash(w, c);
        at += sizeof *c + (c->bytes + 7ul) / 8 * 8;
    }
    buf_truncate(&w->copies, 0);
}

/* Room for the head of a copy and what follows; NULL: no private memory. */
static struct copy *
copy_begin(struct rdb_write *w, size_t bytes)
{
    if (!buf_reserve(&w->copies, sizeof(struct copy) + bytes + 8))
        return NULL;
    return (struct copy *)(void *)(w->copies.data + w->copies.len);
}

static void
copy_entry(struct rdb_write *w, const struct shm_entry_sh *e)
{
    size_t n = shm_entry_bytes(e);
    struct copy *c = copy_begin(w, n);
    if (!c)
        return;
    *c = (struct copy){.bytes = (uint32_t)n, .key = COPY_OF_ENTRY};
    memcpy(c + 1, e, n);
    w->copies.len += sizeof *c + (n + 7) / 8 * 8;
}

/* A hash in blocks outside its entry. */
static void
copy_hash(struct rdb_write *w, const struct shm_entry_sh *e)
{
    struct type_hash h;
    open_hash(&h, w, e);
    type_rdb_pack(&h, &w->scratch);
    size_t key = shm_entry_klen(e), pack = buf_pending(&w->scratch);
    struct copy *c = buf_failed(&w->scratch) ? NULL : copy_begin(w, key + pack);
    if (!c) {
        w->copies.failed = true;
        return;
    }
    *c = (struct copy){.bytes = (uint32_t)(key + pack), .key = (uint32_t)key, .expiry_ms = shm_entry_expiry(e)};
    memcpy(c + 1, shm_entry_key(e), key);
    memcpy((char *)(c + 1) + key, buf_head(&w->scratch), pack);
    w->copies.len += sizeof *c + (key + pack + 7) / 8 * 8;
}

static bool
sink_entry(void *arg, unsigned db, const struct shm_entry_sh *e)
{
    struct rdb_write *w = arg;
    bool long_key = e->flags & SHM_ENTRY_KEYBLOB, alone = !type_value_needs_lock(e);
    if (w->copies.len > 0 && db != w->copies_db)
        render_copies(w);
    w->copies_db = db;
    if (!long_key && alone) {
        copy_entry(w, e);
    } else if (!long_key && shm_entry_type(e) == SHM_TYPE_HASH) {
        copy_hash(w, e);
    } else {
        choose_db(w, db);
        put_entry(w, e);
    }
    return !rdb_write_failed(w);
}

/* ---- large strings ------------------------------------------------------------------------------------------------------ */

/* A string of `n` bytes follows in pieces. */
static void
string_begin(struct rdb_write *w, uint64_t n)
{
    if (w->compress == RDB_PLAIN || n > RDB_WRITE_PACKED_MAX) {
        rdb_out_length(w->out, n);
        return;
    }
    w->now.string = n;
    w->now.gathered = 0;
}

/* The string's beginning does not get shorter: it is written as it comes. */
static void
write_plainly(struct rdb_write *w)
{
    rdb_out_length(w->out, w->now.string);
    buf_append(w->out, buf_head(&w->pieces), buf_pending(&w->pieces));
    w->now.string = 0;
}

/* Compresses what came, if it is enough; writes the string if that was all of it. */
static void
pack_pieces(struct rdb_write *w)
{
    bool whole = w->now.gathered == w->now.string;
    if (!whole && buf_pending(&w->pieces) < PACK_BYTES)
        return;
    if (!rdb_out_compress_piece(&w->packed, buf_head(&w->pieces), buf_pending(&w->pieces), buf_pending(&w->packed) == 0)) {
        write_plainly(w);
    } else if (whole) {
        rdb_out_compressed(w->out, &w->packed, w->now.string);
        w->now.string = 0;
    }
    buf_truncate(&w->pieces, 0);
    if (w->now.string == 0)
        buf_clear(&w->packed, PACK_BYTES);
}

/* ---- large values ------------------------------------------------------------------------------------------------------- */

static bool
sink_begin(void *arg, unsigned db, const struct shm_entry_sh *e, uint64_t count)
{
    struct rdb_write *w = arg;
    render_copies(w); /* records do not mix */
    choose_db(w, db);
    put_key(w, e);
    if (shm_entry_type(e) == SHM_TYPE_STRING)
        string_begin(w, count);
    else
        rdb_out_length(w->out, count);
    return !buf_failed(w->out);
}

static bool
sink_field(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct rdb_write *w = arg;
    type_rdb_save_view(w->out, field, w->compress);
    type_rdb_save_view(w->out, value, w->compress);
    return !buf_failed(w->out);
}

static bool
sink_field_begin(void *arg, const struct string_view *field, uint64_t bytes)
{
    struct rdb_write *w = arg;
    type_rdb_save_view(w->out, field, w->compress);
    string_begin(w, bytes);
    return !buf_failed(w->out);
}

static bool
sink_piece(void *arg, const char *bytes, size_t n)
{
    struct rdb_write *w = arg;
    buf_append(w->now.string ? &w->pieces : w->out, bytes, n);
    w->now.gathered += n;
    return !rdb_write_failed(w);
}

static bool
sink_end(void *arg)
{
    (void)arg;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

void
rdb_write_begin(struct rdb_write *w, struct buf *out, const struct shm_region *r, const struct shm_cut *cut, enum rdb_compress compress)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->region = r;
    w->cut = cut;
    w->compress = compress;
    w->now.db = RDB_WRITE_NO_DB;
    w->now.len = out->len;
    w->settled = w->now;
}

void
rdb_write_end(struct rdb_write *w)
{
    buf_destroy(&w->copies);
    buf_destroy(&w->pieces);
    buf_destroy(&w->packed);
    buf_destroy(&w->scratch);
}

struct type_walk_sink
rdb_write_sink(struct rdb_write *w)
{
    return (struct type_walk_sink){.arg = w, .entry = sink_entry, .begin = sink_begin, .field = sink_field, .field_begin = sink_field_begin,
        .piece = sink_piece, .end = sink_end};
}

void
rdb_write_settle(struct rdb_write *w)
{
    render_copies(w);
    if (w->now.string)
        pack_pieces(w);
    w->now.pieces = w->pieces.len;
    w->now.len = w->out->len;
    w->settled = w->now;
}

void
rdb_write_undo(struct rdb_write *w)
{
    buf_truncate(w->out, w->settled.len);
    buf_truncate(&w->copies, 0);
    buf_truncate(&w->pieces, w->settled.pieces);
    w->now = w->settled;
}
