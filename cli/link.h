/* link.h - a connection to a server, and commands on it one at a time.
 *
 * Opens the connection that kvstash-cli talks over and that kvstash-benchmark asks its questions on (the load itself has
 * sockets of its own, made by link_socket). Process: the programs of cli/. Fails: every failure leaves a sentence in
 * link->error that says what, where and what to do.
 */
#ifndef KVSTASH_CLI_LINK_H
#define KVSTASH_CLI_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "resp/resp_parse.h"
#include "resp/resp_read.h"

#define LINK_ERROR_MAX 1024u

/* Where a server is and who asks. All text is borrowed. */
struct link_address {
    const char *host;     /* name or address */
    int64_t port;
    const char *path;     /* unix socket; not NULL: host and port count for nothing */
    const char *user;     /* NULL: the default user */
    const char *password; /* NULL: no AUTH */
    bool auth_may_fail;   /* a refused password is told on standard error, and the connection goes on without */
    int64_t database;
    int resp;             /* 2, or 3: say HELLO 3 */
};

struct link {
    struct link_address address;
    int fd; /* -1: not connected */
    struct buf in;
    struct resp_reader *reader;
    char error[LINK_ERROR_MAX];
};

/* A socket connected to the address, or -1 with a sentence in error (LINK_ERROR_MAX bytes). Blocking. */
int link_socket(const struct link_address *a, char *error);
/* True if the address is this machine's: a unix socket or loopback. */
bool link_is_local(const struct link_address *a);
/* "host:port" or the socket's path, into text. */
void link_name(const struct link_address *a, char *text, size_t size);

/* Connects; AUTH, HELLO and SELECT as the address says. False with l->error. Close in either case. */
bool link_open(struct link *l, const struct link_address *a);
void link_close(struct link *l);
/* Sends bytes from where they lie. */
bool link_send_bytes(struct link *l, const char *bytes, size_t n);
/* Sends what is in out and empties it. */
bool link_send(struct link *l, struct buf *out);
/* The next reply; the caller's to destroy. NULL with l->error: the connection is lost or talks nonsense. */
struct resp_value *link_read(struct link *l);
/* One command made of words, its reply. */
struct resp_value *link_command(struct link *l, int argc, const struct resp_arg *argv);

/* Appends a request. */
void link_request(struct buf *out, int argc, const struct resp_arg *argv);

#endif
