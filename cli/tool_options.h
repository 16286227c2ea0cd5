/* tool_options.h - what the tools of kvstash-cli are told to do: check, export, import.
 *
 * Each tool has a table of flags of its own, read from the words behind its name. The connection may be told before or behind
 * the name. Process: kvstash-cli.
 */
#ifndef KVSTASH_CLI_TOOL_OPTIONS_H
#define KVSTASH_CLI_TOOL_OPTIONS_H

#include "cli/cli_options.h"

/* All tools' options; each table fills its own. Texts are borrowed from argv. */
struct tool_options {
    struct cli_options at; /* where the server is */
    bool quiet;
    bool fix, yes, lose_rest;                                 /* check */
    const char *match, *no_match, *type, *no_type, *db, *no_db; /* export and import */
    const char *format, *from, *state, *rejects;
    int64_t scan_count, pipeline;
    bool replace, skip_existing, resume, commands;
};

extern const struct flag_table check_flags, export_flags, import_flags;

#endif
