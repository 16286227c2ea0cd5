/* cmd_string.c - the string commands: SET and its relatives, several keys, ranges (counters: cmd_incr.c; LCS: cmd_lcs.c).
 *
 * Each function is one row of the table (command_table.c); what a value looks like in the region is types/type_string.h's
 * business. Options are parsed, and errors answered, in Redis 7.0.15's order.
 *
 * Process: workers. Locks: exec.c took those of the keys. Crash: changes are the transaction's.
 */
#include "base/apart.h"
#include "command/cmd_rows.h"
#include "command/cmd_string.h"
#include "command/keyspace.h"

/* ---- storing ---------------------------------------------------------------------------------------------- */

/* What the key takes in an entry, as the plans want to know it. */
static size_t
key_part(const struct key_ref *ref)
{
    return type_string_key_part(ref->name_len);
}

APART bool
cmd_string_put(struct cmd *c, struct key_ref *ref, const struct string_plan *plan, int64_t expiry_ms)
{
    char *value;
    shm_off entry = keyspace_build(c, ref, SHM_TYPE_STRING, plan->encoding, plan->vlen, expiry_ms, &value);
    return entry != 0 && type_string_plan_write(c->tx, ref->shard, plan, value) && keyspace_put(c, ref, entry);
}

bool
cmd_string_store(struct cmd *c, struct key_ref *ref, const struct string_plan *plan, int64_t expiry_ms)
{
    struct shm_entry_sh *e = ref->place.entry;
    bool same_shape = e != NULL && shm_entry_type(e) == SHM_TYPE_STRING && (shm_entry_expiry(e) != -1) == (expiry_ms != -1);
    if (same_shape)
        switch (type_string_set(c->tx, ref->shard, e, plan)) {
        case TYPE_DONE:
            return expiry_ms == -1 || keyspace_set_expiry(c, ref, expiry_ms);
        case TYPE_FAILED:
            return false;
        case TYPE_REPLACE:
            break;
        }
    return cmd_string_put(c, ref, plan, expiry_ms);
}

/* Stores bytes as SET does. */
static bool
store_bytes(struct cmd *c, struct key_ref *ref, const struct resp_arg *value, int64_t expiry_ms)
{
    struct string_plan plan;
    type_string_plan_set(&plan, value->data, value->len, key_part(ref));
    return cmd_string_store(c, ref, &plan, expiry_ms);
}

int64_t
cmd_string_expiry(const struct key_ref *ref)
{
    return ref->place.entry ? shm_entry_expiry(ref->place.entry) : -1;
}

/* Overwrites and extends the value from `at` on; makes raw. */
bool
cmd_string_write(struct cmd *c, struct key_ref *ref, size_t at, const char *bytes, size_t n)
{
    struct string_view old;
    struct string_plan plan;
    struct shm_entry_sh *e = ref->place.entry;
    if (e != NULL && n > 0)
        switch (type_string_write(c->tx, ref->shard, e, at, bytes, n)) {
        case TYPE_DONE:
            return true;
        case TYPE_FAILED:
            return false;
        case TYPE_REPLACE:
            break;
        }
    cmd_string_view(c, ref, &old);
    type_string_plan_splice(&plan, &old, at, bytes, n, key_part(ref));
    return cmd_string_put(c, ref, &plan, cmd_string_expiry(ref));
}

void
cmd_string_view(const struct cmd *c, const struct key_ref *ref, struct string_view *v)
{
    if (ref->place.entry)
        type_string_view(v, c->engine->region, ref->place.entry);
    else
        type_string_view_bytes(v, "", 0);
}

/* ---- options of SET and GETEX ------------------------------------------------------------------------------ */

enum {
    OPT_NX = 1,
    OPT_XX = 2,
    OPT_EX = 4,
    OPT_PX = 8,
    OPT_KEEPTTL = 16,
    OPT_GET = 32,
    OPT_EXAT = 64,
    OPT_PXAT = 128,
    OPT_PERSIST = 256,
};
#define OPT_TIMES (OPT_EX | OPT_PX | OPT_EXAT | OPT_PXAT)

struct set_options {
    unsigned flags;
    int expire; /* argument with the time, 0: none */
};

