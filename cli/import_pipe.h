/* import_pipe.h - requests of an import on their way to the server, and what becomes of the replies.
 *
 * Each request that is sent leaves a mark of what it was for. Replies are read when so many are open as --pipeline says. A key that is
 * built by commands is built under another name, and gets its own only when all of them succeeded: RENAMENX, or RENAME with --replace;
 * so nobody sees half a value, and an existing key is left alone.
 *
 * Process: kvstash-cli. Fails: a lost connection, or an error that would befall all that follows (memory, rights, a follower), ends it
 * with a sentence; other errors are the item's own and are rejects.
 */
#ifndef KVSTASH_CLI_IMPORT_PIPE_H
#define KVSTASH_CLI_IMPORT_PIPE_H

#include <stdio.h>

#include "cli/import_state.h"
#include "cli/item.h"
#include "cli/link.h"
#include "cli/tool_options.h"
#include "format/rdb_value.h"

enum import_purpose {
    IMPORT_SELECT,
    IMPORT_RESTORE,
    IMPORT_FUNCTION,
    IMPORT_COMMAND,
    IMPORT_PART,      /* one of the commands that build a key; its reply counts only if it is an error */
    IMPORT_PART_LAST, /* behind the last one of them */
    IMPORT_RENAME,
    IMPORT_CLEAN,     /* its reply does not count */
};

struct import_open {
    enum import_purpose purpose;
    bool moves_place;  /* when it is answered, all up to place is */
    bool spoiled;      /* PART_LAST: the key's commands could not all be made */
    uint64_t place, db, build;
    size_t name;       /* bytes of its key, or of the command's first words, in names */
};

struct import_counts {
    uint64_t keys, functions, commands, existing, expired, doubtful, rejected;
};

struct import_pipe {
    struct link link;
    const struct tool_options *o;
    struct import_state *state;
    const char *rejects_path;
    FILE *rejects;            /* NULL until the first */
    struct import_counts counts;
    /* own */
    struct buf out, names;
    struct import_open *open; /* a ring of cap */
    size_t cap, first, count;
    uint64_t builds;          /* keys built by commands so far */
    uint64_t failed_build;    /* the last one of which a command was answered with an error */
    int64_t db;
    uint64_t place;           /* of what was put last */
    bool after_keys;          /* keys may still be under way to their names */
    struct rdb_value value;
    uint64_t doubt_from, doubt_to; /* places that an earlier run left in doubt */
    char error[LINK_ERROR_MAX + 256];
    bool stopped;
};

/* Connects. False with p->error. */
bool import_pipe_begin(struct import_pipe *p, const struct tool_options *o, struct import_state *state, const char *rejects_path);
/* False with p->error: the import is over. */
bool import_pipe_put(struct import_pipe *p, const struct item *item);
/* Something of the source that cannot be read. */
bool import_pipe_reject(struct import_pipe *p, const struct item *item, const char *why);
/* Waits for all replies. */
bool import_pipe_drain(struct import_pipe *p);
void import_pipe_end(struct import_pipe *p);

#endif
