/* cmd_debug_data.h - DEBUG's subcommands about the data; their rows are in cmd_debug.c. Contract: command/cmd.h. */
#ifndef KVSTASH_COMMAND_CMD_DEBUG_DATA_H
#define KVSTASH_COMMAND_CMD_DEBUG_DATA_H

#include "command/command_row.h"

/* The region is not being filled from files when they are called. */
command_fn cmd_debug_data_check_region, cmd_debug_data_digest, cmd_debug_data_digest_value, cmd_debug_data_htstats,
    cmd_debug_data_htstats_key, cmd_debug_data_object, cmd_debug_data_populate;

#endif
