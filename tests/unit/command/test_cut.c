/* test_cut.c - snapshots are exact: commands of every kind run between the walker's steps, in random order, and the image is
 * what the region held at the cut; nothing is left in the region afterwards. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/shm_blob.h"
#include "shm/shm_check.h"
#include "shm/shm_crash.h"
#include "shm/shm_recover.h"
#include "tests/crash/rig_cut.h"
#include "types/type_value.h"

static struct rig k;
static struct rig_cut snapshot;
static uint64_t state;

static unsigned
below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % n);
}

static void
set_up(void)
{
    rig_open(&k, 60);
    state = 88172645463325252ull;
}

static void
tear_down(void)
{
    rig_close(&k);
}

TestSuite(cut, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- every kind of change ----------------------------------------------------------------------------------------- */

static const char base[] =
    "MSET a 1 b two c 3; SET long @bytes:x:300; SET ttl v PX 100000; HSET small f v g w;"
    "HSET chain @pairs:f:0:300; CONFIG SET hash-max-listpack-entries 400; HSET chain2 @pairs:g:0:350;"
    "CONFIG SET hash-max-listpack-entries 512;"
    "HSET tree @pairs:f:0:2000; HSET tree big @bytes:y:100000; HSET tree mid @bytes:z:9000;"
    "SET blob @bytes:b:50000; SET blob8 @bytes:b:8190; SET huge @bytes:h:300000; SETRANGE holes 200000 end;"
    "SET @bytes:K:5000 longkey; SET @bytes:L:20000 @bytes:v:20000; HSET @bytes:M:3000 @pairs:f:0:700;"
    "HSET lf @pairs:f:0:600; HSET lf @bytes:F:4000 v; !db 1; SET a other; HSET tree @pairs:q:0:600; SET blob @bytes:1:40000; !db 0;"
    "HSET tx @pairs:x:0:600; HSET tx big @bytes:x:30000; PEXPIRE tx 100000; SET bx @bytes:x:40000 PX 100000;"
    "HSET cx @pairs:x:0:300; PEXPIRE cx 100000; SET @bytes:X:4000 v PX 100000";

static const char *const kinds[] = {
    "SET a 2", "SET a 22222222222222222222222222222222222222222222222", "APPEND b more", "INCR c", "DEL a",
    "DEL long", "EXPIRE b 100", "PERSIST ttl", "PEXPIRE ttl 500000", "SETRANGE long 5 abc", "SETRANGE long 500 tail",
    "GETEX ttl PX 700", "GETDEL b", "RENAME a a2", "RENAME a b", "RENAME tree t2", "RENAME tree chain",
    "RENAME chain c2", "RENAME blob b2", "RENAME small tree", "MOVE b 2", "MOVE tree 2", "MOVE blob 2",
    "COPY tree t3", "COPY tree a REPLACE", "COPY tree tree DB 2", "COPY blob b3", "COPY small tree REPLACE",
    "SWAPDB 0 1", "SWAPDB 0 2", "FLUSHDB", "FLUSHALL", "HSET small f x", "HSET small h i", "HDEL small f",
    "HDEL small f g", "HSET small @pairs:s:0:60", "HSET small @pairs:s:0:600", "HSET chain f7 new",
    "HSET chain new f7", "HDEL chain f8", "HDEL chain @names:f:0:299", "HDEL chain @names:f:0:300",
    "HSET chain @pairs:n:0:400", "HSET chain long @bytes:w:200", "HSET tree f7 new", "HSET tree n 1", "HDEL tree f8",
    "HDEL tree big", "HSET tree big 1", "HSET tree big @bytes:q:90000", "HINCRBY tree num 5",
    "HDEL tree @names:f:0:1990", "HDEL tree @names:f:0:2000 big mid", "DEL tree", "SET tree x", "DEL chain",
    "SET blob s", "SETRANGE blob 100 xyz", "SETRANGE blob 20000 xyz", "SETRANGE blob 8190 xyzw", "APPEND blob tail",
    "APPEND blob @bytes:t:30000", "APPEND blob @bytes:t:4300000", "SETRANGE blob 0 @bytes:r:50000", "SETBIT huge 0 1",
    "SETBIT huge 2000000 1", "DEL huge", "SETRANGE holes 10 x", "SETRANGE holes 100000 y", "SETBIT holes 800000 1",
    "APPEND blob8 xxxxxxxxxx", "SETRANGE blob8 5 q", "DEL blob8", "APPEND @bytes:K:5000 x", "DEL @bytes:K:5000",
    "RENAME @bytes:K:5000 k", "SETRANGE @bytes:L:20000 100 zz", "EXPIRE @bytes:L:20000 100", "DEL @bytes:L:20000",
    "HSET @bytes:M:3000 f1 q", "DEL @bytes:M:3000", "HDEL lf @bytes:F:4000", "HSET lf @bytes:F:4000 w",
    "MSET a x b y new z", "MSET n1 1 n2 2 n3 3 n4 4", "HSET newtree @pairs:f:0:600", "!clock 200000; !expire", "!clock 200000; GET bx; HSET tx f v; DEL cx",
    "!reclaim-all", "!db 1", "!db 0", "!db 2", "SETNX a 5", "HSETNX small f q", "GETSET a 77", "BITOP NOT huge blob",
    "BITFIELD long SET u8 0 7", "RESTORE r 0 @dump:small", "RESTORE tree 0 @dump:chain REPLACE",
};
#define KINDS (sizeof kinds / sizeof kinds[0])
#define ANYTIME (KINDS - 2) /* the last two need what they name */

