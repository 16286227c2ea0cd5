/* bench_cpu.h - the processor time of a server: of its process and of everything that descends from it.
 *
 * Read from /proc: the sum from schedstat, in nanoseconds, where the kernel has it; its parts from stat, in clock ticks. A
 * process that begins between two readings counts whole; what one that ends had used since the first reading is lost.
 * Process: kvstash-benchmark, on the server's machine. Source of the fields: proc(5).
 */
#ifndef KVSTASH_CLI_BENCH_CPU_H
#define KVSTASH_CLI_BENCH_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_CPU_PROCESSES_MAX 256u

struct bench_cpu_process {
    pid_t pid;
    uint64_t user_us, system_us; /* in ticks' grain */
    uint64_t all_ns;             /* both */
};

struct bench_cpu {
    struct bench_cpu_process process[BENCH_CPU_PROCESSES_MAX];
    unsigned processes;
};

struct bench_cpu_used {
    uint64_t user_us, system_us, all_ns;
    unsigned processes; /* at the end */
};

/* Reads the times of root and its descendants. False: /proc can't be read, or root is not there. */
bool bench_cpu_read(struct bench_cpu *cpu, pid_t root);
/* What was used between two readings. */
struct bench_cpu_used bench_cpu_between(const struct bench_cpu *before, const struct bench_cpu *after);

#endif
