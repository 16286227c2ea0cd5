/* cmd_scan.h - the options that SCAN and its relatives share. */
#ifndef KVSTASH_COMMAND_CMD_SCAN_H
#define KVSTASH_COMMAND_CMD_SCAN_H

#include "command/cmd.h"

struct cmd_scan_options {
    int64_t count;                /* entries to look at, about; the caller's default where it is not told */
    const struct resp_arg *match; /* pattern of names; NULL: all */
    int type;                     /* argument that names a type; 0: all */
};

/* Reads COUNT, MATCH and (if has_type) TYPE from argument `first` on. False: the error reply was written. */
bool cmd_scan_options(struct cmd *c, int first, bool has_type, struct cmd_scan_options *o);

#endif
