/* cli_talk.h - commands sent, replies shown.
 *
 * Commands are queued and flushed together, so that lines from a pipe are pipelined; each queued command remembers how its
 * reply is shown. Process: kvstash-cli. Fails: a lost connection is told on standard error and returned.
 */
#ifndef KVSTASH_CLI_CLI_TALK_H
#define KVSTASH_CLI_CLI_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "cli/cli_format.h"
#include "cli/link.h"

struct cli_asked; /* how a queued command's reply is shown */

struct cli_talk {
    struct link link;            /* its address follows SELECT, for the prompt and a later connection */
    bool connected;
    bool exit_status;            /* an error reply ends the conversation */
    bool show_pushes;            /* also those that no command waits for */
    cli_format *format;
    struct buf out;              /* requests not yet sent */
    struct buf text;             /* replies not yet shown */
    struct cli_asked *asked;     /* owned; one for each request in out */
    size_t asks, asks_cap;
};

/* Allocates nothing yet, connects to nothing yet. */
void cli_talk_init(struct cli_talk *t, const struct link_address *address, cli_format *format);
void cli_talk_destroy(struct cli_talk *t);
/* Connects if that is needed. False: told on standard error. */
bool cli_talk_connect(struct cli_talk *t);
/* Queues a command of at least one argument. False: memory is short, told. */
bool cli_talk_queue(struct cli_talk *t, int argc, const struct resp_arg *argv);
/* Sends what is queued and shows the replies. False: the connection is lost, or an error reply with exit_status; told. */
bool cli_talk_flush(struct cli_talk *t);
/* True if all queued commands' replies come before anything else is to be said: the last one has no end of its own. */
bool cli_talk_is_endless(const struct cli_talk *t);

#endif
