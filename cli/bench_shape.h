/* bench_shape.h - what the requests of a test look like.
 *
 * A test sends one command (mixed: two) with keys out of the key space. A shape is such a command as bytes, ready but for the
 * numbers of its keys: holes of 12 digits. Process: kvstash-benchmark. Fails: memory is returned.
 */
#ifndef KVSTASH_CLI_BENCH_SHAPE_H
#define KVSTASH_CLI_BENCH_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/bench_options.h"
#include "cli/bench_reply.h"

#define BENCH_SHAPE_HOLES_MAX 10
#define BENCH_DIGITS 12

/* What number goes into a hole. Holes of a hash's key and field belong together: both come from one draw. */
enum bench_hole_kind {
    BENCH_HOLE_KEY,   /* a fresh draw from the key space */
    BENCH_HOLE_HASH,  /* a fresh draw, divided by the fields of a hash */
    BENCH_HOLE_FIELD, /* the rest of that division */
};

struct bench_hole {
    enum bench_hole_kind kind;
    size_t at; /* of its first digit in bytes */
};

struct bench_shape {
    struct buf bytes; /* owned */
    struct bench_hole hole[BENCH_SHAPE_HOLES_MAX];
    unsigned holes;
    struct bench_reply_hint hint;
};

/* The requests of a test. Random state lives here, so that equal seeds give equal requests. */
struct bench_requests {
    struct bench_shape shape[2]; /* the second: what mixed writes */
    unsigned shapes;
    uint64_t reads; /* of 100, with two shapes */
    uint64_t keys, fields;
    bool sequential, hot;
    uint64_t next; /* the next key, if sequential */
    uint64_t random[2];
    struct buf batch; /* owned: requests laid out by bench_requests_batch */
    size_t laid;      /* requests of the only shape that stand in batch */
};

/* True if there is a test of this name (len bytes). */
bool bench_test_exists(const char *name, size_t len);
/* True if the test, which exists, goes through the key space once and in order. */
bool bench_test_is_fill(const char *name, size_t len);
/* Prepares the named test, which exists. False: memory is short. Destroy in either case. */
bool bench_requests_create(struct bench_requests *r, const char *name, size_t len, const struct bench_options *o);
void bench_requests_destroy(struct bench_requests *r);
/* Bytes of the longest request. */
size_t bench_requests_longest(const struct bench_requests *r);
/* The next n requests: their bytes stand in r->batch from its beginning until the next call; how many bytes. 0: memory. */
size_t bench_requests_batch(struct bench_requests *r, unsigned n);

#endif
