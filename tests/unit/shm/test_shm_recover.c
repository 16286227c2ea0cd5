/* test_shm_recover.c - what recovery does when it cannot simply go on: spoiled journals, spoiled heads, shards in which
 * processes die again and again, robust lists that the kernel cannot walk. */
#include <criterion/criterion.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/shm_lock.h"
#include "shm/shm_proc.h"
#include "shm/shm_recover.h"

static uint32_t
shard_state(const struct fixture *f, unsigned shard)
{
    return atomic_load(&f->region.shards[shard].state);
}

static uint16_t
shard_of_a(const struct fixture *f)
{
    return fixture_shard(&f->region, "a");
}

/* Takes the lock for writing; false if the shard is refused. */
static bool
write_a(struct fixture *f)
{
    uint16_t shard = shard_of_a(f);
    cr_assert(shm_tx_begin(&f->tx));
    shm_tx_enter(&f->tx, &shard, 1);
    bool ok = f->tx.want == SHM_WANT_NOTHING && fixture_put(&f->tx, "a", "v", 1);
    cr_assert(ok || f->tx.refused == shard);
    if (ok)
        return shm_tx_commit(&f->tx);
    shm_tx_abort(&f->tx);
    return false;
}

static bool
read_a(struct fixture *f)
{
    uint16_t shard = shard_of_a(f);
    shm_tx_enter_read(&f->tx, &shard, 1);
    bool ok = f->tx.want == SHM_WANT_NOTHING;
    shm_tx_leave_read(&f->tx);
    return ok;
}

/* A child that owns slot 1 dies in the middle of a transaction on a's shard, by SIGKILL, after `spoil`. */
static void
die_in_transaction(struct fixture *f, void (*spoil)(struct fixture *f, struct shm_tx *tx))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct shm_tx tx;
        uint16_t shard = shard_of_a(f);
        if (!shm_proc_take(&f->region, 1, SHM_PROC_TOOL) || !shm_tx_open(&tx, &f->region, 1) || !shm_tx_begin(&tx))
            _exit(3);
        shm_tx_enter(&tx, &shard, 1);
        if (!fixture_put(&tx, "a", "half done", 9))
            _exit(4);
        if (spoil)
            spoil(f, &tx);
        kill(getpid(), SIGKILL);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "child ended with %x", status);
}

/* ---- a journal that kills who follows it ---- */

static void
spoil_journal(struct fixture *f, struct shm_tx *tx)
{
    uint64_t wild = shm_undo_header(f->region.bytes * 2, 8);
    memcpy(shm_recover_undo_at(&f->region, tx->journal, tx->undo_end - 8), &wild, 8);
}

/* The assertion that meets the wild offset ends the process without a core dump. */
static bool
follows_alive(struct fixture *f)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        f->tx.slot = 2; /* any but the dead one's */
        (void)read_a(f);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status);
}

Test(recover, third_death_on_a_journal_switches_its_shard_off, .timeout = 30)
{
    struct fixture f;
    fixture_open(&f, 8);
    uint16_t shard = shard_of_a(&f), other = (uint16_t)((shard + 1) % f.region.nshards);
    die_in_transaction(&f, spoil_journal);
    for (unsigned i = 0; i < SHM_FOLLOWS_MAX; i++) {
        cr_assert(!follows_alive(&f), "follower %u", i);
        cr_assert_eq(shard_state(&f, shard), SHM_SHARD_ON);
    }
    cr_assert(follows_alive(&f));
    cr_assert_eq(shard_state(&f, shard), SHM_SHARD_OFF);
    cr_assert(!read_a(&f) && !write_a(&f));
    cr_assert_eq(f.tx.refused, shard);
    shm_tx_enter_read(&f.tx, &other, 1);
    cr_assert_eq(f.tx.want, SHM_WANT_NOTHING, "the others serve");
    shm_tx_leave_read(&f.tx);
    /* the slot can be given on, and a restart does not bring the shard back */
    cr_assert(shm_recover_slot(&f.region, 1, atomic_load(&f.region.slots[1].generation)));
    shm_recover_all(&f.region);
    shm_region_reset_locks(&f.region);
    cr_assert(!read_a(&f));
    fixture_close(&f);
}

/* ---- a shard whose heads make no sense ---- */

static void
spoil_head(struct fixture *f, struct shm_tx *tx)
{
    (void)tx;
    f->region.shards[shard_of_a(f)].room[5] = 0x7FFFFFFF;
}

