/* value_commands.h - a key with its RDB value as the commands that make it.
 *
 * For servers of any version, and for files of commands: SET, RPUSH, SADD, ZADD, HSET, HPEXPIREAT, XADD, XSETID, XGROUP, XCLAIM,
 * FUNCTION LOAD, in the end PEXPIREAT. Elements go together, at most 64 or 64 KiB of them in a command; a large element is handed on
 * without a copy. What commands cannot say is lost: pending entries of a stream whose entry is deleted, and when a consumer was seen.
 *
 * Process: kvstash-cli. Fails: a sentence.
 */
#ifndef KVSTASH_CLI_VALUE_COMMANDS_H
#define KVSTASH_CLI_VALUE_COMMANDS_H

#include "cli/item.h"
#include "cli/value_json.h"

/* Takes one command; what it points to is good until it returns. False: stop. */
typedef bool value_command_fn(void *arg, int argc, const struct resp_arg *argv);

/* False with a sentence in error (VALUE_ERROR_MAX): the value is damaged or only a module knows it, memory is short, or fn said stop
 * (the sentence is then empty). Commands may have been given before. Not for commands. v: zeroed, used again and again. */
bool value_to_commands(struct rdb_value *v, const struct item *item, value_command_fn *fn, void *arg, char *error);

#endif
