/* kill_model.h - what one client of the kill test knows: its keys, what each request does to them, what the reply is.
 *
 * The model is exact: a request's reply is known byte for byte before it is sent. After a lost connection the server's
 * state must be the model's after some prefix of the requests in flight; a dump (a fixed series of reading requests)
 * tells which.
 */
#ifndef KVSTASH_TESTS_KILL_MODEL_H
#define KVSTASH_TESTS_KILL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define MODEL_STRINGS 8
#define MODEL_COUNTERS 2
#define MODEL_FIELDS 12
#define MODEL_SHARED 4 /* counters that all clients increase */

struct model {
    unsigned client;
    uint64_t seq;                     /* number of the next value */
    uint64_t string[MODEL_STRINGS];   /* which value; 0: absent */
    int64_t counter[MODEL_COUNTERS];
    bool counted[MODEL_COUNTERS];     /* the counter's key exists */
    uint64_t field[MODEL_FIELDS];     /* of a small hash */
    uint64_t big;                     /* fields of a hash that grows */
    uint64_t appended;                /* bytes of a string that grows */
    uint64_t pair;                    /* the value of two keys that are always set together */
};

enum model_kind {
    MODEL_SET, MODEL_SETEX, MODEL_DEL, MODEL_GETDEL, MODEL_GET, MODEL_INCR, MODEL_DECRBY, MODEL_HSET, MODEL_HDEL, MODEL_HGET,
    MODEL_BIG_GROW, MODEL_BIG_DROP, MODEL_APPEND, MODEL_APPEND_DROP, MODEL_MSET, MODEL_MGET, MODEL_EXPIRE, MODEL_SHARED_INCR,
    MODEL_GETEX, MODEL_KINDS,
};

struct model_op {
    enum model_kind kind;
    unsigned which;
};

/* The request of op in the model's present state. */
void model_request(const struct model *m, struct model_op op, struct buf *out);
/* Applies op; its reply's bytes are appended to reply, nothing for MODEL_SHARED_INCR (an integer). */
void model_apply(struct model *m, struct model_op op, struct buf *reply);
/* The dump's requests, and the replies that the model's state gives. */
void model_dump_request(const struct model *m, struct buf *out);
void model_dump_reply(const struct model *m, struct buf *reply);
/* Keys that exist in this state. */
unsigned model_keys(const struct model *m);

#endif
