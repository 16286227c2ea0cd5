/* value_json.c - a key as a line of JSON (see value_json.h); the way back is in value_read.c.
 *
 * The value's pieces are written as they come. What does not come in the order of the form (consumers' pending ids stand behind the
 * consumer, commas between) is kept in a few words of state.
 */
#include "cli/value_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/base64.h"
#include "cli/json.h"

/* A value while it is written. */
struct writing {
    struct buf *to;
    enum rdb_family family;
    bool pairs;          /* a hash as an array of pairs */
    bool needs_pairs;    /* it turned out so */
    bool first;          /* no comma in front of the next */
    uint64_t words;      /* of a stream's entry: still to come */
    bool in_groups, in_group, in_consumer;
};

/* Bytes as JSON: a string, or base64. */
static void
put_bytes(struct buf *to, const char *bytes, size_t n)
{
    if (json_is_text(bytes, n)) {
        json_string(to, bytes, n);
        return;
    }
    buf_append_str(to, "{\"base64\":\"");
    base64_encode(to, bytes, n);
    buf_append_str(to, "\"}");
}

static void
put_string(struct buf *to, const struct rdb_string *s)
{
    put_bytes(to, rdb_string_bytes(s), s->len);
}

static void
put_id(struct buf *to, const char *name, struct rdb_id id)
{
    buf_printf(to, "%s\"%" PRIu64 "-%" PRIu64 "\"", name, id.ms, id.seq);
}

static void
comma(struct writing *w)
{
    if (!w->first)
        buf_append(w->to, ",", 1);
    w->first = false;
}

/* ---- plain types ------------------------------------------------------------------------------------------------------------ */

static bool
put_field(struct writing *w, const struct rdb_piece *p)
{
    const char *name = rdb_string_bytes(&p->name);
    if (!w->pairs && (!json_is_text(name, p->name.len) || p->expires_ms >= 0)) {
        w->needs_pairs = true;
        return false;
    }
    comma(w);
    if (w->pairs)
        buf_append(w->to, "[", 1);
    put_string(w->to, &p->name);
    buf_append(w->to, w->pairs ? "," : ":", 1);
    put_string(w->to, &p->value);
    if (p->expires_ms >= 0)
        buf_printf(w->to, ",%" PRId64, p->expires_ms);
    if (w->pairs)
        buf_append(w->to, "]", 1);
    return true;
}

static void
put_scored(struct writing *w, const struct rdb_piece *p)
{
    comma(w);
    buf_append(w->to, "[", 1);
    put_string(w->to, &p->value);
    buf_append(w->to, ",", 1);
    json_number(w->to, p->score);
    buf_append(w->to, "]", 1);
}

/* ---- streams ---------------------------------------------------------------------------------------------------------------- */

static void
put_entry(struct writing *w, const struct rdb_piece *p)
{
    comma(w);
    put_id(w->to, "[", p->id);
    buf_append_str(w->to, p->count > 0 ? ",[" : ",[]]");
    w->words = p->count;
    w->first = p->count > 0;
}

static void
put_word_pair(struct writing *w, const struct rdb_piece *p)
{
    comma(w);
    put_string(w->to, &p->name);
    buf_append(w->to, ",", 1);
    put_string(w->to, &p->value);
    if (--w->words == 0)
        buf_append_str(w->to, "]]");
}

static void
put_about(struct writing *w, const struct rdb_piece *p)
{
    buf_printf(w->to, "],\"length\":%" PRIu64 ",", p->count);
    put_id(w->to, "\"last_id\":", p->id);
    put_id(w->to, ",\"first_id\":", p->first);
    put_id(w->to, ",\"max_deleted_id\":", p->deleted);
    buf_printf(w->to, ",\"entries_added\":%" PRIu64 ",\"groups\":[", p->added);
    w->in_groups = true;
}

static void
end_consumer(struct writing *w)
{
    if (w->in_consumer)
        buf_append_str(w->to, "]}");
    w->in_consumer = false;
}

static void
end_group(struct writing *w)
{
    end_consumer(w);
    if (w->in_group)
        buf_append_str(w->to, "]}");
    w->in_group = false;
}

static void
put_group(struct writing *w, const struct rdb_piece *p)
{
    bool first = !w->in_group;
    end_group(w);
    buf_append_str(w->to, first ? "{\"name\":" : ",{\"name\":");
    put_string(w->to, &p->name);
    put_id(w->to, ",\"last_id\":", p->id);
    buf_printf(w->to, ",\"entries_read\":%" PRId64 ",\"consumers\":[", p->read);
    w->in_group = true;
    w->first = true;
}

static void
put_consumer(struct writing *w, const struct rdb_piece *p)
{
    bool first = !w->in_consumer;
    end_consumer(w);
    buf_append_str(w->to, first ? "{\"name\":" : ",{\"name\":");
    put_string(w->to, &p->name);
    buf_printf(w->to, ",\"seen_ms\":%" PRId64 ",\"pending\":[", p->seen_ms);
    w->in_consumer = true;
    w->first = true;
}

