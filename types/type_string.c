/* type_string.c - string values (see type_string.h for encodings and use).
 *
 * Writing is in two halves: a plan says what the value will be, without touching the region; then it goes into the
 * present entry, or into a new one. A change in place notes what it overwrites; what it adds behind the old end needs no
 * note (type_entry.h).
 *
 * Process: workers, housekeeper. Locks: the shard's, needed. Crash: class T, undone. Fails: want of memory is returned.
 */
#include "types/type_string.h"

#include "base/apart.h"
#include "base/decimal.h"
#include "types/type_entry.h"

_Static_assert(TYPE_STRING_EMBSTR_MAX <= UINT8_MAX, "embstr is always inline");

/* ---- numbers -------------------------------------------------------------------------------------------------- */

size_t
type_string_render_int(int64_t number, char digits[TYPE_STRING_DIGITS])
{
    return decimal_write(number, digits);
}

/* ---- views ---------------------------------------------------------------------------------------------------------- */

static struct shm_blob_sh
blob_at(const char *p)
{
    struct shm_blob_sh b;
    memcpy(&b, p, sizeof b);
    return b;
}

static void
view_blob(struct string_view *v, const struct shm_region *r, const char *p)
{
    v->blob = blob_at(p);
    v->len = v->blob.len;
    v->region = r;
    v->bytes = NULL;
}

void
type_string_view_bytes(struct string_view *v, const char *bytes, size_t n)
{
    v->bytes = bytes;
    v->len = n;
    v->region = NULL;
}

void
type_string_view(struct string_view *v, const struct shm_region *r, const struct shm_entry_sh *e)
{
    const char *value = shm_entry_value(e);
    int64_t number;
    switch (shm_entry_encoding(e)) {
    case TYPE_STRING_INT:
        memcpy(&number, value, sizeof number);
        v->len = type_string_render_int(number, v->digits);
        v->bytes = NULL;
        v->region = NULL;
        break;
    case TYPE_STRING_BLOB:
        view_blob(v, r, value);
        break;
    default:
        type_string_view_bytes(v, value, shm_entry_vlen(e));
    }
}

void
type_string_view_key(struct string_view *v, const struct shm_region *r, const struct shm_entry_sh *e)
{
    if (e->flags & SHM_ENTRY_KEYBLOB)
        view_blob(v, r, shm_entry_key(e));
    else
        type_string_view_bytes(v, shm_entry_key(e), shm_entry_klen(e));
}

bool
type_string_needs_lock(const struct shm_entry_sh *e)
{
    return shm_entry_encoding(e) == TYPE_STRING_BLOB;
}

const char *
type_string_piece(const struct string_view *v, size_t at, size_t *n)
{
    static const char zeros[SHM_BLOB_LEAF];
    xassert(at < v->len);
    if (v->region) {
        const char *p = shm_blob_at(v->region, &v->blob, at, n);
        return p ? p : zeros;
    }
    *n = v->len - at;
    return (v->bytes ? v->bytes : v->digits) + at;
}

void
type_string_copy(const struct string_view *v, size_t at, char *out, size_t n)
{
    xassert(at <= v->len && n <= v->len - at);
    while (n > 0) {
        size_t k;
        const char *p = type_string_piece(v, at, &k);
        k = k < n ? k : n;
        memcpy(out, p, k);
        at += k;
        out += k;
        n -= k;
    }
}

bool
type_string_view_int(const struct string_view *v, int64_t *number)
{
    size_t n;
    if (v->len == 0 || v->len > TYPE_STRING_INT_CHARS)
        return false;
    const char *p = type_string_piece(v, 0, &n);
    return n == v->len && decimal_read(p, n, number);
}

/* ---- plans ------------------------------------------------------------------------------------------------------------ */

/* RAW if such an entry fits a block, else BLOB. */
static void
plan_place(struct string_plan *p, size_t klen)
{
    size_t inline_bytes = p->len <= SHM_BLOCK_MAX ? shm_entry_size_for(type_string_key_part(klen), p->len, true) : SIZE_MAX;
    bool fits = inline_bytes <= SHM_BLOCK_MAX;
    p->encoding = fits ? TYPE_STRING_RAW : TYPE_STRING_BLOB;
    p->vlen = fits ? p->len : sizeof(struct shm_blob_sh);
}

