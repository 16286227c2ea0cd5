/* clients.h - every worker's clients as all workers see them: CLIENT LIST, CLIENT KILL, CLIENT INFO.
 *
 * A client has a record in a span that its worker's slot has claimed (class O: swept when the worker dies, so no dead
 * client lingers). The worker alone writes the record (class S, with a sequence: odd while it changes); others copy it
 * and look whether sequence and span stayed what they were. One word is written by others: the kill mark.
 *
 * Process: workers. Locks: none. Crash: records of a dead worker vanish with its spans.
 */
#ifndef KVSTASH_COMMAND_CLIENTS_H
#define KVSTASH_COMMAND_CLIENTS_H

#include "command/engine.h"
#include "command/session.h"

#define CLIENTS_NAME_MAX 120 /* of a name as others see it */

struct client_sh {
    _Atomic uint64_t seq;       /* odd while the record changes */
    _Atomic uint64_t id;        /* 0: free */
    _Atomic uint64_t kill;      /* C: id of the client that is to be closed; written by any process */
    int64_t created_ms, active_ms; /* wall clock */
    uint32_t db, flags, fd;     /* flags: enum session_flag */
    uint32_t resp;
    uint64_t in_bytes, in_free, out_bytes, memory; /* buffers, as of the last look of the worker's cron */
    char peer[64], local[64];
    char command[32];           /* last command's full name */
    char user[CLIENTS_NAME_MAX];
    char name[CLIENTS_NAME_MAX]; /* NUL-terminated, perhaps cut */
};

/* A span of records, one of the slot's own spans. */
#define CLIENTS_MAGIC 0x434C4945u
struct clients_span_sh {
    struct shm_own_span_sh own;
    uint64_t unused[6];
    struct client_sh client[];
};
#define CLIENTS_PER_SPAN ((SHM_SPAN_BYTES - sizeof(struct clients_span_sh)) / sizeof(struct client_sh))

/* Is there a record for one client more? It takes memory from the pool if need be. False: there is none now. */
bool clients_have_room(struct engine *e);
/* Gives a new session a record. False: no memory for it; the client cannot be served. */
bool clients_add(struct engine *e, struct session *s);
void clients_remove(struct engine *e, struct session *s);
/* Writes all that may have changed: after commands that change name, user, flags; by the cron. */
void clients_update(struct engine *e, struct session *s);
/* Has somebody marked this session's client to be closed? */
static inline bool
clients_killed(const struct session *s)
{
    return __builtin_expect(atomic_load_explicit(&s->record->kill, memory_order_relaxed) == s->id, 0);
}

/* A copy of a record and where it stands. */
struct client_view {
    struct client_sh copy;
    struct client_sh *record;
    unsigned worker;
};
/* Copies of all clients of all workers in order of ids; *n how many. Owned by the caller (free); NULL: no private memory. */
struct client_view *clients_all(struct engine *e, size_t *n);
/* Marks a client to be closed and wakes its worker. False if it has gone meanwhile. */
bool clients_kill(struct engine *e, const struct client_view *v);

/* A client as CLIENT LIST shows it, without the line's end. */
struct buf;
void clients_line(struct buf *out, const struct client_view *v, int64_t now_ms);

#endif
