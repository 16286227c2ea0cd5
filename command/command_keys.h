/* command_keys.h - which arguments of a request are keys, and what the command does with each.
 *
 * For commands whose keys do not simply stand from row->first to row->last, and for whoever wants the flags.
 * Locks: none; looks at nothing but the row and the arguments.
 */
#ifndef KVSTASH_COMMAND_COMMAND_KEYS_H
#define KVSTASH_COMMAND_COMMAND_KEYS_H

#include "command/command_row.h"
#include "resp/resp_parse.h"

struct command_key {
    int arg;        /* index in argv */
    uint32_t flags; /* enum command_key_flag */
};

/* Finds the keys of a request whose arity is right. Returns how many there are, of which at most cap are written; 0 if
 * a specification finds nothing or something impossible: then the command itself will say what is wrong. */
int command_keys_find(const struct command_row *row, int argc, const struct resp_arg *argv, struct command_key *found, int cap);

/* For rows' key_flags: commands whose arguments decide what happens to their key. */
uint32_t command_keys_set_flags(int argc, const struct resp_arg *argv, int arg);
uint32_t command_keys_bitfield_flags(int argc, const struct resp_arg *argv, int arg);

#endif
