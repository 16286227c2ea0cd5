/* spans.pml - blocks of a shared pool: claimed for a slot, made the shard's or free by redo items, swept after a death.
 *
 * Each writer has a shard of its own and replaces its span by a fresh one; the pool of three, with one free, is what they
 * share. Demanded: a shard's span is USED and holds what was committed; nobody's claim is taken away or given twice; at the end
 * each shard has one and all others are FREE (nothing leaked).
 */
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef TXS
#define TXS 2 /* of the writer in slot 0; the other does one */
#endif
#define SLOTS 2
#define SHARDS 2
#define SPANS
#define PROCS 5
#define MORTALS 3 /* the recoverer of slot 0 too */
#define AUDITOR 4
#define NO_SLOT 2
#include "protocol.pml"

byte ended;

proctype writer(byte me; byte slot; byte txs)
{
    byte i, locked, claimed = NOBODY;
    {
        do
        :: txs > 0 ->
            txs--;
            tx_begin();
            tx_enter(slot);
            span_claim(slot);
            if
            :: claimed == NOBODY -> tx_abort()
            :: claimed != NOBODY ->
                tx_set(slot, claimed);
                if
                :: atomic { REDO_PREPARE(undo_old[slot * UNDO]); claimed = NOBODY };
                    tx_commit()
                :: tx_abort()
                fi
            fi
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; claimed = NOBODY; txs = 0; alive[me] = false; ended++ }
}

/* One recoverer a slot, immortal for slot 1. */
proctype recoverer(byte me; byte k)
{
    byte i;
    {
        if
        :: dead[k] -> recover_slot(k, 0)
        :: ended == SLOTS
        fi
    } unless {
        dead[me]
    };
    atomic { i = 0; alive[me] = false }
}

proctype auditor(byte me; byte slot)
{
    byte i, k, used, free;
    timeout ->
    assert(ended == SLOTS && !alive[2] && !alive[3]);
    RECOVER_SHARD(0);
    RECOVER_SHARD(1);
    recover_slot(0, 0);
    recover_slot(1, 0);
    do
    :: atomic { k < NSPANS ->
            used = used + (span_state[k] == USED);
            free = free + (span_state[k] == FREE);
            k++ }
    :: else -> break
    od;
    assert(used == SHARDS && free == NSPANS - SHARDS)
}

init
{
    atomic {
        span_state[0] = USED;
        span_state[1] = USED;
        data[1] = 1;
        alive[0] = true;
        alive[1] = true;
        alive[2] = true;
        run writer(0, 0, TXS);
        run writer(1, 1, 1);
        run recoverer(2, 0);
        alive[3] = true;
        run recoverer(3, 1);
        run auditor(AUDITOR, NO_SLOT)
    }
}
