/* shm_cut.c - making a cut, and giving a snapshot up (see shm_cut.h).
 *
 * The epoch is raised and the keeps are made under all shard locks. The epoch is a plain store: should the transaction not
 * commit, it stays raised, which only makes later births higher. The number of tickets drawn is read under the locks too:
 * who drew one has published its record before it dropped its locks, so what is below is in the image and the rest is not.
 *
 * Process: persister; housekeeper for the cleaning. Locks: all shards for the cut, one for a step. Crash: the keeps are
 * class T; cut_broken is one store. Fails: tx->want.
 */
#include "shm/shm_cut.h"

#include "shm/shm_lock.h"

#define TRY_US 100u /* for each lock of an impatient cut */

/* ---- giving up -------------------------------------------------------------------------------------------------- */

void
shm_cut_abort(struct shm_region *r, uint64_t epoch)
{
    atomic_store(&r->header->cut_broken, epoch);
}

void
shm_cut_abort_any(struct shm_region *r)
{
    shm_cut_abort(r, atomic_load(&r->header->snapshot_epoch));
}

bool
shm_cut_is_broken(const struct shm_region *r, uint64_t epoch)
{
    return atomic_load_explicit(&r->header->cut_broken, memory_order_relaxed) == epoch;
}

bool
shm_cut_has_leavings(const struct shm_region *r)
{
    for (unsigned shard = 0; shard < r->nshards; shard++)
        if (*(volatile uint64_t *)&r->shards[shard].keeps)
            return true;
    return false;
}

/* Does the shard keep more than the keeps themselves? Without the lock: what is read may be of the past, and is followed no
 * further than it lies in the region. */
static bool
keeps_memory(const struct shm_region *r, unsigned shard)
{
    uint64_t off = *(volatile uint64_t *)&r->shards[shard].keeps;
    uint64_t end = r->header->off_extents + atomic_load(&r->header->committed_extents) * SHM_EXTENT_BYTES;
    for (unsigned i = 0; i < r->databases && off >= r->header->off_extents && off % 8 == 0 && off + sizeof(struct shm_keep_sh) <= end; i++) {
        const volatile struct shm_keep_sh *k = shm_at(r, off);
        if (k->magic != SHM_KEEP_MAGIC)
            return false;
        if (k->limbo || k->large || k->own.root)
            return true;
        off = k->next;
    }
    return false;
}

bool
shm_cut_make_room(struct shm_region *r)
{
    for (unsigned shard = 0; shard < r->nshards; shard++) {
        if (keeps_memory(r, shard)) {
            shm_cut_abort_any(r);
            return true;
        }
    }
    return false;
}

bool
shm_cut_enter(struct shm_tx *tx, unsigned shard)
{
    uint16_t id = (uint16_t)shard;
    shm_tx_enter(tx, &id, 1);
    if (tx->want == SHM_WANT_SHARD && atomic_load(&tx->region->shards[shard].state) == SHM_SHARD_READONLY)
        tx->want = SHM_WANT_NOTHING; /* what is done here changes no key */
    return tx->want == SHM_WANT_NOTHING;
}

bool
shm_cut_clean_step(struct shm_tx *tx, uint16_t shard, unsigned blocks)
{
    struct shm_shard_sh *s = &tx->region->shards[shard];
    if (*(volatile uint64_t *)&s->keeps == 0 || !shm_cut_is_broken(tx->region, atomic_load(&tx->region->header->snapshot_epoch)) ||
        !shm_tx_begin(tx))
        return false;
    if (!shm_cut_enter(tx, shard)) {
        shm_tx_abort(tx);
        return false;
    }
    /* again, under the lock: the snapshot may be another one by now */
    bool broken = shm_cut_is_broken(tx->region, atomic_load(&tx->region->header->snapshot_epoch));
    bool more = broken && shm_keep_drop_step(tx, shard, blocks);
    if (tx->want != SHM_WANT_NOTHING) {
        shm_tx_abort(tx);
        return true;
    }
    return shm_tx_commit(tx) && more;
}

/* ---- the cut ------------------------------------------------------------------------------------------------------ */

/* A database's keep, put before those of the databases behind it. */
static bool
keep_database(struct shm_tx *tx, unsigned shard, unsigned db, uint64_t epoch)
{
    struct shm_shard_sh *s = &tx->region->shards[shard];
    struct shm_dbroot_sh *root = shm_region_dbroot(tx->region, shard, db);
    xassert(root->tree.keep == 0);
    if (root->tree.count == 0)
        return true;
    shm_off off = shm_tx_alloc(tx, shard, sizeof(struct shm_keep_sh));
    if (!off)
        return false;
    *(struct shm_keep_sh *)shm_at(tx->region, off) = (struct shm_keep_sh){.magic = SHM_KEEP_MAGIC, .kind = SHM_KEEP_DB,
        .epoch = (uint32_t)epoch, .db = db, .next = s->keeps, .count = root->tree.count, .home = shm_off_of(tx->region, &root->tree),
        .saved_to = tx->region->shard_bits ? (uint64_t)shard << (64 - tx->region->shard_bits) : 0};
    return shm_tx_set64(tx, &s->keeps, off) && shm_tx_set64(tx, &root->tree.keep, off);
}

/* With all locks held. */
static bool
keep_all(struct shm_tx *tx, struct shm_cut *cut)
{
    const struct shm_region *r = tx->region;
    memset(cut->db, 0, sizeof cut->db);
    cut->epoch = atomic_load(&r->header->snapshot_epoch) + 1;
    cut->ticket = atomic_load(&r->header->ticket);
    atomic_store(&r->header->snapshot_epoch, cut->epoch);
    for (unsigned shard = 0; shard < r->nshards; shard++) {
        for (unsigned db = r->databases; db-- > 0;) {
            const struct shm_dbroot_sh *root = shm_region_dbroot(r, shard, db);
            cut->db[db].keys += root->tree.count;
            cut->db[db].expires += root->expires;
            if (!keep_database(tx, shard, db, cut->epoch))
                return false;
        }
    }
    return true;
}

static enum shm_cut_result
give_way(struct shm_tx *tx)
{
    enum shm_want want = tx->want;
    if (tx->active)
        shm_tx_abort(tx);
    return want == SHM_WANT_LOCK || want == SHM_WANT_POOL || want == SHM_WANT_RING || want == SHM_WANT_MODE ? SHM_CUT_BUSY
                                                                                                          : SHM_CUT_FAILED;
}

enum shm_cut_result
shm_cut_begin(struct shm_tx *tx, bool patient, struct shm_cut *cut)
{
    uint32_t patience_us = tx->patience_us;
    bool ok = true;
    if (shm_cut_has_leavings(tx->region))
        return SHM_CUT_BUSY;
    if (!shm_tx_begin(tx))
        return give_way(tx);
    tx->patience_us = patient ? SHM_LOCK_PATIENT : TRY_US;
    for (unsigned shard = 0; ok && shard < tx->region->nshards; shard++)
        ok = shm_cut_enter(tx, shard);
    tx->patience_us = patience_us;
    if (ok && shm_cut_has_leavings(tx->region)) {
        shm_tx_abort(tx); /* what looked gone was not: whoever took the last of it away died before the commit */
        return SHM_CUT_BUSY;
    }
    if (!ok || !keep_all(tx, cut) || tx->want != SHM_WANT_NOTHING)
        return give_way(tx);
    return shm_tx_commit(tx) ? SHM_CUT_DONE : give_way(tx);
}
