/* cmd_hash.c - the hash commands on types/type_hash.h.
 *
 * Process: workers. Locks: exec.c took the key's shard. Crash: changes are the transaction's.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/glob.h"
#include "command/cmd_hash.h"
#include "command/cmd_rows.h"
#include "command/cmd_scan.h"
#include "command/control.h"
#include "command/keyspace.h"
#include "types/type_hash.h"

#define HSCAN_COUNT 10                   /* without COUNT */
#define HRANDFIELD_FEW 3u                /* distinct fields are picked by chance if they are less than one in so many */
#define HRANDFIELD_REPLY_MAX (1u << 26)  /* bytes; 2^30 took 5 s under the lock, as long as a worker may take */

struct type_hash_limits
cmd_hash_limits(const struct cmd *c)
{
    return (struct type_hash_limits){.entries = (size_t)config_number(c->engine, PARAM_HASH_MAX_LISTPACK_ENTRIES),
        .value = (size_t)config_number(c->engine, PARAM_HASH_MAX_LISTPACK_VALUE)};
}

struct hash_key {
    struct cmd *c;
    struct key_ref ref;
    struct type_hash hash;
};

/* How a hash gets a larger entry, or its first (see type_hash.h). */
static struct shm_entry_sh *
replace(void *arg, unsigned encoding, size_t vlen)
{
    struct hash_key *k = arg;
    char *value;
    struct shm_entry_sh *old = k->ref.place.entry;
    shm_off entry = keyspace_build(k->c, &k->ref, SHM_TYPE_HASH, encoding, vlen, old ? shm_entry_expiry(old) : -1, &value);
    if (!entry || !(old ? keyspace_move_value(k->c, &k->ref, entry) : keyspace_put(k->c, &k->ref, entry)))
        return NULL;
    return k->ref.place.entry;
}

/* Looks the key up; false: an error reply was written. The hash may be absent (length 0). */
static bool
open_hash(struct cmd *c, struct hash_key *k, bool for_write)
{
    k->c = c;
    if (for_write)
        keyspace_write(c, 0, &k->ref);
    else
        keyspace_read(c, 0, &k->ref);
    if (!keyspace_type_ok(c, &k->ref, SHM_TYPE_HASH))
        return false;
    type_hash_open(&k->hash, c->engine->region, k->ref.shard, k->ref.place.entry);
    k->hash.tx = for_write ? c->tx : NULL;
    k->hash.limits = cmd_hash_limits(c);
    k->hash.replace = replace;
    k->hash.arg = k;
    return true;
}

