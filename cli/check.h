/* check.h - kvstash-cli check: looks at RDB files, append-only files and manifests, says what is wrong, where, and what can be
 * saved, and cuts or rewrites what can be made whole so.
 *
 * Results go to standard output, a line for each file and for each thing that is wrong; what could not be read goes to standard
 * error. Nothing is changed without --fix, and then only after a yes on the terminal or with --yes. What is cut off or rewritten
 * is kept in a file beside. Process: kvstash-cli; a server must not be writing to the file.
 */
#ifndef KVSTASH_CLI_CHECK_H
#define KVSTASH_CLI_CHECK_H

#include "cli/file_map.h"
#include "cli/tool_options.h"
#include "format/aof_check.h"

enum check_status { CHECK_WHOLE = 0, CHECK_WRONG = 1, CHECK_UNREADABLE = 3 };

struct check {
    const struct tool_options *o;
    enum check_status status; /* the worst so far */
    /* of the log's files in their order: what the next one has to follow */
    struct aof_head head;
    bool have_head;
    uint64_t last_ticket;
};

/* Checks the files; the program's exit status. */
int check_main(const struct tool_options *o, int count, char **paths);

/* ---- between check.c and check_manifest.c ---- */

void check_say(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Something is wrong: what and where. */
void check_wrong(struct check *c, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
void check_unreadable(struct check *c, const char *error);
/* May this be done? Asks on the terminal; yes with --yes. Without --fix: no, without asking. */
bool check_may(const struct check *c, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A file that holds commands, an RDB, or commands behind an RDB. last: it is the last of its log, its tail may be torn. */
void check_data(struct check *c, const char *path, bool last);
/* Is this a manifest, by its name or its text? */
bool check_is_manifest(const char *path, const struct file_map *m);
void check_manifest(struct check *c, const char *path, const struct file_map *m);

#endif
