/* process.h - the fixed first steps of every child, and its side of the channel to the master.
 *
 *     process_begin(h)            signals, death of the parent
 *     process_take(h, slot, kind) life lock, journal of the predecessor, last words
 *     ... make loop and engine ...
 *     process_up(h, slot)         announce
 *     loop until process_orders() says so
 *     process_end(h, slot)
 */
#ifndef KVSTASH_PROCESS_PROCESS_H
#define KVSTASH_PROCESS_PROCESS_H

#include "process/heritage.h"

/* Right after fork. Ends the process if the master has gone meanwhile. */
void process_begin(const struct heritage *h, const char *name);
/* False: the slot has a living owner. */
bool process_take(const struct heritage *h, unsigned slot, enum shm_proc_kind kind);
void process_up(const struct heritage *h, unsigned slot);

enum process_order { PROCESS_GO_ON, PROCESS_DRAIN, PROCESS_MASTER_GONE };
/* What the master has ordered since the last call; does not wait. */
enum process_order process_orders(const struct heritage *h);

/* An orderly end; does not return. */
_Noreturn void process_end(const struct heritage *h, unsigned slot);

/* Asks the owner of another slot to look at its wanted bits: store, fence (the atomic or), wake. Any process. */
void process_want(const struct heritage *h, unsigned slot, uint32_t bits);

#endif
