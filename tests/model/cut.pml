/* cut.pml - snapshots without fork: the cut, writers that leave the walker what it needs, giving up (shm_cut.c, shm_keep.c, type_walk.c).
 *
 * Names are those of the code. A transaction takes its shards' locks in order, changes words, commits and drops the locks; a death
 * before the commit puts the old words back before anybody gets the lock (that this is so is commit.pml's), so it is an undo
 * here. What is read without a lock (keeps, snapshot_epoch, cut_broken) may be read between any two stores.
 *
 * A database of a shard is a tree of P positions, each with an entry (a block) or none. A keep has the label of its database at
 * the cut, where its tree is (`home`, or taken away by a flush: `own`), saved_to and the list of old versions.
 *
 * Demanded: what the walker gives out is, entry by entry, once each, the state at the moment when the cut committed, in the
 * database that it was in then; all tickets before the cut's are in it and none from it on; no block is freed twice or used
 * after; at the end nothing is kept, and every block that is in use lies in one tree.
 */
#ifndef SHARDS
#define SHARDS 2
#endif
#ifndef DBS
#define DBS 1
#endif
#ifndef P
#define P 2
#endif
#ifndef OPS
#define OPS 2    /* of each writer */
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef DEATHS
#define DEATHS 1 /* of walkers and housekeepers */
#endif
#ifndef SNAPSHOTS
#define SNAPSHOTS 2
#endif
#ifndef BLOCKS
#define BLOCKS 9
#endif
#define LIMBO 4
#define ROOTS (SHARDS * DBS)

#define birth_before_lock 1
#define epoch_before_locks 2
#define saved_before_copy 3
#define limbo_without_lock 4
#define ticket_before_locks 5
#define cut_not_all_locks 6
#define flush_ignores_keep 7
#define swap_leaves_home 8
#define swap_leaves_keep 9
#define leavings_seen_once 10
#define keep_ignored 11
#define birth_not_looked_at 12
#define broken_not_looked_at 13
#define clean_without_second_look 14
#define copy_keeps_birth 15
#define label_of_root 16
#ifndef MUTATION
#define MUTATION 0
#endif

#define ROOT(s, d) ((s) * DBS + (d))
#define SHARD_OF(k) ((k) / DBS)

/* ---- the region ------------------------------------------------------------------------------------------------ */

bool lock[SHARDS];

bool used[BLOCKS]; /* block 0 is none */
byte value[BLOCKS], birth[BLOCKS];

byte ent[ROOTS * P];  /* of a root: its entries' blocks */
byte root_keep[ROOTS]; /* 1 + keep, or 0 */

/* keep k = ROOT(shard, database at the cut) */
bool on[ROOTS], owns[ROOTS];
byte made[ROOTS];      /* its snapshot */
byte home[ROOTS];      /* root, unless owns */
byte own[ROOTS * P];
byte saved_to[ROOTS];
byte nlimbo[ROOTS], limbo[ROOTS * LIMBO], limbo_at[ROOTS * LIMBO];

byte epoch = 1, broken;
byte counter = 1; /* tickets */

byte versions;    /* ghost: each write has a value of its own */
byte image[ROOTS * P];
bool given[ROOTS * P];
byte deaths, ended;
bool walked_out;  /* no snapshot will be made any more */

#define TAKE(s) atomic { !lock[s] -> lock[s] = true }
#define DROP(s) lock[s] = false

#if SHARDS > 1
#define LEAVINGS (on[0] || on[1])
#elif DBS > 1
#define LEAVINGS (on[0] || on[1])
#else
#define LEAVINGS on[0]
#endif

/* ---- blocks, inside d_steps; b is the caller's ------------------------------------------------------------------ */

#define ALLOC(v, e) \
    b = 1; \
    do \
    :: b < BLOCKS && used[b] -> b++ \
    :: else -> break \
    od; \
    assert(b < BLOCKS); \
    used[b] = true; \
    value[b] = v; \
    birth[b] = e

