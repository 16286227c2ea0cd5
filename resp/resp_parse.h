/* resp_parse.h - the incremental parser of client requests (multibulk and inline).
 *
 * The parser reads from a struct buf that the caller fills, and hands out requests whose arguments
 * point into that buffer; nothing is copied. Several requests (a batch) may be parsed before the first
 * is executed. Process: any; one thread. Locks: none. Fails: memory is reported as RESP_PARSE_NOMEM.
 *
 * A batch in the caller's hands:
 *
 *     while (n < 16 && resp_parse(&p, &in, &limits, &request[n]) == RESP_PARSE_REQUEST)
 *         n++;
 *     ... execute request[0 .. n) ...
 *     resp_parser_release(&p, &in);
 *
 * Between the first resp_parse and resp_parser_release the caller must not append to, reserve in or
 * consume from the buffer. A caller who parses ahead stops after a request that changes what follows
 * (AUTH, HELLO ...): limits are judged while parsing.
 *
 * Format and limits: the Redis serialization protocol as Redis 7.0.15 reads it.
 */
#ifndef KVSTASH_RESP_PARSE_H
#define KVSTASH_RESP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RESP_LINE_MAX 65536u               /* bytes of an inline request or of a length line */
#define RESP_ARGS_MAX 2147483647           /* arguments of a multibulk request */
#define RESP_BULK_DEFAULT_MAX (512u << 20) /* proto-max-bulk-len's default */
#define RESP_UNAUTHENTICATED_ARGS_MAX 10
#define RESP_UNAUTHENTICATED_BULK_MAX 16384

struct resp_arg {
    union {
        const char *data; /* in the buffer, not terminated */
        size_t offset;    /* inside the parser, until the request is complete */
    };
    size_t len;
};

struct resp_request {
    int argc; /* at least 1: empty requests are skipped */
    struct resp_arg *argv;
    size_t bytes; /* taken from the buffer, with the empty requests skipped in front */
};

struct resp_limits {
    int64_t bulk_max;     /* proto-max-bulk-len; INT64_MAX for a master's stream */
    bool unauthenticated; /* the client has to say AUTH first: small requests only */
};

enum resp_parse_result {
    RESP_PARSE_REQUEST, /* *request is filled, valid until resp_parser_release */
    RESP_PARSE_MORE,    /* incomplete: read more; at least parser->wanted bytes are still to come */
    RESP_PARSE_FULL,    /* the batch holds as many arguments as fit: release it and go on */
    RESP_PARSE_BAD,     /* protocol error: answer resp_parser_error and close; final */
    RESP_PARSE_NOMEM,   /* the argument list cannot grow; nothing is lost, may be tried again */
};

enum resp_parse_error {
    RESP_ERROR_NONE,
    RESP_ERROR_INLINE_TOO_BIG,
    RESP_ERROR_QUOTES,
    RESP_ERROR_COUNT_LINE_TOO_BIG,
    RESP_ERROR_COUNT,
    RESP_ERROR_COUNT_UNAUTHENTICATED,
    RESP_ERROR_BULK_LINE_TOO_BIG,
    RESP_ERROR_NO_DOLLAR,
    RESP_ERROR_BULK,
    RESP_ERROR_BULK_UNAUTHENTICATED,
};

/* One per connection. All offsets count from the buffer's first pending byte. wanted may be read by the
 * caller; the rest is the parser's own. */
struct resp_parser {
    struct resp_arg *args; /* owned: the batch's arguments, then those of the request in progress */
    uint32_t args_cap;
    uint32_t args_batch; /* arguments of complete requests that are not yet released */
    uint32_t args_open;  /* arguments of the request in progress */
    int32_t missing;     /* arguments of the request in progress still to come; 0: none in progress */
    int64_t bulk_len;    /* of the argument in progress; -1: its length line comes first */
    size_t done;         /* end of the last complete request */
    size_t pos;          /* next byte to look at */
    size_t scanned;      /* bytes from pos known to hold no end of line */
    size_t wanted;       /* after RESP_PARSE_MORE: bytes that the request needs at least, 1 or more */
    enum resp_parse_error error;
    char got;          /* what stood in the place of '$' */
    bool args_crowded; /* the batch met RESP_PARSE_FULL: grow at release */
};

/* Allocates nothing. */
void resp_parser_init(struct resp_parser *p);
void resp_parser_destroy(struct resp_parser *p);
/* The next request out of b's pending bytes. */
enum resp_parse_result resp_parse(struct resp_parser *p, struct buf *b,
                                  const struct resp_limits *limits, struct resp_request *request);
/* Consumes the batch from b; its requests are invalid afterwards. Cheap if there is none. */
void resp_parser_release(struct resp_parser *p, struct buf *b);
/* Gives back memory while nothing is in progress, for connections that fall idle. */
void resp_parser_trim(struct resp_parser *p);
/* After RESP_PARSE_BAD: "Protocol error: ..." in Redis's words, without "ERR" (at most 63 bytes). */
void resp_parser_error(const struct resp_parser *p, char text[64]);

/* Splits a line in the manner of inline requests and of redis-cli: blanks part; "..." knows \n \r \t \b
 * \a \xHH and \ before anything else; '...' knows \' only. Each call decodes the next argument in place
 * (it points into the line) and moves *at behind it. 1: an argument; 0: none left; -1: unbalanced quotes. */
int resp_split_next(char **at, char *end, struct resp_arg *arg);

#endif
