/* session.h - what a command may see and change of the connection that sent it.
 *
 * Owned by the worker that serves the connection, private memory, one thread. What other processes may see of a client
 * (CLIENT LIST) is copied into the shared client table by command/clients.c.
 */
#ifndef KVSTASH_COMMAND_SESSION_H
#define KVSTASH_COMMAND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct client_sh;

enum session_flag {
    SESSION_AUTHENTICATED = 1 << 0,
    SESSION_CLOSE_AFTER_REPLY = 1 << 1, /* QUIT, protocol errors, CLIENT KILL of oneself */
    SESSION_CLOSE_NOW = 1 << 2,
    SESSION_MONITOR = 1 << 3,
    SESSION_NO_EVICT = 1 << 4,
    SESSION_NO_TOUCH = 1 << 5,
    SESSION_REPLY_OFF = 1 << 6,
    SESSION_REPLY_SKIP_NEXT = 1 << 7, /* CLIENT REPLY SKIP: the next command's reply is dropped */
    SESSION_REPLY_SKIP = 1 << 8,
    SESSION_READONLY = 1 << 9,
    SESSION_UNIX = 1 << 10,   /* came over the unix socket */
    SESSION_LOCAL = 1 << 11,  /* peer is loopback or the unix socket */
};

#define SESSION_NAME_MAX 1024

struct session {
    uint64_t id;            /* unique over all workers, ascending */
    unsigned db;
    int resp;               /* 2 or 3 */
    uint32_t flags;         /* enum session_flag */
    char *name;             /* CLIENT SETNAME; owned, NULL = none */
    char *user;             /* owned; NULL = "default" */
    uint64_t monitor_at;    /* MONITOR: place in the ring of shown commands */
    uint64_t durable;       /* ticket that must be on the disk before the replies made so far may leave; 0: none */
    bool wrote;             /* some of these are of writing commands */
    uint64_t awaits;        /* what the command that is run again waits for; 0: no command waits */
    int64_t awaits_reply;   /* what it then answers */
    int64_t created_ms, last_ms; /* wall clock */
    const char *last_command; /* full name of the row last asked for ("client|list"); NULL: none, or unknown */
    char peer[64], local[64]; /* "addr:port" or path:0 */
    int fd;
    void *client;           /* the worker's own structure */
    struct client_sh *record; /* what other processes see of it; see command/clients.h */
    /* buffers, as of the last regular look */
    uint64_t in_bytes, in_free, out_bytes, memory;
};

#endif