#define FREE(x) assert(used[x]); used[x] = false; value[x] = 0

#if MUTATION == birth_not_looked_at
#define BORN_BEFORE(x, k) true
#else
#define BORN_BEFORE(x, k) (birth[x] < made[k])
#endif
#if MUTATION == keep_ignored
#define NEEDS(r, p) false
#else
#define NEEDS(r, p) (root_keep[r] != 0 && BORN_BEFORE(ent[(r) * P + (p)], root_keep[r] - 1) && \
    (p) >= saved_to[root_keep[r] - 1] && broken != made[root_keep[r] - 1])
#endif

#define KEEP_OLD(k, p, x) \
    assert(nlimbo[k] < LIMBO); \
    limbo[(k) * LIMBO + nlimbo[k]] = x; \
    limbo_at[(k) * LIMBO + nlimbo[k]] = p; \
    nlimbo[k] = nlimbo[k] + 1

/* shm_keep_release */
#define RELEASE(r, p) \
    if \
    :: NEEDS(r, p) -> KEEP_OLD(root_keep[r] - 1, p, ent[(r) * P + (p)]) \
    :: else -> FREE(ent[(r) * P + (p)]) \
    fi

/* ---- writers ------------------------------------------------------------------------------------------------------ */

#if MUTATION == birth_before_lock
#define BIRTH seen
#define LOOK_EARLY seen = epoch
#else
#define BIRTH epoch
#define LOOK_EARLY skip
#endif

/* A new entry, in an empty place or instead of the old one. */
#define PUT(r, p) \
    d_step { \
        if \
        :: ent[(r) * P + (p)] != 0 -> RELEASE(r, p) \
        :: else \
        fi; \
        versions++; \
        ALLOC(versions, BIRTH); \
        ent[(r) * P + (p)] = b; \
        counter++; \
        b = 0 \
    }

/* An entry that is changed where it lies: its copy is kept first, and it is born anew (type_keep_copy). */
#if MUTATION == copy_keeps_birth
#define BORN_ANEW(r, p) skip
#else
#define BORN_ANEW(r, p) birth[ent[(r) * P + (p)]] = BIRTH
#endif
#define CHANGE(r, p) \
    d_step { \
        if \
        :: ent[(r) * P + (p)] != 0 -> \
            if \
            :: NEEDS(r, p) -> \
                ALLOC(value[ent[(r) * P + (p)]], birth[ent[(r) * P + (p)]]); \
                KEEP_OLD(root_keep[r] - 1, p, b); \
                BORN_ANEW(r, p) \
            :: else \
            fi; \
            versions++; \
            value[ent[(r) * P + (p)]] = versions; \
            counter++ \
        :: else \
        fi; \
        b = 0 \
    }

#define REMOVE(r, p) \
    d_step { \
        if \
        :: ent[(r) * P + (p)] != 0 -> RELEASE(r, p); ent[(r) * P + (p)] = 0; counter++ \
        :: else \
        fi \
    }

/* shm_keep_flush: the keep takes the tree, or it is freed. */
#define FLUSH_ONE(r, p) \
    if \
    :: k != 0 -> own[(k - 1) * P + (p)] = ent[(r) * P + (p)] \
    :: k == 0 && ent[(r) * P + (p)] != 0 -> FREE(ent[(r) * P + (p)]) \
    :: else \
    fi; \
    ent[(r) * P + (p)] = 0
#if MUTATION == flush_ignores_keep
#define KEEP_OF(r) 0
#else
#define KEEP_OF(r) root_keep[r]
#endif
#define FLUSH(r) \
    d_step { \
        k = KEEP_OF(r); \
        FLUSH_ONE(r, 0); \
        FLUSH_ONE(r, 1); \
        if \
        :: k != 0 -> owns[k - 1] = true; root_keep[r] = 0 \
        :: else \
        fi; \
        counter++; \
        k = 0 \
    }

