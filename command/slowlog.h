/* slowlog.h - the log of slow commands: one for all workers, in the control page.
 *
 * Entries lie one behind the other in a ring of bytes, the oldest at its tail; what does not fit, or is more than
 * slowlog-max-len, drops the oldest. An entry is written behind the head and then published by moving the head, so a
 * death in the middle leaves no half entry.
 *
 * Process: workers. Locks: registry SLOWLOG, taken here; the caller may hold nothing. Crash: see above.
 */
#ifndef KVSTASH_COMMAND_SLOWLOG_H
#define KVSTASH_COMMAND_SLOWLOG_H

#include <stddef.h>
#include <stdint.h>

#include "resp/resp_parse.h"

#define SLOWLOG_BYTES (512u << 10)
#define SLOWLOG_ARGS_MAX 32      /* arguments kept, as in Redis */
#define SLOWLOG_ARG_MAX 128u     /* bytes of each */
#define SLOWLOG_NOTE_MAX 40u     /* "... (n more bytes)" */

/* Under the lock. */
struct slowlog_sh {
    uint64_t head, tail; /* positions; modulo SLOWLOG_BYTES */
    uint64_t count;      /* entries between them */
    uint64_t next_id;
    char ring[SLOWLOG_BYTES];
};

struct engine;
struct session;
struct command_row;

/* Adds a command that took ns. Secrets among the arguments are hidden. */
void slowlog_add(struct engine *e, const struct session *s, const struct command_row *row, int argc, const struct resp_arg *argv,
    uint64_t ns);

/* How an entry stands in the ring, and in copies. Behind it: address, name, then each argument as a length and bytes. */
struct slowlog_entry {
    uint32_t bytes; /* of all */
    uint32_t argc;
    uint64_t id;
    int64_t time_s, duration_us;
    uint32_t peer_len, name_len;
};

uint64_t slowlog_length(struct engine *e);
void slowlog_reset(struct engine *e);
/* A copy of all entries, the oldest first, one behind the other; *n how many. Owned by the caller; NULL: no memory. */
char *slowlog_copy(struct engine *e, size_t *n);

#endif
