/* cmd_key.c - commands on keys whatever their type: DEL, UNLINK, EXISTS, TOUCH, TYPE, OBJECT, MEMORY USAGE.
 *
 * Process: workers. Locks: exec.c took those of the keys. Crash: changes are the transaction's.
 */
#include "command/cmd_rows.h"
#include "command/keyspace.h"
#include "types/type_value.h"

#define SAMPLES_DEFAULT 5      /* of MEMORY USAGE */
#define SHARED_INTEGERS 10000  /* Redis keeps one object for each smaller number, and says so with REFCOUNT */
#define CLOCK_AHEAD 60         /* s that another worker's clock may be before ours */

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
cmd_touch(struct cmd *c)
{
    int64_t n = 0;
    struct key_ref ref;
    for (unsigned k = 0; k < c->nkeys; k++)
        n += keyspace_read(c, k, &ref);
    resp_out_int(c->out, n);
}

/* As TOUCH, but the access clocks stay as they are. */
void
cmd_exists(struct cmd *c)
{
    unsigned n = 0;
    struct key_ref ref;
    for (unsigned k = 0; k < c->nkeys; k++)
        n += keyspace_peek(c, k, &ref);
    c->engine->exec.hits += n;
    c->engine->exec.misses += c->nkeys - n;
    resp_out_int(c->out, n);
}

void
cmd_type(struct cmd *c)
{
    struct key_ref ref;
    resp_out_simple(c->out, keyspace_peek(c, 0, &ref) ? type_value_name(ref.place.entry) : "none");
}

/* ---- OBJECT ------------------------------------------------------------------------------------------------ */

/* Looks the key up, leaving its clock alone; false: null was replied. */
static bool
object_of(struct cmd *c, struct key_ref *ref)
{
    if (keyspace_peek(c, 0, ref))
        return true;
    resp_out_null(c->out);
    return false;
}

void
cmd_object_encoding(struct cmd *c)
{
    struct key_ref ref;
    if (object_of(c, &ref))
        resp_out_bulk_str(c->out, type_value_encoding_name(ref.place.entry));
}

void
cmd_object_refcount(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    int64_t number;
    if (!object_of(c, &ref))
        return;
    const struct shm_entry_sh *e = ref.place.entry;
    bool shared = false;
    if (shm_entry_type(e) == SHM_TYPE_STRING && shm_entry_encoding(e) == TYPE_STRING_INT) {
        type_string_view(&v, c->engine->region, e);
        shared = type_string_view_int(&v, &number) && number >= 0 && number < SHARED_INTEGERS;
    }
    resp_out_int(c->out, shared ? INT32_MAX : 1);
}

void
cmd_object_idletime(struct cmd *c)
{
    struct key_ref ref;
    if (!object_of(c, &ref))
        return;
    uint16_t idle = (uint16_t)(c->engine->exec.clock - atomic_load_explicit(ref.place.clock, memory_order_relaxed));
    resp_out_int(c->out, idle > UINT16_MAX - CLOCK_AHEAD ? 0 : idle);
}

void
cmd_object_freq(struct cmd *c)
{
    struct key_ref ref;
    if (object_of(c, &ref))
        cmd_error(c, "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
                     "between policies at runtime LRU and LFU data will take some time to adjust.");
}

/* ---- MEMORY USAGE ------------------------------------------------------------------------------------------- */

void
cmd_memory_usage(struct cmd *c)
{
    struct key_ref ref;
    int64_t samples = SAMPLES_DEFAULT;
    for (int i = 3; i < c->argc; i += 2) {
        if (!cmd_arg_is(c, i, "samples") || i + 1 >= c->argc) {
            cmd_error_syntax(c);
            return;
        }
        if (!cmd_arg_int(c, i + 1, &samples))
            return;
        if (samples < 0) {
            cmd_error_syntax(c);
            return;
        }
    }
    if (object_of(c, &ref))
        resp_out_int(c->out, (int64_t)type_value_memory(c->engine->region, ref.place.entry, (size_t)samples));
}