/* The words without a value. `set`: of SET, else of GETEX; an option is refused beside those in `not_with`. */
static const struct option_word {
    const char *word;
    unsigned flag, not_with;
    bool set, getex, has_time;
} option_words[] = {
    {"nx", OPT_NX, OPT_XX, true, false, false},
    {"xx", OPT_XX, OPT_NX, true, false, false},
    {"get", OPT_GET, 0, true, false, false},
    {"keepttl", OPT_KEEPTTL, OPT_PERSIST | OPT_TIMES, true, false, false},
    {"persist", OPT_PERSIST, OPT_KEEPTTL | OPT_TIMES, false, true, false},
    {"ex", OPT_EX, OPT_KEEPTTL | OPT_PERSIST | (OPT_TIMES & ~OPT_EX), true, true, true},
    {"px", OPT_PX, OPT_KEEPTTL | OPT_PERSIST | (OPT_TIMES & ~OPT_PX), true, true, true},
    {"exat", OPT_EXAT, OPT_KEEPTTL | OPT_PERSIST | (OPT_TIMES & ~OPT_EXAT), true, true, true},
    {"pxat", OPT_PXAT, OPT_KEEPTTL | OPT_PERSIST | (OPT_TIMES & ~OPT_PXAT), true, true, true},
};

static const struct option_word *
option_at(const struct cmd *c, int i, bool set, unsigned flags)
{
    for (size_t k = 0; k < sizeof option_words / sizeof *option_words; k++) {
        const struct option_word *w = &option_words[k];
        if (!(set ? w->set : w->getex) || (flags & w->not_with) || !cmd_arg_is(c, i, w->word))
            continue;
        return w->has_time && i == c->argc - 1 ? NULL : w;
    }
    return NULL;
}

static bool
parse_options(struct cmd *c, int from, bool set, struct set_options *o)
{
    for (int i = from; i < c->argc; i++) {
        const struct option_word *w = option_at(c, i, set, o->flags);
        if (w == NULL) {
            cmd_error_syntax(c);
            return false;
        }
        o->flags |= w->flag;
        if (w->has_time)
            o->expire = ++i;
    }
    return true;
}

/* The absolute time of an expiry argument, or the error reply. */
static bool
expiry_of(struct cmd *c, int arg, unsigned flags, int64_t *when_ms)
{
    int64_t v;
    if (!cmd_arg_int(c, arg, &v))
        return false;
    bool seconds = flags & (OPT_EX | OPT_EXAT), relative = flags & (OPT_EX | OPT_PX);
    bool bad = v <= 0 || (seconds && v > INT64_MAX / 1000);
    if (!bad && seconds)
        v *= 1000;
    if (!bad && relative)
        bad = __builtin_add_overflow(v, cmd_now(c), &v);
    if (bad) {
        cmd_error(c, "ERR invalid expire time in '%s' command", c->row->name);
        return false;
    }
    *when_ms = v;
    return true;
}

/* ---- SET and its short forms --------------------------------------------------------------------------------- */

/* Answers with the key's string or null; false after -WRONGTYPE. */
static bool
reply_old(struct cmd *c, const struct key_ref *ref)
{
    if (!keyspace_found(ref)) {
        resp_out_null(c->out);
        return true;
    }
    if (!keyspace_type_ok(c, ref, SHM_TYPE_STRING))
        return false;
    struct string_view v;
    type_string_view(&v, c->engine->region, ref->place.entry);
    cmd_out_view(c, &v);
    return true;
}

static void
set_effect(struct cmd *c, const struct key_ref *ref, const struct resp_arg *value, const struct set_options *o, int64_t expiry_ms)
{
    if (o->expire)
        cmd_effectf(c, "SET %b %b PXAT %l", ref->name, ref->name_len, value->data, value->len, expiry_ms);
    else if (o->flags & OPT_GET)
        cmd_effectf(c, o->flags & OPT_KEEPTTL ? "SET %b %b KEEPTTL" : "SET %b %b", ref->name, ref->name_len, value->data,
            value->len);
}

