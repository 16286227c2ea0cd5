/* growth_cost.c - does a command take over 1 ms because a table grows? Answered without sockets, beside the machine's noise.
 *
 *     growth_cost [KEYS [VALUE_BYTES]]      default 10,000,000 keys with values of 64 bytes
 *
 * Three runs on core 0, each command or turn timed on its own:
 *
 *     growing   SETs of KEYS new keys in a region that a second process, the housekeeper's pool on core 1, keeps supplied
 *     steady    as many SETs of the same keys: nothing grows
 *     noise     turns of some microseconds that only read the clock, until they have taken as much processor time as the commands
 *               of `growing`: as much chance to meet what the machine does
 *
 * Each is timed by the wall and by the thread's processor time. The kernel's counts tell what a long one met: switches to other
 * threads, page faults. What the wall shows beyond the processor time was the scheduler's; a long processor time also in the run
 * of noise is the host's, which takes the core away unseen. What is the server's own shows in `growing` only. A command
 * that finds the pool empty waits for it, as a connection would: that counts in full.
 *
 * At the end: what the region's memory is made of. Serves no clients.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ticks.h"
#include "command/control.h"
#include "command/exec.h"
#include "housekeeper/pool.h"
#include "shm/shm_class.h"
#include "shm/shm_epoch.h"
#include "shm/shm_span.h"
#include "types/type_value.h"

#define VALUE_MAX 65536u
#define REGION_BYTES (16ull << 30) /* sparse: what is used is committed */
#define LISTED 8                   /* longest ones that are printed */
#define LONG_NS 100000u
#define PARK_NS 50000
#define NOISE_READS 100 /* of the clock in a turn of noise */
#define AUDIT_SPANS 4096u /* as the housekeeper */

static const uint64_t bound_us[] = {100, 200, 500, 1000, 2000, 5000, UINT64_MAX}; /* of the histogram; the last is open */
#define BOUNDS (sizeof bound_us / sizeof bound_us[0])

static struct shm_region region;
static struct engine engine;
static struct session session = {.id = 1, .resp = 2, .flags = SESSION_AUTHENTICATED};
static char value[VALUE_MAX];
static size_t value_len = 64;

struct reading {
    uint64_t wall_ns, cpu_ns;
    long faults, switches;
};

struct run {
    uint64_t parked; /* commands that found the pool empty */
    uint64_t cpu_ns; /* of all */
    uint64_t wall[BOUNDS], cpu[BOUNDS];
    uint64_t most_wall_ns, most_cpu_ns, most_own_ns; /* own: processor time of those that met no switch */
    struct { uint64_t number; struct reading spent; } longest[LISTED]; /* by processor time, falling */
};

