/* cmd_incr.c - counters: INCR and its relatives, INCRBYFLOAT.
 *
 * A counter is a string that happens to be a number; it is read as one, changed, and stored as one, its expiry kept. Floats are
 * C's long double written as Redis writes them, and replicated as the SET of what came out, so that no other machine has to
 * compute the same.
 *
 * Process: workers. Locks: exec.c took the key's. Crash: changes are the transaction's.
 */
#include <math.h>

#include "command/cmd_rows.h"
#include "command/cmd_string.h"

static void
increment(struct cmd *c, int64_t by)
{
    struct key_ref ref;
    struct string_view v;
    struct string_plan plan;
    int64_t value = 0;
    bool found = keyspace_write(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    if (found) {
        type_string_view(&v, c->engine->region, ref.place.entry);
        if (!type_string_view_int(&v, &value)) {
            cmd_error(c, "ERR value is not an integer or out of range");
            return;
        }
    }
    if (__builtin_add_overflow(value, by, &value)) {
        cmd_error(c, "ERR increment or decrement would overflow");
        return;
    }
    type_string_plan_int(&plan, value);
    if (!cmd_string_store(c, &ref, &plan, cmd_string_expiry(&ref)))
        return;
    c->dirty++;
    resp_out_int(c->out, value);
}

void
cmd_incr(struct cmd *c)
{
    increment(c, 1);
}

void
cmd_decr(struct cmd *c)
{
    increment(c, -1);
}

void
cmd_incrby(struct cmd *c)
{
    int64_t by;
    if (cmd_arg_int(c, 2, &by))
        increment(c, by);
}

void
cmd_decrby(struct cmd *c)
{
    int64_t by;
    if (!cmd_arg_int(c, 2, &by))
        return;
    if (by == INT64_MIN)
        cmd_error(c, "ERR decrement would overflow");
    else
        increment(c, -by);
}

/* A value as a float: absent is 0. */
static bool
float_value(struct cmd *c, const struct key_ref *ref, long double *value)
{
    struct string_view v;
    int64_t number;
    *value = 0;
    if (!keyspace_found(ref))
        return true;
    type_string_view(&v, c->engine->region, ref->place.entry);
    if (type_string_view_int(&v, &number)) {
        *value = number;
        return true;
    }
    if (cmd_view_long_double(&v, value))
        return true;
    cmd_error(c, "ERR value is not a valid float");
    return false;
}

void
cmd_incrbyfloat(struct cmd *c)
{
    struct key_ref ref;
    long double value, by;
    char text[CMD_LONG_DOUBLE_MAX];
    struct string_plan plan;
    keyspace_write(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING) || !float_value(c, &ref, &value) || !cmd_arg_long_double(c, 2, &by))
        return;
    value += by;
    if (isnan(value) || isinf(value)) {
        cmd_error(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    size_t n = cmd_render_long_double(value, text);
    type_string_plan_raw(&plan, text, n, type_string_key_part(ref.name_len));
    if (n <= TYPE_STRING_EMBSTR_MAX) /* never "int", whatever it looks like */
        plan.encoding = TYPE_STRING_EMBSTR;
    if (!cmd_string_store(c, &ref, &plan, cmd_string_expiry(&ref)))
        return;
    c->dirty++;
    cmd_effectf(c, "SET %b %b KEEPTTL", ref.name, ref.name_len, text, n);
    resp_out_bulk(c->out, text, n);
}
