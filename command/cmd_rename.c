/* cmd_rename.c - values that go to another key or database: RENAME, RENAMENX, COPY, MOVE.
 *
 * Blocks belong to a shard. Within one, a renamed or moved value keeps its blocks and only the entry is made anew, so
 * that costs the same at any size. A value for another shard is copied, with both locks held: time and memory grow with it.
 *
 * Process: workers. Locks: exec.c took those of both keys. Crash: changes are the transaction's.
 */
#include "command/cmd_rows.h"
#include "command/keyspace.h"
#include "types/type_value.h"

/* Puts a copy of `from`'s value and expiry in `to`'s place. */
static bool
copy_value(struct cmd *c, const struct key_ref *from, struct key_ref *to)
{
    struct type_value_plan plan;
    const struct shm_entry_sh *e = from->place.entry;
    char *value;
    type_value_plan_copy(&plan, c->engine->region, e, to->name_len);
    shm_off entry = keyspace_build(c, to, plan.type, plan.encoding, plan.vlen, shm_entry_expiry(e), &value);
    return entry && type_value_plan_write(c->tx, to->shard, &plan, value) && keyspace_put(c, to, entry);
}

/* Puts a new entry in `to`'s place that refers to what `from`'s refers to. Same shard. */
static bool
share_value(struct cmd *c, const struct key_ref *from, struct key_ref *to)
{
    const struct shm_entry_sh *e = from->place.entry;
    size_t vlen = shm_entry_vlen(e);
    char *value;
    shm_off entry = keyspace_build(c, to, shm_entry_type(e), shm_entry_encoding(e), vlen, shm_entry_expiry(e), &value);
    if (!entry)
        return false;
    memcpy(value, shm_entry_value(e), vlen);
    return keyspace_put(c, to, entry);
}

/* Does the value lie outside the entry, so that it can change its key without being copied? What lies in an entry
 * may not fit one with a longer key (a string), or is as cheap to copy. */
static bool
is_outside(const struct key_ref *ref)
{
    const struct shm_entry_sh *e = ref->place.entry;
    return shm_entry_type(e) != SHM_TYPE_STRING || type_string_needs_lock(e);
}

/* `to` gets the value of `from`, which ends. */
static bool
move_value(struct cmd *c, struct key_ref *from, struct key_ref *to)
{
    struct key_ref again; /* what was found before is not valid after a change in the shard */
    bool shared = from->shard == to->shard && is_outside(from);
    if (!(shared ? share_value(c, from, to) : copy_value(c, from, to)))
        return false;
    xassert(keyspace_find(c, from->db, from->name, from->name_len, true, &again));
    return shared ? keyspace_delete_shell(c, &again) : keyspace_delete(c, &again);
}

static bool
is_same_name(const struct cmd *c)
{
    return cmd_arg_len(c, 1) == cmd_arg_len(c, 2) && memcmp(cmd_arg(c, 1), cmd_arg(c, 2), cmd_arg_len(c, 1)) == 0;
}

static void
error_same_object(struct cmd *c)
{
    cmd_error(c, "ERR source and destination objects are the same");
}

/* A database number; false: error reply. */
static bool
database_of(struct cmd *c, int arg, unsigned *db)
{
    int64_t v;
    if (!cmd_arg_int(c, arg, &v))
        return false;
    if (v < INT32_MIN || v > INT32_MAX) {
        cmd_error(c, "ERR value is out of range, value must between %d and %d", INT32_MIN, INT32_MAX);
        return false;
    }
    if (v < 0 || v >= c->engine->region->databases) {
        cmd_error(c, "ERR DB index is out of range");
        return false;
    }
    *db = (unsigned)v;
    return true;
}

/* ---- RENAME ------------------------------------------------------------------------------------------------------- */

/* 1 renamed (or nothing to do), 0 the new name exists and `nx`, -1 an error reply was written or tx->want. */
static int
rename_key(struct cmd *c, bool nx)
{
    struct key_ref from, to;
    if (!keyspace_write(c, 0, &from)) {
        cmd_error_no_such_key(c);
        return -1;
    }
    if (is_same_name(c))
        return !nx;
    if (keyspace_write(c, 1, &to) && nx)
        return 0;
    keyspace_write(c, 0, &from); /* again: an expired `to` may have been deleted */
    if (!move_value(c, &from, &to))
        return -1;
    c->dirty++;
    return 1;
}

void
cmd_rename(struct cmd *c)
{
    if (rename_key(c, false) > 0)
        resp_out_ok(c->out);
}

void
cmd_renamenx(struct cmd *c)
{
    int done = rename_key(c, true);
    if (done >= 0)
        resp_out_int(c->out, done);
}

/* ---- COPY and MOVE ---------------------------------------------------------------------------------------------------- */

static bool
copy_options(struct cmd *c, unsigned *db, bool *replace)
{
    *db = c->db;
    *replace = false;
    for (int i = 3; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "replace")) {
            *replace = true;
        } else if (cmd_arg_is(c, i, "db") && i + 1 < c->argc) {
            if (!database_of(c, ++i, db))
                return false;
        } else {
            cmd_error_syntax(c);
            return false;
        }
    }
    return true;
}

void
cmd_copy(struct cmd *c)
{
    struct key_ref from, to;
    unsigned db;
    bool replace;
    if (!copy_options(c, &db, &replace))
        return;
    if (c->engine->cluster && (c->db != 0 || db != 0)) {
        cmd_error(c, "ERR Copying to another database is not allowed in cluster mode");
        return;
    }
    if (db == c->db && is_same_name(c)) {
        error_same_object(c);
        return;
    }
    if (!keyspace_read(c, 0, &from) || (keyspace_find(c, db, cmd_arg(c, 2), cmd_arg_len(c, 2), true, &to) && !replace)) {
        resp_out_int(c->out, 0);
        return;
    }
    keyspace_peek(c, 0, &from); /* again: an expired `to` may have been deleted */
    if (!copy_value(c, &from, &to))
        return;
    c->dirty++;
    resp_out_int(c->out, 1);
}

void
cmd_move(struct cmd *c)
{
    struct key_ref from, to;
    unsigned db;
    if (c->engine->cluster) {
        cmd_error(c, "ERR MOVE is not allowed in cluster mode");
        return;
    }
    if (!database_of(c, 2, &db))
        return;
    if (db == c->db) {
        error_same_object(c);
        return;
    }
    if (!keyspace_write(c, 0, &from) || keyspace_find(c, db, cmd_arg(c, 1), cmd_arg_len(c, 1), true, &to)) {
        resp_out_int(c->out, 0);
        return;
    }
    if (!move_value(c, &from, &to))
        return;
    c->dirty++;
    resp_out_int(c->out, 1);
}