static uint64_t
clock_read(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
read_counts(struct reading *r)
{
    struct rusage u;
    getrusage(RUSAGE_THREAD, &u);
    r->faults = u.ru_minflt + u.ru_majflt;
    r->switches = u.ru_nivcsw + u.ru_nvcsw;
}

/* The wall's readings enclose those of the processor time, the counts' enclose both: what falls between two of them is so
 * told of the wider one only. */
static void
read_before(struct reading *r)
{
    read_counts(r);
    r->wall_ns = clock_read(CLOCK_MONOTONIC);
    r->cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
}

static void
read_after(struct reading *r)
{
    r->cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
    r->wall_ns = clock_read(CLOCK_MONOTONIC);
    read_counts(r);
}

static void
count(uint64_t histogram[BOUNDS], uint64_t ns)
{
    for (unsigned i = BOUNDS - 1; i > 0; i--) {
        if (ns >= bound_us[i - 1] * 1000) {
            histogram[i - 1]++;
            return;
        }
    }
}

static void
note(struct run *run, uint64_t number, const struct reading *a, const struct reading *b)
{
    struct reading spent = {b->wall_ns - a->wall_ns, b->cpu_ns - a->cpu_ns, b->faults - a->faults, b->switches - a->switches};
    run->cpu_ns += spent.cpu_ns;
    count(run->wall, spent.wall_ns);
    count(run->cpu, spent.cpu_ns);
    run->most_wall_ns = spent.wall_ns > run->most_wall_ns ? spent.wall_ns : run->most_wall_ns;
    run->most_cpu_ns = spent.cpu_ns > run->most_cpu_ns ? spent.cpu_ns : run->most_cpu_ns;
    if (spent.switches == 0 && spent.cpu_ns > run->most_own_ns)
        run->most_own_ns = spent.cpu_ns;
    for (unsigned i = 0; i < LISTED; i++) {
        if (spent.cpu_ns <= run->longest[i].spent.cpu_ns)
            continue;
        memmove(&run->longest[i + 1], &run->longest[i], (LISTED - 1 - i) * sizeof run->longest[0]);
        run->longest[i].number = number;
        run->longest[i].spent = spent;
        return;
    }
}

static void
set(uint64_t key, struct run *run)
{
    static struct buf out;
    char name[32];
    size_t n = (size_t)snprintf(name, sizeof name, "key:%012lu", (unsigned long)key);
    const struct resp_arg argv[] = {{.data = "SET", .len = 3}, {.data = name, .len = n}, {.data = value, .len = (uint32_t)value_len}};
    struct resp_out o = {.buf = &out, .version = 2};
    bool parked = false;
    exec_ahead_begin(&engine);
    while (exec_run(&engine, &session, 3, argv, &o) == EXEC_AGAIN) {
        parked = true;
        nanosleep(&(struct timespec){.tv_nsec = PARK_NS}, NULL);
    }
    run->parked += parked;
    if (out.len == 0 || out.data[0] != '+') {
        fprintf(stderr, "reply: %.80s\n", out.len ? out.data : "none");
        exit(1);
    }
    buf_clear(&out, SIZE_MAX);
}

static void
print_histogram(const char *what, const uint64_t histogram[BOUNDS])
{
    printf("  %-15s", what);
    for (unsigned i = 0; i + 1 < BOUNDS; i++)
        printf("  >=%lu us: %lu", (unsigned long)bound_us[i], (unsigned long)histogram[i]);
    printf("\n");
}

static void
print_run(const char *name, const struct run *run)
{
    printf("%s longest_wall_us=%.1f longest_cpu_us=%.1f longest_cpu_unswitched_us=%.1f parked=%lu\n", name, (double)run->most_wall_ns / 1e3,
        (double)run->most_cpu_ns / 1e3, (double)run->most_own_ns / 1e3, (unsigned long)run->parked);
    print_histogram("wall", run->wall);
    print_histogram("processor time", run->cpu);
    for (unsigned i = 0; i < LISTED && run->longest[i].spent.cpu_ns >= LONG_NS / 2; i++) {
        const struct reading *s = &run->longest[i].spent;
        printf("  number %lu: %.1f us of processor time, %.1f us by the wall, faults %ld, switches %ld\n",
            (unsigned long)run->longest[i].number, (double)s->cpu_ns / 1e3, (double)s->wall_ns / 1e3, s->faults, s->switches);
    }
}

/* SETs of all keys; returns the processor time. */
static uint64_t
measure_sets(const char *name, uint64_t keys)
{
    struct run run = {0};
    struct reading a, b;
    for (uint64_t i = 0; i < keys; i++) {
        read_before(&a);
        set(i, &run);
        read_after(&b);
        note(&run, i, &a, &b);
    }
    print_run(name, &run);
    fflush(stdout);
    return run.cpu_ns;
}

static void
measure_noise(uint64_t cpu_ns)
{
    struct run run = {0};
    struct reading a, b;
    for (uint64_t i = 0; run.cpu_ns < cpu_ns; i++) {
        read_before(&a);
        for (unsigned n = 0; n < NOISE_READS; n++)
            clock_read(CLOCK_MONOTONIC);
        read_after(&b);
        note(&run, i, &a, &b);
    }
    print_run("noise", &run);
}

/* The housekeeper's part that growth needs, in a process of its own as in the server. Ends with its parent. */
static void
supply(void)
{
    static struct pool pool;
    uint64_t audit = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pool_init(&pool, &region, 1);
    for (;;) {
        bool hungry = pool_step(&pool, clock_ns(), false);
        shm_span_audit(&region, &audit, AUDIT_SPANS, shm_epoch_advance(&region));
        if (!hungry)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void
pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set); /* one core only: both share it */
}

/* Where the committed memory is, in bytes a key. */
static void
print_memory(uint64_t keys)
{
    uint64_t end = atomic_load(&region.header->committed_extents) * SHM_SPANS_PER_EXTENT, reserve = 0, rest = 0, tails = 0;
    uint64_t spans[SHM_CLASSES] = {0}, blocks[SHM_CLASSES] = {0};
    for (uint64_t s = 0; s < end; s++) {
        uint64_t word = atomic_load(&region.span_words[s]);
        unsigned class = shm_span_word_class(word);
        reserve += shm_span_word_state(word) == SHM_SPAN_FREE;
        rest += shm_span_word_state(word) != SHM_SPAN_FREE && shm_span_word_state(word) != SHM_SPAN_USED;
        if (shm_span_word_state(word) != SHM_SPAN_USED || class >= SHM_CLASSES)
            continue;
        spans[class]++;
        blocks[class] += region.span_metas[s].used;
    }
    double n = (double)keys;
    printf("bytes a key of %lu keys\n", (unsigned long)keys);
    for (unsigned c = 0; c < SHM_CLASSES; c++) {
        if (spans[c] == 0)
            continue;
        uint64_t in_use = blocks[c] * shm_class_size(c), room = spans[c] * shm_class_blocks(c) * shm_class_size(c) - in_use;
        tails += spans[c] * SHM_SPAN_BYTES - in_use - room;
        printf("  blocks of %4u%s: in use %.2f, free in their spans %.2f (%lu spans)\n", shm_class_size(c),
            c >= SHM_CLASS_TABLE ? " (index)" : "", (double)in_use / n, (double)room / n, (unsigned long)spans[c]);
    }
    printf("  ends of spans %.2f, spans' descriptions %.2f, quarantine %.2f, reserve %.2f\n", (double)tails / n,
        (double)(end * sizeof(struct shm_span_meta_sh)) / n, (double)rest * SHM_SPAN_BYTES / n, (double)reserve * SHM_SPAN_BYTES / n);
}

static bool
open_region(void)
{
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-bench-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = REGION_BYTES, .shards = 64, .databases = 16, .slots = 4,
        .shared_bytes = control_bytes(1), .hugepages = SHM_HUGEPAGES_AUTO};
    if (!shm_region_create(&region, &o, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return false;
    }
    unlink(path);
    type_value_init();
    shm_region_commit(&region, 16);
    if (!engine_open(&engine, &region, 0))
        return false;
    engine.control->ns_per_tick = ticks_measure();
    engine.control->workers = 1;
    config_defaults(&engine.control->config.live);
    config_put(&engine.control->config.live, PARAM_SAVE, &(struct param_value){0}); /* no persister is there to save */
    return true;
}

int
main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    value_len = argc > 2 ? strtoull(argv[2], NULL, 10) : value_len;
    if (keys == 0 || keys > 100000000 || value_len > VALUE_MAX) {
        fprintf(stderr, "usage: growth_cost [KEYS [VALUE_BYTES]]: up to 100,000,000 and %u\n", VALUE_MAX);
        return 2;
    }
    memset(value, 'v', sizeof value);
    if (!open_region())
        return 1;
    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        pin(1);
        supply();
    }
    pin(0);
    uint64_t spent = measure_sets("growing", keys);
    print_memory(keys);
    measure_sets("steady", keys);
    measure_noise(spent);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
