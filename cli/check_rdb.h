/* check_rdb.h - kvstash-cli check: RDB files, and RDBs that append-only files begin with. */
#ifndef KVSTASH_CLI_CHECK_RDB_H
#define KVSTASH_CLI_CHECK_RDB_H

#include "cli/check.h"

/* Checks the RDB at the front of the file and tells what it found. True: it is whole, and ends at *end. */
bool check_rdb(struct check *c, const char *path, const struct file_map *m, size_t *end);

#endif
