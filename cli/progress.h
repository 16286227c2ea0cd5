/* progress.h - how far a long piece of work is: a bar on a terminal, else a line every few seconds.
 *
 * Goes to standard error. Short work shows nothing. Process: the programs of cli/.
 */
#ifndef KVSTASH_CLI_PROGRESS_H
#define KVSTASH_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum progress_unit { PROGRESS_BYTES, PROGRESS_KEYS };

struct progress {
    const char *what; /* what is done to what; borrowed */
    enum progress_unit unit;
    uint64_t total;   /* 0: not known */
    uint64_t from;    /* where this run began, for the rate */
    bool terminal, quiet, shown;
    int64_t begun_us, next_us;
    unsigned calls;
};

/* quiet: show nothing at all. */
void progress_begin(struct progress *p, const char *what, enum progress_unit unit, uint64_t from, uint64_t total, bool quiet);
/* To be called often: looks at the clock once in a while only. extra: more to tell behind it, or NULL. */
void progress_at(struct progress *p, uint64_t done, const char *extra);
/* Takes the bar away, so that other text can follow. */
void progress_end(struct progress *p);

/* The line that is shown after so many microseconds; for tests, and for progress_at. */
void progress_line(struct buf *to, const struct progress *p, uint64_t done, int64_t after_us, const char *extra);
/* A number of bytes for people: 12.3 MiB. */
void progress_bytes(char text[24], double bytes);

#endif
