/* usage.c - memory and processor time (see usage.h).
 *
 * What lies in the region is summed when asked for, from counters that shards and slots keep anyway. What only a process knows of
 * itself (resident private pages, processor time) it publishes in its slot; processor time is added as a growth, so a slot's
 * total outlives its owners. The peak is what was seen at one of these moments.
 */
#include "command/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command/control.h"

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

void
usage_memory(const struct engine *e, struct usage_memory *m)
{
    const struct shm_region *r = e->region;
    *m = (struct usage_memory){.startup = shm_region_fixed(r)};
    for (unsigned i = 0; i < r->nshards; i++)
        m->blocks += *(volatile uint64_t *)&r->shards[i].used_bytes;
    for (unsigned i = 0; i < r->nslots; i++) {
        m->clients += atomic_load_explicit(&r->header->private_bytes[i], memory_order_relaxed);
        m->resident += atomic_load_explicit(&e->control->slot[i].private_resident, memory_order_relaxed);
    }
    m->used = shm_region_used(r);
    m->committed = m->startup + atomic_load(&r->header->committed_extents) * SHM_EXTENT_BYTES;
    m->resident += m->committed;
    m->peak = atomic_load_explicit(&e->control->memory_peak, memory_order_relaxed);
    if (m->peak < m->used)
        m->peak = m->used;
}

/* Private resident pages, from the kernel's count: all resident ones without those of files and shared memory. */
static uint64_t
private_resident(void)
{
    char text[128];
    unsigned long resident, shared;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%*u %lu %lu", &resident, &shared) != 2 || resident < shared)
        return 0;
    return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
note_peak(struct engine *e)
{
    struct usage_memory m;
    usage_memory(e, &m);
    uint64_t seen = atomic_load(&e->control->memory_peak);
    while (m.used > seen && !atomic_compare_exchange_weak(&e->control->memory_peak, &seen, m.used))
        ;
}

/* ---- processor time ----------------------------------------------------------------------------------------------------- */

static uint64_t
micros(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_usec;
}

/* Adds what came since the last time to a total. */
static void
add_since(_Atomic uint64_t *total, uint64_t *last, uint64_t now)
{
    atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + now - *last, memory_order_relaxed);
    *last = now;
}

void
usage_publish(struct engine *e)
{
    struct control_slot_sh *s = &e->control->slot[e->slot];
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    add_since(&s->user_us, &e->user_us, micros(u.ru_utime));
    add_since(&s->system_us, &e->system_us, micros(u.ru_stime));
    atomic_store_explicit(&s->private_resident, private_resident(), memory_order_relaxed);
    note_peak(e);
}

void
usage_publish_master(struct control_sh *c)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    atomic_store_explicit(&c->master_user_us, micros(u.ru_utime), memory_order_relaxed);
    atomic_store_explicit(&c->master_system_us, micros(u.ru_stime), memory_order_relaxed);
}

void
usage_cpu(const struct engine *e, struct usage_cpu *u)
{
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    *u = (struct usage_cpu){.user_us = atomic_load_explicit(&e->control->master_user_us, memory_order_relaxed),
        .system_us = atomic_load_explicit(&e->control->master_system_us, memory_order_relaxed)};
    for (unsigned i = 0; i < e->region->nslots; i++) {
        u->user_us += atomic_load_explicit(&e->control->slot[i].user_us, memory_order_relaxed);
        u->system_us += atomic_load_explicit(&e->control->slot[i].system_us, memory_order_relaxed);
    }
    /* this process's last moments are not published yet */
    u->user_us += micros(own.ru_utime) - e->user_us;
    u->system_us += micros(own.ru_stime) - e->system_us;
}