#define EXCHANGE(x, y) b = x; x = y; y = b
#if MUTATION == swap_leaves_home
#define MOVED(r) skip
#else
#define MOVED(r) \
    if \
    :: root_keep[r] != 0 -> home[root_keep[r] - 1] = r \
    :: else \
    fi
#endif
#if MUTATION == swap_leaves_keep
#define EXCHANGE_KEEPS(s) skip
#else
#define EXCHANGE_KEEPS(s) EXCHANGE(root_keep[ROOT(s, 0)], root_keep[ROOT(s, 1)])
#endif
#define SWAP(s) \
    d_step { \
        EXCHANGE(ent[ROOT(s, 0) * P], ent[ROOT(s, 1) * P]); \
        EXCHANGE(ent[ROOT(s, 0) * P + 1], ent[ROOT(s, 1) * P + 1]); \
        EXCHANGE_KEEPS(s); \
        MOVED(ROOT(s, 0)); \
        MOVED(ROOT(s, 1)); \
        counter++; \
        b = 0 \
    }

proctype writer(byte ops)
{
    byte s, p, d, b, k, seen;
    do
    :: ops > 0 ->
        ops--;
        select(s : 0 .. SHARDS - 1);
        select(p : 0 .. P - 1);
#if DBS > 1
        select(d : 0 .. DBS - 1);
#endif
        LOOK_EARLY;
        TAKE(s);
        if
        :: PUT(ROOT(s, d), p)
        :: CHANGE(ROOT(s, d), p)
        :: REMOVE(ROOT(s, d), p)
        :: FLUSH(ROOT(s, d))
#if DBS > 1
        :: SWAP(s)
#endif
#if SHARDS > 1
        :: s == 0 -> /* one transaction over both */
            TAKE(1);
            PUT(ROOT(0, 0), p);
            CHANGE(ROOT(1, 0), p);
            DROP(1)
#endif
#ifdef GIVES_UP
        :: broken = epoch /* no memory for an old version: shm_keep_failed */
#endif
        fi;
        DROP(s);
        d_step { s = 0; p = 0; d = 0; seen = 0 }
    :: else -> break
    od;
    ended++
}

/* ---- giving out ---------------------------------------------------------------------------------------------------- */

#if MUTATION == label_of_root
#define LABEL(k) (owns[k] -> k : home[k])
#else
#define LABEL(k) k
#endif
#define GIVE(k, p, x) \
    assert(used[x]); \
    assert(!given[LABEL(k) * P + (p)] && value[x] == image[LABEL(k) * P + (p)]); \
    given[LABEL(k) * P + (p)] = true

#define ENTRY(k, p) (owns[k] -> own[(k) * P + (p)] : ent[home[k] * P + (p)])

inline end_keep(k)
{
    /* the head of the shard's list goes first, for who looks without the lock; an end of the walker or the cleaner here puts it back */
    on[k] = false;
    if
    :: d_step {
        if
        :: owns[k] ->
            p = 0;
            do
            :: p < P ->
                if
                :: own[k * P + p] != 0 -> FREE(own[k * P + p]); own[k * P + p] = 0
                :: else
                fi;
                p++
            :: else -> break
            od
        :: else -> root_keep[home[k]] = 0
        fi;
        p = 0; owns[k] = false; home[k] = 0; saved_to[k] = 0; made[k] = 0
        }
    :: atomic { deaths < DEATHS -> deaths++; on[k] = true; died = true }
    fi
}

#if MUTATION == broken_not_looked_at
#define GOES_ON true
#else
#define GOES_ON (broken != epoch)
#endif

