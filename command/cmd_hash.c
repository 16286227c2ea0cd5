/* cmd_hash.c - the hash commands on types/type_hash.h.
 *
 * Process: workers. Locks: exec.c took the key's shard. Crash: changes are the transaction's.
 */
#include <math.h>

#include "command/cmd_rows.h"
#include "command/keyspace.h"
#include "types/type_hash.h"

static const struct type_hash_limits default_limits = {.entries = 512, .value = 64};

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
    k->hash.limits = default_limits;
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
