/* tool_options.c - the flags of kvstash-cli's tools (see tool_options.h).
 *
 * One table each, from which the words are read, --help printed and the manual's list made (flag.h).
 */
#include "cli/tool_options.h"

#define FIELD(name) offsetof(struct tool_options, name)

/* Where the server is: without defaults, because the flags in front of the tool's name have said it already. */
#define CONNECTION_ROWS                                                                                                       \
    { "host", 'h', FLAG_TEXT, FIELD(at.host), "host", NULL, 0, 0, "Name or address of the server" },                          \
    { "port", 'p', FLAG_NUMBER, FIELD(at.port), "port", NULL, 1, 65535, "Its TCP port" },                                     \
    { "socket", 's', FLAG_TEXT, FIELD(at.path), "path", NULL, 0, 0, "Unix socket of the server, instead of host and port" },  \
    { "pass", 'a', FLAG_TEXT, FIELD(at.password), "password", NULL, 0, 0,                                                     \
      "Password; better given in the environment, where other users of the machine can't see it" },                          \
    { "user", 0, FLAG_TEXT, FIELD(at.user), "name", NULL, 0, 0, "User that the password belongs to, instead of the default one" }

#define FILTER_ROWS                                                                                                           \
    { "match", 'm', FLAG_TEXT, FIELD(match), "pattern", NULL, 0, 0, "Only keys that match the pattern, as KEYS takes it" },   \
    { "no-match", 'M', FLAG_TEXT, FIELD(no_match), "pattern", NULL, 0, 0, "Only keys that do not match the pattern" },        \
    { "type", 't', FLAG_TEXT, FIELD(type), "types", NULL, 0, 0,                                                               \
      "Only keys of these types: string, list, set, zset, hash, stream, module; with commas between" },                      \
    { "no-type", 'T', FLAG_TEXT, FIELD(no_type), "types", NULL, 0, 0, "Only keys of other types" },                           \
    { "db", 'n', FLAG_TEXT, FIELD(db), "numbers", NULL, 0, 0, "Only these databases, with commas between" },                  \
    { "no-db", 'N', FLAG_TEXT, FIELD(no_db), "numbers", NULL, 0, 0, "Only other databases" }

#define COMMON_ROWS                                                                                                           \
    { "quiet", 'q', FLAG_ON, FIELD(quiet), NULL, NULL, 0, 0, "Show no progress" },                                            \
    { "help", 0, FLAG_ON, FIELD(at.help), NULL, NULL, 0, 0, "Show the options and end" }

static const struct flag check_rows[] = {
    { "fix", 'f', FLAG_ON, FIELD(fix), NULL, NULL, 0, 0,
      "Cut a torn tail off, write a broken manifest anew where that can be done without guessing; asks first" },
    { "yes", 'y', FLAG_ON, FIELD(yes), NULL, NULL, 0, 0, "Do not ask" },
    { "lose-rest", 0, FLAG_ON, FIELD(lose_rest), NULL, NULL, 0, 0,
      "With --fix: cut at damage in the middle, too, and lose what follows it" },
    COMMON_ROWS,
};

static const struct flag export_rows[] = {
    { "format", 'f', FLAG_TEXT, FIELD(format), "format", "json", 0, 0, "What to write: rdb, aof, json or resp" },
    { "from", 0, FLAG_TEXT, FIELD(from), "file", NULL, 0, 0,
      "Read this file (RDB, append-only file, manifest, JSON lines, commands) instead of a server" },
    FILTER_ROWS,
    { "scan-count", 0, FLAG_NUMBER, FIELD(scan_count), "number", "500", 1, 1000000, "Keys asked for in one step" },
    CONNECTION_ROWS,
    COMMON_ROWS,
};

static const struct flag import_rows[] = {
    { "replace", 'r', FLAG_ON, FIELD(replace), NULL, NULL, 0, 0, "Replace keys that exist" },
    { "skip-existing", 'k', FLAG_ON, FIELD(skip_existing), NULL, NULL, 0, 0,
      "Leave keys that exist as they are, and don't count them as rejected" },
    { "commands", 'c', FLAG_ON, FIELD(commands), NULL, NULL, 0, 0,
      "Build values with commands instead of RESTORE, for servers that do not know a value's encoding" },
    FILTER_ROWS,
    { "pipeline", 'P', FLAG_NUMBER, FIELD(pipeline), "number", "256", 1, 100000, "Commands sent ahead of their replies, at most" },
    { "state", 0, FLAG_TEXT, FIELD(state), "file", NULL, 0, 0,
      "Where the place reached is kept, for --resume; without this flag FILE.import-state" },
    { "resume", 0, FLAG_ON, FIELD(resume), NULL, NULL, 0, 0, "Go on where an import of the same file ended" },
    { "rejects", 0, FLAG_TEXT, FIELD(rejects), "file", NULL, 0, 0,
      "Where keys and commands that the server refused are listed; without this flag FILE.import-rejects" },
    CONNECTION_ROWS,
    COMMON_ROWS,
};

const struct flag_table check_flags = {
    .program = "kvstash-cli check",
    .anywhere = true,
    .operands = "file ...",
    .summary = "say whether RDB files, append-only files and manifests are whole, and make them so where that is possible",
    .row = check_rows,
    .rows = sizeof check_rows / sizeof check_rows[0],
};

const struct flag_table export_flags = {
    .program = "kvstash-cli export",
    .anywhere = true,
    .operands = "file",
    .summary = "write keys of a server or of a file into a file",
    .row = export_rows,
    .rows = sizeof export_rows / sizeof export_rows[0],
};

const struct flag_table import_flags = {
    .program = "kvstash-cli import",
    .anywhere = true,
    .operands = "file",
    .summary = "bring what a file holds into a server",
    .row = import_rows,
    .rows = sizeof import_rows / sizeof import_rows[0],
};
