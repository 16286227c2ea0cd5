/* serve.h - the master while it serves: signals, children, requests of sealed workers, the region's file.
 *
 * Process: master. Locks: none.
 */
#ifndef KVSTASH_MASTER_SERVE_H
#define KVSTASH_MASTER_SERVE_H

#include "master/children.h"
#include "master/ending.h"
#include "master/settings.h"
#include "master/start_load.h"

struct serve {
    struct heritage *heritage;
    struct children *children;
    const struct options *options;
    struct settings *asked;      /* as files and options said last */
    int signals;                 /* signalfd */
    int log_pipe;                /* where children's records come */
    uint64_t generation;         /* of the parameters that were acted on */
    unsigned forks;              /* of children that were acted on */
    int64_t looked_ns;           /* at the region's file */
    struct ending ending;
    int end_signal;              /* that asked for the end; 0: none did */
    bool ready, file_gone, reload_waits;
    struct start_load load;
    const char *failed;          /* why the start or a load failed; NULL: it did not. Lies in the region */
};

/* Blocks the signals that are looked at; false with errno. */
bool serve_open(struct serve *s, int log_pipe);
/* Until a signal or SHUTDOWN asks for the end, or a load or the start fails (s->failed); says why. */
const char *serve_run(struct serve *s);

#endif
