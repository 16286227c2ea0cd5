/* start_load.h - the load of files at a start, from the master's side: described, watched, told, ended.
 *
 * The files are read by loader processes (persist/loader_main.h); the master gives them their slots and looks at their words. While they
 * work the region's state is LOADING, and workers answer so. When all have finished, the region becomes the directory's (kvstash.id)
 * and READY; the loaders end.
 *
 * Process: master. Locks: none. Crash: a region in state LOADING is made anew by the next start.
 */
#ifndef KVSTASH_MASTER_START_LOAD_H
#define KVSTASH_MASTER_START_LOAD_H

#include "command/loading.h"
#include "master/boot.h"
#include "master/children.h"

struct start_load {
    struct heritage *heritage;
    struct children *children;
    const char *dir;
    int64_t told_ns;
    bool runs;
};

/* How many loaders this load is worth. */
unsigned start_load_parts(const struct boot_choice *c);
/* Describes the load; before any child is forked, with the control page in order. */
void start_load_begin(struct start_load *s, const struct boot_choice *c);
/* Once a round of the master's loop. NULL, or why the server cannot start; or, later on, why it cannot go on, if a DEBUG RELOAD or
 * LOADAOF failed when the data before it were gone. */
const char *start_load_watch(struct start_load *s);

#endif
