/* rdb_value.c - values of an RDB image (see rdb_value.h); streams are in rdb_stream.c.
 *
 * A form is a row of a table: how one of its elements is read, or which pack holds them. All elements end in the same few
 * lines, which look for what stands twice, count, and hand out.
 *
 * Process: any. Locks: none. Fails: damaged input and want of private memory are told in the cursor.
 */
#include "format/rdb_value.h"

#include <math.h>

#include "format/rdb_value_parts.h"

#define FIELD_EXPIRY_MAX ((1ull << 48) - 2) /* of 7.4 */
#define NODE_PLAIN 1u /* a quicklist's node: one element */
#define NODE_PACKED 2u

/* ---- elements ----------------------------------------------------------------------------------------------------- */

bool
rdb_value_unseen(struct rdb_seen *seen, struct rdb_read *r, const struct rdb_string *s, const char *what)
{
    switch (rdb_seen_add(seen, rdb_string_bytes(s), s->len)) {
    case RDB_SEEN_NEW:
        return true;
    case RDB_SEEN_BEFORE:
        return rdb_read_fail(r, what);
    case RDB_SEEN_NO_MEMORY:
        return rdb_read_fail(r, rdb_no_memory);
    }
    return false;
}

/* Counts n more; once a head has not told how many it has, the sum is not known. */
static void
count(struct rdb_value *v, uint64_t n)
{
    v->count = n == UINT64_MAX || v->count == UINT64_MAX ? UINT64_MAX : v->count + n;
}

static bool
deliver_element(struct rdb_value *v)
{
    count(v, 1);
    return rdb_value_emit(v, RDB_PIECE_ELEMENT);
}

static bool
deliver_member(struct rdb_value *v, struct rdb_read *r)
{
    if (v->depth == RDB_DEEP && !rdb_value_unseen(&v->seen[0], r, &v->piece.value, "a member stands twice in a set"))
        return false;
    return deliver_element(v);
}

static bool
deliver_scored(struct rdb_value *v, struct rdb_read *r)
{
    if (isnan(v->piece.score))
        return rdb_read_fail(r, "a score is not a number");
    if (v->depth == RDB_DEEP && !rdb_value_unseen(&v->seen[0], r, &v->piece.value, "a member stands twice in a sorted set"))
        return false;
    count(v, 1);
    return rdb_value_emit(v, RDB_PIECE_SCORED);
}

static bool
deliver_field(struct rdb_value *v, struct rdb_read *r)
{
    if (v->depth == RDB_DEEP && !rdb_value_unseen(&v->seen[0], r, &v->piece.name, "a field stands twice in a hash"))
        return false;
    count(v, 1);
    return rdb_value_emit(v, RDB_PIECE_FIELD);
}

/* An expiry of a field, 0 for none, becomes the piece's. */
static bool
set_expiry(struct rdb_value *v, struct rdb_read *r, uint64_t ms)
{
    v->piece.expires_ms = ms ? (int64_t)ms : -1;
    return ms <= FIELD_EXPIRY_MAX || rdb_read_fail(r, "a field's expiry is out of range");
}

/* ---- collections of plain strings --------------------------------------------------------------------------------- */

/* Reads one element; base is added to the expiry of a field that has one. */
typedef bool read_fn(struct rdb_value *v, struct rdb_read *r, uint64_t base);

static bool
read_value(struct rdb_value *v, struct rdb_read *r)
{
    return rdb_value_walks(v) ? rdb_read_string(r, &v->piece.value, &v->scratch[1]) : rdb_read_skip_string(r);
}

static bool
read_name(struct rdb_value *v, struct rdb_read *r)
{
    return rdb_value_walks(v) ? rdb_read_string(r, &v->piece.name, &v->scratch[2]) : rdb_read_skip_string(r);
}

static bool
read_element(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    (void)base;
    return read_value(v, r) && deliver_element(v);
}

static bool
read_member(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    (void)base;
    return read_value(v, r) && deliver_member(v, r);
}

static bool
read_scored_text(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    (void)base;
    return read_value(v, r) && rdb_read_text_double(r, &v->piece.score) && deliver_scored(v, r);
}

static bool
read_scored(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    uint64_t bits;
    (void)base;
    if (!read_value(v, r) || !rdb_read_u64(r, &bits))
        return false;
    memcpy(&v->piece.score, &bits, sizeof bits);
    return deliver_scored(v, r);
}

static bool
read_field(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    (void)base;
    v->piece.expires_ms = -1;
    return read_name(v, r) && read_value(v, r) && deliver_field(v, r);
}

static bool
read_expiring_field(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    uint64_t ms;
    if (!rdb_read_length(r, &ms))
        return false;
    if (ms && ms <= FIELD_EXPIRY_MAX)
        ms += base;
    return set_expiry(v, r, ms) && read_name(v, r) && read_value(v, r) && deliver_field(v, r);
}

