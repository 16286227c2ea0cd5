/* memory.c - the limits of clients' memory (see memory.h).
 *
 * A look costs a sum over the slots' numbers; only beyond a limit are the clients' records copied and sorted, and the largest
 * marked until what is left fits. The marks are the records' kill words, which each client's own worker acts on. A single
 * client that grows beyond everything between two looks is judged by its own worker at once.
 */
#include "worker/memory.h"

#include <stdlib.h>

#include "command/clients.h"

#define CLIENTS_LIMIT_MIN (128u << 10) /* less, and nobody could set it back; as in Redis */

/* maxmemory-clients in bytes; 0: none. A percentage is kept as a negative number. */
static uint64_t
clients_limit(const struct worker *w)
{
    int64_t limit = config_number(&w->engine, PARAM_MAXMEMORY_CLIENTS);
    uint64_t memory = (uint64_t)config_number(&w->engine, PARAM_MAXMEMORY);
    uint64_t bytes = limit >= 0 ? (uint64_t)limit : memory / 100 * (uint64_t)-limit;
    return bytes > 0 && bytes < CLIENTS_LIMIT_MIN ? CLIENTS_LIMIT_MIN : bytes;
}

bool
memory_is_too_much(const struct worker *w, uint64_t bytes, uint32_t session_flags)
{
    uint64_t limit = clients_limit(w);
    return bytes > w->engine.control->private_limit || (limit && bytes > limit && !(session_flags & SESSION_NO_EVICT));
}

static int
by_memory(const void *a, const void *b)
{
    uint64_t x = ((const struct client_view *)a)->copy.memory, y = ((const struct client_view *)b)->copy.memory;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Marks the largest until the rest is within the limit. */
static void
close_largest(struct worker *w, uint64_t limit, bool spare)
{
    struct control_slot_sh *own = &w->engine.control->slot[w->engine.slot];
    size_t n = 0;
    uint64_t sum = 0;
    struct client_view *all = clients_all(&w->engine, &n);
    for (size_t i = 0; all && i < n; i++)
        sum += all[i].copy.memory;
    if (all)
        qsort(all, n, sizeof *all, by_memory);
    for (size_t i = 0; all && i < n && sum > limit; i++) {
        if (spare && (all[i].copy.flags & SESSION_NO_EVICT))
            continue;
        sum -= all[i].copy.memory;
        if (clients_kill(&w->engine, &all[i]))
            atomic_store(&own->evicted_clients, atomic_load(&own->evicted_clients) + 1);
    }
    free(all);
}

/* Is no worker before this one serving? */
static bool
is_first(const struct worker *w)
{
    for (unsigned s = 0; s < w->engine.slot; s++)
        if (atomic_load(&w->engine.region->slots[s].state) == SHM_PROC_UP)
            return false;
    return true;
}

void
memory_look(struct worker *w)
{
    const struct shm_region *r = w->engine.region;
    uint64_t limit = clients_limit(w), share = w->engine.control->private_limit, sum = 0;
    if (!is_first(w))
        return;
    for (unsigned s = 0; s < r->nslots; s++)
        sum += atomic_load_explicit(&r->header->private_bytes[s], memory_order_relaxed);
    if (limit && sum > limit)
        close_largest(w, limit, true);
    if (sum > share)
        close_largest(w, share, false);
}
