/* housekeeper_main.c - the housekeeper's loop (see housekeeper_main.h).
 *
 * Each turn does a bounded piece of everything, then sleeps: not at all while memory is short, a little while things
 * change, longer when idle. Who finds the pool empty wakes it through the futex word commit_wanted.
 *
 * Process: housekeeper, one. Locks: one shard at a time, in short transactions. Crash: each piece is a transaction or a
 * compare-and-swap; its successor goes on from the region's state.
 */
#include "housekeeper/housekeeper_main.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/control.h"
#include "command/expire.h"
#include "command/latency.h"
#include "command/usage.h"
#include "housekeeper/pool.h"
#include "process/process.h"
#include "shm/shm_alloc.h"
#include "shm/shm_cut.h"
#include "shm/shm_epoch.h"
#include "shm/shm_gate.h"
#include "shm/shm_reclaim.h"
#include "shm/shm_span.h"

#define RECLAIM_BLOCKS 128u    /* freed in one transaction */
#define RECLAIM_STEPS 64u      /* transactions a turn */
#define EXPIRE_STEPS 64u       /* steps of the sweep a turn, at active-expire-effort 1 */
#define AUDIT_SPANS 4096u      /* looked at in one turn */
#define SPARE_NS 1000000000     /* from one look for spans that are kept in vain to the next */
#define USAGE_NS 250000000
#define BUSY_SLEEP_NS 1000000
#define IDLE_SLEEP_NS 500000000 /* a second's half over hz */

struct housekeeper {
    struct engine engine;
    struct pool pool;
    struct expire_sweep sweep;
    uint64_t audit;            /* next span to audit */
    unsigned reclaim_shard;
    int64_t spare_ns;          /* last look for spans that shards keep in vain */
    int64_t usage_ns;          /* last look at processor time and memory */
};

/* Frees a piece of one shard's list; true if more is left. */
static bool
reclaim_shard(struct housekeeper *k, uint16_t shard)
{
    struct shm_tx *tx = &k->engine.tx;
    if (*(volatile uint64_t *)&k->engine.region->shards[shard].reclaim_head == 0 || !shm_tx_begin(tx))
        return false;
    shm_tx_enter(tx, &shard, 1);
    bool more = shm_reclaim_step(tx, shard, RECLAIM_BLOCKS);
    if (tx->want != SHM_WANT_NOTHING) {
        shm_tx_abort(tx);
        return true;
    }
    return shm_tx_commit(tx) && more;
}

/* Frees a piece of what a given-up snapshot left, of every shard; true if more is left. */
static bool
clean_turn(struct housekeeper *k)
{
    bool more = false;
    for (uint16_t shard = 0; shard < k->engine.region->nshards; shard++)
        more |= shm_cut_clean_step(&k->engine.tx, shard, RECLAIM_BLOCKS);
    return more;
}

static bool
reclaim_turn(struct housekeeper *k)
{
    struct shm_region *r = k->engine.region;
    bool more = false;
    unsigned steps = 0;
    for (unsigned i = 0; i < r->nshards && steps < RECLAIM_STEPS; i++) {
        uint16_t shard = (uint16_t)((k->reclaim_shard + i) % r->nshards);
        if (*(volatile uint64_t *)&r->shards[shard].reclaim_head == 0)
            continue;
        steps++;
        more |= reclaim_shard(k, shard);
    }
    k->reclaim_shard = (k->reclaim_shard + 1) % r->nshards;
    return more;
}

/* Has the shards give back the empty spans that they keep against claiming them again and again: once a second that costs nothing,
 * and what a shard needs no more is the others'. */
static void
spare_turn(struct housekeeper *k)
{
    struct shm_region *r = k->engine.region;
    struct shm_tx *tx = &k->engine.tx;
    if (clock_ns() - k->spare_ns < SPARE_NS || !shm_gate_is_open(r))
        return;
    k->spare_ns = clock_ns();
    for (uint16_t shard = 0; shard < r->nshards; shard++) {
        if (!shm_alloc_has_spare(r, shard) || !shm_tx_begin(tx))
            continue;
        shm_tx_enter(tx, &shard, 1);
        if (tx->want == SHM_WANT_NOTHING && shm_alloc_give_spare(tx, shard))
            shm_tx_commit(tx); /* refused: the next turn tries again */
        else
            shm_tx_abort(tx);
    }
}

/* True if expired keys are left over. */
static bool
expire_turn(struct housekeeper *k)
{
    uint64_t passes = k->sweep.passes, found = 0;
    if (atomic_load_explicit(&k->engine.control->active_expire_off, memory_order_relaxed))
        return false;
    for (int64_t i = 0; i < EXPIRE_STEPS * config_number(&k->engine, PARAM_ACTIVE_EXPIRE_EFFORT); i++) {
        found += keyspace_expire_step(&k->engine, &k->sweep);
        if (k->sweep.passes != passes && found == 0)
            return false;
    }
    return found > 0;
}

static void
sleep_ns(struct shm_region *r, uint64_t seen, long ns)
{
    struct timespec t = {.tv_nsec = ns};
    /* the low half of the counter is the futex word (little-endian) */
    syscall(SYS_futex, &r->header->commit_wanted, FUTEX_WAIT, (uint32_t)seen, &t, NULL, 0);
}

static void
turn(struct housekeeper *k)
{
    struct shm_region *r = k->engine.region;
    uint64_t wanted = atomic_load(&r->header->commit_wanted);
    struct shm_slot_sh *slot = &r->slots[k->engine.slot];
    bool reclaiming = shm_gate_is_open(r) && (clean_turn(k) | reclaim_turn(k)), hungry = pool_step(&k->pool, clock_ns(), reclaiming);
    spare_turn(k);
    int64_t from = clock_ns();
    bool busy = reclaiming | (shm_gate_is_open(r) && expire_turn(k));
    latency_add(&k->engine, "expire-cycle", (uint64_t)(clock_ns() - from));
    shm_span_audit(r, &k->audit, AUDIT_SPANS, shm_epoch_advance(r));
    atomic_fetch_add_explicit(&slot->progress, 1, memory_order_relaxed);
    atomic_store_explicit(&slot->heartbeat_ns, (uint64_t)clock_ns(), memory_order_relaxed);
    engine_publish(&k->engine);
    config_take_reload(&k->engine);
    if (clock_ns() - k->usage_ns > USAGE_NS) {
        k->usage_ns = clock_ns();
        usage_publish(&k->engine);
    }
    if (!hungry)
        sleep_ns(r, wanted, busy ? BUSY_SLEEP_NS : IDLE_SLEEP_NS / config_number(&k->engine, PARAM_HZ));
}

bool
housekeeper_main(const struct heritage *h, unsigned slot)
{
    static struct housekeeper k; /* the process's only one; too large for the stack */
    if (!process_take(h, slot, SHM_PROC_HOUSEKEEPER))
        return false;
    if (!engine_open(&k.engine, h->region, slot))
        never_reached("a new process has memory for its engine");
    k.engine.tx.gate = SHM_TX_TURNS_BACK; /* who closed the gate may wait for memory */
    config_settle(&k.engine);
    pool_init(&k.pool, h->region, slot);
    process_up(h, slot);
    while (process_orders(h) == PROCESS_GO_ON)
        turn(&k);
    engine_close(&k.engine);
    process_end(h, slot);
}
