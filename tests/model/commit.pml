/* commit.pml - transactions over one or two shards, logged or not, committed or aborted, while their processes, those who
 * wait for the dead, and the recoverer die.
 *
 * Demanded: whoever gets a shard finds exactly what was committed (so: the old state or the new one over both shards, and
 * nothing that passed its commit point is lost), its newest ticket and an even sequence; a transaction counts as committed
 * only if the log has it; no lock is lost, nobody waits for ever; at the end all journals can be made IDLE.
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef TXS
#define TXS 2 /* of the writer in slot 0; the others do one each */
#endif
#ifdef NO_RECOVERER
#define MORTALS SLOTS
#else
#define MORTALS (SLOTS + 1)
#endif
#define SHARDS 2
#define UNDO 3
#define LOG
#define PROCS (SLOTS + 2)
#define RECOVERER SLOTS
#define AUDITOR (SLOTS + 1)
#define NO_SLOT SLOTS
#define HALF 100 /* what a shard holds in the middle of a transaction */
#include "protocol.pml"

byte ended;

inline one_transaction()
{
    atomic {
        if
        :: set = 3
#ifndef BOTH_ONLY
        :: set = 1
        :: set = 2
#endif
        fi;
        if
        :: logging = true
#ifndef LOGGED_ONLY
        :: logging = false
#endif
        fi
    };
    tx_begin();
    if
    :: IN(set, 0) -> tx_enter(0)
    :: else
    fi;
    if
    :: IN(set, 1) -> tx_enter(1)
    :: else
    fi;
    if
    :: IN(set, 0) -> tx_set(0, HALF); tx_set(0, ghost[0] + 1)
    :: else
    fi;
    if
    :: IN(set, 1) -> tx_set(1, ghost[1] + 1)
    :: else
    fi;
    set = 0;
    if
    :: tx_commit()
#ifndef NO_ABORT
    :: tx_abort()
#endif
    fi;
    logging = false
}

proctype writer(byte me; byte slot; byte txs)
{
    byte i, locked, drawn, set;
    bool logging;
    {
        do
        :: txs > 0 -> txs--; one_transaction()
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; drawn = 0; set = 0; logging = false; txs = 0; alive[me] = false; ended++ }
}

/* Each slot's writer has the slot's number. */
proctype recoverer(byte me)
{
    byte i, k;
    {
        if
        :: dead[0] -> k = 0
        :: dead[1] -> k = 1
#if SLOTS > 2
        :: dead[2] -> k = 2
#endif
        :: ended == SLOTS -> k = NO_SLOT
        fi;
        if
        :: k < NO_SLOT -> recover_slot(k, 0)
        :: else
        fi
    } unless {
        dead[me]
    };
    atomic { i = 0; k = 0; alive[me] = false }
}

proctype auditor(byte me; byte slot)
{
    byte i, k;
    timeout ->
    assert(ended == SLOTS && !alive[RECOVERER]);
    RECOVER_SHARD(0);
    RECOVER_SHARD(1);
    do
    :: k < SLOTS -> recover_slot(k, 0); assert(state[k] == IDLE && recover[k].owner == NOBODY); k++
    :: else -> break
    od;
    atomic { CHECK(0); CHECK(1) }
}

init
{
    byte p;
    atomic {
        do
        :: p < MORTALS -> alive[p] = true; p++
        :: else -> break
        od;
        run writer(0, 0, TXS);
        run writer(1, 1, 1);
#if SLOTS > 2
        run writer(2, 2, 1);
#endif
#ifndef NO_RECOVERER
        run recoverer(RECOVERER);
#endif
        run auditor(AUDITOR, NO_SLOT)
    }
}