/* ---- packed collections ------------------------------------------------------------------------------------------- */

static const char *
damaged(enum rdb_pack_form form)
{
    static const char *const names[] = {[RDB_LISTPACK] = "a listpack is damaged", [RDB_ZIPLIST] = "a ziplist is damaged",
        [RDB_ZIPMAP] = "a zipmap is damaged"};
    return names[form];
}

bool
rdb_value_open_pack(struct rdb_value *v, struct rdb_read *r, enum rdb_pack_form form, struct rdb_pack *pack)
{
    struct rdb_string s;
    size_t at = r->at;
    if (!rdb_read_string(r, &s, &v->scratch[0]))
        return false;
    return (s.bytes && rdb_pack_open(pack, form, (const uint8_t *)s.bytes, s.len)) || rdb_read_fail_at(r, at, damaged(form));
}

static bool
deliver_tuple(struct rdb_value *v, struct rdb_read *r, enum rdb_family family)
{
    switch (family) {
    case RDB_LIST:
        return deliver_element(v);
    case RDB_SET:
        return deliver_member(v, r);
    case RDB_ZSET:
        if (!rdb_read_score(&v->third, &v->piece.score))
            return rdb_read_fail(r, "a score is not a number");
        return deliver_scored(v, r);
    default:
        return deliver_field(v, r);
    }
}

/* The expiry of a field in a pack, a number. */
static bool
read_packed_expiry(struct rdb_value *v, struct rdb_read *r)
{
    int64_t ms;
    if (!rdb_string_int(&v->third, &ms) || ms < 0)
        return rdb_read_fail(r, "a field's expiry is not a number");
    return set_expiry(v, r, (uint64_t)ms);
}

/* The next strings of a pack as an element of this family, with an expiry if it is wide: 1, 0 at the end, -1 wrong. */
static int
read_tuple(struct rdb_value *v, struct rdb_read *r, struct rdb_pack *pack, enum rdb_family family, bool wide)
{
    bool named = family == RDB_HASH, scored = family == RDB_ZSET;
    int got = rdb_pack_next(pack, named ? &v->piece.name : &v->piece.value);
    if (got == 1 && named && rdb_pack_next(pack, &v->piece.value) != 1)
        got = -1;
    if (got == 1 && (scored || wide) && rdb_pack_next(pack, &v->third) != 1)
        got = -1;
    if (got < 0)
        rdb_read_fail(r, damaged(pack->form));
    if (got != 1)
        return got;
    v->piece.expires_ms = -1;
    return (!wide || read_packed_expiry(v, r)) && deliver_tuple(v, r, family) ? 1 : -1;
}

static bool
read_pack(struct rdb_value *v, struct rdb_read *r, enum rdb_pack_form form, enum rdb_family family, bool wide)
{
    struct rdb_pack pack;
    size_t at = r->at;
    unsigned width = wide ? 3 : family == RDB_ZSET || family == RDB_HASH ? 2 : 1;
    if (!rdb_value_open_pack(v, r, form, &pack))
        return false;
    if (!rdb_value_walks(v)) {
        count(v, pack.said == UINT64_MAX ? UINT64_MAX : pack.said / width);
        return pack.said == UINT64_MAX || pack.said % width == 0 || rdb_read_fail_at(r, at, damaged(form));
    }
    int got;
    do {
        got = read_tuple(v, r, &pack, family, wide);
    } while (got == 1);
    if (got < 0)
        r->wrong_at = at;
    return got == 0;
}

/* u32 width of an integer in bytes, u32 how many, the integers in ascending order; all little-endian. */
static bool
read_intset(struct rdb_value *v, struct rdb_read *r)
{
    struct rdb_string s;
    uint32_t head[2];
    size_t at = r->at;
    if (!rdb_read_string(r, &s, &v->scratch[0]))
        return false;
    if (!s.bytes || s.len < sizeof head)
        return rdb_read_fail_at(r, at, "a set of integers is damaged");
    memcpy(head, s.bytes, sizeof head);
    uint64_t width = head[0], n = head[1];
    if ((width != 2 && width != 4 && width != 8) || n == 0 || s.len - sizeof head != width * n)
        return rdb_read_fail_at(r, at, "a set of integers is damaged");
    if (!rdb_value_walks(v))
        v->count = n;
    int64_t before = INT64_MIN;
    for (uint64_t i = 0; rdb_value_walks(v) && i < n; i++) {
        int64_t number = rdb_pack_little((const uint8_t *)s.bytes + sizeof head + i * width, width);
        if (i > 0 && number <= before)
            return rdb_read_fail_at(r, at, "a set's integers do not ascend");
        rdb_string_set_int(&v->piece.value, number);
        if (!deliver_element(v))
            return false;
        before = number;
    }
    return true;
}

/* ---- lists of nodes ----------------------------------------------------------------------------------------------- */

