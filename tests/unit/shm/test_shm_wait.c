/* test_shm_wait.c - waiting for a lock whose holder lives: with an end, and without. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fixture.h"
#include "shm/shm_lock.h"
#include "types/type_string.h"

#define HELD_MS 200

/* A process that holds shard 1 for HELD_MS, having changed key "k", and then commits or dies; returns when it holds it. */
static pid_t
holder(struct fixture *f, const char *key, uint16_t shard, bool dies)
{
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        struct shm_tx tx;
        if (!shm_tx_open(&tx, &f->region, 1) || !shm_tx_begin(&tx))
            _exit(1);
        shm_tx_enter(&tx, &shard, 1);
        if (!fixture_put(&tx, key, "theirs", 6) || write(ready[1], &byte, 1) != 1)
            _exit(1);
        usleep(HELD_MS * 1000);
        if (dies)
            kill(getpid(), SIGKILL);
        _exit(shm_tx_commit(&tx) ? 0 : 1);
    }
    close(ready[1]); /* else nobody would tell that the child has died */
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* Needs the key's lock. */
static bool
has(struct shm_region *r, const char *key, const char *value)
{
    struct shm_place p;
    struct string_view v;
    char bytes[16];
    uint64_t position = shm_table_position(r, key, strlen(key), false);
    struct shm_tree t = shm_tree_of_db(r, shm_region_shard(r, position), 0);
    if (!shm_table_find(&t, position, key, strlen(key), &p))
        return false;
    type_string_view(&v, r, p.entry);
    if (v.len != strlen(value) || v.len > sizeof bytes)
        return false;
    type_string_copy(&v, 0, bytes, v.len);
    return memcmp(bytes, value, v.len) == 0;
}

/* Impatient once, then patient; the key then has the value that the holder's end leaves. */
static void
wait_for(bool dies, const char *left)
{
    struct fixture f;
    const char *key = "k";
    fixture_open(&f, 8);
    uint16_t shard = fixture_shard(&f.region, key);
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(fixture_put(&f.tx, key, "before", 6) && shm_tx_commit(&f.tx));
    pid_t pid = holder(&f, key, shard, dies);

    int64_t from = clock_ns() / 1000;
    cr_assert(shm_tx_begin(&f.tx));
    f.tx.patience_us = 1000;
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert_eq(f.tx.want, SHM_WANT_LOCK);
    cr_assert_eq(f.tx.nlocked, 0);
    shm_tx_abort(&f.tx);
    shm_tx_enter_read(&f.tx, &shard, 1);
    cr_assert_eq(f.tx.want, SHM_WANT_LOCK);
    shm_tx_leave_read(&f.tx);
    cr_assert(clock_ns() / 1000 - from < HELD_MS * 1000 / 2, "an impatient wait ended only after %ld us", (long)(clock_ns() / 1000 - from));
    cr_assert_eq(atomic_load(&f.tx.journal->state), SHM_JOURNAL_IDLE);

    f.tx.patience_us = SHM_LOCK_PATIENT;
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert_eq(f.tx.want, SHM_WANT_NOTHING);
    cr_assert(has(&f.region, key, left));
    cr_assert(shm_tx_commit(&f.tx));
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    fixture_check(&f);
    fixture_close(&f);
}

Test(wait, holder_commits)
{
    wait_for(false, "theirs");
}

Test(wait, holder_dies)
{
    wait_for(true, "before");
}

static void
look(void *arg, struct shm_segment_sh *s)
{
    (void)arg;
    (void)s;
}

/* What walks or changes much shows that it goes on, or the watchdog would take it for stuck. */
Test(wait, long_work_shows_progress)
{
    struct fixture f;
    uint16_t shard = 0;
    uint64_t cursor = 0, before;
    fixture_open(&f, 8);
    _Atomic uint64_t *progress = &f.region.slots[0].progress;
    before = atomic_load(progress);
    cr_assert(shm_tx_begin(&f.tx));
    shard = fixture_shard(&f.region, "k");
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(fixture_put(&f.tx, "k", "value", 5) && shm_tx_commit(&f.tx));
    cr_assert_gt(atomic_load(progress), before);
    before = atomic_load(progress);
    struct shm_tree t = shm_tree_of_db(&f.region, shard, 0);
    cursor = (uint64_t)shard << (64 - f.region.shard_bits);
    shm_table_walk(&t, &cursor, look, NULL);
    cr_assert_gt(atomic_load(progress), before);
    before = atomic_load(progress);
    fixture_check(&f);
    cr_assert_gt(atomic_load(progress), before);
    fixture_close(&f);
}
