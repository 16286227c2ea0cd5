/* protocol.pml - commit and recovery as shm/ does them, for the models that include this file.
 *
 * Names are those of the code: held, floor, ticket, logged, commit_pos, undo, redo, recover, seq, head. What is one statement
 * here is one store (or one compare-and-swap) there, and between any two statements a process may die or another may run.
 * Two things are brought together: stores that nobody can see yet (a journal's words while its state is IDLE, an undo record
 * before its count), unless FINE is defined, and reads of words that cannot change any more.
 *
 * A process is a number (`me`), so that a slot's heir differs from its owner. A killed process does nothing more; the kernel
 * marks its locks one by one, in any order and any time later. `ghost` words are the model's own: what has been committed.
 *
 * The including file defines PROCS, SLOTS, SHARDS, DEATHS and may define
 *     WORDS   data words per shard             LOG    rings and tickets
 *     UNDO    undo records per journal         SPANS  blocks from a pool; redo items
 *     FINE    each store of the journal alone  HEIRS  slots pass on
 *
 * With SPANS a shard's word is the number of a span, which holds what a word holds without.
 */
#ifndef WORDS
#define WORDS 1
#endif
#ifndef UNDO
#define UNDO (SHARDS * WORDS)
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef NSPANS
#define NSPANS 3
#endif
#define NOBODY 255
#define NONE 255 /* SHM_FLOOR_NONE, and a commit_pos with nothing reserved */

/* The departures that must be caught; tests/model/run has the same names and where each is tried. */
#define unlock_before_idle 1
#define held_after_change 2
#define held_kept_from_before_state 3
#define held_not_cleared 4
#define no_second_look 5
#define commit_pos_left_over 6
#define logged_left_over 7
#define commit_test_ring_alone 8
#define committed_before_head 9
#define redo_before_commit 10
#define redo_plain_store 11
#define sweep_before_finish 12
#define slot_given_before_idle 13
#define recover_without_generation 14
#define undo_count_lowered 15
#define no_floor 16
#define floor_after_draw 17
#define heads_not_read_again 18
#define seq_even_before_commit 19
#define seq_even_before_recovery 20
#define seq_even_after_unlock 21
#define seq_plus_one 22
#define seq_odd_after_change 23
#define count_after_change 24
#define undo_oldest_first 25
#define log_latched_at_begin 26
#define cut_before_log_on 27
#define idle_before_undo 28
#define last_ticket_not_settled 29
#ifndef MUTATION
#define MUTATION 0
#endif

#ifdef FINE
#define GROUP
#else
#define GROUP atomic
#endif

#define IDLE 0
#define ACTIVE 1
#define COMMITTED 2

/* ---- processes and locks --------------------------------------------------------------------------------------- */

bool alive[PROCS], dead[PROCS];
byte deaths;

typedef lock {
    byte owner = NOBODY;
    bool died /* FUTEX_OWNER_DIED: until pthread_mutex_consistent */
};
lock shard[SHARDS], recover[SLOTS];
#ifdef HEIRS
lock life[SLOTS];
byte generation[SLOTS];
#endif

#define DEAD_OWNER(l) (l.owner != NOBODY && dead[l.owner])

#define UNLOCK(l) atomic { assert(l.owner == me); assert(!l.died); l.owner = NOBODY }

#define MARK(l) d_step { DEAD_OWNER(l) -> l.owner = NOBODY; l.died = true }

/* The kernel's walk over the robust lists of the dead. */
active proctype kernel()
{
end:
    do
    :: MARK(shard[0])
#if SHARDS > 1
    :: MARK(shard[1])
#endif
    :: MARK(recover[0])
    :: MARK(recover[1])
#if SLOTS > 2
    :: MARK(recover[2])
#endif
#ifdef HEIRS
    :: MARK(life[0])
    :: MARK(life[1])
#endif
    od
}

#define KILL(p) atomic { deaths < DEATHS && alive[p] && !dead[p] -> dead[p] = true; deaths++ }

active proctype killer()
{
end:
    do
    :: KILL(0)
#if MORTALS > 1
    :: KILL(1)
#endif
#if MORTALS > 2
    :: KILL(2)
#endif
#if MORTALS > 3
    :: KILL(3)
#endif
#if MORTALS > 4
    :: KILL(4)
#endif
    od
}

