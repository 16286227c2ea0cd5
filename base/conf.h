/* conf.h - the syntax of the configuration file (libconfig's), read into plain entries.
 *
 *     server: { port = 6380; bind = ["127.0.0.1", "-::1"]; };
 *
 * An entry is a name in a group with its value as one text; an array, list or inner group becomes words with blanks between
 * them (an inner group: name, value, name, value). What names mean is the caller's.
 *
 * Process: master, at the start and at SIGHUP. Locks: none. Fails: returned, with file and line.
 */
#ifndef KVSTASH_BASE_CONF_H
#define KVSTASH_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>

#define CONF_TEXT_MAX 4096        /* of one value */
#define CONF_FILE_MAX (1u << 20)  /* of a file */
#define CONF_ERROR_MAX 512

struct conf_entry {
    const char *group, *name; /* group: NULL outside of all */
    const char *text;
    unsigned count;           /* words that the value was written as */
    const char *file;
    unsigned line;
};

/* Called for each entry in the order of the file; false stops the reading (the callee has said why). */
typedef bool conf_entry_fn(void *arg, const struct conf_entry *e);

/* False: a mistake in the syntax, with the message in error; or fn returned false, with error empty. text ends at n; any
 * bytes are allowed. */
bool conf_read_text(const char *text, size_t n, const char *file, conf_entry_fn *fn, void *arg, char error[CONF_ERROR_MAX]);
/* The same for Redis's own syntax: a name and its values on a line. Groups are NULL. */
bool conf_redis_read_text(const char *text, size_t n, const char *file, conf_entry_fn *fn, void *arg, char error[CONF_ERROR_MAX]);

/* A whole file, NUL-terminated and owned by the caller; NULL with the message in error. */
char *conf_load(const char *path, size_t *n, char error[CONF_ERROR_MAX]);

#endif