static void
change(unsigned i)
{
    struct buf reply;
    buf_init(&reply);
    rig_do(&k, kinds[i], &reply); /* errors are right too: what it names may be gone */
    buf_destroy(&reply);
}

Test(cut, each_kind_of_change_alone)
{
    for (unsigned i = 0; i < KINDS; i++) {
        for (unsigned steps = 0; steps < 3; steps++) {
            rig_clear(&k);
            rig_do(&k, base, NULL);
            rig_cut_begin(&snapshot, &k);
            for (unsigned n = 0; n < steps * 25; n++)
                rig_cut_step(&snapshot, 300);
            change(i);
            rig_check(&k, kinds[i]);
            rig_cut_finish(&snapshot, kinds[i]);
        }
    }
}

/* A step, which now and then finds no memory for the moment: it then is done again, and what it gave out does not count. */
static void
step_in_want(size_t budget)
{
#ifdef KVSTASH_CRASH_POINTS
    if (below(3) == 0)
        shm_crash_fail(1);
#endif
    rig_cut_step(&snapshot, budget);
#ifdef KVSTASH_CRASH_POINTS
    shm_crash_fail(0);
#endif
}

Test(cut, changes_in_random_order_between_steps)
{
    atomic_store(&k.region.header->committed_limit, atomic_load(&k.region.header->committed_extents) + 1); /* more may come */
    for (unsigned round = 0; round < 120; round++) {
        char what[32];
        snprintf(what, sizeof what, "round %u", round);
        rig_clear(&k);
        rig_do(&k, base, NULL);
        for (unsigned n = below(20); n > 0; n--)
            change(below(ANYTIME));
        rig_cut_begin(&snapshot, &k);
        for (unsigned n = 5 + below(60); n > 0; n--) {
            for (unsigned s = below(4); s > 0; s--)
                step_in_want(1 + below(6000));
            change(below(ANYTIME));
            if (below(10) == 0)
                rig_check(&k, what);
        }
        rig_cut_finish(&snapshot, what);
    }
}

/* Entries tell births by 24 bits: an entry that nobody touches must not be taken for a new one, however many snapshots go by. */
Test(cut, entries_that_outlive_the_births_bits)
{
    rig_do(&k, base, NULL);
    for (unsigned i = 0; i < 24; i++) {
        atomic_fetch_add(&k.region.header->snapshot_epoch, (1u << (SHM_BIRTH_BITS - 3)) + i);
        rig_cut_begin(&snapshot, &k);
        for (unsigned n = 0; n < 3; n++)
            rig_cut_step(&snapshot, 300);
        rig_do(&k, "SETRANGE long 5 abc; HSET tree f7 new; SETRANGE blob 100 xyz", NULL);
        rig_cut_finish(&snapshot, "many snapshots later");
    }
    rig_check(&k, "at last");
}

