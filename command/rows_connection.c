/* rows_connection.c - commands about the connection.
 *
 * Facts are those that Redis 7.0.15 tells with COMMAND INFO and COMMAND DOCS; the sentences are our own. A row
 * without .run waits for its function and does not exist for clients. How rows are written: command/command_row.h.
 */
#include <stddef.h>

#include "command/cmd_rows.h"
#include "command/command_table.h"

static const struct command_row client_rows[] = {
    {.name = "client|getname", .run = cmd_client_getname, .arity = 2, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "2.6.9", .complexity = "O(1)",
        .summary = "Answers the name of this connection."},
    {.name = "client|help", .run = cmd_help, .arity = 2, .flags = CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Lists the subcommands."},
    {.name = "client|id", .run = cmd_client_id, .arity = 2, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "5.0.0", .complexity = "O(1)",
        .summary = "Answers the number of this connection, unique over all workers."},
    {.name = "client|info", .run = cmd_client_info, .arity = 2, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Answers the line of this connection in CLIENT LIST.", TIPS("nondeterministic_output")},
    {.name = "client|kill", .run = cmd_client_kill, .arity = -3,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "2.4.0", .complexity = "O(N) for N connections",
        .summary = "Closes connections.",
        HISTORY({"2.8.12", "Filters by name and value"}, {"2.8.12", "ID"}, {"3.2.0", "TYPE master"},
            {"5.0.0", "TYPE replica, which was slave before"}, {"6.2.0", "LADDR"}),
        ARGS(
            ARG("filter", ONEOF, ARGS(
                ARG("ip:port", STRING, .deprecated_since = "2.8.12"),
                ARG("new-format", ONEOF, .flags = ARG_MULTIPLE, ARGS(
                    ARG("client-id", INTEGER, .flags = ARG_OPTIONAL, .token = "ID", .since = "2.8.12"),
                    ARG("normal_master_slave_pubsub", ONEOF, .flags = ARG_OPTIONAL, .token = "TYPE", .since = "2.8.12", ARGS(
                        TOKEN("normal", "NORMAL"), TOKEN("master", "MASTER", .since = "3.2.0"),
                        TOKEN("slave", "SLAVE"), TOKEN("replica", "REPLICA", .since = "5.0.0"),
                        TOKEN("pubsub", "PUBSUB"))),
                    ARG("username", STRING, .flags = ARG_OPTIONAL, .token = "USER"),
                    ARG("ip:port", STRING, .flags = ARG_OPTIONAL, .token = "ADDR"),
                    ARG("ip:port", STRING, .flags = ARG_OPTIONAL, .token = "LADDR", .since = "6.2.0"),
                    ARG("yes/no", STRING, .flags = ARG_OPTIONAL, .token = "SKIPME"))))))},
    {.name = "client|list", .run = cmd_client_list, .arity = -2,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "2.4.0", .complexity = "O(N) for N connections",
        .summary = "Lists the connections of all workers.", TIPS("nondeterministic_output"),
        HISTORY({"2.8.12", "Field id"}, {"5.0.0", "TYPE"}, {"6.0.0", "Field user"},
            {"6.2.0", "ID, and the fields argv-mem, tot-mem, laddr and redir"},
            {"7.0.0", "Fields resp, multi-mem, rbs and rbp"}, {"7.0.3", "Field ssub"}),
        ARGS(
            ARG("normal_master_replica_pubsub", ONEOF, .flags = ARG_OPTIONAL, .token = "TYPE", .since = "5.0.0", ARGS(
                TOKEN("normal", "NORMAL"), TOKEN("master", "MASTER"), TOKEN("replica", "REPLICA"),
                TOKEN("pubsub", "PUBSUB"))),
            ARG("id", BLOCK, .flags = ARG_OPTIONAL, .token = "ID", .since = "6.2.0", ARGS(
                ARG("client-id", INTEGER, .flags = ARG_MULTIPLE))))},
    {.name = "client|no-evict", .run = cmd_client_no_evict, .arity = 3,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "7.0.0", .complexity = "O(1)",
        .summary = "Spares this connection when the memory of clients is short.",
        ARGS(ARG("enabled", ONEOF, ARGS(TOKEN("on", "ON"), TOKEN("off", "OFF"))))},
    {.name = "client|pause", .run = cmd_client_pause, .arity = -3,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "2.9.50", .complexity = "O(1)",
        .summary = "Holds back the commands of all clients for some milliseconds, or only their writes.",
        HISTORY({"6.2.0", "WRITE and ALL"}),
        ARGS(
            ARG("timeout", INTEGER),
            ARG("mode", ONEOF, .flags = ARG_OPTIONAL, .since = "6.2.0", ARGS(
                TOKEN("write", "WRITE"), TOKEN("all", "ALL"))))},
    {.name = "client|reply", .run = cmd_client_reply, .arity = 3, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "3.2.0", .complexity = "O(1)",
        .summary = "Chooses whether this connection gets replies.",
        ARGS(ARG("on_off_skip", ONEOF, ARGS(TOKEN("on", "ON"), TOKEN("off", "OFF"), TOKEN("skip", "SKIP"))))},
    {.name = "client|setname", .run = cmd_client_setname, .arity = 3, .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "2.6.9", .complexity = "O(1)",
        .summary = "Gives this connection a name.",
        ARGS(ARG("connection-name", STRING))},
    {.name = "client|unblock", .run = cmd_client_unblock, .arity = -3,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "5.0.0", .complexity = "O(log N) for N connections",
        .summary = "Wakes a client that waits in a blocking command.",
        ARGS(
            ARG("client-id", INTEGER),
            ARG("timeout_error", ONEOF, .flags = ARG_OPTIONAL, ARGS(
                TOKEN("timeout", "TIMEOUT"), TOKEN("error", "ERROR"))))},
    {.name = "client|unpause", .run = cmd_client_unpause, .arity = 2,
        .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE,
        .acl = ACL_CONNECTION, .group = "connection", .since = "6.2.0", .complexity = "O(N) for N paused clients",
        .summary = "Ends CLIENT PAUSE at once."},
    {0},
};

const struct command_row command_rows_connection[] = {
    {.name = "auth", .run = cmd_auth, .arity = -2,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY,
        .acl = ACL_CONNECTION, .group = "connection", .since = "1.0.0",
        .complexity = "O(N) for N passwords of the user",
        .summary = "Logs the connection in.",
        HISTORY({"6.0.0", "A user's name beside the password"}),
        ARGS(ARG("username", STRING, .flags = ARG_OPTIONAL, .since = "6.0.0"), ARG("password", STRING))},
    {.name = "client", .arity = -2, .group = "connection", .since = "2.4.0", .complexity = "As the subcommand says",
        .summary = "Connections: their names, list, pausing and closing.", .subs = client_rows},
    {.name = "echo", .run = cmd_echo, .arity = 2, .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
        .acl = ACL_CONNECTION, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Answers its argument.",
        ARGS(ARG("message", STRING))},
    {.name = "hello", .run = cmd_hello, .arity = -1,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY,
        .acl = ACL_CONNECTION, .group = "connection", .since = "6.0.0", .complexity = "O(1)",
        .summary = "Chooses the protocol, logs in and names the connection in one step.",
        HISTORY({"6.2.0", "Without arguments it tells about the connection"}),
        ARGS(
            ARG("arguments", BLOCK, .flags = ARG_OPTIONAL, ARGS(
                ARG("protover", INTEGER),
                ARG("username_password", BLOCK, .flags = ARG_OPTIONAL, .token = "AUTH", ARGS(
                    ARG("username", STRING), ARG("password", STRING))),
                ARG("clientname", STRING, .flags = ARG_OPTIONAL, .token = "SETNAME"))))},
    {.name = "ping", .run = cmd_ping, .arity = -1, .flags = CMD_FAST,
        .acl = ACL_CONNECTION, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Answers PONG, or its argument.",
        TIPS("request_policy:all_shards", "response_policy:all_succeeded"),
        ARGS(ARG("message", STRING, .flags = ARG_OPTIONAL))},
    {.name = "quit", .run = cmd_quit, .arity = -1,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY,
        .acl = ACL_CONNECTION, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Closes the connection after the reply."},
    {.name = "reset", .run = cmd_reset, .arity = 1,
        .flags = CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY,
        .acl = ACL_CONNECTION, .group = "connection", .since = "6.2.0", .complexity = "O(1)",
        .summary = "Puts the connection back to how it began."},
    {.name = "select", .run = cmd_select, .arity = 2, .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
        .acl = ACL_CONNECTION, .group = "connection", .since = "1.0.0", .complexity = "O(1)",
        .summary = "Chooses the database of this connection.",
        ARGS(ARG("index", INTEGER))},
    {0},
};
