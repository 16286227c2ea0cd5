/* expire.c - the active sweep (contract in expire.h).
 *
 * A step looks at the earliest expiry of some segments of one (shard, database) under the lock, for reading, and notes
 * a few expired keys; then one transaction deletes those that are expired still. Process: housekeeper.
 */
#include "command/expire.h"

#include <string.h>

#include "base/clock.h"
#include "command/keyspace.h"

#define SEGMENTS 64  /* looked at in one step */
#define KEYS 32      /* deleted in one step */
#define KEY_BYTES 256 /* longer keys wait for their next access */

struct found {
    struct shm_region *r;
    int64_t now;
    unsigned n;
    bool full;
    size_t len[KEYS];
    char key[KEYS][KEY_BYTES];
};

static void
note_expired(void *arg, struct shm_segment_sh *s)
{
    struct found *f = arg;
    if (s->min_expiry > f->now)
        return;
    for (unsigned b = 0; b < s->buckets; b++) {
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            if (!s->bucket[b].slot[i])
                continue;
            const struct shm_entry_sh *e = shm_at(f->r, s->bucket[b].slot[i] << 16 >> 16);
            if (!(e->flags & SHM_ENTRY_EXPIRES) || shm_entry_expiry(e) >= f->now || (e->flags & SHM_ENTRY_KEYBLOB) ||
                shm_entry_klen(e) > KEY_BYTES)
                continue;
            f->full = f->n == KEYS;
            if (f->full)
                return;
            f->len[f->n] = shm_entry_klen(e);
            memcpy(f->key[f->n++], shm_entry_key(e), shm_entry_klen(e));
        }
    }
}

/* Deletes the noted keys: looking an expired key up for writing does. */
static uint64_t
delete_noted(struct engine *e, unsigned shard, unsigned db, struct found *f)
{
    static const struct command_row row = {.name = "expire-sweep", .flags = CMD_WRITE};
    struct cmd c = {.row = &row, .engine = e, .tx = &e->tx, .db = db};
    uint16_t id = (uint16_t)shard;
    uint64_t before = e->exec.expired;
    if (!shm_tx_begin(&e->tx))
        return 0;
    shm_tx_enter(&e->tx, &id, 1);
    for (unsigned i = 0; i < f->n && e->tx.want == SHM_WANT_NOTHING; i++) {
        struct key_ref ref;
        keyspace_find(&c, db, f->key[i], f->len[i], true, &ref);
    }
    if (e->tx.want != SHM_WANT_NOTHING) {
        shm_tx_abort(&e->tx);
        return 0;
    }
    return shm_tx_commit(&e->tx) ? e->exec.expired - before : 0;
}

static void
next_tree(struct engine *e, struct expire_sweep *sweep)
{
    if (++sweep->db == e->region->databases) {
        sweep->db = 0;
        if (++sweep->shard == e->region->nshards) {
            sweep->shard = 0;
            sweep->passes++;
        }
    }
    sweep->cursor = e->region->shard_bits ? (uint64_t)sweep->shard << (64 - e->region->shard_bits) : 0;
}

uint64_t
keyspace_expire_step(struct engine *e, struct expire_sweep *sweep)
{
    struct found f = {.r = e->region};
    uint16_t id = (uint16_t)sweep->shard;
    struct shm_dbroot_sh *root = shm_region_dbroot(e->region, sweep->shard, sweep->db);
    unsigned shard = sweep->shard, db = sweep->db;
    if (*(volatile uint64_t *)&root->expires == 0) {
        next_tree(e, sweep);
        return 0;
    }
    f.now = clock_wall_ms();
    struct shm_tree tree = shm_tree_of_db(e->region, shard, db);
    bool more = true;
    shm_tx_enter_read(&e->tx, &id, 1);
    if (e->tx.want != SHM_WANT_NOTHING) { /* the gate is closed, or the shard off: another one's turn */
        shm_tx_leave_read(&e->tx);
        next_tree(e, sweep);
        return 0;
    }
    for (unsigned i = 0; i < SEGMENTS && more && !f.full; i++) {
        uint64_t at = sweep->cursor;
        more = shm_table_walk(&tree, &sweep->cursor, note_expired, &f);
        if (f.full)
            sweep->cursor = at; /* the rest of this segment comes next */
    }
    shm_tx_leave_read(&e->tx);
    if (!more && !f.full)
        next_tree(e, sweep);
    uint64_t n = f.n ? delete_noted(e, shard, db, &f) : 0;
    sweep->expired += n;
    return n;
}