Test(cut, tables_that_grow_and_shrink)
{
    char line[64];
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(line, sizeof line, "SET key:%u %u", i, i);
        rig_do(&k, line, NULL);
    }
    rig_cut_begin(&snapshot, &k);
    for (unsigned i = 0; i < 20000; i++) {
        if (i % 10 == 0)
            rig_cut_step(&snapshot, 1 + below(800));
        snprintf(line, sizeof line, below(3) ? "SET key:%u x%u" : "DEL key:%u %u", below(12000), i);
        rig_do(&k, line, NULL);
    }
    rig_cut_finish(&snapshot, "growing");
    rig_cut_begin(&snapshot, &k);
    for (unsigned i = 0; i < 12000; i++) {
        if (i % 20 == 0)
            rig_cut_step(&snapshot, 1 + below(800));
        snprintf(line, sizeof line, "DEL key:%u", i);
        rig_do(&k, line, NULL);
    }
    rig_cut_finish(&snapshot, "shrinking");
}

Test(cut, given_up_in_the_middle)
{
    for (unsigned round = 0; round < 60; round++) {
        rig_clear(&k);
        rig_do(&k, base, NULL);
        rig_cut_begin(&snapshot, &k);
        for (unsigned n = below(80); n > 0; n--) {
            if (below(3) == 0)
                rig_cut_step(&snapshot, 1 + below(2000));
            change(below(ANYTIME));
        }
        shm_cut_abort(&k.region, snapshot.cut.epoch);
        struct type_walk_sink sink = image_sink(&snapshot.image);
        cr_assert_eq(type_walk_step(&snapshot.walk, &sink, 100), TYPE_WALK_BROKEN);
        for (unsigned n = below(100); n > 0; n--) {
            change(below(ANYTIME));
            shm_cut_clean_step(&k.engine.tx, (uint16_t)below(k.region.nshards), 1 + below(20));
            if (below(10) == 0)
                rig_check(&k, "giving up");
        }
        rig_cut_drop(&snapshot, 1 + below(20), "given up");
    }
}

/* ---- want of memory -------------------------------------------------------------------------------------------------- */

/* Runs a command until it is done; what it waits for is freed meanwhile. */
static void
run_patiently(const char *line)
{
    struct rig_line l;
    struct buf reply;
    buf_init(&reply);
    rig_line_parse(&k, &l, line);
    for (unsigned i = 0; !rig_line_run(&k, &l, &reply); i++) {
        cr_assert(i < 1000 && (k.engine.tx.want == SHM_WANT_POOL || k.engine.tx.want == SHM_WANT_LIMIT), "%s: want %d", line, k.engine.tx.want);
        for (uint16_t shard = 0; shard < k.region.nshards; shard++)
            shm_cut_clean_step(&k.engine.tx, shard, 1000);
        rig_do(&k, "!reclaim-all", NULL);
    }
    cr_assert(reply.len && reply.data[0] != '-', "%s answers %.*s", line, (int)reply.len, reply.data);
    rig_line_free(&l);
    buf_destroy(&reply);
}

/* Fills a new region with such keys, numbered from 0; returns how many. */
static unsigned
fill_region(const char *line_of)
{
    char line[128];
    struct buf reply;
    unsigned n = 0;
    rig_close(&k);
    rig_open(&k, 6); /* anew: each shard keeps a span of every class it ever used */
    buf_init(&reply);
    for (bool full = false; !full; n++) {
        snprintf(line, sizeof line, line_of, n);
        buf_clear(&reply, SIZE_MAX);
        rig_do(&k, line, &reply);
        full = reply.len && reply.data[0] == '-';
    }
    buf_destroy(&reply);
    return n - 1;
}

static void
run_range(const char *line_of, unsigned from, unsigned to)
{
    char line[128];
    for (unsigned i = from; i < to; i++) {
        snprintf(line, sizeof line, line_of, i);
        run_patiently(line);
    }
}

/* The region is full of such a key's like; each is changed where it lies, which without a snapshot takes no memory. */
static void
no_memory_for(const char *fill, const char *change_line)
{
    unsigned n = fill_region(fill), rest = n - n / 20 - 1;
    run_range("DEL %u", rest, n); /* a little room for the cut itself */
    rig_do(&k, "!reclaim-all", NULL);
    rig_cut_begin(&snapshot, &k);
    run_range(change_line, 0, rest);
    cr_assert(shm_cut_is_broken(&k.region, snapshot.cut.epoch), "%s", change_line);
    rig_cut_drop(&snapshot, 100, change_line);
}