static void
put_pending(struct writing *w, const struct rdb_piece *p)
{
    comma(w);
    put_id(w->to, "[", p->id);
    buf_printf(w->to, ",%" PRId64 ",%" PRIu64 "]", p->seen_ms, p->count);
}

/* ---- the value -------------------------------------------------------------------------------------------------------------- */

static bool
put_piece(void *arg, const struct rdb_piece *p)
{
    struct writing *w = arg;
    switch (p->kind) {
    case RDB_PIECE_STRING:
        put_string(w->to, &p->value);
        break;
    case RDB_PIECE_ELEMENT:
        comma(w);
        put_string(w->to, &p->value);
        break;
    case RDB_PIECE_SCORED:
        put_scored(w, p);
        break;
    case RDB_PIECE_FIELD:
        if (w->family == RDB_HASH)
            return put_field(w, p) && !buf_failed(w->to);
        put_word_pair(w, p);
        break;
    case RDB_PIECE_ENTRY:
        put_entry(w, p);
        break;
    case RDB_PIECE_STREAM:
        put_about(w, p);
        break;
    case RDB_PIECE_GROUP:
        put_group(w, p);
        break;
    case RDB_PIECE_CONSUMER:
        put_consumer(w, p);
        break;
    case RDB_PIECE_PENDING:
        put_pending(w, p);
        break;
    }
    return !buf_failed(w->to);
}

/* What stands around the pieces. */
static const struct {
    const char *before, *after;
} around[] = {
    [RDB_STRING] = { "", "" }, [RDB_LIST] = { "[", "]" },  [RDB_SET] = { "[", "]" },
    [RDB_ZSET] = { "[", "]" }, [RDB_HASH] = { "{", "}" },  [RDB_STREAM] = { "{\"entries\":[", "]}" },
    [RDB_MODULE] = { "", "" },
};

static bool
put_value(struct writing *w, struct rdb_value *v, const struct item *item, char *error)
{
    size_t mark = w->to->len;
    struct rdb_read r = rdb_read_of(item->value.data, 0, item->value.len);
    *v = (struct rdb_value){ .fn = put_piece, .arg = w, .scratch = { v->scratch[0], v->scratch[1], v->scratch[2] },
                             .seen = { v->seen[0], v->seen[1] } };
    w->first = true;
    buf_append_str(w->to, w->pairs ? "[" : around[w->family].before);
    bool ok = rdb_value_read(v, item->form, &r);
    if (!ok && w->needs_pairs && !w->pairs) {
        buf_truncate(w->to, mark);
        w->pairs = true;
        return put_value(w, v, item, error);
    }
    end_group(w);
    buf_append_str(w->to, w->pairs ? "]" : around[w->family].after);
    if (!ok)
        snprintf(error, VALUE_ERROR_MAX, "its value cannot be read: %s", r.wrong != NULL ? r.wrong : "out of memory");
    return ok;
}

static void
put_module(struct buf *to, const struct item *item)
{
    buf_printf(to, "{\"form\":%u,\"rdb\":{\"base64\":\"", item->form);
    base64_encode(to, item->value.data, item->value.len);
    buf_append_str(to, "\"}}");
}

static bool
put_key(struct buf *to, struct rdb_value *v, const struct item *item, char *error)
{
    const struct rdb_form_row *row = rdb_form(item->form);
    if (row == NULL) {
        snprintf(error, VALUE_ERROR_MAX, "its type is not known: %u", item->form);
        return false;
    }
    struct writing w = { .to = to, .family = row->family };
    buf_printf(to, "{\"db\":%" PRIu64 ",\"key\":", item->db);
    put_bytes(to, item->key.data, item->key.len);
    buf_printf(to, ",\"type\":\"%s\",", rdb_family_name(row->family));
    if (item->expires_ms >= 0)
        buf_printf(to, "\"expires_ms\":%" PRId64 ",", item->expires_ms);
    buf_append_str(to, "\"value\":");
    if (row->family == RDB_MODULE)
        put_module(to, item);
    else if (!put_value(&w, v, item, error))
        return false;
    buf_append_str(to, "}\n");
    return true;
}

bool
value_to_json(struct buf *to, struct rdb_value *v, const struct item *item, char *error)
{
    size_t mark = to->len;
    bool ok = true;
    if (item->kind == ITEM_FUNCTION) {
        buf_append_str(to, "{\"type\":\"function\",\"value\":");
        put_bytes(to, item->value.data, item->value.len);
        buf_append_str(to, "}\n");
    } else {
        ok = put_key(to, v, item, error);
    }
    if (ok && buf_failed(to)) {
        snprintf(error, VALUE_ERROR_MAX, "out of memory for its line");
        ok = false;
    }
    if (!ok)
        buf_truncate(to, mark);
    return ok;
}
