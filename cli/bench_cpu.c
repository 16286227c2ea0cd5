/* bench_cpu.c - the processor time of a server (see bench_cpu.h).
 *
 * All processes are read once with their parents; then the set of the root's is closed by passes over them, at most as many as
 * the tree is deep.
 */
#include "cli/bench_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL_MAX 32768u

struct entry {
    pid_t pid, parent;
    bool ours;
    uint64_t user, system; /* clock ticks */
};

/* /proc/PID/stat: pid (name) state ppid ...; utime and stime are fields 14 and 15, the name may hold anything. */
static bool
read_entry(pid_t pid, struct entry *e)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    int parent;
    unsigned long user, sys;
    if (rest == NULL || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &parent, &user, &sys) != 3)
        return false;
    *e = (struct entry){ .pid = pid, .parent = parent, .user = user, .system = sys };
    return true;
}

/* What the threads of a process ran; 0 if it can't be told. */
static uint64_t
threads_ns(pid_t pid)
{
    char path[384];
    uint64_t sum = 0;
    const struct dirent *d;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    while (tasks != NULL && (d = readdir(tasks)) != NULL) {
        unsigned long long ns = 0;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, d->d_name);
        FILE *f = d->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (f != NULL && fscanf(f, "%llu", &ns) == 1)
            sum += ns;
        if (f != NULL)
            fclose(f);
    }
    if (tasks != NULL)
        closedir(tasks);
    return sum;
}

static struct bench_cpu_process
process_of(const struct entry *e)
{
    uint64_t tick_us = 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    struct bench_cpu_process p = { .pid = e->pid, .user_us = e->user * tick_us, .system_us = e->system * tick_us };
    p.all_ns = threads_ns(e->pid);
    if (p.all_ns == 0)
        p.all_ns = (p.user_us + p.system_us) * 1000;
    return p;
}

static unsigned
read_all(struct entry *all, pid_t root, bool *found)
{
    unsigned n = 0;
    DIR *proc = opendir("/proc");
    const struct dirent *d;
    while (proc != NULL && n < ALL_MAX && (d = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid <= 0 || !read_entry(pid, &all[n]))
            continue;
        all[n].ours = pid == root;
        *found |= pid == root;
        n++;
    }
    if (proc != NULL)
        closedir(proc);
    return n;
}

static bool
parent_is_ours(const struct entry *all, unsigned n, pid_t parent)
{
    for (unsigned i = 0; i < n; i++)
        if (all[i].pid == parent)
            return all[i].ours;
    return false;
}

static void
mark_descendants(struct entry *all, unsigned n)
{
    bool changed = true;
    while (changed) { /* each pass marks one more or is the last */
        changed = false;
        for (unsigned i = 0; i < n; i++)
            if (!all[i].ours && parent_is_ours(all, n, all[i].parent))
                changed = all[i].ours = true;
    }
}

bool
bench_cpu_read(struct bench_cpu *cpu, pid_t root)
{
    struct entry *all = malloc(ALL_MAX * sizeof *all);
    bool found = false;
    cpu->processes = 0;
    if (all == NULL)
        return false;
    unsigned n = read_all(all, root, &found);
    mark_descendants(all, n);
    for (unsigned i = 0; i < n && cpu->processes < BENCH_CPU_PROCESSES_MAX; i++)
        if (all[i].ours)
            cpu->process[cpu->processes++] = process_of(&all[i]);
    free(all);
    return found;
}

struct bench_cpu_used
bench_cpu_between(const struct bench_cpu *before, const struct bench_cpu *after)
{
    struct bench_cpu_used used = { .processes = after->processes };
    for (unsigned i = 0; i < after->processes; i++) {
        const struct bench_cpu_process *p = &after->process[i];
        used.user_us += p->user_us;
        used.system_us += p->system_us;
        used.all_ns += p->all_ns;
        for (unsigned j = 0; j < before->processes; j++) {
            if (before->process[j].pid != p->pid)
                continue;
            used.user_us -= before->process[j].user_us;
            used.system_us -= before->process[j].system_us;
            used.all_ns -= before->process[j].all_ns;
        }
    }
    return used;
}
