/* persist.c - what commands mind of the log and its file (see persist.h).
 *
 * With the log off all of it is one load of the mode word a batch.
 */
#include "command/persist.h"

#include "base/clock.h"
#include "command/cmd.h"
#include "command/control.h"
#include "command/loading.h"
#include "shm/shm_proc.h"
#include "shm/shm_ring.h"

#define LATE_NS 2000000000LL /* as Redis lets writing go on for 2 s while a sync hangs */

enum { FSYNC_EVERYSEC, FSYNC_ALWAYS, FSYNC_NO }; /* as the words of appendfsync stand in its row */

bool
persist_start_log(struct shm_region *r, unsigned slots, enum persist_start kind, struct shm_error *e)
{
    struct persist_sh *p = &((struct control_sh *)r->shared)->persist;
    p->start_ticket = atomic_load(&r->header->ticket);
    atomic_store(&p->start, kind);
    if (kind != PERSIST_START_BASE) /* nothing that is logged is ever missing in the file, so replies may wait for it */
        atomic_store(&p->aof_state, PERSIST_AOF_ON);
    return shm_ring_switch_alone(r, slots, e);
}

/* Is something not on the disk for too long? What the persister has not even seen (because it is stopped) counts from its last
 * sign of life on. */
static bool
is_late(const struct engine *e)
{
    const struct persist_sh *p = &e->control->persist;
    const struct shm_slot_sh *slot = &e->region->slots[control_persister(e->control)];
    int64_t now = clock_ns(), since = atomic_load_explicit(&p->unsynced_since_ns, memory_order_relaxed);
    if (since != 0 && now - since > LATE_NS)
        return true;
    return shm_ring_filled(&e->region->rings[e->slot]) > 0 &&
        now - (int64_t)atomic_load_explicit(&slot->heartbeat_ns, memory_order_relaxed) > LATE_NS;
}

void
persist_look(struct engine *e)
{
    struct exec_state *x = &e->exec;
    x->log_always = x->log_late = false;
    x->log_errno = 0;
    x->gated = loading_answer(e) != LOADING_GO_ON;
    x->saves_fail = atomic_load_explicit(&e->control->persist.refuse_writes, memory_order_relaxed) & PERSIST_REFUSE_RDB;
    if (__builtin_expect(!shm_ring_logging(e->region), 1))
        return;
    int64_t policy = config_number(e, PARAM_APPENDFSYNC);
    x->log_always = policy == FSYNC_ALWAYS && atomic_load_explicit(&e->control->persist.aof_state, memory_order_relaxed) == PERSIST_AOF_ON;
    x->log_late = policy == FSYNC_EVERYSEC && is_late(e);
    x->log_errno = atomic_load_explicit(&e->control->persist.aof_errno, memory_order_relaxed);
}

uint64_t
persist_ticket(const struct cmd *c)
{
    const struct shm_region *r = c->engine->region;
    uint64_t most = 0;
    for (unsigned i = 0; i < c->nkeys; i++) {
        /* acquire: whoever's change was seen had stored this before; pairs with publish() in shm_tx.c */
        uint64_t ticket = atomic_load_explicit(&r->shards[c->keys[i].shard].last_ticket, memory_order_acquire);
        most = ticket > most ? ticket : most;
    }
    if (c->nkeys == 0 && (c->row->flags & (CMD_WRITE | CMD_READONLY))) /* it looked everywhere */
        most = atomic_load(&r->header->ticket) - 1;
    return most;
}

void
persist_ask(struct engine *e)
{
    if (e->hooks.wake)
        e->hooks.wake(e->hooks.arg, control_persister(e->control), SHM_PROC_WANTED_LOG);
}

void
persist_wake(struct engine *e)
{
    unsigned slot = control_persister(e->control);
    /* seq_cst: the record was published before; pairs with the persister's look behind its own store of this word */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&e->region->slots[slot].sleeping, memory_order_relaxed) &&
        atomic_exchange(&e->region->slots[slot].sleeping, 0) && e->hooks.wake)
        e->hooks.wake(e->hooks.arg, slot, SHM_PROC_WANTED_LOG);
}
