/* cut_cost.c - what a snapshot costs: the cut, a step of the walk under its shard's lock, and a writer's command meanwhile.
 *
 *     cut_cost [KEYS [WRITES]]
 *
 * Fills a region of its own with KEYS strings of 64 bytes (default 1,000,000) and a hash of KEYS / 5 fields, then walks a
 * snapshot with WRITES SETs of random keys (default 10) after each step. Prints the time of the cut, of a step (p50, p99, p99.9, most: the
 * lock is held for nearly all of it), of the walk a key, of a SET before and meanwhile, of a field's first change, and the most memory
 * that the snapshot kept. The sink copies what it is given into a buffer, as the persister's does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ticks.h"
#include "command/control.h"
#include "command/exec.h"
#include "types/type_value.h"
#include "types/type_walk.h"

#define STEPS_MAX 4000000u

static struct shm_region region;
static struct engine engine;
static struct shm_tx walker;
static struct session session = {.id = 1, .resp = 2, .flags = SESSION_AUTHENTICATED};
static struct shm_cut cut;
static struct buf sunk;
static uint64_t state = 88172645463325252ull;

static uint64_t
random_below(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static double
now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Runs a command; returns its microseconds. */
static double
run(int argc, const struct resp_arg *argv)
{
    static struct buf out;
    struct resp_out o = {.buf = &out, .version = 2};
    double from = now_us();
    exec_ahead_begin(&engine);
    while (exec_run(&engine, &session, argc, argv, &o) == EXEC_AGAIN)
        shm_region_commit(&region, 8);
    double spent = now_us() - from;
    if (out.len == 0 || out.data[0] == '-') {
        fprintf(stderr, "error reply: %.80s\n", out.len ? out.data : "none");
        exit(1);
    }
    buf_clear(&out, SIZE_MAX);
    return spent;
}

static double
set(uint64_t key)
{
    static const char value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char name[32];
    size_t n = (size_t)snprintf(name, sizeof name, "key:%012lu", (unsigned long)key);
    return run(3, (struct resp_arg[]){{.data = "SET", .len = 3}, {.data = name, .len = n}, {.data = value, .len = 64}});
}

static double
set_field(uint64_t field)
{
    char name[32];
    size_t n = (size_t)snprintf(name, sizeof name, "f%lu", (unsigned long)field);
    return run(4,
        (struct resp_arg[]){{.data = "HSET", .len = 4}, {.data = "hash", .len = 4}, {.data = name, .len = n}, {.data = "some value", .len = 10}});
}

/* ---- the sink ------------------------------------------------------------------------------------------------ */

static bool
sink_bytes(const void *p, size_t n)
{
    if (sunk.len > 1u << 20)
        buf_clear(&sunk, SIZE_MAX);
    buf_append(&sunk, p, n);
    return true;
}

static bool
sink_entry(void *arg, unsigned db, const struct shm_entry_sh *e)
{
    (void)arg;
    (void)db;
    return sink_bytes(e, shm_entry_bytes(e));
}

static bool
sink_begin(void *arg, unsigned db, const struct shm_entry_sh *e, uint64_t count)
{
    (void)count;
    return sink_entry(arg, db, e);
}

static bool
sink_field(void *arg, const struct string_view *field, const struct string_view *value)
{
    size_t n;
    const char *f = type_string_piece(field, 0, &n);
    (void)arg;
    return sink_bytes(f, n) && (value->len == 0 || sink_bytes(type_string_piece(value, 0, &n), n));
}

static bool
sink_end(void *arg)
{
    (void)arg;
    return true;
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void
print_times(const char *what, double *us, size_t n)
{
    if (n == 0)
        return;
    qsort(us, n, sizeof *us, compare);
    printf("%s: p50 %.2f, p99 %.2f, p99.9 %.2f, most %.1f us of %zu\n", what, us[n / 2], us[n - 1 - n / 100], us[n - 1 - n / 1000], us[n - 1], n);
}

static void
writes_before(uint64_t keys, double *us, size_t n)
{
    for (size_t i = 0; i < n; i++)
        us[i] = set(random_below(keys));
    print_times("SET before", us, n);
}

static void
walk(uint64_t keys, unsigned writes)
{
    const struct type_walk_sink sink = {.entry = sink_entry, .begin = sink_begin, .field = sink_field, .end = sink_end};
    double *step = calloc(STEPS_MAX, sizeof *step), *write = calloc(STEPS_MAX, sizeof *write), spent = 0;
    size_t steps = 0, written = 0;
    uint64_t used = shm_region_used(&region), most = used;
    struct type_walk w;
    if (!step || !write)
        exit(1);
    writes_before(keys, write, 200000);
    double from = now_us();
    while (shm_cut_begin(&walker, true, &cut) == SHM_CUT_BUSY)
        shm_region_commit(&region, 8);
    printf("cut: %.1f us\n", now_us() - from);
    double first = set_field(0), second = set_field(1), third = set_field(2);
    printf("HSET of the large hash: first %.2f, second %.2f, third %.2f us\n", first, second, third);
    type_walk_begin(&w, &walker, &cut);
    for (;;) {
        double began = now_us();
        enum type_walk_result got = type_walk_step(&w, &sink, TYPE_WALK_BUDGET);
        double took = now_us() - began;
        if (got == TYPE_WALK_DONE)
            break;
        if (got != TYPE_WALK_MORE) {
            shm_region_commit(&region, 8);
            continue;
        }
        spent += took;
        if (steps < STEPS_MAX)
            step[steps++] = took;
        for (unsigned i = 0; i < writes && written < STEPS_MAX; i++)
            write[written++] = set(random_below(keys));
        used = shm_region_used(&region);
        most = used > most ? used : most;
    }
    print_times("step", step, steps);
    print_times("SET meanwhile", write, written);
    printf("walk: %.0f ns a key or field\n", spent * 1e3 / (double)(keys + keys / 5));
    printf("memory kept at most: %.1f MiB over %.1f at the end\n", (double)(most - used) / 1048576, (double)used / 1048576);
    free(step);
    free(write);
}

int
main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-bench-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 2ull << 30, .shards = 64, .databases = 16, .slots = 4,
        .shared_bytes = control_bytes(1), .hugepages = SHM_HUGEPAGES_AUTO};
    if (!shm_region_create(&region, &o, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    unlink(path);
    type_value_init();
    shm_region_commit(&region, 16);
    if (!engine_open(&engine, &region, 0) || !shm_tx_open(&walker, &region, 1))
        return 1;
    engine.control->ns_per_tick = ticks_measure();
    engine.control->workers = 1;
    config_defaults(&engine.control->config.live);
    config_put(&engine.control->config.live, PARAM_SAVE, &(struct param_value){0}); /* no persister is there to save */
    buf_init(&sunk);
    for (uint64_t i = 0; i < keys; i++)
        set(i);
    for (uint64_t i = 0; i < keys / 5; i++)
        set_field(i);
    walk(keys, argc > 2 ? (unsigned)atoi(argv[2]) : 10);
    return 0;
}
