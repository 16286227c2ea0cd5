/* bench_options.h - what kvstash-benchmark is asked to do. */
#ifndef KVSTASH_CLI_BENCH_OPTIONS_H
#define KVSTASH_CLI_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/flag.h"

#define BENCH_CONNECTIONS_MAX 10000
#define BENCH_PIPELINE_MAX 10000
#define BENCH_VALUE_MAX (512 << 20)

struct bench_options {
    const char *host, *path, *user, *password, *tests, *against;
    int64_t port, connections, requests, pipeline, value_bytes, keys, fields, reads, rounds, seed, database;
    double seconds, rate;
    bool fill, hot_key, json, help, version;
};

extern const struct flag_table bench_flags;

#endif
