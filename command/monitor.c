/* monitor.c - the ring of shown commands (see monitor.h). The form of a line is Redis's. */
#include "command/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/cmd.h"
#include "command/control.h"
#include "command/secret.h"
#include "shm/shm_lock.h"
#include "shm/shm_proc.h"

static struct monitor_sh *
enter(struct engine *e)
{
    shm_lock_take(e->region, e->slot, shm_registry_id(e->region, SHM_REG_MONITOR));
    return &e->control->monitor;
}

static void
leave(struct engine *e)
{
    shm_lock_drop(e->region, shm_registry_id(e->region, SHM_REG_MONITOR));
}

/* ---- who monitors ---------------------------------------------------------------------------------------------------- */

/* Needs the lock. */
static void
count_watching(struct engine *e)
{
    uint64_t n = 0;
    for (unsigned slot = 0; slot < e->control->workers; slot++)
        n += atomic_load(&e->control->slot[slot].monitors);
    atomic_store(&e->control->monitor.watching, (uint32_t)n);
}

static void
change(struct engine *e, int64_t by)
{
    _Atomic uint64_t *own = &e->control->slot[e->slot].monitors;
    atomic_store(own, atomic_load(own) + (uint64_t)by);
    count_watching(e);
}

void
monitor_start(struct engine *e, struct session *s)
{
    s->monitor_at = enter(e)->head;
    s->flags |= SESSION_MONITOR;
    change(e, 1);
    leave(e);
}

void
monitor_stop(struct engine *e, struct session *s)
{
    enter(e);
    s->flags &= ~(uint32_t)SESSION_MONITOR;
    change(e, -1);
    leave(e);
}

void
monitor_inherit(struct engine *e)
{
    enter(e);
    atomic_store(&e->control->slot[e->slot].monitors, 0);
    count_watching(e);
    leave(e);
}

/* ---- a line ----------------------------------------------------------------------------------------------------------- */

/* One byte in the manner of a quoted C string. Returns the end. */
static char *
put_byte(char *to, unsigned char ch)
{
    static const char named[] = "\n\r\t\a\b\\\"", names[] = "nrtab\\\"", hex[] = "0123456789abcdef";
    const char *special = ch ? strchr(named, ch) : NULL;
    if (special) {
        *to++ = '\\';
        *to++ = names[special - named];
    } else if (ch >= ' ' && ch <= '~') {
        *to++ = (char)ch;
    } else {
        *to++ = '\\';
        *to++ = 'x';
        *to++ = hex[ch >> 4];
        *to++ = hex[ch & 15];
    }
    return to;
}

static void
put_quoted(struct buf *line, const char *bytes, size_t n)
{
    size_t shown = n < MONITOR_ARG_MAX ? n : MONITOR_ARG_MAX;
    if (!buf_reserve(line, shown * 4 + 3))
        return;
    char *to = line->data + line->len;
    *to++ = ' ';
    *to++ = '"';
    for (size_t i = 0; i < shown; i++)
        to = put_byte(to, (unsigned char)bytes[i]);
    *to++ = '"';
    line->len = (size_t)(to - line->data);
    if (shown < n)
        buf_printf(line, "... (%zu more bytes)", n - shown);
}

static void
put_line(struct buf *line, const struct cmd *c)
{
    const struct session *s = c->session;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    buf_printf(line, "+%ld.%06ld [%u ", (long)t.tv_sec, t.tv_nsec / 1000, s->db);
    if (s->flags & SESSION_UNIX)
        buf_printf(line, "unix:%.*s]", (int)strcspn(s->peer, ":"), s->peer);
    else
        buf_printf(line, "%s]", s->peer);
    for (int i = 0; i < c->argc && line->len < MONITOR_LINE_MAX; i++) {
        if (secret_is(c->row, c->argc, c->argv, i))
            buf_append_str(line, " \"" SECRET_SHOWN "\"");
        else
            put_quoted(line, c->argv[i].data, c->argv[i].len);
    }
    buf_append_str(line, "\r\n");
}

/* ---- the ring ----------------------------------------------------------------------------------------------------------- */

static void
ring_put(struct monitor_sh *m, const char *bytes, size_t n)
{
    size_t from = m->head % MONITOR_BYTES, first = n < MONITOR_BYTES - from ? n : MONITOR_BYTES - from;
    memcpy(m->ring + from, bytes, first);
    memcpy(m->ring, bytes + first, n - first);
    atomic_signal_fence(memory_order_seq_cst); /* the bytes, then the head: this process may die between them */
    *(volatile uint64_t *)&m->head += n;
}

/* Wakes the workers that have monitors and sleep: store, fence, look on both sides (the other: worker/monitors.c). */
static void
wake_watchers(struct engine *e)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned slot = 0; slot < e->control->workers; slot++)
        if (slot != e->slot && atomic_load(&e->control->slot[slot].monitors) > 0 && atomic_load(&e->region->slots[slot].sleeping) &&
            e->hooks.wake)
            e->hooks.wake(e->hooks.arg, slot, SHM_PROC_WANTED_MAIL);
}

void
monitor_show(struct engine *e, const struct cmd *c)
{
    struct buf line;
    if (c->row->flags & (CMD_SKIP_MONITOR | CMD_ADMIN))
        return;
    buf_init(&line);
    put_line(&line, c);
    if (!buf_failed(&line)) {
        ring_put(enter(e), buf_head(&line), buf_pending(&line));
        leave(e);
        wake_watchers(e);
    }
    buf_destroy(&line);
}

bool
monitor_is_behind(const struct engine *e, const struct session *s)
{
    return *(volatile const uint64_t *)&e->control->monitor.head != s->monitor_at;
}

bool
monitor_take(struct engine *e, struct session *s, struct buf *out)
{
    struct monitor_sh *m = enter(e);
    uint64_t at = s->monitor_at, n = m->head - at;
    bool whole = n <= MONITOR_BYTES;
    if (whole) {
        size_t from = at % MONITOR_BYTES, first = n < MONITOR_BYTES - from ? n : MONITOR_BYTES - from;
        buf_append(out, m->ring + from, first);
        buf_append(out, m->ring, n - first);
    }
    s->monitor_at = m->head;
    leave(e);
    return whole;
}
