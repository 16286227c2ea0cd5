/* heirs.pml - a slot passes on (shm_proc_take): its owner dies, one of two standbys becomes its heir, may die and be followed
 * by the other, while a recoverer that was told of the first death comes at any time, late ones included.
 *
 * An heir waits for the mark on the life lock, takes it, finishes the journal and sweeps the claims, raises the generation
 * under `recover` and goes to work. Demanded: what commit.pml and spans.pml demand, and that a late recoverer does not touch
 * the heir's own journal or claims.
 */
#ifndef DEATHS
#define DEATHS 2
#endif
#define SLOTS 2
#define SHARDS 1
#ifndef MORTALS
#define MORTALS 2 /* the owner of slot 0 and the first standby; 3: the worker of slot 1 too. The others live */
#endif
#define SPANS
#define HEIRS
#define PROCS 6
#define OWNER 0
#define STANDBY_A 1
#define OTHER 2
#define STANDBY_B 3
#define RECOVERER 4
#define AUDITOR 5
#define NO_SLOT 2
#include "protocol.pml"

bool over; /* whoever still waits for a death may go */

/* The shard's span is replaced. */
inline one_transaction()
{
    tx_begin();
    tx_enter(0);
    span_claim(0);
    if
    :: claimed == NOBODY -> tx_abort()
    :: claimed != NOBODY ->
        tx_set(0, claimed);
        atomic { REDO_PREPARE(undo_old[slot * UNDO]); claimed = NOBODY };
        tx_commit()
    fi
}

/* An orderly end (shm_proc_leave) lets the life lock go. */
proctype worker(byte me; byte slot)
{
    byte i, locked, claimed = NOBODY;
    {
        one_transaction();
        atomic { life[slot].owner = NOBODY; alive[me] = false }
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; claimed = NOBODY; alive[me] = false }
}

proctype standby(byte me; byte slot)
{
    byte i, locked, claimed = NOBODY;
    {
        if
        :: over /* not needed any more */
        :: atomic { life[slot].owner == NOBODY && life[slot].died -> life[slot].owner = me; life[slot].died = false };
#if MUTATION != slot_given_before_idle
            recover_slot(slot, generation[slot]);
#endif
            atomic { recover[slot].owner == NOBODY -> recover[slot].owner = me; recover[slot].died = false };
            generation[slot] = generation[slot] + 1;
            UNLOCK(recover[slot]);
            one_transaction();
            atomic { life[slot].owner = NOBODY; alive[me] = false }
        fi
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; claimed = NOBODY; alive[me] = false }
}

/* Told of the death of the first owner: generation 0. */
proctype recoverer(byte me)
{
    byte i;
    if
    :: life[0].died || generation[0] > 0 -> recover_slot(0, 0)
    :: !dead[OWNER] && !alive[OWNER]
    fi;
    atomic { i = 0; alive[me] = false }
}

proctype auditor(byte me; byte slot)
{
    byte i, k, used, free;
    timeout ->
    over = true;
    timeout ->
    assert(!alive[OWNER] && !alive[OTHER] && !alive[STANDBY_A] && !alive[STANDBY_B] && !alive[RECOVERER]);
    RECOVER_SHARD(0);
    recover_slot(0, generation[0]);
    recover_slot(1, generation[1]);
    do
    :: atomic { k < NSPANS ->
            used = used + (span_state[k] == USED);
            free = free + (span_state[k] == FREE);
            k++ }
    :: else -> break
    od;
    assert(used == 1 && free == NSPANS - 1)
}

init
{
    atomic {
        span_state[0] = USED;
        life[0].owner = OWNER;
        life[1].owner = OTHER;
        alive[0] = true;
        alive[1] = true;
        alive[2] = true;
        alive[3] = true;
        alive[4] = true;
        run worker(OWNER, 0);
        run worker(OTHER, 1);
        run standby(STANDBY_A, 0);
        run standby(STANDBY_B, 0);
        run recoverer(RECOVERER);
        run auditor(AUDITOR, NO_SLOT)
    }
}
