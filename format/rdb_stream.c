/* rdb_stream.c - streams of an RDB image (see rdb_value.h).
 *
 *   stream    nodes, counted: id of 16 bytes big-endian, as a string | a listpack
 *             length, id of the last entry; from form 2 on: id of the first, greatest deleted id, entries ever added
 *             groups, counted: name, id last delivered; from form 2 on: entries read
 *                 pending, counted: id of 16 raw bytes, time of delivery, deliveries
 *                 consumers, counted: name, time seen; from form 3 on: time active; their pending ids, counted: 16 raw bytes
 *   listpack  entries, deleted ones, number of fields, the fields' names, 0: what most entries have in common
 *             for each entry: flags, ms and sequence less the node's;
 *                 flag 2 (the common fields): values; else number of fields, then names and values in turn;
 *                 how many of the listpack's items these are
 *
 * A consumer's pending ids are looked up in his group's, which stand before them in ascending order: they are kept in an
 * array, whose size the bytes that are there bound.
 *
 * Process: any. Locks: none. Fails: damaged input and want of private memory are told in the cursor.
 */
#include <stdlib.h>

#include "format/rdb_value_parts.h"

#define ID_BYTES 16u
#define PENDING_BYTES 25u /* at least */
#define NODE_DAMAGED "a stream's listpack is damaged"

enum { FLAG_DELETED = 1, FLAG_COMMON_FIELDS = 2 };

static struct rdb_id
id_of(const uint8_t *p)
{
    uint64_t ms, seq;
    memcpy(&ms, p, sizeof ms);
    memcpy(&seq, p + sizeof ms, sizeof seq);
    return (struct rdb_id){__builtin_bswap64(ms), __builtin_bswap64(seq)};
}

static bool
id_less(struct rdb_id a, struct rdb_id b)
{
    return a.ms < b.ms || (a.ms == b.ms && a.seq < b.seq);
}

static bool
read_raw_id(struct rdb_read *r, struct rdb_id *id)
{
    const uint8_t *p;
    if (!rdb_read_bytes(r, ID_BYTES, &p))
        return false;
    *id = id_of(p);
    return true;
}