/* ---- the region ------------------------------------------------------------------------------------------------ */

byte data[SHARDS * WORDS]; /* T */
byte seq[SHARDS];

byte state[SLOTS];
byte held[SLOTS];
byte undo_count[SLOTS], undo_word[SLOTS * UNDO], undo_old[SLOTS * UNDO];
bool logged[SLOTS];

byte ghost[SHARDS];  /* committed transactions of the shard; each writes this number, raised by one */

#ifdef LOG
byte commit_pos[SLOTS], floor[SLOTS], ticket[SLOTS];
byte head[SLOTS], tail[SLOTS];
byte rec_ticket[SLOTS * RECORDS], rec_ord0[SLOTS * RECORDS], rec_ord1[SLOTS * RECORDS];
byte counter = 1;
byte last_ticket[SHARDS], ghost_ticket[SHARDS];
byte ord[SHARDS];    /* ghost: committed transactions of the shard that were logged */
byte expected = 1;   /* of the one who reads the rings */
#endif

#ifdef SPANS
#define FREE 0
#define CLAIMED 1
#define USED 2
byte span_state[NSPANS], span_owner[NSPANS], span_gen[NSPANS], content[NSPANS];
byte redo_count[SLOTS], redo_span[SLOTS * 2], redo_from[SLOTS * 2], redo_to[SLOTS * 2];
#endif

#define IN(set, s) ((set) >> (s) & 1)

/* ---- undo, redo, finish (shm_recover.c) ------------------------------------------------------------------------ */

#define UNDO_ONE(o) data[undo_word[o * UNDO + i]] = undo_old[o * UNDO + i]

/* shm_recover_undo and the store of IDLE behind it. */
inline undo_to_idle(o)
{
#if MUTATION == idle_before_undo
    state[o] = IDLE;
#endif
#if MUTATION == undo_oldest_first
    i = 0;
    do
    :: d_step { i < undo_count[o] -> UNDO_ONE(o); i++ }
    :: atomic { i >= undo_count[o] -> i = 0; state[o] = IDLE }; break
    od
#else
    i = undo_count[o];
    do
#if MUTATION == undo_count_lowered
    :: i > 0 ->
        undo_count[o] = i - 1;
        d_step { i--; UNDO_ONE(o) }
#else
    :: d_step { i > 0 -> i--; UNDO_ONE(o) }
#endif
    :: atomic { i == 0 -> state[o] = IDLE }; break
    od
#endif
}

#ifdef SPANS
#define SWAP(k, from, to, who) \
    if \
    :: span_gen[k] == from -> span_state[k] = to; span_owner[k] = who; span_gen[k] = from + 1 \
    :: else \
    fi
#if MUTATION == redo_plain_store
#define REDO(k, from, to) span_state[k] = to; span_owner[k] = NOBODY; span_gen[k] = from + 1
#else
#define REDO(k, from, to) SWAP(k, from, to, NOBODY)
#endif

/* Two items: 0, the claim becomes the shard's; 1, the old span free. */
inline recover_redo(o)
{
    if
    :: redo_count[o] != 0 ->
        d_step { REDO(redo_span[o * 2], redo_from[o * 2], USED); skip };
        d_step { REDO(redo_span[o * 2 + 1], redo_from[o * 2 + 1], FREE); skip }
    :: else
    fi
}
#else
#define recover_redo(o) skip
#endif

#ifdef LOG
#if MUTATION == commit_test_ring_alone
#define IS_COMMITTED(o) (head[o] == commit_pos[o])
#else
#define IS_COMMITTED(o) (state[o] == COMMITTED || logged[o] && head[o] == commit_pos[o])
#endif
#else
#define IS_COMMITTED(o) (state[o] == COMMITTED)
#endif

#if defined(LOG) && MUTATION != last_ticket_not_settled
#define SETTLE(o, s) last_ticket[s] = \
    (ticket[o] != 0 && IN(held[o], s) && last_ticket[s] < ticket[o] -> ticket[o] : last_ticket[s])
#else
#define SETTLE(o, s) skip
#endif