Test(recover, spoiled_heads_switch_the_shard_off)
{
    struct fixture f;
    fixture_open(&f, 8);
    die_in_transaction(&f, spoil_head);
    cr_assert(!write_a(&f));
    cr_assert_eq(shard_state(&f, shard_of_a(&f)), SHM_SHARD_OFF);
    fixture_close(&f);
}

/* ---- a shard in which processes die of faults ---- */

static void
leave_last_words(struct fixture *f, struct shm_tx *tx)
{
    strcpy(f->region.slots[tx->slot].panic, "fatal signal 11");
}

Test(recover, faults_make_a_shard_read_only_then_off, .timeout = 30)
{
    struct fixture f;
    fixture_open(&f, 8);
    uint16_t shard = shard_of_a(&f);
    for (unsigned i = 0; i < 40; i++) { /* killed from outside: says nothing about the data */
        die_in_transaction(&f, NULL);
        cr_assert(write_a(&f));
    }
    for (unsigned i = 1; i < SHM_FAULTS_READONLY; i++) {
        die_in_transaction(&f, leave_last_words);
        cr_assert(write_a(&f), "after %u faults", i);
    }
    die_in_transaction(&f, leave_last_words);
    cr_assert(!write_a(&f) && read_a(&f));
    cr_assert_eq(shard_state(&f, shard), SHM_SHARD_READONLY);
    shm_recover_all(&f.region); /* as a restart does */
    shm_region_reset_locks(&f.region);
    cr_assert(write_a(&f));
    for (unsigned i = 0; i < SHM_FAULTS_READONLY; i++) {
        die_in_transaction(&f, leave_last_words);
        (void)read_a(&f);
    }
    for (unsigned i = 0; i < SHM_FAULTS_OFF - SHM_FAULTS_READONLY; i++) { /* who only reads dies as well */
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            if (!shm_proc_take(&f.region, 1, SHM_PROC_TOOL))
                _exit(3);
            f.tx.slot = 1;
            shm_tx_enter_read(&f.tx, &shard, 1);
            strcpy(f.region.slots[1].panic, "fatal signal 11");
            kill(getpid(), SIGKILL);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status));
        (void)read_a(&f);
    }
    cr_assert_eq(shard_state(&f, shard), SHM_SHARD_OFF);
    fixture_close(&f);
}

/* ---- locks that the kernel does not mark ---- */

static void
lose_robust_list(struct fixture *f, struct shm_tx *tx)
{
    static struct robust_list_head none = {.list = {&none.list}};
    (void)f;
    (void)tx;
    syscall(SYS_set_robust_list, &none, sizeof none);
}

Test(recover, sweep_marks_what_the_kernel_missed)
{
    struct fixture f;
    fixture_open(&f, 8);
    uint32_t tid = 0;
    die_in_transaction(&f, lose_robust_list);
    tid = (uint32_t)shm_lock_mutex(&f.region, shard_of_a(&f))->__data.__lock & FUTEX_TID_MASK;
    cr_assert(tid != 0 && !shm_proc_is_dead(&f.region, 1), "the words look as if the owner lived");
    cr_assert_eq(shm_lock_sweep_dead(&f.region, tid), 2, "the shard's lock and the life lock");
    cr_assert(shm_proc_is_dead(&f.region, 1));
    cr_assert(write_a(&f));
    cr_assert(shm_proc_take(&f.region, 1, SHM_PROC_TOOL));
    fixture_check(&f);
    fixture_close(&f);
}

/* ---- the fence ---- */

Test(recover, nothing_commits_under_a_mode_that_has_passed)
{
    struct fixture f;
    uint16_t shard;
    fixture_open(&f, 8);
    shard = shard_of_a(&f);
    cr_assert(write_a(&f));
    uint64_t before = fixture_digest(&f.region);
    cr_assert(shm_tx_begin(&f.tx));
    shm_tx_enter(&f.tx, &shard, 1);
    cr_assert(fixture_put(&f.tx, "a", "other", 5));
    atomic_fetch_add(&f.region.header->mode, 1ull << 32); /* a new fencing token */
    cr_assert(!shm_tx_commit(&f.tx));
    cr_assert_eq(f.tx.want, SHM_WANT_MODE);
    cr_assert_eq(fixture_digest(&f.region), before);
    cr_assert(write_a(&f));
    fixture_close(&f);
}
