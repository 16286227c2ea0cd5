/* lock_death.c - how long after the death of a lock's owner the waiter holds the lock, its change undone.
 *
 *     lock_death [ROUNDS [RECORDS]]      (default 200 rounds, 20 undo records)
 *
 * In each round one process is in a transaction on a shard, with so many undo records, and another waits for the lock.
 * The first is killed (SIGKILL); the time from kill() to the second one's holding the lock, with the first one's journal
 * finished, is taken. Prints one line:
 *
 *     rounds=200 records=20 p50_us=87.1 p90_us=140.9 max_us=300.2
 *
 * Needs no server and about a second. Status 0, or 1 with a message.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/shm_proc.h"
#include "shm/shm_recover.h"
#include "shm/shm_tx.h"

#define SHARD 1
#define OWNER 1  /* process slots */
#define WAITER 2
#define ROUNDS_MAX 100000
#define RECORDS_MAX 10000

struct page {
    _Atomic int64_t holds_ns;  /* when the waiter held the lock */
    _Atomic uint32_t inside;   /* the owner is in its transaction */
    _Atomic uint32_t ready;    /* the waiter is about to wait */
};

static struct shm_region region;
static struct page *page;

static _Noreturn void
fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static void
sleep_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void
enter(struct shm_tx *tx, unsigned slot)
{
    uint16_t shard = SHARD;
    if (!shm_proc_take(&region, slot, SHM_PROC_TOOL) || !shm_tx_open(tx, &region, slot) || !shm_tx_begin(tx))
        _exit(3);
    if (slot == WAITER)
        atomic_store(&page->ready, 1);
    shm_tx_enter(tx, &shard, 1);
}

static _Noreturn void
own(unsigned records)
{
    struct shm_tx tx;
    struct shm_shard_sh *s = &region.shards[SHARD];
    enter(&tx, OWNER);
    for (unsigned i = 0; i < records; i++)
        if (!shm_tx_set64(&tx, &s->unused[0], i))
            _exit(4);
    atomic_store(&page->inside, 1);
    for (;;)
        pause();
}

static _Noreturn void
wait_for_lock(unsigned unused)
{
    struct shm_tx tx;
    (void)unused;
    enter(&tx, WAITER);
    atomic_store(&page->holds_ns, clock_ns());
    bool undone = region.shards[SHARD].unused[0] == 0;
    shm_tx_abort(&tx);
    _exit(undone ? 0 : 5);
}

static pid_t
start(void (*main)(unsigned), unsigned arg)
{
    pid_t pid = fork();
    if (pid < 0)
        fail("cannot fork");
    if (pid == 0)
        main(arg);
    return pid;
}

static int64_t
one_round(unsigned records)
{
    int status;
    atomic_store(&page->inside, 0);
    atomic_store(&page->ready, 0);
    pid_t o = start(own, records);
    while (!atomic_load(&page->inside))
        sleep_us(50);
    pid_t w = start(wait_for_lock, 0);
    while (!atomic_load(&page->ready))
        sleep_us(50);
    sleep_us(1500); /* it sleeps in the kernel by now */
    int64_t killed = clock_ns();
    kill(o, SIGKILL);
    if (waitpid(w, &status, 0) != w || status != 0)
        fail("the waiter ended with %x", status);
    waitpid(o, NULL, 0);
    return atomic_load(&page->holds_ns) - killed;
}

static int
ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void
open_region(void)
{
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-lock-death-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 256u << 20, .shards = 4, .databases = 1, .slots = 3, .shared_bytes = 4096,
        .hugepages = SHM_HUGEPAGES_NEVER};
    if (!shm_region_create(&region, &o, &e))
        fail("%s", e.text);
    unlink(path);
    if (shm_region_commit(&region, 8) != 8)
        fail("no memory for the region");
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail("no memory");
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 200, records = argc > 2 ? (unsigned)atoi(argv[2]) : 20;
    if (argc > 3 || rounds < 1 || rounds > ROUNDS_MAX || records > RECORDS_MAX)
        fail("usage: lock_death [ROUNDS (1 to %d) [RECORDS (0 to %d)]]", ROUNDS_MAX, RECORDS_MAX);
    int64_t *took = calloc(rounds, sizeof *took);
    if (!took)
        fail("no memory");
    open_region();
    for (unsigned i = 0; i < rounds; i++)
        took[i] = one_round(records);
    qsort(took, rounds, sizeof *took, ascending);
    printf("rounds=%u records=%u p50_us=%.1f p90_us=%.1f max_us=%.1f\n", rounds, records, (double)took[rounds / 2] / 1000,
        (double)took[rounds * 9 / 10] / 1000, (double)took[rounds - 1] / 1000);
    shm_region_close(&region, false);
    return 0;
}
