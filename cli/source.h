/* source.h - where export and import get their items from: a server, or a file of any kind that kvstash-cli reads.
 *
 * A file is told by its content: RDB, append-only file or commands (with an RDB in front, or without), manifest of an append-only
 * log, JSON lines. Process: kvstash-cli. Fails: a sentence in source->error says what, where and what to do.
 */
#ifndef KVSTASH_CLI_SOURCE_H
#define KVSTASH_CLI_SOURCE_H

#include "cli/filter.h"
#include "cli/item.h"
#include "cli/link.h"
#include "cli/progress.h"

#define SOURCE_ERROR_MAX 1024u

enum source_result {
    SOURCE_ITEM,
    SOURCE_SKIPPED, /* one item cannot be read, source->error says which and why; the next one may be asked for */
    SOURCE_END,
    SOURCE_FAILED,  /* nothing more can be read */
};

/* What all sources have; each kind has more behind it. */
struct source {
    enum source_result (*next)(struct source *s, struct item *item);
    void (*close)(struct source *s);
    enum progress_unit unit;
    uint64_t total;       /* of bytes or keys; 0: not known */
    uint64_t fingerprint; /* of a file: tells whether it is the one that an import began with */
    char warning[SOURCE_ERROR_MAX]; /* what is to be told at the end, "" if nothing */
    char error[SOURCE_ERROR_MAX];
};

/* NULL with a sentence in error (SOURCE_ERROR_MAX bytes). trust: an RDB whose checksum does not fit is read all the same, with a
 * warning. */
struct source *source_open(const char *path, bool trust, char *error);
/* All keys of a server that the filter takes; other filters may be applied again. */
struct source *source_open_server(const struct link_address *address, const struct filter *filter, int64_t scan_count, char *error);
/* Frees the source, too. NULL is allowed. */
void source_close(struct source *s);

/* ---- the kinds, for source.c ---- */

struct file_map;
/* JSON lines; takes the map over. */
struct source *source_json_open(const char *path, struct file_map *map, char *error);
/* RDB, commands, manifest. */
struct source *source_files_open(const char *path, bool trust, char *error);
/* A file's size and what stands at its beginning and end. */
uint64_t source_fingerprint(const struct file_map *map);

#endif
