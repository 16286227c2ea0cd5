/* bench_reply.h - counts replies in a stream of bytes without building them.
 *
 * The generator must be leaner than what it measures: a reply is not parsed but stepped over. The expected reply's first bytes
 * and length (a hint) let most of them be passed with one comparison; everything else goes by its type byte. Errors and
 * nulls are counted, the first error's text is kept. Process: kvstash-benchmark; one thread. Fails: bytes that are no reply
 * are returned as such.
 */
#ifndef KVSTASH_CLI_BENCH_REPLY_H
#define KVSTASH_CLI_BENCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_REPLY_LINE_MAX 128u /* longer lines are told by their beginning */

/* What a reply is expected to look like: it begins with `bytes` of `lead`, and has `len` bytes in all. */
struct bench_reply_hint {
    char lead[24];
    size_t bytes;
    size_t len;
};

/* One per connection; all zero at the start. */
struct bench_reply_scan {
    uint64_t skip;                   /* bytes of a string still to pass */
    uint64_t open;                   /* values still to come of the aggregates begun */
    unsigned line_len;               /* bytes of an incomplete line kept in line */
    char line[BENCH_REPLY_LINE_MAX]; /* its beginning */
};

/* Sums over all connections. */
struct bench_reply_count {
    uint64_t replies, errors, nulls;
    char first_error[BENCH_REPLY_LINE_MAX]; /* "" if there was none */
};

/* Steps over n bytes and adds up what ended in them. False: not the protocol. */
bool bench_reply_scan(struct bench_reply_scan *scan, const struct bench_reply_hint *hint, const char *bytes, size_t n,
                      struct bench_reply_count *count);

#endif
