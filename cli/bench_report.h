/* bench_report.h - shows results: as text with a histogram, as JSON lines, as pairs of two servers.
 *
 * What is measured stands in one table of metrics, from which all three come. Process: kvstash-benchmark.
 */
#ifndef KVSTASH_CLI_BENCH_REPORT_H
#define KVSTASH_CLI_BENCH_REPORT_H

#include <stddef.h>

#include "cli/bench_load.h"
#include "cli/bench_options.h"

#define BENCH_METRICS 11

/* A result's figures, in the table's order; a figure that was not measured is nan. */
struct bench_figures {
    double value[BENCH_METRICS];
};

/* What a result is of. All borrowed. */
struct bench_subject {
    const char *test;
    size_t test_len;
    const char *server; /* "host:port" */
    const struct bench_options *options;
};

struct bench_figures bench_report_figures(const struct bench_result *r);
/* One run, in full. */
void bench_report_result(const struct bench_subject *s, const struct bench_result *r);
/* One run of a pair, in one line. */
void bench_report_turn(const struct bench_subject *s, const struct bench_result *r, int round);
/* Medians and ratios of `rounds` runs of each. s->server is the first. */
void bench_report_pair(const struct bench_subject *s, const char *second, const struct bench_figures *first_runs,
                       const struct bench_figures *second_runs, unsigned rounds);

#endif
