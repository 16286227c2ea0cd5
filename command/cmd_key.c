/* cmd_key.c - commands on keys whatever their type: deletion, expiry, walks, counts, flushing.
 *
 * Process: workers. Locks: exec.c took those of the keys; walks take one shard at a time for reading; flushing all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/glob.h"
#include "command/cmd_rows.h"
#include "command/keyspace.h"
#include "types/type_value.h"

#define CURSOR_SHIFT 12 /* a cursor is the leading 52 bits of a position: below 2^53 */

/* ---- presence --------------------------------------------------------------------------------------------- */

void
cmd_del(struct cmd *c)
{
    int64_t n = 0;
    for (unsigned k = 0; k < c->nkeys; k++) {
        struct key_ref ref;
        if (!keyspace_write(c, k, &ref))
            continue;
        if (!keyspace_delete(c, &ref))
            return;
        n++;
    }
    c->dirty += (uint64_t)n;
    resp_out_int(c->out, n);
}

void
cmd_exists(struct cmd *c)
{
    int64_t n = 0;
    struct key_ref ref;
    for (unsigned k = 0; k < c->nkeys; k++)
        n += keyspace_read(c, k, &ref);
    resp_out_int(c->out, n);
}

void
cmd_type(struct cmd *c)
{
    struct key_ref ref;
    resp_out_simple(c->out, keyspace_peek(c, 0, &ref) ? type_value_name(ref.place.entry) : "none");
}

void
cmd_object_encoding(struct cmd *c)
{
    struct key_ref ref;
    if (keyspace_peek(c, 0, &ref))
        resp_out_bulk_str(c->out, type_value_encoding_name(ref.place.entry));
    else
        resp_out_null(c->out);
}

void
cmd_object_refcount(struct cmd *c)
{
    struct key_ref ref;
    if (keyspace_peek(c, 0, &ref))
        resp_out_int(c->out, 1);
    else
        resp_out_null(c->out);
}

/* ---- expiry ------------------------------------------------------------------------------------------------- */

enum { NX = 1, XX = 2, GT = 4, LT = 8 };