/* Needs the journal's recover lock; ends with the journal IDLE. */
inline finish(o)
{
    if
    :: atomic { IS_COMMITTED(o) ->
#ifdef LOG
        assert(!logged[o] || head[o] == commit_pos[o]); /* committed and not in the log would be lost for its readers */
#endif
        SETTLE(o, 0)
        }
#if SHARDS > 1
        SETTLE(o, 1);
#endif
        recover_redo(o);
        state[o] = IDLE
    :: atomic { !IS_COMMITTED(o) -> skip };
        undo_to_idle(o)
    fi
}

#define STATE_CLAIMS(o) (state[o] != IDLE)
#define HELD_CLAIMS(o, s) (IN(held[o], s))

/* One journal, for the holder of shard s. */
inline recover_journal(s, o)
{
    if
#if MUTATION == held_kept_from_before_state
    :: slot != o && HELD_CLAIMS(o, s) ->
        if
        :: STATE_CLAIMS(o) ->
#else
    :: slot != o && STATE_CLAIMS(o) ->
        if
        :: HELD_CLAIMS(o, s) ->
#endif
            atomic { recover[o].owner == NOBODY -> recover[o].owner = me; recover[o].died = false };
#if MUTATION == no_second_look
            finish(o);
#else
            if
            :: STATE_CLAIMS(o) ->
                if
#if MUTATION == held_kept_from_before_state
                :: true -> finish(o)
#else
                :: HELD_CLAIMS(o, s) -> finish(o)
#endif
                :: !HELD_CLAIMS(o, s)
                fi
            :: else
            fi;
#endif
            UNLOCK(recover[o])
        :: else
        fi
    :: else
    fi
}

/* Ghost: whoever gets the lock finds what was committed, whole. */
#ifdef SPANS
#define WHOLE(s) (span_state[data[s]] == USED && content[data[s]] == ghost[s])
#else
#define WHOLE(s) (data[s * WORDS] == ghost[s] && data[s * WORDS + WORDS - 1] == ghost[s])
#endif
#ifdef LOG
#define TICKET_KNOWN(s) (last_ticket[s] == ghost_ticket[s])
#else
#define TICKET_KNOWN(s) true
#endif
#define CHECK(s) assert(WHOLE(s)); assert(TICKET_KNOWN(s)); assert(!(seq[s] & 1))

#if MUTATION == seq_plus_one
#define SEQ_RECOVERED(s) seq[s] = seq[s] + 1
#else
#define SEQ_RECOVERED(s) seq[s] = (seq[s] | 1) + 1
#endif

/* shm_lock_take */
inline lock_take(s)
{
    if
    :: atomic { shard[s].owner == NOBODY && !shard[s].died -> shard[s].owner = me; CHECK(s) };
    :: atomic { shard[s].owner == NOBODY && shard[s].died -> shard[s].owner = me };
#if MUTATION == seq_even_before_recovery
        SEQ_RECOVERED(s);
#endif
        recover_journal(s, 0);
        recover_journal(s, 1);
#if SLOTS > 2
        recover_journal(s, 2);
#endif
#if MUTATION != seq_even_before_recovery
        SEQ_RECOVERED(s);
#endif
        atomic { shard[s].died = false; CHECK(s) };
    fi
}

#ifdef SPANS
#define SWEEP(o, k) atomic { \
    if \
    :: span_state[k] == CLAIMED && span_owner[k] == o -> SWAP(k, span_gen[k], FREE, NOBODY) \
    :: else \
    fi; skip }
inline span_sweep(o)
{
    SWEEP(o, 0);
    SWEEP(o, 1);
    SWEEP(o, 2)
}
#else
#define span_sweep(o) skip
#endif

#if defined(HEIRS) && MUTATION != recover_without_generation
#define SAME_GENERATION(o, g) (generation[o] == g)
#else
#define SAME_GENERATION(o, g) true
#endif

/* shm_recover_slot: the recoverer's and the heir's. */
inline recover_slot(o, g)
{
    atomic { recover[o].owner == NOBODY -> recover[o].owner = me; recover[o].died = false };
    if
    :: SAME_GENERATION(o, g) ->
#if MUTATION == sweep_before_finish
        span_sweep(o);
#endif
        if
        :: STATE_CLAIMS(o) -> finish(o)
        :: else
        fi;
        span_sweep(o)
    :: !SAME_GENERATION(o, g)
    fi;
    UNLOCK(recover[o])
}

