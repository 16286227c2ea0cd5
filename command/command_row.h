/* command_row.h - one row of the command table: what a command is called, takes and does.
 *
 * Facts (arity, flags, key positions) are Redis 7.0.15's, as its COMMAND INFO tells them.
 */
#ifndef KVSTASH_COMMAND_COMMAND_ROW_H
#define KVSTASH_COMMAND_COMMAND_ROW_H

#include <stdbool.h>
#include <stdint.h>

struct cmd;
typedef void command_fn(struct cmd *c);

enum command_flag {
    CMD_WRITE = 1 << 0,
    CMD_READONLY = 1 << 1,
    CMD_DENYOOM = 1 << 2,
    CMD_ADMIN = 1 << 3,
    CMD_FAST = 1 << 4,
    CMD_NO_AUTH = 1 << 5,
    CMD_LOADING = 1 << 6,
    CMD_STALE = 1 << 7,
    CMD_NOSCRIPT = 1 << 8,
    CMD_COPY_OK = 1 << 16, /* own: may run on a private copy of its only key's entry, without locks */
};

struct command_row {
    const char *name; /* lower case */
    command_fn *run;
    int arity;        /* argument count with the name; negative: at least */
    uint32_t flags;
    int first, last, step; /* positions of keys; first 0: none; last negative: from the end */
    const char *group;
    const char *summary;
};

#endif
