/* cli_options.h - what kvstash-cli is asked to do. */
#ifndef KVSTASH_CLI_CLI_OPTIONS_H
#define KVSTASH_CLI_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/flag.h"

struct cli_options {
    const char *host, *path, *user, *password;
    int64_t port, database, repeat;
    double interval_s;
    bool stdin_argument, raw, no_raw, json, resp2, resp3, exit_status, help, version;
};

extern const struct flag_table cli_flags;

#endif
