/* mail.pml - a mailbox: two senders, a reader and its heirs, deaths between any two stores (shm_mail.c).
 *
 * A sender's transaction takes the lock MAIL, compares the generation that it means, writes behind the head, commits, stores the head as
 * a redo item and becomes IDLE; then it drops the lock and looks whether the reader sleeps. Whoever takes the lock of a dead one, and
 * the dead one's heir, finish its journal first, one at a time (`recover`); the heir then makes everybody look. A reader takes
 * messages without the lock; its heir closes the box under the lock, frees what lay there, and opens it for itself.
 *
 * Each message lies in a span of its own. Demanded: what is read was committed, was meant for this generation, comes once and in the
 * order of the heads; what was committed for the last generation is read, so nobody sleeps over it; no span is freed
 * twice or left.
 */
#ifndef MESSAGES
#define MESSAGES 2 /* of the first sender; the other has one */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef PLACES
#define PLACES 2
#endif
#define SENDERS 2
#define ALL 3 /* messages at most */
#define NOBODY 255

#define head_before_commit 1
#define generation_not_compared 2
#define tail_before_sweep 3
#define close_without_lock 4
#define lock_before_finish 5
#define no_look_before_sleep 6
#define redo_adds 7
#define heir_wakes_nobody 8
#define wake_before_head 9
#define sweep_before_close 10
#ifndef MUTATION
#define MUTATION 0
#endif

#define IDLE 0
#define ACTIVE 1
#define COMMITTED 2

byte mail = NOBODY;        /* the lock's holder */
bool mail_died;
byte recover[SENDERS] = NOBODY;
bool dead[SENDERS];
byte state[SENDERS], redo_head[SENDERS], redo_span[SENDERS];
bool held[SENDERS];

byte head, tail, reader = 1, place[PLACES]; /* what lies there: 1 + message */
byte generation = 1;
bool sleeping, woken;

bool claimed[ALL], used[ALL], committed[ALL], got[ALL];
byte meant[ALL];
byte deaths, ended;

active proctype kernel()
{
end:
    do
    :: d_step { mail < SENDERS && dead[mail] -> mail = NOBODY; mail_died = true }
    :: d_step { recover[0] < SENDERS && dead[recover[0]] -> recover[0] = NOBODY }
    :: d_step { recover[1] < SENDERS && dead[recover[1]] -> recover[1] = NOBODY }
    od
}

/* Applies what the dead one's journal says; may be cut short by the finisher's death, and done again. */
inline finish(o)
{
    if
    :: state[o] == COMMITTED ->
        d_step {
            if
            :: claimed[redo_span[o]] -> claimed[redo_span[o]] = false; used[redo_span[o]] = true
            :: else
            fi };
#if MUTATION == redo_adds
        head = head + 1;
#else
        head = redo_head[o];
#endif
        state[o] = IDLE
    :: state[o] == ACTIVE -> state[o] = IDLE
    :: state[o] == IDLE
    fi
}

inline finish_claim(o)
{
    if
    :: me != o && state[o] != IDLE && held[o] ->
        atomic { recover[o] == NOBODY -> recover[o] = me };
        if
        :: held[o] -> finish(o)
        :: else
        fi;
        recover[o] = NOBODY
    :: else
    fi
}

inline take_mail()
{
    if
    :: atomic { mail == NOBODY && !mail_died -> mail = me }
    :: atomic { mail == NOBODY && mail_died -> mail = me };
#if MUTATION != lock_before_finish
        finish_claim(0);
        finish_claim(1);
#endif
        mail_died = false
    fi
}

#define DROP_MAIL mail = NOBODY

#define LOOK_AND_WAKE \
    if \
    :: sleeping -> woken = true \
    :: else \
    fi

/* Dies between any two of its stores, as `dead` may become true at any time. */
proctype sender(byte me; byte first; byte n)
{
    byte m, to;
    {
        do
        :: n > 0 ->
            n--;
            m = first + n;
            atomic { held[me] = false; state[me] = ACTIVE };
            atomic { to = generation; meant[m] = to };
            claimed[m] = true;
            take_mail();
            held[me] = true;
            if
#if MUTATION != generation_not_compared
            :: reader != to -> claimed[m] = false; state[me] = IDLE; DROP_MAIL
            :: reader == to ->
#else
            :: true ->
#endif
                if
                :: head - tail == PLACES -> claimed[m] = false; state[me] = IDLE; DROP_MAIL /* refused */
                :: else ->
                    place[head % PLACES] = m + 1;
#if MUTATION == head_before_commit
                    d_step { used[m] = true; claimed[m] = false; head = head + 1 };
#endif
                    atomic { redo_head[me] = head + 1; redo_span[me] = m };
#if MUTATION == wake_before_head
                    LOOK_AND_WAKE;
#endif
                    d_step { state[me] = COMMITTED; committed[m] = true };
#if MUTATION != head_before_commit
                    d_step { claimed[m] = false; used[m] = true };
#if MUTATION == redo_adds
                    head = head + 1;
#else
                    head = redo_head[me];
#endif
#endif
                    state[me] = IDLE;
                    DROP_MAIL;
#if MUTATION != wake_before_head
                    LOOK_AND_WAKE
#endif
                fi
            fi
        :: else -> break
        od
    } unless {
        dead[me]
    };
    atomic { m = 0; to = 0; n = 0; ended++ }
}

