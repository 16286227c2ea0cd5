/* test_bench.c - the parts of kvstash-benchmark that can be wrong without a server: histogram, reply counting, requests, flags. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench_cpu.h"
#include "cli/bench_histogram.h"
#include "cli/bench_options.h"
#include "cli/bench_reply.h"
#include "cli/bench_shape.h"
#include "resp/resp_parse.h"

/* ---- histogram ---------------------------------------------------------------------------------- */

static struct bench_histogram histogram;

Test(bench_histogram, quantiles_are_within_a_128th)
{
    bench_histogram_reset(&histogram);
    for (uint64_t v = 1; v <= 1000000; v++)
        bench_histogram_add(&histogram, v, 1);
    for (int percent = 1; percent < 100; percent++) {
        double exact = percent * 10000.0;
        double got = (double)bench_histogram_quantile(&histogram, percent / 100.0);
        cr_assert(got <= exact + 1 && got >= exact * (1 - 1.0 / 128) - 1, "%d %%: %f for %f", percent, got, exact);
    }
    cr_assert_eq(histogram.max, 1000000);
    cr_assert_eq(histogram.count, 1000000);
}

Test(bench_histogram, takes_every_value)
{
    bench_histogram_reset(&histogram);
    cr_assert_eq(bench_histogram_quantile(&histogram, 0.5), 0);
    for (int bit = 0; bit < 64; bit++)
        bench_histogram_add(&histogram, UINT64_C(1) << bit, 2);
    bench_histogram_add(&histogram, UINT64_MAX, 1);
    cr_assert_eq(histogram.count, 129);
    cr_assert_eq(bench_histogram_quantile(&histogram, 0), 1);
    cr_assert_eq(histogram.max, UINT64_MAX);
    cr_assert_eq(bench_histogram_between(&histogram, 1, 1 << 10), 20);
}

/* ---- replies ------------------------------------------------------------------------------------ */

static const struct bench_reply_hint no_hint, ok_hint = { "+OK\r\n", 5, 5 }, value_hint = { "$3\r\n", 4, 9 };

/* Counts the same bytes cut at every place: always the same. */
static struct bench_reply_count
count_cut(const struct bench_reply_hint *hint, const char *wire)
{
    struct bench_reply_count whole = { 0 };
    size_t n = strlen(wire);
    for (size_t cut = 0; cut <= n; cut++) {
        struct bench_reply_scan scan = { 0 };
        struct bench_reply_count count = { 0 };
        cr_assert(bench_reply_scan(&scan, hint, wire, cut, &count));
        cr_assert(bench_reply_scan(&scan, hint, wire + cut, n - cut, &count), "cut at %zu", cut);
        if (cut == 0)
            whole = count;
        cr_assert_eq(memcmp(&count, &whole, sizeof count), 0, "cut at %zu of %s", cut, wire);
    }
    return whole;
}

Test(bench_reply, counts_replies_errors_and_nulls)
{
    static const char wire[] = "+OK\r\n:5\r\n$3\r\na\r\n\r\n$-1\r\n-ERR bad thing\r\n_\r\n+OK\r\n-ERR second\r\n$0\r\n\r\n*-1\r\n";
    const struct bench_reply_hint *hints[] = { &no_hint, &ok_hint, &value_hint };
    for (int i = 0; i < 3; i++) {
        struct bench_reply_count c = count_cut(hints[i], wire);
        cr_assert_eq(c.replies, 10);
        cr_assert_eq(c.errors, 2);
        cr_assert_eq(c.nulls, 3);
        cr_assert_str_eq(c.first_error, "ERR bad thing");
    }
}

Test(bench_reply, aggregates_are_one_reply)
{
    cr_assert_eq(count_cut(&no_hint, "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n+x\r\n%1\r\n+k\r\n~1\r\n:1\r\n*0\r\n+OK\r\n").replies, 4);
    cr_assert_eq(count_cut(&no_hint, "|1\r\n+a\r\n:1\r\n+real\r\n").replies, 1);
    cr_assert_eq(count_cut(&no_hint, "*2\r\n-ERR in it\r\n:1\r\n").errors, 1);
}

Test(bench_reply, nonsense_is_refused)
{
    static const char *const wires[] = { "hello\r\n", "\r\n", "$x\r\n", "$99999999999999999999\r\n", "*\r\n" };
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        struct bench_reply_scan scan = { 0 };
        struct bench_reply_count count = { 0 };
        cr_assert_not(bench_reply_scan(&scan, &no_hint, wires[i], strlen(wires[i]), &count), "%s", wires[i]);
    }
}

/* ---- requests ----------------------------------------------------------------------------------- */

static struct bench_options
options_of(int argc, char **argv)
{
    struct bench_options o = { 0 };
    char error[FLAG_ERROR_MAX];
    cr_assert_eq(flag_parse(&bench_flags, &o, argc, argv, error), argc, "%s", error);
    return o;
}

