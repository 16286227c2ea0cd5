/* monitor.h - MONITOR's feed: every worker's commands in one order.
 *
 * A line for each command goes into one ring of bytes in the control page, under the lock MONITOR: that is the order. Each
 * monitoring client has its own place in the ring, from which its worker takes what is new. A line is written behind
 * the head and published by moving the head. A client that is further behind than the ring is long has lost lines, and
 * is closed, as one whose replies grow without end is.
 *
 * While nobody monitors, this costs one look at `watching` a command.
 *
 * Process: workers. Locks: registry MONITOR, taken here; the caller holds nothing. Crash: a dead worker's monitors are
 * forgotten by its heir (monitor_inherit).
 */
#ifndef KVSTASH_COMMAND_MONITOR_H
#define KVSTASH_COMMAND_MONITOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "resp/resp_parse.h"

#define MONITOR_BYTES (2u << 20)
#define MONITOR_ARG_MAX (64u << 10)   /* bytes of an argument that are shown */
#define MONITOR_LINE_MAX (512u << 10) /* a longer line is cut */

struct monitor_sh {
    _Alignas(64) _Atomic uint32_t watching; /* monitoring clients of all workers; written under the lock */
    _Alignas(64) uint64_t head;             /* under the lock, like the rest */
    char ring[MONITOR_BYTES];
};

struct cmd;
struct engine;
struct session;

/* Shows a command that has run. */
void monitor_show(struct engine *e, const struct cmd *c);
/* The session monitors from here on; ends it. */
void monitor_start(struct engine *e, struct session *s);
void monitor_stop(struct engine *e, struct session *s);
/* The new owner of a slot: its predecessor's monitors are gone. */
void monitor_inherit(struct engine *e);
/* Has the ring lines that the session has not taken? Without the lock. */
bool monitor_is_behind(const struct engine *e, const struct session *s);
/* Appends what is new to out. False: lines were lost. */
bool monitor_take(struct engine *e, struct session *s, struct buf *out);

#endif
