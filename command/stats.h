/* stats.h - what each command costs: calls, time, refusals, failures, a histogram; and errors by their code.
 *
 * Every worker slot has its own numbers in the region, written by its owner alone (class S) and summed by whoever is
 * asked. They stay when a slot passes on. A reset raises one generation: numbers of an older generation count as zero, and
 * their owner clears them before it adds to them.
 *
 * Time is measured by stamps between commands, not around each: a run of the same cheap command in one batch shares its
 * time equally (measured: a stamp is 13 ns, a GET in a pipeline 140 ns). A command that is not cheap, met a lock that
 * was taken, or moved much data has its own stamps.
 *
 * Process: workers. Locks: none. Crash: a number may miss what its owner had not yet added.
 */
#ifndef KVSTASH_COMMAND_STATS_H
#define KVSTASH_COMMAND_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/command_row.h"

#define STATS_ROWS 512u
#define STATS_BUCKETS 128u /* four for each power of two of nanoseconds, from 64 ns on */
#define STATS_ERRORS 64u   /* different codes of a slot; further ones count as the last */
#define STATS_CODE_MAX 32u

struct stats_row_sh {
    _Atomic uint64_t calls, ns, rejected, failed;
};

struct stats_error_sh {
    char code[STATS_CODE_MAX]; /* written once, before count is first raised */
    _Atomic uint64_t count;
};

struct stats_sh {
    _Atomic uint64_t generation;
    struct stats_row_sh row[STATS_ROWS];
    struct stats_error_sh error[STATS_ERRORS];
    _Atomic uint64_t bucket[STATS_ROWS][STATS_BUCKETS];
};

/* ---- rows by number --------------------------------------------------------------------------------------------------- */

/* Commands and subcommands, all rows of the table, have numbers that are the same in every process. */
unsigned stats_count(void);
const struct command_row *stats_row(unsigned id);
unsigned stats_id(const struct command_row *row);
/* Is one run of the command like another, and short? */
bool stats_is_cheap(const struct command_row *row);

/* ---- writing: the slot's owner ------------------------------------------------------------------------------------------ */

struct engine;
/* Clears the slot's numbers if a reset came since. */
void stats_refresh(struct engine *e);
/* n calls that took ns together. */
void stats_calls(struct engine *e, unsigned id, uint64_t n, uint64_t ns, bool histogram);
void stats_rejected(struct engine *e, unsigned id);
void stats_failed(struct engine *e, unsigned id);
/* An error reply of n bytes, from behind its '-'. */
void stats_error(struct engine *e, const char *text, size_t n);

/* ---- reading: anybody ------------------------------------------------------------------------------------------------------ */

struct stats_sum {
    uint64_t calls, ns, rejected, failed;
};
struct stats_sum stats_sum(const struct engine *e, unsigned id);
/* The histogram; returns how many calls are in it. */
uint64_t stats_histogram(const struct engine *e, unsigned id, uint64_t bucket[STATS_BUCKETS]);
/* The largest time in ns that falls into a bucket. */
uint64_t stats_bucket_top(unsigned bucket);
/* All errors, by code: fills at most STATS_ERRORS, returns how many. */
struct stats_errors {
    char code[STATS_CODE_MAX];
    uint64_t count;
};
unsigned stats_errors(const struct engine *e, struct stats_errors out[STATS_ERRORS]);
/* Everything begins at zero again. */
void stats_reset(struct engine *e);

#endif
