/* cmd_dump.c - DUMP and RESTORE: a key's value as bytes, and back (types/type_rdb.h).
 *
 * DUMP holds the lock while it copies or packs the value, and compresses strings after it let go. RESTORE checks the
 * payload before it changes anything, as deeply as sanitize-dump-payload wants; the value is built in a transaction, and what
 * is noticed only then (a field that stands twice, damage inside a pack) rolls it back.
 *
 * Process: workers. Locks: exec.c took the key's. Crash: changes are the transaction's.
 */
#include <stdlib.h>

#include "command/cmd_hash.h"
#include "command/cmd_rows.h"
#include "command/cmd_string.h"
#include "command/control.h"
#include "command/keyspace.h"
#include "types/type_rdb.h"
#include "types/type_value.h"

#define SANITIZE_NO 0 /* the first of sanitize-dump-payload's words */
#define RESTORE_ARGS_MAX 16 /* of a logged RESTORE; its options say nothing by repetition */

static void
error_bad_format(struct cmd *c)
{
    cmd_error(c, "ERR Bad data format");
}

/* ---- DUMP ------------------------------------------------------------------------------------------------------- */

/* The string's bytes, copied, and the lock dropped. NULL: no private memory. */
static char *
take_string(struct cmd *c, const struct key_ref *ref, size_t *n)
{
    struct string_view v;
    type_string_view(&v, c->engine->region, ref->place.entry);
    char *bytes = malloc(v.len + 1);
    if (bytes)
        type_string_copy(&v, 0, bytes, v.len);
    *n = v.len;
    cmd_leave_read(c);
    return bytes;
}

static void
save_string(struct cmd *c, const struct key_ref *ref, struct buf *out)
{
    size_t n;
    char *bytes = take_string(c, ref, &n);
    if (bytes)
        type_rdb_save_string(out, bytes, n, config_yes(c->engine, PARAM_RDBCOMPRESSION));
    else
        out->failed = true;
    free(bytes);
}

static void
save_hash(struct cmd *c, const struct key_ref *ref, struct buf *out)
{
    struct type_hash h;
    type_hash_open(&h, c->engine->region, ref->shard, ref->place.entry);
    type_rdb_save_hash(out, &h, config_yes(c->engine, PARAM_RDBCOMPRESSION));
    cmd_leave_read(c);
}

void
cmd_dump(struct cmd *c)
{
    struct key_ref ref;
    struct buf payload;
    if (!keyspace_read(c, 0, &ref)) {
        resp_out_null(c->out);
        return;
    }
    buf_init(&payload);
    if (shm_entry_type(ref.place.entry) == SHM_TYPE_STRING)
        save_string(c, &ref, &payload);
    else
        save_hash(c, &ref, &payload);
    type_rdb_save_footer(&payload);
    if (buf_failed(&payload))
        cmd_error(c, "OOM command not allowed when used memory > 'maxmemory'.");
    else
        resp_out_bulk(c->out, buf_head(&payload), buf_pending(&payload));
    buf_destroy(&payload);
}

/* ---- RESTORE: arguments --------------------------------------------------------------------------------------------- */

struct restore {
    struct cmd *c;
    struct key_ref ref;
    bool replace, absttl;
    int64_t idle_s; /* -1: not told */
    int64_t freq;   /* -1: not told; kept for when there is an LFU policy */
    int64_t when_ms; /* -1: no expiry */
};

static bool
number_option(struct cmd *c, int i, int64_t max, const char *error, int64_t *v)
{
    if (!cmd_arg_int(c, i, v))
        return false;
    if (*v >= 0 && *v <= max)
        return true;
    cmd_error(c, "%s", error);
    return false;
}