/* SET with options; `value` stands at argument val. */
static void
set_general(struct cmd *c, const struct set_options *o, int val, void (*reply)(struct cmd *c, bool stored))
{
    struct key_ref ref;
    int64_t when_ms = -1;
    if (o->expire && !expiry_of(c, o->expire, o->flags, &when_ms))
        return;
    bool found = keyspace_write(c, 0, &ref);
    if ((o->flags & OPT_GET) && !reply_old(c, &ref))
        return;
    if (((o->flags & OPT_NX) && found) || ((o->flags & OPT_XX) && !found)) {
        if (!(o->flags & OPT_GET))
            reply(c, false);
        return;
    }
    if (o->flags & OPT_KEEPTTL)
        when_ms = cmd_string_expiry(&ref);
    if (!store_bytes(c, &ref, &c->argv[val], when_ms))
        return;
    c->dirty++;
    set_effect(c, &ref, &c->argv[val], o, when_ms);
    if (!(o->flags & OPT_GET))
        reply(c, true);
}

static void
reply_ok_or_null(struct cmd *c, bool stored)
{
    if (stored)
        resp_out_ok(c->out);
    else
        resp_out_null(c->out);
}

static void
reply_one_or_zero(struct cmd *c, bool stored)
{
    resp_out_int(c->out, stored);
}

void
cmd_set(struct cmd *c)
{
    struct set_options o = {0};
    if (c->argc > 3) {
        if (parse_options(c, 3, true, &o))
            set_general(c, &o, 2, reply_ok_or_null);
        return;
    }
    struct key_ref ref;
    keyspace_write(c, 0, &ref);
    if (!store_bytes(c, &ref, &c->argv[2], -1))
        return;
    c->dirty++;
    resp_out_ok(c->out);
}

void
cmd_setnx(struct cmd *c)
{
    set_general(c, &(struct set_options){.flags = OPT_NX}, 2, reply_one_or_zero);
}

void
cmd_setex(struct cmd *c)
{
    set_general(c, &(struct set_options){.flags = OPT_EX, .expire = 2}, 3, reply_ok_or_null);
}

void
cmd_psetex(struct cmd *c)
{
    set_general(c, &(struct set_options){.flags = OPT_PX, .expire = 2}, 3, reply_ok_or_null);
}

void
cmd_getset(struct cmd *c)
{
    struct key_ref ref;
    keyspace_write(c, 0, &ref);
    if (!reply_old(c, &ref) || !store_bytes(c, &ref, &c->argv[2], -1))
        return;
    c->dirty++;
    cmd_effectf(c, "SET %b %b", ref.name, ref.name_len, c->argv[2].data, c->argv[2].len);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

void
cmd_get(struct cmd *c)
{
    struct key_ref ref;
    keyspace_read(c, 0, &ref);
    reply_old(c, &ref);
}

void
cmd_getdel(struct cmd *c)
{
    struct key_ref ref;
    bool found = keyspace_write(c, 0, &ref);
    if (!reply_old(c, &ref) || !found || !keyspace_delete(c, &ref))
        return;
    c->dirty++;
    cmd_effectf(c, "DEL %b", ref.name, ref.name_len);
}

/* What GETEX's options do to the key that was found. */
static void
getex_apply(struct cmd *c, struct key_ref *ref, const struct set_options *o, int64_t when_ms)
{
    if ((o->flags & (OPT_EXAT | OPT_PXAT)) && cmd_is_over(c, when_ms)) {
        if (!keyspace_delete(c, ref))
            return;
        cmd_effectf(c, "DEL %b", ref->name, ref->name_len);
    } else if (o->expire) {
        if (!keyspace_set_expiry(c, ref, when_ms))
            return;
        cmd_effectf(c, "PEXPIREAT %b %l", ref->name, ref->name_len, when_ms);
    } else {
        if (!(o->flags & OPT_PERSIST) || cmd_string_expiry(ref) == -1 || !keyspace_set_expiry(c, ref, -1))
            return;
        cmd_effectf(c, "PERSIST %b", ref->name, ref->name_len);
    }
    c->dirty++;
}

void
cmd_getex(struct cmd *c)
{
    struct set_options o = {0};
    struct key_ref ref;
    int64_t when_ms = -1;
    if (!parse_options(c, 2, false, &o))
        return;
    if (!keyspace_write(c, 0, &ref)) {
        resp_out_null(c->out);
        return;
    }
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING) || (o.expire && !expiry_of(c, o.expire, o.flags, &when_ms)))
        return;
    reply_old(c, &ref);
    getex_apply(c, &ref, &o, when_ms);
}

