/* sink.h - where export writes its items: an RDB, a log of Redis 7 (RDB and increment with a manifest), JSON lines, commands.
 *
 * Nothing stands under the name that was asked for before all of it is written and synced. Process: kvstash-cli. Fails: a sentence in
 * sink->error.
 */
#ifndef KVSTASH_CLI_SINK_H
#define KVSTASH_CLI_SINK_H

#include "cli/item.h"

#define SINK_ERROR_MAX 1024u

enum sink_result {
    SINK_TAKEN,
    SINK_REFUSED, /* this item cannot be written in this format, or its value is damaged: error says why; others may follow */
    SINK_FAILED,
};

struct sink {
    enum sink_result (*put)(struct sink *s, const struct item *item);
    bool (*finish)(struct sink *s); /* all is written; false with error. Frees the sink in either case, but for the error */
    void (*abandon)(struct sink *s);
    char *error; /* SINK_ERROR_MAX bytes, the caller's */
};

/* Is there such a format: rdb, aof, json, resp? */
bool sink_has(const char *format);
/* The sink of a format that there is, or NULL with a sentence in error, which the sink goes on to use. path "-": standard
 * output, for json, resp and rdb. */
struct sink *sink_open(const char *format, const char *path, char *error);

/* ---- the kinds, for sink.c ---- */

struct sink *sink_json_open(const char *path, char *error);
struct sink *sink_resp_open(const char *path, char *error);
struct sink *sink_rdb_open(const char *path, bool aof_base, char *error);
struct sink *sink_aof_open(const char *path, char *error);

#endif
