/* command_table.h - the commands by name.
 *
 * The table is constant; an index over it is made on first use in each process. No locks: one thread.
 */
#ifndef KVSTASH_COMMAND_COMMAND_TABLE_H
#define KVSTASH_COMMAND_COMMAND_TABLE_H

#include <stddef.h>

#include "command/command_row.h"

extern const struct command_row command_rows[];
extern const size_t command_rows_count;

/* Finds a row, ignoring case; NULL if there is none. */
const struct command_row *command_find(const char *name, size_t len);

#endif
