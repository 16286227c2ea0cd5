/* shm_lock.c - taking robust locks (see shm_lock.h for the ranks).
 *
 * pthread's robust mutex tells the next taker that the holder died (EOWNERDEAD). That taker must finish what the dead
 * left before it calls the lock consistent; unlocking without doing so would lose the lock for ever, so this file is
 * the only one that calls pthread_mutex_lock and its kin on the region's locks.
 *
 * Process: all. Locks: takes what it is asked for. Crash: a death while repairing leaves the lock marked again, and the
 * next taker repairs from the same journal.
 */
#include "shm/shm_lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/clock.h"
#include "shm/shm_crash.h"
#include "shm/shm_recover.h"

#define WAIT_STEP_US 100000 /* how long one wait lasts before it is counted as progress */

pthread_mutex_t *
shm_lock_mutex(const struct shm_region *r, unsigned id)
{
    xassert(id < r->nshards + SHM_REGISTRIES);
    return id < r->nshards ? &r->shards[id].lock : &r->registries[id - r->nshards].lock;
}

_Atomic uint64_t *
shm_lock_seq(const struct shm_region *r, unsigned id)
{
    xassert_debug(id < r->nshards + SHM_REGISTRIES);
    return id < r->nshards ? &r->shards[id].seq : &r->registries[id - r->nshards].seq;
}

/* Waits for a mutex on the monotonic clock (a wall clock that is set back would stretch the wait). */
static int
wait_for(pthread_mutex_t *m, uint32_t us)
{
    struct timespec until = clock_after_us(us);
    return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until);
}

unsigned
shm_lock_take(struct shm_region *r, unsigned slot, unsigned id)
{
    return shm_lock_take_within(r, slot, id, SHM_LOCK_PATIENT);
}

/* The mutex did not come at once: rc tells why. Apart from the way of nearly all takings, which needs none of this. */
static APART unsigned
take_slowly(struct shm_region *r, unsigned slot, unsigned id, uint32_t patience_us, int rc)
{
    pthread_mutex_t *m = shm_lock_mutex(r, id);
    unsigned trouble = 0;
    if (rc == EBUSY && patience_us > 0 && patience_us != SHM_LOCK_PATIENT) {
        trouble++;
        rc = wait_for(m, patience_us);
    }
    if (patience_us != SHM_LOCK_PATIENT && (rc == EBUSY || rc == ETIMEDOUT))
        return SHM_LOCK_BUSY;
    while (rc == EBUSY || rc == ETIMEDOUT) {
        trouble++;
        rc = wait_for(m, WAIT_STEP_US);
        atomic_fetch_add_explicit(&r->slots[slot].progress, 1, memory_order_relaxed);
    }
    if (rc == EOWNERDEAD) {
        trouble++;
        shm_recover_lock(r, slot, id);
        _Atomic uint64_t *seq = shm_lock_seq(r, id);
        SHM_POINT();
        atomic_store_explicit(seq, (atomic_load(seq) | 1) + 1, memory_order_release);
        SHM_POINT();
        rc = pthread_mutex_consistent(m);
    }
    xassert(rc == 0);
    return trouble;
}

unsigned
shm_lock_take_within(struct shm_region *r, unsigned slot, unsigned id, uint32_t patience_us)
{
    int rc = pthread_mutex_trylock(shm_lock_mutex(r, id));
    return __builtin_expect(rc == 0, 1) ? 0 : take_slowly(r, slot, id, patience_us, rc);
}

void
shm_lock_drop(struct shm_region *r, unsigned id)
{
    int rc = pthread_mutex_unlock(shm_lock_mutex(r, id));
    xassert(rc == 0);
}

void
shm_lock_take_plain(pthread_mutex_t *m, _Atomic uint64_t *progress)
{
    int rc = pthread_mutex_trylock(m);
    while (rc == EBUSY || rc == ETIMEDOUT) {
        rc = wait_for(m, WAIT_STEP_US);
        if (progress)
            atomic_fetch_add_explicit(progress, 1, memory_order_relaxed);
    }
    if (rc == EOWNERDEAD)
        rc = pthread_mutex_consistent(m);
    xassert(rc == 0);
}

/* glibc keeps the owner's thread id in the mutex's first word, as the kernel's robust list wants it. */
static unsigned
sweep_one(pthread_mutex_t *m, uint32_t tid)
{
    _Atomic uint32_t *word = (_Atomic uint32_t *)(void *)&m->__data.__lock;
    uint32_t seen = atomic_load(word);
    do {
        if ((seen & FUTEX_TID_MASK) != tid)
            return 0;
    } while (!atomic_compare_exchange_weak(word, &seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED)); /* a sleeper marks it */
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
    return 1;
}

unsigned
shm_lock_sweep_dead(struct shm_region *r, uint32_t tid)
{
    unsigned n = 0;
    xassert(tid != 0);
    for (unsigned id = 0; id < r->nshards + SHM_REGISTRIES; id++)
        n += sweep_one(shm_lock_mutex(r, id), tid);
    for (unsigned i = 0; i < r->nslots; i++)
        n += sweep_one(&shm_region_journal(r, i)->recover, tid) + sweep_one(&r->slots[i].life, tid);
    return n;
}