/* What is deleted during a snapshot is there for the next, as it would be without. */
Test(cut, deleted_keys_make_room_for_new_ones)
{
    unsigned n = fill_region("SET %u @bytes:x:3000");
    run_range("DEL %u", n - n / 20, n);
    rig_do(&k, "!reclaim-all", NULL);
    rig_cut_begin(&snapshot, &k);
    run_range("DEL %u", 0, n / 2);
    run_range("SET %u @bytes:y:3000", 0, n / 3);
    cr_assert(shm_cut_is_broken(&k.region, snapshot.cut.epoch));
    rig_cut_drop(&snapshot, 100, "deleted");
}

Test(cut, want_of_memory_ends_the_snapshot_and_no_command)
{
    no_memory_for("SET %u @bytes:x:3000", "SETRANGE %u 5 abc");
    no_memory_for("SET %u @bytes:x:60000", "SETRANGE %u 20000 abc");
    no_memory_for("HSET %u @pairs:f:0:300", "HSET %u f7 g7");
}

/* ---- the region check ---------------------------------------------------------------------------------------------- */

static bool
check_finds(void)
{
    struct shm_check_result result;
    bool ok = shm_check_region(&k.region, type_value_check, &result);
    if (!ok)
        cr_log_info("found: %s", result.first);
    return !ok;
}

/* A snapshot with old versions, a large hash's and a blob's keep, an orphan and a flushed tree. */
static struct shm_keep_sh *
keep_of_kind(enum shm_keep_kind kind, bool orphan)
{
    for (unsigned shard = 0; shard < k.region.nshards; shard++) {
        for (shm_off db = k.region.shards[shard].keeps; db;) {
            struct shm_keep_sh *d = shm_at(&k.region, db);
            if (kind == SHM_KEEP_DB && d->limbo && d->large)
                return d;
            for (shm_off off = d->large; off;) {
                struct shm_keep_sh *l = shm_at(&k.region, off);
                if (l->kind == kind && l->orphan == orphan && (l->limbo || l->overlay.root))
                    return l;
                off = l->next;
            }
            db = d->next;
        }
    }
    cr_assert_fail("no such keep");
    return NULL;
}

/* Changes a word, has the check find it, and puts it back. */
static void
plant(uint64_t *word, uint64_t bad, const char *what)
{
    uint64_t good = *word;
    cr_assert_neq(good, bad, "%s is no change", what);
    *word = bad;
    cr_assert(check_finds(), "the check does not find: %s", what);
    *word = good;
    cr_assert_not(check_finds(), "%s: put back", what);
}

Test(cut, the_check_finds_planted_faults)
{
    rig_do(&k, base, NULL);
    rig_do(&k, "MSET @pairs:s:0:60", NULL); /* something in each shard */
    rig_cut_begin(&snapshot, &k);
    rig_do(&k, "MSET @pairs:s:0:60; SET a 2; SET b 3; APPEND c 5; HSET tree f7 new; SETRANGE blob 100 z; SETRANGE huge 100 z; DEL huge; HSET lf f1 new; DEL lf", NULL);
    rig_check(&k, "before");
    struct shm_keep_sh *db = keep_of_kind(SHM_KEEP_DB, false), *hash = keep_of_kind(SHM_KEEP_HASH, false),
                       *blob = keep_of_kind(SHM_KEEP_BLOB, false), *dead_hash = keep_of_kind(SHM_KEEP_HASH, true),
                       *dead_blob = keep_of_kind(SHM_KEEP_BLOB, true);
    struct shm_limbo_sh *old = shm_at(&k.region, db->limbo), *fields = shm_at(&k.region, hash->limbo);
    struct shm_tree_sh *root = shm_at(&k.region, hash->home);
    struct shm_index_sh *index = shm_at(&k.region, blob->home);
    plant(&db->limbo, 0, "lost old versions");
    plant(&old->count, old->count + 1, "an old version too many");
    plant(&old->entry[0], old->entry[0] + 8, "an old version that is no block");
    plant(&old->entry[0], fields->entry[0], "an old version listed twice");
    plant(&fields->count, 0, "a lost field");
    plant(&hash->home, hash->home + 8, "a keep with another's tree");
    plant(&root->keep, 0, "a tree that forgot its keep");
    plant(&root->keep, shm_off_of(&k.region, blob), "a tree with another's keep");
    plant(&index->keep, 0, "a blob that forgot its keep");
    plant(&blob->overlay.root, 0, "a lost overlay");
    plant(&blob->shell, 0, "a lost shell");
    plant(&hash->shell, blob->shell, "a shell of two");
    plant(&db->large, 0, "lost keeps");
    plant(&db->home, dead_hash->home, "a database with a hash's tree");
    dead_hash->orphan = 0;
    cr_assert(check_finds(), "an orphan's tree that nobody has");
    dead_hash->orphan = 1;
    dead_blob->orphan = 0;
    cr_assert(check_finds(), "an orphan's blob that nobody has");
    dead_blob->orphan = 1;
    hash->orphan = 1;
    cr_assert(check_finds(), "a tree of two");
    hash->orphan = 0;
    rig_cut_finish(&snapshot, "all put back");
}