/* ---- a transaction (shm_tx.c) ---------------------------------------------------------------------------------- */

inline tx_begin()
{
    GROUP {
        locked = 0;
#if MUTATION != held_not_cleared
        held[slot] = 0;
#endif
#ifdef LOG
        ticket[slot] = 0;
#endif
#if MUTATION != logged_left_over
        logged[slot] = 0;
#endif
        undo_count[slot] = 0;
#ifdef SPANS
        redo_count[slot] = 0;
#endif
#ifdef LOG
        floor[slot] = NONE;
#if MUTATION != commit_pos_left_over
        commit_pos[slot] = head[slot] + 1;
#endif
#endif
    };
    state[slot] = ACTIVE
}

inline tx_enter(s)
{
    lock_take(s);
#if MUTATION == held_after_change
    locked = locked | 1 << s;
#else
    atomic { locked = locked | 1 << s; held[slot] = locked };
#endif
#if MUTATION != seq_odd_after_change
    seq[s] = seq[s] | 1
#endif
}

#define RECORD(w) \
    undo_word[slot * UNDO + undo_count[slot]] = w; \
    undo_old[slot * UNDO + undo_count[slot]] = data[w]

/* shm_tx_set64: the old content and its count, then the word. */
inline tx_set(w, v)
{
#if MUTATION == count_after_change
    atomic { RECORD(w); data[w] = v };
    undo_count[slot] = undo_count[slot] + 1;
#else
    atomic { RECORD(w); undo_count[slot] = undo_count[slot] + 1 };
    data[w] = v;
#endif
#if MUTATION == held_after_change
    held[slot] = locked;
#endif
#if MUTATION == seq_odd_after_change
    seq[(w) / WORDS] = seq[(w) / WORDS] | 1;
#endif
}

#ifdef LOG
#define SHARD_COMMITS(s) \
    if \
    :: IN(locked, s) && logging -> ghost[s] = ghost[s] + 1; ghost_ticket[s] = drawn; ord[s] = ord[s] + 1 \
    :: IN(locked, s) && !logging -> ghost[s] = ghost[s] + 1 \
    :: else \
    fi
#else
#define SHARD_COMMITS(s) ghost[s] = ghost[s] + IN(locked, s)
#endif

/* Ghost: in the same step as the store that commits. */
inline commit_point()
{
    SHARD_COMMITS(0);
#if SHARDS > 1
    SHARD_COMMITS(1);
#endif
    skip
}

#ifdef LOG
#define LAST_TICKET(s) last_ticket[s] = (IN(locked, s) -> drawn : last_ticket[s])
#define REC(array) array[slot * RECORDS + head[slot] % RECORDS]

inline tx_publish()
{
    GROUP {
#if MUTATION != commit_pos_left_over
        commit_pos[slot] = head[slot] + 1;
#endif
        logged[slot] = 1
    };
#if MUTATION != no_floor && MUTATION != floor_after_draw
    floor[slot] = counter;
#endif
    atomic { drawn = counter; counter++ };
#if MUTATION == floor_after_draw
    floor[slot] = drawn;
#endif
    ticket[slot] = drawn;
#if MUTATION == committed_before_head
    state[slot] = COMMITTED;
#endif
    d_step { /* the record, and the ring's head */
        assert(drawn >= expected); /* nobody has skipped it as a hole */
        REC(rec_ticket) = drawn;
        REC(rec_ord0) = (IN(locked, 0) -> ord[0] + 1 : 0);
#if SHARDS > 1
        REC(rec_ord1) = (IN(locked, 1) -> ord[1] + 1 : 0);
#endif
        head[slot] = head[slot] + 1;
        commit_point()
    };
    LAST_TICKET(0);
#if SHARDS > 1
    LAST_TICKET(1);
#endif
    drawn = 0
}
#endif

