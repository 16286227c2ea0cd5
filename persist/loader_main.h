/* loader_main.h - the entry of a loader's process: a part of a load at the start of the server. */
#ifndef KVSTASH_PERSIST_LOADER_MAIN_H
#define KVSTASH_PERSIST_LOADER_MAIN_H

#include "process/heritage.h"

/* Takes the slot and works until the load is done or has failed; false at once if the slot has a living owner. */
bool loader_main(const struct heritage *h, unsigned slot);

#endif
