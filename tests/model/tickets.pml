/* tickets.pml - the rings read in the order of tickets (shm_ring_next) while writers die between any two stores.
 *
 * Demanded: a ticket that is skipped as a hole is never published later (tx_publish asserts it); the records as they are read
 * continue each shard's own order without a gap, so that every prefix is a state that existed; in the end everything that
 * committed was read, and nobody waits for a ticket that cannot come.
 */
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef TXS
#define TXS 2 /* of the writer in slot 0; the others do one each */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef SHARDS
#define SHARDS 2
#endif
#define UNDO 1
#define WORDS 1
#define LOG
#define FINE
#define PROCS (SLOTS + 3)
#define MORTALS SLOTS
#define RECOVERER SLOTS
#define AUDITOR (SLOTS + 2)
#define NO_SLOT SLOTS
#include "protocol.pml"

byte ended;
bool settled;   /* all writers are gone and the dead ones' journals finished */
bool drained;
byte read_ord[SHARDS];

/* One shard each time: what two shards do together is commit.pml's. */
proctype writer(byte me; byte slot; byte txs; byte set)
{
    byte i, locked, drawn;
    bool logging = true;
    {
        do
        :: txs > 0 ->
            txs--;
            tx_begin();
            if
            :: set == 1 -> tx_enter(0); tx_set(0, ghost[0] + 1)
#if SHARDS > 1
            :: set == 2 -> tx_enter(1); tx_set(1, ghost[1] + 1)
#endif
            fi;
            tx_commit();
#if SHARDS > 1
            set = 3 - set
#endif
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { i = 0; locked = 0; drawn = 0; txs = 0; set = 0; alive[me] = false; ended++ }
}

/* Finishes the journals of the dead, each once, whenever it likes. */
proctype recoverer(byte me)
{
    byte i, done;
    do
    :: dead[0] && !(done & 1) -> done = done | 1; recover_slot(0, 0)
    :: dead[1] && !(done & 2) -> done = done | 2; recover_slot(1, 0)
#if SLOTS > 2
    :: dead[2] && !(done & 4) -> done = done | 4; recover_slot(2, 0)
#endif
    :: atomic { ended == SLOTS && (dead[0] -> done & 1 : 1) && (dead[1] -> done & 2 : 1) && (SLOTS < 3 || (dead[SLOTS - 1] -> done & 1 << SLOTS - 1 : 1)) ->
            settled = true; break }
    od
}

#define FRONT(r) (head[r] != tail[r] && rec_ticket[r * RECORDS + tail[r] % RECORDS] == expected)

/* Takes the record: its place in each shard's order is the next one. */
#define TAKE(r) \
    assert(rec_ord0[r * RECORDS + tail[r] % RECORDS] == 0 || rec_ord0[r * RECORDS + tail[r] % RECORDS] == read_ord[0] + 1); \
    read_ord[0] = read_ord[0] + (rec_ord0[r * RECORDS + tail[r] % RECORDS] != 0); \
    TAKE1(r); \
    tail[r] = tail[r] + 1; \
    expected++; \
    found = true
#if SHARDS > 1
#define TAKE1(r) \
    assert(rec_ord1[r * RECORDS + tail[r] % RECORDS] == 0 || rec_ord1[r * RECORDS + tail[r] % RECORDS] == read_ord[1] + 1); \
    read_ord[1] = read_ord[1] + (rec_ord1[r * RECORDS + tail[r] % RECORDS] != 0)
#else
#define TAKE1(r) skip
#endif

inline find_front(r)
{
    atomic {
        if
        :: !found && FRONT(r) -> TAKE(r)
        :: else
        fi
    }
}

inline find_fronts()
{
    find_front(0);
    find_front(1);
#if SLOTS > 2
    find_front(2);
#endif
    skip
}

/* may_come, for one slot: state, floor, ticket, each read by itself. */
inline look(r)
{
    if
    :: may || state[r] != ACTIVE
    :: else ->
        if
        :: floor[r] > expected
        :: else -> atomic { may = (ticket[r] == 0 || ticket[r] == expected) }
        fi
    fi
}

proctype persister()
{
    bool found, may, quiet;
    do
    :: atomic { found = false; may = false; quiet = settled };
        find_fronts();
        if
        :: found
        :: else ->
            if
            :: counter <= expected ->
                if
                :: quiet -> break
                :: else
                fi
            :: else ->
                look(0);
                look(1);
#if SLOTS > 2
                look(2);
#endif
                if
                :: may -> assert(!quiet)
                :: else ->
#if MUTATION != heads_not_read_again
                    find_fronts();
#endif
                    if
                    :: found
                    :: else -> expected++
                    fi
                fi
            fi
        fi
    od;
    drained = true
}

proctype auditor(byte me; byte slot)
{
    byte i;
    drained ->
    assert(read_ord[0] == ord[0]);
#if SHARDS > 1
    assert(read_ord[1] == ord[1])
#endif
}

init
{
    byte p;
    atomic {
        do
        :: p < MORTALS -> alive[p] = true; p++
        :: else -> break
        od;
        run writer(0, 0, TXS, 1);
        run writer(1, 1, 1, SHARDS);
#if SLOTS > 2
        run writer(2, 2, 1, 1);
#endif
        run recoverer(RECOVERER);
        run persister();
        run auditor(AUDITOR, NO_SLOT)
    }
}
