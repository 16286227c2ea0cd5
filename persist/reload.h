/* reload.h - DEBUG RELOAD and DEBUG LOADAOF: the data written to a file and read back, as one step for everybody.
 *
 *     gate closed -> (RELOAD: saved | LOADAOF: the log written to its end) -> keyspace wiped -> loaded -> gate open -> answered
 *
 * Commands of others wait at the gate; when the load itself takes longer than LOADING_QUIET_MS they are answered -LOADING. Without
 * the file that is to be read nothing is wiped, and the command answers with an error. If the file is damaged there is
 * nothing left to serve: the gate stays closed, and clients get -LOADING (CHANGELOG, known gaps).
 *
 * Process: persister, its only part of the load. Locks: see shm_gate.h. Crash: with the data whole the successor begins anew; in the load
 * it wipes and loads again, a few times.
 */
#ifndef KVSTASH_PERSIST_RELOAD_H
#define KVSTASH_PERSIST_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

struct persister;
struct reload;

/* NULL: no memory. */
struct reload *reload_open(struct persister *p);
void reload_close(struct reload *r);
/* What is to be done now; before each wait. True: again in a millisecond. */
bool reload_turn(struct reload *r);

#endif
