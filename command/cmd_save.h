/* cmd_save.h - for commands that save as a part of what they do. Process: workers. Locks: none may be held. */
#ifndef KVSTASH_COMMAND_CMD_SAVE_H
#define KVSTASH_COMMAND_CMD_SAVE_H

#include "command/cmd.h"

/* Has the persister save, and waits: false: return, the command comes again (with session->awaits set) and calls this again. */
bool cmd_save_wait(struct cmd *c, bool *failed);
/* Ends a save that runs and that nobody waits for: what it would write was flushed. */
void cmd_save_drop(struct cmd *c);

#endif
