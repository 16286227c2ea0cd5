/* secret.h - which arguments of a request are secrets, that no log and no MONITOR may show. Process: any. Locks: none. */
#ifndef KVSTASH_COMMAND_SECRET_H
#define KVSTASH_COMMAND_SECRET_H

#include <stdbool.h>

#include "command/command_row.h"
#include "resp/resp_parse.h"

#define SECRET_SHOWN "(redacted)" /* in the place of one */

/* Is argument i a password, or the name that goes with one? */
bool secret_is(const struct command_row *row, int argc, const struct resp_arg *argv, int i);

#endif
