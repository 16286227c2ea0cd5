/* loading.c - what others see of a load (see loading.h).
 *
 * The idea: nothing but words, which every process computes with for itself. A command that meets the closed gate learns from them
 * whether to wait or to answer -LOADING; INFO makes a percentage of them: each loader goes through all files, so a load is as far as its
 * slowest. Of several loaders that fail, the first of the attempt takes error_taken and writes the text; the phase is stored after it, so
 * who sees that the load failed finds the text whole. Loading itself is persist's job (loader.h).
 *
 * Process: all. Locks: none. Crash: one that dies between taking error_taken and storing the phase has said nothing; its heir begins
 * a new attempt, whose errors are told.
 */
#include "command/loading.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "command/control.h"
#include "command/engine.h"
#include "shm/shm_gate.h"

#define SECOND_NS 1000000000LL

enum loading_answer
loading_answer(const struct engine *e)
{
    const struct loading_sh *l = &e->control->loading;
    if (__builtin_expect(shm_gate_is_open(e->region), 1) || e->tx.gate == SHM_TX_INSIDE)
        return LOADING_GO_ON;
    if (atomic_load(&e->region->header->state) == SHM_REGION_GATED)
        return LOADING_WAIT;
    bool young = clock_ns() - atomic_load(&l->started_ns) < LOADING_QUIET_MS * (SECOND_NS / 1000);
    return atomic_load(&l->quiet) && young ? LOADING_WAIT : LOADING_REFUSE;
}

/* Each loader goes through all files; the load is as far as the slowest. */
struct loading_progress
loading_progress(const struct loading_sh *l)
{
    struct loading_progress p = {.total = atomic_load(&l->total_bytes), .loaded = UINT64_MAX, .eta_s = 1};
    unsigned parts = atomic_load(&l->parts);
    for (unsigned i = 0; i < parts && i < LOADING_PARTS_MAX; i++) {
        uint64_t at = atomic_load_explicit(&l->part[i].at, memory_order_relaxed);
        p.loaded = at < p.loaded ? at : p.loaded;
    }
    if (p.loaded > p.total)
        p.loaded = parts ? p.total : 0;
    p.percent = p.total ? 100.0 * (double)p.loaded / (double)p.total : 0;
    p.passed_s = (double)(clock_ns() - atomic_load(&l->started_ns)) / (double)SECOND_NS;
    if (p.percent > 0)
        p.eta_s = (int64_t)(p.passed_s / p.percent * (100 - p.percent));
    return p;
}

void
loading_fail(struct loading_sh *l, const char *format, ...)
{
    va_list ap;
    uint32_t taken = atomic_load(&l->error_taken), own = (uint32_t)atomic_load(&l->attempt) + 1;
    if (taken == own || !atomic_compare_exchange_strong(&l->error_taken, &taken, own))
        return;
    va_start(ap, format);
    vsnprintf(l->error, sizeof l->error, format, ap);
    va_end(ap);
    atomic_store(&l->phase, atomic_load(&l->phase) == LOADING_CHECKS ? LOADING_REFUSED : LOADING_FAILED);
}
