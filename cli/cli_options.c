/* cli_options.c - the flags of kvstash-cli (see cli_options.h).
 *
 * One table, from which the command line is read, --help printed and the manual's list made (flag.h).
 */
#include "cli/cli_options.h"

#define FIELD(name) offsetof(struct cli_options, name)

static const struct flag rows[] = {
    { "host", 'h', FLAG_TEXT, FIELD(host), "host", "127.0.0.1", 0, 0, "Name or address of the server" },
    { "port", 'p', FLAG_NUMBER, FIELD(port), "port", "6380", 1, 65535, "Its TCP port" },
    { "socket", 's', FLAG_TEXT, FIELD(path), "path", NULL, 0, 0, "Unix socket of the server, instead of host and port" },
    { "pass", 'a', FLAG_TEXT, FIELD(password), "password", NULL, 0, 0,
      "Password; better given in the environment, where other users of the machine can't see it" },
    { "user", 0, FLAG_TEXT, FIELD(user), "name", NULL, 0, 0, "User that the password belongs to, instead of the default one" },
    { "database", 'n', FLAG_NUMBER, FIELD(database), "number", "0", 0, INT32_MAX, "Database to select" },
    { "stdin-argument", 'x', FLAG_ON, FIELD(stdin_argument), NULL, NULL, 0, 0,
      "Read the last argument of the command from standard input" },
    { "repeat", 'r', FLAG_NUMBER, FIELD(repeat), "number", "1", -1, INT64_MAX,
      "Run the command so many times; -1: without an end" },
    { "interval", 'i', FLAG_REAL, FIELD(interval_s), "seconds", "0", 0, 86400, "Wait so long between two runs of --repeat" },
    { "resp2", '2', FLAG_ON, FIELD(resp2), NULL, NULL, 0, 0, "Speak version 2 of the protocol, also with --json" },
    { "resp3", '3', FLAG_ON, FIELD(resp3), NULL, NULL, 0, 0, "Speak version 3 of the protocol" },
    { "raw", 0, FLAG_ON, FIELD(raw), NULL, NULL, 0, 0,
      "Show replies as they are, also on a terminal; the default where standard output is none" },
    { "no-raw", 0, FLAG_ON, FIELD(no_raw), NULL, NULL, 0, 0,
      "Show replies with their types, also where standard output is no terminal" },
    { "json", 0, FLAG_ON, FIELD(json), NULL, NULL, 0, 0,
      "Show each reply as JSON on a line of its own; speaks version 3 of the protocol unless told otherwise" },
    { "exit-status", 'e', FLAG_ON, FIELD(exit_status), NULL, NULL, 0, 0,
      "End with status 1 at the first error reply, which goes to standard error" },
    { "help", 0, FLAG_ON, FIELD(help), NULL, NULL, 0, 0, "Show the options and end" },
    { "version", 'v', FLAG_ON, FIELD(version), NULL, NULL, 0, 0, "Show the version and end" },
};

const struct flag_table cli_flags = {
    .program = "kvstash-cli",
    .operands = "[command [argument ...]]",
    .summary = "send commands to a server of the Redis protocol and show the replies",
    .row = rows,
    .rows = sizeof rows / sizeof rows[0],
};

struct link_address
cli_address(const struct cli_options *o)
{
    return (struct link_address){ .host = o->host,
                                  .port = o->port,
                                  .path = o->path,
                                  .user = o->user,
                                  .password = o->password,
                                  .auth_may_fail = true, /* as with redis-cli: the server then says what it refuses */
                                  .database = o->database,
                                  .resp = o->resp3 || (o->json && !o->resp2) ? 3 : 2 };
}