/* Of a dead sender: finishes, sweeps its claims, makes everybody look. */
proctype heir(byte me; byte o)
{
    byte i;
    do
    :: dead[o] ->
        atomic { recover[o] == NOBODY -> recover[o] = me };
        finish(o);
        d_step {
            i = 0;
            do
            :: i < ALL -> claimed[i] = (o == 0 -> (i < MESSAGES -> false : claimed[i]) : (i < MESSAGES -> claimed[i] : false)); i++
            :: else -> break
            od;
            i = 0
        };
        recover[o] = NOBODY;
#if MUTATION != heir_wakes_nobody
        woken = true;
#endif
        break
    :: ended >= SENDERS && !dead[o] -> break
    od;
    ended++
}

proctype killer()
{
end:
    do
    :: atomic { deaths < DEATHS && !dead[0] && ended < SENDERS -> dead[0] = true; deaths++ }
    :: atomic { deaths < DEATHS && !dead[1] && ended < SENDERS -> dead[1] = true; deaths++ }
    od
}

inline sweep()
{
    d_step {
        i = 0;
        do
        :: i < ALL -> used[i] = false; i++
        :: else -> break
        od;
        i = 0
    }
}

/* The reader; after its death its heir goes on here. */
proctype owner(byte me)
{
    byte m, i;
    do
    :: head != tail ->
        atomic {
            m = place[tail % PLACES] - 1;
            assert(committed[m] && meant[m] == generation && !got[m]);
            got[m] = true
        };
        atomic { assert(used[m]); used[m] = false };
        if
        :: tail = tail + 1
        :: atomic { deaths < DEATHS -> deaths++ }; goto died
        fi
    :: head == tail ->
        sleeping = true;
#if MUTATION == no_look_before_sleep
        if
        :: true ->
#else
        if
        :: head != tail
        :: head == tail ->
#endif
            if
            :: atomic { woken -> woken = false }
            :: atomic { timeout -> goto over } /* it sleeps, and nothing else will happen */
            fi
        fi;
        sleeping = false
    :: atomic { deaths < DEATHS -> deaths++ }; goto died
    od;
died:
    sleeping = false;
again:
#if MUTATION == sweep_before_close
    sweep();
#endif
#if MUTATION == close_without_lock
    reader = 0;
#else
    take_mail();
    reader = 0;
    DROP_MAIL;
#endif
#if MUTATION == tail_before_sweep
    i = (head != tail -> 1 : 0);
    tail = head;
    if
    :: i == 1 -> sweep()
    :: i == 0
    :: atomic { deaths < DEATHS -> deaths++ }; goto again
    fi;
#else
    if
    :: head != tail ->
#if MUTATION != sweep_before_close
        sweep();
#endif
        skip
    :: else
    fi;
    if
    :: tail = head
    :: atomic { deaths < DEATHS -> deaths++ }; goto again
    fi;
#endif
    d_step { generation++; m = 0; i = 0 };
    take_mail();
    reader = generation;
    DROP_MAIL;
    do
    :: head != tail ->
        atomic {
            m = place[tail % PLACES] - 1;
            assert(committed[m] && meant[m] == generation && !got[m]);
            got[m] = true
        };
        atomic { assert(used[m]); used[m] = false };
        tail = tail + 1
    :: head == tail ->
        sleeping = true;
        if
        :: head != tail
        :: head == tail ->
            if
            :: atomic { woken -> woken = false }
            :: atomic { timeout -> goto over }
            fi
        fi;
        sleeping = false
    od;
over:
    assert(ended == 2 * SENDERS);
    d_step {
        assert(head == tail);
        i = 0;
        do
        :: i < ALL ->
            assert(!used[i] && !claimed[i]);
            assert(!committed[i] || meant[i] != generation || got[i]);
            assert(committed[i] || !got[i]);
            i++
        :: else -> break
        od
    }
}

init
{
    atomic {
        run sender(0, 0, MESSAGES);
        run sender(1, MESSAGES, ALL - MESSAGES);
        run heir(2, 0);
        run heir(3, 1);
        run killer();
        run owner(4)
    }
}
