/* exec_cost.c - what a request costs between the parsed bytes and the reply, without sockets.
 *
 *     exec_cost [KEYS [ROUNDS [KIND]]]      KIND: GET, SET, HGET or HSET; all without
 *
 * Fills a region of its own with KEYS strings of 64 bytes (default 1,000,000), then runs batches of requests for random
 * keys as a worker does (parse, look ahead, run) and prints nanoseconds a request: the least of ROUNDS (default 15), which
 * is what the machine's other work disturbs least. Used to judge changes of the hot path; serves no clients.
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

#define BATCH 32
#define BATCHES 4000
#define AT_ONCE 100 /* batches whose requests are written before the first is run */

static struct shm_region region;
static struct engine engine;
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
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum kind { GET, SET, HGET, HSET };

static void
add_request(struct buf *in, enum kind kind, unsigned key)
{
    static const char value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char name[32];
    int n = snprintf(name, sizeof name, "key:%012u", key);
    switch (kind) {
    case GET:
        buf_printf(in, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", n, name);
        return;
    case SET:
        buf_printf(in, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$64\r\n%s\r\n", n, name, value);
        return;
    case HGET:
        buf_printf(in, "*3\r\n$4\r\nHGET\r\n$%d\r\nhey:%s\r\n$2\r\nf3\r\n", n, name + 4);
        return;
    case HSET:
        buf_printf(in, "*4\r\n$4\r\nHSET\r\n$%d\r\nhey:%s\r\n$2\r\nf%u\r\n$16\r\n%.16s\r\n", n, name + 4, (unsigned)random_below(8), value);
        return;
    }
}

/* Runs one batch of what is in the buffer. */
static void
run_batch(struct session *s, struct resp_parser *p, struct buf *in, struct buf *out)
{
    const struct resp_limits limits = {.bulk_max = RESP_BULK_DEFAULT_MAX};
    struct resp_request request[BATCH];
    int n = 0;
    while (n < BATCH && resp_parse(p, in, &limits, &request[n]) == RESP_PARSE_REQUEST)
        n++;
    exec_ahead_begin(&engine);
    exec_ahead_add(&engine, s, request, n);
    exec_ahead_prefetch(&engine);
    for (int i = 0; i < n; i++) {
        struct resp_out o = {.buf = out, .version = 2};
        while (exec_run(&engine, s, request[i].argc, request[i].argv, &o) == EXEC_AGAIN)
            shm_region_commit(&region, 8);
    }
    resp_parser_release(p, in);
}

static double
measure(struct session *s, enum kind kind, unsigned keys, bool fill)
{
    struct resp_parser p;
    struct buf in, out;
    unsigned batches = fill ? (keys + BATCH - 1) / BATCH : BATCHES, next = 0;
    double spent = 0;
    resp_parser_init(&p);
    buf_init(&in);
    buf_init(&out);
    for (unsigned b = 0; b < batches; b += AT_ONCE) {
        for (unsigned i = 0; i < BATCH * AT_ONCE; i++)
            add_request(&in, kind, fill ? next++ : (unsigned)random_below(keys));
        double from = now_ns();
        while (buf_pending(&in) > 0) {
            run_batch(s, &p, &in, &out);
            if (out.data[0] == '-') {
                fprintf(stderr, "error reply: %.80s\n", out.data);
                exit(1);
            }
            buf_clear(&out, SIZE_MAX);
        }
        spent += now_ns() - from;
    }
    buf_destroy(&in);
    buf_destroy(&out);
    resp_parser_destroy(&p);
    return spent / batches / BATCH;
}

int
main(int argc, char **argv)
{
    unsigned keys = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000, rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 15;
    static const char *const names[] = {"GET", "SET", "HGET", "HSET"};
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
    if (!engine_open(&engine, &region, 0))
        return 1;
    engine.control->ns_per_tick = ticks_measure();
    engine.control->workers = 1;
    struct session s = {.id = 1, .resp = 2, .flags = SESSION_AUTHENTICATED};
    config_defaults(&engine.control->config.live);
    config_put(&engine.control->config.live, PARAM_SAVE, &(struct param_value){0}); /* no persister is there to save */
    for (enum kind k = GET; k <= HSET; k++) {
        double best = 1e18;
        if (k == GET || k == HGET)
            measure(&s, k == GET ? SET : HSET, keys, true);
        if (argc > 3 && strcmp(argv[3], names[k]) != 0)
            continue;
        for (unsigned r = 0; r < rounds; r++) {
            double t = measure(&s, k, keys, false);
            best = t < best ? t : best;
        }
        printf("%s: %.1f ns a request\n", names[k], best);
    }
    return 0;
}
