/* latency.c - the table of delays (see latency.h).
 *
 * Events are few and rare, so a table under one lock, searched from its beginning, is enough; readers copy it and compute
 * without the lock. A row is claimed by writing its name; after LATENCY_EVENTS names further ones are not kept. Whoever takes
 * the lock from a dead holder finds nothing to repair: at worst one sample is missing.
 */
#include "command/latency.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "command/control.h"
#include "command/engine.h"
#include "shm/shm_lock.h"

static struct latency_sh *
enter(struct engine *e)
{
    shm_lock_take(e->region, e->slot, shm_registry_id(e->region, SHM_REG_LATENCY));
    return &e->control->latency;
}

static void
leave(struct engine *e)
{
    shm_lock_drop(e->region, shm_registry_id(e->region, SHM_REG_LATENCY));
}

/* The event's row, or a free one that becomes its; NULL: all are taken. */
static struct latency_event_sh *
row_of(struct latency_sh *l, const char *name)
{
    struct latency_event_sh *free_row = NULL;
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        struct latency_event_sh *event = &l->event[i];
        if (event->name[0] == '\0')
            free_row = free_row ? free_row : event;
        else if (strncmp(event->name, name, LATENCY_NAME_MAX) == 0)
            return event;
    }
    if (free_row)
        snprintf(free_row->name, LATENCY_NAME_MAX, "%s", name);
    return free_row;
}

static void
add_sample(struct latency_event_sh *event, uint32_t now, uint32_t ms)
{
    struct latency_sample *last = &event->sample[(event->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    if (ms > event->max_ms)
        event->max_ms = ms;
    if (last->time_s == now) {
        if (ms > last->ms)
            last->ms = ms;
        return;
    }
    event->sample[event->next] = (struct latency_sample){now, ms};
    event->next = (event->next + 1) % LATENCY_SAMPLES;
}

void
latency_add(struct engine *e, const char *name, uint64_t ns)
{
    int64_t threshold_ms = config_number(e, PARAM_LATENCY_MONITOR_THRESHOLD);
    uint64_t ms = ns / 1000000;
    if (threshold_ms == 0 || ms < (uint64_t)threshold_ms)
        return;
    struct latency_event_sh *event = row_of(enter(e), name);
    if (event)
        add_sample(event, (uint32_t)time(NULL), ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX);
    leave(e);
}

void
latency_copy(struct engine *e, struct latency_sh *copy)
{
    memcpy(copy, enter(e), sizeof *copy);
    leave(e);
}

unsigned
latency_reset(struct engine *e, const char *name)
{
    struct latency_sh *l = enter(e);
    unsigned n = 0;
    for (unsigned i = 0; i < LATENCY_EVENTS; i++) {
        struct latency_event_sh *event = &l->event[i];
        if (event->name[0] == '\0' || (name && strcasecmp(event->name, name) != 0))
            continue;
        memset(event, 0, sizeof *event);
        n++;
    }
    leave(e);
    return n;
}
