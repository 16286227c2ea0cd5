/* switch.pml - the log is switched on while transactions run (shm_ring_switch), then a cut is taken.
 *
 * The switch stores the mode and passes over all shard locks; the cut takes them all, draws a ticket and keeps the state. A
 * transaction looks at the mode once, with its first lock held, and is logged or not by that. Demanded: the state of the cut
 * and the records from its ticket on make the last state; nothing between is lost or applied twice.
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef TXS
#define TXS 2
#endif
#define SHARDS 2
#define LOG
#define PROCS (SLOTS + 2)
#define MORTALS SLOTS
#define SWITCHER SLOTS
#define AUDITOR (SLOTS + 1)
#define NO_SLOT SLOTS
#include "protocol.pml"

bool mode;
byte cut_ticket, cut_state[SHARDS];
byte ended;

proctype writer(byte me; byte slot; byte txs)
{
    byte i, locked, drawn;
    bool logging;
    {
        do
        :: txs > 0 ->
            txs--;
            tx_begin();
#if MUTATION == log_latched_at_begin
            logging = mode;
            tx_enter(0);
#else
            tx_enter(0);
            logging = mode;
#endif
            tx_enter(1);
            tx_set(0, ghost[0] + 1);
            tx_set(1, ghost[1] + 1);
            tx_commit();
            logging = false
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; drawn = 0; logging = false; txs = 0; alive[me] = false; ended++ }
}

inline cut()
{
    lock_take(0);
    lock_take(1);
    atomic { cut_ticket = counter; counter++; cut_state[0] = data[0]; cut_state[1] = data[1] };
    UNLOCK(shard[0]);
    UNLOCK(shard[1])
}

inline log_on()
{
    mode = true;
    lock_take(0);
    UNLOCK(shard[0]);
    lock_take(1);
    UNLOCK(shard[1])
}

proctype switcher(byte me; byte slot)
{
    byte i;
#if MUTATION == cut_before_log_on
    cut();
    log_on();
#else
    log_on();
    cut();
#endif
    atomic { alive[me] = false; ended++ }
}

/* What a successor would load: the cut, and the records behind it. */
proctype auditor(byte me; byte slot)
{
    byte i, s, r, t;
    timeout ->
    assert(ended == SLOTS + 1);
    RECOVER_SHARD(0);
    RECOVER_SHARD(1);
    d_step {
        t = cut_ticket + 1;
        do
        :: t < counter ->
            s = 0;
            do
            :: s < SLOTS ->
                r = 0;
                do
                :: r < RECORDS ->
                    if
                    :: r < head[s] && rec_ticket[s * RECORDS + r] == t ->
                        cut_state[0] = cut_state[0] + 1;
                        cut_state[1] = cut_state[1] + 1
                    :: else
                    fi;
                    r++
                :: else -> break
                od;
                s++
            :: else -> break
            od;
            t++
        :: else -> break
        od;
        assert(cut_state[0] == ghost[0] && cut_state[1] == ghost[1])
    }
}

init
{
    byte p;
    atomic {
        do
        :: p < SLOTS + 1 -> alive[p] = true; p++
        :: else -> break
        od;
        run writer(0, 0, TXS);
        run writer(1, 1, 1);
        run switcher(SWITCHER, NO_SLOT);
        run auditor(AUDITOR, NO_SLOT)
    }
}