/* One piece of keep k, under its shard's lock. */
inline walk_piece(k)
{
    if
#if MUTATION != limbo_without_lock
    :: d_step { on[k] && nlimbo[k] > 0 ->
        nlimbo[k] = nlimbo[k] - 1;
        GIVE(k, limbo_at[k * LIMBO + nlimbo[k]], limbo[k * LIMBO + nlimbo[k]]);
        FREE(limbo[k * LIMBO + nlimbo[k]]);
        limbo[k * LIMBO + nlimbo[k]] = 0;
        limbo_at[k * LIMBO + nlimbo[k]] = 0
        }
#else
    :: on[k] && nlimbo[k] > 0 /* done before the lock was taken */
#endif
    :: d_step { on[k] && nlimbo[k] == 0 && saved_to[k] < P ->
#if MUTATION != saved_before_copy
        if
        :: ENTRY(k, saved_to[k]) != 0 && birth[ENTRY(k, saved_to[k])] < made[k] -> GIVE(k, saved_to[k], ENTRY(k, saved_to[k]))
        :: else
        fi;
#endif
        saved_to[k] = saved_to[k] + 1
        }
#if MUTATION == saved_before_copy
        DROP(SHARD_OF(k));
        TAKE(SHARD_OF(k));
        d_step {
        if
        :: ENTRY(k, saved_to[k] - 1) != 0 && birth[ENTRY(k, saved_to[k] - 1)] < made[k] -> GIVE(k, saved_to[k] - 1, ENTRY(k, saved_to[k] - 1))
        :: else
        fi; skip }
#endif
    :: atomic { on[k] && nlimbo[k] == 0 && saved_to[k] == P -> skip };
        end_keep(k)
    :: !on[k]
    :: atomic { deaths < DEATHS && on[k] -> deaths++; died = true }
    fi
}

#if MUTATION == limbo_without_lock
inline limbo_piece(k)
{
    if
    :: on[k] && nlimbo[k] > 0 ->
        n = nlimbo[k] - 1;
        d_step { GIVE(k, limbo_at[k * LIMBO + n], limbo[k * LIMBO + n]); FREE(limbo[k * LIMBO + n]) };
        nlimbo[k] = n
    :: else
    fi
}
#else
#define limbo_piece(k) skip
#endif

/* ---- the persister --------------------------------------------------------------------------------------------------- */

#if SHARDS > 1
#define TAKE_ALL TAKE(0); TAKE(1)
#define DROP_ALL DROP(0); DROP(1)
#else
#define TAKE_ALL TAKE(0)
#define DROP_ALL DROP(0)
#endif

#define HOLDS(r) (ent[(r) * P] != 0 || ent[(r) * P + 1] != 0)
#define KEEP_DATABASE(r) \
    if \
    :: HOLDS(r) -> assert(!on[r] && root_keep[r] == 0); root_keep[r] = r + 1; made[r] = epoch; home[r] = r; on[r] = true \
    :: else \
    fi

inline look_at_cut()
{
    p = 0;
    do
    :: p < ROOTS * P -> image[p] = value[ent[p]]; given[p] = false; p++
    :: else -> break
    od;
    p = 0
}

inline cut()
{
    !LEAVINGS;
#if MUTATION == ticket_before_locks
    ticket = counter;
#endif
#if MUTATION == epoch_before_locks
    epoch++;
#endif
#if MUTATION == cut_not_all_locks && SHARDS > 1
    TAKE(0);
    atomic { epoch++; KEEP_DATABASE(0) };
    DROP(0);
    TAKE(1);
    atomic { KEEP_DATABASE(1); look_at_cut(); ticket = counter };
    DROP(1)
#else
    TAKE_ALL;
    if
#if MUTATION == leavings_seen_once
    :: true ->
#else
    :: LEAVINGS -> skip /* whoever took the last one away died of it: later */
    :: !LEAVINGS ->
#endif
#if MUTATION != ticket_before_locks
        ticket = counter;
#endif
#if MUTATION != epoch_before_locks
        epoch++;
#endif
        if
        :: atomic {
            KEEP_DATABASE(0);
#if ROOTS > 1
            KEEP_DATABASE(1);
#endif
            assert(ticket == counter);
            look_at_cut();
            made_one = true
            }
        :: atomic { deaths < DEATHS -> deaths++; died = true } /* the epoch stays raised */
        fi
    fi;
    DROP_ALL
#endif
}

