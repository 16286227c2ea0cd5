/* help.h - how a command is called, in words made from its row's arguments.
 *
 * Used by HELP of every container and by the manual.
 */
#ifndef KVSTASH_COMMAND_HELP_H
#define KVSTASH_COMMAND_HELP_H

#include "base/buf.h"
#include "command/command_row.h"

/* Appends the name in capitals ("CLIENT LIST") and the arguments: " <key>", " [NX|XX]", " <field> [<field> ...]". */
void help_syntax(struct buf *out, const struct command_row *row);
/* The same without the container's name. */
void help_sub_syntax(struct buf *out, const struct command_row *row);

#endif
