/* worker_main.h - the entry of a worker's process: serves clients of its listeners until ordered to drain. */
#ifndef KVSTASH_WORKER_WORKER_MAIN_H
#define KVSTASH_WORKER_WORKER_MAIN_H

#include "process/heritage.h"

/* Takes the slot and serves; false at once if the slot has a living owner. */
bool worker_main(const struct heritage *h, unsigned slot);

#endif
