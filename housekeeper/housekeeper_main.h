/* housekeeper_main.h - the entry of the housekeeper's process: commits memory ahead of the writers, frees what is on
 * the reclaim lists, sweeps expired keys, repairs the hints of the span pool. */
#ifndef KVSTASH_HOUSEKEEPER_HOUSEKEEPER_MAIN_H
#define KVSTASH_HOUSEKEEPER_HOUSEKEEPER_MAIN_H

#include "process/heritage.h"

/* Takes the slot and serves until the master's order; false at once if the slot has a living owner. */
bool housekeeper_main(const struct heritage *h, unsigned slot);

#endif
