/* kill_model.h - what one client of the kill test knows: its keys, what each request does to them, what the reply is.
 *
 * The model is exact: a request's reply is known byte for byte before it is sent. After a lost connection the server's
 * state must be the model's after some prefix of the requests in flight; a dump (a fixed series of reading requests)
 * tells which. The requests are a table: one row says how often, what is sent, and what it does.
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
#define MODEL_BITS 60
#define MODEL_PIECES 40

struct model {
    unsigned client;
    uint64_t seq;                     /* number of the next value */
    uint64_t string[MODEL_STRINGS];   /* which value; 0: absent */
    int64_t counter[MODEL_COUNTERS];
    bool counted[MODEL_COUNTERS];     /* the counter's key exists */
    uint64_t field[MODEL_FIELDS];     /* of a small hash */
    int64_t tally;                    /* a number in a field; its hash exists from the first change on */
    bool tallied;
    uint64_t halves;                  /* of a float that grows by halves; 0: absent */
    uint64_t big;                     /* fields of a hash that grows */
    uint64_t appended;                /* bytes of a string that grows */
    uint64_t pair;                    /* the value of two keys that are always set together */
    uint64_t trio;                    /* of three that are set only if all are absent */
    uint64_t bits;                    /* of a long, sparse bitmap */
    bool bitmap;                      /* it exists */
    char piece[MODEL_PIECES];         /* of a long string that is overwritten in parts; 0: zeros */
    unsigned pieces;                  /* its length in pieces */
};

struct model_op {
    unsigned row;
    unsigned which;
};

/* An op by chance: `random` is any number. */
struct model_op model_choose(uint64_t random);
/* The request of op in the model's present state. */
void model_request(const struct model *m, struct model_op op, struct buf *out);
/* Applies op; its reply's bytes are appended to reply, nothing for a shared counter's (an integer). */
void model_apply(struct model *m, struct model_op op, struct buf *reply);
/* Does op increase a shared counter? Which one is op.which % MODEL_SHARED. */
bool model_is_shared(struct model_op op);
const char *model_name(struct model_op op);
/* The dump's requests, and the replies that the model's state gives. */
void model_dump_request(const struct model *m, struct buf *out);
void model_dump_reply(const struct model *m, struct buf *reply);
/* Keys that exist in this state. */
unsigned model_keys(const struct model *m);

#endif