static bool
read_ziplist_node(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    (void)base;
    return read_pack(v, r, RDB_ZIPLIST, RDB_LIST, false);
}

static bool
read_node(struct rdb_value *v, struct rdb_read *r, uint64_t base)
{
    uint64_t container;
    size_t at = r->at;
    if (!rdb_read_length(r, &container))
        return false;
    if (container == NODE_PLAIN)
        return read_element(v, r, base);
    if (container == NODE_PACKED)
        return read_pack(v, r, RDB_LISTPACK, RDB_LIST, false);
    return rdb_read_fail_at(r, at, "this kind of a list's node is not known");
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */

static bool
read_string(struct rdb_value *v, struct rdb_read *r)
{
    v->count = 1;
    return read_value(v, r) && rdb_value_emit(v, RDB_PIECE_STRING);
}

#define NO_PACK -1

static const struct {
    read_fn *one; /* an element of those that a length counts; NULL: they are in a pack */
    int pack;     /* enum rdb_pack_form */
    bool based;   /* the least expiry of a field stands in front */
    bool wide;    /* fields of a pack have expiries */
} forms[RDB_FORMS] = {
    [RDB_FORM_LIST] = {read_element, NO_PACK, false, false},
    [RDB_FORM_SET] = {read_member, NO_PACK, false, false},
    [RDB_FORM_ZSET] = {read_scored_text, NO_PACK, false, false},
    [RDB_FORM_HASH] = {read_field, NO_PACK, false, false},
    [RDB_FORM_ZSET_2] = {read_scored, NO_PACK, false, false},
    [RDB_FORM_HASH_ZIPMAP] = {NULL, RDB_ZIPMAP, false, false},
    [RDB_FORM_LIST_ZIPLIST] = {NULL, RDB_ZIPLIST, false, false},
    [RDB_FORM_ZSET_ZIPLIST] = {NULL, RDB_ZIPLIST, false, false},
    [RDB_FORM_HASH_ZIPLIST] = {NULL, RDB_ZIPLIST, false, false},
    [RDB_FORM_LIST_QUICKLIST] = {read_ziplist_node, NO_PACK, false, false},
    [RDB_FORM_HASH_LISTPACK] = {NULL, RDB_LISTPACK, false, false},
    [RDB_FORM_ZSET_LISTPACK] = {NULL, RDB_LISTPACK, false, false},
    [RDB_FORM_LIST_QUICKLIST_2] = {read_node, NO_PACK, false, false},
    [RDB_FORM_SET_LISTPACK] = {NULL, RDB_LISTPACK, false, false},
    [RDB_FORM_HASH_METADATA_PRE_GA] = {read_expiring_field, NO_PACK, false, false},
    [RDB_FORM_HASH_LISTPACK_EX_PRE_GA] = {NULL, RDB_LISTPACK, false, true},
    [RDB_FORM_HASH_METADATA] = {read_expiring_field, NO_PACK, true, false},
    [RDB_FORM_HASH_LISTPACK_EX] = {NULL, RDB_LISTPACK, true, true},
};

static bool
read_counted(struct rdb_value *v, struct rdb_read *r, read_fn *one, uint64_t base)
{
    uint64_t n;
    bool ok = rdb_read_length(r, &n);
    for (; ok && n > 0; n--) /* each takes a byte at least */
        ok = one(v, r, base);
    return ok;
}

static bool
read_collection(struct rdb_value *v, unsigned form, enum rdb_family family, struct rdb_read *r)
{
    uint64_t least = 1;
    if (forms[form].based && !rdb_read_u64(r, &least))
        return false;
    if (least > FIELD_EXPIRY_MAX + 1) /* which stands for none */
        return rdb_read_fail_at(r, r->at - sizeof least, "a field's expiry is out of range");
    if (forms[form].one) /* 1 stands for the least expiry, because 0 is none */
        return read_counted(v, r, forms[form].one, least - 1);
    return read_pack(v, r, (enum rdb_pack_form)forms[form].pack, family, forms[form].wide);
}

bool
rdb_value_read(struct rdb_value *v, unsigned form, struct rdb_read *r)
{
    const struct rdb_form_row *row = rdb_form(form);
    v->count = 0;
    rdb_seen_clear(&v->seen[0]);
    if (!row || row->family == RDB_MODULE)
        return rdb_form_skip(r, form);
    if (form == RDB_FORM_STRING)
        return read_string(v, r);
    if (form == RDB_FORM_SET_INTSET)
        return read_intset(v, r);
    if (row->family == RDB_STREAM)
        return rdb_stream_read(v, form, r);
    return read_collection(v, form, row->family, r);
}

void
rdb_value_free(struct rdb_value *v)
{
    for (unsigned i = 0; i < 3; i++)
        rdb_scratch_free(&v->scratch[i]);
    rdb_seen_free(&v->seen[0]);
    rdb_seen_free(&v->seen[1]);
}
