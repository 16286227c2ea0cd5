/* boot.h - from where a start takes its data: the region that is there, an append-only log, a snapshot, or nothing.
 *
 * The order is Redis's, with the live region before the files: region, unless files hold what it lacks; else the log, with appendonly yes;
 * else the snapshot. What is newer is told by lineage and tickets: all that belongs to one data directory has one lineage, tickets
 * count its changes, and region, logs and snapshots carry both. What cannot be told, or would lose something, is refused with a
 * message that names both and says what to do; --restore-from is the answer that overrides everything.
 *
 * boot_decide is a function of facts alone, so that every combination can be tested. Process: master.
 */
#ifndef KVSTASH_MASTER_BOOT_H
#define KVSTASH_MASTER_BOOT_H

#include "master/region_open.h"
#include "persist/survey.h"

#define BOOT_TEXT_MAX 20480u

enum boot_what {
    BOOT_ATTACH, /* serve the region that is there */
    BOOT_LOAD,   /* make a region and load `source` */
    BOOT_EMPTY,  /* make a region and begin with nothing */
    BOOT_REFUSE, /* text says why, and what to do */
};

struct boot_facts {
    struct region_found region;
    bool appendonly;
    const struct survey *files;
    /* --restore-from; NOTHING: not given (or named->why) */
    enum loading_source forced;
    const struct survey_file *named; /* NULL: not given */
};

struct boot_choice {
    enum boot_what what;
    enum loading_source source;
    bool upgrade;             /* first make the old append-only file the base of a log */
    bool remove_region;       /* --restore-from puts something else in its place */
    const char *path;         /* of what is loaded */
    uint64_t bytes;
    char text[BOOT_TEXT_MAX]; /* for the log: what was chosen and why; REFUSE: the message */
    char warning[BOOT_TEXT_MAX]; /* "": none */
};

void boot_decide(struct boot_choice *c, const struct boot_facts *f);

#endif
