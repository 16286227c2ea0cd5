/* cmd_string.h - what the string and bitmap commands share: storing values under a key.
 *
 * Locks: the key's shard, in a transaction. Changing calls return false with tx->want set.
 */
#ifndef KVSTASH_COMMAND_CMD_STRING_H
#define KVSTASH_COMMAND_CMD_STRING_H

#include "command/keyspace.h"
#include "types/type_string.h"

/* Builds an entry of the plan and puts it in the key's place (expiry in ms or -1, as the plan was told). */
bool cmd_string_put(struct cmd *c, struct key_ref *ref, const struct string_plan *plan, int64_t expiry_ms);
/* The same, in place of the present value where possible; the plan must not be based on the present value. */
bool cmd_string_store(struct cmd *c, struct key_ref *ref, const struct string_plan *plan, int64_t expiry_ms);
/* Overwrites and extends a present or absent string from `at` on, a gap becomes zeros; expiry stays. */
bool cmd_string_write(struct cmd *c, struct key_ref *ref, size_t at, const char *bytes, size_t n);
/* The present value's expiry in ms, -1 if it has none or the key is absent. */
int64_t cmd_string_expiry(const struct key_ref *ref);
/* The key's string; an absent key's is empty. The type is the caller's to check. */
void cmd_string_view(const struct cmd *c, const struct key_ref *ref, struct string_view *v);
/* Does a string of at + n bytes keep to proto-max-bulk-len? Else the error reply. */
bool cmd_string_length_ok(struct cmd *c, size_t at, size_t n);

#endif