inline complete()
{
    d_step {
        p = 0;
        do
        :: p < ROOTS * P -> assert(given[p] == (image[p] != 0)); p++
        :: else -> break
        od;
        p = 0
    }
}

proctype persister()
{
    byte s, p, b, k, n, ticket, snapshots = SNAPSHOTS;
    bool died, made_one;
again:
    do
    :: snapshots > 0 ->
        cut();
        if
        :: died -> goto successor
        :: else
        fi;
#if MUTATION != cut_not_all_locks
        if
        :: !made_one -> goto again
        :: else
        fi;
#endif
        snapshots--;
        do
        :: LEAVINGS && GOES_ON ->
            select(k : 0 .. ROOTS - 1);
            limbo_piece(k);
            TAKE(SHARD_OF(k));
            if
            :: GOES_ON -> walk_piece(k)
            :: !(GOES_ON)
            fi;
            DROP(SHARD_OF(k));
            k = 0;
            if
            :: died -> goto successor
            :: else
            fi
        :: atomic { !LEAVINGS && GOES_ON -> skip }; complete(); break
        :: !(GOES_ON) -> break
        od;
        made_one = false
    :: else -> break
    od;
    goto over;
successor: /* of a dead one: gives up whichever snapshot there is */
    broken = epoch;
    d_step { died = false; made_one = false; k = 0; p = 0; n = 0; b = 0; ticket = 0 };
    goto again;
over:
    atomic { ticket = 0; walked_out = true; ended++ }
}

/* ---- the housekeeper: frees what a given-up snapshot left ------------------------------------------------------------ */

inline clean_piece(k)
{
    if
    :: d_step { on[k] && nlimbo[k] > 0 ->
        nlimbo[k] = nlimbo[k] - 1;
        FREE(limbo[k * LIMBO + nlimbo[k]]);
        limbo[k * LIMBO + nlimbo[k]] = 0;
        limbo_at[k * LIMBO + nlimbo[k]] = 0
        }
    :: atomic { on[k] && nlimbo[k] == 0 -> skip };
        end_keep(k)
    :: !on[k]
    fi
}

proctype housekeeper()
{
    byte k, p;
    bool died;
    do
    :: LEAVINGS && broken == epoch ->
        select(k : 0 .. ROOTS - 1);
        if
        :: on[k] ->
            TAKE(SHARD_OF(k));
            if
#if MUTATION == clean_without_second_look
            :: true -> clean_piece(k)
#else
            :: broken == epoch -> clean_piece(k)
            :: broken != epoch
#endif
            fi;
            DROP(SHARD_OF(k))
        :: else
        fi;
        d_step { k = 0; died = false }
    :: atomic { walked_out && !LEAVINGS -> break }
    od
    ;
    ended++
}

proctype auditor()
{
    byte b, n;
    timeout ->
    assert(ended == WRITERS + 2);
    d_step {
        assert(!LEAVINGS);
        b = 1;
        do
        :: b < BLOCKS -> n = n + used[b]; b++
        :: else -> break
        od;
        b = 0;
        do
        :: b < ROOTS * P ->
            if
            :: ent[b] != 0 -> assert(used[ent[b]]); n--
            :: else
            fi;
            b++
        :: else -> break
        od;
        assert(n == 0)
    }
}

init
{
    byte b;
    atomic {
        do
        :: b < ROOTS * P - 1 -> /* the last place is empty */
            ent[b] = b + 1;
            used[b + 1] = true;
            versions++;
            value[b + 1] = versions;
            b++
        :: else -> break
        od;
        b = 0;
        run writer(OPS);
#if WRITERS > 1
        run writer(1);
#endif
        run persister();
        run housekeeper();
        run auditor()
    }
}