static void
plan_bytes(struct string_plan *p, const char *bytes, size_t n)
{
    type_string_view_bytes(&p->base, "", 0);
    p->at = 0;
    p->bytes = bytes;
    p->n = p->len = n;
}

void
type_string_plan_int(struct string_plan *p, int64_t number)
{
    plan_bytes(p, "", 0);
    p->encoding = TYPE_STRING_INT;
    p->vlen = sizeof p->number;
    p->number = number;
}

void
type_string_plan_set(struct string_plan *p, const char *bytes, size_t n, size_t klen)
{
    int64_t number;
    if (decimal_read(bytes, n, &number)) {
        type_string_plan_int(p, number);
        return;
    }
    type_string_plan_raw(p, bytes, n, klen);
    if (n <= TYPE_STRING_EMBSTR_MAX)
        p->encoding = TYPE_STRING_EMBSTR;
}

void
type_string_plan_raw(struct string_plan *p, const char *bytes, size_t n, size_t klen)
{
    plan_bytes(p, bytes, n);
    plan_place(p, klen);
}

void
type_string_plan_splice(struct string_plan *p, const struct string_view *old, size_t at, const char *bytes, size_t n, size_t klen)
{
    p->base = *old;
    p->at = at;
    p->bytes = bytes;
    p->n = n;
    p->len = at + n > old->len ? at + n : old->len;
    plan_place(p, klen);
}

void
type_string_plan_copy(struct string_plan *p, const struct shm_region *r, const struct shm_entry_sh *e, size_t klen)
{
    struct string_view v;
    unsigned encoding = shm_entry_encoding(e);
    type_string_view(&v, r, e);
    if (encoding == TYPE_STRING_INT) {
        int64_t number;
        memcpy(&number, shm_entry_value(e), sizeof number);
        type_string_plan_int(p, number);
        return;
    }
    type_string_plan_splice(p, &v, v.len, "", 0, klen);
    if (encoding == TYPE_STRING_EMBSTR)
        p->encoding = TYPE_STRING_EMBSTR;
}

/* The base with the planned bytes over it, into contiguous room of p->len. */
static APART void
plan_compose(const struct string_plan *p, char *to)
{
    size_t head = p->base.len < p->at ? p->base.len : p->at, end = p->at + p->n;
    type_string_copy(&p->base, 0, to, head);
    memset(to + head, 0, p->at - head);
    memcpy(to + p->at, p->bytes, p->n);
    if (p->base.len > end)
        type_string_copy(&p->base, end, to + end, p->base.len - end);
}

/* Copies [from, to) of the base into a blob; its holes stay holes. */
static bool
blob_copy_base(struct shm_tx *tx, unsigned shard, struct shm_blob_sh *b, const struct string_view *base, size_t from, size_t to)
{
    for (size_t at = from, n; at < to; at += n) {
        const char *p = base->region ? shm_blob_at(base->region, &base->blob, at, &n) : type_string_piece(base, at, &n);
        n = n < to - at ? n : to - at;
        if (p && !shm_blob_write(tx, shard, b, at, p, n))
            return false;
    }
    return true;
}

static bool
plan_write_blob(struct shm_tx *tx, unsigned shard, const struct string_plan *p, char *value)
{
    struct shm_blob_sh b = {0, 0};
    size_t head = p->base.len < p->at ? p->base.len : p->at, end = p->at + p->n;
    if (!shm_blob_resize(tx, shard, &b, p->len) || !blob_copy_base(tx, shard, &b, &p->base, 0, head) ||
        !shm_blob_write(tx, shard, &b, p->at, p->bytes, p->n) ||
        (p->base.len > end && !blob_copy_base(tx, shard, &b, &p->base, end, p->base.len)))
        return false;
    memcpy(value, &b, sizeof b);
    return true;
}

/* The value part of an INT, EMBSTR or RAW. */
static void
plan_write_inline(const struct string_plan *p, char *value)
{
    if (p->encoding == TYPE_STRING_INT)
        memcpy(value, &p->number, sizeof p->number);
    else if (p->len == p->n) /* all of it is new */
        memcpy(value, p->bytes, p->n);
    else
        plan_compose(p, value);
}