#define SEQ_EVEN(s) seq[s] = (IN(locked, s) -> (seq[s] | 1) + 1 : seq[s])
#define UNLOCK_SHARD(s) atomic { \
    if \
    :: IN(locked, s) -> assert(shard[s].owner == me); assert(!shard[s].died); shard[s].owner = NOBODY \
    :: else \
    fi; skip }

#if SHARDS > 1
#define SEQS_EVEN SEQ_EVEN(0); SEQ_EVEN(1)
#define UNLOCK_ALL UNLOCK_SHARD(0); UNLOCK_SHARD(1)
#else
#define SEQS_EVEN SEQ_EVEN(0)
#define UNLOCK_ALL UNLOCK_SHARD(0)
#endif

#if MUTATION == seq_even_before_commit
#define BEFORE_COMMIT SEQS_EVEN
#define BEFORE_IDLE skip
#define RETIRE UNLOCK_ALL
#elif MUTATION == unlock_before_idle
#define BEFORE_COMMIT skip
#define BEFORE_IDLE SEQS_EVEN; UNLOCK_ALL
#define RETIRE skip
#elif MUTATION == seq_even_after_unlock
#define BEFORE_COMMIT skip
#define BEFORE_IDLE skip
#define RETIRE UNLOCK_ALL; SEQS_EVEN
#else
#define BEFORE_COMMIT skip
#define BEFORE_IDLE skip
#define RETIRE SEQS_EVEN; UNLOCK_ALL
#endif

#if MUTATION == redo_before_commit
#define REDO_EARLY recover_redo(slot)
#define REDO_NOW skip
#else
#define REDO_EARLY skip
#define REDO_NOW recover_redo(slot)
#endif

inline tx_commit()
{
    BEFORE_COMMIT;
    REDO_EARLY;
#ifdef LOG
    if
    :: logging -> tx_publish(); state[slot] = COMMITTED
    :: d_step { !logging -> state[slot] = COMMITTED; commit_point() }
    fi;
#else
    d_step { state[slot] = COMMITTED; commit_point() };
#endif
    REDO_NOW;
    BEFORE_IDLE;
    state[slot] = IDLE;
    RETIRE;
    locked = 0
}

#ifdef SPANS
/* A fresh span for shard s; claimed stays NOBODY if the pool is empty. Its content is written before anybody sees it. */
#define CLAIM(k, s) span_state[k] == FREE -> claimed = k; span_state[k] = CLAIMED; span_owner[k] = slot; \
    span_gen[k] = span_gen[k] + 1; content[k] = ghost[s] + 1
inline span_claim(s)
{
    if
    :: d_step { CLAIM(0, s) }
    :: d_step { CLAIM(1, s) }
    :: d_step { CLAIM(2, s) }
    :: span_state[0] != FREE && span_state[1] != FREE && span_state[2] != FREE
    fi
}

/* Private until the commit: the claim becomes USED, the old span FREE. */
#define REDO_PREPARE(old) \
    redo_span[slot * 2] = claimed; redo_from[slot * 2] = span_gen[claimed]; \
    redo_span[slot * 2 + 1] = old; redo_from[slot * 2 + 1] = span_gen[old]; \
    redo_count[slot] = 2
#define UNCLAIM atomic { \
    if \
    :: claimed != NOBODY -> SWAP(claimed, span_gen[claimed], FREE, NOBODY); claimed = NOBODY \
    :: else \
    fi; skip }
#else
#define UNCLAIM skip
#endif

inline tx_abort()
{
#if MUTATION == unlock_before_idle
    i = undo_count[slot];
    do
    :: d_step { i > 0 -> i--; UNDO_ONE(slot) }
    :: i == 0 -> break
    od;
    SEQS_EVEN;
    UNLOCK_ALL;
    state[slot] = IDLE;
    UNCLAIM;
#else
    undo_to_idle(slot);
    UNCLAIM;
    SEQS_EVEN;
    UNLOCK_ALL;
#endif
    locked = 0
}

/* ---- after everything ------------------------------------------------------------------------------------------ */

/* Every live process has come to its end, and whatever the dead left can be made whole. */
#define RECOVER_SHARD(s) \
    assert(shard[s].owner == NOBODY); \
    lock_take(s); \
    UNLOCK(shard[s])