static bool
read_id(struct rdb_read *r, struct rdb_id *id)
{
    return rdb_read_length(r, &id->ms) && rdb_read_length(r, &id->seq);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

/* A node while its listpack is read. */
struct node {
    struct rdb_pack pack;
    struct rdb_pack names; /* at the first of the common names */
    struct rdb_id id;
    uint64_t common;       /* names */
    uint64_t live, dead;   /* entries to come, as the head says */
};

static bool
pack_number(struct rdb_pack *pack, uint64_t *v)
{
    struct rdb_string s;
    int64_t number;
    if (rdb_pack_next(pack, &s) != 1 || !rdb_string_int(&s, &number))
        return false;
    *v = (uint64_t)number;
    return true;
}

/* The head of a node: what entries have in common. */
static bool
node_head(struct node *node)
{
    struct rdb_string s;
    uint64_t zero;
    if (!pack_number(&node->pack, &node->live) || !pack_number(&node->pack, &node->dead) || !pack_number(&node->pack, &node->common))
        return false;
    node->names = node->pack;
    for (uint64_t i = 0; i < node->common; i++)
        if (rdb_pack_next(&node->pack, &s) != 1)
            return false;
    return pack_number(&node->pack, &zero) && zero == 0;
}

/* The fields of an entry; those of a deleted one are not handed out. */
static bool
node_fields(struct rdb_value *v, struct rdb_read *r, struct node *node, uint64_t fields, bool common, bool deleted)
{
    struct rdb_pack names = node->names, *from = common ? &names : &node->pack;
    v->piece.expires_ms = -1;
    for (uint64_t i = 0; i < fields; i++) {
        if (rdb_pack_next(from, &v->piece.name) != 1 || rdb_pack_next(&node->pack, &v->piece.value) != 1)
            return rdb_read_fail(r, NODE_DAMAGED);
        if (!deleted && !rdb_value_emit(v, RDB_PIECE_FIELD))
            return false;
    }
    return true;
}

/* An entry has a greater id than the one before, and is one of those that the node's head counts. */
static bool
count_entry(struct rdb_value *v, struct node *node, struct rdb_id id, bool deleted)
{
    uint64_t *left = deleted ? &node->dead : &node->live;
    if (*left == 0 || !id_less(v->last, id))
        return false;
    --*left;
    v->last = id;
    v->piece.id = id;
    if (!deleted && v->count++ == 0)
        v->piece.first = id;
    return true;
}

/* An entry whose flags were read. */
static bool
node_entry(struct rdb_value *v, struct rdb_read *r, struct node *node, uint64_t flags)
{
    uint64_t ms, seq, fields = node->common, items;
    bool common = flags & FLAG_COMMON_FIELDS, deleted = flags & FLAG_DELETED;
    if (!pack_number(&node->pack, &ms) || !pack_number(&node->pack, &seq) || (!common && !pack_number(&node->pack, &fields)))
        return rdb_read_fail(r, NODE_DAMAGED);
    if (fields > node->pack.n || !count_entry(v, node, (struct rdb_id){node->id.ms + ms, node->id.seq + seq}, deleted))
        return rdb_read_fail(r, "a stream's entries do not ascend, or are not as many as it says");
    v->piece.count = fields;
    if (!deleted && !rdb_value_emit(v, RDB_PIECE_ENTRY))
        return false;
    if (!node_fields(v, r, node, fields, common, deleted))
        return false;
    uint64_t wanted = common ? 3 + fields : 4 + 2 * fields;
    return (pack_number(&node->pack, &items) && items == wanted) || rdb_read_fail(r, NODE_DAMAGED);
}

/* The entries of a node whose listpack is open. */
static bool
node_entries(struct rdb_value *v, struct rdb_read *r, struct node *node)
{
    struct rdb_string flags;
    int64_t number;
    int got;
    if (!node_head(node))
        return rdb_read_fail(r, NODE_DAMAGED);
    while ((got = rdb_pack_next(&node->pack, &flags)) == 1) {
        if (!rdb_string_int(&flags, &number))
            return rdb_read_fail(r, NODE_DAMAGED);
        if (!node_entry(v, r, node, (uint64_t)number))
            return false;
    }
    return (got == 0 && node->live == 0 && node->dead == 0) || rdb_read_fail(r, NODE_DAMAGED);
}

static bool
read_node(struct rdb_value *v, struct rdb_read *r)
{
    struct node node;
    struct rdb_string key;
    size_t at = r->at;
    if (!rdb_read_string(r, &key, &v->scratch[1]))
        return false;
    if (!key.bytes || key.len != ID_BYTES)
        return rdb_read_fail(r, "the id of a stream's node has not 16 bytes");
    node.id = id_of((const uint8_t *)key.bytes);
    if (!rdb_value_open_pack(v, r, RDB_LISTPACK, &node.pack))
        return false;
    if (!rdb_value_walks(v) || node_entries(v, r, &node))
        return true;
    r->wrong_at = at;
    return false;
}

/* ---- groups ------------------------------------------------------------------------------------------------------- */

struct pending {
    struct rdb_id id;
    uint64_t delivered_ms, deliveries;
    bool owned; /* a consumer has it */
};

struct group {
    struct pending *pending; /* ascending */
    uint64_t n;
};

static bool
read_pending(struct rdb_read *r, struct group *g)
{
    g->pending = NULL;
    if (!rdb_read_length(r, &g->n))
        return false;
    if (g->n > rdb_read_left(r) / PENDING_BYTES)
        return rdb_read_fail(r, "a group's pending entries are more than the data");
    g->pending = malloc(g->n * sizeof *g->pending + 1);
    if (!g->pending)
        return rdb_read_fail(r, rdb_no_memory);
    for (uint64_t i = 0; i < g->n; i++) {
        struct pending *p = &g->pending[i];
        p->owned = false;
        if (!read_raw_id(r, &p->id) || !rdb_read_u64(r, &p->delivered_ms) || !rdb_read_length(r, &p->deliveries))
            return false;
        if (i > 0 && !id_less(g->pending[i - 1].id, p->id))
            return rdb_read_fail(r, "a group's pending entries do not ascend");
    }
    return true;
}

static struct pending *
find_pending(const struct group *g, struct rdb_id id)
{
    uint64_t low = 0, high = g->n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (id_less(g->pending[middle].id, id))
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->n && !id_less(id, g->pending[low].id) ? &g->pending[low] : NULL;
}

static bool
read_owned(struct rdb_value *v, struct rdb_read *r, const struct group *g)
{
    struct rdb_id id;
    if (!read_raw_id(r, &id))
        return false;
    struct pending *p = find_pending(g, id);
    if (!p || p->owned)
        return rdb_read_fail(r, p ? "a pending entry has two owners" : "a consumer's pending entry is not his group's");
    p->owned = true;
    v->piece.id = id;
    v->piece.seen_ms = (int64_t)p->delivered_ms;
    v->piece.count = p->deliveries;
    return rdb_value_emit(v, RDB_PIECE_PENDING);
}

static bool
read_consumer(struct rdb_value *v, struct rdb_read *r, unsigned form, const struct group *g)
{
    uint64_t seen_ms, active_ms = UINT64_MAX, n;
    if (!rdb_read_string(r, &v->piece.name, &v->scratch[2]) || !rdb_read_u64(r, &seen_ms) ||
        (form == RDB_FORM_STREAM_LISTPACKS_3 && !rdb_read_u64(r, &active_ms)) ||
        !rdb_value_unseen(&v->seen[1], r, &v->piece.name, "a consumer stands twice in a group"))
        return false;
    v->piece.seen_ms = (int64_t)seen_ms;
    v->piece.active_ms = form == RDB_FORM_STREAM_LISTPACKS_3 ? (int64_t)active_ms : (int64_t)seen_ms;
    bool ok = rdb_value_emit(v, RDB_PIECE_CONSUMER) && rdb_read_length(r, &n);
    for (; ok && n > 0; n--)
        ok = read_owned(v, r, g);
    return ok;
}

static bool
read_consumers(struct rdb_value *v, struct rdb_read *r, unsigned form, const struct group *g)
{
    uint64_t n;
    bool ok = rdb_read_length(r, &n);
    rdb_seen_clear(&v->seen[1]);
    for (; ok && n > 0; n--)
        ok = read_consumer(v, r, form, g);
    for (uint64_t i = 0; ok && v->depth == RDB_DEEP && i < g->n; i++)
        ok = g->pending[i].owned || rdb_read_fail(r, "a pending entry has no owner");
    return ok;
}

/* How many entries a group has read, where form 1 does not say: known at the stream's ends only. As redis-server 7.0.15 has it
 * after loading such a file. */
static uint64_t
guess_read(const struct rdb_value *v, struct rdb_id delivered)
{
    uint64_t length = v->piece.added;
    if (length == 0 || id_less(delivered, v->piece.first))
        return 0;
    if (!id_less(delivered, v->last))
        return id_less(v->last, delivered) ? UINT64_MAX : length;
    return id_less(v->piece.first, delivered) ? UINT64_MAX : 1;
}

static bool
read_group(struct rdb_value *v, struct rdb_read *r, unsigned form)
{
    struct group g;
    uint64_t read = UINT64_MAX;
    if (!rdb_read_string(r, &v->piece.name, &v->scratch[2]) || !read_id(r, &v->piece.id) ||
        (form != RDB_FORM_STREAM_LISTPACKS && !rdb_read_length(r, &read)) ||
        !rdb_value_unseen(&v->seen[0], r, &v->piece.name, "a group stands twice in a stream"))
        return false;
    if (form == RDB_FORM_STREAM_LISTPACKS)
        read = guess_read(v, v->piece.id);
    v->piece.read = (int64_t)read;
    if (!rdb_value_emit(v, RDB_PIECE_GROUP))
        return false;
    bool ok = read_pending(r, &g) && read_consumers(v, r, form, &g);
    free(g.pending);
    return ok;
}

/* ---- the stream --------------------------------------------------------------------------------------------------- */

/* What stands between entries and groups. */
static bool
read_facts(struct rdb_value *v, struct rdb_read *r, unsigned form)
{
    struct rdb_piece *p = &v->piece;
    uint64_t length;
    p->deleted = (struct rdb_id){0, 0};
    if (!rdb_read_length(r, &length) || !read_id(r, &p->id))
        return false;
    p->count = p->added = length;
    if (form != RDB_FORM_STREAM_LISTPACKS &&
        (!read_id(r, &p->first) || !read_id(r, &p->deleted) || !rdb_read_length(r, &p->added)))
        return false;
    if (v->depth == RDB_DEEP && length != v->count)
        return rdb_read_fail(r, "a stream has not as many entries as it says");
    v->count = length;
    v->last = p->id;
    return rdb_value_emit(v, RDB_PIECE_STREAM);
}

bool
rdb_stream_read(struct rdb_value *v, unsigned form, struct rdb_read *r)
{
    uint64_t nodes, groups;
    bool ok = rdb_read_length(r, &nodes);
    v->last = v->piece.first = (struct rdb_id){0, 0};
    for (; ok && nodes > 0; nodes--)
        ok = read_node(v, r);
    ok = ok && read_facts(v, r, form) && rdb_read_length(r, &groups);
    for (; ok && groups > 0; groups--)
        ok = read_group(v, r, form);
    return ok;
}