bool
type_string_plan_write(struct shm_tx *tx, unsigned shard, const struct string_plan *p, char *value)
{
    if (p->encoding == TYPE_STRING_BLOB)
        return plan_write_blob(tx, shard, p, value);
    plan_write_inline(p, value);
    return true;
}

/* ---- changes in place ------------------------------------------------------------------------------------------------------ */

static bool
is_string(const struct shm_entry_sh *e)
{
    return shm_entry_type(e) == SHM_TYPE_STRING || shm_entry_type(e) == SHM_TYPE_FIELD;
}

/* Does the value part, made that long, leave the entry in a block of the class that it would get? */
static bool
fits_as_if_new(const struct shm_region *r, const struct shm_entry_sh *e, size_t vlen)
{
    return type_entry_fits(r, e, vlen) && shm_class_size_for(type_entry_need(e, vlen)) == shm_block_size(r, shm_off_of(r, e));
}

enum type_change
type_string_set(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e, const struct string_plan *p)
{
    (void)shard;
    if (!is_string(e) || shm_entry_encoding(e) == TYPE_STRING_BLOB || p->encoding == TYPE_STRING_BLOB ||
        (shm_entry_vlen(e) != p->vlen && !fits_as_if_new(tx->region, e, p->vlen)))
        return TYPE_REPLACE;
    char *value = shm_entry_value(e);
    if (!shm_tx_note(tx, value, shm_entry_vlen(e)) || !type_entry_set_shape(tx, e, p->encoding, p->vlen))
        return TYPE_FAILED;
    plan_write_inline(p, value);
    return TYPE_DONE;
}

static enum type_change
write_blob(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e, size_t at, const char *bytes, size_t n)
{
    struct shm_blob_sh old = blob_at(shm_entry_value(e)), b = old;
    if (!shm_blob_write(tx, shard, &b, at, bytes, n))
        return TYPE_FAILED;
    if (b.len == old.len && b.root == old.root)
        return TYPE_DONE;
    return shm_tx_write(tx, shm_entry_value(e), &b, sizeof b) ? TYPE_DONE : TYPE_FAILED;
}

enum type_change
type_string_write(struct shm_tx *tx, unsigned shard, struct shm_entry_sh *e, size_t at, const char *bytes, size_t n)
{
    unsigned encoding = shm_entry_encoding(e);
    xassert(is_string(e) && n >= 1);
    if (encoding == TYPE_STRING_INT)
        return TYPE_REPLACE;
    if (encoding == TYPE_STRING_BLOB)
        return write_blob(tx, shard, e, at, bytes, n);
    size_t old = shm_entry_vlen(e), vlen = at + n > old ? at + n : old;
    if (!type_entry_fits(tx->region, e, vlen))
        return TYPE_REPLACE;
    char *value = shm_entry_value(e);
    size_t noted = at < old ? (at + n < old ? n : old - at) : 0;
    if ((noted && !shm_tx_note(tx, value + at, noted)) || !type_entry_set_shape(tx, e, TYPE_STRING_RAW, vlen))
        return TYPE_FAILED;
    if (at > old)
        memset(value + old, 0, at - old);
    memcpy(value + at, bytes, n);
    return TYPE_DONE;
}

/* ---- what all types have ------------------------------------------------------------------------------------------------------ */

bool
type_string_free(struct shm_tx *tx, unsigned shard, const struct shm_entry_sh *e)
{
    struct shm_blob_sh b;
    if (shm_entry_encoding(e) != TYPE_STRING_BLOB)
        return true;
    b = blob_at(shm_entry_value(e));
    return shm_blob_free(tx, shard, &b);
}

size_t
type_string_memory(const struct shm_region *r, const struct shm_entry_sh *e)
{
    struct shm_blob_sh b;
    if (shm_entry_encoding(e) != TYPE_STRING_BLOB)
        return 0;
    b = blob_at(shm_entry_value(e));
    return shm_blob_memory(r, &b);
}

const char *
type_string_encoding_name(const struct shm_entry_sh *e)
{
    switch (shm_entry_encoding(e)) {
    case TYPE_STRING_INT:
        return "int";
    case TYPE_STRING_EMBSTR:
        return "embstr";
    default:
        return "raw";
    }
}
