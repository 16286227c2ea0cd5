/* readers.pml - reads without a lock (shm_read.c) beside writers that die and those who recover them.
 *
 * A shard of two words; every committed state has both equal. Demanded: what a reader accepts is one committed state, not
 * older than the newest when it began; a lock without a holder leaves an even sequence.
 */
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef TXS
#define TXS 2
#endif
#ifndef READS
#define READS 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#define SHARDS 1
#define WORDS 2
#define PROCS (SLOTS + 1)
#define MORTALS SLOTS
#define AUDITOR SLOTS
#define NO_SLOT SLOTS
#include "protocol.pml"

byte ended;

proctype writer(byte me; byte slot; byte txs)
{
    byte i, locked;
    {
        do
        :: txs > 0 ->
            txs--;
            tx_begin();
            tx_enter(0);
            tx_set(0, ghost[0] + 1);
            tx_set(1, ghost[0] + 1);
            if
            :: tx_commit()
            :: tx_abort()
            fi
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; txs = 0; alive[me] = false; ended++ }
}

active proctype reader()
{
    byte seen, first, second, oldest, reads;
    do
    :: reads < READS ->
        reads++;
        atomic { seen = seq[0]; oldest = ghost[0] };
        if
        :: seen & 1
        :: else ->
            first = data[0];
            if
            :: seq[0] != seen
            :: else ->
                second = data[1];
                atomic {
                    if
                    :: seq[0] == seen -> assert(first == second && first >= oldest && first <= ghost[0])
                    :: else
                    fi
                }
            fi
        fi;
        atomic { seen = 0; first = 0; second = 0; oldest = 0 }
    :: else -> break
    od
}

proctype auditor(byte me; byte slot)
{
    byte i;
    timeout ->
    assert(ended == SLOTS);
    RECOVER_SHARD(0)
}

init
{
    atomic {
        alive[0] = true;
        alive[1] = true;
        run writer(0, 0, TXS);
        run writer(1, 1, 1);
#if SLOTS > 2
        alive[2] = true;
        run writer(2, 2, 1);
#endif
        run auditor(AUDITOR, NO_SLOT)
    }
}