void
cmd_strlen(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    keyspace_read(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &v);
    resp_out_int(c->out, (int64_t)v.len);
}

void
cmd_getrange(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    int64_t start, end;
    if (!cmd_arg_int(c, 2, &start) || !cmd_arg_int(c, 3, &end))
        return;
    keyspace_read(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &v);
    int64_t len = (int64_t)v.len;
    bool none = start < 0 && end < 0 && start > end;
    if (start < 0)
        start = start < -len ? 0 : len + start;
    if (end < 0)
        end = end < -len ? 0 : len + end;
    if (end >= len)
        end = len - 1;
    if (none || start > end || len == 0)
        resp_out_bulk(c->out, "", 0);
    else
        cmd_out_view_range(c, &v, (size_t)start, (size_t)(end - start + 1));
}

void
cmd_mget(struct cmd *c)
{
    resp_out_array(c->out, c->nkeys);
    for (unsigned k = 0; k < c->nkeys; k++) {
        struct key_ref ref;
        struct string_view v;
        if (!keyspace_read(c, k, &ref) || shm_entry_type(ref.place.entry) != SHM_TYPE_STRING) {
            resp_out_null(c->out);
            continue;
        }
        type_string_view(&v, c->engine->region, ref.place.entry);
        cmd_out_view(c, &v);
    }
}

/* ---- several keys -------------------------------------------------------------------------------------------------- */

static bool
store_pairs(struct cmd *c)
{
    for (unsigned k = 0; k < c->nkeys; k++) {
        struct key_ref ref;
        keyspace_write(c, k, &ref);
        if (!store_bytes(c, &ref, &c->argv[c->keys[k].arg + 1], -1))
            return false;
    }
    c->dirty += c->nkeys;
    return true;
}

static bool
pairs_ok(struct cmd *c)
{
    if (c->argc % 2 == 1)
        return true;
    cmd_error(c, "ERR wrong number of arguments for '%s' command", c->row->name);
    return false;
}

void
cmd_mset(struct cmd *c)
{
    if (pairs_ok(c) && store_pairs(c))
        resp_out_ok(c->out);
}

void
cmd_msetnx(struct cmd *c)
{
    if (!pairs_ok(c))
        return;
    for (unsigned k = 0; k < c->nkeys; k++) {
        struct key_ref ref;
        if (keyspace_write(c, k, &ref)) {
            resp_out_int(c->out, 0);
            return;
        }
    }
    if (store_pairs(c))
        resp_out_int(c->out, 1);
}

/* ---- changing a part --------------------------------------------------------------------------------------------------- */

bool
cmd_string_length_ok(struct cmd *c, size_t at, size_t n)
{
    size_t total;
    if (!__builtin_add_overflow(at, n, &total) && total <= cmd_bulk_max(c))
        return true;
    cmd_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

void
cmd_append(struct cmd *c)
{
    struct key_ref ref;
    struct string_view old;
    const struct resp_arg *more = &c->argv[2];
    bool found = keyspace_write(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &old);
    size_t len = old.len;
    if (found && !cmd_string_length_ok(c, len, more->len))
        return;
    if (!(found ? cmd_string_write(c, &ref, len, more->data, more->len) : store_bytes(c, &ref, more, -1)))
        return;
    c->dirty++;
    resp_out_int(c->out, (int64_t)(len + more->len));
}

void
cmd_setrange(struct cmd *c)
{
    struct key_ref ref;
    struct string_view old;
    int64_t at;
    const struct resp_arg *bytes = &c->argv[3];
    if (!cmd_arg_int(c, 2, &at))
        return;
    if (at < 0) {
        cmd_error(c, "ERR offset is out of range");
        return;
    }
    keyspace_write(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &old);
    size_t len = old.len, end = (size_t)at + bytes->len;
    if (bytes->len == 0) {
        resp_out_int(c->out, (int64_t)len);
        return;
    }
    if (!cmd_string_length_ok(c, (size_t)at, bytes->len) || !cmd_string_write(c, &ref, (size_t)at, bytes->data, bytes->len))
        return;
    c->dirty++;
    resp_out_int(c->out, (int64_t)(end > len ? end : len));
}
