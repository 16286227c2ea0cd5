/* shm_proc.c - process slots and life locks (see shm_proc.h).
 *
 * The kernel marks a robust lock of a dead thread (FUTEX_OWNER_DIED) and wakes a sleeper only if FUTEX_WAITERS is set
 * in the word: so a standby sets that bit in each life word by compare-and-swap before it sleeps on all of them at once.
 * The word is glibc's __data.__lock, whose layout the kernel's robust list fixes (owner's thread id and the two bits).
 */
#include "shm/shm_proc.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/shm_crash.h"
#include "shm/shm_lock.h"
#include "shm/shm_mail.h"
#include "shm/shm_recover.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef FUTEX_32
#define FUTEX_32 2
struct futex_waitv {
    uint64_t val;
    uint64_t uaddr;
    uint32_t flags;
    uint32_t reserved;
};
#endif

static _Atomic uint32_t *
life_word(const struct shm_region *r, unsigned slot)
{
    return (_Atomic uint32_t *)(void *)&r->slots[slot].life.__data.__lock;
}

static void
be_owner(struct shm_region *r, unsigned slot, enum shm_proc_kind kind)
{
    struct shm_slot_sh *s = &r->slots[slot];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    shm_lock_take_plain(&shm_region_journal(r, slot)->recover, &s->progress);
    bool successor = atomic_fetch_add(&s->generation, 1) > 0;
    pthread_mutex_unlock(&shm_region_journal(r, slot)->recover);
    if (successor)
        atomic_fetch_add(&s->restarts, 1);
    atomic_store(&s->kind, kind);
    atomic_store(&s->wanted, 0);
    atomic_store(&s->own_spans, 0); /* they were swept */
    atomic_store(&s->sleeping, 0);
    atomic_store(&s->epoch, SHM_EPOCH_QUIESCENT);
    atomic_store(&s->started_ms, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    atomic_store(&s->tid, (uint32_t)gettid());
    s->panic[0] = '\0';
    atomic_store(&s->state, SHM_PROC_STARTING);
    atomic_store(&s->pid, (uint32_t)getpid()); /* last: who sees this pid sees the rest */
}

bool
shm_proc_take(struct shm_region *r, unsigned slot, enum shm_proc_kind kind)
{
    struct shm_slot_sh *s = &r->slots[slot];
    xassert(slot < r->nslots);
    int rc = pthread_mutex_trylock(&s->life);
    if (rc == EBUSY)
        return false;
    if (rc == EOWNERDEAD)
        rc = pthread_mutex_consistent(&s->life);
    xassert(rc == 0);
    SHM_POINT();
    atomic_store(&s->state, SHM_PROC_DEAD); /* nobody serves, until the heir says so */
    /* the generation cannot move now: only the holder of the life lock raises it */
    bool same = shm_recover_slot(r, slot, atomic_load(&s->generation));
    xassert(same);
    shm_mail_close(r, slot); /* while the generation is still the dead one's: the heir's own mail cannot lie there */
    SHM_POINT();
    be_owner(r, slot, kind);
    return true;
}

void
shm_proc_up(struct shm_region *r, unsigned slot)
{
    atomic_store(&r->slots[slot].state, SHM_PROC_UP);
}

void
shm_proc_leave(struct shm_region *r, unsigned slot)
{
    shm_mail_close(r, slot);
    atomic_store(&r->slots[slot].epoch, SHM_EPOCH_QUIESCENT);
    atomic_store(&r->slots[slot].state, SHM_PROC_VACANT);
    pthread_mutex_unlock(&r->slots[slot].life);
}

bool
shm_proc_is_dead(const struct shm_region *r, unsigned slot)
{
    uint32_t state = atomic_load(&r->slots[slot].state), word = atomic_load(life_word(r, slot));
    return state != SHM_PROC_VACANT && ((word & FUTEX_OWNER_DIED) || (state == SHM_PROC_DEAD && word == 0));
}

/* Fills w with the slots to sleep on; returns how many, or -1 - slot if one is dead already. */
static int
watch(const struct shm_region *r, unsigned n, struct futex_waitv *w)
{
    int count = 0;
    for (unsigned slot = 0; slot < n; slot++) {
        _Atomic uint32_t *word = life_word(r, slot);
        uint32_t seen = atomic_load(word);
        if (shm_proc_is_dead(r, slot))
            return -1 - (int)slot;
        if ((seen & FUTEX_TID_MASK) == 0)
            continue; /* nobody's: vacant, or on its way to an owner */
        if (!(seen & FUTEX_WAITERS) && !atomic_compare_exchange_strong(word, &seen, seen | FUTEX_WAITERS))
            continue; /* changed under us: seen at the next round */
        w[count++] = (struct futex_waitv){.val = seen | FUTEX_WAITERS, .uaddr = (uintptr_t)word, .flags = FUTEX_32};
    }
    return count;
}

int
shm_proc_wait_death(struct shm_region *r, unsigned n, unsigned timeout_ms)
{
    struct futex_waitv w[SHM_SLOTS_MAX];
    int count = watch(r, n, w);
    if (count < 0)
        return -1 - count;
    struct timespec until = clock_after_us((int64_t)timeout_ms * 1000);
    if (count == 0 || (syscall(SYS_futex_waitv, w, count, 0, &until, CLOCK_MONOTONIC) < 0 && errno == ENOSYS))
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 5000000}, NULL); /* kernels before 5.16 */
    for (unsigned slot = 0; slot < n; slot++)
        if (shm_proc_is_dead(r, slot))
            return (int)slot;
    return -1;
}

bool
shm_proc_any_lives(const struct shm_region *r)
{
    for (unsigned slot = 0; slot < r->nslots; slot++) {
        uint32_t word = atomic_load(life_word(r, slot));
        if ((word & FUTEX_TID_MASK) && !(word & FUTEX_OWNER_DIED))
            return true;
    }
    return false;
}
