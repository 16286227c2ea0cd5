/* cli_options.h - what kvstash-cli is asked to do. */
#ifndef KVSTASH_CLI_CLI_OPTIONS_H
#define KVSTASH_CLI_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/flag.h"
#include "cli/link.h"

struct cli_options {
    const char *host, *path, *user, *password;
    int64_t port, database, repeat;
    double interval_s;
    bool stdin_argument, raw, no_raw, json, resp2, resp3, exit_status, help, version;
};

extern const struct flag_table cli_flags;

/* Where the server is, as the options say; the texts are theirs. */
struct link_address cli_address(const struct cli_options *o);

#endif