static bool
get(const struct hash_key *k, const struct resp_arg *field, struct string_view *value)
{
    return k->hash.entry && type_hash_get(&k->hash, field->data, field->len, value);
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static void
set_pairs(struct cmd *c, int64_t *created)
{
    struct hash_key k;
    *created = -1;
    if (c->argc % 2) {
        cmd_error(c, "ERR wrong number of arguments for '%s' command", c->row->name);
        return;
    }
    if (!open_hash(c, &k, true))
        return;
    int64_t n = 0;
    for (int i = 2; i < c->argc; i += 2) {
        enum type_hash_set done =
            type_hash_set(&k.hash, cmd_arg(c, i), cmd_arg_len(c, i), cmd_arg(c, i + 1), cmd_arg_len(c, i + 1));
        if (done == TYPE_HASH_FAILED)
            return;
        n += done;
    }
    c->dirty += (uint64_t)(c->argc - 2) / 2;
    *created = n;
}

void
cmd_hset(struct cmd *c)
{
    int64_t created;
    set_pairs(c, &created);
    if (created >= 0)
        resp_out_int(c->out, created);
}

void
cmd_hmset(struct cmd *c)
{
    int64_t created;
    set_pairs(c, &created);
    if (created >= 0)
        resp_out_ok(c->out);
}

void
cmd_hsetnx(struct cmd *c)
{
    struct hash_key k;
    struct string_view old;
    if (!open_hash(c, &k, true))
        return;
    if (get(&k, &c->argv[2], &old)) {
        resp_out_int(c->out, 0);
        return;
    }
    if (type_hash_set(&k.hash, cmd_arg(c, 2), cmd_arg_len(c, 2), cmd_arg(c, 3), cmd_arg_len(c, 3)) == TYPE_HASH_FAILED)
        return;
    c->dirty++;
    resp_out_int(c->out, 1);
}

void
cmd_hdel(struct cmd *c)
{
    struct hash_key k;
    int64_t n = 0;
    if (!open_hash(c, &k, true))
        return;
    for (int i = 2; i < c->argc && k.hash.entry; i++) {
        int done = type_hash_delete(&k.hash, cmd_arg(c, i), cmd_arg_len(c, i));
        if (done < 0)
            return;
        n += done;
        if (type_hash_length(&k.hash) > 0)
            continue;
        k.ref.place.entry = k.hash.entry;
        if (!keyspace_delete(c, &k.ref))
            return;
        break;
    }
    c->dirty += (uint64_t)n;
    resp_out_int(c->out, n);
}

void
cmd_hincrby(struct cmd *c)
{
    struct hash_key k;
    struct string_view old;
    int64_t by, now = 0, sum;
    char digits[TYPE_STRING_DIGITS];
    if (!cmd_arg_int(c, 3, &by) || !open_hash(c, &k, true))
        return;
    if (get(&k, &c->argv[2], &old) && !type_string_view_int(&old, &now)) {
        cmd_error(c, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(now, by, &sum)) {
        cmd_error(c, "ERR increment or decrement would overflow");
        return;
    }
    size_t n = type_string_render_int(sum, digits);
    if (type_hash_set(&k.hash, cmd_arg(c, 2), cmd_arg_len(c, 2), digits, n) == TYPE_HASH_FAILED)
        return;
    c->dirty++;
    resp_out_int(c->out, sum);
}

void
cmd_hincrbyfloat(struct cmd *c)
{
    struct hash_key k;
    struct string_view old;
    long double by, now = 0;
    char text[CMD_LONG_DOUBLE_MAX];
    if (!cmd_arg_long_double(c, 3, &by))
        return;
    if (isinf(by)) {
        cmd_error(c, "ERR value is NaN or Infinity");
        return;
    }
    if (!open_hash(c, &k, true))
        return;
    if (get(&k, &c->argv[2], &old) && !cmd_view_long_double(&old, &now)) {
        cmd_error(c, "ERR hash value is not a float");
        return;
    }
    if (isnan(now + by) || isinf(now + by)) {
        cmd_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    size_t n = cmd_render_long_double(now + by, text);
    if (type_hash_set(&k.hash, cmd_arg(c, 2), cmd_arg_len(c, 2), text, n) == TYPE_HASH_FAILED)
        return;
    c->dirty++;
    cmd_effectf(c, "HSET %b %b %b", cmd_arg(c, 1), cmd_arg_len(c, 1), cmd_arg(c, 2), cmd_arg_len(c, 2), text, n);
    resp_out_bulk(c->out, text, n);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static void
out_field(struct cmd *c, const struct hash_key *k, const struct resp_arg *field)
{
    struct string_view value;
    if (get(k, field, &value))
        cmd_out_view(c, &value);
    else
        resp_out_null(c->out);
}

void
cmd_hget(struct cmd *c)
{
    struct hash_key k;
    if (open_hash(c, &k, false))
        out_field(c, &k, &c->argv[2]);
}

void
cmd_hmget(struct cmd *c)
{
    struct hash_key k;
    if (!open_hash(c, &k, false))
        return;
    resp_out_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++)
        out_field(c, &k, &c->argv[i]);
}

void
cmd_hlen(struct cmd *c)
{
    struct hash_key k;
    if (open_hash(c, &k, false))
        resp_out_int(c->out, k.hash.entry ? (int64_t)type_hash_length(&k.hash) : 0);
}

void
cmd_hstrlen(struct cmd *c)
{
    struct hash_key k;
    struct string_view value;
    if (open_hash(c, &k, false))
        resp_out_int(c->out, get(&k, &c->argv[2], &value) ? (int64_t)value.len : 0);
}

void
cmd_hexists(struct cmd *c)
{
    struct hash_key k;
    struct string_view value;
    if (open_hash(c, &k, false))
        resp_out_int(c->out, get(&k, &c->argv[2], &value));
}

struct each {
    struct cmd *c;
    bool fields, values;
};

static bool
out_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct each *e = arg;
    if (e->fields)
        cmd_out_view(e->c, field);
    if (e->values)
        cmd_out_view(e->c, value);
    return true;
}

static void
out_all(struct cmd *c, bool fields, bool values)
{
    struct hash_key k;
    struct each e = {c, fields, values};
    if (!open_hash(c, &k, false))
        return;
    size_t n = k.hash.entry ? (size_t)type_hash_length(&k.hash) : 0;
    if (fields && values)
        resp_out_map(c->out, n);
    else
        resp_out_array(c->out, n);
    if (n)
        type_hash_each(&k.hash, out_pair, &e);
}

void cmd_hgetall(struct cmd *c) { out_all(c, true, true); }
void cmd_hkeys(struct cmd *c) { out_all(c, true, false); }
void cmd_hvals(struct cmd *c) { out_all(c, false, true); }

/* ---- HSCAN --------------------------------------------------------------------------------------------------- */

struct hscan {
    struct cmd *c;
    const struct resp_arg *match; /* NULL: all */
    uint64_t seen, found;
};

static void
out_if_matched(struct hscan *s, const struct string_view *field, const struct string_view *value)
{
    struct buf *buf = s->c->out->buf;
    size_t mark = buf->len;
    char *name = resp_out_bulk_begin(s->c->out, field->len);
    s->seen++;
    if (!name)
        return;
    type_string_copy(field, 0, name, field->len);
    if (s->match && !glob_match(s->match->data, s->match->len, name, field->len)) {
        buf_truncate(buf, mark);
        return;
    }
    cmd_out_view(s->c, value);
    s->found++;
}

static bool
hscan_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    out_if_matched(arg, field, value);
    return true;
}

void
cmd_hscan(struct cmd *c)
{
    struct hash_key k;
    struct hscan s = {.c = c};
    struct buf *buf = c->out->buf, pairs;
    uint64_t cursor;
    struct cmd_scan_options options = {.count = HSCAN_COUNT};
    char digits[TYPE_STRING_DIGITS];
    if (!cmd_arg_cursor(c, 2, &cursor) || !open_hash(c, &k, false))
        return;
    if (k.hash.entry && !cmd_scan_options(c, 3, false, &options))
        return;
    s.match = options.match;
    buf_init(&pairs); /* the pairs aside: the cursor comes before them */
    c->out->buf = &pairs;
    do
        cursor = type_hash_scan(&k.hash, cursor, hscan_pair, &s);
    while (cursor != 0 && s.seen < (uint64_t)options.count);
    c->out->buf = buf;
    resp_out_array(c->out, 2);
    resp_out_bulk(c->out, digits, type_string_render_int((int64_t)cursor, digits));
    resp_out_array(c->out, s.found * 2);
    resp_out_raw(c->out, buf_head(&pairs), buf_pending(&pairs));
    buf->failed |= pairs.failed;
    buf_destroy(&pairs);
}

/* ---- HRANDFIELD ------------------------------------------------------------------------------------------------ */

struct hrand {
    struct cmd *c;
    bool values;
    uint64_t left, wanted; /* selection: pairs not yet walked over, and how many of them are still to be taken */
};

/* RESP3 has an array for each pair, RESP2 none. */
static void
out_random(struct hrand *r, const struct string_view *field, const struct string_view *value)
{
    if (r->values && r->c->out->version > 2)
        resp_out_array(r->c->out, 2);
    cmd_out_view(r->c, field);
    if (r->values)
        cmd_out_view(r->c, value);
}

static void
pick(struct hrand *r, const struct hash_key *k, struct string_view *field, struct string_view *value)
{
    struct rand *random = &r->c->engine->exec.random;
    const uint64_t numbers[2] = {rand_next(random), rand_next(random)};
    type_hash_random(&k->hash, numbers, field, value);
}

/* Any pairs, one as often as chance has it. A reply beyond all bounds ends the connection, not the worker. */
static void
out_repeated(struct hrand *r, const struct hash_key *k, uint64_t count)
{
    struct string_view field, value;
    for (; count > 0 && !buf_failed(r->c->out->buf); count--) {
        pick(r, k, &field, &value);
        out_random(r, &field, &value);
        if (buf_pending(r->c->out->buf) > HRANDFIELD_REPLY_MAX)
            r->c->out->buf->failed = true;
    }
}

/* Takes each pair with the chance that makes `wanted` of all (Knuth's algorithm S, TAOCP 3.4.2). */
static bool
select_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct hrand *r = arg;
    if (rand_below(&r->c->engine->exec.random, r->left--) < r->wanted) {
        r->wanted--;
        out_random(r, field, value);
    }
    return r->wanted > 0;
}

