/* rdb_value.h - reads and checks one value of an RDB image, in every type and form that Redis ever wrote.
 *
 *     struct rdb_value v = {.depth = RDB_DEEP, .fn = take, .arg = me};
 *     struct rdb_read r = rdb_read_of(in.r.bytes, in.from, in.to);
 *     if (!rdb_value_read(&v, in.type, &r)) ... r.wrong and r.wrong_at, or NULL: the callback stopped it
 *     ... more values ...
 *     rdb_value_free(&v);
 *
 * With a callback the value is taken out piece by piece, in the order of the file. What is handed out lies in the image or
 * in memory of the struct, and is good until the callback returns. Pieces are checked before they are handed out, but
 * the value's end only at its end: whoever builds from them must be able to take back what he built.
 *
 *   type      pieces
 *   string    STRING value
 *   list      ELEMENT value, head first
 *   set       ELEMENT value
 *   zset      SCORED value, score
 *   hash      FIELD name, value, expires_ms
 *   stream    for each entry, oldest first: ENTRY id, count; then so many FIELD name, value;
 *             STREAM count (length), id (last), first, deleted (greatest), added;
 *             for each group: GROUP name, id (last delivered), read; then for each of its consumers:
 *             CONSUMER name, seen_ms, active_ms; then what is his: PENDING id, seen_ms (delivered), count (deliveries)
 *   module    none: only the module could make sense of it
 *
 * How deeply it is checked is what sanitize-dump-payload chooses. HEADS, without a callback: lengths, and the heads of
 * packed forms. With a callback, whatever the depth: bounds and structure of everything (nothing is read that is not
 * there), scores are numbers, integers of a set ascend, a stream's entries ascend. DEEP: all of that, and nothing stands
 * twice in a set, hash or sorted set, and every pending entry has an owner. Sources: format/rdb.h, format/rdb_pack.h;
 * streams: Redis's description of their listpacks (the comment at the head of t_stream.c of 7.0 lists the fields), and
 * DUMPs of redis-server 7.0.15.
 *
 * Process: any. Locks: none. Fails: damaged input and want of private memory (rdb_no_memory) are told in the cursor.
 */
#ifndef KVSTASH_FORMAT_RDB_VALUE_H
#define KVSTASH_FORMAT_RDB_VALUE_H

#include "format/rdb_form.h"
#include "format/rdb_seen.h"

enum rdb_depth { RDB_HEADS, RDB_DEEP };

enum rdb_piece_kind {
    RDB_PIECE_STRING,
    RDB_PIECE_ELEMENT,
    RDB_PIECE_SCORED,
    RDB_PIECE_FIELD,
    RDB_PIECE_ENTRY,
    RDB_PIECE_STREAM,
    RDB_PIECE_GROUP,
    RDB_PIECE_CONSUMER,
    RDB_PIECE_PENDING,
};

struct rdb_id {
    uint64_t ms, seq;
};

/* Which members are set is told above for each kind; the others are left from earlier pieces. */
struct rdb_piece {
    enum rdb_piece_kind kind;
    struct rdb_string name, value;
    double score;
    int64_t expires_ms; /* FIELD: -1: never */
    uint64_t count;
    struct rdb_id id;
    /* STREAM */
    struct rdb_id first, deleted;
    uint64_t added;
    /* GROUP: entries read; -1: not known */
    int64_t read;
    /* CONSUMER, PENDING: milliseconds since 1970; active_ms -1: never */
    int64_t seen_ms, active_ms;
};

/* False stops reading. */
typedef bool rdb_value_fn(void *arg, const struct rdb_piece *piece);

/* Set depth, fn (may be NULL) and arg, the rest to zero; use it for one value after the other. */
struct rdb_value {
    enum rdb_depth depth;
    rdb_value_fn *fn;
    void *arg;
    uint64_t count; /* after reading: elements, fields, members or entries (1 for a string); HEADS without a callback:
                       what heads say, UINT64_MAX if they do not */
    /* own */
    struct rdb_piece piece;
    struct rdb_string third; /* the third string of a tuple */
    struct rdb_scratch scratch[3];
    struct rdb_seen seen[2];
    struct rdb_id last; /* of a stream's entries so far, then of the stream */
};

/* Reads a value of this form; the cursor stands behind it then. A value without elements is no error here: in an RDB file
 * Redis skips such keys, in a payload it refuses them. */
bool rdb_value_read(struct rdb_value *v, unsigned form, struct rdb_read *r);
void rdb_value_free(struct rdb_value *v);

#endif