/* Parses n bytes as requests whose first key is one of five; how many there are. */
static unsigned
count_requests(const char *bytes, size_t n)
{
    struct resp_parser p;
    struct resp_limits limits = { .bulk_max = RESP_BULK_DEFAULT_MAX };
    struct resp_request request;
    struct buf in;
    unsigned found = 0;
    buf_init(&in);
    buf_append(&in, bytes, n);
    resp_parser_init(&p);
    while (resp_parse(&p, &in, &limits, &request) == RESP_PARSE_REQUEST) {
        cr_assert_eq(request.argv[1].len, 16);
        cr_assert_eq(memcmp(request.argv[1].data + 4, "00000000000", 11), 0);
        cr_assert(request.argv[1].data[15] >= '0' && request.argv[1].data[15] <= '4');
        resp_parser_release(&p, &in);
        found++;
    }
    cr_assert_eq(buf_pending(&in), 0);
    resp_parser_destroy(&p);
    buf_destroy(&in);
    return found;
}

Test(bench_shape, every_batch_is_whole_requests_with_keys_of_the_space)
{
    static const char *const names[] = { "fill", "hfill", "get", "set", "hget", "hset", "mset", "incr", "mixed" };
    char *argv[] = { "kvstash-benchmark", "-k", "5", "-d", "100", "--fields", "2" };
    struct bench_options o = options_of(7, argv);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bench_requests r;
        cr_assert(bench_requests_create(&r, names[i], strlen(names[i]), &o));
        for (unsigned n = 1; n <= 40; n += 13) {
            size_t bytes = bench_requests_batch(&r, n);
            cr_assert_eq(count_requests(r.batch.data, bytes), n, "%s", names[i]);
        }
        bench_requests_destroy(&r);
    }
}

Test(bench_shape, fill_goes_through_the_keys_in_order)
{
    char *argv[] = { "kvstash-benchmark", "-k", "3" };
    struct bench_options o = options_of(3, argv);
    struct bench_requests r;
    cr_assert(bench_requests_create(&r, "fill", 4, &o));
    for (char key = '0'; key <= '2'; key++) {
        cr_assert_neq(bench_requests_batch(&r, 1), 0);
        cr_assert_eq(r.batch.data[r.shape[0].hole[0].at + 11], key);
    }
    bench_requests_destroy(&r);
}

Test(bench_shape, equal_seeds_give_equal_requests)
{
    char *argv[] = { "kvstash-benchmark", "--seed", "7" };
    struct bench_options o = options_of(3, argv);
    struct bench_requests a, b;
    cr_assert(bench_requests_create(&a, "mixed", 5, &o) && bench_requests_create(&b, "mixed", 5, &o));
    for (int i = 0; i < 10; i++) {
        size_t n = bench_requests_batch(&a, 16);
        cr_assert_eq(bench_requests_batch(&b, 16), n);
        cr_assert_eq(memcmp(a.batch.data, b.batch.data, n), 0);
    }
    bench_requests_destroy(&a);
    bench_requests_destroy(&b);
}

/* ---- processor time ----------------------------------------------------------------------------- */

/* Uses up this process's processor till `ms` are gone. */
static void
burn(int ms)
{
    struct timespec t = { 0 };
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms)
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
}

Test(bench_cpu, counts_children_and_their_children)
{
    static struct bench_cpu before, after;
    int done[2];
    char byte;
    cr_assert_eq(pipe(done), 0);
    cr_assert(bench_cpu_read(&before, getpid()));
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0)
            burn(100);
        cr_assert_eq(write(done[1], "", 1), 1);
        pause();
    }
    cr_assert_eq(read(done[0], &byte, 1), 1);
    cr_assert_eq(read(done[0], &byte, 1), 1);
    cr_assert(bench_cpu_read(&after, getpid()));
    struct bench_cpu_used used = bench_cpu_between(&before, &after);
    for (unsigned i = 0; i < after.processes; i++)
        if (after.process[i].pid != getpid())
            kill(after.process[i].pid, SIGKILL);
    waitpid(child, NULL, 0);
    cr_assert_eq(used.processes, 3);
    cr_assert_geq(used.all_ns, 90000000u);
    cr_assert_not(bench_cpu_read(&after, child));
}

/* ---- flags -------------------------------------------------------------------------------------- */

static int
parse(struct bench_options *o, char *error, char *a, char *b)
{
    char *argv[] = { "kvstash-benchmark", a, b, NULL };
    return flag_parse(&bench_flags, o, b != NULL ? 3 : 2, argv, error);
}

Test(flag, short_and_long_names_and_defaults)
{
    struct bench_options o = { 0 };
    char error[FLAG_ERROR_MAX];
    cr_assert_eq(parse(&o, error, "-p", "7000"), 3);
    cr_assert_eq(o.port, 7000);
    cr_assert_eq(o.connections, 50);
    cr_assert_str_eq(o.host, "127.0.0.1");
    cr_assert_eq(parse(&o, error, "--port=7001", NULL), 2);
    cr_assert_eq(o.port, 7001);
    cr_assert_eq(parse(&o, error, "operand", "-p"), 1, "parsing ends at the first operand");
}

Test(flag, mistakes_name_the_flag)
{
    struct bench_options o = { 0 };
    char error[FLAG_ERROR_MAX];
    cr_assert_eq(parse(&o, error, "-p", "x"), -1);
    cr_assert_str_eq(error, "--port is 'x': must be a whole number from 1 to 65535");
    cr_assert_eq(parse(&o, error, "--nope", NULL), -1);
    cr_assert_not_null(strstr(error, "--nope"));
    cr_assert_eq(parse(&o, error, "--rate", "nan"), -1);
    cr_assert_eq(parse(&o, error, "-c", NULL), -1);
    cr_assert_not_null(strstr(error, "-c needs a value"));
}