/* What a field of a tree is known by: its bytes' or blob's place. */
static uint64_t
identity(const struct string_view *field)
{
    return field->region ? field->blob.root : (uint64_t)(uintptr_t)field->bytes;
}

/* Adds to a set that is at most half full; false: it was there. 0 marks an empty place. */
static bool
set_add(uint64_t *set, uint64_t mask, uint64_t id)
{
    uint64_t at = (id * 0x9E3779B97F4A7C15ull) >> 32 & mask;
    while (set[at] && set[at] != id)
        at = (at + 1) & mask;
    bool added = set[at] == 0;
    set[at] = id;
    return added;
}

/* Few of a large tree: chosen by chance, those met before left out. False: no private memory. */
static bool
out_distinct(struct hrand *r, const struct hash_key *k, uint64_t count)
{
    struct string_view field, value;
    uint64_t places = 4;
    while (places < count * 2)
        places *= 2;
    uint64_t *met = calloc(places, sizeof *met);
    if (!met)
        return false;
    while (count > 0) {
        pick(r, k, &field, &value);
        if (!set_add(met, places - 1, identity(&field)))
            continue;
        out_random(r, &field, &value);
        count--;
    }
    free(met);
    return true;
}

static void
random_pairs(struct cmd *c, const struct hash_key *k, int64_t count, bool values)
{
    uint64_t size = type_hash_length(&k->hash), n = count < 0 ? (uint64_t)-count : (uint64_t)count;
    struct hrand r = {.c = c, .values = values, .left = size};
    if (count >= 0 && n > size)
        n = size;
    if (size == 0)
        n = 0;
    resp_out_array(c->out, values && c->out->version == 2 ? n * 2 : n);
    if (count < 0 && n > 0) {
        out_repeated(&r, k, n);
    } else if (n > 0 && (n * HRANDFIELD_FEW > size || !type_hash_needs_lock(k->hash.entry) || !out_distinct(&r, k, n))) {
        r.wanted = n;
        type_hash_each(&k->hash, select_pair, &r);
    }
}

