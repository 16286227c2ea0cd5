/* cmd_expire.c - the expiry of keys: EXPIRE and TTL with their relatives, PERSIST.
 *
 * Process: workers. Locks: exec.c took those of the keys. Crash: changes are the transaction's.
 */
#include "command/cmd_rows.h"
#include "command/keyspace.h"

#define EXPIRE_ARGS_MAX 16 /* of a logged PEXPIREAT */

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

/* PEXPIREAT with the words as they came. */
static void
expire_effect(struct cmd *c, int64_t when)
{
    struct shm_effect_arg args[EXPIRE_ARGS_MAX] = {{"PEXPIREAT", 9}, {cmd_arg(c, 1), cmd_arg_len(c, 1)}};
    char digits[TYPE_STRING_DIGITS];
    int argc = c->argc < EXPIRE_ARGS_MAX ? c->argc : 3; /* words that are said so often add nothing */
    args[2] = (struct shm_effect_arg){digits, type_string_render_int(when, digits)};
    for (int i = 3; i < argc; i++)
        args[i] = (struct shm_effect_arg){cmd_arg(c, i), cmd_arg_len(c, i)};
    cmd_effect(c, argc, args);
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
    if (cmd_is_over(c, when)) {
        if (!keyspace_delete(c, &ref))
            return;
        cmd_effectf(c, "DEL %b", ref.name, ref.name_len);
    } else {
        if (!keyspace_set_expiry(c, &ref, when))
            return;
        expire_effect(c, when);
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
    resp_out_int(c->out, seconds ? (int64_t)(((uint64_t)v + 500) / 1000) : v);
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
