/* cmd_hash.h - what the hash commands share with others that make hashes (RESTORE). */
#ifndef KVSTASH_COMMAND_CMD_HASH_H
#define KVSTASH_COMMAND_CMD_HASH_H

#include "command/cmd.h"
#include "types/type_hash.h"

/* hash-max-listpack-entries and hash-max-listpack-value. */
struct type_hash_limits cmd_hash_limits(const struct cmd *c);

#endif