/* The count and WITHVALUES; false: error reply. */
static bool
random_options(struct cmd *c, int64_t *count, bool *values)
{
    if (!cmd_arg_int(c, 2, count))
        return false;
    if (*count == INT64_MIN) {
        cmd_error(c, "ERR value is out of range, value must between %lld and %lld", -LLONG_MAX, LLONG_MAX);
        return false;
    }
    *values = c->argc == 4 && cmd_arg_is(c, 3, "withvalues");
    if (c->argc > 3 && !*values) {
        cmd_error_syntax(c);
        return false;
    }
    if (*values && (*count < -(LLONG_MAX / 2) || *count > LLONG_MAX / 2)) {
        cmd_error(c, "ERR value is out of range");
        return false;
    }
    return true;
}

void
cmd_hrandfield(struct cmd *c)
{
    struct hash_key k;
    struct string_view field, value;
    int64_t count;
    bool values;
    if (c->argc > 2) {
        if (random_options(c, &count, &values) && open_hash(c, &k, false))
            random_pairs(c, &k, count, values);
        return;
    }
    if (!open_hash(c, &k, false))
        return;
    if (!k.hash.entry) {
        resp_out_null(c->out);
        return;
    }
    struct hrand r = {.c = c};
    pick(&r, &k, &field, &value);
    out_random(&r, &field, NULL);
}
