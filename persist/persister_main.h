/* persister_main.h - the entry of the persister's process: everything between the region and files. */
#ifndef KVSTASH_PERSIST_PERSISTER_MAIN_H
#define KVSTASH_PERSIST_PERSISTER_MAIN_H

#include "process/heritage.h"

/* Takes the slot and works until the master's order; false at once if the slot has a living owner. */
bool persister_main(const struct heritage *h, unsigned slot);

#endif
