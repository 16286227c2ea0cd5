/* import_state.h - how far an import has come, in a file, so that a later one can go on.
 *
 * The file is text of a fixed form, written in place at every turn of the pipeline, without fsync: it survives the end of the
 * program, however that comes. What was sent and not yet answered then is in doubt, and is known by its places.
 * Process: kvstash-cli. Fails: a sentence.
 */
#ifndef KVSTASH_CLI_IMPORT_STATE_H
#define KVSTASH_CLI_IMPORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/file_map.h"

struct import_state {
    int fd;
    char *path;           /* owned */
    uint64_t fingerprint; /* of the source */
    uint64_t done;        /* place up to which everything is answered */
    uint64_t sent;        /* place up to which something may have been sent */
    uint64_t keys, rejected; /* so far, over all runs */
};

/* Opens the file. resume: reads it; it must be there and of this source. Else: begins anew. False with a sentence in error
 * (FILE_MAP_ERROR_MAX bytes); nothing is open then. */
bool import_state_open(struct import_state *s, const char *path, uint64_t fingerprint, bool resume, char *error);
/* Writes what stands in the struct. False with errno. */
bool import_state_write(const struct import_state *s);
/* Closes; finished: there is nothing to go on with, the file is taken away. */
void import_state_close(struct import_state *s, bool finished);

#endif
