/* command_keys.h - which keys a command of a log is about, as a server says it (COMMAND): so that an import can leave some out.
 *
 * Has a connection of its own. Most commands have their keys in fixed places, which are asked for once; for others COMMAND GETKEYS is
 * asked each time. Process: kvstash-cli. Fails: a sentence in error.
 */
#ifndef KVSTASH_CLI_COMMAND_KEYS_H
#define KVSTASH_CLI_COMMAND_KEYS_H

#include "cli/filter.h"
#include "cli/link.h"

enum command_match {
    COMMAND_TAKEN,   /* all its keys match */
    COMMAND_LEFT,    /* none does */
    COMMAND_BETWEEN, /* some do; or it has no keys, and may touch all */
    COMMAND_LOST,    /* the server cannot be asked */
};

struct command_place; /* where a command's keys are */

struct command_keys {
    struct link link;
    bool ready;
    struct command_place *place; /* owned, sorted by name */
    size_t places;
    struct resp_value *reply; /* COMMAND's; the names lie in it */
    char error[LINK_ERROR_MAX];
};

/* Zeroed is fit for use: it connects when it is first asked. */
enum command_match command_keys_match(struct command_keys *k, const struct link_address *address, const struct filter *f,
                                      const struct item *item);
void command_keys_close(struct command_keys *k);

#endif
