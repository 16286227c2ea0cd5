/* engine.c - making and ending a process's engine (see engine.h).
 *
 * Commands count hits, misses, expiries and errors in private words of the engine; once a turn these are added to the slot's
 * numbers in the control page. A death loses what one turn has counted, and nothing else.
 */
#include "command/engine.h"

#include <stdlib.h>
#include <string.h>

#include "command/control.h"

#define PATIENCE_US 1000 /* of a process that does not set its own */

bool
engine_open(struct engine *e, struct shm_region *r, unsigned slot)
{
    memset(e, 0, sizeof *e);
    e->region = r;
    e->slot = slot;
    e->control = r->shared;
    e->exec.patience_us = PATIENCE_US;
    return shm_tx_open(&e->tx, r, slot);
}

void
engine_close(struct engine *e)
{
    shm_tx_close(&e->tx);
    free(e->exec.keys);
}

static void
add(_Atomic uint64_t *to, uint64_t *from)
{
    if (*from == 0)
        return;
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + *from, memory_order_relaxed);
    *from = 0;
}

void
engine_publish(struct engine *e)
{
    struct control_slot_sh *s = &e->control->slot[e->slot];
    add(&s->commands, &e->exec.commands);
    add(&s->hits, &e->exec.hits);
    add(&s->misses, &e->exec.misses);
    add(&s->expired, &e->exec.expired);
    add(&s->changes, &e->exec.changes);
    add(&s->errors, &e->exec.errors);
}
