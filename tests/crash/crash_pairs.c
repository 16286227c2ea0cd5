/* crash_pairs.c - two die at once, on overlapping shards; heirs die while they take slots over.
 *
 *     crash_pairs ROUNDS [SEED]
 *
 * pairs: two children change overlapping keys at the same time and die at random points, so that each may meet the
 * other's locks, wait for them, or die while it finishes the other's journal. In every second round the first stops
 * in the middle instead and is killed there, so that the second waits on a held lock. The state afterwards is the old
 * one, that of either change, or that of both in one order.
 *
 * heirs: a process that owns a slot, a journal and client records dies at a random point; heirs die while they take its
 * slot over (shm_proc_take) until one comes through. Nothing is left claimed.
 *
 * Prints what was met. Fails if no second one ever died in the first one's recovery.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/clients.h"
#include "shm/shm_crash.h"
#include "shm/shm_proc.h"
#include "shm/shm_recover.h"
#include "tests/crash/rig.h"

#ifdef KVSTASH_CRASH_POINTS

#define EXTENTS 32u
#define STATES 5

static const struct pair {
    const char *before, *first, *second;
} pairs[] = {
    {"MSET a 1 b 2 c 3 d 4 e 5 f 6", "MSET a x b @bytes:y:9000 c z d u", "MSET c 7 d 8 e @bytes:w:20000 f 9"},
    {"MSET a 1 b 2 c 3 d 4; HSET h @pairs:f:0:700", "DEL a b h c", "MSET b 22 c 33 d 44 e 55"},
    {"MSET a 1 b 2 c 3; HSET h @pairs:f:0:700", "RENAME h b", "MSET a 5 b 6 c 7 z 8"},
    {"MSET @pairs:k:0:200; HSET h @pairs:f:0:700", "FLUSHALL", "MSET k1 a k2 b k3 c k4 d k5 e"},
    {"SET a 10; SET b @bytes:x:20000 PX 9000", "COPY b a REPLACE", "MSET a 3 b 4 c 5"},
    {"HSET h @pairs:f:0:512", "HSET h f512 v", "HDEL h f1 f2 f3"},
};
#define PAIRS (sizeof pairs / sizeof pairs[0])

struct run {
    struct rig rig;
    uint64_t random;
    uint64_t state[STATES];    /* digests: old, first, second, both, both the other way */
    uint64_t points[2];
    uint64_t both_died, rounds, seen[STATES];
};

static uint64_t
random_below(struct run *t, uint64_t n)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random % n;
}

/* ---- pairs -------------------------------------------------------------------------------------------------- */

static void
build(struct run *t, const struct pair *p)
{
    rig_clear(&t->rig);
    rig_do(&t->rig, p->before, NULL);
}

/* An error reply (a key that is gone by then) is as good as any. */
static void
run_line(struct run *t, const char *text)
{
    struct buf reply;
    buf_init(&reply);
    rig_do(&t->rig, text, &reply);
    buf_destroy(&reply);
}

static void
learn(struct run *t, const struct pair *p, const struct rig_line line[2])
{
    const char *order[STATES][2] = {{0}, {p->first}, {p->second}, {p->first, p->second}, {p->second, p->first}};
    for (unsigned s = 0; s < STATES; s++) {
        build(t, p);
        for (unsigned i = 0; i < 2 && order[s][i]; i++)
            run_line(t, order[s][i]);
        t->state[s] = rig_check(&t->rig, p->first);
    }
    for (unsigned i = 0; i < 2; i++) {
        build(t, p);
        if (rig_die_at(&t->rig, RIG_VICTIM, UINT64_MAX, &line[i]))
            rig_fail("\"%s\" died unasked", line[i].text);
        t->points[i] = atomic_load(&t->rig.page->passed);
    }
}

static void
one_round(struct run *t, const struct pair *p, const struct rig_line line[2])
{
    bool stops = t->rounds++ % 2;
    uint64_t n = 1 + random_below(t, t->points[0]), m = 1 + random_below(t, t->points[1] + 40);
    build(t, p);
    pid_t first = rig_start(&t->rig, RIG_VICTIM, stops, n, &line[0]);
    if (stops) {
        siginfo_t info;
        waitid(P_PID, (id_t)first, &info, WSTOPPED | WEXITED | WNOWAIT);
    }
    pid_t second = rig_start(&t->rig, RIG_SECOND, false, m, &line[1]);
    if (stops) {
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        kill(first, SIGKILL);
    }
    bool died = rig_end(&t->rig, first, n, &line[0]), too = rig_end(&t->rig, second, m, &line[1]);
    t->both_died += died && too;
    if (too)
        rig_note_death(&t->rig);
    rig_recover(&t->rig);
    uint64_t now = rig_check(&t->rig, line[0].text);
    unsigned s = 0;
    while (s < STATES && t->state[s] != now)
        s++;
    if (s == STATES)
        rig_fail("\"%s\" dead at %lu and \"%s\" at %lu: none of the states that either leaves", line[0].text, (unsigned long)n, line[1].text,
            (unsigned long)m);
    t->seen[s]++;
}

