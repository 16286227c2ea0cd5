/* load_aof.h - commands of append-only files, run again. See loader.h. */
#ifndef KVSTASH_PERSIST_LOAD_AOF_H
#define KVSTASH_PERSIST_LOAD_AOF_H

#include "persist/load_file.h"
#include "persist/loader.h"

/* One file, with the RDB preamble that it may begin with. last: a torn tail is what aof-load-truncated is about. */
enum load_result load_aof(struct loader *l, const struct load_file *f, bool last);

#endif
