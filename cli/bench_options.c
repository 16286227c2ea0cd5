/* bench_options.c - the flags of kvstash-benchmark (see bench_options.h).
 *
 * One table, from which the command line is read, --help printed and the manual's list made (flag.h). Not its
 * job: what values mean together (bench_main.c).
 */
#include "cli/bench_options.h"

#define FIELD(name) offsetof(struct bench_options, name)
#define BIG ((int64_t)1 << 53) /* whole in a double, too */

static const struct flag rows[] = {
    { "host", 'h', FLAG_TEXT, FIELD(host), "host", "127.0.0.1", 0, 0, "Name or address of the server" },
    { "port", 'p', FLAG_NUMBER, FIELD(port), "port", "6380", 1, 65535, "Its TCP port" },
    { "socket", 's', FLAG_TEXT, FIELD(path), "path", NULL, 0, 0, "Unix socket of the server, instead of host and port" },
    { "pass", 'a', FLAG_TEXT, FIELD(password), "password", NULL, 0, 0, "Password, said on every connection" },
    { "user", 0, FLAG_TEXT, FIELD(user), "name", NULL, 0, 0, "User that the password belongs to, instead of the default one" },
    { "database", 0, FLAG_NUMBER, FIELD(database), "number", "0", 0, INT32_MAX, "Database that is selected on every connection" },
    { "test", 't', FLAG_TEXT, FIELD(tests), "list", "set,get", 0, 0,
      "Tests to run in this order, with commas between: get, set, hget, hset, mset (10 keys a command), incr, mixed; fill and "
      "hfill, which write every key (every field of every hash) once and in order" },
    { "clients", 'c', FLAG_NUMBER, FIELD(connections), "number", "50", 1, BENCH_CONNECTIONS_MAX, "Connections" },
    { "requests", 'n', FLAG_NUMBER, FIELD(requests), "number", "0", 0, BIG,
      "Commands of each test; 0: as many as fit into --seconds" },
    { "seconds", 0, FLAG_REAL, FIELD(seconds), "seconds", "5", 0, 86400, "Length of each test if --requests is 0" },
    { "pipeline", 'P', FLAG_NUMBER, FIELD(pipeline), "number", "1", 1, BENCH_PIPELINE_MAX,
      "Commands that a connection sends before it waits for their replies" },
    { "data", 'd', FLAG_NUMBER, FIELD(value_bytes), "bytes", "64", 1, BENCH_VALUE_MAX, "Size of the values" },
    { "keys", 'k', FLAG_NUMBER, FIELD(keys), "number", "1000000", 1, 999999999999, "Size of the key space; keys have 16 bytes" },
    { "fields", 0, FLAG_NUMBER, FIELD(fields), "number", "10", 1, 999999999999,
      "Fields of a hash: the key space is cut into hashes of this size" },
    { "reads", 0, FLAG_NUMBER, FIELD(reads), "percent", "80", 0, 100, "Share of GET in the test mixed, the rest being SET" },
    { "hot-key", 0, FLAG_ON, FIELD(hot_key), NULL, NULL, 0, 0, "Use one key, the first of the key space, in all commands" },
    { "fill", 0, FLAG_ON, FIELD(fill), NULL, NULL, 0, 0, "Begin with fill, with hfill if all of the tests are of hashes" },
    { "rate", 'r', FLAG_REAL, FIELD(rate), "number", "0", 0, 1000000000,
      "Commands a second, sent on schedule whether replies come or not (open loop), with the latency counted from the scheduled "
      "time; 0: the next ones when the replies are there (closed loop)" },
    { "against", 0, FLAG_TEXT, FIELD(against), "host:port", NULL, 0, 0,
      "Second server (or path of its unix socket); each test runs in turn on both, and the ratios first to second are shown" },
    { "rounds", 0, FLAG_NUMBER, FIELD(rounds), "number", "5", 1, 1000, "Turns that each server gets with --against" },
    { "seed", 0, FLAG_NUMBER, FIELD(seed), "number", "1", 0, BIG, "Where the sequence of random keys begins" },
    { "json", 'j', FLAG_ON, FIELD(json), NULL, NULL, 0, 0, "Print each result as a JSON object on a line of its own" },
    { "help", 0, FLAG_ON, FIELD(help), NULL, NULL, 0, 0, "Show the options and end" },
    { "version", 'v', FLAG_ON, FIELD(version), NULL, NULL, 0, 0, "Show the version and end" },
};

const struct flag_table bench_flags = {
    .program = "kvstash-benchmark",
    .operands = "",
    .summary = "put a server of the Redis protocol under load and measure it",
    .row = rows,
    .rows = sizeof rows / sizeof rows[0],
};
