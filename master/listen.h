/* listen.h - the listening sockets: one per address and worker slot, made once, open as long as the master lives.
 *
 * The first socket of an address is bound without SO_REUSEPORT, so that a second server on the port is refused instead
 * of sharing the clients; the option is set on it afterwards and on the others before. A worker's death loses no queued
 * connection, because the queue is the socket's and the socket is the master's.
 */
#ifndef KVSTASH_MASTER_LISTEN_H
#define KVSTASH_MASTER_LISTEN_H

#include "process/heritage.h"

/* Opens all sockets of the addresses in `bind` (blanks between them; one with a '-' in front may fail) for h->workers slots. False
 * with a message. */
bool listen_open(struct heritage *h, const char *bind, unsigned port, int backlog, struct shm_error *e);
/* The unix socket; a dead one in its place is replaced. */
bool listen_open_unix(struct heritage *h, const char *path, unsigned mode, int backlog, struct shm_error *e);

#endif