/* ---- a cleaner that dies ------------------------------------------------------------------------------------------------- */

#ifdef KVSTASH_CRASH_POINTS

/* A child that ends with the test, whatever becomes of that: one that stands still would stay for ever. */
static pid_t
start_child(void)
{
    pid_t test = getpid(), pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != test))
        _exit(0); /* it has ended already */
    return pid;
}

/* The housekeeper, which stops at its n-th point while it frees what a given-up snapshot left. */
static pid_t
clean_and_stop(uint64_t n)
{
    pid_t pid = start_child();
    if (pid > 0)
        return pid;
    struct shm_tx tx;
    if (!shm_tx_open(&tx, &k.region, RIG_VICTIM))
        _exit(3);
    shm_crash_arm_stop(n);
    for (uint16_t shard = 0; shard < k.region.nshards; shard++)
        while (shm_cut_clean_step(&tx, shard, 100))
            ;
    shm_crash_arm(0);
    shm_tx_close(&tx);
    _exit(0);
}

/* Kills it while the cut waits for its lock. */
static pid_t
kill_soon(pid_t pid)
{
    pid_t killer = start_child();
    if (killer == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        kill(pid, SIGKILL);
        _exit(0);
    }
    return killer;
}

/* True if the cut had to wait for what had looked gone. */
static bool
cut_over_a_death(pid_t cleaner)
{
    int status;
    bool looks_clean = !shm_cut_has_leavings(&k.region);
    pid_t killer = kill_soon(cleaner);
    enum shm_cut_result got = shm_cut_begin(&k.engine.tx, true, &snapshot.cut);
    cr_assert(got == SHM_CUT_DONE || got == SHM_CUT_BUSY);
    cr_assert_eq(waitpid(cleaner, &status, 0), cleaner);
    cr_assert_eq(waitpid(killer, &status, 0), killer);
    cr_assert(shm_recover_slot(&k.region, RIG_VICTIM, atomic_load(&k.region.slots[RIG_VICTIM].generation)));
    return looks_clean && got == SHM_CUT_BUSY;
}

Test(cut, waits_for_leavings_that_a_death_brings_back)
{
    unsigned brought_back = 0;
    bool stopped = true;
    for (uint64_t n = 1; stopped; n++) {
        int status;
        rig_clear(&k);
        rig_do(&k, "SET a 1", NULL);
        cr_assert_eq(shm_cut_begin(&k.engine.tx, true, &snapshot.cut), SHM_CUT_DONE);
        shm_cut_abort_any(&k.region);
        pid_t cleaner = clean_and_stop(n);
        cr_assert_eq(waitpid(cleaner, &status, WUNTRACED), cleaner);
        stopped = WIFSTOPPED(status);
        brought_back += stopped && cut_over_a_death(cleaner);
        shm_cut_abort_any(&k.region);
        for (uint16_t shard = 0; shard < k.region.nshards; shard++)
            while (shm_cut_clean_step(&k.engine.tx, shard, 100))
                ;
        rig_cut_begin(&snapshot, &k);
        rig_cut_finish(&snapshot, "after the death of a cleaner");
    }
    cr_assert(brought_back > 0, "no death brought anything back that had looked gone");
}

#endif
