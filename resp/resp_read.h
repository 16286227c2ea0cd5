/* resp_read.h - reads replies (RESP2 and RESP3) into a tree; the client's side of the protocol.
 *
 * Used where kv-stash itself is a client: kvstash-cli, and later replication and Sentinel. Speed is not
 * its aim; a peer that lies is. Every length, the depth and the total size are bounded, the reader does
 * not recurse, and a partial reply keeps its place, so that a large one is read once.
 * Process: any; one thread. Locks: none. Fails: memory is reported as RESP_READ_NOMEM.
 */
#ifndef KVSTASH_RESP_READ_H
#define KVSTASH_RESP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RESP_READ_DEPTH_MAX 32
#define RESP_READ_LINE_MAX 65536u             /* bytes of a length, simple string or error line */
#define RESP_READ_BULK_MAX ((int64_t)1 << 32) /* bytes of one string */
#define RESP_READ_VALUES_MAX (1u << 26)       /* values in one reply, all levels together */

enum resp_type {
    RESP_SIMPLE,
    RESP_ERROR, /* also RESP3's bulk error '!' */
    RESP_INT,
    RESP_BULK,
    RESP_NULL, /* $-1, *-1 and _ ; null_array tells the second */
    RESP_DOUBLE,
    RESP_BOOL,
    RESP_BIGNUM,
    RESP_VERBATIM, /* text without the "txt:" in front */
    RESP_ARRAY,
    RESP_MAP, /* children: key, value, key, value ... */
    RESP_SET,
    RESP_PUSH,
};

/* A value. Owned by whoever got it from resp_read, as a whole tree (resp_value_destroy). Attributes are
 * read and dropped. */
struct resp_value {
    enum resp_type type;
    bool null_array;
    bool boolean;
    int64_t integer;
    double number;              /* RESP_DOUBLE; its text as sent is in text */
    char *text;                 /* strings, errors, doubles, big numbers: len bytes and a NUL behind */
    size_t len;
    char ext[4];                /* RESP_VERBATIM: "txt", "mkd" */
    struct resp_value *child;   /* collections: count values in a row */
    size_t count;
};

enum resp_read_result {
    RESP_READ_VALUE, /* *value is a complete reply, its bytes are consumed */
    RESP_READ_MORE,  /* incomplete */
    RESP_READ_BAD,   /* the peer broke the protocol or a limit; reader->error says how; final */
    RESP_READ_NOMEM, /* final */
};

struct resp_reader; /* opaque */

/* NULL if memory is short. */
struct resp_reader *resp_reader_create(void);
void resp_reader_destroy(struct resp_reader *r);
/* The next reply out of b's pending bytes; consumes what it understood, also of a partial reply. */
enum resp_read_result resp_read(struct resp_reader *r, struct buf *b, struct resp_value **value);
/* After RESP_READ_BAD: what was wrong, a constant. */
const char *resp_reader_error(const struct resp_reader *r);
/* NULL is allowed. */
void resp_value_destroy(struct resp_value *value);

#endif