/* The words behind the time. False: an error reply was written. */
static bool
expire_flags(struct cmd *c, unsigned *flags)
{
    *flags = 0;
    for (int i = 3; i < c->argc; i++) {
        unsigned f = cmd_arg_is(c, i, "nx") ? NX : cmd_arg_is(c, i, "xx") ? XX : cmd_arg_is(c, i, "gt") ? GT
            : cmd_arg_is(c, i, "lt") ? LT : 0;
        if (!f) {
            cmd_error(c, "ERR Unsupported option %.*s", (int)c->argv[i].len, cmd_arg(c, i));
            return false;
        }
        *flags |= f;
    }
    if ((*flags & NX) && (*flags & (XX | GT | LT))) {
        cmd_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*flags & GT) && (*flags & LT)) {
        cmd_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* Does the present expiry (-1: none) let the new one in? */
static bool
expire_wanted(unsigned flags, int64_t now, int64_t when)
{
    if ((flags & NX) && now != -1)
        return false;
    if ((flags & XX) && now == -1)
        return false;
    if ((flags & GT) && (now == -1 || when <= now))
        return false;
    return !(flags & LT) || now == -1 || when < now;
}

/* The argument as an absolute time in ms. False: an error reply was written. */
static bool
expire_time(struct cmd *c, int64_t base, bool seconds, int64_t *when)
{
    if (!cmd_arg_int(c, 2, when))
        return false;
    if ((seconds && (*when > INT64_MAX / 1000 || *when < INT64_MIN / 1000)) ||
        __builtin_add_overflow(seconds ? *when * 1000 : *when, base, when)) {
        cmd_error(c, "ERR invalid expire time in '%s' command", c->row->name);
        return false;
    }
    return true;
}

static void
expire_generic(struct cmd *c, bool relative, bool seconds)
{
    struct key_ref ref;
    unsigned flags;
    int64_t when;
    if (!expire_flags(c, &flags) || !expire_time(c, relative ? cmd_now(c) : 0, seconds, &when))
        return;
    if (!keyspace_write(c, 0, &ref) || !expire_wanted(flags, shm_entry_expiry(ref.place.entry), when)) {
        resp_out_int(c->out, 0);
        return;
    }
    if (when <= cmd_now(c)) {
        if (!keyspace_delete(c, &ref))
            return;
        cmd_effectf(c, "DEL %b", ref.name, ref.name_len);
    } else {
        if (!keyspace_set_expiry(c, &ref, when))
            return;
        cmd_effectf(c, "PEXPIREAT %b %l", ref.name, ref.name_len, when);
    }
    c->dirty++;
    resp_out_int(c->out, 1);
}

void cmd_expire(struct cmd *c) { expire_generic(c, true, true); }
void cmd_pexpire(struct cmd *c) { expire_generic(c, true, false); }
void cmd_expireat(struct cmd *c) { expire_generic(c, false, true); }
void cmd_pexpireat(struct cmd *c) { expire_generic(c, false, false); }

static void
ttl_generic(struct cmd *c, bool relative, bool seconds)
{
    struct key_ref ref;
    if (!keyspace_peek(c, 0, &ref)) {
        resp_out_int(c->out, -2);
        return;
    }
    int64_t when = shm_entry_expiry(ref.place.entry);
    if (when == -1) {
        resp_out_int(c->out, -1);
        return;
    }
    int64_t v = relative ? when - cmd_now(c) : when;
    if (v < 0)
        v = 0;
    resp_out_int(c->out, seconds ? (v + (relative ? 500 : 0)) / 1000 : v);
}

void cmd_ttl(struct cmd *c) { ttl_generic(c, true, true); }
void cmd_pttl(struct cmd *c) { ttl_generic(c, true, false); }
void cmd_expiretime(struct cmd *c) { ttl_generic(c, false, true); }
void cmd_pexpiretime(struct cmd *c) { ttl_generic(c, false, false); }

void
cmd_persist(struct cmd *c)
{
    struct key_ref ref;
    if (!keyspace_write(c, 0, &ref) || shm_entry_expiry(ref.place.entry) == -1) {
        resp_out_int(c->out, 0);
        return;
    }
    if (!keyspace_set_expiry(c, &ref, -1))
        return;
    c->dirty++;
    resp_out_int(c->out, 1);
}

/* ---- walks --------------------------------------------------------------------------------------------------- */

struct scan {
    struct cmd *c;
    const struct resp_arg *match; /* NULL: all */
    const char *type;             /* NULL: all */
    size_t type_len;
    struct resp_out found;        /* the names, in a buffer of their own: the count comes before them */
    struct buf names;
    uint64_t count;               /* names found */
    uint64_t seen;                /* entries looked at */
};

static void
scan_one(void *arg, uint64_t position, struct shm_place *p)
{
    struct scan *s = arg;
    struct string_view key;
    struct shm_entry_sh *e = p->entry;
    (void)position;
    s->seen++;
    if ((e->flags & SHM_ENTRY_EXPIRES) && cmd_now(s->c) > shm_entry_expiry(e))
        return;
    if (s->type && (strlen(type_value_name(e)) != s->type_len || strncasecmp(type_value_name(e), s->type, s->type_len)))
        return;
    type_string_view_key(&key, s->c->engine->region, e);
    if (s->match && key.bytes && !glob_match(s->match->data, s->match->len, key.bytes, key.len))
        return;
    char *to = resp_out_bulk_begin(&s->found, key.len);
    if (to)
        type_string_copy(&key, 0, to, key.len);
    s->count++;
}

/* Walks on from position until `want` entries were seen; returns the next position, 0 at the end. */
static uint64_t
scan_from(struct scan *s, uint64_t position, uint64_t want)
{
    struct shm_region *r = s->c->engine->region;
    do {
        uint16_t shard = (uint16_t)shm_region_shard(r, position);
        struct shm_tree t = shm_tree_of_db(r, shard, s->c->db);
        shm_tx_enter_read(s->c->tx, &shard, 1);
        while (shm_table_scan(&t, &position, scan_one, s) && s->seen < want)
            ;
        shm_tx_leave_read(s->c->tx);
    } while (position != 0 && s->seen < want);
    return position;
}

static void
scan_init(struct scan *s, struct cmd *c)
{
    *s = (struct scan){.c = c};
    buf_init(&s->names);
    s->found = (struct resp_out){.buf = &s->names, .version = c->out->version};
}

/* The names as one array; gives the buffer back. */
static void
scan_reply(struct scan *s)
{
    resp_out_array(s->c->out, s->count);
    if (s->names.failed)
        s->c->out->buf->failed = true;
    resp_out_raw(s->c->out, buf_head(&s->names), buf_pending(&s->names));
    buf_destroy(&s->names);
}

static bool
scan_options(struct scan *s, int64_t *count)
{
    struct cmd *c = s->c;
    for (int i = 2; i < c->argc; i += 2) {
        if (i + 1 >= c->argc) {
            cmd_error_syntax(c);
            return false;
        }
        if (cmd_arg_is(c, i, "count")) {
            if (!cmd_arg_int(c, i + 1, count))
                return false;
            if (*count < 1) {
                cmd_error_syntax(c);
                return false;
            }
        } else if (cmd_arg_is(c, i, "match")) {
            s->match = &c->argv[i + 1];
        } else if (cmd_arg_is(c, i, "type")) {
            s->type = cmd_arg(c, i + 1);
            s->type_len = cmd_arg_len(c, i + 1);
        } else {
            cmd_error_syntax(c);
            return false;
        }
    }
    return true;
}

void
cmd_scan(struct cmd *c)
{
    struct scan s;
    char cursor[TYPE_STRING_DIGITS];
    int64_t from, count = 10;
    if (!type_string_parse_int(cmd_arg(c, 1), cmd_arg_len(c, 1), &from) || from < 0 || from >> (64 - CURSOR_SHIFT)) {
        cmd_error(c, "ERR invalid cursor");
        return;
    }
    scan_init(&s, c);
    if (!scan_options(&s, &count))
        return;
    uint64_t next = scan_from(&s, (uint64_t)from << CURSOR_SHIFT, (uint64_t)count);
    resp_out_array(c->out, 2);
    resp_out_bulk(c->out, cursor, type_string_render_int((int64_t)(next >> CURSOR_SHIFT), cursor));
    scan_reply(&s);
}

void
cmd_keys(struct cmd *c)
{
    struct scan s;
    scan_init(&s, c);
    s.match = &c->argv[1];
    scan_from(&s, 0, UINT64_MAX);
    scan_reply(&s);
}

void
cmd_dbsize(struct cmd *c)
{
    uint64_t n = 0;
    for (uint16_t shard = 0; shard < c->engine->region->nshards; shard++) {
        shm_tx_enter_read(c->tx, &shard, 1);
        n += shm_region_dbroot(c->engine->region, shard, c->db)->tree.count;
        shm_tx_leave_read(c->tx);
    }
    resp_out_int(c->out, (int64_t)n);
}

/* ---- flushing -------------------------------------------------------------------------------------------------- */

static bool
flush_slots(struct cmd *c, unsigned shard)
{
    unsigned n = SHM_KEYSLOTS / c->engine->region->nshards;
    uint32_t *first = c->engine->region->keyslots + shard * n;
    if (!shm_tx_note(c->tx, first, n * sizeof *first))
        return false;
    memset(first, 0, n * sizeof *first);
    return true;
}

/* Detaches one database of one shard; the housekeeper frees it in steps. */
static bool
flush_root(struct cmd *c, unsigned shard, unsigned db)
{
    struct shm_dbroot_sh *d = shm_region_dbroot(c->engine->region, shard, db);
    if (d->tree.root == 0)
        return true;
    return shm_reclaim_push(c->tx, shard, shm_table_off(d->tree.root)) && shm_tx_set64(c->tx, &d->tree.root, 0) &&
        shm_tx_set64(c->tx, &d->tree.count, 0) && shm_tx_set64(c->tx, &d->expires, 0) &&
        shm_tx_set64(c->tx, &d->expiry_sum, 0) && (db != 0 || flush_slots(c, shard));
}

static void
flush(struct cmd *c, unsigned from, unsigned to)
{
    if (c->argc > 2 || (c->argc == 2 && !cmd_arg_is(c, 1, "sync") && !cmd_arg_is(c, 1, "async"))) {
        cmd_error_syntax(c);
        return;
    }
    if (!cmd_enter_all(c))
        return;
    for (unsigned shard = 0; shard < c->engine->region->nshards; shard++)
        for (unsigned db = from; db < to; db++)
            if (!flush_root(c, shard, db))
                return;
    c->dirty++;
    resp_out_ok(c->out);
}

void cmd_flushdb(struct cmd *c) { flush(c, c->db, c->db + 1); }
void cmd_flushall(struct cmd *c) { flush(c, 0, c->engine->region->databases); }
