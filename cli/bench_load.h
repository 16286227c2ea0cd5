/* bench_load.h - runs one test against one server.
 *
 * One thread, one epoll set. A connection sends a batch of pipelined requests and waits for all of their replies; in the
 * closed loop the next batch follows at once, in the open loop batches have a schedule, and one that finds all connections busy
 * waits its turn with its latency running. Process: kvstash-benchmark. Fails: a sentence in result->error; error replies of the
 * server do not end the run, they are counted.
 */
#ifndef KVSTASH_CLI_BENCH_LOAD_H
#define KVSTASH_CLI_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/bench_cpu.h"
#include "cli/bench_histogram.h"
#include "cli/bench_options.h"
#include "cli/bench_shape.h"
#include "cli/link.h"

struct bench_result {
    double seconds;                 /* from the first request to the last reply */
    struct bench_reply_count count; /* replies, errors, misses */
    struct bench_histogram latency; /* ns from send (or schedule) to the batch's last reply, once for each command */
    bool has_cpu;
    struct bench_cpu_used cpu;      /* of the server */
    uint64_t generator_us;          /* processor time of this process */
    char error[LINK_ERROR_MAX];     /* why the run ended early */
};

/* Called now and then with the number of replies so far and the seconds since the beginning. */
typedef void bench_load_progress(void *arg, uint64_t replies, double seconds);

/* Runs the named test. False with result->error. server: the pid whose processes are measured, 0 for none. */
bool bench_load_run(const struct link_address *address, const char *test, size_t test_len, const struct bench_options *o,
                    pid_t server, bench_load_progress *progress, void *arg, struct bench_result *result);

#endif
