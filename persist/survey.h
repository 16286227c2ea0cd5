/* survey.h - which files a data directory holds, and how new what is in them is: for the decision from where to start.
 *
 * Only heads and the end of the last increment are read, whatever the files' size. A file that cannot be read, or is damaged where
 * it was looked at, is told as such; whether that matters is the decision's (master/boot.h).
 *
 * Process: master, before it forks. Locks: the directory's flock. Fails: told for each file.
 */
#ifndef KVSTASH_PERSIST_SURVEY_H
#define KVSTASH_PERSIST_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "command/loading.h"

#define SURVEY_WHY_MAX 10240u

struct survey_file {
    bool there;
    bool ours;               /* it tells a lineage */
    uint8_t lineage[16];
    uint64_t ticket;         /* ours: the newest that it tells, 0: none */
    uint64_t bytes;          /* all files of a log together */
    char path[LOADING_PATH_MAX]; /* RDB file, manifest, or old append-only file; filled also if it is not there */
    char why[SURVEY_WHY_MAX];    /* not "": it cannot be used, in a sentence with file and remedy */
};

struct survey {
    struct survey_file rdb;
    struct survey_file log;     /* of many files: its manifest */
    struct survey_file log_old; /* an append-only file by itself, as before Redis 7 */
};

struct survey_names {
    const char *dir, *dbfilename, *appenddirname, *appendfilename;
};

void survey_take(struct survey *s, const struct survey_names *names);
/* What a named file is: RDB, manifest, append-only file, or the directory of a log (its manifest). NOTHING: f->why. */
enum loading_source survey_named(struct survey_file *f, const char *path, const char *appendfilename);

/* Makes an old append-only file the base of a log of many files, as Redis 7 does: directory, manifest, then the file moved. False:
 * why tells. Done again after a crash in the middle it goes on. */
bool survey_upgrade(struct survey *s, const struct survey_names *names, char why[SURVEY_WHY_MAX]);

#endif
