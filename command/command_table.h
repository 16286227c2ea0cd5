/* command_table.h - the command table: all rows, and finding one by name.
 *
 * The rows are constant and stand in groups (command/rows_*.c). An index over those whose function exists is made on
 * first use in each process. No locks: one thread.
 */
#ifndef KVSTASH_COMMAND_COMMAND_TABLE_H
#define KVSTASH_COMMAND_COMMAND_TABLE_H

#include <stddef.h>

#include "command/command_row.h"

extern const struct command_row command_rows_bitmap[], command_rows_connection[], command_rows_generic[], command_rows_hash[],
    command_rows_server[], command_rows_string[];

/* Lists of rows, one for each group, each ended by a row without a name. NULL ends the list. */
extern const struct command_row *const command_groups[];

/* Finds a command, ignoring case; NULL if there is none. */
const struct command_row *command_find(const char *name, size_t len);
/* Finds a subcommand of a container by the name behind the bar, ignoring case; NULL if there is none. */
const struct command_row *command_find_sub(const struct command_row *container, const char *name, size_t len);
/* Finds either by its full name, as in COMMAND INFO: "client|list". */
const struct command_row *command_find_full(const char *name, size_t len);

/* Does the row have a function, or a subcommand that has one? */
bool command_exists(const struct command_row *row);

/* The commands that exist, by number, in the order of the groups. */
size_t command_count(void);
const struct command_row *command_at(size_t i);

/* The name of a subcommand behind the bar; of a command, its name. */
const char *command_short_name(const struct command_row *row);

/* All ACL categories of a row: enum command_acl, its own and those that follow from its flags. */
uint32_t command_acl(const struct command_row *row);

#endif
