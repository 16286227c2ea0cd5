/* load_rdb.h - keys out of an RDB image. See loader.h. */
#ifndef KVSTASH_PERSIST_LOAD_RDB_H
#define KVSTASH_PERSIST_LOAD_RDB_H

#include "persist/load_file.h"
#include "persist/loader.h"

/* An RDB at the front of the file; *end gets where it ends. in_aof: it is the base of a log, whose expired keys stay until the log
 * says DEL; else what has expired is left out. */
enum load_result load_rdb(struct loader *l, const struct load_file *f, bool in_aof, size_t *end);

#endif
