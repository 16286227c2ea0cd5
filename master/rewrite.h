/* rewrite.h - CONFIG REWRITE: the file gets the values in force, and keeps its comments and order where it can.
 *
 * Only values that differ from what the file says are touched. The new text is read back and compared before it takes the old
 * one's place (written aside, synced, renamed); a text that cannot be edited is written anew, without comments.
 *
 * Process: master, for a worker that asked. Locks: none. Crash: the old file or the new one.
 */
#ifndef KVSTASH_MASTER_REWRITE_H
#define KVSTASH_MASTER_REWRITE_H

#include "command/control.h"
#include "master/settings.h"

/* 0, or why not, as an errno. */
int rewrite_file(const struct options *o, struct config_page_sh *page);

#endif
