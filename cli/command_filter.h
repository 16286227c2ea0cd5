/* command_filter.h - does the filter (filter.h) take a command of a log? By its keys, as a server tells them (COMMAND).
 *
 * Has a connection of its own. Most commands have their keys in fixed places, which are asked for once; for others COMMAND GETKEYS is
 * asked each time. Process: kvstash-cli. Fails: a sentence in error.
 */
#ifndef KVSTASH_CLI_COMMAND_FILTER_H
#define KVSTASH_CLI_COMMAND_FILTER_H

#include "cli/filter.h"
#include "cli/link.h"

enum command_filter_result {
    COMMAND_FILTER_TAKEN,   /* all its keys match */
    COMMAND_FILTER_LEFT,    /* none does */
    COMMAND_FILTER_BETWEEN, /* some do; or it has no keys, and may touch all */
    COMMAND_FILTER_LOST,    /* the server cannot be asked */
};

struct command_place; /* where a command's keys are */

struct command_filter {
    struct link link;
    bool ready;
    struct command_place *place; /* owned, sorted by name */
    size_t places;
    struct resp_value *reply; /* COMMAND's; the names lie in it */
    char error[LINK_ERROR_MAX];
};

/* Zeroed is fit for use: it connects when it is first asked. */
enum command_filter_result command_filter_match(struct command_filter *cf, const struct link_address *address, const struct filter *f,
                                                const struct item *item);
void command_filter_close(struct command_filter *cf);

#endif