static bool
restore_options(struct restore *r)
{
    struct cmd *c = r->c;
    for (int i = 4; i < c->argc; i++) {
        bool has_value = i + 1 < c->argc;
        if (cmd_arg_is(c, i, "replace")) {
            r->replace = true;
        } else if (cmd_arg_is(c, i, "absttl")) {
            r->absttl = true;
        } else if (cmd_arg_is(c, i, "idletime") && has_value && r->freq == -1) {
            if (!number_option(c, ++i, INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0", &r->idle_s))
                return false;
        } else if (cmd_arg_is(c, i, "freq") && has_value && r->idle_s == -1) {
            if (!number_option(c, ++i, UINT8_MAX, "ERR Invalid FREQ value, must be >= 0 and <= 255", &r->freq))
                return false;
        } else {
            cmd_error_syntax(c);
            return false;
        }
    }
    return true;
}

static bool
restore_ttl(struct restore *r)
{
    struct cmd *c = r->c;
    int64_t ttl;
    if (!number_option(c, 2, INT64_MAX, "ERR Invalid TTL value, must be >= 0", &ttl))
        return false;
    if (ttl > 0 && !r->absttl)
        ttl = (int64_t)((uint64_t)ttl + (uint64_t)cmd_now(c)); /* wraps, as in Redis */
    r->when_ms = ttl ? ttl : -1;
    return true;
}

/* ---- RESTORE: building -------------------------------------------------------------------------------------------------- */

static bool
restore_string(struct restore *r, const struct rdb_string *s)
{
    struct string_plan plan;
    type_string_plan_set(&plan, rdb_string_bytes(s), s->len, type_string_key_part(r->ref.name_len));
    return cmd_string_put(r->c, &r->ref, &plan, r->when_ms);
}

/* How the hash gets its entries (type_hash.h). */
static struct shm_entry_sh *
replace_entry(void *arg, unsigned encoding, size_t vlen)
{
    struct restore *r = arg;
    char *value;
    bool present = keyspace_found(&r->ref);
    shm_off entry = keyspace_build(r->c, &r->ref, SHM_TYPE_HASH, encoding, vlen, r->when_ms, &value);
    if (!entry || !(present ? keyspace_move_value(r->c, &r->ref, entry) : keyspace_put(r->c, &r->ref, entry)))
        return NULL;
    return r->ref.place.entry;
}

struct hash_build {
    struct type_hash hash;
    bool repeated; /* a field came twice */
};

static bool
restore_pair(void *arg, const struct rdb_string *field, const struct rdb_string *value)
{
    struct hash_build *b = arg;
    enum type_hash_set done =
        type_hash_set(&b->hash, rdb_string_bytes(field), field->len, rdb_string_bytes(value), value->len);
    b->repeated = done == TYPE_HASH_UPDATED;
    return done == TYPE_HASH_CREATED;
}

/* 1 done, 0 the value is wrong, -1 tx->want. */
static int
restore_hash(struct restore *r, struct type_rdb *d)
{
    struct hash_build b = {0};
    struct cmd *c = r->c;
    type_hash_open(&b.hash, c->engine->region, r->ref.shard, NULL);
    b.hash.tx = c->tx;
    b.hash.replace = replace_entry;
    b.hash.arg = r;
    b.hash.limits = cmd_hash_limits(c);
    if (d->packed)
        b.hash.limits.value = SIZE_MAX;
    if (d->count > b.hash.limits.entries)
        b.hash.limits.entries = 0; /* a tree from the first field on */
    enum type_rdb_result done = type_rdb_each(d, restore_pair, &b);
    if (done == TYPE_RDB_OK)
        return 1;
    if (done == TYPE_RDB_BAD || b.repeated)
        return 0;
    if (c->tx->want == SHM_WANT_NOTHING)
        c->tx->want = SHM_WANT_HEAP;
    return -1;
}

/* RESTORE with an absolute time. */
static void
restore_effect(struct restore *r)
{
    struct cmd *c = r->c;
    struct shm_effect_arg args[RESTORE_ARGS_MAX + 1];
    char digits[TYPE_STRING_DIGITS];
    int n = c->argc < RESTORE_ARGS_MAX ? c->argc : RESTORE_ARGS_MAX;
    if (r->when_ms == -1 || r->absttl)
        return;
    for (int i = 0; i < n; i++)
        args[i] = (struct shm_effect_arg){cmd_arg(c, i), cmd_arg_len(c, i)};
    args[2] = (struct shm_effect_arg){digits, type_string_render_int(r->when_ms, digits)};
    args[n] = (struct shm_effect_arg){"ABSTTL", 6};
    cmd_effect(c, n + 1, args);
}

static void
set_clock(struct restore *r)
{
    struct exec_state *x = &r->c->engine->exec;
    uint16_t idle = (uint16_t)(r->idle_s > INT16_MAX ? INT16_MAX : r->idle_s); /* the clock has no room for more */
    if (r->idle_s != -1)
        atomic_store_explicit(r->ref.place.clock, (uint16_t)(x->clock - idle), memory_order_relaxed);
}

/* Puts the value that was read in the key's place. */
static void
restore_value(struct restore *r, struct type_rdb *d)
{
    struct cmd *c = r->c;
    struct shm_savepoint before;
    bool found = keyspace_write(c, 0, &r->ref);
    shm_tx_savepoint(c->tx, &before);
    if (found && !keyspace_delete(c, &r->ref))
        return;
    if (r->when_ms != -1 && cmd_is_over(c, r->when_ms)) {
        if (found) {
            c->dirty++;
            cmd_effectf(c, "DEL %b", r->ref.name, r->ref.name_len);
        }
        resp_out_ok(c->out);
        return;
    }
    int done = d->type == SHM_TYPE_HASH ? restore_hash(r, d) : restore_string(r, &d->string) ? 1 : -1;
    if (done < 0)
        return;
    if (done == 0) {
        shm_tx_rollback_to(c->tx, &before);
        error_bad_format(c);
        return;
    }
    set_clock(r);
    c->dirty++;
    restore_effect(r);
    resp_out_ok(c->out);
}

void
cmd_restore(struct cmd *c)
{
    struct restore r = {.c = c, .idle_s = -1, .freq = -1};
    struct type_rdb d;
    if (!restore_options(&r))
        return;
    if (!r.replace && keyspace_write(c, 0, &r.ref)) {
        cmd_error(c, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!restore_ttl(&r))
        return;
    if (!type_rdb_verify(cmd_arg(c, 3), cmd_arg_len(c, 3))) {
        cmd_error(c, "ERR DUMP payload version or checksum are wrong");
        return;
    }
    bool deep = config_number(c->engine, PARAM_SANITIZE_DUMP_PAYLOAD) != SANITIZE_NO;
    switch (type_rdb_open(&d, cmd_arg(c, 3), cmd_arg_len(c, 3), deep)) {
    case TYPE_RDB_OK:
        restore_value(&r, &d);
        break;
    case TYPE_RDB_BAD:
        error_bad_format(c);
        break;
    case TYPE_RDB_NO_MEMORY:
        c->tx->want = SHM_WANT_HEAP;
        break;
    case TYPE_RDB_UNKNOWN:
        cmd_error(c, "ERR the value is sound, but type '%s' has no commands here yet", d.type_name);
        break;
    case TYPE_RDB_STOPPED:
        xassert(false); /* nothing was handed out */
    }
    type_rdb_close(&d);
}
