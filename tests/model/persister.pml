/* persister.pml - the log's records on their way from the rings to the file, while persisters die (log_merge.c, aof.c, shm_ring.c).
 *
 * The persister reads ahead of the rings' tails with cursors of its own, makes groups of what it read, has its file thread write
 * them, and moves the tails when the write has returned. A file thread that outlives its persister's main thread may still
 * write what it has begun; a successor first waits for the end of all threads of the predecessor. It cuts the file behind the last whole
 * group, begins at the tails, and drops what the file has.
 *
 * The order of tickets and its holes are tickets.pml's; here a ticket is drawn and published at once, or by one who dies at the
 * draw, which leaves a hole that may be skipped. Demanded: the file has every published record once, in order, in whole groups; a ring's
 * place is not used again before its record is in the file (else it is lost, and the persister waits for it for ever).
 */
#ifndef RECORDS
#define RECORDS 4 /* tickets drawn in all */
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef PLACES
#define PLACES 2  /* of a ring */
#endif
#define RINGS 2
#define GROUP_MAX 2
#define FILE_MAX (RECORDS + 2) /* what is behind the last whole group included */

#define tail_before_file 1
#define torn_group_left 2
#define older_not_dropped 3
#define predecessor_not_awaited 4
#define cursor_from_head 5
#define expected_from_counter 6
#ifndef MUTATION
#define MUTATION 0
#endif

byte counter = 1;
bool published[RECORDS + 1];
byte place[RINGS * PLACES], head[RINGS], tail[RINGS];

byte file[FILE_MAX], nfile; /* tickets, in the order in which they were written */
byte whole;                 /* so many belong to whole groups: a group's line has its length and hash */

/* the file thread of the living persister, and of one that is dying */
byte job[2], job_n[2], job_done[2]; /* first ticket of the group, records, written */
byte job_list[2 * GROUP_MAX];
bool busy[2];
byte deaths, ended;

proctype writer(byte ring; byte n)
{
    do
    :: n > 0 ->
        n--;
        if
        :: atomic { head[ring] - tail[ring] < PLACES ->
            place[ring * PLACES + head[ring] % PLACES] = counter;
            published[counter] = true;
            counter++;
            head[ring] = head[ring] + 1 }
        :: counter++ /* died at the draw */
        fi
    :: else -> break
    od;
    ended++
}

/* Writes its group, piece by piece; the last piece makes it whole. A thread whose process has died may stop between two. */
proctype file_thread(byte t)
{
end:
    do
    :: atomic { busy[t] && job_done[t] < job_n[t] ->
        file[nfile] = job_list[t * GROUP_MAX + job_done[t]];
        nfile++;
        job_done[t] = job_done[t] + 1;
        if
        :: job_done[t] == job_n[t] -> whole = nfile; busy[t] = false
        :: else
        fi }
    od
}

#define FRONT(r) (cursor[r] != head[r] && place[(r) * PLACES + cursor[r] % PLACES] == expected)
#define PASS(r) \
    job_list[t * GROUP_MAX + n] = expected; \
    n++; \
    cursor[r] = cursor[r] + 1; \
    expected++

#define OPEN_RING(r) \
    do \
    :: tail[r] != head[r] && place[(r) * PLACES + tail[r] % PLACES] < expected -> tail[r] = tail[r] + 1 \
    :: else -> break \
    od; \
    cursor[r] = tail[r]

inline look_at_file()
{
    d_step {
#if MUTATION != torn_group_left
        do
        :: nfile > whole -> nfile--; file[nfile] = 0
        :: else -> break
        od;
#endif
        expected = (whole > 0 -> file[whole - 1] + 1 : 1)
    };
#if MUTATION == expected_from_counter
    expected = counter;
#endif
#if MUTATION == cursor_from_head
    d_step { cursor[0] = head[0]; cursor[1] = head[1]; tail[0] = head[0]; tail[1] = head[1] }
#elif MUTATION == older_not_dropped
    d_step { cursor[0] = tail[0]; cursor[1] = tail[1] };
    expected = 1
#else
    d_step { OPEN_RING(0); OPEN_RING(1) }
#endif
}

proctype persister()
{
    byte t, n, expected, cursor[RINGS];
    bool seen_end;
    do
    :: true ->
        look_at_file();
        do
        :: d_step { n < GROUP_MAX && FRONT(0) -> PASS(0) }
        :: d_step { n < GROUP_MAX && FRONT(1) -> PASS(1) }
        :: d_step { expected < counter && !published[expected] -> expected++ } /* a hole */
        :: n > 0 ->
            atomic { job_n[t] = n; job_done[t] = 0; busy[t] = true };
#if MUTATION == tail_before_file
            d_step { tail[0] = cursor[0]; tail[1] = cursor[1] };
#endif
            if
            :: !busy[t]
            :: atomic { deaths < DEATHS -> deaths++ }; goto died
            fi;
            d_step { tail[0] = cursor[0]; tail[1] = cursor[1]; n = 0 }
        :: atomic { n == 0 && ended == RINGS && expected == counter && cursor[0] == head[0] && cursor[1] == head[1] -> goto over }
        :: atomic { deaths < DEATHS -> deaths++ }; goto died
        od;
died:
        n = 0; cursor[0] = 0; cursor[1] = 0;
        /* the thread ends where it is, now or later */
#if MUTATION == predecessor_not_awaited
        atomic { t = 1 - t; !busy[t] }
#else
        if
        :: atomic { busy[t] -> busy[t] = false }
        :: !busy[t]
        fi
#endif
    od;
over:
    ended++;
    d_step {
        n = 1;
        expected = 0;
        do
        :: n < counter ->
            if
            :: published[n] -> assert(file[expected] == n && expected < whole); expected++
            :: else
            fi;
            n++
        :: else -> break
        od;
        assert(nfile == expected && whole == expected)
    }
}

init
{
    atomic {
        run writer(0, RECORDS / 2);
        run writer(1, RECORDS - RECORDS / 2);
        run file_thread(0);
        run file_thread(1);
        run persister()
    }
}
