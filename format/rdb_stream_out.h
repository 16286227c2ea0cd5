/* rdb_stream_out.h - makes the RDB value of a stream (RDB_FORM_STREAM_LISTPACKS_2) out of its entries and groups.
 *
 *     rdb_stream_out_init(&s);
 *     rdb_stream_out_entry(&s, id, words, fields) ...   oldest first
 *     rdb_stream_out_entries_end(&s, &about, groups);   then for each group:
 *     rdb_stream_out_group(&s, &group); rdb_stream_out_pending(...) ...; rdb_stream_out_consumers(&s, n); for each:
 *     rdb_stream_out_consumer(&s, name, seen_ms, n); rdb_stream_out_id(&s, id) ...
 *     ... s.out ...
 *     rdb_stream_out_free(&s);
 *
 * Layout and sources: format/rdb_stream.c, format/rdb_value.h. Want of memory is the sticky failure of s.out.
 * Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_RDB_STREAM_OUT_H
#define KVSTASH_FORMAT_RDB_STREAM_OUT_H

#include "base/buf.h"
#include "format/rdb_value.h"
#include "resp/resp_parse.h"

struct rdb_stream_out {
    struct buf out; /* the value */
    /* own */
    struct buf nodes, body, names; /* finished nodes; entries and common field names of the node that is being made */
    uint64_t node_count, entries, items;
    struct rdb_id node, last;
    uint64_t fields; /* common to the node */
    uint64_t length;
};

struct rdb_stream_about {
    uint64_t length;
    struct rdb_id last, first, deleted;
    uint64_t added;
};

void rdb_stream_out_init(struct rdb_stream_out *s);
void rdb_stream_out_free(struct rdb_stream_out *s);
/* words: name and value in turn, 2 * fields of them; at least one field. False: the id is not above the one before. */
bool rdb_stream_out_entry(struct rdb_stream_out *s, struct rdb_id id, const struct resp_arg *words, uint64_t fields);
void rdb_stream_out_entries_end(struct rdb_stream_out *s, const struct rdb_stream_about *about, uint64_t groups);
/* read: -1 if not known. pending: how many rdb_stream_out_pending follow, in the order of their ids. */
void rdb_stream_out_group(struct rdb_stream_out *s, const struct resp_arg *name, struct rdb_id last, int64_t read, uint64_t pending);
void rdb_stream_out_pending(struct rdb_stream_out *s, struct rdb_id id, int64_t delivered_ms, uint64_t deliveries);
void rdb_stream_out_consumers(struct rdb_stream_out *s, uint64_t consumers);
/* pending: how many rdb_stream_out_id follow. */
void rdb_stream_out_consumer(struct rdb_stream_out *s, const struct resp_arg *name, int64_t seen_ms, uint64_t pending);
void rdb_stream_out_id(struct rdb_stream_out *s, struct rdb_id id);

#endif
