/* slowlog.c - the ring of slow commands (see slowlog.h).
 *
 * Positions only grow; a byte's place is its position modulo the ring. Whoever gets the lock from a dead holder walks the
 * entries once and counts them anew; a walk that does not end at the head empties the log rather than to show nonsense.
 * Readers take a copy of everything and format it without the lock. Fails: a copy that finds no private memory is NULL.
 */
#include "command/slowlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/control.h"
#include "command/engine.h"
#include "command/secret.h"
#include "command/session.h"
#include "shm/shm_lock.h"

/* ---- bytes of the ring -------------------------------------------------------------------------------------------- */

static void
ring_put(struct slowlog_sh *l, uint64_t at, const void *bytes, size_t n)
{
    size_t from = at % SLOWLOG_BYTES, first = n < SLOWLOG_BYTES - from ? n : SLOWLOG_BYTES - from;
    memcpy(l->ring + from, bytes, first);
    memcpy(l->ring, (const char *)bytes + first, n - first);
}

static void
ring_get(const struct slowlog_sh *l, uint64_t at, void *bytes, size_t n)
{
    size_t from = at % SLOWLOG_BYTES, first = n < SLOWLOG_BYTES - from ? n : SLOWLOG_BYTES - from;
    memcpy(bytes, l->ring + from, first);
    memcpy((char *)bytes + first, l->ring, n - first);
}

/* ---- the lock ------------------------------------------------------------------------------------------------------ */

/* The count may be off by one after a death between head or tail and it. */
static void
recount(struct slowlog_sh *l)
{
    uint64_t n = 0, at = l->tail;
    while (at < l->head) {
        struct slowlog_entry e;
        ring_get(l, at, &e, sizeof e);
        if (e.bytes < sizeof e || e.bytes > l->head - at)
            break;
        at += e.bytes;
        n++;
    }
    if (at != l->head || l->head - l->tail > SLOWLOG_BYTES)
        l->tail = l->head, n = 0;
    l->count = n;
}

static struct slowlog_sh *
enter(struct engine *e)
{
    struct slowlog_sh *l = &e->control->slowlog;
    if (shm_lock_take(e->region, e->slot, shm_registry_id(e->region, SHM_REG_SLOWLOG)) > 0)
        recount(l);
    return l;
}

static void
leave(struct engine *e)
{
    shm_lock_drop(e->region, shm_registry_id(e->region, SHM_REG_SLOWLOG));
}

/* ---- adding ---------------------------------------------------------------------------------------------------------- */

static void
drop_oldest(struct slowlog_sh *l)
{
    struct slowlog_entry oldest;
    ring_get(l, l->tail, &oldest, sizeof oldest);
    l->tail += oldest.bytes;
    l->count--;
}

/* One argument as it is kept: a length and bytes. Returns the end. */
static char *
put_arg(char *to, const char *data, size_t len)
{
    uint32_t kept = (uint32_t)(len < SLOWLOG_ARG_MAX ? len : SLOWLOG_ARG_MAX);
    char *bytes = to + sizeof kept;
    memcpy(bytes, data, kept);
    if (len > SLOWLOG_ARG_MAX)
        kept += (uint32_t)snprintf(bytes + kept, SLOWLOG_NOTE_MAX, "... (%zu more bytes)", len - SLOWLOG_ARG_MAX);
    memcpy(to, &kept, sizeof kept);
    return bytes + kept;
}

static char *
put_args(char *to, const struct command_row *row, int argc, const struct resp_arg *argv)
{
    char note[SLOWLOG_NOTE_MAX];
    for (int i = 0; i < argc && i < SLOWLOG_ARGS_MAX; i++) {
        if (i == SLOWLOG_ARGS_MAX - 1 && argc > SLOWLOG_ARGS_MAX) {
            int n = snprintf(note, sizeof note, "... (%d more arguments)", argc - SLOWLOG_ARGS_MAX + 1);
            to = put_arg(to, note, (size_t)n);
        } else if (secret_is(row, argc, argv, i)) {
            to = put_arg(to, SECRET_SHOWN, sizeof SECRET_SHOWN - 1);
        } else {
            to = put_arg(to, argv[i].data, argv[i].len);
        }
    }
    return to;
}

void
slowlog_add(struct engine *e, const struct session *s, const struct command_row *row, int argc, const struct resp_arg *argv, uint64_t ns)
{
    char room[sizeof(struct slowlog_entry) + sizeof s->peer + SESSION_NAME_MAX +
        SLOWLOG_ARGS_MAX * (sizeof(uint32_t) + SLOWLOG_ARG_MAX + SLOWLOG_NOTE_MAX)];
    struct slowlog_entry entry = {.argc = (uint32_t)(argc < SLOWLOG_ARGS_MAX ? argc : SLOWLOG_ARGS_MAX), .time_s = time(NULL),
        .duration_us = (int64_t)(ns / 1000), .peer_len = (uint32_t)strnlen(s->peer, sizeof s->peer),
        .name_len = s->name ? (uint32_t)strnlen(s->name, SESSION_NAME_MAX) : 0};
    uint64_t max = (uint64_t)config_number(e, PARAM_SLOWLOG_MAX_LEN);
    char *end = room + sizeof entry;
    end = mempcpy(end, s->peer, entry.peer_len);
    end = mempcpy(end, s->name ? s->name : "", entry.name_len);
    end = put_args(end, row, argc, argv);
    entry.bytes = (uint32_t)(end - room);
    struct slowlog_sh *l = enter(e);
    entry.id = l->next_id++;
    memcpy(room, &entry, sizeof entry);
    while (l->count > 0 && l->head + entry.bytes - l->tail > SLOWLOG_BYTES)
        drop_oldest(l);
    ring_put(l, l->head, room, entry.bytes);
    atomic_signal_fence(memory_order_seq_cst); /* the bytes, then the head: this process may die between them */
    l->head += entry.bytes;
    l->count++;
    while (l->count > max)
        drop_oldest(l);
    leave(e);
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */

uint64_t
slowlog_length(struct engine *e)
{
    uint64_t n = enter(e)->count;
    leave(e);
    return n;
}

void
slowlog_reset(struct engine *e)
{
    struct slowlog_sh *l = enter(e);
    l->tail = l->head;
    l->count = 0;
    leave(e);
}

char *
slowlog_copy(struct engine *e, size_t *n)
{
    char *copy = malloc(SLOWLOG_BYTES);
    if (!copy)
        return NULL;
    struct slowlog_sh *l = enter(e);
    ring_get(l, l->tail, copy, l->head - l->tail);
    *n = l->count;
    leave(e);
    return copy;
}
