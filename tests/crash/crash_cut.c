/* crash_cut.c - the processes of a snapshot die at the N-th store of what they do, and so do their successors.
 *
 *     crash_cut [--points MAX] [--only NAME]
 *
 * Over a region with values of every kind and a snapshot in which many of them were changed, a child dies at its N-th crash
 * point: in the cut itself, in the walk (each of its steps), in the cleaning after a snapshot was given up; a second one then
 * dies in the cleaning of what the first left. Afterwards the keys are what they were, the region check finds nothing leaked or
 * shared, and the snapshot is gone without a trace: the shards' memory is what it was before the cut. Where the dead one was not the
 * walker, the image is exact.
 *
 * --points: at most so many N of each case, evenly. Prints a line for each case.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/shm_crash.h"
#include "tests/crash/rig_cut.h"

#ifdef KVSTASH_CRASH_POINTS

#define EXTENTS 60u
#define STEP_BYTES 700u

static struct rig k;
static struct rig_cut snapshot;

static const char before[] =
    "MSET a 1 b two c 3; SET long @bytes:x:300; SET ttl v PX 100000; HSET small f v g w; HSET chain @pairs:f:0:200;"
    "HSET tree @pairs:f:0:600; HSET tree big @bytes:y:30000; SET blob @bytes:b:50000; SETRANGE holes 40000 end;"
    "SET @bytes:K:5000 longkey; HSET @bytes:M:3000 @pairs:f:0:520; !db 1; SET a other; HSET tree @pairs:q:0:520; !db 2; SET x y;"
    "HSET gone @pairs:g:0:520; SET gone2 @bytes:g:20000; !db 0";
/* Leaves old versions, keeps, overlays, orphans and a flushed tree. */
static const char changes[] =
    "SET a 2; APPEND b more; DEL long; EXPIRE ttl 50; HSET small f x; HSET chain f7 y; HSET tree f7 new; HDEL tree f8 big; SETRANGE blob 100 z;"
    "APPEND blob @bytes:t:20000; SETBIT holes 80000 1; APPEND @bytes:K:5000 x; HSET @bytes:M:3000 f1 q; RENAME tree t2; DEL @bytes:M:3000;"
    "SWAPDB 1 2; !db 1; DEL gone gone2; SET x z; !db 2; FLUSHDB; SET new 1; !db 0; DEL blob";

/* ---- what children do ---------------------------------------------------------------------------------------- */

static void
do_cut(void)
{
    while (shm_cut_begin(&k.engine.tx, true, &snapshot.cut) == SHM_CUT_BUSY)
        ;
}

static void
do_walk(void)
{
    snapshot.walk.tx = &k.engine.tx;
    while (rig_cut_step(&snapshot, STEP_BYTES))
        ;
}

static void
do_clean(void)
{
    for (bool more = true; more;) {
        more = false;
        for (uint16_t shard = 0; shard < k.region.nshards; shard++)
            more |= shm_cut_clean_step(&k.engine.tx, shard, 5);
    }
}

/* Runs it in a child that dies at its n-th point; true if it did. */
static bool
dies(void (*what)(void), enum rig_slot slot, uint64_t n)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        rig_fail("cannot fork");
    if (pid == 0) {
        rig_child(&k, slot);
        shm_crash_arm(n);
        what();
        uint64_t passed = shm_crash_passed();
        shm_crash_arm(0);
        atomic_store(&k.page->passed, passed);
        engine_close(&k.engine);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0))
        rig_fail("a child at point %lu ended with status %x", (unsigned long)n, status);
    return WIFSIGNALED(status);
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

struct cut_case {
    const char *name;
    void (*dies)(void);
    bool cut;      /* a snapshot runs already, and things were changed */
    bool given_up; /* and it is given up */
};

static const struct cut_case cases[] = {
    {"cut", do_cut, false, false},
    {"walk", do_walk, true, false},
    {"clean", do_clean, true, true},
};

