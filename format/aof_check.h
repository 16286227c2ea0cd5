/* aof_check.h - looks at a whole append-only file and sums up: what it holds, what is wrong, what can be saved.
 *
 * Reads every command (aof_in.h) of an image in memory; an RDB preamble is the caller's. Process: any. Locks: none.
 */
#ifndef KVSTASH_FORMAT_AOF_CHECK_H
#define KVSTASH_FORMAT_AOF_CHECK_H

#include "format/aof_in.h"

#define AOF_CHECK_COMMAND_MAX 120u

struct aof_check {
    enum aof_in_result result; /* END, TORN, BAD or NO_MEMORY */
    struct aof_error error;    /* with TORN and BAD */
    uint64_t commands, transactions, groups;
    uint64_t ungrouped;        /* commands in no group */
    bool annotated;
    struct aof_head head;
    uint64_t first_ticket, last_ticket; /* of the groups; 0: none */
    size_t whole;              /* up to here the file is right, and may be cut */
    char last[AOF_CHECK_COMMAND_MAX]; /* the last whole command's first words, for people; "" if there is none */
};

/* The first words of a command, for people: what is not printable becomes '.'. */
void aof_check_show(const struct resp_arg *argv, int argc, char text[AOF_CHECK_COMMAND_MAX]);

/* Called now and then with the offset reached. */
typedef void aof_check_progress(void *arg, size_t at);

/* Checks the image from the offset on. progress may be NULL. */
void aof_check_run(struct aof_check *c, const char *bytes, size_t n, size_t from, aof_check_progress *progress, void *arg);

#endif
