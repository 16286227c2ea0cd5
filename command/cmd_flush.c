/* cmd_flush.c - commands on whole databases: FLUSHDB, FLUSHALL, SWAPDB.
 *
 * A database is a table root in each shard, so emptying it and exchanging two cost the same at any number of keys: the
 * roots are set to nothing (the housekeeper frees what hung there) or exchanged, under all locks.
 *
 * Process: workers. Locks: all shards. Crash: changes are the transaction's.
 */
#include "command/cmd_rows.h"
#include "command/cmd_save.h"
#include "command/control.h"
#include "command/keyspace.h"
#include "shm/shm_keep.h"

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

/* Detaches one database of one shard; the housekeeper frees it in steps, once a running snapshot is done with it. */
static bool
flush_root(struct cmd *c, unsigned shard, unsigned db)
{
    struct shm_dbroot_sh *d = shm_region_dbroot(c->engine->region, shard, db);
    bool taken;
    c->dirty += d->tree.count;
    if (!shm_keep_flush(c->tx, d, &taken))
        return false;
    if (d->tree.root && !shm_reclaim_push(c->tx, shard, shm_table_off(d->tree.root)))
        return false;
    if (!taken && d->tree.root == 0)
        return true;
    return shm_tx_set64(c->tx, &d->tree.root, 0) && shm_tx_set64(c->tx, &d->tree.count, 0) && shm_tx_set64(c->tx, &d->expires, 0) &&
        shm_tx_set64(c->tx, &d->expiry_sum, 0) && (!keyspace_counts_slots(c, db) || flush_slots(c, shard));
}

/* True: done, and to be committed. */
static bool
flush(struct cmd *c, unsigned from, unsigned to)
{
    if (c->argc > 2 || (c->argc == 2 && !cmd_arg_is(c, 1, "sync") && !cmd_arg_is(c, 1, "async"))) {
        cmd_error_syntax(c);
        return false;
    }
    if (!cmd_enter_all(c))
        return false;
    for (unsigned shard = 0; shard < c->engine->region->nshards; shard++)
        for (unsigned db = from; db < to; db++)
            if (!flush_root(c, shard, db))
                return false;
    /* of empty ones too: Redis logs the command whatever it found */
    cmd_effect(c, c->argc, (const struct shm_effect_arg *)(const void *)c->argv);
    return true;
}

void
cmd_flushdb(struct cmd *c)
{
    if (flush(c, c->db, c->db + 1))
        resp_out_ok(c->out);
}

/* As in Redis, nothing of what is flushed is found after a restart: a save that runs is given up, and with save points an empty one
 * is made before the reply. */
void
cmd_flushall(struct cmd *c)
{
    bool failed;
    if (!c->session->awaits) {
        if (!flush(c, 0, c->engine->region->databases) || !shm_tx_commit(c->tx))
            return;
        c->engine->exec.changes += c->dirty;
        engine_publish(c->engine);
        cmd_save_drop(c);
        if (config_number(c->engine, PARAM_SAVE) == 0) { /* the text is empty */
            resp_out_ok(c->out);
            return;
        }
    }
    if (cmd_save_wait(c, &failed))
        resp_out_ok(c->out);
}

/* ---- SWAPDB ------------------------------------------------------------------------------------------------------- */

static bool
swap_roots(struct cmd *c, unsigned shard, unsigned a, unsigned b)
{
    struct shm_dbroot_sh *ra = shm_region_dbroot(c->engine->region, shard, a);
    struct shm_dbroot_sh *rb = shm_region_dbroot(c->engine->region, shard, b);
    struct shm_dbroot_sh was = *ra;
    return shm_tx_write(c->tx, ra, rb, sizeof *ra) && shm_tx_write(c->tx, rb, &was, sizeof was) &&
        shm_keep_moved(c->tx, ra) && shm_keep_moved(c->tx, rb);
}

void
cmd_swapdb(struct cmd *c)
{
    int64_t a, b, databases = c->engine->region->databases;
    if (c->engine->cluster) {
        cmd_error(c, "ERR SWAPDB is not allowed in cluster mode");
        return;
    }
    if (!cmd_arg_int_range(c, 1, INT32_MIN, INT32_MAX, &a, "ERR invalid first DB index") ||
        !cmd_arg_int_range(c, 2, INT32_MIN, INT32_MAX, &b, "ERR invalid second DB index"))
        return;
    if (a < 0 || b < 0 || a >= databases || b >= databases) {
        cmd_error(c, "ERR DB index is out of range");
        return;
    }
    if (!cmd_enter_all(c))
        return;
    for (unsigned shard = 0; shard < c->engine->region->nshards && a != b; shard++)
        if (!swap_roots(c, shard, (unsigned)a, (unsigned)b))
            return;
    c->dirty++;
    resp_out_ok(c->out);
}