static void
run_pairs(struct run *t, unsigned rounds)
{
    for (size_t i = 0; i < PAIRS; i++) {
        struct rig_line line[2];
        build(t, &pairs[i]);
        rig_line_parse(&t->rig, &line[0], pairs[i].first);
        rig_line_parse(&t->rig, &line[1], pairs[i].second);
        learn(t, &pairs[i], line);
        for (unsigned k = 0; k < rounds / PAIRS + 1; k++)
            one_round(t, &pairs[i], line);
        rig_line_free(&line[0]);
        rig_line_free(&line[1]);
    }
    printf("pairs: %lu rounds, both died in %lu, the second in the first one's recovery in %lu; states: old %lu, first %lu, second %lu, "
           "both %lu and %lu\n", (unsigned long)t->rounds, (unsigned long)t->both_died, (unsigned long)t->rig.deaths[RIG_RECOVERY],
        (unsigned long)t->seen[0], (unsigned long)t->seen[1], (unsigned long)t->seen[2], (unsigned long)t->seen[3], (unsigned long)t->seen[4]);
    if (t->rig.deaths[RIG_RECOVERY] == 0 || t->both_died == 0)
        rig_fail("nobody died in another's recovery");
}

/* ---- heirs -------------------------------------------------------------------------------------------------- */

#define CLIENTS 150 /* more than one span of records */

static void
be_owner(struct rig *k, uint64_t n)
{
    static struct session session[CLIENTS];
    struct buf reply;
    buf_init(&reply);
    if (!shm_proc_take(&k->region, RIG_VICTIM, SHM_PROC_WORKER))
        _exit(3);
    rig_child(k, RIG_VICTIM);
    shm_crash_set_hook(NULL);
    shm_crash_arm(n);
    for (unsigned i = 0; i < CLIENTS; i++) {
        session[i] = (struct session){.id = i + 1, .resp = 2, .fd = -1};
        if (!clients_add(&k->engine, &session[i]))
            _exit(4);
    }
    rig_do(k, "HSET h @pairs:f:0:700; MSET a @bytes:x:9000 b 2 c 3; DEL h; !reclaim", &reply);
    _exit(0); /* dies in any case: the life lock says so */
}

/* True if the heir came through. */
static bool
inherit(struct rig *k, uint64_t n)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        shm_crash_arm(n);
        bool took = shm_proc_take(&k->region, RIG_VICTIM, SHM_PROC_WORKER);
        shm_crash_arm(0);
        if (took)
            shm_proc_leave(&k->region, RIG_VICTIM);
        _exit(took ? 0 : 3);
    }
    if (waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        rig_fail("an heir ended with %x", status);
    return WIFEXITED(status);
}

static void
run_heirs(struct run *t, unsigned rounds)
{
    uint64_t heirs = 0;
    for (unsigned i = 0; i < rounds; i++) {
        rig_clear(&t->rig);
        uint64_t generation = atomic_load(&t->rig.region.slots[RIG_VICTIM].generation);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            be_owner(&t->rig, 1 + random_below(t, 12000));
        waitpid(pid, NULL, 0);
        if (!shm_proc_is_dead(&t->rig.region, RIG_VICTIM))
            rig_fail("the dead owner's slot does not look dead");
        for (unsigned d = 1; d < SHM_FOLLOWS_MAX; d++) /* one death more on the journal would switch shards off */
            heirs += !inherit(&t->rig, 1 + random_below(t, i % 2 ? 60 : 3000));
        if (!inherit(&t->rig, 0))
            rig_fail("an heir died unasked");
        if (atomic_load(&t->rig.region.slots[RIG_VICTIM].generation) < generation + 2)
            rig_fail("the slot's generation did not rise");
        rig_check(&t->rig, "after heirs");
    }
    printf("heirs: %u slots taken over, %lu heirs died meanwhile\n", rounds, (unsigned long)heirs);
    if (heirs == 0)
        rig_fail("no heir died");
}

int
main(int argc, char **argv)
{
    static struct run t;
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
    if (rounds == 0)
        rig_fail("usage: crash_pairs ROUNDS [SEED]");
    t.random = argc > 2 ? strtoull(argv[2], NULL, 10) : 88172645463325252ull;
    rig_open(&t.rig, EXTENTS);
    run_pairs(&t, rounds);
    run_heirs(&t, rounds / 10 + 1);
    rig_close(&t.rig);
    return 0;
}

#else
int
main(void)
{
    printf("SKIP: built without --enable-crash-points, no point to die at\n");
    return 0;
}
#endif
