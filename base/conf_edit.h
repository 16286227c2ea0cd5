/* conf_edit.h - changes values in the text of a configuration file and leaves the rest of it, comments too, as it is.
 *
 * The text is known to be good (conf_read_text has read it). Where the edit loses its way, it says so and the caller writes
 * the file anew.
 *
 * Process: master. Locks: none.
 */
#ifndef KVSTASH_BASE_CONF_EDIT_H
#define KVSTASH_BASE_CONF_EDIT_H

#include "base/buf.h"

/* Puts `value` (in the file's syntax, without ;) in the place of the setting's value; adds the setting at the end of its group,
 * and the group at the end of the file, where they are missing. False: not understood, or no memory; text is as it was. */
bool conf_edit_set(struct buf *text, const char *group, const char *name, const char *value);
/* The same in redis.conf's syntax: the lines of the name (or its alias; NULL: none) are replaced by one, or one is added. */
bool conf_edit_set_redis(struct buf *text, const char *name, const char *alias, const char *value);
/* A text as a string of the file's syntax, with its quotes; of redis.conf's if redis. */
void conf_edit_quote(struct buf *out, const char *text, bool redis);

#endif
