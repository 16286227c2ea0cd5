/* reread.h - DEBUG RELOAD and DEBUG LOADAOF: the data written to a file and read back, as one step for everybody.
 *
 *     gate closed -> (RELOAD: saved | LOADAOF: log written to its end) -> files checked -> keyspace wiped -> loaded -> gate open -> answered
 *
 * Commands of others wait at the gate; when the load itself takes longer than LOADING_QUIET_MS they are answered -LOADING. The files
 * are read to their end before anything is wiped: if one is missing or damaged, nothing is changed, and the command answers with an
 * error (redis-server ends). What fails only when the data are gone, such as want of memory or a key that stands twice, leaves
 * nothing to serve: the log tells it, and the master ends the server with status 1.
 *
 * Process: persister, its only part of the load. Locks: see shm_gate.h. Crash: with the data whole the successor begins anew, and gives
 * up what kills it in the check; in the load it wipes and loads again, a few times, and then the server ends.
 */
#ifndef KVSTASH_PERSIST_REREAD_H
#define KVSTASH_PERSIST_REREAD_H

#include <stdbool.h>
#include <stdint.h>

struct persister;
struct reread;

/* NULL: no memory. */
struct reread *reread_open(struct persister *p);
void reread_close(struct reread *r);
/* What is to be done now; before each wait. True: again in a millisecond. */
bool reread_turn(struct reread *r);

#endif
