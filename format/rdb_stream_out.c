/* rdb_stream_out.c - makes the RDB value of a stream (see rdb_stream_out.h).
 *
 * Entries are collected into nodes as Redis does: up to 100 or 4 KiB of them in a listpack, whose head has the field names of
 * the first; entries with the same names say only their values. The head holds the node's number of entries, so the entries wait
 * in a buffer until the node is full.
 */
#include "format/rdb_stream_out.h"

#include <string.h>

#include "base/decimal.h"
#include "base/xassert.h"
#include "format/rdb_out.h"
#include "format/rdb_pack.h"

#define NODE_ENTRIES 100u
#define NODE_BYTES 4096u
#define COMMON_FIELDS 2

void
rdb_stream_out_init(struct rdb_stream_out *s)
{
    *s = (struct rdb_stream_out){ 0 };
}

void
rdb_stream_out_free(struct rdb_stream_out *s)
{
    buf_destroy(&s->out);
    buf_destroy(&s->nodes);
    buf_destroy(&s->body);
    buf_destroy(&s->names);
}

void
rdb_stream_out_id(struct rdb_stream_out *s, struct rdb_id id)
{
    uint64_t raw[2] = { __builtin_bswap64(id.ms), __builtin_bswap64(id.seq) };
    buf_append(&s->out, raw, sizeof raw);
}

static void
add_number(struct buf *pack, int64_t number)
{
    char digits[DECIMAL_DIGITS];
    rdb_listpack_add(pack, digits, decimal_write(number, digits));
}

/* ---- nodes -------------------------------------------------------------------------------------------------------------- */

/* Are these the names that the node has in common? They lie in s->names as length and bytes. */
static bool
is_common(const struct rdb_stream_out *s, const struct resp_arg *words, uint64_t fields)
{
    const char *at = s->names.data, *end = at + s->names.len;
    if (fields != s->fields)
        return false;
    for (uint64_t i = 0; i < fields; i++) {
        size_t len;
        if ((size_t)(end - at) < sizeof len) /* memory was short */
            return false;
        memcpy(&len, at, sizeof len);
        at += sizeof len;
        if (len != words[2 * i].len || memcmp(at, words[2 * i].data, len) != 0)
            return false;
        at += len;
    }
    return true;
}

static void
begin_node(struct rdb_stream_out *s, struct rdb_id id, const struct resp_arg *words, uint64_t fields)
{
    buf_clear(&s->body, SIZE_MAX);
    buf_clear(&s->names, SIZE_MAX);
    s->node = id;
    s->entries = s->items = 0;
    s->fields = fields;
    for (uint64_t i = 0; i < fields; i++) {
        buf_append(&s->names, &words[2 * i].len, sizeof words[2 * i].len);
        buf_append(&s->names, words[2 * i].data, words[2 * i].len);
    }
}

/* Count, deleted, fields, their names, 0; then what waits in the body. */
static void
end_node(struct rdb_stream_out *s)
{
    struct buf pack;
    const char *name = s->names.data;
    buf_init(&pack);
    size_t at = rdb_listpack_begin(&pack);
    add_number(&pack, (int64_t)s->entries);
    add_number(&pack, 0);
    add_number(&pack, (int64_t)s->fields);
    for (uint64_t i = 0; i < s->fields && !buf_failed(&s->names); i++) {
        size_t len;
        memcpy(&len, name, sizeof len);
        rdb_listpack_add(&pack, name + sizeof len, len);
        name += sizeof len + len;
    }
    add_number(&pack, 0);
    buf_append(&pack, buf_head(&s->body), buf_pending(&s->body));
    rdb_listpack_end(&pack, at, s->items + s->fields + 4);
    uint64_t raw[2] = { __builtin_bswap64(s->node.ms), __builtin_bswap64(s->node.seq) };
    rdb_out_string(&s->nodes, (const char *)raw, sizeof raw, false);
    rdb_out_string(&s->nodes, buf_head(&pack), buf_pending(&pack), true);
    s->out.failed |= buf_failed(&pack) || buf_failed(&s->body) || buf_failed(&s->names) || buf_failed(&s->nodes);
    buf_destroy(&pack);
    s->node_count++;
    s->entries = 0;
}

static bool
is_above(struct rdb_id a, struct rdb_id b)
{
    return a.ms > b.ms || (a.ms == b.ms && a.seq > b.seq);
}

bool
rdb_stream_out_entry(struct rdb_stream_out *s, struct rdb_id id, const struct resp_arg *words, uint64_t fields)
{
    xassert(fields > 0);
    if (!is_above(id, s->last))
        return false;
    if (s->entries >= NODE_ENTRIES || (s->entries > 0 && buf_pending(&s->body) >= NODE_BYTES))
        end_node(s);
    if (s->entries == 0)
        begin_node(s, id, words, fields);
    bool common = is_common(s, words, fields);
    uint64_t items = common ? fields + 3 : 2 * fields + 4;
    add_number(&s->body, common ? COMMON_FIELDS : 0);
    add_number(&s->body, (int64_t)(id.ms - s->node.ms));
    add_number(&s->body, (int64_t)(id.seq - s->node.seq));
    if (!common)
        add_number(&s->body, (int64_t)fields);
    for (uint64_t i = common ? 1 : 0; i < 2 * fields; i += common ? 2 : 1)
        rdb_listpack_add(&s->body, words[i].data, words[i].len);
    add_number(&s->body, (int64_t)items);
    s->items += items + 1;
    s->entries++;
    s->length++;
    s->last = id;
    return true;
}

/* ---- what follows the nodes ----------------------------------------------------------------------------------------------- */

static void
put_id(struct rdb_stream_out *s, struct rdb_id id)
{
    rdb_out_length(&s->out, id.ms);
    rdb_out_length(&s->out, id.seq);
}

void
rdb_stream_out_entries_end(struct rdb_stream_out *s, const struct rdb_stream_about *about, uint64_t groups)
{
    if (s->entries > 0)
        end_node(s);
    rdb_out_length(&s->out, s->node_count);
    buf_append(&s->out, s->nodes.data, s->nodes.len);
    rdb_out_length(&s->out, about->length);
    put_id(s, about->last);
    put_id(s, about->first);
    put_id(s, about->deleted);
    rdb_out_length(&s->out, about->added);
    rdb_out_length(&s->out, groups);
}

void
rdb_stream_out_group(struct rdb_stream_out *s, const struct resp_arg *name, struct rdb_id last, int64_t read, uint64_t pending)
{
    rdb_out_string(&s->out, name->data, name->len, false);
    put_id(s, last);
    rdb_out_length(&s->out, (uint64_t)read);
    rdb_out_length(&s->out, pending);
}

void
rdb_stream_out_pending(struct rdb_stream_out *s, struct rdb_id id, int64_t delivered_ms, uint64_t deliveries)
{
    rdb_stream_out_id(s, id);
    buf_append(&s->out, &delivered_ms, sizeof delivered_ms); /* little-endian */
    rdb_out_length(&s->out, deliveries);
}

void
rdb_stream_out_consumers(struct rdb_stream_out *s, uint64_t consumers)
{
    rdb_out_length(&s->out, consumers);
}

void
rdb_stream_out_consumer(struct rdb_stream_out *s, const struct resp_arg *name, int64_t seen_ms, uint64_t pending)
{
    rdb_out_string(&s->out, name->data, name->len, false);
    buf_append(&s->out, &seen_ms, sizeof seen_ms);
    rdb_out_length(&s->out, pending);
}
