/* aof.h - the append-only file: the log on the disk, and what is held up by it.
 *
 * Groups of records (log_merge.h) go to the end of the last increment on a file thread; the rings' room is given back when a
 * group is written, and what is known to be on the disk (persist_sh.durable) rises with each sync. A rewriting is a snapshot as the
 * new base, and a new increment from its cut on.
 *
 * What goes wrong is told in persist_sh.aof_errno, with which writing commands are refused, and tried again until it works:
 *
 *     write fails   the file is cut behind its last whole group, and the rest written again
 *     sync fails    that file is never synced again: the next increment begins with what is held since the last good sync; if it is
 *                   not held any more, with a new base
 *
 * Process: persister, main thread; the disk is its file threads'. Locks: all shards' in turn when the log is switched. Crash: a
 * successor finds the place in the region (persist_sh.place) and goes on behind the last whole group.
 */
#ifndef KVSTASH_PERSIST_AOF_H
#define KVSTASH_PERSIST_AOF_H

#include <stdbool.h>

struct aof;
struct persister;

/* NULL: no memory or no thread. */
struct aof *aof_open(struct persister *p);
/* What is to be done now; before each wait. True: again in a millisecond. */
bool aof_turn(struct aof *a);
/* After a wait. */
void aof_awake(struct aof *a);
/* Is all in the file that was logged so far? */
bool aof_is_written(const struct aof *a);
/* Everybody else has ended: all that is in the rings goes to the disk. True: it is there. */
bool aof_finish(struct aof *a);
/* Waits for the file threads. */
void aof_close(struct aof *a);

#endif