static uint64_t
used_bytes(void)
{
    uint64_t sum = 0;
    for (unsigned shard = 0; shard < k.region.nshards; shard++)
        sum += k.region.shards[shard].used_bytes;
    return sum;
}

/* What a run without any snapshot leaves. */
static uint64_t
bare_memory(const struct cut_case *c)
{
    rig_clear(&k);
    rig_do(&k, before, NULL);
    if (c->cut)
        rig_do(&k, changes, NULL);
    rig_do(&k, "!reclaim-all", NULL);
    return used_bytes();
}

static void
build(const struct cut_case *c)
{
    rig_clear(&k);
    rig_do(&k, before, NULL);
    if (!c->cut)
        return;
    rig_cut_begin(&snapshot, &k);
    rig_do(&k, changes, NULL);
    if (c->given_up)
        shm_cut_abort(&k.region, snapshot.cut.epoch);
}

/* The successor: gives up, cleans (dying at its m-th point, if m), and cleans again. True if it died. */
static bool
succeed(uint64_t m)
{
    bool died = false;
    image_close(&snapshot.at_cut);
    image_close(&snapshot.image);
    rig_recover(&k);
    shm_cut_abort_any(&k.region);
    if (m) {
        died = dies(do_clean, RIG_SECOND, m);
        rig_recover(&k);
    }
    rig_check(&k, "behind a death");
    do_clean();
    return died;
}

static void
judge(const struct cut_case *c, uint64_t n, uint64_t m, uint64_t digest, uint64_t bare)
{
    char what[64];
    snprintf(what, sizeof what, "%s: death at point %lu, then %lu", c->name, (unsigned long)n, (unsigned long)m);
    if (shm_cut_has_leavings(&k.region))
        rig_fail("%s: something of the snapshot is left", what);
    rig_do(&k, "!reclaim-all", NULL);
    if (rig_check(&k, what) != digest)
        rig_fail("%s: the keys have changed", what);
    if (used_bytes() != bare)
        rig_fail("%s: %lu bytes in use, %lu without a snapshot", what, (unsigned long)used_bytes(), (unsigned long)bare);
    /* and the next snapshot is exact */
    rig_cut_begin(&snapshot, &k);
    rig_cut_finish(&snapshot, what);
}

/* How many points the undisturbed child passes. */
static uint64_t
count(const struct cut_case *c)
{
    build(c);
    if (dies(c->dies, RIG_VICTIM, UINT64_MAX))
        rig_fail("%s: died unasked", c->name);
    uint64_t passed = atomic_load(&k.page->passed);
    succeed(0);
    return passed;
}

static void
run(const struct cut_case *c, uint64_t points)
{
    uint64_t bare = bare_memory(c), all = count(c), died = 0, twice = 0;
    uint64_t step = points && all > points ? all / points : 1;
    for (uint64_t n = 1; n <= all; n += n + step <= all || n == all ? step : all - n) {
        build(c);
        uint64_t digest = rig_digest(&k);
        died += dies(c->dies, RIG_VICTIM, n);
        rig_note_death(&k);
        uint64_t m = n % 3 ? 1 + n * 7919 % 1500 : 0;
        twice += succeed(m);
        judge(c, n, m, digest, bare);
    }
    printf("%5lu of %6lu points: %s; %lu successors died\n", (unsigned long)died, (unsigned long)all, c->name, (unsigned long)twice);
    if (died == 0)
        rig_fail("%s: nobody died", c->name);
}

int
main(int argc, char **argv)
{
    uint64_t points = 0;
    const char *only = NULL;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--points") == 0)
            points = strtoul(argv[i + 1], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else
            rig_fail("usage: crash_cut [--points MAX] [--only NAME]");
    }
    rig_open(&k, EXTENTS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!only || strcmp(cases[i].name, only) == 0)
            run(&cases[i], points);
    rig_close(&k);
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
