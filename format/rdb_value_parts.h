/* rdb_value_parts.h - what rdb_value.c and rdb_stream.c share; nobody else includes it. */
#ifndef KVSTASH_FORMAT_RDB_VALUE_PARTS_H
#define KVSTASH_FORMAT_RDB_VALUE_PARTS_H

#include "format/rdb_pack.h"
#include "format/rdb_value.h"

/* Are the insides of packed forms read? */
static inline bool
rdb_value_walks(const struct rdb_value *v)
{
    return v->fn || v->depth == RDB_DEEP;
}

/* Hands out v->piece. */
static inline bool
rdb_value_emit(struct rdb_value *v, enum rdb_piece_kind kind)
{
    v->piece.kind = kind;
    return !v->fn || v->fn(v->arg, &v->piece);
}

/* The next string, which is a pack. Its memory is scratch[0]. */
bool rdb_value_open_pack(struct rdb_value *v, struct rdb_read *r, enum rdb_pack_form form, struct rdb_pack *pack);

/* The string is new to this set, or that is wrong: `what`. */
bool rdb_value_unseen(struct rdb_seen *seen, struct rdb_read *r, const struct rdb_string *s, const char *what);

/* A stream, from its first byte (rdb_stream.c). */
bool rdb_stream_read(struct rdb_value *v, unsigned form, struct rdb_read *r);

#endif
